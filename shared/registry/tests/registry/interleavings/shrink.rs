//! Shortens a case that breaks an invariant, for people to read.

use super::origins::Origin;
use super::schedule::Turn;
use super::simulation::Case;
use crate::store::Fault;

/// Returns a case with fewer turns and simpler scripts that breaks the same invariant.
pub(super) fn shrink(case: &Case, origins: &[Origin], invariant: &str) -> Case {
    let breaks = |case: &Case| {
        let run = case.run(origins, |violation| violation.invariant == invariant);
        let broken = run.violations.iter().any(|violation| violation.invariant == invariant);
        broken.then(|| Case { turns: Some(run.turns), ..case.clone() })
    };
    let Some(mut shortest) = breaks(case) else { return case.clone() };
    loop {
        let size = size(&shortest);
        for candidates in [without_chunks, with_simpler_scripts, with_simpler_turns, with_fewer_switches] {
            // Each candidate that breaks the invariant too gives new ones.
            let mut at = 0;
            while let Some(candidate) = candidates(&shortest, at) {
                match breaks(&candidate).filter(|shorter| self::size(shorter) < self::size(&shortest)) {
                    Some(shorter) => shortest = shorter,
                    None => at += 1,
                }
            }
        }
        if self::size(&shortest) == size {
            return shortest;
        }
    }
}

fn turns(case: &Case) -> &[Turn] {
    case.turns.as_deref().unwrap_or_default()
}

/// Compares cases: scripts, turns, events, and changes of the writer.
fn size(case: &Case) -> (usize, usize, usize, usize) {
    let turns = turns(case);
    let events = |turn: &Turn| {
        usize::from(turn.wait > 0) + usize::from(turn.fault != Fault::None) + usize::from(turn.kill)
    };
    let switches = turns.windows(2).filter(|pair| pair[0].writer != pair[1].writer).count();
    let scripts = case.scripts.iter().map(|script| script.simpler().len()).sum();
    (turns.len(), scripts, turns.iter().map(events).sum(), switches)
}

/// Leaves out a chunk of turns: the `nth` of all halves, then quarters, and so on.
fn without_chunks(case: &Case, nth: usize) -> Option<Case> {
    let turns = turns(case);
    let (mut length, mut at) = (turns.len().div_ceil(2).max(1), nth);
    while at >= turns.len().div_ceil(length) {
        at -= turns.len().div_ceil(length);
        if length == 1 || turns.is_empty() {
            return None;
        }
        length = length.div_ceil(2);
    }
    let mut left = turns.to_vec();
    left.drain(at * length..((at + 1) * length).min(turns.len()));
    Some(Case { turns: Some(left), ..case.clone() })
}

fn with_simpler_scripts(case: &Case, nth: usize) -> Option<Case> {
    let simpler = |at: usize| case.scripts[at].simpler().into_iter().map(move |script| (at, script));
    let (at, script) = (0..case.scripts.len()).flat_map(simpler).nth(nth)?;
    let mut scripts = case.scripts.clone();
    scripts[at] = script;
    Some(Case { scripts, ..case.clone() })
}

fn with_simpler_turns(case: &Case, nth: usize) -> Option<Case> {
    let mut turns = turns(case).to_vec();
    let turn = turns.get_mut(nth / 3)?;
    match nth % 3 {
        0 => turn.wait = 0,
        1 => turn.fault = Fault::None,
        _ => turn.kill = false,
    }
    Some(Case { turns: Some(turns), ..case.clone() })
}

/// Moves a turn to the one before it of the same writer.
fn with_fewer_switches(case: &Case, nth: usize) -> Option<Case> {
    let mut turns = turns(case).to_vec();
    let turn = turns.get(nth).copied()?;
    let before = turns[..nth].iter().rposition(|it| it.writer == turn.writer);
    if let Some(before) = before {
        turns.remove(nth);
        turns.insert(before + 1, turn);
    }
    Some(Case { turns: Some(turns), ..case.clone() })
}
