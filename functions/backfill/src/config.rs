//! What the function is told by its environment.

use septet_recovery::http::Loopback;
use septet_telemetry::{BadEnvironment, Environment};

/// The function's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The registry table's name.
    pub registry_table: String,
    /// The queue that messages come from and go on by.
    pub queue_url: String,
    /// Where messages and records go that nothing can be done with.
    pub dead_letters_url: String,
    /// Whether a feed may lie on this machine.
    pub loopback: Loopback,
}

impl Config {
    /// Reads `SEPTET_REGISTRY_TABLE`, `SEPTET_RECOVERY_QUEUE_URL`, `SEPTET_RECOVERY_DEAD_LETTERS_URL` and
    /// `SEPTET_LOOPBACK_FEEDS` (`refused` if not set, or `allowed`); an error names every bad one.
    pub fn from_env(mut environment: Environment) -> Result<Self, BadEnvironment> {
        let registry_table = environment.text("SEPTET_REGISTRY_TABLE");
        let queue_url = environment.required("SEPTET_RECOVERY_QUEUE_URL", url);
        let dead_letters_url = environment.required("SEPTET_RECOVERY_DEAD_LETTERS_URL", url);
        let loopback = environment.optional("SEPTET_LOOPBACK_FEEDS", loopback);
        match (registry_table, queue_url, dead_letters_url, loopback) {
            (Some(registry_table), Some(queue_url), Some(dead_letters_url), Some(loopback)) => {
                let loopback = loopback.unwrap_or(Loopback::Refused);
                Ok(Self { registry_table, queue_url, dead_letters_url, loopback })
            }
            _ => Err(environment.bad()),
        }
    }
}

fn url(text: &str) -> Result<String, String> {
    let is_url = text.starts_with("https://") || text.starts_with("http://");
    if is_url { Ok(text.to_owned()) } else { Err("the URL of an SQS queue".into()) }
}

fn loopback(text: &str) -> Result<Loopback, String> {
    match text {
        "refused" => Ok(Loopback::Refused),
        "allowed" => Ok(Loopback::Allowed),
        _ => Err("refused or allowed".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [(&str, &str); 3] = [
        ("SEPTET_REGISTRY_TABLE", "septet-registry"),
        ("SEPTET_RECOVERY_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/1/septet-recovery"),
        ("SEPTET_RECOVERY_DEAD_LETTERS_URL", "https://sqs.eu-west-1.amazonaws.com/1/dead"),
    ];

    #[test]
    fn settings_come_from_the_environment_and_this_machine_is_no_feeds_place_unless_it_says_so() {
        let config = Config::from_env(Environment::of(GOOD)).unwrap();
        assert_eq!(config.registry_table, "septet-registry");
        assert_eq!(config.dead_letters_url, "https://sqs.eu-west-1.amazonaws.com/1/dead");
        assert_eq!(config.loopback, Loopback::Refused);
        let more = Environment::of(GOOD.into_iter().chain([("SEPTET_LOOPBACK_FEEDS", "allowed")]));
        assert_eq!(Config::from_env(more).unwrap().loopback, Loopback::Allowed);
    }

    #[test]
    fn every_bad_setting_is_named() {
        let bad = [("SEPTET_RECOVERY_QUEUE_URL", "septet-recovery"), ("SEPTET_LOOPBACK_FEEDS", "yes")];
        let error = Config::from_env(Environment::of(bad)).unwrap_err().to_string();
        for name in [
            "SEPTET_REGISTRY_TABLE is missing",
            "SEPTET_RECOVERY_QUEUE_URL is \"septet-recovery\"",
            "SEPTET_RECOVERY_DEAD_LETTERS_URL is missing",
            "SEPTET_LOOPBACK_FEEDS is \"yes\"",
        ] {
            assert!(error.contains(name), "{error}");
        }
    }
}
