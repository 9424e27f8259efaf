//! Pages as we read them against pages as the SDK reads them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Credentials, Region};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use proptest::sample::Index;
use septet_checks::{Item, Value, read_page};
use serde_json::{Value as Json, json};

/// The SDK's client with a service that answers whatever is put here.
struct Sdk {
    client: Client,
    answer: Answer,
    runtime: tokio::runtime::Runtime,
}

#[derive(Debug, Clone, Default)]
struct Answer(Arc<Mutex<Vec<u8>>>);

impl HttpConnector for Answer {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let body = SdkBody::from(self.0.lock().unwrap().clone());
        HttpConnectorFuture::ready(Ok(HttpResponse::new(200.try_into().unwrap(), body)))
    }
}

impl Sdk {
    fn new() -> Self {
        let answer = Answer::default();
        let connector = answer.clone();
        let config = Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
            .http_client(http_client_fn(move |_, _| SharedHttpConnector::new(connector.clone())))
            .retry_config(RetryConfig::disabled())
            .build();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { client: Client::from_conf(config), answer, runtime }
    }

    /// Items, where the next page starts, and read units; none if the SDK refuses the body.
    fn read(&self, body: &[u8]) -> Option<(Vec<Item>, Option<Item>, Option<f64>)> {
        *self.answer.0.lock().unwrap() = body.to_vec();
        let output = self.runtime.block_on(self.client.scan().table_name("t").send()).ok()?;
        let items = output.items.unwrap_or_default().into_iter().map(item).collect::<Option<_>>()?;
        let next = match output.last_evaluated_key {
            Some(key) => Some(item(key)?),
            None => None,
        };
        Some((items, next, output.consumed_capacity.and_then(|used| used.capacity_units)))
    }
}

fn item(item: HashMap<String, AttributeValue>) -> Option<Item> {
    item.into_iter().map(|(name, value)| Some((name, self::value(value)?))).collect()
}

/// None for types that the SDK does not know, of which it forgets what they were.
fn value(value: AttributeValue) -> Option<Value> {
    Some(match value {
        AttributeValue::S(text) => Value::S(text),
        AttributeValue::N(text) => Value::N(text),
        AttributeValue::B(bytes) => Value::B(bytes.into_inner()),
        AttributeValue::Bool(truth) => Value::Bool(truth),
        AttributeValue::Null(_) => Value::Null,
        AttributeValue::M(members) => Value::M(item(members)?),
        AttributeValue::L(elements) => {
            Value::L(elements.into_iter().map(self::value).collect::<Option<_>>()?)
        }
        AttributeValue::Ss(texts) => Value::SS(texts),
        AttributeValue::Ns(texts) => Value::NS(texts),
        AttributeValue::Bs(all) => Value::BS(all.into_iter().map(|bytes| bytes.into_inner()).collect()),
        _ => return None,
    })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{0,12}",
        r"\PC{0,9}",
        any::<String>().prop_map(|text| text.chars().take(9).collect()),
        "[\"\\\\/\\n\\t\u{1}é😀]{0,9}"
    ]
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof!["-?[0-9]{1,3}(\\.[0-9]{1,3})?", "-?[1-9][0-9]{37}", "[1-9]\\.[0-9]{36}E[+-]1[0-2][0-9]"]
}

fn binary() -> impl Strategy<Value = String> {
    vec(any::<u8>(), 0..12).prop_map(|bytes| STANDARD.encode(bytes))
}

/// A value of any type as DynamoDB writes it.
fn any_value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        3 => text().prop_map(|text| json!({"S": text})),
        3 => number().prop_map(|text| json!({"N": text})),
        1 => binary().prop_map(|text| json!({"B": text})),
        1 => any::<bool>().prop_map(|truth| json!({"BOOL": truth})),
        1 => Just(json!({"NULL": true})),
        1 => btree_set(text(), 0..4).prop_map(|set| json!({"SS": set})),
        1 => btree_set(number(), 0..4).prop_map(|set| json!({"NS": set})),
        1 => btree_set(binary(), 0..4).prop_map(|set| json!({"BS": set})),
    ];
    leaf.prop_recursive(5, 32, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(|list| json!({"L": list})),
            btree_map(text(), inner, 0..6).prop_map(|map| json!({"M": map})),
        ]
    })
}

/// A page, with or without what need not be there.
fn any_page() -> impl Strategy<Value = Json> {
    let items = vec(btree_map(text(), any_value(), 0..20), 0..5);
    let key = prop::option::of(btree_map("[a-z]{1,3}", text().prop_map(|text| json!({"S": text})), 1..3));
    (items, key, prop::option::of(0..100_u32), any::<bool>()).prop_map(|(items, key, units, counted)| {
        let mut page = json!({"Items": items});
        if counted {
            page["Count"] = items.len().into();
            page["ScannedCount"] = items.len().into();
        }
        if let Some(key) = key {
            page["LastEvaluatedKey"] = json!(key);
        }
        if let Some(units) = units {
            let units = f64::from(units) / 2.0;
            page["ConsumedCapacity"] =
                json!({"TableName": "t", "Table": {"x": [1, null]}, "CapacityUnits": units});
        }
        page
    })
}

/// Writes JSON in any of the ways that mean the same.
fn spell(value: &Json, choice: &mut impl FnMut(u32) -> u32, out: &mut String) {
    let mut space = |out: &mut String| match choice(12) {
        0 => out.push(' '),
        1 => out.push_str("\r\n\t"),
        _ => {}
    };
    space(out);
    match value {
        Json::String(text) => spell_text(text, choice, out),
        Json::Array(list) => {
            out.push('[');
            for (at, one) in list.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                spell(one, choice, out);
            }
            out.push(']');
        }
        Json::Object(map) => {
            out.push('{');
            for (at, (name, one)) in map.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                spell_text(name, choice, out);
                out.push_str(if choice(9) == 0 { " :" } else { ":" });
                match name.as_str() {
                    // The SDK reads no escapes in base64, and nobody writes any.
                    "B" | "BS" => out.push_str(&one.to_string()),
                    _ => spell(one, choice, out),
                }
            }
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
    if choice(12) == 0 {
        out.push(' ');
    }
}

fn spell_text(text: &str, choice: &mut impl FnMut(u32) -> u32, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match (character, choice(16)) {
            ('"' | '\\', 1..) => out.extend(['\\', character]),
            ('/', 1..8) => out.push_str("\\/"),
            ('\n', 1..) => out.push_str("\\n"),
            ('\t', 1..) => out.push_str("\\t"),
            ('\r', 1..) => out.push_str("\\r"),
            ('\u{8}', 1..) => out.push_str("\\b"),
            ('\u{c}', 1..) => out.push_str("\\f"),
            (character, 1..) if character >= ' ' => out.push(character),
            (character, _) => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04X}"));
                }
            }
        }
    }
    out.push('"');
}

/// A change that a wire, a disk or an enemy might make.
#[derive(Debug, Clone)]
enum Damage {
    Cut(Index),
    Remove(Index, u8),
    Put(Index, u8),
    Repeat(Index, u8),
}

fn damage() -> impl Strategy<Value = Damage> {
    let byte = prop_oneof![
        3 => prop::sample::select(br#"{}[]:,"\ntfu0-9 SNBML"#.to_vec()),
        1 => any::<u8>()
    ];
    prop_oneof![
        1 => any::<Index>().prop_map(Damage::Cut),
        3 => (any::<Index>(), 1..4_u8).prop_map(|(at, count)| Damage::Remove(at, count)),
        4 => (any::<Index>(), byte).prop_map(|(at, byte)| Damage::Put(at, byte)),
        2 => (any::<Index>(), 1..30_u8).prop_map(|(at, count)| Damage::Repeat(at, count)),
    ]
}

impl Damage {
    fn apply(&self, body: &mut Vec<u8>) {
        let length = body.len().max(1);
        match self {
            Self::Cut(at) => body.truncate(at.index(length)),
            Self::Remove(at, count) => {
                let at = at.index(length).min(body.len());
                body.drain(at..(at + usize::from(*count)).min(body.len()));
            }
            Self::Put(at, byte) => body.insert(at.index(length).min(body.len()), *byte),
            Self::Repeat(at, count) => {
                let at = at.index(length).min(body.len());
                let again = body[at..(at + usize::from(*count)).min(body.len())].to_vec();
                body.splice(at..at, again);
            }
        }
    }
}

/// What is JSON and no page that DynamoDB writes, and what the SDK reads something from all the same.
const STRICTER: [&str; 9] = [
    "a name given twice",
    "a page without items",
    "another number of items than its count",
    // The SDK takes null for nothing at all, anywhere.
    "a list of items expected",
    "a map expected",
    "a value with its type expected",
    "an object expected",
    "`}` expected, as a value has one type",
    "a type that DynamoDB does not have",
];

/// Both read the same, or both refuse; or the SDK takes what it should not.
fn agree(sdk: &Sdk, body: &[u8]) -> Result<(), TestCaseError> {
    let mut items = Vec::new();
    let ours = read_page(body, |item| items.push(item));
    let theirs = sdk.read(body);
    let shown = String::from_utf8_lossy(body);
    match (ours, theirs) {
        (Ok(end), Some(theirs)) => {
            prop_assert_eq!(end.items, items.len() as u64);
            prop_assert_eq!((items, end.next, end.read_units), theirs, "{}", shown);
        }
        (Ok(end), None) => prop_assert!(false, "we read {end:?} {items:?} from {shown}"),
        (Err(problem), Some(theirs)) => {
            let lax = serde_json::from_slice::<Json>(body).is_err() || STRICTER.contains(&problem.problem);
            prop_assert!(lax, "{problem}: the SDK reads {theirs:?} from {shown}");
        }
        (Err(_), None) => {}
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_page_is_read_as_the_sdk_reads_it_and_so_is_a_damaged_one(
        page in any_page(), spelling: u64, damages in vec(vec(damage(), 1..4), 6),
    ) {
        let mut state = spelling | 1;
        let mut body = String::new();
        spell(&page, &mut |sides| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u32 % sides
        }, &mut body);
        let sdk = Sdk::new();
        prop_assert!(read_page(body.as_bytes(), drop).is_ok(), "{} {:?}", body, read_page(body.as_bytes(), drop));
        agree(&sdk, body.as_bytes())?;
        for damages in damages {
            let mut damaged = body.clone().into_bytes();
            damages.iter().for_each(|damage| damage.apply(&mut damaged));
            agree(&sdk, &damaged)?;
        }
    }
}

#[test]
fn hostile_bodies_are_errors_that_name_the_place() {
    let sdk = Sdk::new();
    for (body, at) in [
        ("", 0),
        ("null", 0),
        ("{", 1),
        ("{}", 2),
        (r#"{"Items":[]"#, 11),
        (r#"{"Items":[]}x"#, 12),
        (r#"{"Items":[]}{"Items":[]}"#, 12),
        (r#"{"Items":[],"Items":[]}"#, 20),
        (r#"{"Items":[],"Count":1}"#, 22),
        (r#"{"Items":[,]}"#, 10),
        (r#"{"Items":[{"a":{"S":"x"},}]}"#, 25),
        (r#"{"Items":[{"a":{"S":"x"},"a":{"S":"y"}}]}"#, 28),
        (r#"{"Items":[{"a":{"S":"x"},"\u0061":{"S":"y"}}]}"#, 33),
        (r#"{"Items":[{"a":{}}]}"#, 16),
        (r#"{"Items":[{"a":{"S":"x","N":"1"}}]}"#, 23),
        (r#"{"Items":[{"a":{"S":null}}]}"#, 20),
        (r#"{"Items":[{"a":{"T":"x"}}]}"#, 19),
        (r#"{"Items":[{"a":{"BOOL":"true"}}]}"#, 23),
        (r#"{"Items":[{"a":{"N":1}}]}"#, 20),
        (r#"{"Items":[{"a":{"B":"AA"}}]}"#, 23),
        (r#"{"Items":[{"a":{"B":"AB=="}}]}"#, 25),
        (r#"{"Items":[{"a":{"SS":[null]}}]}"#, 22),
        (r#"{"Items":[{"a":{"S":"\ud800"}}]}"#, 27),
        (r#"{"Items":[{"a":{"S":"\ud800\u0041"}}]}"#, 33),
        (r#"{"Items":[{"a":{"S":"\u12"}}]}"#, 23),
        (r#"{"Items":[{"a":{"S":"\x"}}]}"#, 23),
        ("{\"Items\":[{\"a\":{\"S\":\"\n\"}}]}", 21),
        (r#"{"Items":[],"ConsumedCapacity":{"CapacityUnits":01}}"#, 49),
        (r#"{"Items":[],"ConsumedCapacity":{"CapacityUnits":1e999}}"#, 53),
    ] {
        let problem = read_page(body.as_bytes(), drop).unwrap_err();
        assert_eq!(problem.at, at, "{body} {problem}");
        agree(&sdk, body.as_bytes()).unwrap();
    }
    let invalid = b"{\"Items\":[{\"a\":{\"S\":\"\xff\"}}]}";
    assert_eq!(read_page(invalid, drop).unwrap_err().to_string(), "read a page at byte 21: not UTF-8");
    agree(&sdk, invalid).unwrap();
}

#[test]
fn values_nest_as_deep_as_dynamodb_stores_and_not_without_end() {
    let sdk = Sdk::new();
    let nested = |levels: usize| {
        let open: String = (0..levels).map(|at| [r#"{"L":["#, r#"{"M":{"m":"#][at % 2]).collect();
        let close: String = (0..levels).rev().map(|at| ["]}", "}}"][at % 2]).collect();
        format!(r#"{{"Items":[{{"a":{open}{{"S":"x"}}{close}}}]}}"#).into_bytes()
    };
    for levels in [1, 2, 31, 32, 33, 48] {
        assert!(read_page(&nested(levels), drop).is_ok(), "{levels}");
        agree(&sdk, &nested(levels)).unwrap();
    }
    let bottomless = [&br#"{"x":"#[..], &b"[".repeat(1_000_000)].concat();
    for body in [nested(100), nested(100_000), bottomless] {
        assert_eq!(read_page(&body, drop).unwrap_err().problem, "nested too deeply");
    }
}
