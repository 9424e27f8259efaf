//! Compatibility against what happens: data that keeps its own contract, under the contract of readers.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use septet_contract::{Contract, breaches};
use serde_json::{Value as Json, json};

use crate::samples::item;
use crate::{Checker, History, Item, Outcome, Value};

/// What a contract says of one attribute, but for its name; `open` is for readers, who pass over what they do not
/// know.
#[derive(Debug, Clone)]
struct Said {
    required: bool,
    says: Json,
    members: Vec<(&'static str, Self)>,
    element: Option<Box<Self>>,
}

impl Said {
    fn written(&self, name: Option<&str>, open: bool) -> Json {
        let mut says = self.says.clone();
        says["required"] = json!(self.required);
        if let Some(name) = name {
            says["name"] = json!(name);
        }
        if !self.members.is_empty() {
            says["properties"] = written(&self.members, open);
            says["customProperties"] = json!([{"property": "septet.closed", "value": !open}]);
        }
        if let Some(element) = &self.element {
            says["items"] = element.written(None, open);
        }
        says
    }
}

fn written(members: &[(&str, Said)], open: bool) -> Json {
    members.iter().map(|(name, said)| said.written(Some(name), open)).collect()
}

fn contract(members: &[(&'static str, Said)], open: bool) -> Contract {
    let mut properties = written(members, open);
    if let Some(list) = properties.as_array_mut() {
        list.insert(
            0,
            json!({"name": "id", "logicalType": "string", "physicalType": "S", "primaryKey": true}),
        );
    }
    let document = json!({
        "apiVersion": "v3.2.0", "kind": "DataContract", "id": "x", "name": "xx", "version": "1.0.0", "status": "active",
        "customProperties": [{"property": "septet.tablePattern", "value": "xx-*"}],
        "schema": [{
            "name": "xx", "logicalType": "object", "properties": properties,
            "customProperties": [{"property": "septet.closed", "value": !open}],
        }],
    });
    Contract::parse(&document.to_string()).unwrap_or_else(|found| panic!("{}\n{document:#}", found[0]))
}

const TEXTS: [&str; 9] =
    ["", "a", "b", "ab", "abc", "2026-11-21", "2026-11-21T06:00:00Z", "2026-11-21T06:00:00", "06:00:00"];
const NUMBERS: [&str; 7] = ["-1", "0", "0.5", "1", "2", "3", "300"];

fn leaf() -> impl Strategy<Value = Json> {
    let range = (option::of(0..3_i8), option::of(0..4_i8), any::<(bool, bool)>());
    let bounds = |least: &str, most: &str, (low, high): (Option<i8>, Option<i8>)| {
        let mut options = json!({});
        if let Some(low) = low {
            options[least] = json!(low);
        }
        if let Some(high) = high {
            options[most] = json!(high.max(low.unwrap_or(0)));
        }
        options
    };
    let lengths = (option::of(0..3_i8), option::of(0..4_i8))
        .prop_map(move |ends| bounds("minLength", "maxLength", ends));
    let text = (lengths, option::of(select(vec!["^a", "b"]))).prop_map(|(mut options, pattern)| {
        if let Some(pattern) = pattern {
            options["pattern"] = json!(pattern);
        }
        json!({"logicalType": "string", "physicalType": "S", "logicalTypeOptions": options})
    });
    let one_of = subsequence(TEXTS.to_vec(), 1..4).prop_map(|texts| {
        let listed: Vec<_> = texts.into_iter().map(|text| json!({"value": text})).collect();
        json!({"logicalType": "string", "physicalType": "S", "enum": listed})
    });
    let number = (range, select(vec!["number", "integer"]), option::of(select(vec![1, 2]))).prop_map(
        move |((low, high, (above, below)), kind, step)| {
            let least = if above { "exclusiveMinimum" } else { "minimum" };
            let most = if below { "exclusiveMaximum" } else { "maximum" };
            let high = high.map(|high| high.max(low.unwrap_or(0)) + 2);
            let mut options = bounds(least, most, (low, high));
            if let Some(step) = step {
                options["multipleOf"] = json!(step);
            }
            json!({"logicalType": kind, "logicalTypeOptions": options})
        },
    );
    prop_oneof![
        4 => text,
        2 => one_of,
        4 => number,
        1 => Just(json!({"logicalType": "boolean"})),
        1 => Just(json!({"physicalType": "S"})),
        1 => Just(json!({"physicalType": "N"})),
        1 => Just(json!({})),
        1 => Just(json!({"logicalType": "date"})),
        1 => Just(json!({"logicalType": "time"})),
        1 => any::<bool>().prop_map(|zone| json!({"logicalType": "timestamp", "logicalTypeOptions": {"timezone": zone}})),
    ]
}

fn said() -> impl Strategy<Value = Said> {
    let leaf = (any::<bool>(), leaf()).prop_map(|(required, says)| Said {
        required,
        says,
        members: Vec::new(),
        element: None,
    });
    leaf.prop_recursive(2, 6, 2, |inner| {
        let sizes = (option::of(0..2_u8), option::of(1..4_u8), any::<bool>());
        let list =
            (any::<bool>(), sizes, inner.clone()).prop_map(|(required, (least, most, unique), element)| {
                let mut options = json!({"uniqueItems": unique});
                if let Some(least) = least {
                    options["minItems"] = json!(least);
                }
                if let Some(most) = most {
                    options["maxItems"] = json!(most);
                }
                let says =
                    json!({"logicalType": "array", "physicalType": "L", "logicalTypeOptions": options});
                Said { required, says, members: Vec::new(), element: Some(Box::new(element)) }
            });
        let object = (any::<bool>(), members(inner, 1)).prop_map(|(required, members)| Said {
            required,
            says: json!({"logicalType": "object"}),
            members,
            element: None,
        });
        prop_oneof![list, object]
    })
}

fn members(
    one: impl Strategy<Value = Said>,
    least: usize,
) -> impl Strategy<Value = Vec<(&'static str, Said)>> {
    vec(one, least..3).prop_map(|all| ["a", "b", "c"].into_iter().zip(all).collect())
}

/// Contracts that say much alike, as an old one and a new one do: each leaves out some of what a third one says.
fn two() -> impl Strategy<Value = [Vec<(&'static str, Said)>; 2]> {
    (members(said(), 1), vec(any::<u8>(), 64), vec(any::<u8>(), 64)).prop_map(|(whole, one, two)| {
        [one, two].map(|dice| {
            let mut dice = dice.into_iter();
            whole.iter().map(|(name, said)| (*name, said.less(&mut dice))).collect()
        })
    })
}

impl Said {
    fn less(&self, dice: &mut impl Iterator<Item = u8>) -> Self {
        let mut leaves = |one_in: u8| dice.next().is_some_and(|die| die % one_in == 0);
        let mut says = self.says.clone();
        if let Some(options) = says.get_mut("logicalTypeOptions").and_then(Json::as_object_mut) {
            options.retain(|_, _| !leaves(3));
        }
        for key in ["enum", "physicalType", "logicalType"] {
            if leaves(8) && self.members.is_empty() && self.element.is_none() {
                says.as_object_mut().map(|says| says.remove(key));
            }
        }
        if says.get("logicalType").is_none() {
            says.as_object_mut().map(|says| says.remove("logicalTypeOptions"));
        }
        let required = self.required && !leaves(4);
        let element = self.element.as_ref().map(|element| Box::new(element.less(dice)));
        let members = self.members.iter().map(|(name, said)| (*name, said.less(dice))).collect();
        Self { required, says, members, element }
    }
}

/// A value that may well be what a contract of [`said`] asks for.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => select(TEXTS.to_vec()).prop_map(|text| Value::S(text.into())),
        4 => select(NUMBERS.to_vec()).prop_map(|number| Value::N(number.into())),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        let members = (option::of(inner.clone()), option::of(inner.clone())).prop_map(|(a, b)| {
            Value::M(
                [("a", a), ("b", b)].into_iter().filter_map(|(name, it)| Some((name.into(), it?))).collect(),
            )
        });
        prop_oneof![vec(inner, 0..4).prop_map(Value::L), members]
    })
}

fn row() -> impl Strategy<Value = Item> {
    (option::weighted(0.8, value()), option::weighted(0.6, value())).prop_map(|(a, b)| {
        let mut row = item([("id", Value::S("k".into()))]);
        row.extend([("a", a), ("b", b)].into_iter().filter_map(|(name, it)| Some((name.to_owned(), it?))));
        row
    })
}

/// Whether an item by itself keeps all that a contract says of items.
fn passes(checker: &Checker, row: &Item) -> bool {
    let mut profile = checker.profile();
    checker.observe(&mut profile, row);
    checker.evaluate(&profile, &History::default()).outcome == Outcome::Passed
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Where nothing is said to break nothing breaks, and where the data is said to keep it, it does.
    #[test]
    fn readers_can_read_what_no_breach_speaks_against([data, readers] in two(), rows in vec(row(), 40)) {
        let (data, readers) = (contract(&data, false), contract(&readers, true));
        let (theirs, ours) = (Checker::of_limits(&data), Checker::of_limits(&readers));
        let good: Vec<_> = rows.into_iter().filter(|row| passes(&theirs, row)).collect();
        let measuring = Checker::new(&data);
        let mut profile = measuring.profile();
        good.iter().for_each(|row| measuring.observe(&mut profile, row));
        let found = breaches(&readers, &data);
        let left: Vec<_> = found.iter().filter(|breach| !profile.keeps(&readers, breach)).collect();
        if left.is_empty() {
            for row in &good {
                prop_assert!(passes(&ours, row), "{row:?}\nfound {found:?}\n{}\n{}", data.to_json(), readers.to_json());
            }
        }
    }
}
