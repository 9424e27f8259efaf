//! What the function is told by its environment.

use jiff::SignedDuration;
use septet_tables::SealPolicy;
use septet_telemetry::{BadEnvironment, Environment};

/// The function's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The registry table's name.
    pub registry_table: String,
    /// The queue that messages come from and go back to.
    pub queue_url: String,
    /// The queue that messages go to which cannot be honoured.
    pub dead_letters_url: String,
    /// Who may still change a sealed table.
    pub seal_policy: SealPolicy,
    /// For how long a version may stay incomplete.
    pub patience: SignedDuration,
    /// How checks are shared.
    pub sharing: Sharing,
}

/// When and how a check is shared among many invocations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sharing {
    /// From how many items on, by what the publisher says, it is shared at once.
    pub from_items: u64,
    /// Into how many parts.
    pub parts: u32,
    /// How often a part keeps what it saw.
    pub keep_every: SignedDuration,
}

impl Default for Sharing {
    fn default() -> Self {
        Self { from_items: 10_000_000, parts: 16, keep_every: SignedDuration::from_secs(20) }
    }
}

impl Config {
    /// Reads `SEPTET_REGISTRY_TABLE`, `SEPTET_PUBLISH_QUEUE_URL`, `SEPTET_PUBLISH_DEAD_LETTERS_URL`,
    /// `SEPTET_SEAL_ROLES` (ARNs with commas between them), `SEPTET_ABANDON_AFTER_HOURS` (24 if not set) and `SEPTET_SHARE_FROM_ITEMS` (10 million); an error names
    /// every bad one.
    pub fn from_env(mut environment: Environment) -> Result<Self, BadEnvironment> {
        let registry_table = environment.text("SEPTET_REGISTRY_TABLE");
        let url = environment.required("SEPTET_PUBLISH_QUEUE_URL", queue_url);
        let dead_letters_url = environment.required("SEPTET_PUBLISH_DEAD_LETTERS_URL", queue_url);
        let seal_policy = environment.required("SEPTET_SEAL_ROLES", seal_policy);
        let patience = environment.optional("SEPTET_ABANDON_AFTER_HOURS", hours);
        let from_items = environment.optional("SEPTET_SHARE_FROM_ITEMS", items);
        let urls = url.zip(dead_letters_url);
        match (registry_table, urls, seal_policy, patience, from_items) {
            (Some(registry_table), Some(urls), Some(seal_policy), Some(patience), Some(from_items)) => {
                let (queue_url, dead_letters_url) = urls;
                let patience = patience.unwrap_or(SignedDuration::from_hours(24));
                let mut sharing = Sharing::default();
                sharing.from_items = from_items.unwrap_or(sharing.from_items);
                Ok(Self { registry_table, queue_url, dead_letters_url, seal_policy, patience, sharing })
            }
            _ => Err(environment.bad()),
        }
    }
}

fn queue_url(text: &str) -> Result<String, String> {
    let is_url = text.starts_with("https://") || text.starts_with("http://");
    if is_url { Ok(text.to_owned()) } else { Err("the URL of an SQS queue".into()) }
}

fn seal_policy(text: &str) -> Result<SealPolicy, String> {
    SealPolicy::new(text.split(',').map(str::trim)).map_err(|error| match error {
        septet_tables::Error::SealRoles { problem } => {
            format!("ARNs of IAM roles with commas between them: {problem}")
        }
        other => other.to_string(),
    })
}

fn hours(text: &str) -> Result<SignedDuration, String> {
    match text.parse() {
        Ok(hours @ 1..=8760) => Ok(SignedDuration::from_hours(hours)),
        _ => Err("a whole number of hours from 1 to 8760".into()),
    }
}

fn items(text: &str) -> Result<u64, String> {
    text.parse().ok().filter(|items| *items > 0).ok_or_else(|| "a whole number of items, at least 1".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [(&str, &str); 4] = [
        ("SEPTET_REGISTRY_TABLE", "septet-registry"),
        ("SEPTET_PUBLISH_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/1/septet-publish"),
        (
            "SEPTET_PUBLISH_DEAD_LETTERS_URL",
            "https://sqs.eu-west-1.amazonaws.com/1/septet-publish-dead-letters",
        ),
        ("SEPTET_SEAL_ROLES", "arn:aws:iam::333333333333:role/a, arn:aws:iam::333333333333:role/b"),
    ];

    #[test]
    fn settings_come_from_the_environment() {
        let config = Config::from_env(Environment::of(GOOD)).unwrap();
        assert_eq!(config.registry_table, "septet-registry");
        let roles = ["arn:aws:iam::333333333333:role/a", "arn:aws:iam::333333333333:role/b"];
        assert_eq!(config.seal_policy, SealPolicy::new(roles).unwrap());
        assert_eq!(config.patience, SignedDuration::from_hours(24));
        assert_eq!(config.sharing, Sharing::default());
        let more = [("SEPTET_ABANDON_AFTER_HOURS", "3"), ("SEPTET_SHARE_FROM_ITEMS", "5")];
        let config = Config::from_env(Environment::of(GOOD.into_iter().chain(more))).unwrap();
        assert_eq!((config.patience, config.sharing.from_items), (SignedDuration::from_hours(3), 5));
    }

    #[test]
    fn every_bad_setting_is_named() {
        let bad = [
            ("SEPTET_PUBLISH_QUEUE_URL", "septet-publish"),
            ("SEPTET_SEAL_ROLES", "arn:aws:iam::333333333333:role/a,"),
            ("SEPTET_ABANDON_AFTER_HOURS", "-1"),
            ("SEPTET_SHARE_FROM_ITEMS", "0"),
        ];
        let error = Config::from_env(Environment::of(bad)).unwrap_err().to_string();
        for name in [
            "SEPTET_REGISTRY_TABLE is missing",
            "SEPTET_PUBLISH_QUEUE_URL is \"septet-publish\"",
            "SEPTET_SEAL_ROLES is \"arn:aws:iam::333333333333:role/a,\"",
            "SEPTET_ABANDON_AFTER_HOURS is \"-1\"",
            "SEPTET_SHARE_FROM_ITEMS is \"0\"",
        ] {
            assert!(error.contains(name), "{error}");
        }
    }
}
