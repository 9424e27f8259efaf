//! The environment of a function, read once.

use std::collections::HashMap;

/// The variables of a process, and what is wrong with those that were asked for.
///
/// Every getter gives a value at once, a meaningless one for a bad variable; [`Environment::check`] then names
/// all bad ones together, so that one look at the log is enough to mend a deployment.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: HashMap<String, String>,
    bad: Vec<String>,
}

/// Variables that are missing or malformed, all of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read the environment: {}", .bad.join("; "))]
#[non_exhaustive]
pub struct BadEnvironment {
    /// What is wrong, one entry for each variable, which it names.
    pub bad: Vec<String>,
}

impl Environment {
    /// The environment of this process.
    #[expect(clippy::disallowed_methods, reason = "the one place where a process reads its environment")]
    pub fn of_process() -> Self {
        Self::of(std::env::vars())
    }

    /// An environment of these variables.
    pub fn of<K: Into<String>, V: Into<String>>(variables: impl IntoIterator<Item = (K, V)>) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { variables, bad: Vec::new() }
    }

    /// A variable that must be there; empty is not there.
    pub fn text(&mut self, name: &str) -> String {
        self.parsed(name, None, |text| Ok(text.to_owned()))
    }

    /// A variable read by `parse`, whose error says what the variable takes; without `default` it must be there.
    pub fn parsed<T: Default>(
        &mut self,
        name: &str,
        default: Option<T>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> T {
        let value = self.variables.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
        let parsed = match (value, default) {
            (Some(value), _) => {
                parse(value).map_err(|takes| format!("{name} is {value:?}, it takes {takes}"))
            }
            (None, Some(default)) => Ok(default),
            (None, None) => Err(format!("{name} is missing")),
        };
        parsed.unwrap_or_else(|bad| {
            self.bad.push(bad);
            T::default()
        })
    }

    /// Fails if any variable that was asked for is bad.
    pub fn check(self) -> Result<(), BadEnvironment> {
        if self.bad.is_empty() { Ok(()) } else { Err(BadEnvironment { bad: self.bad }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(text: &str) -> Result<u32, String> {
        text.parse().map_err(|_| "a whole number of hours".to_owned())
    }

    #[test]
    fn every_bad_variable_is_named_together() {
        let mut environment = Environment::of([("HOURS", "many"), ("EMPTY", " ")]);
        environment.text("TABLE");
        environment.text("EMPTY");
        environment.parsed("HOURS", Some(24), hours);
        assert_eq!(
            environment.check().unwrap_err().to_string(),
            "read the environment: TABLE is missing; EMPTY is missing; \
             HOURS is \"many\", it takes a whole number of hours"
        );
    }

    #[test]
    fn what_is_not_set_has_its_default() {
        let mut environment = Environment::of([("TABLE", "septet"), ("DAYS", "2")]);
        assert_eq!(environment.text("TABLE"), "septet");
        assert_eq!(environment.parsed("HOURS", Some(24), hours), 24);
        assert_eq!(environment.parsed("DAYS", None, hours), 2);
        environment.check().unwrap();
    }
}
