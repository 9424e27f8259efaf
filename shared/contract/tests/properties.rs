//! What holds of every text and every contract.

use proptest::prelude::*;
use septet_contract::{Contract, Severity, Syntax};

const EXAMPLES: [&str; 4] = [
    include_str!("../../../contracts/recs.odcs.yaml"),
    include_str!("corpus/good/every_logical_type.yaml"),
    include_str!("corpus/good/every_operator.yaml"),
    include_str!("corpus/good/septet_checks.yaml"),
];

/// Reads without panicking, refuses only with a reason, and reads back what was accepted.
fn hold(text: &str) -> Result<(), TestCaseError> {
    for syntax in [Syntax::Yaml, Syntax::Json] {
        match Contract::parse_as(text, syntax) {
            Err(found) => {
                prop_assert!(found.iter().any(|d| d.severity == Severity::Error));
                for diagnostic in found {
                    prop_assert!(diagnostic.line > 0 && diagnostic.column > 0, "{}", diagnostic);
                    prop_assert!(!diagnostic.message.is_empty() && !diagnostic.hint.is_empty());
                    prop_assert!(diagnostic.message != "the document is no contract", "{text}");
                }
            }
            Ok(contract) => {
                prop_assert!(contract.warnings().iter().all(|d| d.severity == Severity::Warning));
                let again = Contract::parse(contract.to_json());
                prop_assert_eq!(again.as_ref().map(Contract::to_json), Ok(contract.to_json()));
                prop_assert_eq!(again.as_ref(), Ok(&contract));
            }
        }
    }
    Ok(())
}

/// One change to a document: where, as a share of its lines or values, and what.
#[derive(Debug, Clone)]
enum Change {
    DropLine,
    RepeatLine,
    ReplaceWord(String),
    Insert(String),
}

fn change() -> impl Strategy<Value = (prop::sample::Index, Change)> {
    let word = prop_oneof![
        r"[a-zA-Z]{1,12}",
        r"-?[0-9]{1,40}(\.[0-9]{1,3})?(e-?[0-9]{1,4})?",
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("string".to_owned()),
        Just("N".to_owned()),
        Just("primaryKey".to_owned()),
        Just("*a".to_owned()),
        Just("&a".to_owned()),
    ];
    let signs = r"[\[\]{}:,\-&*!|>'%@`#? a-z0-9\n\té\u{1F600}]{1,8}";
    let change = prop_oneof![
        Just(Change::DropLine),
        Just(Change::RepeatLine),
        word.prop_map(Change::ReplaceWord),
        signs.prop_map(Change::Insert),
    ];
    (any::<prop::sample::Index>(), change)
}

fn apply(text: &str, (index, change): &(prop::sample::Index, Change)) -> String {
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let at = index.index(lines.len());
    match change {
        Change::DropLine => drop(lines.remove(at)),
        Change::RepeatLine => lines.insert(at, lines[at].clone()),
        Change::ReplaceWord(word) => {
            let line = lines[at].trim_end().to_owned();
            let kept = line.rfind([' ', ',', '[']).map_or(0, |end| end + 1);
            lines[at] = format!("{}{word}", &line[..kept]);
        }
        Change::Insert(text) => {
            let line = &mut lines[at];
            let middle = (0..=line.len() / 2).rev().find(|i| line.is_char_boundary(*i)).unwrap_or(0);
            line.insert_str(middle, text);
        }
    }
    lines.join("\n")
}

/// Any JSON value, with the words of the standard among its keys.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let text = prop_oneof![r"\PC{0,8}", r"[a-z\n\u{0}\u{1F600}\\]{0,8}"];
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        // Few enough digits that serde_json reads them back exactly.
        any::<i32>().prop_map(|n| (f64::from(n) / 1000.0).into()),
        text.clone().prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
            prop::collection::btree_map(text.clone(), inner, 0..5)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_text_makes_reading_panic(text in r"[\[\]{}:,\-&*!|>'%@`#?\\ a-z0-9\n\r\té\u{1F600}\u{FEFF}~<.]{0,200}") {
        hold(&text)?;
    }

    #[test]
    fn no_change_of_a_contract_makes_reading_panic(
        example in prop::sample::select(&EXAMPLES[..]),
        changes in prop::collection::vec(change(), 1..4),
    ) {
        let text = changes.iter().fold(example.to_owned(), |text, change| apply(&text, change));
        hold(&text)?;
        let cut = text.len() / 2;
        if let Some(half) = text.get(..cut) {
            hold(half)?;
        }
    }

    #[test]
    fn any_custom_value_comes_back_as_it_was(value in json()) {
        let document = serde_json::json!({
            "apiVersion": "v3.2.0",
            "kind": "DataContract",
            "id": "x",
            "name": "x",
            "version": "1",
            "customProperties": [
                {"property": "septet.tablePattern", "value": "xx-*"},
                {"property": "other", "value": value},
            ],
            "schema": [{"name": "x", "properties": [{"name": "k", "logicalType": "string", "primaryKey": true}]}],
        });
        let compact = Contract::parse(&document.to_string()).map_err(|found| TestCaseError::fail(found[0].to_string()))?;
        let spaced = Contract::parse(&serde_json::to_string_pretty(&document).unwrap());
        prop_assert_eq!(Ok(&compact), spaced.as_ref());
        let read: serde_json::Value = serde_json::from_str(compact.to_json()).unwrap();
        prop_assert!(alike(&read, &document), "{} is not {}", read, document);
    }
}

/// Equal but for the spelling of numbers.
fn alike(a: &serde_json::Value, b: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Number, Object};
    match (a, b) {
        (Number(a), Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Array(a), Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b)),
        (Object(a), Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| alike(a, b)))
        }
        _ => a == b,
    }
}

#[test]
fn the_digest_is_that_of_the_text_and_knows_no_order() {
    let a = Contract::parse(EXAMPLES[0]).unwrap();
    assert_eq!(a.digest().len(), 64);
    let value: serde_json::Value = serde_json::from_str(a.to_json()).unwrap();
    let reordered = serde_json::to_string_pretty(&value).unwrap();
    assert_eq!(Contract::parse(&reordered).unwrap().digest(), a.digest());
    let other = EXAMPLES[0].replace("maxItems: 100", "maxItems: 101");
    let b = Contract::parse(&other).unwrap();
    assert!(b.digest() != a.digest() && b != a);
}

#[test]
fn a_document_that_is_too_large_is_refused_before_it_is_read() {
    let large = format!("{}# {}", EXAMPLES[0], "x".repeat(1 << 20));
    let found = Contract::parse(&large).unwrap_err();
    assert!(found[0].message.contains("1 MiB"), "{}", found[0]);
    let wide = EXAMPLES[0].replace("purpose: ", &format!("purpose: {}", "x".repeat(360_000)));
    let found = Contract::parse(&wide).unwrap_err();
    assert!(found[0].message.contains("as JSON"), "{}", found[0]);
}

#[test]
fn every_unknown_key_of_a_flood_is_not_reported() {
    let flood: String = (0..5000).map(|n| format!("key{n}: 1\n")).collect();
    assert_eq!(Contract::parse(&flood).unwrap_err().len(), 500);
}
