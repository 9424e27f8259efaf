//! The primary key of an item, as a checkpoint of a scan keeps it.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A primary key: its one or two attributes. As JSON it is what DynamoDB writes, `{"user_id":{"S":"42"}}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(pub BTreeMap<String, KeyValue>);

/// The value of a key attribute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum KeyValue {
    /// Text.
    S(String),
    /// A number as DynamoDB writes it.
    N(String),
    /// Bytes; base64 in JSON.
    B(#[serde(serialize_with = "encode", deserialize_with = "decode")] Vec<u8>),
}

fn encode<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    STANDARD.decode(text).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_json_as_dynamodb_writes_it() {
        let json = r#"{"a":{"S":"x"},"b":{"B":"AP8="}}"#;
        let key: Key = serde_json::from_str(json).unwrap();
        assert_eq!(key.0["b"], KeyValue::B(vec![0, 255]));
        assert_eq!(serde_json::to_string(&key).unwrap(), json);
        for bad in [r#"{"a":{"B":"%"}}"#, r#"{"a":{"BOOL":true}}"#, r#"{"a":"x"}"#] {
            assert!(serde_json::from_str::<Key>(bad).is_err(), "{bad}");
        }
    }
}
