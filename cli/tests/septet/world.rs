//! A registry, tables and a queue, and the command run on them.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use regex::Regex;
use septet_emulator::Emulator;
use septet_registry::*;
use septet_tables::{SealPolicy, Sealing, Tables};

pub(crate) const REGISTRY: &str = "septet-registry";
pub(crate) const QUEUE: &str = "septet-publish";

/// Seconds after the beginning of the test's time, which is long ago: 2001-09-09 01:46:40Z.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_000_000_000 + seconds).unwrap()
}

pub(crate) fn by(seconds: i64) -> By {
    By::new("nightly", at(seconds))
}

pub(crate) fn recs() -> DatasetName {
    DatasetName::parse("recs").unwrap()
}

pub(crate) fn number(number: u64) -> VersionNumber {
    VersionNumber::new(number)
}

/// A contract for tables with the string key `user_id`.
pub(crate) fn contract(name: &str, pattern: &str, properties: &[(&str, &str)]) -> String {
    let properties = properties.iter().map(|(property, value)| {
        let value: serde_json::Value = serde_json::from_str(value).unwrap_or_else(|_| (*value).into());
        serde_json::json!({"property": property, "value": value})
    });
    let pattern = serde_json::json!({"property": "septet.tablePattern", "value": pattern});
    let custom: Vec<_> = std::iter::once(pattern).chain(properties).collect();
    serde_json::json!({
        "apiVersion": "v3.1.0", "kind": "DataContract", "id": "2b1d2f52-6a0e-4c0a-9c53-9d1f6c1e7a10",
        "name": name, "version": "1.0.0", "status": "active",
        "schema": [{
            "name": name, "logicalType": "object", "physicalType": "table",
            "properties": [
                {"name": "user_id", "logicalType": "string", "physicalType": "S", "required": true,
                 "primaryKey": true, "primaryKeyPosition": 1},
                {"name": "model", "logicalType": "string", "physicalType": "S"},
            ],
        }],
        "customProperties": custom,
    })
    .to_string()
}

pub(crate) struct World {
    pub(crate) emulator: Emulator,
    pub(crate) registry: Registry,
    pub(crate) tables: Tables,
    pub(crate) folder: tempfile::TempDir,
}

impl World {
    /// An empty registry and the publish queue.
    pub(crate) async fn new() -> Self {
        let emulator = Emulator::start().await;
        emulator.create_registry_table(REGISTRY).await;
        emulator.create_queue(QUEUE);
        let registry = Registry::in_dynamodb(emulator.client(), REGISTRY, Entropy::from_seed(1));
        let tables = Tables::new(emulator.client(), SealPolicy::new([Emulator::PRINCIPAL]).unwrap());
        Self { emulator, registry, tables, folder: tempfile::tempdir().unwrap() }
    }

    /// With the dataset `recs`: tables `recs-*`, the newest two stay, a grace of one minute.
    pub(crate) async fn with_recs() -> Self {
        let world = Self::new().await;
        world.dataset("recs", "recs-*", &[("septet.keepNewest", "2"), ("septet.graceMinutes", "1")]).await;
        world
    }

    pub(crate) async fn dataset(&self, name: &str, pattern: &str, properties: &[(&str, &str)]) {
        let document = serde_json::from_str(&contract(name, pattern, properties)).unwrap();
        self.put(name, pattern, &document).await;
    }

    /// Puts a contract.
    pub(crate) async fn put(&self, name: &str, pattern: &str, document: &serde_json::Value) {
        let contract = septet_contract::Contract::parse(&document.to_string()).unwrap();
        let settings = contract.settings();
        let new = NewContract {
            dataset: DatasetName::parse(name).unwrap(),
            settings: Settings {
                table_pattern: pattern.into(),
                promotion: Promotion::Auto,
                keep_newest: settings.keep_newest,
                grace_minutes: settings.grace_minutes,
                poll_seconds: settings.poll_seconds,
                order: match settings.order.is_default() {
                    true => DatasetOrder::Created,
                    false => DatasetOrder::AsOf,
                },
            },
            document: contract.to_json().into(),
            digest: contract.digest(),
            over: None,
            reason: None,
        };
        let _ = self.registry.put_contract(&new, &by(0)).await.unwrap().into_result().unwrap();
    }

    pub(crate) async fn announce(&self, table: &str, now: i64) -> Version {
        let name = TableName::parse(table).unwrap();
        let facts = self.tables.describe(&name).await.unwrap().unwrap();
        let new = Announcement {
            table: name,
            table_arn: facts.arn,
            table_id: facts.id,
            created_by: "arn:aws:iam::000000000000:role/ds".into(),
            noticed_by: "CreateTable".into(),
            patience: SignedDuration::from_hours(24),
            created_at: at(now),
            signal: None,
        };
        self.registry.announce(&recs(), &new, &by(now)).await.unwrap().into_result().unwrap()
    }

    pub(crate) async fn seal(&self, version: &Version, now: i64) {
        let facts = self.tables.describe(&version.table).await.unwrap().unwrap();
        let sealed =
            self.tables.seal(&facts, version.seal_id.as_ref().unwrap(), std::time::Duration::ZERO).await;
        assert!(matches!(sealed.unwrap(), Sealing::Sealed(_)));
        let readiness =
            Readiness { rung: Rung::Manifest, items: Some(9), digest: None, by: Some("ds".into()) };
        let sealed = self.registry.seal(&recs(), version.version, &readiness.into(), &by(now)).await;
        let _ = sealed.unwrap().into_result().unwrap();
    }

    /// Checks a sealed version, and promotes it if it passed.
    pub(crate) async fn check(&self, version: &Version, outcome: VerdictOutcome, digest: &str, now: i64) {
        let lease = Lease { owner: "worker".into(), until: at(now + 60) };
        let begun = self.registry.begin_check(&recs(), version.version, &lease, &by(now)).await;
        let _ = begun.unwrap().into_result().unwrap();
        let reasons = match outcome {
            VerdictOutcome::Passed => vec![],
            VerdictOutcome::Failed => vec![
                "user_id: required: absent in 3 of 9 items".into(),
                "rowCount: 9, it must be at least 600".into(),
            ],
            _ => vec!["the scan stopped: the table is being changed".into()],
        };
        let conclusion = Conclusion {
            verdict: Verdict {
                outcome,
                reasons,
                warnings: vec!["model: 1 value is new".into()],
                at: at(now),
            },
            counts: Some(Counts { items: 9, bytes: 900 }),
            digest: Some(digest.into()),
            promotion: Promotion::Auto,
        };
        let concluded =
            self.registry.conclude(&recs(), version.version, "worker", &conclusion, &by(now)).await;
        let _ = concluded.unwrap().into_result().unwrap();
        if outcome == VerdictOutcome::Passed {
            let live = PointerName::live();
            let _ = self.registry.promote(&recs(), &live, version.version, &by(now)).await.unwrap();
        }
    }

    /// A table from its creation to its verdict and, if it passed, live.
    pub(crate) async fn night(&self, table: &str, outcome: VerdictOutcome, digest: &str, now: i64) {
        self.emulator.create_dataset_table(table, "user_id", None).await;
        let version = self.announce(table, now).await;
        self.seal(&version, now).await;
        self.check(&version, outcome, digest, now).await;
    }

    /// Nights `recs-1` to `recs-…` that passed, an hour apart.
    pub(crate) async fn nights(&self, count: i64) {
        for night in 1..=count {
            let table = format!("recs-{night}");
            self.night(&table, VerdictOutcome::Passed, &table, night * 3600).await;
        }
    }

    /// Deletes a table behind everybody's back.
    pub(crate) async fn vanish(&self, table: &str) {
        let backdoor = self.emulator.backdoor();
        let update = backdoor.update_table().table_name(table).deletion_protection_enabled(false);
        update.send().await.unwrap();
        backdoor.delete_table().table_name(table).send().await.unwrap();
    }

    /// Writes a file and gives its path relative to where the command runs.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.folder.path().join(name), text).unwrap();
        name.into()
    }

    /// Creates a table that is older than every contract, at this second before the test's time.
    pub(crate) async fn older_table(&self, table: &str, before: i64) {
        self.emulator.settings(|settings| settings.created_at = Some(at(-before).as_second() as f64));
        self.emulator.create_dataset_table(table, "user_id", None).await;
        self.emulator.settings(|settings| settings.created_at = None);
    }

    /// A registry with connections of its own: for calls that are made while the test waits for the command.
    pub(crate) fn elsewhere(&self) -> Registry {
        Registry::in_dynamodb(self.emulator.client(), REGISTRY, Entropy::from_seed(2))
    }

    /// Number of records of an action in the log of `recs`.
    pub(crate) async fn count(&self, action: Action) -> usize {
        let log = self.registry.log(&recs(), None).await.unwrap();
        log.iter().filter(|record| record.action == action).count()
    }

    /// Ids of the holds of `live`, the oldest first.
    pub(crate) async fn holds(&self) -> Vec<String> {
        let holds = self.registry.dataset(&recs()).await.unwrap().holds;
        holds.iter().map(|hold| hold.id.to_string()).collect()
    }

    pub(crate) async fn live(&self) -> u64 {
        self.registry.pointer(&recs(), &PointerName::live()).await.unwrap().unwrap().version.get()
    }

    /// The command, to be run in the folder of the test with nothing of this machine's settings.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_septet"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .env_clear()
            .env("AWS_ENDPOINT_URL", self.emulator.endpoint())
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", self.emulator.access_key(Emulator::PRINCIPAL))
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("SEPTET_ACTOR", "ann@desk");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        Run::of(arguments, self.command(arguments).output().unwrap())
    }

    /// Runs as another operator.
    pub(crate) fn run_as(&self, actor: &str, arguments: &[&str]) -> Run {
        let output = self.command(arguments).env("SEPTET_ACTOR", actor).output();
        Run::of(arguments, output.unwrap())
    }

    /// Runs with `--json` and reads the one document.
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let run = self.run(&[arguments, &["--json"]].concat());
        serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run}"))
    }
}

/// What a run of the command came to.
#[derive(Debug)]
pub(crate) struct Run {
    typed: String,
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn of(arguments: &[&str], output: Output) -> Self {
        let quoted =
            arguments.iter().map(|it| if it.contains(' ') { format!("'{it}'") } else { (*it).to_owned() });
        Self {
            typed: quoted.collect::<Vec<_>>().join(" "),
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A run as snapshots keep it; what differs from run to run gives way to something of the same width.
impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { typed, code, stdout, stderr } = self;
        let text = format!("$ septet {typed}\nexit code {code}\n--- stdout\n{stdout}--- stderr\n{stderr}");
        f.write_str(&redacted(&text))
    }
}

fn redacted(text: &str) -> String {
    static UUID: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").unwrap());
    static TIME: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"20\d\d-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z").unwrap());
    static HOLD: LazyLock<Regex> = LazyLock::new(|| Regex::new("hold [0-9a-f]{8}\\b").unwrap());
    static SEAL: LazyLock<Regex> = LazyLock::new(|| Regex::new("\\b[0-9a-f]{32}\\b").unwrap());
    static PORT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"127\.0\.0\.1:\d+").unwrap());
    let text = UUID.replace_all(text, |found: &regex::Captures<'_>| match &found[0] {
        // The contract's own.
        "2b1d2f52-6a0e-4c0a-9c53-9d1f6c1e7a10" => found[0].to_owned(),
        _ => "uuuuuuuu-uuuu-uuuu-uuuu-uuuuuuuuuuuu".to_owned(),
    });
    let text = TIME.replace_all(&text, |found: &regex::Captures<'_>| {
        let [date, rest] = [&found[0][..10], &found[0][10..11]];
        if date.starts_with("2001-") { found[0].to_owned() } else { format!("YYYY-MM-DD{rest}HH:MM:SSZ") }
    });
    let text = HOLD.replace_all(&text, "hold hhhhhhhh");
    let text = SEAL.replace_all(&text, "ssssssssssssssssssssssssssssssss");
    PORT.replace_all(&text, "127.0.0.1:PPPPP").into_owned()
}
