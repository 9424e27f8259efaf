//! What can be typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use jiff::{SignedDuration, Timestamp};
use septet_contract::Compatibility;
use septet_registry::{ContractNumber, DatasetName, HoldId, PointerName, TableName, VersionNumber};

use crate::exit;
use crate::items::Format;
use crate::reading;

pub(crate) use crate::reading::{Against, Document};
pub(crate) use recovery::{BackfillCommand, FeedCommand, Look, Ordered, Ranged};

mod recovery;

/// Publish datasets as immutable DynamoDB tables, point readers at them, and roll back
#[derive(Debug, Parser)]
#[command(
    name = "septet",
    version,
    max_term_width = 110,
    after_help = exit::HELP,
    after_long_help = concat!(
        "Examples:\n",
        "  septet contract put contracts/recs.odcs.yaml\n",
        "  septet publish recs-2026-11-21 --items 671 --wait\n",
        "  septet versions recs\n",
        "  septet rollback recs --reason 'listeners complain'\n\n",
        "Exit codes:\n",
        "  0  done, or done before\n",
        "  1  the answer is no: rejected, refused, declined\n",
        "  2  could not tell, or wrong use",
    )
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// The registry table
    #[arg(
        long,
        global = true,
        env = "SEPTET_REGISTRY_TABLE",
        default_value = "septet-registry",
        value_name = "TABLE"
    )]
    pub(crate) registry: String,
    /// The publish queue, by URL or by name
    #[arg(
        long,
        global = true,
        env = "SEPTET_PUBLISH_QUEUE_URL",
        default_value = "septet-publish",
        value_name = "QUEUE"
    )]
    pub(crate) publish_queue: String,
    /// The recovery queue, by URL or by name
    #[arg(
        long,
        global = true,
        env = "SEPTET_RECOVERY_QUEUE_URL",
        default_value = "septet-recovery",
        value_name = "QUEUE"
    )]
    pub(crate) recovery_queue: String,
    /// Whether a feed may lie at this machine
    #[arg(long, global = true, hide = true, env = "SEPTET_LOOPBACK_FEEDS", default_value = "refused",
          value_parser = ["refused", "allowed"])]
    pub(crate) loopback_feeds: String,
    /// Print one JSON document
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Do not ask before going on
    #[arg(long, short, global = true)]
    pub(crate) yes: bool,
    /// Who the audit log says it was; USER@HOST unless given
    #[arg(long, global = true, env = "SEPTET_ACTOR", value_name = "WHO")]
    pub(crate) actor: Option<String>,
    /// ARNs of Septet's roles, with commas between them; without them, whoever a seal spares is taken for Septet
    #[arg(long, global = true, env = "SEPTET_SEAL_ROLES", value_name = "ARNS")]
    pub(crate) seal_roles: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Put, show and check contracts
    #[command(subcommand)]
    Contract(Contract),
    /// Check files of items, or a table, as on-publish checks a table, and change nothing
    #[command(after_help = concat!(
        "Examples:\n",
        "  septet check items.jsonl --contract contracts/recs.odcs.yaml\n",
        "  septet check export/*.json.gz --dataset recs --junit target/recs.xml\n",
        "  septet check --table recs-2026-11-22\n",
        "  septet check items.jsonl --contract new.odcs.yaml --against live\n",
        "  septet check recs.parquet --contract contracts/recs.odcs.yaml --json | jq .reasons",
    ))]
    Check(Check),
    /// Say that a table is complete, so that it is sealed and checked
    #[command(after_help = concat!(
        "Examples:\n",
        "  septet publish recs-2026-11-21\n",
        "  septet publish recs-2026-11-21 --items 671 --wait --timeout 30m",
    ))]
    Publish(Publish),
    /// List the versions of a dataset, the newest first
    #[command(
        after_help = "Examples:\n  septet versions recs\n  septet versions recs --json | jq '.[].state'"
    )]
    Versions(Versions),
    /// Show all that is known of a version
    #[command(after_help = "Examples:\n  septet show recs 42\n  septet show recs live")]
    Show(Show),
    /// Point readers at a version
    #[command(
        after_help = "Examples:\n  septet point recs 42 --reason 'approved'\n  septet point recs 43 --pointer canary --reason 'try it'"
    )]
    Point(Point),
    /// Point readers back at the version before, and hold it there
    #[command(
        after_help = "Examples:\n  septet rollback recs --reason 'listeners complain'\n  septet rollback recs --to 40 --reason 'bad since 41' --yes"
    )]
    Rollback(Rollback),
    /// Undo the latest rollback
    #[command(after_help = "Example:\n  septet forward recs --reason 'it was the cache'")]
    Forward(Forward),
    /// End a hold: the next version that passes goes live by itself again
    #[command(after_help = concat!(
        "Examples:\n",
        "  septet release recs --reason 'the job is mended'\n",
        "  septet release recs --hold 3f9a1c2e --reason 'ann is on leave'\n",
        "  septet release recs --promote-newest --reason 'last night is good'",
    ))]
    Release(Release),
    /// Withdraw a version: it is no baseline, takes no retention place and is never promoted
    #[command(after_help = "Example:\n  septet withdraw recs 41 --reason 'half of the users are missing'")]
    Withdraw(Marked),
    /// Reinstate a withdrawn version
    #[command(after_help = "Example:\n  septet reinstate recs 41 --reason 'it was the cache'")]
    Reinstate(Marked),
    /// Hand existing tables over to Septet: they are sealed, checked and published in order of creation
    #[command(after_help = concat!(
        "Examples:\n",
        "  septet adopt --list\n",
        "  septet adopt recs-2026-11-20 recs-2026-11-21 --yes",
    ))]
    Adopt(Adopt),
    /// Ask for the deletion of tables that were announced and never sealed; prune deletes them
    #[command(after_help = "Example:\n  septet discard recs-test --reason 'never completed'")]
    Discard(Discard),
    /// Show who did what, when and why, the latest first
    #[command(after_help = "Examples:\n  septet log recs\n  septet log recs --limit 5 --json")]
    Log(Log),
    /// Show what a pointer named, and when
    #[command(
        after_help = "Examples:\n  septet history recs\n  septet history recs --at 2026-11-21T06:00:00Z\n  septet history recs --at '2026-11-21 06:00'"
    )]
    History(History),
    /// Show which versions pruning keeps, retires and deletes
    #[command(after_help = "Examples:\n  septet prune --plan\n  septet prune --plan recs --json")]
    Prune(Prune),
    /// Put, show and check feeds of third parties
    #[command(subcommand)]
    Feed(FeedCommand),
    /// Bring back a range of a feed, and follow it
    #[command(subcommand)]
    Backfill(BackfillCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Contract {
    /// Put a contract in force; the first one makes the dataset
    #[command(
        after_help = "Examples:\n  septet contract put contracts/recs.odcs.yaml\n  septet contract put - --reason 'adds score' < recs.odcs.json"
    )]
    Put {
        /// An ODCS document, YAML or JSON; `-` reads standard input
        file: PathBuf,
        /// Why
        #[arg(long, value_parser = reading::reason)]
        reason: Option<String>,
        /// Put it although readers or versions that are kept break; the audit log says so
        #[arg(long, requires = "reason")]
        breaking: bool,
        /// Adopt the existing tables that its pattern matches, as `septet adopt` does
        #[arg(long)]
        adopt: bool,
    },
    /// Write a first contract from what a table holds
    #[command(after_help = "Example:\n  septet contract infer recs-2026-11-21 > contracts/recs.odcs.yaml")]
    Infer {
        /// The table
        table: TableName,
        /// How many items to look at, at most
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=100_000))]
        items: u64,
    },
    /// Show what changed between two contracts, and whether readers can follow
    #[command(after_help = concat!(
        "Examples:\n",
        "  septet contract diff old.odcs.yaml new.odcs.yaml --mode BACKWARD\n",
        "  septet contract diff recs:3 recs:current\n",
        "  septet contract diff recs:current contracts/recs.odcs.yaml --json",
    ))]
    Diff(Diff),
    /// Show a contract of a dataset
    #[command(
        after_help = "Examples:\n  septet contract show recs\n  septet contract show recs --number 3 --json"
    )]
    Show {
        /// The dataset
        dataset: DatasetName,
        /// Which contract [default: the one in force]
        #[arg(long)]
        number: Option<ContractNumber>,
    },
    /// Check a document without putting it; needs no AWS
    #[command(after_help = "Example:\n  septet contract lint contracts/recs.odcs.yaml")]
    Lint {
        /// An ODCS document, YAML or JSON; `-` reads standard input
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// The contract before: a file, or DATASET:NUMBER or DATASET:current for one that was put
    #[arg(value_name = "BEFORE", value_parser = reading::document)]
    pub(crate) before: Document,
    /// The contract after
    #[arg(value_name = "AFTER", value_parser = reading::document)]
    pub(crate) after: Document,
    /// What must hold, such as BACKWARD or FULL_TRANSITIVE [default: what BEFORE says]
    #[arg(long, value_parser = reading::mode)]
    pub(crate) mode: Option<Compatibility>,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Files of items, all of one table: JSON, DynamoDB JSON, CSV or Parquet; `.gz` is unpacked
    #[arg(required_unless_present = "table", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// A table of DynamoDB in place of files, by name or ARN; read and nothing else
    #[arg(long, conflicts_with_all = ["files", "format"])]
    pub(crate) table: Option<String>,
    /// The contract, an ODCS document; files need no AWS then
    #[arg(long, value_name = "FILE", conflicts_with = "dataset")]
    pub(crate) contract: Option<PathBuf>,
    /// Check by the contract of this dataset that is in force [default for a table: the dataset that claims it]
    #[arg(long)]
    pub(crate) dataset: Option<DatasetName>,
    /// What rules compare with: `registry` (what each names, as if this were published now), `live`, `previous`, the
    /// number of a version, a file of items, or a table [default: `registry`; nothing with --contract]
    #[arg(long, value_name = "WHAT", value_parser = reading::against)]
    pub(crate) against: Option<Against>,
    /// Ask the functions of engine `lambda`, too, which costs their time
    #[arg(long)]
    pub(crate) with_lambda: bool,
    /// What is in the files [default: as their names and contents say]
    #[arg(long)]
    pub(crate) format: Option<Format>,
    /// Write the report as JUnit XML, too
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Annotate what failed for GitHub Actions
    #[arg(long, env = "GITHUB_ACTIONS")]
    pub(crate) github: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// The table's name or ARN
    pub(crate) table: String,
    /// How many items were written; the table must then hold exactly so many
    #[arg(long)]
    pub(crate) items: Option<u64>,
    /// The content digest that the publisher computed
    #[arg(long)]
    pub(crate) digest: Option<String>,
    /// The time that the data stands for; UTC unless it says otherwise
    #[arg(long, value_name = "TIME", value_parser = reading::time)]
    pub(crate) as_of: Option<Timestamp>,
    /// Wait for the verdict
    #[arg(long)]
    pub(crate) wait: bool,
    /// For how long to wait, such as 90s, 15m or 2h
    #[arg(long, requires = "wait", default_value = "15m", value_parser = reading::duration)]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Versions {
    /// The dataset
    pub(crate) dataset: DatasetName,
    /// At most so many
    #[arg(long)]
    pub(crate) limit: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The dataset
    pub(crate) dataset: DatasetName,
    /// A number, or a pointer such as `live`
    #[arg(value_parser = reading::version)]
    pub(crate) version: reading::Which,
    #[command(flatten)]
    pub(crate) kept: KeepRejected,
}

/// Time for which prune keeps versions that are of no use to readers; a setting of the stack.
#[derive(Debug, Args)]
pub(crate) struct KeepRejected {
    /// For how many hours prune keeps a version that did not pass or was withdrawn, as the stack sets it
    #[arg(
        long = "rejected-keep-hours",
        env = "SEPTET_REJECTED_KEEP_HOURS",
        default_value = "48",
        value_name = "HOURS"
    )]
    hours: u32,
}

impl KeepRejected {
    /// Returns the time as a duration.
    pub(crate) fn duration(&self) -> SignedDuration {
        SignedDuration::from_hours(self.hours.into())
    }
}

#[derive(Debug, Args)]
pub(crate) struct Point {
    /// The dataset
    pub(crate) dataset: DatasetName,
    /// The version to point at
    pub(crate) version: VersionNumber,
    #[command(flatten)]
    pub(crate) moving: Moving,
}

#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// The dataset
    pub(crate) dataset: DatasetName,
    /// The version to go back to [default: the one before]
    #[arg(long, value_name = "VERSION")]
    pub(crate) to: Option<VersionNumber>,
    /// When the hold ends by itself: a time, or a duration such as 12h or 3d [default: with `septet release`]
    #[arg(long, value_name = "WHEN", value_parser = reading::when)]
    pub(crate) hold_until: Option<reading::When>,
    /// Withdraw the version that is left; a rollback of `live` does so by itself
    #[arg(long)]
    pub(crate) withdraw: bool,
    #[command(flatten)]
    pub(crate) moving: Moving,
}

#[derive(Debug, Args)]
pub(crate) struct Forward {
    /// The dataset
    pub(crate) dataset: DatasetName,
    /// End this hold, too, whoever owns it
    #[arg(long, value_name = "ID")]
    pub(crate) hold: Option<HoldId>,
    #[command(flatten)]
    pub(crate) moving: Moving,
}

/// What every move of a pointer takes.
#[derive(Debug, Args)]
pub(crate) struct Moving {
    /// Why
    #[arg(long, value_parser = reading::reason)]
    pub(crate) reason: String,
    /// Which pointer
    #[arg(long, default_value = "live", value_name = "NAME")]
    pub(crate) pointer: PointerName,
    /// Go on although the content is the same, or not known, or the seal is not intact
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Release {
    /// The dataset
    pub(crate) dataset: DatasetName,
    /// Why
    #[arg(long, value_parser = reading::reason)]
    pub(crate) reason: String,
    /// Which pointer
    #[arg(long, default_value = "live", value_name = "NAME")]
    pub(crate) pointer: PointerName,
    /// The hold to end, whoever owns it [default: your own]
    #[arg(long, value_name = "ID")]
    pub(crate) hold: Option<HoldId>,
    /// Point readers of `live` at the newest version that the hold kept from going live, after a confirmation
    #[arg(long)]
    pub(crate) promote_newest: bool,
}

/// A version that an operator marks.
#[derive(Debug, Args)]
pub(crate) struct Marked {
    /// The dataset
    pub(crate) dataset: DatasetName,
    /// The version
    pub(crate) version: VersionNumber,
    /// Why
    #[arg(long, value_parser = reading::reason)]
    pub(crate) reason: String,
}

#[derive(Debug, Args)]
pub(crate) struct Adopt {
    /// The tables, by name or ARN
    #[arg(required_unless_present = "list", value_name = "TABLE")]
    pub(crate) tables: Vec<String>,
    /// List existing tables that a contract claims and that nothing handed over, and change nothing
    #[arg(long, conflicts_with = "tables")]
    pub(crate) list: bool,
    /// With --list: only those of this dataset
    #[arg(long, requires = "list", conflicts_with = "tables")]
    pub(crate) dataset: Option<DatasetName>,
}

#[derive(Debug, Args)]
pub(crate) struct Discard {
    /// The tables, by name or ARN
    #[arg(required = true, value_name = "TABLE")]
    pub(crate) tables: Vec<String>,
    /// Why
    #[arg(long, value_parser = reading::reason)]
    pub(crate) reason: String,
}

#[derive(Debug, Args)]
pub(crate) struct Log {
    /// The dataset
    pub(crate) dataset: DatasetName,
    /// At most so many
    #[arg(long, default_value = "50")]
    pub(crate) limit: usize,
}

#[derive(Debug, Args)]
pub(crate) struct History {
    /// The dataset
    pub(crate) dataset: DatasetName,
    /// Only what the pointer named at this time; UTC unless it says otherwise
    #[arg(long, value_name = "TIME", value_parser = reading::time)]
    pub(crate) at: Option<Timestamp>,
    /// Which pointer
    #[arg(long, default_value = "live", value_name = "NAME")]
    pub(crate) pointer: PointerName,
}

#[derive(Debug, Args)]
pub(crate) struct Prune {
    /// Only show the plan; the deployed function carries it out
    #[arg(long, required = true)]
    pub(crate) plan: bool,
    /// The dataset [default: all]
    pub(crate) dataset: Option<DatasetName>,
    #[command(flatten)]
    pub(crate) kept: KeepRejected,
}
