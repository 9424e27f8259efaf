//! What processes say of work that they measured themselves, and what came of many of them.

use std::cell::RefCell;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::process::Process;
use crate::report::median;

/// What doing something with many items took.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Taken {
    pub(crate) items: usize,
    /// Seconds of processor time.
    pub(crate) cpu: f64,
    /// Seconds from the first item to the last.
    pub(crate) wall: f64,
    /// Most bytes of memory.
    pub(crate) memory: f64,
}

impl Taken {
    /// Microseconds of processor time.
    pub(crate) fn per_item(&self) -> f64 {
        self.cpu * 1e6 / self.items as f64
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.items as f64 / self.wall
    }

    pub(crate) fn per_cpu_second(&self) -> f64 {
        self.items as f64 / self.cpu
    }
}

/// Has a process do its work, of so many items, and tell.
pub(crate) async fn taken(command: Command, directory: &Path, items: usize) -> anyhow::Result<Taken> {
    let log = directory.join("taken");
    Process::start(command, &log)?.succeeded().await?;
    let written = std::fs::read_to_string(&log)?;
    let last = written.lines().last().unwrap_or_default();
    let taken: Taken = serde_json::from_str(last).with_context(|| format!("it wrote {written}"))?;
    // What was not done costs nothing.
    if taken.items != items {
        bail!("{} items were done instead of {items}", taken.items);
    }
    Ok(taken)
}

/// All measurements of one way to do something, with so many workers.
pub(crate) struct Measured {
    pub(crate) way: &'static str,
    pub(crate) workers: usize,
    pub(crate) taken: Vec<Taken>,
}

impl Measured {
    pub(crate) fn middle(&self, value: fn(&Taken) -> f64) -> f64 {
        median(self.taken.iter().map(value))
    }
}

/// Measurements by their way.
#[derive(Default)]
pub(crate) struct Notes(RefCell<Vec<Measured>>);

impl Notes {
    pub(crate) fn note(&self, way: &'static str, workers: usize, taken: Taken) -> Taken {
        let mut measured = self.0.borrow_mut();
        match measured.iter_mut().find(|known| (known.way, known.workers) == (way, workers)) {
            Some(known) => known.taken.push(taken),
            None => measured.push(Measured { way, workers, taken: vec![taken] }),
        }
        taken
    }

    /// Each way, the one that takes most processor time first.
    pub(crate) fn slowest_first(self) -> Vec<Measured> {
        let mut measured = self.0.into_inner();
        let cpu = |of: &Measured| of.middle(Taken::per_item);
        measured.sort_by(|a, b| cpu(b).total_cmp(&cpu(a)));
        measured
    }
}
