//! Many writers of one registry, interleaved at their store calls in every order that a seed draws.
//!
//! A case is drawn from its seed: a registry with a past, a few writers with scripts of real operations, and turns.
//! In a turn one writer makes one store call, which may meet a fault, or is killed. After every commit the
//! invariants of the registry and of its commits are asked.
//!
//! `INTERLEAVINGS` sets the number of cases, seeds 0 and on. `INTERLEAVING_SEED` runs only the case of that seed and
//! prints its trace.

#![expect(clippy::print_stdout, reason = "a broken invariant is explained by the trace of what led to it")]

mod interleaved;
mod origins;
mod schedule;
mod scripts;
mod shrink;
mod simulation;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use origins::Origin;
use septet_registry::Action;
use shrink::shrink;
use simulation::{Case, Violation};

const CASES: u64 = 20_000;

/// What came of many cases.
#[derive(Default)]
struct Tally {
    tried: u64,
    turns: usize,
    commits: HashMap<Action, u64>,
    broken: BTreeMap<&'static str, Broken>,
}

/// The violations of one invariant.
struct Broken {
    /// The smallest seed that breaks it.
    seed: u64,
    violation: Violation,
    cases: u64,
}

impl Tally {
    fn merge(mut self, other: Self) -> Self {
        self.tried += other.tried;
        self.turns += other.turns;
        for (action, commits) in other.commits {
            *self.commits.entry(action).or_default() += commits;
        }
        for (name, broken) in other.broken {
            let cases = broken.cases + self.broken.get(name).map_or(0, |known| known.cases);
            let known = self.broken.remove(name).filter(|known| known.seed < broken.seed);
            self.broken.insert(name, Broken { cases, ..known.unwrap_or(broken) });
        }
        self
    }
}

#[test]
fn the_invariants_hold_in_every_interleaving() {
    let origins = origins::build();
    if let Some(seed) = number("INTERLEAVING_SEED") {
        return replay(&origins, seed);
    }
    let cases = number("INTERLEAVINGS").unwrap_or(CASES);
    let tally = search(&origins, cases);
    println!("interleavings tried: {}", tally.tried);
    println!(
        "in {} turns, with {} commits: {:?}",
        tally.turns,
        tally.commits.values().sum::<u64>(),
        tally.commits
    );
    for Broken { seed, violation, cases } in tally.broken.values() {
        println!("{} is broken in {cases} cases: {}", violation.invariant, violation.message);
        explain(&origins, &Case::draw(*seed, &origins), violation);
    }
    assert!(tally.broken.is_empty(), "{} invariants are broken, see their traces above", tally.broken.len());
}

/// Runs the cases of the seeds from 0 on with a thread for each core, until one breaks an invariant that should hold.
fn search(origins: &[Origin], cases: u64) -> Tally {
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let work = || {
        let mut tally = Tally::default();
        while !stop.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= cases {
                break;
            }
            let run = Case::draw(seed, origins).run(origins, |_| true);
            stop.fetch_or(!run.violations.is_empty(), Ordering::Relaxed);
            let mut one = Tally { tried: 1, turns: run.turns.len(), ..Tally::default() };
            run.actions.into_iter().for_each(|action| *one.commits.entry(action).or_default() += 1);
            for violation in run.violations {
                one.broken.entry(violation.invariant).or_insert(Broken { seed, violation, cases: 1 });
            }
            tally = tally.merge(one);
        }
        tally
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).fold(Tally::default(), Tally::merge)
    })
}

/// Runs one case in full with its trace, then explains what it broke.
fn replay(origins: &[Origin], seed: u64) {
    let case = Case::draw(seed, origins);
    let run = case.trace().run(origins, |_| true);
    let mut explained = Vec::new();
    for violation in &run.violations {
        if !explained.contains(&violation.invariant) {
            explain(origins, &case, violation);
            explained.push(violation.invariant);
        }
    }
    println!("interleavings tried: 1");
    assert!(explained.is_empty(), "broken: {explained:?}");
}

/// Prints the shortest trace found that breaks the same invariant.
fn explain(origins: &[Origin], case: &Case, violation: &Violation) {
    let shortest = shrink(case, origins, violation.invariant);
    println!("\n{} is broken, INTERLEAVING_SEED={}, shortened to:", violation.invariant, case.seed);
    shortest.trace().run(origins, |it| it.invariant == violation.invariant);
}

#[expect(clippy::disallowed_methods, reason = "the test's one look at its environment")]
fn number(variable: &str) -> Option<u64> {
    Some(std::env::var(variable).ok()?.parse().unwrap())
}
