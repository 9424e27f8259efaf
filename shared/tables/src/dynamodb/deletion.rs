//! Deleting a sealed table, or a discarded one, and no other.

use std::time::Duration;

use aws_sdk_dynamodb::config::Config;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use septet_registry::{SealId, TableId, TableName};

use super::call::{failed, is_answered};
use super::{Current, Tables};
use crate::patience::Patience;
use crate::policy::find_foreign_seal;
use crate::{Deletion, Error, KeptBecause, NotYet, SealPolicy, TableFacts, TableStatus};

/// A sealed table that is to be deleted: all of it must agree with the table.
#[derive(Debug, Clone, Copy)]
pub struct DeletionTarget<'a> {
    /// Name of the table.
    pub table: &'a TableName,
    /// Id of the table.
    pub id: &'a TableId,
    /// Id of the seal that its policy carries.
    pub seal: &'a SealId,
    /// True if deletion protection was on before Septet sealed the table. Then Septet does not switch it off.
    pub owner_protected: bool,
}

/// Entitlement of a caller to delete a table.
#[derive(Debug, Clone, Copy)]
enum Entitlement<'a> {
    /// The table carries this seal.
    Sealed { seal: &'a SealId, owner_protected: bool },
    /// An operator discarded the table, which was never sealed, or only in part with this seal.
    Discarded { seal: Option<&'a SealId> },
}

impl Entitlement<'_> {
    /// Says why the policy keeps the table from being deleted, if so.
    fn kept(&self, facts: &TableFacts, policy: Option<&str>) -> Result<Option<KeptBecause>, Error> {
        match *self {
            Self::Sealed { seal, .. } => SealPolicy::refuse_deletion(facts, policy, seal),
            Self::Discarded { seal } => {
                let foreign = find_foreign_seal(&facts.name, policy, seal)?;
                Ok(foreign.map(|id| KeptBecause::ForeignSeal { id }))
            }
        }
    }

    /// Returns true if deletion protection is Septet's own, which it may switch off.
    const fn unprotects(&self) -> bool {
        matches!(self, Self::Sealed { owner_protected: false, .. })
    }
}

/// What this attempt has done already.
#[derive(Debug, Default)]
struct Progress {
    unprotected: bool,
    /// A deletion was sent, and may have landed.
    sent: bool,
    /// DynamoDB has taken a deletion. A description that still shows the table is a moment old.
    taken: bool,
}

enum Step {
    Next,
    Wait(NotYet),
    /// As [`Step::Wait`], and the error to answer with when the time is up.
    Retry(Error),
    Done(Deletion),
}

impl Tables {
    /// Switches deletion protection off, deletes the table and confirms that it is gone, with pauses of at
    /// most `patience` in all.
    ///
    /// Only the table of the expected id is touched, and only if its policy carries the expected seal, intact.
    /// Both are read right before each change. DynamoDB deletes by name, so the call is never repeated blindly: a
    /// lost answer is settled by looking again. Deletion protection of the owner is not switched off; a table whose
    /// owner has switched it off is deleted.
    ///
    /// The policy that seals the table stays to the end and goes with it, so that at no point, whatever
    /// interrupts this, the table can be written to.
    ///
    /// A table that is left DELETING when the time is up is [`NotYet::Deleting`]: nothing stops it any more.
    pub async fn delete(&self, target: DeletionTarget<'_>, patience: Duration) -> Result<Deletion, Error> {
        let DeletionTarget { table, id, seal, owner_protected } = target;
        self.delete_entitled(table, id, Entitlement::Sealed { seal, owner_protected }, patience).await
    }

    /// Deletes a table that an operator discarded before it was sealed, as [`Tables::delete`] does.
    ///
    /// A table that carries another seal than `seal` is kept, and one with deletion protection too: protection is
    /// never switched off here. A version whose sealing was interrupted has its seal id for `seal`; a table without
    /// one has none, and then any statement of a seal keeps it.
    pub async fn discard(
        &self,
        table: &TableName,
        id: &TableId,
        seal: Option<&SealId>,
        patience: Duration,
    ) -> Result<Deletion, Error> {
        self.delete_entitled(table, id, Entitlement::Discarded { seal }, patience).await
    }

    async fn delete_entitled(
        &self,
        table: &TableName,
        expected: &TableId,
        entitlement: Entitlement<'_>,
        patience: Duration,
    ) -> Result<Deletion, Error> {
        let mut patience = Patience::of(patience);
        let mut progress = Progress::default();
        loop {
            let (reason, error) = match self.delete_step(table, expected, entitlement, &mut progress).await? {
                Step::Done(deletion) => return Ok(deletion),
                Step::Next => continue,
                Step::Wait(reason) => (Some(reason), None),
                Step::Retry(error) => (None, Some(error)),
            };
            if !patience.wait().await {
                return match (reason, error) {
                    (Some(reason), _) => Ok(Deletion::NotYet(reason)),
                    (None, Some(error)) => Err(error),
                    (None, None) => Ok(Deletion::NotYet(NotYet::Deleting)),
                };
            }
        }
    }

    async fn delete_step(
        &self,
        table: &TableName,
        expected: &TableId,
        entitlement: Entitlement<'_>,
        progress: &mut Progress,
    ) -> Result<Step, Error> {
        let facts = match self.current(table, expected).await? {
            Current::Present(facts) => facts,
            Current::Gone { .. } if progress.sent => return Ok(Step::Done(Deletion::Deleted)),
            Current::Gone { successor } => return Ok(Step::Done(Deletion::Gone { successor })),
        };
        match facts.status {
            TableStatus::Creating => return Ok(Step::Done(Deletion::NotYet(NotYet::Creating))),
            TableStatus::Updating => return Ok(Step::Wait(NotYet::Updating)),
            TableStatus::Deleting => {
                progress.sent = true;
                return Ok(Step::Wait(NotYet::Deleting));
            }
            _ if progress.taken => return Ok(Step::Wait(NotYet::Deleting)),
            TableStatus::Active | TableStatus::Other(_) => {}
        }
        let policy = match self.policy_of(&facts).await {
            Ok(policy) => policy.map(|(text, _)| text),
            // It has gone since it was described, or DynamoDB's parts do not agree on it yet.
            Err(Error::NotFound { .. }) => return Ok(Step::Wait(NotYet::PolicyNotVisible)),
            Err(error) => return Err(error),
        };
        match entitlement.kept(&facts, policy.as_deref())? {
            None => {}
            // A policy goes with its table, and the description is a moment old.
            Some(_) if policy.is_none() && progress.sent => return Ok(Step::Wait(NotYet::Deleting)),
            Some(because) => return Ok(Step::Done(Deletion::Kept(because))),
        }
        if !facts.deletion_protected {
            return self.send_deletion(table, expected, progress).await;
        }
        if !entitlement.unprotects() {
            return Ok(Step::Done(Deletion::Kept(KeptBecause::OwnersProtection)));
        }
        self.unprotect(table, expected, progress).await
    }

    /// Switches deletion protection off; on again, if it was that of another table.
    async fn unprotect(
        &self,
        table: &TableName,
        expected: &TableId,
        progress: &mut Progress,
    ) -> Result<Step, Error> {
        match self.set_deletion_protection(table, false).await {
            Ok(Some(other)) if other != *expected => {
                self.set_deletion_protection(table, true).await?;
                Ok(Step::Done(Deletion::Gone { successor: Some(other) }))
            }
            Ok(_) if progress.unprotected => Ok(Step::Wait(NotYet::Updating)),
            Ok(_) => {
                progress.unprotected = true;
                Ok(Step::Next)
            }
            Err(Error::InUse { .. } | Error::NotFound { .. }) => Ok(Step::Wait(NotYet::Updating)),
            Err(error) => Err(error),
        }
    }

    async fn send_deletion(
        &self,
        table: &TableName,
        expected: &TableId,
        progress: &mut Progress,
    ) -> Result<Step, Error> {
        let once = Config::builder().retry_config(RetryConfig::disabled());
        let call = self.client.delete_table().table_name(table.as_str()).customize().config_override(once);
        let error = match call.send().await {
            Ok(answer) => {
                (progress.sent, progress.taken) = (true, true);
                let deleted = answer.table_description.and_then(|description| description.table_id);
                let deleted = deleted.and_then(|id| TableId::parse(id).ok());
                tracing::info!(%table, id = %expected, "deleted the table");
                return match deleted {
                    Some(deleted) if deleted != *expected => {
                        Err(Error::WrongTable { table: table.clone(), expected: expected.clone(), deleted })
                    }
                    _ => Ok(Step::Next),
                };
            }
            Err(error) => error,
        };
        // Without an answer it may have landed: then the table is gone, or going, by our own hand.
        progress.sent |= !is_answered(&error);
        match failed("DeleteTable", table, error) {
            Error::NotFound { .. } => Ok(Step::Wait(NotYet::Deleting)),
            Error::InUse { .. } => Ok(Step::Wait(NotYet::Updating)),
            // Protection that was switched on again, or a description that is a moment old.
            Error::Refused { message, .. } if is_protection(&message) => Ok(Step::Wait(NotYet::Updating)),
            error if error.is_retryable() => Ok(Step::Retry(error)),
            error => Err(error),
        }
    }
}

fn is_protection(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    message.contains("deletion protection") || message.contains("protected against deletion")
}
