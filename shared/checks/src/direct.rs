//! Checks items while they are read, as long as nothing is wrong with them.
//!
//! Most items keep all limits of their contract. One that does is counted here at less cost than laying it out and
//! walking through it takes. One that does not, or that is written as DynamoDB writes nothing, counts for nothing here
//! and is left to the reader that says what is wrong, so this one need not know.

use septet_contract::{Moment, Number, PhysicalType};

use crate::constraint::Seen;
use crate::digest::Encoder;
use crate::flat::{Flat, Orders, Span, index};
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
    maps: Vec<Maps>,
    /// Of each place, in this item and in all.
    item: Vec<Counts>,
    all: Vec<Counts>,
    /// Of each node of the last item that was laid out, where the contract has it.
    places: Vec<u32>,
    /// Of that item, in their order: numbers, and what is read of strings where moments are expected.
    numbers: Vec<Number>,
    moments: Vec<Option<Moment>>,
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

/// How the maps of a place are written.
#[derive(Debug, Default, Clone)]
struct Maps {
    /// How the first member begins that a map is expected to have, the second, and so on.
    guesses: Vec<Guess>,
    orders: Orders,
}

/// The beginning of a member with that of its value, `"name":{"S":"`, and what it is of.
#[derive(Debug, Clone, Copy)]
struct Guess {
    start: usize,
    length: usize,
    name: Span,
    member: usize,
    physical: PhysicalType,
}

impl<'a> Direct<'a> {
    pub(crate) fn new(plan: &'a Plan, body: &'a str) -> Self {
        let places = plan.nodes.len();
        Self {
            plan,
            body,
            bytes: body.as_bytes(),
            at: 0,
            maps: vec![Maps::default(); places],
            item: vec![Counts::default(); places],
            all: vec![Counts::default(); places],
            places: Vec::new(),
            numbers: Vec::new(),
            moments: Vec::new(),
            left: 0,
            encoder: Encoder::default(),
        }
    }

    /// Reads the item that begins at `at` and says where it ends, if nothing is wrong with it. It is laid out if that
    /// is asked for.
    pub(crate) fn take<const LAID_OUT: bool>(&mut self, at: usize, flat: &mut Flat) -> Option<usize> {
        self.at = at;
        flat.clear();
        self.places.clear();
        self.numbers.clear();
        self.moments.clear();
        let pauses = self.left >= PATIENCE;
        if pauses || self.whole::<LAID_OUT>(flat).is_none() {
            self.left = (self.left + 1) % (PATIENCE + PAUSE);
            self.item.fill(Counts::default());
            return None;
        }
        self.left = 0;
        for (all, item) in self.all.iter_mut().zip(&mut self.item) {
            let item = std::mem::take(item);
            for (count, more) in all.types.iter_mut().zip(item.types) {
                *count += more;
            }
            all.absent += item.absent;
        }
        Some(self.at)
    }

    /// Adds what was counted of all items: values by type, and absences.
    pub(crate) fn finish(self, profile: &mut Profile) {
        for (place, counts) in profile.places.iter_mut().zip(&self.all) {
            for (count, more) in place.types.iter_mut().zip(counts.types) {
                *count = count.saturating_add(more.into());
            }
            place.absent = place.absent.saturating_add(counts.absent.into());
        }
    }

    /// Adds what is kept of the values of the last item beside that.
    pub(crate) fn keep(&mut self, profile: &mut Profile, flat: &Flat) {
        let (mut numbers, mut moments) = (self.numbers.iter(), self.moments.iter());
        for (at, place) in self.places.iter().enumerate().skip(1) {
            let (place, view) = (*place as usize, flat.view(self.body, at));
            let node = &self.plan.nodes[place];
            let (number, moment) = match view {
                View::Null => continue,
                View::N(_) => (numbers.next(), None),
                View::S(_) if node.reader.is_some() => (None, moments.next().and_then(Option::as_ref)),
                _ => (None, None),
            };
            if let Some(values) = &mut profile.places[place].values {
                values.insert(&Seen { view, number, moment }, node.epoch);
            }
            for slot in &node.distinct {
                profile.distinct[*slot].insert(self.encoder.short_hash_of(view));
            }
        }
    }

    fn whole<const LAID_OUT: bool>(&mut self, flat: &mut Flat) -> Option<()> {
        self.byte(b'{')?;
        if LAID_OUT {
            self.places.push(index(ROOT));
        }
        self.map::<LAID_OUT>(flat, ROOT, Span::default()).map(drop)
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
    fn map<const LAID_OUT: bool>(&mut self, flat: &mut Flat, place: usize, name: Span) -> Option<u32> {
        let plan = self.plan;
        let node = &plan.nodes[place];
        if node.members.len() > MOST_MEMBERS || node.map.is_some() {
            return None;
        }
        let at = if LAID_OUT { flat.open(PhysicalType::M, name) } else { 0 };
        let (mut seen, mut count) = (0_u64, 0_u32);
        let mut more = self.bytes.get(self.at)? != &b'}';
        if !more {
            self.at += 1;
        }
        while more {
            let begun = match self.guessed(place, count) {
                Some(begun) => begun,
                None => self.learn(place, count)?,
            };
            let bit = 1 << begun.member;
            if seen & bit != 0 {
                return None;
            }
            seen |= bit;
            self.value::<LAID_OUT>(flat, node.members.node(begun.member), begun.name, begun.physical)?;
            count += 1;
            more = self.goes_on(b'}')?;
        }
        if (count as usize) < node.members.len() {
            for (at, (_, member)) in node.members.iter().enumerate() {
                if seen >> at & 1 == 0 {
                    if plan.nodes[member].required.is_some() {
                        return None;
                    }
                    self.item[member].absent += 1;
                }
            }
        }
        if LAID_OUT {
            flat.close_alike(self.body, at, count, &mut self.maps[place].orders);
        }
        Some(count)
    }

    #[inline(always)]
    fn guessed(&mut self, place: usize, number: u32) -> Option<Guess> {
        let guess = *self.maps[place].guesses.get(number as usize)?;
        let before = self.bytes.get(guess.start..guess.start + guess.length)?;
        let now = self.bytes.get(self.at..self.at + guess.length)?;
        if !same(before, now) {
            return None;
        }
        self.at += guess.length;
        Some(guess)
    }

    /// Reads the beginning of a member that is not the one expected.
    #[cold]
    fn learn(&mut self, place: usize, number: u32) -> Option<Guess> {
        let (number, start) = (number as usize, self.at);
        self.byte(b'"')?;
        let (name, text) = self.text()?;
        let member = self.plan.nodes[place].members.find(text, number)?;
        self.byte(b':')?;
        let physical = self.physical()?;
        let guess = Guess { start, length: self.at - start, name, member, physical };
        let maps = &mut self.maps[place];
        maps.orders.forget();
        match maps.guesses.get_mut(number) {
            Some(known) => *known = guess,
            None => maps.guesses.push(guess),
        }
        Some(guess)
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
    fn value<const LAID_OUT: bool>(
        &mut self,
        flat: &mut Flat,
        place: usize,
        name: Span,
        physical: PhysicalType,
    ) -> Option<()> {
        let node = &self.plan.nodes[place];
        self.item[place].types[physical as usize] += 1;
        if LAID_OUT {
            self.places.push(index(place));
        }
        let bare = node.bare & 1 << physical as u16 != 0;
        match physical {
            PhysicalType::S | PhysicalType::N => {
                let (span, text) = self.text()?;
                if LAID_OUT {
                    flat.text(physical, name, span);
                }
                if physical == PhysicalType::N {
                    self.holds::<LAID_OUT>(node, View::N(text))?;
                } else if !bare {
                    self.holds::<LAID_OUT>(node, View::S(text))?;
                }
            }
            PhysicalType::M => {
                let count = self.map::<LAID_OUT>(flat, place, name)?;
                if !bare {
                    self.holds_so_many(node, physical, count)?;
                }
            }
            PhysicalType::L => {
                let count = self.list::<LAID_OUT>(flat, node, name)?;
                if !bare {
                    self.holds_so_many(node, physical, count)?;
                }
            }
            PhysicalType::Bool => {
                let truth = self.bytes.get(self.at..)?.starts_with(b"true");
                self.word(if truth { "true" } else { "false" })?;
                if LAID_OUT {
                    flat.truth(name, truth);
                }
                if !bare {
                    self.holds::<LAID_OUT>(node, View::Bool(truth))?;
                }
            }
            PhysicalType::Null => {
                self.word("true")?;
                if node.required.is_some() {
                    return None;
                }
                if LAID_OUT {
                    flat.open(physical, name);
                }
            }
            _ => return None,
        }
        self.byte(b'}')
    }

    /// As [`map`](Self::map), of a list.
    #[inline(always)]
    fn list<const LAID_OUT: bool>(&mut self, flat: &mut Flat, node: &Node, name: Span) -> Option<u32> {
        let items = node.items?;
        let at = if LAID_OUT { flat.open(PhysicalType::L, name) } else { 0 };
        let mut count = 0;
        let mut more = self.bytes.get(self.at)? != &b']';
        if !more {
            self.at += 1;
        }
        while more {
            let physical = self.physical()?;
            self.value::<LAID_OUT>(flat, items, Span::default(), physical)?;
            count += 1;
            more = self.goes_on(b']')?;
        }
        if LAID_OUT {
            flat.close(at, count);
        }
        Some(count)
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.bytes.get(self.at..)?.starts_with(word.as_bytes()).then(|| self.at += word.len())
    }

    /// Reads a text whose first quote is read.
    #[inline(always)]
    fn text(&mut self) -> Option<(Span, &'a str)> {
        let start = self.at;
        let end = special(self.bytes, start);
        self.at = end;
        self.byte(b'"')?;
        Some((Span::of_body(start, end), self.body.get(start..end)?))
    }

    /// Whether all that is asked of a value holds, and nothing else is to be counted.
    #[inline(always)]
    fn holds<const LAID_OUT: bool>(&mut self, node: &Node, view: View<'_>) -> Option<()> {
        let parsed;
        let number = match view {
            View::N(text) => {
                parsed = Number::parse(text);
                let number = parsed.as_ref().ok()?;
                if LAID_OUT {
                    self.numbers.push(*number);
                }
                Some(number)
            }
            _ => None,
        };
        let moment = node.moment(view);
        if LAID_OUT && node.reader.is_some() && matches!(view, View::S(_)) {
            self.moments.push(moment);
        }
        let seen = Seen { view, number, moment: moment.as_ref() };
        let (checks, encoder) = (&self.plan.checks, &mut self.encoder);
        let mut holds = |check: &usize| checks[*check].test.holds(&seen, encoder);
        let sound = (node.sure & 1 << view.physical() as u16 != 0 || node.types.iter().all(&mut holds))
            && node.values.iter().all(&mut holds)
            && !node.metrics.iter().any(&mut holds);
        sound.then_some(())
    }

    /// As [`holds`](Self::holds), of a list or map of which no more than this is known.
    fn holds_so_many(&self, node: &Node, physical: PhysicalType, count: u32) -> Option<()> {
        let sure = node.sure & 1 << physical as u16 != 0 && node.metrics.is_empty();
        let mut all = node.values.iter();
        (sure && all.all(|check| self.plan.checks[*check].test.surely_holds(physical, count.into())))
            .then_some(())
    }
}
