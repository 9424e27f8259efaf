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
    /// An operator withdrew a version.
    Withdraw,
    /// An operator reinstated a withdrawn version.
    Reinstate,
    /// An operator asked for the deletion of a table that was never sealed.
    Discard,
    /// A signal was put on record before its table could be sealed.
    Signal,
    /// A settled table was seen without the tag `septet:ready`.
    SeeUntagged,
    /// A version of release 0.1.0 got the id of its seal.
    NameSeal,
    /// A table was protected against deletion before it was sealed: its owner's protection.
    SeeProtection,
    /// A version waits, for a reason that its state does not say.
    Wait,
}

impl Action {
    /// The action under which release 0.1.0 reads a record of this one: that release knows no other words, and does not
    /// read a log that has any. Such a record has the true word in its attribute `verb`.
    pub(crate) fn stored(self) -> Self {
        use Action::*;
        match self {
            Withdraw | Reinstate | Discard => SkipPromotion,
            Signal | SeeUntagged | NameSeal | SeeProtection | Wait => TakeOver,
            PutContract | Announce | Seal | Check | TakeOver | Share | Pass | Reject | Abandon | Lose
            | Retire | Delete | Promote | SkipPromotion | Point | RollBack | RollForward | Release => self,
        }
    }

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
            Self::Withdraw => "withdraw",
            Self::Reinstate => "reinstate",
            Self::Discard => "discard",
            Self::Signal => "signal",
            Self::SeeUntagged => "see_untagged",
            Self::NameSeal => "name_seal",
            Self::SeeProtection => "see_protection",
            Self::Wait => "wait",
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
