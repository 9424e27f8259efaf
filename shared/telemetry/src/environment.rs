//! The environment of a function, read once.

use std::collections::HashMap;

/// The variables of a process, and what is wrong with those that were asked for.
///
/// A bad variable gives nothing and is remembered; [`Environment::bad`] then names all bad ones together, so
/// that one look at the log is enough to mend a deployment.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: HashMap<String, String>,
    bad: Vec<String>,
}

/// Variables that are missing or malformed, all of them.
///
/// It prints the same way either way: `main` prints the error it returns with `Debug`.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("read the environment: {}", .bad.join("; "))]
#[non_exhaustive]
pub struct BadEnvironment {
    /// What is wrong, one entry for each variable, which it names.
    pub bad: Vec<String>,
}

impl std::fmt::Debug for BadEnvironment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
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
    pub fn text(&mut self, name: &str) -> Option<String> {
        self.required(name, |text| Ok(text.to_owned()))
    }

    /// A variable that must be there, read by `parse`, whose error says what it takes.
    pub fn required<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let parsed = self.optional(name, parse)?;
        if parsed.is_none() {
            self.bad.push(format!("{name} is missing"));
        }
        parsed
    }

    /// A variable that need not be there, read by `parse`; `None` only for a bad one.
    pub fn optional<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<Option<T>> {
        let value = self.variables.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
        let Some(value) = value else { return Some(None) };
        match parse(value) {
            Ok(parsed) => Some(Some(parsed)),
            Err(takes) => {
                self.bad.push(format!("{name} is {value:?}, it takes {takes}"));
                None
            }
        }
    }

    /// What is wrong with the variables that were asked for.
    pub fn bad(self) -> BadEnvironment {
        BadEnvironment { bad: self.bad }
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
        assert_eq!(environment.text("TABLE"), None);
        assert_eq!(environment.text("EMPTY"), None);
        assert_eq!(environment.optional("HOURS", hours), None);
        let bad = environment.bad();
        assert_eq!(
            bad.to_string(),
            "read the environment: TABLE is missing; EMPTY is missing; \
             HOURS is \"many\", it takes a whole number of hours"
        );
        assert_eq!(format!("{bad:?}"), bad.to_string());
    }

    #[test]
    fn what_is_good_is_given_and_what_may_be_left_out_is_not_missed() {
        let mut environment = Environment::of([("TABLE", "septet"), ("DAYS", "2")]);
        assert_eq!(environment.text("TABLE").as_deref(), Some("septet"));
        assert_eq!(environment.required("DAYS", hours), Some(2));
        assert_eq!(environment.optional("DAYS", hours), Some(Some(2)));
        assert_eq!(environment.optional("HOURS", hours), Some(None));
        assert!(environment.bad().bad.is_empty());
    }
}
