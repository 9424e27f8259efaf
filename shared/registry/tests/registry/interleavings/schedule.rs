//! The order of turns.

use fastrand::Rng;

use crate::store::Fault;

/// One decision of the scheduler: a writer makes one store call, or is killed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) writer: usize,
    /// Seconds that pass before.
    pub(super) wait: i64,
    pub(super) fault: Fault,
    pub(super) kill: bool,
}

/// Turns as they come.
pub(super) enum Schedule {
    Drawn(Drawn),
    Given(std::vec::IntoIter<Turn>),
}

/// Turns that are drawn: each goes to the first writer in an order that changes now and then.
pub(super) struct Drawn {
    rng: Rng,
    order: Vec<usize>,
    /// Percentage of turns before which the order changes.
    changes: u8,
    /// Whether a change sends the first writer behind all others, or else calls any writer to the front.
    ///
    /// A writer that was sent back is overtaken by everything that the others do. That finds races which need
    /// few changes in just the right places (Burckhardt et al., "A randomized scheduler with probabilistic
    /// guarantees of finding bugs", ASPLOS 2010).
    sends_back: bool,
}

impl Schedule {
    /// Draws turns for so many writers.
    pub(super) fn draw(mut rng: Rng, writers: usize) -> Self {
        let mut order: Vec<_> = (0..writers).collect();
        rng.shuffle(&mut order);
        let sends_back = rng.bool();
        let choices: &[u8] = if sends_back { &[5, 10, 20] } else { &[5, 20, 50, 100] };
        let changes = choices[rng.usize(..choices.len())];
        Self::Drawn(Drawn { rng, order, changes, sends_back })
    }

    /// Returns the next turn, for a writer that may be finished if the turns are given.
    pub(super) fn next(&mut self, unfinished: &[usize]) -> Option<Turn> {
        match self {
            Self::Given(turns) => turns.next(),
            Self::Drawn(drawn) => drawn.next(unfinished),
        }
    }
}

impl Drawn {
    fn next(&mut self, unfinished: &[usize]) -> Option<Turn> {
        let Self { rng, order, .. } = self;
        order.retain(|writer| unfinished.contains(writer));
        if rng.u8(..100) < self.changes {
            if self.sends_back {
                order.rotate_left(1);
            } else {
                let at = rng.usize(..order.len());
                order[..=at].rotate_right(1);
            }
        }
        let writer = *order.first()?;
        let wait = match rng.u8(..100) {
            0..=1 => rng.i64(61..=150),
            2..=11 => rng.i64(1..=20),
            _ => 0,
        };
        let fault = match rng.u8(..100) {
            0 => Fault::LostAnswer,
            1 => Fault::LostRequest,
            2..=3 => Fault::Conflict,
            4 => Fault::Throttled,
            _ => Fault::None,
        };
        Some(Turn { writer, wait, fault, kill: rng.u16(..150) == 0 })
    }
}
