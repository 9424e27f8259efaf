//! The scheduler: gives turns to writers, lets their calls meet faults, and asks the invariants after each commit.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use fastrand::Rng;
use septet_registry::invariants::Snapshot;
use septet_registry::invariants::commits::{COMMIT_INVARIANTS, Commit};
use septet_registry::*;

use super::interleaved::Interleaved;
use super::origins::Origin;
use super::schedule::{Schedule, Turn};
use super::scripts::{Script, Writer};
use crate::store::*;

/// Bound on the turns of a case, in case writers keep each other from finishing.
const MAX_TURNS: usize = 2_000;

/// Longer than any back-off of the registry between two attempts.
const BACK_OFF: Duration = Duration::from_secs(1);

/// A broken invariant.
#[derive(Debug, Clone)]
pub(super) struct Violation {
    pub(super) invariant: &'static str,
    pub(super) message: String,
}

/// What came of a case.
pub(super) struct Run {
    pub(super) violations: Vec<Violation>,
    /// The turns that were given.
    pub(super) turns: Vec<Turn>,
    /// The actions of the commits that were written.
    pub(super) actions: Vec<Action>,
}

/// A registry with a past, writers, and the order of their turns.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) seed: u64,
    pub(super) origin: usize,
    pub(super) scripts: Vec<Script>,
    /// The turns to give; without them they are drawn from the seed.
    pub(super) turns: Option<Vec<Turn>>,
    pub(super) traced: bool,
}

impl Case {
    pub(super) fn draw(seed: u64, origins: &[Origin]) -> Self {
        let mut rng = Rng::with_seed(seed);
        let origin = rng.usize(..origins.len());
        let scripts = Script::draw(&mut rng, &origins[origin]);
        Self { seed, origin, scripts, turns: None, traced: false }
    }

    /// Returns the same case, which prints its trace when it is run.
    pub(super) fn trace(&self) -> Self {
        Self { traced: true, ..self.clone() }
    }

    /// Runs the case, up to a violation that ends it.
    pub(super) fn run(&self, origins: &[Origin], ends: impl Fn(&Violation) -> bool) -> Run {
        let _seed = PrintSeedOnPanic(self.seed);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let schedule = match &self.turns {
            Some(turns) => Schedule::Given(turns.clone().into_iter()),
            None => Schedule::draw(Rng::with_seed(self.seed ^ 0x5eed), self.scripts.len()),
        };
        runtime.block_on(self.give_turns(&origins[self.origin], schedule, ends))
    }

    fn print_beginning(&self, origin: &Origin) {
        println!("  begins with the registry {:?} and", origin.name);
        let has_turn =
            |id: usize| self.turns.as_ref().is_none_or(|turns| turns.iter().any(|turn| turn.writer == id));
        for (id, script) in self.scripts.iter().enumerate().filter(|(id, _)| has_turn(*id)) {
            println!("  {:<10}  {script:?}", name(id, script));
        }
    }

    async fn give_turns(
        &self,
        origin: &Origin,
        mut schedule: Schedule,
        ends: impl Fn(&Violation) -> bool,
    ) -> Run {
        let memory = origin.memory.fork();
        let simulation = Simulation::new(origin, &self.scripts, self.traced);
        let observing = simulation.clone();
        memory.observe(move |landed| observing.land(landed));
        let store = Interleaved::new(memory.clone(), simulation.clone());
        let registry = Registry::new(Arc::new(store), Entropy::from_seed(self.seed));
        let begin = |id: usize, script: &Script, life: usize| -> Pin<Box<dyn Future<Output = ()>>> {
            let name = name(id, script);
            Box::pin(Writer::new(name, life, registry.clone(), simulation.clone()).run(script.clone()))
        };
        if self.traced {
            self.print_beginning(origin);
        }
        let mut writers: Vec<_> =
            self.scripts.iter().enumerate().map(|(id, script)| Some(begin(id, script, 0))).collect();
        let mut turns = Vec::new();
        while turns.len() < MAX_TURNS {
            let unfinished: Vec<_> = (0..writers.len()).filter(|id| writers[*id].is_some()).collect();
            if unfinished.is_empty() {
                break;
            }
            let Some(turn) = schedule.next(&unfinished) else { break };
            let Some(writer) = &mut writers[turn.writer] else { continue };
            turns.push(turn);
            simulation.begin_turn(turn);
            if turn.kill {
                simulation.trace(|| "killed".into());
                let script = &self.scripts[turn.writer];
                // The queue delivers the message of a killed function again.
                writers[turn.writer] =
                    script.is_redelivered().then(|| begin(turn.writer, script, turns.len()));
                continue;
            }
            match writer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(()) => writers[turn.writer] = None,
                Poll::Pending if simulation.end_turn() => {}
                // The writer backs off before its next attempt.
                Poll::Pending => tokio::time::advance(BACK_OFF).await,
            }
            if simulation.state().violations.iter().any(&ends) {
                break;
            }
        }
        drop(writers);
        let mut state = simulation.state();
        if self.traced {
            state.print_violations();
        }
        assert_eq!(memory.snapshot(&recs()).as_ref(), Some(&state.after), "the tracked snapshot");
        let (violations, actions) =
            (std::mem::take(&mut state.violations), std::mem::take(&mut state.actions));
        Run { violations, turns, actions }
    }
}

/// Returns the name of the writer of a script, under which it is on record.
fn name(id: usize, script: &Script) -> String {
    format!("{}-{id}", script.role())
}

struct PrintSeedOnPanic(u64);

impl Drop for PrintSeedOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("INTERLEAVING_SEED={} panicked", self.0);
        }
    }
}

/// What the writers, the store and the scheduler of one run share.
#[derive(Clone)]
pub(super) struct Simulation(Arc<Mutex<State>>);

struct State {
    now: i64,
    /// Whose turn it is.
    writer: usize,
    fault: Fault,
    /// Whether the writer came to its next store call.
    at_call: bool,
    before: Snapshot,
    after: Snapshot,
    operations: Vec<Operation>,
    names: Vec<String>,
    violations: Vec<Violation>,
    /// Violations that the trace does not show yet.
    unprinted: Vec<String>,
    actions: Vec<Action>,
    traced: bool,
}

/// The operation that a writer is in.
#[derive(Clone, Default)]
struct Operation {
    /// Number of its commits that were written.
    landed: usize,
    /// The generation of the pointer that its operator saw.
    shown: Option<u64>,
}

impl Simulation {
    fn new(origin: &Origin, scripts: &[Script], traced: bool) -> Self {
        Self(Arc::new(Mutex::new(State {
            now: origin.now,
            writer: 0,
            fault: Fault::None,
            at_call: false,
            before: origin.snapshot.clone(),
            after: origin.snapshot.clone(),
            operations: vec![Operation::default(); scripts.len()],
            names: scripts.iter().enumerate().map(|(id, script)| name(id, script)).collect(),
            violations: Vec::new(),
            unprinted: Vec::new(),
            actions: Vec::new(),
            traced,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(super) fn now(&self) -> i64 {
        self.state().now
    }

    /// Prints a line about the writer whose turn it is.
    pub(super) fn trace(&self, line: impl FnOnce() -> String) {
        let mut state = self.state();
        if state.traced {
            state.print(&line());
            // The commit that broke them stands in the line before.
            state.print_violations();
        }
    }

    /// Begins an operation of the writer whose turn it is.
    pub(super) fn begin_operation(&self, shown: Option<u64>, name: impl FnOnce() -> String) {
        self.trace(name);
        let mut state = self.state();
        let writer = state.writer;
        state.operations[writer] = Operation { landed: 0, shown };
    }

    /// Ends it: `done` is the answer to whether it changed something, where there is one.
    pub(super) fn end_operation(&self, done: Option<bool>, outcome: impl FnOnce() -> String) {
        self.trace(|| format!("  => {}", outcome()));
        let mut state = self.state();
        let landed = state.operations[state.writer].landed;
        if done.map_or(landed > 1, |done| landed != usize::from(done)) {
            let message = format!("an operation with {landed} commits answered {done:?}");
            state.violate("outcomes_are_true", message);
        }
    }

    fn begin_turn(&self, turn: Turn) {
        let mut state = self.state();
        state.now += turn.wait;
        (state.writer, state.fault, state.at_call) = (turn.writer, turn.fault, false);
    }

    /// Records that the writer waits for the turn of its next store call.
    pub(super) fn come_to_call(&self) {
        self.state().at_call = true;
    }

    /// Returns the fault that the call of this turn meets.
    pub(super) fn fault(&self) -> Fault {
        self.state().fault
    }

    /// Returns whether the writer came to a store call.
    fn end_turn(&self) -> bool {
        self.state().at_call
    }

    /// Asks the invariants about a commit that was written.
    fn land(&self, landed: &Landed<'_>) {
        let Some(record) = landed.record else { return };
        let mut guard = self.state();
        let state = &mut *guard;
        let logged = Item::Record(record.clone());
        let items = || landed.writes.iter().map(|write| &write.item).chain([&logged]);
        items().for_each(|item| state.after.put(item));
        let operation = &mut state.operations[state.writer];
        operation.landed += 1;
        let commit = Commit { before: &state.before, after: &state.after, record };
        let mut found: Vec<_> = COMMIT_INVARIANTS
            .iter()
            .flat_map(|(name, broken)| broken(&commit).into_iter().map(|message| (*name, message)))
            .collect();
        let state_invariants = invariants::broken(&state.after, at(state.now));
        found.extend(state_invariants.into_iter().map(|message| ("invariants_of_the_state", message)));
        found.extend(
            moved_unseen(&commit, operation).map(|message| ("operators_move_what_was_shown", message)),
        );
        found.into_iter().for_each(|(name, message)| state.violate(name, message));
        items().for_each(|item| state.before.put(item));
        state.actions.push(record.action);
    }
}

impl State {
    fn print(&self, line: &str) {
        println!("{:>5} s  {:<10}  {line}", self.now, self.names[self.writer]);
    }

    fn print_violations(&mut self) {
        for message in std::mem::take(&mut self.unprinted) {
            self.print(&message);
        }
    }

    fn violate(&mut self, invariant: &'static str, message: String) {
        self.unprinted.push(format!("BROKEN {invariant}: {message}"));
        self.violations.push(Violation { invariant, message });
    }
}

/// An operator's move follows on the generation that the operator saw.
fn moved_unseen(commit: &Commit<'_>, operation: &Operation) -> Option<String> {
    use Action::{Point, RollBack, RollForward};
    let Record { action: Point | RollBack | RollForward, pointer: Some(name), .. } = commit.record else {
        return None;
    };
    let pointer = commit.before.pointers.iter().find(|pointer| pointer.pointer == *name);
    let was = pointer.map(|pointer| pointer.generation);
    (was != operation.shown)
        .then(|| format!("{name} was shown at {:?} and moved at {was:?}", operation.shown))
}
