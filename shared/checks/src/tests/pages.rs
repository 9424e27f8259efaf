//! Pages taken as they come against their items taken one by one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value as Json, json};

use super::naive::{rich, rich_item, sound_item, without_duplicates};
use crate::samples::any_item;
use crate::{Checker, History, Item, Value, read_page};

/// As DynamoDB writes it.
fn written(value: &Value) -> Json {
    let base64 = |bytes: &Vec<u8>| STANDARD.encode(bytes);
    match value {
        Value::S(text) => json!({"S": text}),
        Value::N(text) => json!({"N": text}),
        Value::B(bytes) => json!({"B": base64(bytes)}),
        Value::Bool(truth) => json!({"BOOL": truth}),
        Value::Null => json!({"NULL": true}),
        Value::M(members) => json!({"M": written_item(members)}),
        Value::L(elements) => json!({"L": elements.iter().map(written).collect::<Vec<_>>()}),
        Value::SS(texts) => json!({"SS": texts}),
        Value::NS(texts) => json!({"NS": texts}),
        Value::BS(all) => json!({"BS": all.iter().map(base64).collect::<Vec<_>>()}),
    }
}

fn written_item(item: &Item) -> Json {
    item.iter().map(|(name, value)| (name.clone(), written(value))).collect()
}

/// Some items as the body of a page, the members of all maps of an item as far turned as its number says.
fn page_of(items: &[(Item, usize)]) -> String {
    let all: Vec<_> = items.iter().map(|(item, turn)| turned(&written_item(item), *turn)).collect();
    format!(r#"{{"Items":[{}],"Count":{}}}"#, all.join(","), items.len())
}

fn turned(value: &Json, turn: usize) -> String {
    match value {
        Json::Object(members) => {
            let mut members: Vec<_> = members
                .iter()
                .map(|(name, value)| format!("{}:{}", json!(name), turned(value, turn)))
                .collect();
            let by = turn % members.len().max(1);
            members.rotate_left(by);
            format!("{{{}}}", members.join(","))
        }
        Json::Array(all) => {
            let all: Vec<_> = all.iter().map(|value| turned(value, turn)).collect();
            format!("[{}]", all.join(","))
        }
        other => other.to_string(),
    }
}

/// Items, most of them sound, each with how far its maps are turned.
fn any_items() -> impl Strategy<Value = Vec<(Item, usize)>> {
    let item = prop_oneof![4 => sound_item(), 2 => rich_item(), 1 => any_item()];
    vec((item, prop_oneof![4 => Just(0_usize), 1 => 0..4_usize]), 0..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_page_gives_the_profile_of_its_items(items in any_items()) {
        let body = page_of(&items);
        for checker in [
            Checker::new(&rich()),
            Checker::of_limits(&rich()),
            Checker::of_limits(&without_duplicates()),
        ] {
            let (mut by_page, mut one_by_one) = (checker.profile(), checker.profile());
            let end = checker.observe_page(&mut by_page, body.as_bytes()).unwrap();
            items.iter().for_each(|(item, _)| checker.observe(&mut one_by_one, item));
            prop_assert_eq!(&by_page, &one_by_one);
            prop_assert_eq!((end.items, end.next), (items.len() as u64, None));
        }
        let mut read = Vec::new();
        read_page(body.as_bytes(), |item| read.push(item)).unwrap();
        prop_assert!(read.iter().eq(items.iter().map(|(item, _)| item)));
    }
}

#[test]
fn a_map_that_ends_early_is_not_ordered_as_the_one_before() {
    let checker = Checker::new(&rich());
    let (mut by_page, mut one_by_one) = (checker.profile(), checker.profile());
    let body = br#"{"Items":[{"yy":{"S":"1"},"bb":{"S":"2"}},{"yy":{"S":"1"}}]}"#;
    checker.observe_page(&mut by_page, body).unwrap();
    read_page(body, |item| checker.observe(&mut one_by_one, &item)).unwrap();
    assert_eq!(by_page, one_by_one);
}

#[test]
fn a_map_is_not_ordered_as_one_before_an_item_that_was_left() {
    let checker = Checker::new(&rich());
    let (mut by_page, mut one_by_one) = (checker.profile(), checker.profile());
    let body = br#"{"Items":[
        {"id":{"S":"k1"},"text":{"S":"a"},"recs":{"L":[]}},
        {"id":{"S":"k2"},"text":{"S":"a"},"colour":{"S":"green"}},
        {"id":{"S":"k3"},"text":{"S":"a"},"colour":{"S":"red"}}]}"#;
    let body: Vec<_> = body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    checker.observe_page(&mut by_page, &body).unwrap();
    read_page(&body, |item| checker.observe(&mut one_by_one, &item)).unwrap();
    assert_eq!(by_page, one_by_one);
}

#[test]
fn limits_alone_give_the_same_answers_without_statistics() {
    let (whole, limits) = (Checker::new(&rich()), Checker::of_limits(&rich()));
    let body = br#"{"Items":[{"id":{"S":"k1"},"text":{"S":"abcd"},"more":{"N":"1"}},{"id":{"S":"k2"}}]}"#;
    let (mut one, mut two) = (whole.profile(), limits.profile());
    whole.observe_page(&mut one, body).unwrap();
    limits.observe_page(&mut two, body).unwrap();
    assert_eq!(whole.evaluate(&one, &History::default()), limits.evaluate(&two, &History::default()));
    assert!(one.bytes() > 0 && one.places.iter().all(|place| place.values.is_some()));
    assert!(two.bytes() == 0 && two.places.iter().all(|place| place.values.is_none()));
    // The one does not pass for the other.
    assert_eq!(
        whole.evaluate(&two, &History::default()).reasons(),
        limits.evaluate(&one, &History::default()).reasons()
    );
    assert!(whole.evaluate(&two, &History::default()).reasons()[0].contains("another contract"));
}

#[test]
fn a_page_that_is_none_is_an_error() {
    let checker = Checker::new(&rich());
    let end = checker.observe_page(&mut checker.profile(), b"{\"Items\":[{\"id\":{\"S\":\"k1\"}},");
    assert_eq!(end.unwrap_err().to_string(), "read a page at byte 28: a map expected");
}

/// Members of a map as they are written, each with what its name is; some escaped, some there twice.
fn members() -> impl Strategy<Value = Vec<(&'static str, &'static str, &'static str)>> {
    let names = [("aa", "aa"), ("a\\u0061", "aa"), ("bb", "bb"), ("cc", "cc"), ("dd", "dd")];
    let values = [r#"{"S":"x"}"#, r#"{"S":"x\n"}"#, r#"{"N":"1"}"#, r#"{ "S":"x"}"#, r#"{"NULL":true}"#];
    let member = (select(names.to_vec()), select(values.to_vec()));
    let usual = Just(vec![("aa", "aa", values[0]), ("bb", "bb", values[2]), ("cc", "cc", values[0])]);
    let any = vec(member.prop_map(|((written, name), value)| (written, name, value)), 0..5);
    prop_oneof![2 => usual, 1 => any]
}

fn in_braces(members: &[(&str, &str, &str)]) -> String {
    members.iter().map(|(name, _, value)| format!("\"{name}\":{value}")).collect::<Vec<_>>().join(",")
}

proptest! {
    #[test]
    fn maps_that_begin_as_those_before_are_read_like_others(
        maps in vec((members(), vec(members(), 0..3)), 1..6),
    ) {
        let items: Vec<_> = maps
            .iter()
            .map(|(item, inner)| {
                let inner: Vec<_> = inner.iter().map(|map| format!("{{\"M\":{{{}}}}}", in_braces(map))).collect();
                let mut text = in_braces(item);
                text += if item.is_empty() { "" } else { "," };
                format!("{{{text}\"list\":{{\"L\":[{}]}}}}", inner.join(","))
            })
            .collect();
        let page = format!("{{\"Items\":[{}],\"Count\":{}}}", items.join(","), items.len());
        let unique = |map: &[(&str, &str, &str)]| {
            let names: std::collections::HashSet<_> = map.iter().map(|(_, name, _)| name).collect();
            names.len() == map.len()
        };
        let sound = maps.iter().all(|(item, inner)| unique(item) && inner.iter().all(|map| unique(map)));
        let mut found = Vec::new();
        let end = read_page(page.as_bytes(), |item| found.push(item));
        prop_assert_eq!(end.is_ok(), sound, "{}", page);
        // Each by itself, where none comes before it.
        let mut alone = Vec::new();
        for item in &items {
            let page = format!("{{\"Items\":[{item}]}}");
            if sound {
                read_page(page.as_bytes(), |item| alone.push(item)).unwrap();
            }
        }
        prop_assert!(!sound || found == alone, "{}", page);
    }
}
