//! Names and numbers of the registry, each parsed once where it enters.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Says why a text is no valid name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {text:?}: {rule}")]
#[non_exhaustive]
pub struct NameError {
    /// What was to be named, such as `dataset name`.
    pub what: &'static str,
    /// The text as it came.
    pub text: String,
    /// The rule that the text breaks.
    pub rule: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $valid:expr, $rule:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes a text that keeps the rule.
            pub fn parse(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                let valid: fn(&str) -> bool = $valid;
                if valid(&text) {
                    Ok(Self(text))
                } else {
                    Err(NameError { what: $what, text, rule: $rule })
                }
            }

            /// Shows the name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

fn is_label(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b))
}

name!(
    /// Names a dataset; the `name` of its contract.
    DatasetName,
    "dataset name",
    is_label,
    "takes 1 to 64 of a-z, 0-9, '-', '_' and '.', the first a letter or digit"
);

name!(
    /// Names a pointer of a dataset: `live`, or any other such as `canary`.
    PointerName,
    "pointer name",
    is_label,
    "takes 1 to 64 of a-z, 0-9, '-', '_' and '.', the first a letter or digit"
);

impl PointerName {
    /// The pointer that readers follow unless told otherwise.
    pub fn live() -> Self {
        Self("live".into())
    }
}

name!(
    /// Names a DynamoDB table; never an ARN.
    TableName,
    "table name",
    |text| {
        (3..=255).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
    },
    "takes 3 to 255 of a-z, A-Z, 0-9, '_', '.' and '-' (DynamoDB naming rules)"
);

impl TableName {
    /// Takes a table name or a table ARN, of which it keeps the name.
    ///
    /// DynamoDB calls accept either, so records of such calls carry either.
    pub fn from_name_or_arn(text: &str) -> Result<Self, NameError> {
        let name = match text.strip_prefix("arn:") {
            Some(rest) => {
                let resource = rest.splitn(5, ':').nth(4).unwrap_or_default();
                let name = resource.strip_prefix("table/").unwrap_or_default();
                name.split('/').next().unwrap_or_default()
            }
            None => text,
        };
        Self::parse(name).map_err(|error| NameError { text: text.into(), ..error })
    }
}

name!(
    /// The id that DynamoDB gives a table at its creation: two tables of one name differ in it.
    TableId,
    "table id",
    |text| (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'),
    "takes 1 to 64 of a-z, A-Z, 0-9 and '-'"
);

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// Takes a number as it is.
            pub const fn new(number: u64) -> Self {
                Self(number)
            }

            /// Shows the number.
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The number after this one.
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }

            /// Ten digits with leading zeros, so that keys sort as numbers.
            pub(crate) fn key(self) -> String {
                format!("{:010}", self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0.to_string())
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                match text.parse() {
                    Ok(number) if number > 0 => Ok(Self(number)),
                    _ => Err(NameError { what: $what, text: text.into(), rule: "takes a whole number from 1 on" }),
                }
            }
        }
    };
}

number!(
    /// Numbers the versions of a dataset, from 1 on, in the order they were announced.
    VersionNumber,
    "version number"
);
number!(
    /// Numbers the contracts of a dataset, from 1 on.
    ContractNumber,
    "contract number"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_named_by_its_name_or_its_arn() {
        for text in [
            "recs-2026-11-21",
            "arn:aws:dynamodb:eu-west-1:333333333333:table/recs-2026-11-21",
            "arn:aws-cn:dynamodb:cn-north-1:333333333333:table/recs-2026-11-21/index/by-day",
        ] {
            assert_eq!(TableName::from_name_or_arn(text).unwrap().as_str(), "recs-2026-11-21");
        }
        for text in ["", "ab", "a b c", "arn:aws:s3:::bucket", "arn:aws:dynamodb:eu-west-1:1:table/", "arn:"]
        {
            assert_eq!(TableName::from_name_or_arn(text).unwrap_err().text, text);
        }
    }

    #[test]
    fn a_dataset_name_is_a_lower_case_label() {
        assert!(DatasetName::parse("recs.eu-1_a").is_ok());
        for text in ["", "Recs", "-recs", "re#cs", "re cs", &"x".repeat(65)] {
            assert!(DatasetName::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn keys_of_numbers_sort_as_the_numbers() {
        assert!(VersionNumber::new(9).key() < VersionNumber::new(10).key());
        assert_eq!(VersionNumber::new(42).key(), "0000000042");
        assert!("0".parse::<VersionNumber>().is_err());
    }
}
