//! Deleting a sealed table, and no other.

use std::time::Duration;

use aws_sdk_dynamodb::config::Config;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use septet_registry::{TableId, TableName};

use super::call::{failed, is_answered};
use super::{Current, Tables};
use crate::patience::Patience;
use crate::{Deletion, Error, NotYet, TableStatus};

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
    /// Only the table of the expected id is touched. DynamoDB deletes by name, so the id is looked at right
    /// before the call, and the call is never repeated blindly: a lost answer is settled by looking again. The
    /// policy that seals the table stays to the end and goes with it, so that at no point, whatever
    /// interrupts this, the table can be written to.
    ///
    /// A table that is left DELETING when the time is up is [`NotYet::Deleting`]: nothing stops it any more.
    pub async fn delete(
        &self,
        table: &TableName,
        expected: &TableId,
        patience: Duration,
    ) -> Result<Deletion, Error> {
        let mut patience = Patience::of(patience);
        let mut progress = Progress::default();
        loop {
            let (reason, error) = match self.delete_step(table, expected, &mut progress).await? {
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
        if facts.deletion_protected {
            return match self.set_deletion_protection(table, false).await {
                Ok(()) if progress.unprotected => Ok(Step::Wait(NotYet::Updating)),
                Ok(()) => {
                    progress.unprotected = true;
                    Ok(Step::Next)
                }
                Err(Error::InUse { .. } | Error::NotFound { .. }) => Ok(Step::Wait(NotYet::Updating)),
                Err(error) => Err(error),
            };
        }
        self.send_deletion(table, expected, progress).await
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
