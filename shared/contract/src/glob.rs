//! Which table names a contract claims.

use std::fmt;

use serde::Serialize;

/// A glob over table names: `*` stands for any run of characters, also none, `?` for exactly one.
///
/// Every other character stands for itself; there are no classes and no escapes, as table names need none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Pattern(String);

/// Says why a text is no [`Pattern`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The text is empty or longer than a table name can be.
    #[error("a pattern has 1 to 255 characters")]
    Length,
    /// The text has a character that no table name has.
    #[error("{0:?} cannot stand in a table name")]
    Character(char),
    /// The text has fewer than two characters of its own, so that it would claim foreign tables.
    #[error("claims almost every table")]
    TooWide,
}

impl Pattern {
    /// Takes a glob that begins with at least two letters, digits or signs of its own, such as `recs-*`.
    ///
    /// A pattern that begins with `*` or `?` would claim tables that belong to other datasets, and is refused.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.is_empty() || text.len() > 255 {
            return Err(PatternError::Length);
        }
        let foreign = |c: &char| !(c.is_ascii_alphanumeric() || "_.-*?".contains(*c));
        if let Some(character) = text.chars().find(foreign) {
            return Err(PatternError::Character(character));
        }
        if text.bytes().take_while(|b| !b"*?".contains(b)).count() < 2 {
            return Err(PatternError::TooWide);
        }
        Ok(Self(text.to_owned()))
    }

    /// Tells whether the pattern claims a table of this name.
    ///
    /// The time grows with the product of both lengths at worst, each at most 255; nothing backtracks further
    /// than to the last `*`.
    pub fn matches(&self, name: &str) -> bool {
        let (glob, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut g, mut n) = (0, 0);
        let mut star = None;
        while n < name.len() {
            match glob.get(g) {
                Some(b'*') => {
                    star = Some((g, n));
                    g += 1;
                }
                Some(&c) if c == b'?' || c == name[n] => {
                    g += 1;
                    n += 1;
                }
                _ => match star {
                    Some((at, from)) => {
                        star = Some((at, from + 1));
                        g = at + 1;
                        n = from + 1;
                    }
                    None => return false,
                },
            }
        }
        glob[g..].iter().all(|c| *c == b'*')
    }

    /// Shows the glob as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_glob_claims_whole_names() {
        for (glob, name, expected) in [
            ("recs-*", "recs-2026-11-21", true),
            ("recs-*", "recs-", true),
            ("recs-*", "my-recs-1", false),
            ("recs-????", "recs-2026", true),
            ("recs-????", "recs-206", false),
            ("recs-*-eu", "recs-a-eu-b-eu", true),
            ("recs-*-eu", "recs-a-eu-b", false),
            ("recs", "recs", true),
            ("recs", "recs1", false),
            ("re**s", "res", true),
        ] {
            assert_eq!(Pattern::parse(glob).unwrap().matches(name), expected, "{glob} {name}");
        }
    }

    #[test]
    fn a_glob_that_claims_everything_is_refused() {
        for glob in ["*", "**", "?*", "*-recs", "r*"] {
            assert_eq!(Pattern::parse(glob), Err(PatternError::TooWide), "{glob}");
        }
        assert_eq!(Pattern::parse(""), Err(PatternError::Length));
        assert_eq!(Pattern::parse(&"x".repeat(256)), Err(PatternError::Length));
        assert_eq!(Pattern::parse("recs/[a]"), Err(PatternError::Character('/')));
    }

    #[test]
    fn many_stars_take_no_long_time() {
        let glob = Pattern::parse(&format!("aa{}b", "*a".repeat(120))).unwrap();
        assert!(!glob.matches(&"a".repeat(255)));
    }

    proptest! {
        #[test]
        fn a_glob_agrees_with_its_regular_expression(glob in "aa[ab*?]{0,8}", name in "[ab]{0,12}") {
            let regex = regex::Regex::new(&format!("^{}$", glob.replace('*', ".*").replace('?', "."))).unwrap();
            prop_assert_eq!(Pattern::parse(&glob).unwrap().matches(&name), regex.is_match(&name));
        }
    }
}
