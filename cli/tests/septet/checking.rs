//! `septet check`: files of items, before anything is published.

use std::io::Write;
use std::process::Command;

use serde_json::{Value, json};

use crate::world::*;

/// A contract of every type that files have.
fn contract() -> String {
    let property = |name: &str, logical: &str, physical: &str| json!({"name": name, "logicalType": logical, "physicalType": physical});
    let mut key = property("user_id", "string", "S");
    key["primaryKey"] = json!(true);
    let mut recs = property("recs", "array", "L");
    let members = [property("track_id", "string", "S"), property("score", "number", "N")];
    recs["items"] = json!({"logicalType": "object", "physicalType": "M", "properties": members});
    recs["required"] = json!(true);
    json!({
        "apiVersion": "v3.1.0", "kind": "DataContract", "id": "x", "name": "recs", "version": "1.0.0",
        "status": "active",
        "schema": [{
            "name": "recs", "logicalType": "object",
            "properties": [
                key, property("age", "integer", "N"), property("score", "number", "N"),
                property("price", "number", "N"), property("vip", "boolean", "BOOL"),
                {"name": "tags", "logicalType": "array", "physicalType": "SS", "items": {"logicalType": "string"}},
                {"name": "raw", "physicalType": "B"}, recs, {"name": "born", "physicalType": "S"},
                {"name": "seen", "physicalType": "S"},
            ],
            "quality": [{"id": "at_least_two", "metric": "rowCount", "mustBeGreaterOrEqualTo": 2}],
        }],
        "customProperties": [{"property": "septet.tablePattern", "value": "recs-*"}],
    })
    .to_string()
}

const DYNAMODB_JSON: &str = r#"
{"Item":{"user_id":{"S":"u-1"},"age":{"N":"41"},"score":{"N":"0.25"},"price":{"N":"19.99"},"vip":{"BOOL":true},"tags":{"SS":["b","a"]},"raw":{"B":"AP8="},"recs":{"L":[{"M":{"track_id":{"S":"t-1"},"score":{"N":"0.5"}}},{"M":{"track_id":{"S":"t-2"},"score":{"N":"0.0000001"}}}]},"born":{"S":"1985-10-26"},"seen":{"S":"2026-11-21T02:00:00Z"}}}
{"Item":{"user_id":{"S":"u-2"},"age":{"N":"7"},"score":{"N":"3"},"price":{"N":"1"},"vip":{"BOOL":false},"recs":{"L":[]}}}
"#;

const JSON: &str = r#"[
  {"user_id": "u-1", "age": 41, "score": 0.25, "price": 19.990, "vip": true, "tags": ["a", "b"], "raw": "AP8=",
   "recs": [{"track_id": "t-1", "score": 0.5}, {"track_id": "t-2", "score": 1e-7}],
   "born": "1985-10-26", "seen": "2026-11-21T02:00:00Z"},
  {"user_id": "u-2", "age": 7, "score": 3.0, "price": 1.000, "vip": false, "recs": []}
]"#;

const CSV: &str = r#"user_id,age,score,price,vip,tags,raw,recs,born,seen
u-1,41,0.25,19.990,true,"[""a"", ""b""]",AP8=,"[{""track_id"": ""t-1"", ""score"": 0.5}, {""track_id"": ""t-2"", ""score"": 1e-7}]",1985-10-26,2026-11-21T02:00:00Z
u-2,7,3.0,1.000,False,,,[],,
"#;

/// Made by `items/make_parquet.py`.
const PARQUET: &[u8] = include_bytes!("items/items.parquet");

/// A folder with the contract, and the command that needs no AWS in it.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        desk.file("recs.odcs.json", contract().as_bytes());
        desk
    }

    fn file(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.0.path().join(name), bytes).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.path().join(name)).unwrap()
    }

    fn check(&self, arguments: &[&str]) -> Run {
        let arguments = [&["check", "--contract", "recs.odcs.json"], arguments].concat();
        let mut command = Command::new(env!("CARGO_BIN_EXE_septet"));
        let output = command.args(&arguments).current_dir(self.0.path()).env_clear().output().unwrap();
        Run::of(&arguments, output)
    }

    fn json(&self, file: &str) -> Value {
        let run = self.check(&[file, "--json"]);
        serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run}"))
    }
}

fn packed(text: &str) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

#[test]
fn the_same_items_are_the_same_content_in_every_format() {
    let desk = Desk::new();
    let scanned = DYNAMODB_JSON.trim().replace("}}}\n{\"Item\":", "}},").replacen(
        "{\"Item\":",
        "{\"Count\":2,\"Items\":[",
        1,
    );
    let scanned = format!("{}]}}", scanned.strip_suffix('}').unwrap());
    let alone: String =
        DYNAMODB_JSON.lines().filter_map(|it| it.strip_prefix("{\"Item\":")?.strip_suffix('}')).collect();
    let files: [(&str, &[u8]); 8] = [
        ("items.json", DYNAMODB_JSON.as_bytes()),
        ("export.json.gz", &packed(DYNAMODB_JSON)),
        ("scan.json", scanned.as_bytes()),
        ("alone.jsonl", alone.as_bytes()),
        ("plain.json", JSON.as_bytes()),
        ("items.csv", CSV.as_bytes()),
        ("items.csv.gz", &packed(CSV)),
        ("items.parquet", PARQUET),
    ];
    let mut digests = Vec::new();
    for (name, bytes) in files {
        desk.file(name, bytes);
        let answer = desk.json(name);
        assert_eq!(
            (&answer["outcome"], &answer["items"]),
            (&json!("passed"), &json!(2)),
            "{name}: {answer:#}"
        );
        digests.push((name, answer["digest"].clone()));
    }
    assert!(digests.iter().all(|(_, digest)| *digest == digests[0].1), "{digests:#?}");
}

#[test]
fn what_would_be_rejected_is_shown_with_where_and_what() {
    let desk = Desk::new();
    desk.file(
        "bad.json",
        br#"{"user_id": "u-1", "recs": [{"track_id": "t-1", "score": "0.5"}], "colour": "red"}"#,
    );
    let run = desk.check(&["bad.json", "--junit", "report.xml"]);
    assert_eq!(run.code, 1);
    insta::assert_snapshot!(run);
    let junit = desk.read("report.xml");
    assert!(
        junit.contains("tests=\"") && junit.contains("<failure message=\"recs[].score: physicalType"),
        "{junit}"
    );
    assert!(junit.contains("name=\"at_least_two\"") && junit.contains("user_id &quot;u-1&quot;"), "{junit}");
    let run = desk.check(&["bad.json", "--github"]);
    let annotated =
        "::error file=recs.odcs.json,title=recs[].score%3AphysicalType::recs[].score: physicalType";
    assert!(run.stderr.contains(annotated), "{run}");
}

#[test]
fn what_a_table_would_not_take_fails() {
    let desk = Desk::new();
    let large = "x".repeat(400 * 1024);
    let item = |id: &str, tag: &str| json!({"user_id": id, "recs": [], "born": tag}).to_string();
    desk.file("items.json", [item("u-1", ""), item("u-1", "again"), item("u-2", &large)].concat().as_bytes());
    let answer = desk.json("items.json");
    let reasons = answer["reasons"].to_string();
    assert!(reasons.contains("uniqueKeys: 1 items have the user_id of another"), "{reasons}");
    assert!(reasons.contains("itemSize: 1 items are larger than the 409600 bytes"), "{reasons}");
}

#[test]
fn several_files_are_one_table() {
    let desk = Desk::new();
    for (name, line) in [("1.json", 0), ("2.json", 1)] {
        desk.file(name, DYNAMODB_JSON.trim().lines().nth(line).unwrap().as_bytes());
    }
    assert_eq!(desk.check(&["1.json"]).code, 1, "fewer than two");
    assert_eq!(desk.check(&["1.json", "2.json"]).code, 0);
    let run = desk.check(&["1.json", "2.json", "1.json"]);
    assert!(run.code == 1 && run.stdout.contains("uniqueKeys"), "{run}");
}

#[test]
fn a_file_that_cannot_be_read_says_where_and_judges_nothing() {
    let desk = Desk::new();
    let deep = format!("{{\"user_id\": \"u\", \"recs\": {}{}}}", "[".repeat(40), "]".repeat(40));
    let files: [(&str, &[u8], &str); 10] = [
        ("cut.json", br#"{"user_id": "u-1", "rec"#, "line 1, column 24: incomplete document"),
        ("list.json", b"[1]", "item 1: an item is an object"),
        ("twice.json", br#"{"user_id": "a", "user_id": "b"}"#, "item 1: user_id: it is there twice"),
        (
            "nan.json",
            br#"{"user_id": "a", "age": 1e999}"#,
            "item 1: age: 1e999 is no number that DynamoDB stores",
        ),
        ("deep.json", deep.as_bytes(), "nested deeper than the 32 levels"),
        (
            "mixed.json",
            br#"{"user_id": {"S": "a"}} {"user_id": "b"}"#,
            "item 2: user_id: no value with its type",
        ),
        ("base.json", br#"{"user_id": {"B": "?"}}"#, "item 1: user_id: B is base64"),
        ("short.csv", b"user_id,age\nu-1\n", "CSV"),
        ("not.parquet", b"PAR1", "Parquet"),
        ("not.json.gz", b"plain", "JSON"),
    ];
    for (name, bytes, problem) in files {
        desk.file(name, bytes);
        let run = desk.check(&[name]);
        assert!(run.code == 2 && run.stdout.is_empty(), "{run}");
        assert!(run.stderr.contains(&format!("error: failed to read {name}: ")), "{run}");
        assert!(run.stderr.contains(problem) && run.stderr.contains("hint: "), "{problem}: {run}");
    }
    let run = desk.check(&["gone.json"]);
    assert!(run.code == 2 && run.stderr.contains("failed to open gone.json"), "{run}");
}

#[test]
fn no_items_fail_and_an_empty_file_is_no_error() {
    let desk = Desk::new();
    desk.file("empty.json", b"");
    let run = desk.check(&["empty.json"]);
    assert!(run.code == 1 && run.stdout.contains("rowCount"), "{run}");
}

#[tokio::test]
async fn the_contract_in_force_is_taken_by_the_name_of_the_dataset() {
    let world = World::with_recs().await;
    world.file("items.json", r#"{"user_id": "u-1"} {"user_id": "u-2", "model": 3}"#);
    let run = world.run(&["check", "items.json", "--dataset", "recs"]);
    assert!(run.code == 1 && run.stdout.contains("physicalType  model"), "{run}");
    let run = world.run(&["check", "items.json"]);
    assert!(run.code == 2 && run.stderr.contains("--contract FILE checks by a document"), "{run}");
    let run = world.run(&["check", "items.json", "--dataset", "resc"]);
    assert!(run.code == 2 && run.stderr.contains("resc"), "{run}");
}
