//! The versions that a version is compared with.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use septet_contract::Baseline;

use crate::function::FunctionAnswer;
use crate::profile::Profile;

/// What rules know beside the version's own profile.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// The time, for the age of values.
    pub now: Timestamp,
    /// When this version appeared, for its day of the week in UTC.
    pub at: Timestamp,
    /// The version that the live pointer names.
    pub live: Option<Earlier>,
    /// Valid versions before this one, newest first.
    pub earlier: Vec<Earlier>,
    /// What functions of engine `lambda` said, by the ids of their rules; a rule that is not here is `errored`.
    pub answers: HashMap<String, FunctionAnswer>,
}

/// A valid version of the dataset.
#[derive(Debug, Clone)]
pub struct Earlier {
    /// As people know it, such as `version 41`.
    pub name: String,
    /// When it appeared.
    pub at: Timestamp,
    /// What was kept of it; none if nothing was or it cannot be read.
    pub profile: Option<Arc<Profile>>,
}

/// The profiles that a rule compares with, or why there is none.
pub(crate) enum Chosen<'a> {
    Against(Vec<&'a Earlier>),
    None(String),
}

impl History {
    /// What is known of a version with no others beside it, seen at this time.
    pub fn alone(now: Timestamp) -> Self {
        Self { now, at: now, ..Self::default() }
    }

    pub(crate) fn choose(&self, baseline: Baseline) -> Chosen<'_> {
        let day = |at: Timestamp| at.to_zoned(TimeZone::UTC).weekday();
        let (found, none) = match baseline {
            Baseline::Live => (self.live.iter().collect::<Vec<_>>(), "no version is live".to_owned()),
            Baseline::Previous => (
                self.earlier.iter().take(1).collect(),
                "there is no valid version before this one".to_owned(),
            ),
            Baseline::Median(count) => {
                let kept = self.earlier.iter().filter(|earlier| earlier.profile.is_some());
                let kept = kept.take(usize::try_from(count).unwrap_or(usize::MAX)).collect();
                (kept, "there is no valid version before this one".to_owned())
            }
            Baseline::SameWeekday => {
                let today = day(self.at);
                let same = self.earlier.iter().filter(|earlier| day(earlier.at) == today);
                (same.take(1).collect(), format!("no valid version is from a {today:?}"))
            }
        };
        match found.iter().find(|earlier| earlier.profile.is_none()) {
            Some(lacking) => Chosen::None(format!("no profile is kept of {}", lacking.name)),
            None if found.is_empty() => Chosen::None(none),
            None => Chosen::Against(found),
        }
    }
}
