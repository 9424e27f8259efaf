//! The audit log: who did what, when and why.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{DatasetName, PointerName, VersionNumber};

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// A contract was put.
    PutContract,
    /// A table was seen and became a version.
    Announce,
    /// A version was complete and was sealed.
    Seal,
    /// A check began.
    Check,
    /// A check whose lease had ended was taken over by another invocation.
    TakeOver,
    /// A check was shared among many invocations.
    Share,
    /// A version passed.
    Pass,
    /// A version did not pass.
    Reject,
    /// A version was not completed in time.
    Abandon,
    /// A version's table vanished by other hands.
    Lose,
    /// A version's table is going to be deleted.
    Retire,
    /// A version's table was deleted.
    Delete,
    /// A pointer moved by itself to a version that passed.
    Promote,
    /// A version that passed was not promoted.
    SkipPromotion,
    /// Somebody moved a pointer.
    Point,
    /// Somebody moved a pointer back.
    RollBack,
    /// Somebody undid a rollback.
    RollForward,
    /// Somebody ended a hold.
    Release,
}

impl Action {
    /// Whether the action changes the state of a version.
    pub fn changes_state(self) -> bool {
        use Action::*;
        matches!(self, Announce | Seal | Check | Pass | Reject | Abandon | Lose | Retire | Delete)
    }

    /// Whether the action changes which version a pointer names.
    pub fn moves_pointer(self) -> bool {
        matches!(self, Self::Promote | Self::Point | Self::RollBack | Self::RollForward)
    }

    /// The action as the registry stores it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PutContract => "put_contract",
            Self::Announce => "announce",
            Self::Seal => "seal",
            Self::Check => "check",
            Self::TakeOver => "take_over",
            Self::Share => "share",
            Self::Pass => "pass",
            Self::Reject => "reject",
            Self::Abandon => "abandon",
            Self::Lose => "lose",
            Self::Retire => "retire",
            Self::Delete => "delete",
            Self::Promote => "promote",
            Self::SkipPromotion => "skip_promotion",
            Self::Point => "point",
            Self::RollBack => "roll_back",
            Self::RollForward => "roll_forward",
            Self::Release => "release",
        }
    }
}

/// One action on record; never changed once written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Sorts by time.
    pub id: Uuid,
    /// When.
    pub at: Timestamp,
    /// The dataset.
    pub dataset: DatasetName,
    /// Who.
    pub actor: String,
    /// What.
    pub action: Action,
    /// The version it was done to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionNumber>,
    /// The pointer it was done to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<PointerName>,
    /// The state, or the version a pointer named, before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The state, or the version a pointer names, after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// The revision, or generation, that the change led to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
