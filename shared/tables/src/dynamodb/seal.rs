//! Sealing a table, and proving the seal.

use std::collections::BTreeMap;
use std::time::Duration;

use septet_registry::{SealId, TableId, TableName};

use super::call::{self, failed};
use super::{Current, Tables, item};
use crate::patience::Patience;
use crate::policy::Plan;
use crate::{Error, Key, KeyType, KeyValue, NotYet, Seal, Sealing, TableFacts};

/// Policies come into force here and there at different times, so one denial proves little.
const PROOFS: u32 = 3;

/// What this attempt has done already.
#[derive(Debug, Default)]
struct Progress {
    put_policy: bool,
    protected: bool,
}

enum Step {
    Next,
    Wait(NotYet),
    Done(Sealing),
}

/// Outcome of an attempt to put a policy.
pub(super) enum PolicyPut {
    Done,
    NotYet(NotYet),
}

enum Proof {
    Denied,
    NotDenied,
}

impl Tables {
    /// Seals a table with the seal of an id and proves the seal, with pauses of at most `patience` in all.
    ///
    /// The policy is put first, because writes are what the seal is about; then deletion protection is switched
    /// on, both are read back, and a write that cannot succeed is tried until it is denied. Statements of
    /// others in the policy stay. Sealing a sealed table changes nothing and proves the seal again; a seal of Septet
    /// 0.1.0, which has no id, only gains the id. A table that carries another seal, and an unsealed one with a
    /// feature that makes a promise impossible, are left as they are.
    ///
    /// # Errors
    /// A proof that is denied by anything but the table's own policy is no proof: [`Error::Denied`] then names
    /// `dynamodb:UpdateItem`, which the caller must be allowed.
    pub async fn seal(&self, table: &TableFacts, id: &SealId, patience: Duration) -> Result<Sealing, Error> {
        let mut patience = Patience::of(patience);
        let mut progress = Progress::default();
        loop {
            let reason = match self.seal_step(table, id, &mut progress).await? {
                Step::Done(sealing) => return Ok(sealing),
                Step::Next => continue,
                Step::Wait(reason) => reason,
            };
            tracing::debug!(table = %table.name, %reason, "the seal has to wait");
            if !patience.wait().await {
                return Ok(Sealing::NotYet(reason));
            }
        }
    }

    async fn seal_step(
        &self,
        table: &TableFacts,
        id: &SealId,
        progress: &mut Progress,
    ) -> Result<Step, Error> {
        let facts = match self.current(&table.name, &table.id).await? {
            Current::Present(facts) => facts,
            Current::Gone { successor } => return Ok(Step::Done(Sealing::Gone { successor })),
        };
        if let Some(reason) = NotYet::of_status(&facts.status).filter(|reason| *reason != NotYet::Updating) {
            return Ok(Step::Done(Sealing::NotYet(reason)));
        }
        let there = self.policy_of(&facts).await?;
        let (text, revision) = there.unzip();
        let wanted = match self.seal.plan(&facts, text.as_deref(), id)? {
            Plan::Foreign(id) => return Ok(Step::Done(Sealing::Foreign { id })),
            Plan::Stands => None,
            Plan::Put(wanted) => Some(wanted),
        };
        let changes = wanted.is_some() || !facts.deletion_protected;
        if changes && !facts.features.refused.is_empty() {
            return Ok(Step::Done(Sealing::Refused { why: facts.features.refused }));
        }
        if let Some(wanted) = wanted {
            // What was put cannot always be read back at once, and putting it again would be refused for 15 s.
            if progress.put_policy {
                return Ok(Step::Wait(NotYet::PolicyNotVisible));
            }
            return Ok(match self.put_policy(&facts, wanted, revision).await? {
                PolicyPut::Done => {
                    progress.put_policy = true;
                    Step::Next
                }
                PolicyPut::NotYet(reason) => Step::Wait(reason),
            });
        }
        if !facts.deletion_protected {
            return self.protect_against_deletion(&facts, progress).await;
        }
        for _ in 0..PROOFS {
            match self.try_to_write(&facts).await {
                Ok(Proof::Denied) => {}
                Ok(Proof::NotDenied) => return Ok(Step::Wait(NotYet::SealNotInForce)),
                // It has gone since it was described, or DynamoDB's parts do not agree on it yet.
                Err(Error::NotFound { .. }) => return Ok(Step::Wait(NotYet::SealNotInForce)),
                Err(error) => return Err(error),
            }
        }
        let changed = progress.put_policy || progress.protected;
        Ok(Step::Done(Sealing::Sealed(Seal { revision: revision.unwrap_or_default(), changed })))
    }

    /// Puts a policy in place of the revision that it was made from, and of no other.
    pub(super) async fn put_policy(
        &self,
        facts: &TableFacts,
        text: String,
        revision: Option<String>,
    ) -> Result<PolicyPut, Error> {
        let expected = revision.unwrap_or_else(|| "NO_POLICY".into());
        let call = self.client.put_resource_policy().resource_arn(&facts.arn).policy(text);
        match call.expected_revision_id(expected).send().await {
            Ok(_) => {
                tracing::info!(table = %facts.name, "put the policy that seals the table");
                Ok(PolicyPut::Done)
            }
            // Another policy than the one just read: somebody was faster, or it was we and the answer was lost.
            Err(error) if call::code(&error) == "PolicyNotFoundException" => {
                Ok(PolicyPut::NotYet(NotYet::PolicyNotVisible))
            }
            Err(error) => match failed("PutResourcePolicy", &facts.name, error) {
                Error::InUse { .. } => Ok(PolicyPut::NotYet(NotYet::PolicyBusy)),
                Error::NotFound { .. } => Ok(PolicyPut::NotYet(NotYet::PolicyNotVisible)),
                error => Err(error),
            },
        }
    }

    async fn protect_against_deletion(
        &self,
        facts: &TableFacts,
        progress: &mut Progress,
    ) -> Result<Step, Error> {
        match self.set_deletion_protection(&facts.name, true).await {
            Ok(_) => {
                let first = !progress.protected;
                progress.protected = true;
                Ok(if first { Step::Next } else { Step::Wait(NotYet::Updating) })
            }
            Err(Error::InUse { .. } | Error::NotFound { .. }) => Ok(Step::Wait(NotYet::Updating)),
            // It is on by now, and the description is a moment old.
            Err(Error::Refused { .. }) if progress.protected => Ok(Step::Wait(NotYet::Updating)),
            Err(error) => Err(error),
        }
    }

    /// Sets deletion protection, and says of which table, where DynamoDB does.
    pub(super) async fn set_deletion_protection(
        &self,
        table: &TableName,
        on: bool,
    ) -> Result<Option<TableId>, Error> {
        let call = self.client.update_table().table_name(table.as_str()).deletion_protection_enabled(on);
        let answer = call.send().await.map_err(|error| failed("UpdateTable", table, error))?;
        tracing::info!(%table, on, "set deletion protection");
        let id = answer.table_description.and_then(|description| description.table_id);
        Ok(id.and_then(|id| TableId::parse(id).ok()))
    }

    /// Tries an update under a condition that no item meets: that its key both exists and does not.
    async fn try_to_write(&self, facts: &TableFacts) -> Result<Proof, Error> {
        let answer = self
            .client
            .update_item()
            .table_name(facts.name.as_str())
            .set_key(Some(item::from_key(&proof_key(facts))))
            .condition_expression("attribute_exists(#key) AND attribute_not_exists(#key)")
            .expression_attribute_names("#key", &facts.keys.partition.name)
            .send()
            .await;
        let error = match answer {
            Ok(_) => return Ok(Proof::NotDenied),
            Err(error) if call::code(&error) == "ConditionalCheckFailedException" => {
                return Ok(Proof::NotDenied);
            }
            Err(error) => failed("UpdateItem", &facts.name, error),
        };
        match error {
            Error::Denied { by_table_policy: true, .. } => Ok(Proof::Denied),
            error => Err(error),
        }
    }
}

/// A key of the right types, of which no item is expected; if there is one, the condition still spares it.
fn proof_key(facts: &TableFacts) -> Key {
    let value = |kind| match kind {
        KeyType::S => KeyValue::S("septet-seal-proof".into()),
        KeyType::N => KeyValue::N("-7777777".into()),
        KeyType::B => KeyValue::B(b"septet-seal-proof".to_vec()),
    };
    Key(facts.keys.iter().map(|key| (key.name.clone(), value(key.kind))).collect::<BTreeMap<_, _>>())
}
