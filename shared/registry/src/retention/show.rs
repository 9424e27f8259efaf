//! Plans as people read them.

use std::fmt;

use super::{Act, Keep, Plan};

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Retire => "retire",
            Self::Delete => "delete",
        })
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named { by } => write!(f, "named by {by}"),
            Self::Left { until } => write!(f, "left by a pointer, kept until {until}"),
            Self::Newest { place } => write!(f, "newest good version, place {place}"),
            Self::Held => f.write_str("live before a hold that is in force"),
            Self::Withdrawn { until } => write!(f, "withdrawn, kept until {until}"),
            Self::AfterHold => f.write_str("superfluous since a hold ended, goes with a later sweep"),
            Self::Served { by } => match by.as_slice() {
                [one] => write!(f, "served by reader {one}"),
                [one, more @ ..] => write!(f, "served by reader {one} and {} more", more.len()),
                [] => f.write_str("served"),
            },
            Self::NotPassed { until } => write!(f, "kept to be looked at until {until}"),
            Self::Unfinished => f.write_str("not checked yet"),
            Self::NeverSealed => f.write_str("never sealed: Septet deletes only tables that it sealed"),
            Self::Waiting { until } => write!(f, "its table may be deleted after {until}"),
        }
    }
}

/// One line that sums up, then one for each step and each version kept.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |act: Act| self.steps.iter().filter(|step| step.act == act).count();
        let (retire, delete) = (count(Act::Retire), count(Act::Delete));
        write!(f, "{}: retire {retire}, delete {delete}, keep {}", self.dataset, self.keep.len())?;
        if self.is_refused() {
            write!(f, "; refused: {} steps at once, at most {} may be", self.counted(), self.at_most)?;
        }
        for step in &self.steps {
            write!(f, "\n  {} {} {}: {}", step.act, step.version, step.table, step.reason)?;
        }
        for kept in &self.keep {
            write!(f, "\n  keep {} {} ({}): ", kept.version, kept.table, kept.state)?;
            for (at, keep) in kept.because.iter().enumerate() {
                write!(f, "{}{keep}", if at == 0 { "" } else { ", " })?;
            }
        }
        Ok(())
    }
}
