//! What writers do: the real operations in the order in which Septet's functions and command make them.

use fastrand::Rng;
use jiff::SignedDuration;
use septet_registry::retention::{self, Holdings, Policy};
use septet_registry::*;

use super::origins::Origin;
use super::simulation::Simulation;
use crate::store::*;

/// How often a message is delivered, or an operator repeats a command, while the store fails.
const ATTEMPTS: u32 = 3;

/// Seconds for which a check is leased.
const LEASE: i64 = 20;

/// What one writer does.
#[derive(Debug, Clone)]
pub(super) enum Script {
    /// on-publish handles a message about a table.
    Publish { table: u64, outcome: VerdictOutcome, shared: bool },
    /// An operator moves pointers.
    Operate(Vec<Move>),
    /// prune sweeps the dataset.
    Prune { sweeps: u32 },
    /// on-publish finds that the table of a version vanished.
    Lose(u64),
    /// A publisher puts a contract.
    PutContract { promotion: Promotion, keep_newest: u32 },
}

/// One command of an operator.
#[derive(Debug, Clone)]
pub(super) enum Move {
    Pointer { name: &'static str, direction: Direction, force: bool, hold: Option<i64> },
    Release,
    Mark { version: u64, withdraw: bool },
    Discard(u64),
}

impl Script {
    /// Draws the scripts of a case; a kind is rare in one case and frequent in another, so that many of a kind meet.
    pub(super) fn draw(rng: &mut Rng, origin: &Origin) -> Vec<Self> {
        let kinds: [fn(&mut Rng, &Origin) -> Self; 5] =
            [Self::publish, Self::operate, Self::prune, Self::lose, Self::put_contract];
        let chances = [1..=6, 0..=4, 0..=4, 0..=2, 0..=2].map(|range| rng.usize(range));
        let urn: Vec<_> =
            kinds.into_iter().zip(chances).flat_map(|(kind, chances)| vec![kind; chances]).collect();
        let count = rng.usize(2..=6);
        (0..count).map(|_| urn[rng.usize(..urn.len())](rng, origin)).collect()
    }

    fn publish(rng: &mut Rng, origin: &Origin) -> Self {
        let outcome = match rng.u8(..6) {
            0 => VerdictOutcome::Failed,
            1 => VerdictOutcome::Errored,
            _ => VerdictOutcome::Passed,
        };
        let tables = origin.tables;
        let table = rng.u64(tables.saturating_sub(1).max(1)..=tables + 2);
        Self::Publish { table, outcome, shared: rng.u8(..8) == 0 }
    }

    fn operate(rng: &mut Rng, origin: &Origin) -> Self {
        Self::Operate((0..rng.usize(1..=3)).map(|_| Move::draw(rng, origin)).collect())
    }

    fn prune(rng: &mut Rng, _: &Origin) -> Self {
        Self::Prune { sweeps: rng.u32(1..=2) }
    }

    fn lose(rng: &mut Rng, origin: &Origin) -> Self {
        Self::Lose(origin.version(rng))
    }

    fn put_contract(rng: &mut Rng, _: &Origin) -> Self {
        let promotion = if rng.u8(..3) == 0 { Promotion::Manual } else { Promotion::Auto };
        Self::PutContract { promotion, keep_newest: rng.u32(1..=3) }
    }

    /// Returns the role of the writer, as its name begins.
    pub(super) fn role(&self) -> &'static str {
        match self {
            Self::Publish { .. } => "publish",
            Self::Operate(_) => "operator",
            Self::Prune { .. } => "prune",
            Self::Lose(_) => "lose",
            Self::PutContract { .. } => "contract",
        }
    }

    /// Returns whether the script begins again after its writer was killed.
    pub(super) fn is_redelivered(&self) -> bool {
        matches!(self, Self::Publish { .. })
    }

    /// Returns scripts that do less.
    pub(super) fn simpler(&self) -> Vec<Self> {
        match self {
            Self::Publish { table, outcome, shared: true } => {
                vec![Self::Publish { table: *table, outcome: *outcome, shared: false }]
            }
            Self::Operate(moves) if moves.len() > 1 => {
                let without = |at: usize| {
                    let mut moves = moves.clone();
                    moves.remove(at);
                    Self::Operate(moves)
                };
                (0..moves.len()).map(without).collect()
            }
            Self::Prune { sweeps: 2.. } => vec![Self::Prune { sweeps: 1 }],
            Self::Publish { .. }
            | Self::Operate(_)
            | Self::Prune { .. }
            | Self::Lose(_)
            | Self::PutContract { .. } => Vec::new(),
        }
    }
}

impl Move {
    fn draw(rng: &mut Rng, origin: &Origin) -> Self {
        let version = number(origin.version(rng));
        let direction = match rng.u8(..11) {
            8 | 9 => return Self::Mark { version: origin.version(rng), withdraw: rng.bool() },
            10 => return Self::Discard(origin.version(rng)),
            0..=2 => Direction::To(version),
            3..=4 => Direction::Back(None),
            5 => Direction::Back(Some(version)),
            6 => Direction::Forward,
            _ => return Self::Release,
        };
        Self::Pointer {
            name: if rng.u8(..5) == 0 { "canary" } else { "live" },
            direction,
            force: rng.bool(),
            hold: rng.bool().then(|| rng.i64(10..200)),
        }
    }
}

/// One party that uses the registry.
pub(super) struct Writer {
    name: String,
    /// Differs from each earlier life of a writer that was killed and begins again.
    life: usize,
    registry: Registry,
    simulation: Simulation,
}

impl Writer {
    pub(super) fn new(name: String, life: usize, registry: Registry, simulation: Simulation) -> Self {
        Self { name, life, registry, simulation }
    }

    pub(super) async fn run(self, script: Script) {
        match script {
            Script::Publish { table, outcome, shared } => self.publish(table, outcome, shared).await,
            Script::Operate(moves) => self.operate(&moves).await,
            Script::Prune { sweeps } => self.prune(sweeps).await,
            Script::Lose(version) => self.lose(number(version)).await,
            Script::PutContract { promotion, keep_newest } => self.put_contract(promotion, keep_newest).await,
        }
    }

    fn by(&self) -> By {
        By::new(self.name.as_str(), at(self.simulation.now()))
    }

    /// Carries out an operation, and holds its answer against the commits that were written.
    async fn perform<T>(
        &self,
        name: impl FnOnce() -> String,
        operation: impl Future<Output = Result<Outcome<T>, Error>>,
    ) -> Result<Outcome<T>, Error> {
        self.perform_shown(None, name, operation).await
    }

    /// Carries out an operation on a pointer that its operator saw at a generation.
    async fn perform_shown<T>(
        &self,
        shown: Option<u64>,
        name: impl FnOnce() -> String,
        operation: impl Future<Output = Result<Outcome<T>, Error>>,
    ) -> Result<Outcome<T>, Error> {
        self.simulation.begin_operation(shown, name);
        let outcome = operation.await;
        let (done, text) = match &outcome {
            Ok(Outcome::Done(_)) => (Some(true), "done".to_owned()),
            Ok(Outcome::Already(_)) => (Some(false), "done before".to_owned()),
            Ok(Outcome::Refused(refusal)) => (Some(false), format!("refused: {refusal}")),
            Err(error) => (None, format!("failed: {error}")),
        };
        self.simulation.end_operation(done, || text);
        outcome
    }

    async fn publish(&self, table: u64, outcome: VerdictOutcome, shared: bool) {
        for delivery in 1..=ATTEMPTS {
            let owner = format!("{}.{}.{delivery}", self.name, self.life);
            if self.handle(table, outcome, shared, &owner).await.is_ok() {
                break;
            }
        }
    }

    /// Takes the version of a table from wherever it stands as far as it can, as on-publish does.
    async fn handle(
        &self,
        table: u64,
        outcome: VerdictOutcome,
        shared: bool,
        owner: &str,
    ) -> Result<(), Error> {
        let (registry, set) = (&self.registry, recs());
        let mut version = self.announced(table).await?;
        let mut concluded = false;
        for _ in 0..8 {
            let (id, by) = (version.version, self.by());
            let errored = version.verdict.as_ref().is_some_and(|it| it.outcome == VerdictOutcome::Errored);
            let next = match version.state {
                State::Announced => {
                    let name = || format!("seal version {id}");
                    self.perform(name, registry.seal(&set, id, &readiness().into(), &by))
                        .await?
                        .into_result()
                        .ok()
                }
                State::Checking if version.sharing.is_some() => {
                    let sharing = version.sharing.as_ref().map(|sharing| sharing.id.clone());
                    self.conclude(&version, &sharing.unwrap_or_default(), outcome).await?
                }
                State::Sealed | State::Checking | State::Rejected
                    if version.state != State::Rejected || (errored && !concluded) =>
                {
                    let lease = lease(owner, self.simulation.now() + LEASE);
                    let name = || format!("begin the check of version {id}");
                    match self.perform(name, registry.begin_check(&set, id, &lease, &by)).await? {
                        Outcome::Done(begun) | Outcome::Already(begun) if shared => {
                            let name = || format!("share the check of version {id}");
                            let share = registry.share(&set, begun.version, owner, 2, &by);
                            self.perform(name, share).await?.into_result().ok()
                        }
                        Outcome::Done(begun) | Outcome::Already(begun) => {
                            concluded = true;
                            self.conclude(&begun, owner, outcome).await?
                        }
                        Outcome::Refused(Refusal::Leased { .. }) => return Ok(()),
                        Outcome::Refused(_) => None,
                    }
                }
                State::Valid if version.promotion_state == Some(PromotionState::Pending) => {
                    self.promote(&version).await?;
                    return Ok(());
                }
                _ => return Ok(()),
            };
            version = match next {
                Some(next) => next,
                None => registry.version(&set, id).await?,
            };
        }
        Ok(())
    }

    async fn announced(&self, table: u64) -> Result<Version, Error> {
        let name = format!("recs-{table}");
        // Tables are not created in the order in which they are announced.
        let created_at = at(i64::try_from(table * 7 % 5).unwrap_or_default());
        let patience = SignedDuration::from_secs(300);
        let new = Announcement { patience, created_at, ..announcement(&name, &name) };
        let claims = self.registry.claims(&new.table).await?;
        if let Some(claim) = claims.first() {
            return self.registry.version(&claim.dataset, claim.version).await;
        }
        let (set, by) = (recs(), self.by());
        let announced = self.perform(|| format!("announce {name}"), self.registry.announce(&set, &new, &by));
        Ok(announced.await?.into_result().unwrap())
    }

    /// Ends a check; returns no version if another invocation holds it.
    async fn conclude(
        &self,
        version: &Version,
        owner: &str,
        outcome: VerdictOutcome,
    ) -> Result<Option<Version>, Error> {
        let (set, id, by) = (recs(), version.version, self.by());
        let conclusion = conclusion(outcome, &format!("digest {}", id.get() % 3));
        let name = || format!("conclude the check of version {id}: {}", outcome.as_str());
        let concluded = self.registry.conclude(&set, id, owner, &conclusion, &by);
        Ok(self.perform(name, concluded).await?.into_result().ok())
    }

    async fn promote(&self, version: &Version) -> Result<(), Error> {
        let (registry, set, live, id) = (&self.registry, recs(), PointerName::live(), version.version);
        let pointer = registry.pointer(&set, &live).await?;
        let why = match pointer {
            Some(pointer) if pointer.version == id => "an operator pointed at it before".to_owned(),
            _ => {
                let by = self.by();
                let promotion = registry.promote(&set, &live, id, &by);
                match self.perform(|| format!("promote version {id}"), promotion).await? {
                    Outcome::Done(_) | Outcome::Already(_) => return Ok(()),
                    Outcome::Refused(refusal) => refusal.to_string(),
                }
            }
        };
        let by = self.by();
        let skipped = registry.skip_promotion(&set, id, &why, &by);
        self.perform(|| format!("skip the promotion of version {id}"), skipped).await.map(drop)
    }

    async fn operate(&self, moves: &[Move]) {
        for step in moves {
            for _ in 0..ATTEMPTS {
                if self.command(step).await.is_ok() {
                    break;
                }
            }
        }
    }

    /// Looks at the pointer and then moves it, as the command line does between its page and the confirmation.
    async fn command(&self, step: &Move) -> Result<(), Error> {
        let set = recs();
        match step {
            Move::Pointer { name, direction, force, hold } => {
                let name = PointerName::parse(*name).unwrap();
                let seen = self.registry.pointer(&set, &name).await?;
                let shown = seen.map(|pointer| pointer.generation);
                let by = self.by();
                let hold_until = hold.map(|seconds| at(self.simulation.now() + seconds));
                let shown_at = Some(shown.unwrap_or(0));
                let request =
                    PointRequest { force: *force, hold_until, shown: shown_at, ..request(*direction) };
                let moved = self.registry.move_pointer(&set, &name, &request, &by);
                match self.perform_shown(shown, || format!("move {name}: {direction:?}"), moved).await {
                    Ok(_) | Err(Error::UnknownVersion { .. }) => Ok(()),
                    Err(error) => Err(error),
                }
            }
            Move::Release => {
                let (live, by) = (PointerName::live(), self.by());
                let request = ReleaseRequest::own("said so");
                let released = self.registry.release(&set, &live, &request, &by);
                self.perform(|| "release live".into(), released).await.map(drop)
            }
            Move::Mark { version, withdraw } => {
                let (id, by) = (number(*version), self.by());
                let marked = async {
                    match withdraw {
                        true => self.registry.withdraw(&set, id, "it is bad", &by).await,
                        false => self.registry.reinstate(&set, id, "it is good", &by).await,
                    }
                };
                let name = || format!("{} version {id}", if *withdraw { "withdraw" } else { "reinstate" });
                match self.perform(name, marked).await {
                    Ok(_) | Err(Error::UnknownVersion { .. }) => Ok(()),
                    Err(error) => Err(error),
                }
            }
            Move::Discard(version) => {
                let (id, by) = (number(*version), self.by());
                let discarded = self.registry.discard(&set, id, "never completed", &by);
                match self.perform(|| format!("discard version {id}"), discarded).await {
                    Ok(_) | Err(Error::UnknownVersion { .. }) => Ok(()),
                    Err(error) => Err(error),
                }
            }
        }
    }

    async fn lose(&self, version: VersionNumber) {
        let (set, by) = (recs(), self.by());
        let lost = self.registry.lose(&set, version, &by);
        let _ = self.perform(|| format!("lose version {version}"), lost).await;
    }

    async fn prune(&self, sweeps: u32) {
        for _ in 0..sweeps {
            // The next sweep does what this one could not.
            let _ = self.sweep().await;
        }
    }

    async fn sweep(&self) -> Result<(), Error> {
        let (registry, set) = (&self.registry, recs());
        let now = at(self.simulation.now());
        let holdings = Holdings::read(registry, &set, now).await?;
        let late = |version: &&Version| version.state == State::Announced && version.deadline <= now;
        for version in holdings.versions.iter().filter(late) {
            let (id, by) = (version.version, self.by());
            let abandoned = registry.abandon(&set, id, &by);
            let _ = self.perform(|| format!("abandon version {id}"), abandoned).await;
        }
        let policy = Policy::new(&holdings.dataset.settings, SignedDuration::from_secs(120));
        for step in retention::plan(&holdings, &policy, now).allowed() {
            let (id, by) = (step.version, self.by());
            // A step that fails stops none after it.
            let _ = match step.act {
                retention::Act::Retire => {
                    let retired = registry.retire(&set, id, &step.reason, &by);
                    self.perform(|| format!("retire version {id}"), retired).await
                }
                retention::Act::Delete => {
                    let deleted = registry.delete(&set, id, &by);
                    self.perform(|| format!("delete version {id}"), deleted).await
                }
            };
        }
        Ok(())
    }

    async fn put_contract(&self, promotion: Promotion, keep_newest: u32) {
        for attempt in 1..=ATTEMPTS {
            let Ok(known) = self.registry.find_dataset(&recs()).await else { continue };
            let mut new = new_contract(promotion, &format!("{} {attempt}", self.name));
            new.over = known.map(|known| known.contract);
            new.settings.keep_newest = keep_newest;
            let by = self.by();
            let put = self.registry.put_contract(&new, &by);
            let name = || format!("put a contract: {promotion:?}, keep {keep_newest}");
            if let Ok(Outcome::Done(_) | Outcome::Already(_)) = self.perform(name, put).await {
                break;
            }
        }
    }
}
