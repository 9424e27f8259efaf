//! What can be typed about feeds and their recoveries.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use septet_recovery::{FeedName, Step};
use uuid::Uuid;

use crate::reading;

#[derive(Debug, Subcommand)]
pub(crate) enum FeedCommand {
    /// Put a feed; runs that are under way go on with what it was
    #[command(after_help = "Examples:\n  septet feed put feeds/plays.yaml\n  septet feed put - < plays.json")]
    Put {
        /// A feed, YAML or JSON; `-` reads standard input
        file: PathBuf,
    },
    /// Show a feed
    #[command(after_help = "Example:\n  septet feed show plays --json | jq .document")]
    Show {
        /// The feed
        #[arg(value_parser = FeedName::parse)]
        feed: FeedName,
    },
    /// List feeds and how many runs of each are not over
    #[command(after_help = "Example:\n  septet feed list")]
    List,
    /// Check a feed without putting it; needs no AWS
    #[command(after_help = "Example:\n  septet feed lint feeds/plays.yaml")]
    Lint {
        /// A feed, YAML or JSON; `-` reads standard input
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum BackfillCommand {
    /// Show what a recovery would read, and start nothing
    #[command(after_help = concat!(
        "Examples:\n",
        "  septet backfill plan plays --from 2026-11-18 --to 2026-11-22\n",
        "  septet backfill plan plays --from 2026-11-18 --to 2026-11-22 --offline --json | jq .estimate.price",
    ))]
    Plan {
        #[command(flatten)]
        range: Ranged,
        /// Do not ask the source how much there is
        #[arg(long)]
        offline: bool,
    },
    /// Start a recovery; the same again is the same run
    #[command(after_help = concat!(
        "Examples:\n",
        "  septet backfill start plays --from 2026-11-18 --to 2026-11-22 --reason 'it was silent'\n",
        "  septet backfill start plays --from 2026-11-18 --to 2026-11-19 --reason 'try it' --sink shadow --rate 2",
    ))]
    Start {
        #[command(flatten)]
        range: Ranged,
        /// Why
        #[arg(long, value_parser = reading::reason)]
        reason: String,
    },
    /// Show how far a run is: progress, rate, time left, and a strip of its windows
    #[command(
        after_help = "Examples:\n  septet backfill status plays\n  septet backfill status plays RUN --follow"
    )]
    Status {
        /// The feed
        #[arg(value_parser = FeedName::parse)]
        feed: FeedName,
        /// The run [default: the latest]
        run: Option<Uuid>,
        /// Stay until it is over
        #[arg(long, short)]
        follow: bool,
    },
    /// Read nothing more for now; pages that are being read are finished
    #[command(after_help = "Example:\n  septet backfill pause plays RUN --reason 'the source is slow'")]
    Pause(Ordered),
    /// Go on with a paused run
    #[command(after_help = "Example:\n  septet backfill resume plays RUN --reason 'it is quick again'")]
    Resume(Ordered),
    /// Read nothing more, for good
    #[command(after_help = "Example:\n  septet backfill cancel plays RUN --reason 'the wrong days'")]
    Cancel(Ordered),
    /// Read faster or slower from now on: workers look before each page; nothing is read again for it
    #[command(
        after_help = "Example:\n  septet backfill set plays RUN --rate 2 --concurrency 8 --reason 'it is night'"
    )]
    Set {
        #[command(flatten)]
        order: Ordered,
        /// Calls per second, at most what the feed allows
        #[arg(long, required_unless_present = "concurrency")]
        rate: Option<f64>,
        /// Windows at the same time
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
        concurrency: Option<u32>,
    },
    /// Read again what is not done, with the feed as it is now
    #[command(
        after_help = "Example:\n  septet backfill retry plays RUN --page-size 100 --reason 'it clamps pages'"
    )]
    Retry {
        #[command(flatten)]
        order: Ordered,
        /// Rows of a page
        #[arg(long)]
        page_size: Option<u64>,
    },
    /// Read the source of a run again, and compare sets of records window by window
    #[command(after_help = concat!(
        "Examples:\n",
        "  septet backfill verify plays\n",
        "  septet backfill verify plays RUN --table plays --json | jq .differs",
    ))]
    Verify {
        /// The feed
        #[arg(value_parser = FeedName::parse)]
        feed: FeedName,
        /// The run [default: the latest that injected]
        run: Option<Uuid>,
        /// A table that the records ended in, which is compared as well
        #[arg(long)]
        table: Option<String>,
    },
    /// Find when the live feed was silent and what nobody brought back, with the command that does
    #[command(after_help = concat!(
        "Examples:\n",
        "  septet backfill gaps plays\n",
        "  septet backfill gaps plays --since 2026-11-01 --longer-than 30m",
    ))]
    Gaps {
        /// The feed
        #[arg(value_parser = FeedName::parse)]
        feed: FeedName,
        /// From when on; UTC unless it says otherwise [default: two weeks ago]
        #[arg(long, value_parser = reading::time)]
        since: Option<Timestamp>,
        /// Silence that is shorter is none
        #[arg(long, default_value = "1h", value_parser = reading::duration)]
        longer_than: Duration,
        /// The queue of the live feed, by name [default: the feed's sink]
        #[arg(long)]
        queue: Option<String>,
    },
    /// Show what lies in the recovery queue's dead letters, and why; nothing is taken away
    #[command(after_help = concat!(
        "Examples:\n",
        "  septet backfill letters\n",
        "  septet backfill letters --limit 1000 --json | jq .reasons",
    ))]
    Letters {
        #[command(flatten)]
        look: Look,
    },
    /// Move all dead letters back to the recovery queue, after showing what comes of each
    #[command(after_help = concat!(
        "Examples:\n",
        "  septet backfill redrive --plan\n",
        "  septet backfill redrive --rate 20 --yes\n",
        "  septet backfill redrive --stop",
    ))]
    Redrive {
        /// Only show what would come of each; move nothing
        #[arg(long)]
        plan: bool,
        /// Letters a second [default: as many as SQS likes]
        #[arg(long, value_parser = clap::value_parser!(i32).range(1..=500))]
        rate: Option<i32>,
        /// Stop a redrive that is under way; what it moved stays moved
        #[arg(long, conflicts_with_all = ["plan", "rate"])]
        stop: bool,
        #[command(flatten)]
        look: Look,
    },
    /// List the runs of a feed, the latest first
    #[command(after_help = "Example:\n  septet backfill list plays --json | jq '.[].state'")]
    List {
        /// The feed
        #[arg(value_parser = FeedName::parse)]
        feed: FeedName,
    },
    /// Show who did what to a feed and its runs, the latest first
    #[command(after_help = "Example:\n  septet backfill log plays --limit 20")]
    Log {
        /// The feed
        #[arg(value_parser = FeedName::parse)]
        feed: FeedName,
        /// At most so many
        #[arg(long, default_value = "50")]
        limit: usize,
    },
}

/// How much of the dead letters is looked at.
#[derive(Debug, Args)]
pub(crate) struct Look {
    /// Show at most so many
    #[arg(long, default_value = "100", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) limit: u32,
}

/// A run that something is done to.
#[derive(Debug, Args)]
pub(crate) struct Ordered {
    /// The feed
    #[arg(value_parser = FeedName::parse)]
    pub(crate) feed: FeedName,
    /// The run
    pub(crate) run: Uuid,
    /// Why
    #[arg(long, value_parser = reading::reason)]
    pub(crate) reason: String,
}

/// A range, and how it is read.
#[derive(Debug, Args)]
pub(crate) struct Ranged {
    /// The feed
    #[arg(value_parser = FeedName::parse)]
    pub(crate) feed: FeedName,
    /// The first moment; UTC unless it says otherwise
    #[arg(long, value_parser = reading::time)]
    pub(crate) from: Timestamp,
    /// The moment after the last
    #[arg(long, value_parser = reading::time)]
    pub(crate) to: Timestamp,
    /// Length of a window, such as 1h, 15m, or 1d for calendar days [default: the feed's]
    #[arg(long, value_parser = Step::parse)]
    pub(crate) step: Option<Step>,
    /// Rows of a page [default: the feed's]
    #[arg(long)]
    pub(crate) page_size: Option<u64>,
    /// Calls per second, if fewer than the feed's
    #[arg(long)]
    pub(crate) rate: Option<f64>,
    /// Windows at the same time [default: the feed's]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) concurrency: Option<u32>,
    /// Another sink of the feed, by name
    #[arg(long)]
    pub(crate) sink: Option<String>,
    /// Do everything but inject
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Which windows are read again: none, failed or completed
    #[arg(long, default_value = "none", value_parser = ["none", "failed", "completed"])]
    pub(crate) reprocess: String,
    /// Tells it from a run that asked for the same before, which it would be otherwise: any text
    #[arg(long)]
    pub(crate) occasion: Option<String>,
}
