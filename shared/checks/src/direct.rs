//! Checks items while they are read, as long as nothing about them is to be told but that they are there.
//!
//! Most items keep all limits of their contract. One that does is counted here without being laid out first. One that
//! does not, or that is written as DynamoDB writes nothing, counts for nothing here and is left to the reader that says
//! what is wrong, so this one need not know.

use septet_contract::{Number, PhysicalType, read_iso};

use crate::constraint::Seen;
use crate::digest::Encoder;
use crate::json::{same, special};
use crate::plan::{Node, Plan, ROOT};
use crate::profile::Profile;
use crate::view::View;

/// Most members of a map: their presence is bits of a word.
const MOST_MEMBERS: usize = 64;
/// After so many items in a row that were left to the other reader, some more are, without a look.
pub(crate) const PATIENCE: u32 = 4;
pub(crate) const PAUSE: u32 = 60;

/// Reads the items of one page.
pub(crate) struct Direct<'a> {
    plan: &'a Plan,
    body: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// How the members of the last map of each place began, in their order.
    guesses: Vec<Vec<Guess>>,
    /// Of each place, in this item and in all.
    item: Vec<Counts>,
    all: Vec<Counts>,
    items: u64,
    /// Items in a row that were left.
    left: u32,
    encoder: Encoder,
}

/// Values by type, and absences.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    types: [u32; 10],
    absent: u32,
}

/// The beginning of a member with that of its value, `"name":{"S":"`, and what it is of.
#[derive(Debug, Clone, Copy)]
struct Guess {
    start: usize,
    length: usize,
    member: usize,
    physical: PhysicalType,
}

impl<'a> Direct<'a> {
    /// None if more than types is to be counted of what keeps the limits.
    pub(crate) fn new(plan: &'a Plan, body: &'a str) -> Option<Self> {
        let places = plan.nodes.len();
        plan.distinct.is_empty().then(|| Self {
            plan,
            body,
            bytes: body.as_bytes(),
            at: 0,
            guesses: vec![Vec::new(); places],
            item: vec![Counts::default(); places],
            all: vec![Counts::default(); places],
            items: 0,
            left: 0,
            encoder: Encoder::default(),
        })
    }

    /// Reads the item that begins at `at` and says where it ends, if nothing is wrong with it.
    pub(crate) fn take(&mut self, at: usize) -> Option<usize> {
        self.at = at;
        let pauses = self.left >= PATIENCE;
        if pauses || self.byte(b'{').and_then(|()| self.map(ROOT)).is_none() {
            self.left = (self.left + 1) % (PATIENCE + PAUSE);
            self.item.fill(Counts::default());
            return None;
        }
        self.left = 0;
        self.items += 1;
        for (all, item) in self.all.iter_mut().zip(&mut self.item) {
            let item = std::mem::take(item);
            for (count, more) in all.types.iter_mut().zip(item.types) {
                *count += more;
            }
            all.absent += item.absent;
        }
        Some(self.at)
    }

    /// Adds what was counted.
    pub(crate) fn finish(self, profile: &mut Profile) {
        profile.items = profile.items.saturating_add(self.items);
        for (place, counts) in profile.places.iter_mut().zip(&self.all) {
            for (count, more) in place.types.iter_mut().zip(counts.types) {
                *count = count.saturating_add(more.into());
            }
            place.absent = place.absent.saturating_add(counts.absent.into());
        }
    }

    #[inline(always)]
    fn byte(&mut self, byte: u8) -> Option<()> {
        let there = self.bytes.get(self.at) == Some(&byte);
        self.at += 1;
        there.then_some(())
    }

    /// Whether another follows in a list that ends so.
    #[inline(always)]
    fn goes_on(&mut self, end: u8) -> Option<bool> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        if byte == b',' { Some(true) } else { (byte == end).then_some(false) }
    }

    /// Reads a map whose first brace is read, and says how many members it has.
    fn map(&mut self, place: usize) -> Option<u64> {
        let plan = self.plan;
        let node = &plan.nodes[place];
        if node.members.len() > MOST_MEMBERS || node.map.is_some() {
            return None;
        }
        let (mut seen, mut number) = (0_u64, 0);
        let mut more = self.bytes.get(self.at)? != &b'}';
        if !more {
            self.at += 1;
        }
        while more {
            let (member, physical) = match self.guessed(place, number) {
                Some(known) => known,
                None => self.learn(place, number)?,
            };
            let bit = 1 << member;
            if seen & bit != 0 {
                return None;
            }
            seen |= bit;
            self.value(node.members.node(member), physical)?;
            number += 1;
            more = self.goes_on(b'}')?;
        }
        if number < node.members.len() {
            for (at, (_, member)) in node.members.iter().enumerate() {
                if seen >> at & 1 == 0 {
                    if plan.nodes[member].required.is_some() {
                        return None;
                    }
                    self.item[member].absent += 1;
                }
            }
        }
        Some(number as u64)
    }

    #[inline(always)]
    fn guessed(&mut self, place: usize, number: usize) -> Option<(usize, PhysicalType)> {
        let guess = self.guesses[place].get(number)?;
        let before = self.bytes.get(guess.start..guess.start + guess.length)?;
        let now = self.bytes.get(self.at..self.at + guess.length)?;
        if !same(before, now) {
            return None;
        }
        self.at += guess.length;
        Some((guess.member, guess.physical))
    }

    /// Reads the beginning of a member that is not the one expected.
    #[cold]
    fn learn(&mut self, place: usize, number: usize) -> Option<(usize, PhysicalType)> {
        let start = self.at;
        self.byte(b'"')?;
        let name = self.text()?;
        let member = self.plan.nodes[place].members.find(name, number)?;
        self.byte(b':')?;
        let physical = self.physical()?;
        let guess = Guess { start, length: self.at - start, member, physical };
        let guesses = &mut self.guesses[place];
        match guesses.get_mut(number) {
            Some(known) => *known = guess,
            None => guesses.push(guess),
        }
        Some((member, physical))
    }

    /// Reads `{"S":"` or another beginning of a value.
    #[inline(always)]
    fn physical(&mut self) -> Option<PhysicalType> {
        let [b'{', b'"', letter, b'"', b':', next, ..] = self.bytes.get(self.at..)? else {
            return self.longer_physical();
        };
        let (physical, begins) = match letter {
            b'S' => (PhysicalType::S, b'"'),
            b'N' => (PhysicalType::N, b'"'),
            b'M' => (PhysicalType::M, b'{'),
            b'L' => (PhysicalType::L, b'['),
            _ => return None,
        };
        self.at += 6;
        (*next == begins).then_some(physical)
    }

    #[cold]
    fn longer_physical(&mut self) -> Option<PhysicalType> {
        if self.word(r#"{"BOOL":"#).is_some() {
            return Some(PhysicalType::Bool);
        }
        self.word(r#"{"NULL":"#).map(|()| PhysicalType::Null)
    }

    /// Reads a value whose beginning is read, to its last brace.
    #[inline(always)]
    fn value(&mut self, place: usize, physical: PhysicalType) -> Option<()> {
        let node = &self.plan.nodes[place];
        self.item[place].types[physical as usize] += 1;
        let bare = node.bare & 1 << physical as u16 != 0;
        match physical {
            PhysicalType::S => {
                let text = self.text()?;
                if !bare {
                    self.holds(node, View::S(text))?;
                }
            }
            PhysicalType::N => {
                let text = self.text()?;
                self.holds(node, View::N(text))?;
            }
            PhysicalType::M => {
                let count = self.map(place)?;
                if !bare {
                    self.holds_so_many(node, physical, count)?;
                }
            }
            PhysicalType::L => {
                let count = self.list(node)?;
                if !bare {
                    self.holds_so_many(node, physical, count)?;
                }
            }
            PhysicalType::Bool => {
                let truth = self.bytes.get(self.at..)?.starts_with(b"true");
                self.word(if truth { "true" } else { "false" })?;
                if !bare {
                    self.holds(node, View::Bool(truth))?;
                }
            }
            PhysicalType::Null => {
                self.word("true")?;
                if node.required.is_some() {
                    return None;
                }
            }
            _ => return None,
        }
        self.byte(b'}')
    }

    /// As [`map`](Self::map), of a list.
    #[inline(always)]
    fn list(&mut self, node: &Node) -> Option<u64> {
        let items = node.items?;
        if self.bytes.get(self.at)? == &b']' {
            self.at += 1;
            return Some(0);
        }
        let mut count = 0;
        loop {
            let physical = self.physical()?;
            self.value(items, physical)?;
            count += 1;
            if !self.goes_on(b']')? {
                return Some(count);
            }
        }
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.bytes.get(self.at..)?.starts_with(word.as_bytes()).then(|| self.at += word.len())
    }

    /// Reads a text whose first quote is read.
    #[inline(always)]
    fn text(&mut self) -> Option<&'a str> {
        let start = self.at;
        let end = special(self.bytes, start);
        self.at = end;
        self.byte(b'"')?;
        self.body.get(start..end)
    }

    /// Whether all that is asked of a value holds, and nothing else is to be counted.
    #[inline(always)]
    fn holds(&mut self, node: &Node, view: View<'_>) -> Option<()> {
        let physical = view.physical();
        let parsed;
        let number = match view {
            View::N(text) => {
                parsed = Number::parse(text);
                Some(parsed.as_ref().ok()?)
            }
            _ => None,
        };
        let moment = match (view, &node.moment) {
            (View::S(text), Some(reader)) => match &reader.format {
                Some(format) => format.read(text),
                None => read_iso(text),
            },
            _ => None,
        };
        let seen = Seen { view, number, moment: moment.as_ref() };
        let (checks, encoder) = (&self.plan.checks, &mut self.encoder);
        let mut holds = |check: &usize| checks[*check].test.holds(&seen, encoder);
        let sound = (node.sure & 1 << physical as u16 != 0 || node.types.iter().all(&mut holds))
            && node.values.iter().all(&mut holds)
            && !node.metrics.iter().any(&mut holds);
        sound.then_some(())
    }

    /// As [`holds`](Self::holds), of a list or map of which no more than this is known.
    fn holds_so_many(&self, node: &Node, physical: PhysicalType, count: u64) -> Option<()> {
        let sure = node.sure & 1 << physical as u16 != 0 && node.metrics.is_empty();
        let mut all = node.values.iter();
        (sure && all.all(|check| self.plan.checks[*check].test.surely_holds(physical, count))).then_some(())
    }
}
