//! One item at a time, laid out flat in buffers that serve every item after it.
//!
//! A value is a node; the nodes of what lies in it come straight after it. Texts lie in the body they were read
//! from, or, where they had to be unescaped or decoded, in a buffer of this module. So nothing is allocated for
//! an item once the buffers have grown to the largest.

use septet_contract::PhysicalType;

use crate::value::{Item, Value};
use crate::view::View;

/// The nodes of one item; the first is the item itself, a map.
#[derive(Debug, Default, Clone)]
pub(crate) struct Flat {
    nodes: Vec<Node>,
    texts: String,
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    physical: PhysicalType,
    truth: bool,
    /// Of a member of a map.
    name: Span,
    /// Of a text or a binary.
    content: Span,
    /// Of the members of a map, if it is known.
    order: Option<Order>,
    /// How many nodes lie in this one, not counting those in them.
    count: u32,
    /// The first node after this one and all in it.
    after: u32,
}

/// Which members of a map come first by the bytes of their names: the places of all, four bits each.
#[derive(Debug, Clone, Copy)]
struct Order(u32);

impl Order {
    /// Most members.
    const FEW: usize = 8;

    fn place(self, rank: usize) -> usize {
        (self.0 >> (4 * rank) & 15) as usize
    }
}

/// The order of maps that have the same names one after the other, by how many of them; to be forgotten when a name
/// is another.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Orders(Option<(u32, Option<Order>)>);

impl Orders {
    pub(crate) fn forget(&mut self) {
        self.0 = None;
    }
}

/// Where a text lies: from where to where, and whether in the buffer beside the nodes.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Span {
    start: u32,
    /// Its highest bit says that it is apart from the body.
    end: u32,
}

const APART: u32 = 1 << 31;

impl Span {
    #[inline]
    pub(crate) fn of_body(start: usize, end: usize) -> Self {
        Self { start: index(start), end: index(end) }
    }

    fn apart(start: usize, end: usize) -> Self {
        Self { start: index(start), end: index(end) | APART }
    }

    pub(crate) fn is_of_body(self) -> bool {
        self.end & APART == 0
    }

    #[inline]
    fn range(self) -> std::ops::Range<usize> {
        self.start as usize..(self.end & !APART) as usize
    }
}

impl Flat {
    pub(crate) fn clear(&mut self) {
        self.nodes.clear();
        self.texts.clear();
        self.bytes.clear();
    }

    /// Adds a value without content, or one whose content is to follow.
    #[inline]
    pub(crate) fn open(&mut self, physical: PhysicalType, name: Span) -> usize {
        self.push(physical, name, Span::default(), false)
    }

    #[inline]
    fn push(&mut self, physical: PhysicalType, name: Span, content: Span, truth: bool) -> usize {
        let at = self.nodes.len();
        self.nodes.push(Node { physical, truth, name, content, order: None, count: 0, after: index(at + 1) });
        at
    }

    /// Ends a value that holds so many others, all of which were added since it was opened.
    pub(crate) fn close(&mut self, at: usize, count: u32) {
        let after = index(self.nodes.len());
        let node = &mut self.nodes[at];
        (node.count, node.after) = (count, after);
    }

    /// As [`close`](Self::close), of a map that is one of those alike.
    pub(crate) fn close_alike(&mut self, body: &str, at: usize, count: u32, orders: &mut Orders) {
        self.close(at, count);
        let order = match orders.0 {
            Some((members, order)) if members == count => order,
            _ => self.order(body, at),
        };
        orders.0 = Some((count, order));
        self.nodes[at].order = order;
    }

    /// The order of the members of the map at `at`; none if there are too many to sort them in passing.
    fn order(&self, body: &str, at: usize) -> Option<Order> {
        let count = self.nodes[at].count as usize;
        if count > Order::FEW {
            return None;
        }
        let (mut names, mut places) = ([""; Order::FEW], [0; Order::FEW]);
        for (place, name) in self.names(at).take(count).enumerate() {
            let name = self.peek(body, name);
            let mut rank = place;
            while rank > 0 && names[rank - 1] > name {
                (names[rank], places[rank]) = (names[rank - 1], places[rank - 1]);
                rank -= 1;
            }
            (names[rank], places[rank]) = (name, index(place));
        }
        Some(Order(places.iter().rev().fold(0, |order, place| order << 4 | place)))
    }

    #[inline]
    pub(crate) fn text(&mut self, physical: PhysicalType, name: Span, content: Span) {
        self.push(physical, name, content, false);
    }

    pub(crate) fn truth(&mut self, name: Span, truth: bool) {
        self.push(PhysicalType::Bool, name, Span::default(), truth);
    }

    /// Writes a text apart from the body.
    pub(crate) fn apart<E>(&mut self, write: impl FnOnce(&mut String) -> Result<(), E>) -> Result<Span, E> {
        let start = self.texts.len();
        write(&mut self.texts)?;
        Ok(Span::apart(start, self.texts.len()))
    }

    /// Writes bytes apart from the body.
    pub(crate) fn bytes<E>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<Span, E> {
        let start = self.bytes.len();
        write(&mut self.bytes)?;
        Ok(Span::apart(start, self.bytes.len()))
    }

    /// Looks at the text of a span before the item is whole.
    #[inline(always)]
    pub(crate) fn peek<'a>(&'a self, body: &'a str, span: Span) -> &'a str {
        let text = if span.end & APART == 0 { body } else { &self.texts };
        &text[span.range()]
    }

    /// The names of the members of the map at `at`, which is not closed yet.
    pub(crate) fn names(&self, at: usize) -> impl Iterator<Item = Span> + Clone {
        let mut next = at + 1;
        std::iter::from_fn(move || {
            let node = self.nodes.get(next)?;
            next = node.after as usize;
            Some(node.name)
        })
    }

    /// The value at `at`.
    #[inline(always)]
    pub(crate) fn view<'a>(&'a self, body: &'a str, at: usize) -> View<'a> {
        Inside { flat: self, body, at }.view()
    }

    /// The item, whose texts lie in this body.
    pub(crate) fn item<'a>(&'a self, body: &'a str) -> Members<'a> {
        Members(Inside { flat: self, body, at: 0 })
    }

    /// Takes an item that lies elsewhere.
    pub(crate) fn take(&mut self, item: &Item) {
        self.clear();
        self.take_members(item, Span::default());
    }

    fn take_members(&mut self, members: &Item, name: Span) {
        let at = self.open(PhysicalType::M, name);
        for (name, value) in members {
            let name = self.take_text(name);
            self.take_value(value, name);
        }
        self.close(at, index(members.len()));
    }

    fn take_value(&mut self, value: &Value, name: Span) {
        let all = |flat: &mut Self, physical, texts: &[String], element| {
            let at = flat.open(physical, name);
            for text in texts {
                let span = flat.take_text(text);
                flat.text(element, Span::default(), span);
            }
            flat.close(at, index(texts.len()));
        };
        match value {
            Value::S(text) => {
                let span = self.take_text(text);
                self.text(PhysicalType::S, name, span);
            }
            Value::N(text) => {
                let span = self.take_text(text);
                self.text(PhysicalType::N, name, span);
            }
            Value::B(bytes) => {
                let span = self.take_bytes(bytes);
                self.text(PhysicalType::B, name, span);
            }
            Value::Bool(truth) => self.truth(name, *truth),
            Value::Null => drop(self.open(PhysicalType::Null, name)),
            Value::M(members) => self.take_members(members, name),
            Value::L(elements) => {
                let at = self.open(PhysicalType::L, name);
                elements.iter().for_each(|element| self.take_value(element, Span::default()));
                self.close(at, index(elements.len()));
            }
            Value::SS(texts) => all(self, PhysicalType::StringSet, texts, PhysicalType::S),
            Value::NS(texts) => all(self, PhysicalType::NumberSet, texts, PhysicalType::N),
            Value::BS(elements) => {
                let at = self.open(PhysicalType::BinarySet, name);
                for bytes in elements {
                    let span = self.take_bytes(bytes);
                    self.text(PhysicalType::B, Span::default(), span);
                }
                self.close(at, index(elements.len()));
            }
        }
    }

    fn take_text(&mut self, text: &str) -> Span {
        let start = self.texts.len();
        self.texts.push_str(text);
        Span::apart(start, self.texts.len())
    }

    fn take_bytes(&mut self, bytes: &[u8]) -> Span {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        Span::apart(start, self.bytes.len())
    }
}

/// What is beyond is beyond all bodies that are taken, see [`LARGEST_BODY`].
#[inline]
pub(crate) fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Most bytes of a body. Its nodes are fewer than its bytes.
pub(crate) const LARGEST_BODY: usize = (APART - 1) as usize;

/// The values in a node.
#[derive(Debug, Clone, Copy)]
struct Inside<'a> {
    flat: &'a Flat,
    body: &'a str,
    at: usize,
}

impl<'a> Inside<'a> {
    fn len(self) -> usize {
        self.flat.nodes[self.at].count as usize
    }

    #[inline(always)]
    fn each<T: 'a>(self, view: impl Fn(&'a Node, View<'a>) -> T + 'a) -> impl Iterator<Item = T> + 'a {
        let mut next = self.at + 1;
        (0..self.len()).map(
            #[inline(always)]
            move |_| {
                let at = next;
                let node = &self.flat.nodes[at];
                next = node.after as usize;
                view(node, Self { at, ..self }.view())
            },
        )
    }

    #[inline(always)]
    fn view(self) -> View<'a> {
        let node = &self.flat.nodes[self.at];
        match node.physical {
            PhysicalType::S => View::S(self.flat.peek(self.body, node.content)),
            PhysicalType::N => View::N(self.flat.peek(self.body, node.content)),
            PhysicalType::B => View::B(&self.flat.bytes[node.content.range()]),
            PhysicalType::Bool => View::Bool(node.truth),
            PhysicalType::Null => View::Null,
            PhysicalType::M => View::M(Members(self)),
            PhysicalType::L => View::L(Elements(self)),
            PhysicalType::StringSet => View::SS(Elements(self)),
            PhysicalType::NumberSet => View::NS(Elements(self)),
            PhysicalType::BinarySet => View::BS(Elements(self)),
        }
    }
}

/// The members of a map, each of another name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Members<'a>(Inside<'a>);

impl<'a> Members<'a> {
    pub(crate) fn len(self) -> usize {
        self.0.len()
    }

    #[inline(always)]
    pub(crate) fn iter(self) -> impl Iterator<Item = (&'a str, View<'a>)> {
        self.0.each(move |node, view| (self.0.flat.peek(self.0.body, node.name), view))
    }

    /// The members sorted by the bytes of their names; none if there are too many to do that in passing.
    #[inline]
    pub(crate) fn sorted(self) -> Option<impl Iterator<Item = (&'a str, View<'a>)>> {
        let Inside { flat, body, at } = self.0;
        let order = flat.nodes[at].order.or_else(|| flat.order(body, at))?;
        let mut members = [0; Order::FEW];
        let mut next = at + 1;
        for member in members.iter_mut().take(self.len()) {
            *member = next;
            next = flat.nodes[next].after as usize;
        }
        Some((0..self.len()).map(move |rank| {
            let at = members[order.place(rank)];
            (flat.peek(body, flat.nodes[at].name), Inside { flat, body, at }.view())
        }))
    }

    pub(crate) fn get(self, name: &str) -> Option<View<'a>> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The members as a value of its own.
    pub(crate) fn to_item(self) -> Item {
        self.iter().map(|(name, value)| (name.to_owned(), value.to_value())).collect()
    }
}

/// The elements of a list or a set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Elements<'a>(Inside<'a>);

impl<'a> Elements<'a> {
    pub(crate) fn len(self) -> usize {
        self.0.len()
    }

    #[inline(always)]
    pub(crate) fn iter(self) -> impl Iterator<Item = View<'a>> {
        self.0.each(|_, view| view)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::samples::any_item;

    proptest! {
        #[test]
        fn an_item_comes_out_as_it_went_in(first in any_item(), second in any_item()) {
            let mut flat = Flat::default();
            for item in [first, second] {
                flat.take(&item);
                prop_assert_eq!(flat.item("").to_item(), item);
            }
        }
    }
}
