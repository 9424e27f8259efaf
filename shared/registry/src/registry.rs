//! The registry: reads, and transitions that are decided purely and executed as one transaction each.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::dataset::{Claim, Contract, Dataset, Listing, Promotion};
use crate::decide::{self, Act, Announcement, NewContract, PointRequest, ReleaseRequest, SealFacts};
use crate::error::{Error, Outcome};
use crate::store::{Committed, Order, Store};
use crate::transaction::{Decision, Item, Key, partition, readers};
use crate::version::{Counts, KnownSignal, Lease, Verdict, Version};
use crate::{
    ContractNumber, DatasetName, Entropy, Heartbeat, Pointer, PointerName, Record, TableName, VersionNumber,
};

const ATTEMPTS: u32 = 40;
/// Commits without an answer, or throttled, after which it is given up: the client has tried each a few times already.
const FAILURES: usize = 5;
const BASE: Duration = Duration::from_millis(10);
const CAP: Duration = Duration::from_millis(500);

/// Who acts, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// Who.
    pub actor: String,
    /// When.
    pub now: Timestamp,
}

impl By {
    /// Somebody, at a time.
    pub fn new(actor: impl Into<String>, now: Timestamp) -> Self {
        Self { actor: actor.into(), now }
    }
}

/// Versions, pointers and the audit log of every dataset.
///
/// An operation that changes something is one transaction with one audit record: all of it happens, once,
/// or none. The same operation again changes nothing. Where the answer to a commit is lost, the audit
/// record is read back, so that [`Outcome::Done`] is said exactly when this call made the change.
#[derive(Clone)]
pub struct Registry {
    pub(crate) store: Arc<dyn Store>,
    entropy: Arc<Entropy>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

macro_rules! only {
    ($item:expr, $variant:ident) => {
        match $item {
            Some(Item::$variant(item)) => Some(item),
            _ => None,
        }
    };
}

impl Registry {
    /// A registry over a store.
    pub fn new(store: Arc<dyn Store>, entropy: Entropy) -> Self {
        Self { store, entropy: Arc::new(entropy) }
    }

    /// The registry in a DynamoDB table.
    pub fn in_dynamodb(client: aws_sdk_dynamodb::Client, table: impl Into<String>, entropy: Entropy) -> Self {
        Self::new(Arc::new(crate::dynamodb::DynamoDb::new(client, table)), entropy)
    }

    /// Every dataset, by name.
    pub async fn datasets(&self) -> Result<Vec<Listing>, Error> {
        let items = self.store.list("DATASETS", "", Order::Rising, None).await?;
        Ok(items.into_iter().filter_map(|item| only!(Some(item), Listing)).collect())
    }

    /// A dataset, if its contract was ever put.
    pub async fn find_dataset(&self, dataset: &DatasetName) -> Result<Option<Dataset>, Error> {
        Ok(only!(self.store.get(&Key::dataset(dataset)).await?, Dataset))
    }

    /// A dataset that must be there.
    pub async fn dataset(&self, dataset: &DatasetName) -> Result<Dataset, Error> {
        let found = self.find_dataset(dataset).await?;
        found.ok_or_else(|| Error::UnknownDataset { dataset: dataset.clone() })
    }

    /// A contract of a dataset.
    pub async fn contract(
        &self,
        dataset: &DatasetName,
        number: ContractNumber,
    ) -> Result<Option<Contract>, Error> {
        Ok(only!(self.store.get(&Key::contract(dataset, number)).await?, Contract))
    }

    /// Every contract of a dataset, the oldest first.
    pub async fn contracts(&self, dataset: &DatasetName) -> Result<Vec<Contract>, Error> {
        let items = self.store.list(&partition(dataset), "CONTRACT#", Order::Rising, None).await?;
        Ok(items.into_iter().filter_map(|item| only!(Some(item), Contract)).collect())
    }

    /// A version, if there is such a one.
    pub async fn find_version(
        &self,
        dataset: &DatasetName,
        number: VersionNumber,
    ) -> Result<Option<Version>, Error> {
        Ok(only!(self.store.get(&Key::version(dataset, number)).await?, Version).map(|version| *version))
    }

    /// A version that must be there.
    pub async fn version(&self, dataset: &DatasetName, number: VersionNumber) -> Result<Version, Error> {
        let found = self.find_version(dataset, number).await?;
        found.ok_or_else(|| Error::UnknownVersion { dataset: dataset.clone(), version: number })
    }

    /// Every version of a dataset, the oldest first, deleted ones included.
    pub async fn versions(&self, dataset: &DatasetName) -> Result<Vec<Version>, Error> {
        let items = self.store.list(&partition(dataset), "VERSION#", Order::Rising, None).await?;
        Ok(items.into_iter().filter_map(|item| only!(Some(item), Version)).map(|version| *version).collect())
    }

    /// A pointer, if it was ever set.
    pub async fn pointer(
        &self,
        dataset: &DatasetName,
        pointer: &PointerName,
    ) -> Result<Option<Pointer>, Error> {
        Ok(only!(self.store.get(&Key::pointer(dataset, pointer)).await?, Pointer))
    }

    /// Every pointer of a dataset, by name.
    pub async fn pointers(&self, dataset: &DatasetName) -> Result<Vec<Pointer>, Error> {
        let items = self.store.list(&partition(dataset), "POINTER#", Order::Rising, None).await?;
        Ok(items.into_iter().filter_map(|item| only!(Some(item), Pointer)).collect())
    }

    /// The audit log of a dataset, the latest first, at most `limit` records.
    pub async fn log(&self, dataset: &DatasetName, limit: Option<usize>) -> Result<Vec<Record>, Error> {
        let items = self.store.list(&partition(dataset), "LOG#", Order::Falling, limit).await?;
        Ok(items.into_iter().filter_map(|item| only!(Some(item), Record)).collect())
    }

    /// The readers of a dataset that gave a sign of life which has not expired.
    pub async fn readers(&self, dataset: &DatasetName, now: Timestamp) -> Result<Vec<Heartbeat>, Error> {
        let items = self.store.list(&readers(dataset), "READER#", Order::Rising, None).await?;
        let readers = items.into_iter().filter_map(|item| only!(Some(item), Heartbeat));
        // DynamoDB drops expired items within days, not at once.
        Ok(readers.filter(|reader| reader.expires_at > now.as_second()).collect())
    }

    /// The versions that tables of this name are or were, one for each table id.
    pub async fn claims(&self, table: &TableName) -> Result<Vec<Claim>, Error> {
        let items = self.store.list(&format!("TABLE#{table}"), "", Order::Rising, None).await?;
        Ok(items.into_iter().filter_map(|item| only!(Some(item), Claim)).collect())
    }

    /// Writes a reader's sign of life.
    pub async fn beat(&self, heartbeat: &Heartbeat) -> Result<(), Error> {
        self.store.put_heartbeat(heartbeat).await
    }

    /// Keeps a document about a version, such as its profile (`PROFILE`) or a result (`CHECK#rule`).
    pub async fn put_document(
        &self,
        dataset: &DatasetName,
        version: VersionNumber,
        name: &str,
        document: &serde_json::Value,
    ) -> Result<(), Error> {
        self.store.put_document(dataset, version, name, document).await
    }

    /// The documents about a version whose name begins with `prefix`, with their names.
    pub async fn documents(
        &self,
        dataset: &DatasetName,
        version: VersionNumber,
        prefix: &str,
    ) -> Result<Vec<(String, serde_json::Value)>, Error> {
        self.store.documents(dataset, version, prefix).await
    }

    /// Puts a contract; see [`decide::put_contract`].
    pub async fn put_contract(&self, new: &NewContract, by: &By) -> Result<Outcome<ContractNumber>, Error> {
        self.settle("put the contract", by, move |act| async move {
            let known = self.find_dataset(&new.dataset).await?;
            let listed = only!(self.store.get(&Key::listing(&new.dataset)).await?, Listing);
            Ok(decide::put_contract(known.as_ref(), listed.as_ref(), new, &act))
        })
        .await
    }

    /// Makes a table a version, once; see [`decide::announce`].
    pub async fn announce(
        &self,
        dataset: &DatasetName,
        new: &Announcement,
        by: &By,
    ) -> Result<Outcome<Version>, Error> {
        self.settle("announce the table", by, move |act| async move {
            // Read before the claim: a claim that lands in between moves the dataset's revision.
            let known = self.dataset(dataset).await?;
            let claim = only!(self.store.get(&Key::claim(&new.table, &new.table_id)).await?, Claim);
            let claimed = match claim {
                Some(claim) => Some(self.version(&claim.dataset, claim.version).await?),
                None => None,
            };
            Ok(decide::announce(&known, claimed.as_ref(), new, &act))
        })
        .await
    }

    /// Records that a version is complete and sealed; see [`decide::seal`].
    pub async fn seal(
        &self,
        dataset: &DatasetName,
        version: VersionNumber,
        facts: &SealFacts,
        by: &By,
    ) -> Result<Outcome<Version>, Error> {
        self.change_in("seal the version", dataset, version, by, |dataset, version, act| {
            decide::seal(dataset, version, facts, act)
        })
        .await
    }

    /// Puts a signal on record; see [`decide::record_signal`].
    pub async fn record_signal(
        &self,
        dataset: &DatasetName,
        version: VersionNumber,
        signal: &KnownSignal,
        by: &By,
    ) -> Result<Outcome<Version>, Error> {
        self.change("record the signal", dataset, version, by, |version, act| {
            decide::record_signal(version, signal, act)
        })
        .await
    }

    /// Records that a table has no tag yet; see [`decide::see_untagged`].
    pub async fn see_untagged(
        &self,
        dataset: &DatasetName,
        version: VersionNumber,
        by: &By,
    ) -> Result<Outcome<Version>, Error> {
        self.change("record the missing tag", dataset, version, by, decide::see_untagged).await
    }

    /// Records that a table was its owner's to protect; see [`decide::see_protection`].
    pub async fn see_protection(
        &self,
        dataset: &DatasetName,
        version: VersionNumber,
        by: &By,
    ) -> Result<Outcome<Version>, Error> {
        self.change("record the owner's protection", dataset, version, by, decide::see_protection).await
    }

    /// Records why a version does not go on; see [`decide::wait`].
    pub async fn wait(
        &self,
        dataset: &DatasetName,
        version: VersionNumber,
        reason: &str,
        by: &By,
    ) -> Result<Outcome<Version>, Error> {
        self.change("record what the version waits for", dataset, version, by, |version, act| {
            decide::wait(version, reason, act)
        })
        .await
    }

    /// Gives a version of release 0.1.0 a seal id; see [`decide::name_seal`].
    pub async fn name_seal(
        &self,
        dataset: &DatasetName,
        version: VersionNumber,
        by: &By,
    ) -> Result<Outcome<Version>, Error> {
        self.change("name the seal", dataset, version, by, decide::name_seal).await
    }

    /// Rejects a version whose table must not be sealed; see [`decide::reject_unsealed`].
    pub async fn reject_unsealed(
        &self,
        dataset: &DatasetName,
        version: VersionNumber,
        verdict: &Verdict,
        by: &By,
    ) -> Result<Outcome<Version>, Error> {
        self.change("reject the version", dataset, version, by, |version, act| {
            decide::reject_unsealed(version, verdict.clone(), act)
        })
        .await
    }

    /// Withdraws a version; see [`decide::withdraw`].
    pub async fn withdraw(
        &self,
        dataset: &DatasetName,
        version: VersionNumber,
        reason: &str,
        by: &By,
    ) -> Result<Outcome<Version>, Error> {
        self.change_in("withdraw the version", dataset, version, by, |dataset, version, act| {
            decide::withdraw(dataset, version, reason, act)
        })
        .await
    }

    /// Reinstates a withdrawn version; see [`decide::reinstate`].
    pub async fn reinstate(
        &self,
        dataset: &DatasetName,
        version: VersionNumber,
        reason: &str,
        by: &By,
    ) -> Result<Outcome<Version>, Error> {
        self.change_in("reinstate the version", dataset, version, by, |dataset, version, act| {
            decide::reinstate(dataset, version, reason, act)
        })
        .await
    }

    /// Asks for the deletion of a table that was never sealed; see [`decide::discard`].
    pub async fn discard(
        &self,
        dataset: &DatasetName,
        version: VersionNumber,
        reason: &str,
        by: &By,
    ) -> Result<Outcome<Version>, Error> {
        self.change("discard the version", dataset, version, by, |version, act| {
            decide::discard(version, reason, act)
        })
        .await
    }

    /// Begins a check; see [`decide::begin_check`].
    pub async fn begin_check(
        &self,
        dataset: &DatasetName,
        version: VersionNumber,
        lease: &Lease,
        by: &By,
    ) -> Result<Outcome<Version>, Error> {
        self.change("begin the check", dataset, version, by, |version, act| {
            decide::begin_check(version, lease.clone(), act)
        })
        .await
    }

    /// Shares a check among many invocations; see [`decide::share`].
    pub async fn share(
        &self,
        dataset: &DatasetName,
        version: VersionNumber,
        owner: &str,
        parts: u32,
        by: &By,
    ) -> Result<Outcome<Version>, Error> {
        self.change("share the check", dataset, version, by, |version, act| {
            decide::share(version, owner, parts, act)
        })
        .await
    }

    /// Ends a check with its verdict; see [`decide::conclude`].
    pub async fn conclude(
        &self,
        dataset: &DatasetName,
        version: VersionNumber,
        owner: &str,
        conclusion: &Conclusion,
        by: &By,
    ) -> Result<Outcome<Version>, Error> {
        let Conclusion { verdict, counts, digest, promotion } = conclusion;
        self.change("conclude the check", dataset, version, by, |version, act| {
            let (verdict, counts, digest) = (verdict.clone(), counts.clone(), digest.clone());
            decide::conclude(version, owner, verdict, counts, digest, *promotion, act)
        })
        .await
    }

    /// Gives up a version; see [`decide::abandon`].
    pub async fn abandon(
        &self,
        dataset: &DatasetName,
        version: VersionNumber,
        by: &By,
    ) -> Result<Outcome<Version>, Error> {
        self.change("abandon the version", dataset, version, by, decide::abandon).await
    }

    /// Records that a version's table vanished; see [`decide::lose`].
    pub async fn lose(
        &self,
        dataset: &DatasetName,
        version: VersionNumber,
        by: &By,
    ) -> Result<Outcome<Version>, Error> {
        self.change("record the loss", dataset, version, by, decide::lose).await
    }

    /// Marks a version for deletion; see [`decide::retire`].
    pub async fn retire(
        &self,
        dataset: &DatasetName,
        version: VersionNumber,
        reason: &str,
        by: &By,
    ) -> Result<Outcome<Version>, Error> {
        self.settle("retire the version", by, move |act| async move {
            let known = self.dataset(dataset).await?;
            let live = self.pointer(dataset, &PointerName::live()).await?;
            let versions = self.versions(dataset).await?;
            let found = among(&versions, dataset, version)?;
            Ok(decide::retire(&known, live.as_ref(), &versions, found, reason, &act))
        })
        .await
    }

    /// Records that a retiring version's table is gone; see [`decide::delete`].
    pub async fn delete(
        &self,
        dataset: &DatasetName,
        version: VersionNumber,
        by: &By,
    ) -> Result<Outcome<Version>, Error> {
        self.change("record the deletion", dataset, version, by, decide::delete).await
    }

    /// Promotes a version that passed; see [`decide::promote`].
    pub async fn promote(
        &self,
        dataset: &DatasetName,
        pointer: &PointerName,
        version: VersionNumber,
        by: &By,
    ) -> Result<Outcome<Pointer>, Error> {
        self.settle("promote the version", by, move |act| async move {
            let known = self.dataset(dataset).await?;
            let at = self.pointer(dataset, pointer).await?;
            let versions = self.versions(dataset).await?;
            let target = among(&versions, dataset, version)?;
            Ok(decide::promote(&known, pointer, at.as_ref(), &versions, target, &act))
        })
        .await
    }

    /// Records why a version is not promoted; see [`decide::skip_promotion`].
    pub async fn skip_promotion(
        &self,
        dataset: &DatasetName,
        version: VersionNumber,
        why: &str,
        by: &By,
    ) -> Result<Outcome<Version>, Error> {
        self.change("skip the promotion", dataset, version, by, |version, act| {
            decide::skip_promotion(version, why, act)
        })
        .await
    }

    /// Moves a pointer; see [`decide::move_pointer`].
    pub async fn move_pointer(
        &self,
        dataset: &DatasetName,
        pointer: &PointerName,
        request: &PointRequest,
        by: &By,
    ) -> Result<Outcome<Pointer>, Error> {
        self.settle("move the pointer", by, move |act| async move {
            let known = self.dataset(dataset).await?;
            let at = self.pointer(dataset, pointer).await?;
            let versions = self.versions(dataset).await?;
            if let decide::Direction::To(number) | decide::Direction::Back(Some(number)) = request.direction {
                among(&versions, dataset, number)?;
            }
            Ok(decide::move_pointer(&known, pointer, at.as_ref(), &versions, request, &act))
        })
        .await
    }

    /// Ends a hold; see [`decide::release`].
    pub async fn release(
        &self,
        dataset: &DatasetName,
        pointer: &PointerName,
        request: &ReleaseRequest,
        by: &By,
    ) -> Result<Outcome<Pointer>, Error> {
        self.settle("release the pointer", by, move |act| async move {
            let known = self.dataset(dataset).await?;
            let at = self.pointer(dataset, pointer).await?;
            let versions = match request.promote {
                Some(_) => self.versions(dataset).await?,
                None => Vec::new(),
            };
            Ok(decide::release(&known, pointer, at.as_ref(), &versions, request, &act))
        })
        .await
    }

    /// Changes a version in a way that depends on its dataset.
    async fn change_in(
        &self,
        what: &'static str,
        dataset: &DatasetName,
        number: VersionNumber,
        by: &By,
        decide: impl Fn(&Dataset, &Version, &Act) -> Decision<Version> + Sync,
    ) -> Result<Outcome<Version>, Error> {
        let decide = &decide;
        self.settle(what, by, move |act| async move {
            let known = self.dataset(dataset).await?;
            Ok(decide(&known, &self.version(dataset, number).await?, &act))
        })
        .await
    }

    async fn change(
        &self,
        what: &'static str,
        dataset: &DatasetName,
        number: VersionNumber,
        by: &By,
        decide: impl Fn(&Version, &Act) -> Decision<Version> + Sync,
    ) -> Result<Outcome<Version>, Error> {
        let decide = &decide;
        self.settle(
            what,
            by,
            move |act| async move { Ok(decide(&self.version(dataset, number).await?, &act)) },
        )
        .await
    }

    /// Reads, decides and commits until it is known what happened.
    async fn settle<T, F>(
        &self,
        what: &'static str,
        by: &By,
        decide: impl Fn(Act) -> F,
    ) -> Result<Outcome<T>, Error>
    where
        F: Future<Output = Result<Decision<T>, Error>>,
    {
        let act = Act { id: self.entropy.id(by.now), at: by.now, actor: by.actor.clone() };
        let mut unanswered: Vec<(Record, T)> = Vec::new();
        let mut last = None;
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                let most = CAP.min(BASE * 2u32.pow(attempt.min(10)));
                tokio::time::sleep(self.entropy.jitter(most)).await;
            }
            let (transaction, value) = match decide(act.clone()).await? {
                Decision::Commit(transaction, value) => (transaction, value),
                // What is found done may be an earlier attempt of this call whose answer was lost.
                Decision::Already(value) => {
                    let ours = self.landed(&act, &mut unanswered).await?;
                    return Ok(ours.map_or(Outcome::Already(value), Outcome::Done));
                }
                Decision::Refuse(refusal) => {
                    let ours = self.landed(&act, &mut unanswered).await?;
                    return Ok(ours.map_or(Outcome::Refused(refusal), Outcome::Done));
                }
            };
            debug_assert_eq!(crate::invariants::of_transaction(&transaction), Vec::<String>::new());
            match self.store.commit(&transaction).await {
                Ok(Committed::Done) => return Ok(Outcome::Done(value)),
                Ok(Committed::Conflict) => last = None,
                Err(error) if error.is_retryable() => {
                    tracing::debug!(what, attempt, %error, "the answer to a commit is missing");
                    unanswered.push((transaction.record.clone(), value));
                    last = Some(error);
                }
                Err(error) => return Err(error),
            }
            if let Some(value) = self.landed(&act, &mut unanswered).await? {
                return Ok(Outcome::Done(value));
            }
            if unanswered.len() >= FAILURES {
                break;
            }
        }
        Err(last.unwrap_or(Error::Contended { action: what, attempts: ATTEMPTS }))
    }

    /// The value of the attempt that landed although its answer was lost.
    async fn landed<T>(&self, act: &Act, unanswered: &mut Vec<(Record, T)>) -> Result<Option<T>, Error> {
        let Some((record, _)) = unanswered.first() else { return Ok(None) };
        let Some(Item::Record(found)) = self.store.get(&Key::record(&record.dataset, act.id)).await? else {
            return Ok(None);
        };
        let at = unanswered.iter().position(|(record, _)| *record == found);
        Ok(at.map(|at| unanswered.swap_remove(at).1))
    }
}

/// Finds a version among those of its dataset.
fn among<'a>(
    versions: &'a [Version],
    dataset: &DatasetName,
    version: VersionNumber,
) -> Result<&'a Version, Error> {
    let found = versions.iter().find(|it| it.version == version);
    found.ok_or_else(|| Error::UnknownVersion { dataset: dataset.clone(), version })
}

/// What a check came to, for [`Registry::conclude`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conclusion {
    /// The verdict.
    pub verdict: Verdict,
    /// What was counted.
    pub counts: Option<Counts>,
    /// Order-free digest of the content.
    pub digest: Option<String>,
    /// Whether the contract lets a version that passed go live by itself.
    pub promotion: Promotion,
}
