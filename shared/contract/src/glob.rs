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

    /// Returns true if `text` is a pattern that claims a table of this name.
    pub fn claims(text: &str, name: &str) -> bool {
        Self::parse(text).is_ok_and(|pattern| pattern.matches(name))
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

    /// Finds a name that both this pattern and another claim, if there is any.
    ///
    /// It has `x` where any character would do, and may be shorter than a table's name can be.
    pub fn overlap(&self, other: &Self) -> Option<String> {
        let (a, b) = (self.0.as_bytes(), other.0.as_bytes());
        let width = b.len() + 1;
        // From which pair of places, by which character, a pair of places was reached first.
        let mut reached: Vec<Option<(usize, Option<u8>)>> = vec![None; (a.len() + 1) * width];
        let mut next = std::collections::VecDeque::from([0]);
        reached[0] = Some((0, None));
        while let Some(at) = next.pop_front() {
            let (i, j) = (at / width, at % width);
            let mut go = |i: usize, j: usize, by: Option<u8>, soon: bool| {
                let to = i * width + j;
                if reached[to].is_none() {
                    reached[to] = Some((at, by));
                    if soon { next.push_front(to) } else { next.push_back(to) }
                }
            };
            let (this, that) = (a.get(i).copied(), b.get(j).copied());
            if this == Some(b'*') {
                go(i + 1, j, None, true);
            }
            if that == Some(b'*') {
                go(i, j + 1, None, true);
            }
            let (Some(this), Some(that)) = (this, that) else { continue };
            let by = match (this, that) {
                (b'*' | b'?', b'*' | b'?') => b'x',
                (b'*' | b'?', own) | (own, b'*' | b'?') => own,
                (own, other) if own == other => own,
                _ => continue,
            };
            go(i + usize::from(this != b'*'), j + usize::from(that != b'*'), Some(by), false);
        }
        let mut at = reached.len() - 1;
        reached[at]?;
        let mut name = Vec::new();
        while let Some((from, by)) = reached[at].filter(|_| at != 0) {
            name.extend(by.map(char::from));
            at = from;
        }
        Some(name.into_iter().rev().collect())
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

    #[test]
    fn two_globs_that_claim_one_name_are_found_with_such_a_name() {
        for (one, other, expected) in [
            ("recs-*", "recs-*", Some("recs-")),
            ("recs-*", "recs-eu-*", Some("recs-eu-")),
            ("recs-*", "recs", None),
            ("recs-*-eu", "recs-us-*", Some("recs-us-eu")),
            ("recs-?", "recs-??", None),
            ("recs-?", "recs-*?", Some("recs-x")),
            ("recs-*", "plays-*", None),
            ("ab*c?", "ab?d*", Some("abcd")),
        ] {
            let (one, other) = (Pattern::parse(one).unwrap(), Pattern::parse(other).unwrap());
            assert_eq!(one.overlap(&other).as_deref(), expected, "{one} {other}");
        }
    }

    proptest! {
        #[test]
        fn a_name_of_an_overlap_is_claimed_by_both_and_there_is_one_if_any_name_is(
            one in "aa[ab*?]{0,6}",
            other in "aa[ab*?]{0,6}",
            name in "aa[abx]{0,6}",
        ) {
            let (one, other) = (Pattern::parse(&one).unwrap(), Pattern::parse(&other).unwrap());
            match one.overlap(&other) {
                Some(shared) => {
                    prop_assert!(one.matches(&shared) && other.matches(&shared), "{}", shared);
                }
                None => prop_assert!(!(one.matches(&name) && other.matches(&name))),
            }
            prop_assert_eq!(one.overlap(&other).is_some(), other.overlap(&one).is_some());
        }

        #[test]
        fn a_glob_agrees_with_its_regular_expression(glob in "aa[ab*?]{0,8}", name in "[ab]{0,12}") {
            let regex = regex::Regex::new(&format!("^{}$", glob.replace('*', ".*").replace('?', "."))).unwrap();
            prop_assert_eq!(Pattern::parse(&glob).unwrap().matches(&name), regex.is_match(&name));
        }
    }
}
