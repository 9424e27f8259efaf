//! The example `follow`, run as a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use septet_emulator::Emulator;
use serde_json::{Value, json};

use crate::nights::*;

struct Follow {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Follow {
    fn start(nights: &Nights, keys: &str) -> Self {
        let deps = std::env::current_exe().unwrap();
        let program = deps.parent().and_then(|deps| deps.parent()).unwrap().join("examples/follow");
        assert!(program.exists(), "cargo builds the examples with all tests, not with one test target alone");
        let emulator = &nights.emulator;
        let mut process = Command::new(program)
            .args(["recs", "--registry-table", REGISTRY, "--poll-ms", "20", "--pause-ms", "1"])
            .env("AWS_ENDPOINT_URL", emulator.endpoint())
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", emulator.access_key(Emulator::PRINCIPAL))
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        process.stdin.take().unwrap().write_all(keys.as_bytes()).unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, output }
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    fn stop(mut self) -> Value {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let totals = self.line();
        assert!(self.process.wait().unwrap().success());
        totals
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        let _ = self.process.kill();
    }
}

#[tokio::test]
async fn it_tells_of_each_version_and_in_the_end_what_it_read() {
    let nights = Nights::new(1, 300).await;
    let mut follow = Follow::start(&nights, "0\n1\n\n2\n");
    let first = follow.line();
    assert_eq!(
        (&first["version"], &first["table"], &first["previous"]),
        (&json!(1), &json!("recs-1"), &json!(null))
    );
    first["at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    nights.pass(3).await;
    let second = follow.line();
    assert_eq!((&second["version"], &second["previous"]), (&json!(2), &json!(1)));
    nights.publisher.roll_back().await;
    assert_eq!(follow.line()["version"], 1);
    let totals = follow.stop();
    assert!(totals["reads"].as_u64().unwrap() > 0);
    assert_eq!((&totals["failed"], &totals["missing"]), (&json!(0), &json!(0)));
    assert_eq!((&totals["versions_seen"], &totals["first_error"]), (&json!([1, 2, 1]), &json!(null)));
}

#[tokio::test]
async fn it_tells_what_was_missing_and_what_failed() {
    let nights = Nights::new(1, 300).await;
    let mut follow = Follow::start(&nights, "999\n");
    follow.line();
    nights.emulator.clear_calls();
    until("it reads", async || nights.emulator.count("GetItem") > 10).await;
    nights.drop_table("recs-1").await;
    let looked = nights.emulator.count("GetItem");
    until("it reads on", async || nights.emulator.count("GetItem") > looked + 10).await;
    let totals = follow.stop();
    let count = |name: &str| totals[name].as_u64().unwrap();
    assert!(count("missing") > 0 && count("failed") > 0, "{totals}");
    assert_eq!(count("missing") + count("failed"), count("reads"));
    assert_eq!(totals["first_error"], "failed to read version 1 by GetItem: its table recs-1 does not exist");
}

#[tokio::test]
async fn it_waits_for_a_first_version() {
    let nights = Nights::new(0, 300).await;
    let mut follow = Follow::start(&nights, "1\n");
    until("it looks", async || nights.emulator.count("GetItem") > 0).await;
    nights.pass(3).await;
    assert_eq!(follow.line()["version"], 1);
    assert_eq!(follow.stop()["versions_seen"], json!([1]));
}
