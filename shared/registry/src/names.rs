//! Names and numbers of the registry, each parsed once where it enters.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

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

name!(
    /// Identifies a seal: the same in the registry and in the resource policy of the table that it seals.
    SealId,
    "seal id",
    |text| text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)),
    "takes 32 of 0-9 and a-f"
);

impl SealId {
    /// The id of the seal of a version: the same whenever it is asked for, for programs of release 0.1.0 drop it from
    /// the items that they rewrite. The time of the announcement sets versions of other registries apart.
    pub fn of(
        dataset: &DatasetName,
        version: VersionNumber,
        table: &TableId,
        announced_at: Timestamp,
    ) -> Self {
        let hash = Sha256::digest(format!("{dataset}\n{version}\n{table}\n{announced_at}"));
        let id: [u8; 16] = std::array::from_fn(|at| hash[at]);
        Self(Uuid::from_bytes(id).simple().to_string())
    }
}

name!(
    /// Names one hold of a dataset's pointers.
    HoldId,
    "hold id",
    |text| (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.'),
    "takes 1 to 32 of a-z, A-Z, 0-9, '-' and '.'"
);

impl HoldId {
    /// The hold id that is made of a generated id: its last eight digits, which are random.
    pub fn of(id: Uuid) -> Self {
        let mut text = id.simple().to_string();
        Self(text.split_off(24))
    }

    /// The id of a hold that release 0.1.0 set, which gave holds none.
    pub fn unnamed() -> Self {
        Self("0.1.0".into())
    }
}

/// Refers to a table by name, or by an ARN that names its account and region as well.
///
/// As text and in JSON it is the name or the ARN.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TableReference {
    /// Name of the table.
    pub name: TableName,
    /// ARN of the table, without the suffix of an index or a stream; none for a reference by name.
    pub arn: Option<String>,
}

impl TableReference {
    /// Parses a table name, or the ARN of a table, of one of its indexes or of its stream.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let wrong = |rule| NameError { what: "table", text: text.into(), rule };
        let name = TableName::from_name_or_arn(text)?;
        if !text.starts_with("arn:") {
            return Ok(Self { name, arn: None });
        }
        let parts: Vec<_> = text.splitn(6, ':').collect();
        let [_, partition, "dynamodb", region, account, _] = parts[..] else {
            return Err(wrong("takes a name, or the ARN of a DynamoDB table"));
        };
        if [partition, region, account].contains(&"") {
            return Err(wrong("takes an ARN with partition, region and account"));
        }
        let arn = Some(format!("arn:{partition}:dynamodb:{region}:{account}:table/{name}"));
        Ok(Self { name, arn })
    }

    /// Returns true if the table of this ARN can be the one referred to.
    ///
    /// A reference by name matches the table of that name in every account and region. A reference by ARN
    /// matches only the same partition, region, account and name.
    pub fn matches(&self, arn_of_table: &str) -> bool {
        Self::parse(arn_of_table).is_ok_and(|other| match &self.arn {
            Some(arn) => other.arn.as_ref() == Some(arn),
            None => other.name == self.name,
        })
    }
}

impl fmt::Display for TableReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.arn.as_deref().unwrap_or(self.name.as_str()))
    }
}

impl FromStr for TableReference {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for TableReference {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

impl From<TableReference> for String {
    fn from(reference: TableReference) -> Self {
        reference.to_string()
    }
}

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

    const ARN: &str = "arn:aws:dynamodb:eu-west-1:333333333333:table/recs-1";

    #[test]
    fn a_reference_by_name_matches_the_name_in_every_account_and_region() {
        let reference = TableReference::parse("recs-1").unwrap();
        assert_eq!((reference.name.as_str(), &reference.arn), ("recs-1", &None));
        for arn in [ARN, "arn:aws-cn:dynamodb:cn-north-1:4:table/recs-1/index/by-day"] {
            assert!(reference.matches(arn), "{arn}");
        }
        for arn in ["arn:aws:dynamodb:eu-west-1:333333333333:table/recs-12", "", "arn:aws:s3:::recs-1"] {
            assert!(!reference.matches(arn), "{arn}");
        }
    }

    #[test]
    fn a_reference_by_arn_matches_that_table_only() {
        let suffixes = ["", "/index/by-day", "/stream/2026-11-21T00:00:00.000"];
        for (of, to) in suffixes.iter().flat_map(|of| suffixes.map(|to| (of, to))) {
            let reference = TableReference::parse(&format!("{ARN}{of}")).unwrap();
            assert_eq!((reference.name.as_str(), reference.arn.as_deref()), ("recs-1", Some(ARN)));
            assert!(reference.matches(&format!("{ARN}{to}")), "{of} {to}");
        }
        let reference = TableReference::parse(ARN).unwrap();
        for other in [
            "arn:aws-cn:dynamodb:eu-west-1:333333333333:table/recs-1",
            "arn:aws:dynamodb:eu-west-2:333333333333:table/recs-1",
            "arn:aws:dynamodb:eu-west-1:333333333334:table/recs-1",
            "arn:aws:dynamodb:eu-west-1:333333333333:table/recs-2",
            "arn:aws:dynamodb:eu-west-1:333333333333:table/recs-12",
            "recs-1",
            "",
        ] {
            assert!(!reference.matches(other), "{other}");
        }
    }

    #[test]
    fn a_reference_is_its_text_and_refuses_an_arn_that_is_not_whole() {
        for text in ["recs-1", ARN] {
            let reference: TableReference = serde_json::from_value(text.into()).unwrap();
            assert_eq!(reference.to_string(), text);
            assert_eq!(serde_json::to_value(&reference).unwrap(), text);
        }
        for text in [
            "",
            "a b",
            "arn:aws:dynamodb:eu-west-1:333333333333:table/",
            "arn:aws:dynamodb:eu-west-1::table/recs-1",
            "arn:aws:dynamodb::333333333333:table/recs-1",
            "arn::dynamodb:eu-west-1:333333333333:table/recs-1",
            "arn:aws:s3:eu-west-1:333333333333:table/recs-1",
        ] {
            assert_eq!(TableReference::parse(text).unwrap_err().text, text);
        }
    }

    #[test]
    fn a_seal_id_is_32_lower_case_hex_digits() {
        let of = |table: &str, second| {
            let dataset = DatasetName::parse("recs").unwrap();
            let table = TableId::parse(table).unwrap();
            SealId::of(&dataset, VersionNumber::new(1), &table, Timestamp::from_second(second).unwrap())
        };
        let id = of("a", 1);
        assert_eq!(SealId::parse(id.as_str()), Ok(id.clone()));
        assert_eq!(id, of("a", 1));
        assert!(id != of("b", 1) && id != of("a", 2));
        for text in [
            "",
            &id.as_str()[1..],
            &id.as_str().to_uppercase(),
            &format!("{id}0"),
            &id.as_str().replace('a', "g"),
        ] {
            assert!(SealId::parse(text).is_err(), "{text}");
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
