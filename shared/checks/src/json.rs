//! Reads items from the JSON that DynamoDB writes, in one pass and without allocating for each.
//!
//! Strict: what is not JSON, has a name twice or a value of an unknown type, or nests deeper than
//! [`DEEPEST`] is an error. It reads what the SDK reads and nothing more; of what the SDK lets pass beside that
//! (control characters between values, `{"S":null,"N":"1"}`, names given twice, text after the end) DynamoDB
//! writes nothing, so such a page is not what it sent.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use septet_contract::PhysicalType;

use crate::flat::{Flat, LARGEST_BODY, Members, Orders, Span, index};
use crate::value::Item;

/// Deepest nesting of lists and maps: twice what DynamoDB stores.
const DEEPEST: usize = 64;

/// Why a body is no page of a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// Which byte, from 0.
    pub at: usize,
    /// What is wrong there.
    pub problem: &'static str,
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "read a page at byte {}: {}", self.at, self.problem)
    }
}

impl std::error::Error for Malformed {}

/// What a page of a scan says beside its items.
#[derive(Debug, Clone, PartialEq)]
pub struct PageEnd {
    /// How many items it has.
    pub items: u64,
    /// The key after which the next page begins; none on the last.
    pub next: Option<Item>,
    /// What it cost, if the answer says so.
    pub read_units: Option<f64>,
}

/// Reads the body of an answer to `Scan` or `Query` and hands each item on.
///
/// Items that were handed on before the body turns out malformed are part of no page.
pub fn read_page(body: &[u8], mut take: impl FnMut(Item)) -> Result<PageEnd, Malformed> {
    page(text(body)?, &mut Flat::default(), &mut |item: Members<'_>| take(item.to_item()))
}

/// The text of a body.
pub(crate) fn text(body: &[u8]) -> Result<&str, Malformed> {
    if body.len() > LARGEST_BODY {
        return Err(Malformed { at: 0, problem: "larger than any page" });
    }
    std::str::from_utf8(body).map_err(|error| Malformed { at: error.valid_up_to(), problem: "not UTF-8" })
}

/// What is done with items.
pub(crate) trait Take {
    /// Reads the item that begins at `at` by itself, and says where it ends; none leaves it to the reader.
    fn read(&mut self, _at: usize, _flat: &mut Flat) -> Option<usize> {
        None
    }

    fn take(&mut self, item: Members<'_>);
}

impl<F: FnMut(Members<'_>)> Take for F {
    fn take(&mut self, item: Members<'_>) {
        self(item);
    }
}

pub(crate) fn page(body: &str, flat: &mut Flat, to: &mut impl Take) -> Result<PageEnd, Malformed> {
    let mut reader = Reader { body, bytes: body.as_bytes(), at: 0, shapes: Default::default() };
    let (mut items, mut count, mut next, mut read_units) = (None, None, None, None);
    reader.token(b'{', "an object expected")?;
    reader.members(|reader| {
        flat.clear();
        let name = reader.string(flat)?;
        reader.token(b':', "`:` expected")?;
        match flat.peek(body, name) {
            "Items" if items.is_none() => {
                let mut seen = 0_u64;
                reader.token(b'[', "a list of items expected")?;
                reader.elements(|reader| {
                    seen += 1;
                    if let Some(end) = to.read(reader.at, flat) {
                        reader.at = end;
                        return Ok(());
                    }
                    flat.clear();
                    reader.map(flat, Span::default(), 0)?;
                    to.take(flat.item(body));
                    Ok(())
                })?;
                items = Some(seen);
            }
            "Count" if count.is_none() => count = Some(reader.number()?),
            "LastEvaluatedKey" if next.is_none() => {
                flat.clear();
                reader.map(flat, Span::default(), 0)?;
                next = Some(flat.item(body).to_item());
            }
            "ConsumedCapacity" if read_units.is_none() => {
                reader.token(b'{', "an object expected")?;
                reader.members(|reader| {
                    let name = reader.string(flat)?;
                    reader.token(b':', "`:` expected")?;
                    match flat.peek(body, name) {
                        "CapacityUnits" => read_units = Some(reader.number()?),
                        _ => reader.skip(flat, 0)?,
                    }
                    Ok(())
                })?;
            }
            "Items" | "Count" | "LastEvaluatedKey" | "ConsumedCapacity" => {
                return reader.fails("a name given twice");
            }
            _ => reader.skip(flat, 0)?,
        }
        Ok(())
    })?;
    reader.space();
    if reader.at < body.len() {
        return reader.fails("text after the end");
    }
    let Some(items) = items else { return reader.fails("a page without items") };
    // A page that was cut and mended on its way must not pass for a whole one.
    if count.is_some_and(|count| count != items as f64) {
        return reader.fails("another number of items than its count");
    }
    Ok(PageEnd { items, next, read_units })
}

struct Reader<'a> {
    body: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// How the members of the last map began, by how deep it lies.
    shapes: [Shape; SHAPES],
}

/// So deep maps are expected to have the members that the last one had.
const SHAPES: usize = 6;

/// How the members of a map began, one after the other; their names differ.
#[derive(Default)]
struct Shape {
    beginnings: [Option<Beginning>; FEW as usize],
    /// How many are known.
    known: usize,
    orders: Orders,
}

/// The beginning of a member: `"name":{"S":"`.
#[derive(Clone, Copy)]
struct Beginning {
    start: u32,
    length: u32,
    name: Span,
    physical: PhysicalType,
    /// Whether the quote of its text is a part of it.
    quoted: bool,
}

/// Whether two texts of the same length, eight bytes at least, are the same.
#[inline(always)]
pub(crate) fn same(one: &[u8], other: &[u8]) -> bool {
    let (ones, others) = (one.as_chunks::<8>().0, other.as_chunks::<8>().0);
    ones.iter().zip(others).all(|(one, other)| one == other)
        && one.last_chunk::<8>() == other.last_chunk::<8>()
}

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGHS: u64 = ONES << 7;

/// Marks the bytes of a word that are below a limit of at most 128. Of several the lowest mark is right; above it
/// there may be others.
#[inline(always)]
fn below(word: u64, limit: u64) -> u64 {
    word.wrapping_sub(ONES * limit) & !word & HIGHS
}

/// As [`below`], those that are this one.
#[inline(always)]
fn equal(word: u64, byte: u8) -> u64 {
    below(word ^ (ONES * u64::from(byte)), 1)
}

/// Where the next byte is that a string does not hold as it is: a quote, a backslash or a control character. The end if
/// there is none.
#[inline(always)]
pub(crate) fn special(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        let word = u64::from_le_bytes(*chunk);
        // With this bit turned the quote comes next to the control characters.
        let found = below(word ^ (ONES * 2), 0x21) | equal(word, b'\\');
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|byte| !matches!(byte, b'"' | b'\\' | ..0x20)) {
        at += 1;
    }
    at
}

/// So many names are compared with each other; more are sorted.
const FEW: u32 = 16;

impl<'a> Reader<'a> {
    #[cold]
    fn fails<T>(&self, problem: &'static str) -> Result<T, Malformed> {
        Err(Malformed { at: self.at, problem })
    }

    #[inline]
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    #[inline]
    fn token(&mut self, token: u8, problem: &'static str) -> Result<(), Malformed> {
        if self.peek() != token {
            self.space();
            if self.peek() != token {
                return self.fails(problem);
            }
        }
        self.at += 1;
        Ok(())
    }

    /// Reads to the end of an object whose brace is read, and returns how many members it has.
    fn members(&mut self, member: impl FnMut(&mut Self) -> Result<(), Malformed>) -> Result<u32, Malformed> {
        self.list(b'}', "`,` or `}` expected", member)
    }

    /// Reads to the end of an array whose bracket is read, and returns how many elements it has.
    fn elements(
        &mut self,
        element: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<u32, Malformed> {
        self.list(b']', "`,` or `]` expected", element)
    }

    #[inline]
    fn list(
        &mut self,
        end: u8,
        problem: &'static str,
        mut one: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<u32, Malformed> {
        self.space();
        if self.peek() == end {
            self.at += 1;
            return Ok(0);
        }
        let mut count = 0;
        loop {
            one(self)?;
            count += 1;
            self.space();
            match self.peek() {
                b',' => self.at += 1,
                other if other == end => {
                    self.at += 1;
                    return Ok(count);
                }
                _ => return self.fails(problem),
            }
        }
    }

    /// Reads `{"name":value,…}`: an item, a key, or what is in an `M`.
    fn map(&mut self, flat: &mut Flat, name: Span, deep: usize) -> Result<(), Malformed> {
        let deep = self.deeper(deep)?;
        let at = flat.open(PhysicalType::M, name);
        let body = self.body;
        self.token(b'{', "a map expected")?;
        let mut count = 0;
        self.members(|reader| {
            if let Some(begun) = reader.begun_as_before(deep, count) {
                count += 1;
                return reader.content(flat, begun.name, begun.physical, begun.quoted, deep);
            }
            let start = reader.at;
            let name = reader.string(flat)?;
            if count < FEW {
                let text = flat.peek(body, name);
                if flat.names(at).any(|other| flat.peek(body, other) == text) {
                    return reader.fails("a name given twice");
                }
            }
            reader.token(b':', "`:` expected")?;
            let physical = reader.physical(flat)?;
            let quoted = reader.keep_beginning(deep, count, start, name, physical);
            count += 1;
            reader.content(flat, name, physical, quoted, deep)
        })?;
        if count > FEW {
            let mut names: Vec<_> = flat.names(at).map(|name| flat.peek(body, name)).collect();
            names.sort_unstable();
            if names.windows(2).any(|pair| pair[0] == pair[1]) {
                return self.fails("a name given twice");
            }
        }
        match self.shapes.get_mut(deep) {
            Some(shape) => flat.close_alike(body, at, count, &mut shape.orders),
            None => flat.close(at, count),
        }
        Ok(())
    }

    fn deeper(&self, deep: usize) -> Result<usize, Malformed> {
        if deep > DEEPEST { self.fails("nested too deeply") } else { Ok(deep + 1) }
    }

    /// Goes on to the content of a member that begins as the one of this number in the last map that lay so deep. As
    /// all before it did so, too, its name is another than theirs.
    #[inline(always)]
    fn begun_as_before(&mut self, deep: usize, number: u32) -> Option<Beginning> {
        let shape = self.shapes.get(deep)?;
        let begun = shape.beginnings[..shape.known].get(number as usize).copied().flatten()?;
        let (start, length) = (begun.start as usize, begun.length as usize);
        let (before, now) =
            (self.bytes.get(start..start + length)?, self.bytes.get(self.at..self.at + length)?);
        if !same(before, now) {
            return None;
        }
        self.at += length;
        Some(begun)
    }

    /// Remembers how a member began, after it was found to have another name than those before it. Tells whether the
    /// reader went on to its text.
    fn keep_beginning(
        &mut self,
        deep: usize,
        number: u32,
        start: usize,
        name: Span,
        physical: PhysicalType,
    ) -> bool {
        let quoted = matches!(physical, PhysicalType::S | PhysicalType::N) && self.peek() == b'"';
        if quoted {
            self.at += 1;
        }
        let length = self.at - start;
        let Some(shape) = self.shapes.get_mut(deep) else { return quoted };
        shape.orders.forget();
        if let Some(place) = shape.beginnings.get_mut(number as usize)
            && number as usize <= shape.known
        {
            shape.known = number as usize;
            if name.is_of_body() && length >= 8 {
                let (start, length) = (index(start), index(length));
                *place = Some(Beginning { start, length, name, physical, quoted });
                shape.known += 1;
            }
        }
        quoted
    }

    /// Reads `{"S":"…"}` and the like.
    fn value(&mut self, flat: &mut Flat, name: Span, deep: usize) -> Result<(), Malformed> {
        let physical = self.physical(flat)?;
        self.content(flat, name, physical, false, deep)
    }

    /// Reads what comes after `{"S":`, or after the quote that follows.
    #[inline]
    fn content(
        &mut self,
        flat: &mut Flat,
        name: Span,
        physical: PhysicalType,
        quoted: bool,
        deep: usize,
    ) -> Result<(), Malformed> {
        match physical {
            PhysicalType::S | PhysicalType::N => {
                let text = if quoted { self.rest_of_string(flat)? } else { self.string(flat)? };
                flat.text(physical, name, text);
            }
            PhysicalType::B => {
                let bytes = self.binary(flat)?;
                flat.text(physical, name, bytes);
            }
            PhysicalType::Bool => {
                let truth = self.truth()?;
                flat.truth(name, truth);
            }
            PhysicalType::Null => {
                // DynamoDB takes no `false` here; the SDK and we read it as null, too.
                self.truth()?;
                flat.open(PhysicalType::Null, name);
            }
            PhysicalType::M => self.map(flat, name, deep)?,
            PhysicalType::L => {
                let deep = self.deeper(deep)?;
                let at = flat.open(PhysicalType::L, name);
                self.token(b'[', "a list expected")?;
                let count = self.elements(|reader| reader.value(flat, Span::default(), deep))?;
                flat.close(at, count);
            }
            PhysicalType::StringSet => self.set(flat, name, physical, PhysicalType::S)?,
            PhysicalType::NumberSet => self.set(flat, name, physical, PhysicalType::N)?,
            PhysicalType::BinarySet => self.set(flat, name, physical, PhysicalType::B)?,
        }
        self.token(b'}', "`}` expected, as a value has one type")
    }

    fn set(
        &mut self,
        flat: &mut Flat,
        name: Span,
        physical: PhysicalType,
        element: PhysicalType,
    ) -> Result<(), Malformed> {
        let at = flat.open(physical, name);
        self.token(b'[', "a set expected")?;
        let count = self.elements(|reader| {
            let content = match element {
                PhysicalType::B => reader.binary(flat)?,
                _ => reader.string(flat)?,
            };
            flat.text(element, Span::default(), content);
            Ok(())
        })?;
        flat.close(at, count);
        Ok(())
    }

    /// Reads the beginning of a value: `{"S":`.
    #[inline]
    fn physical(&mut self, flat: &mut Flat) -> Result<PhysicalType, Malformed> {
        // As DynamoDB writes it, without spaces.
        if let Some([b'{', b'"', letter, b'"', b':']) = self.bytes.get(self.at..self.at + 5) {
            let physical = match letter {
                b'S' => Some(PhysicalType::S),
                b'N' => Some(PhysicalType::N),
                b'M' => Some(PhysicalType::M),
                b'L' => Some(PhysicalType::L),
                b'B' => Some(PhysicalType::B),
                _ => None,
            };
            if let Some(physical) = physical {
                self.at += 5;
                return Ok(physical);
            }
        }
        self.token(b'{', "a value with its type expected")?;
        let name = self.string(flat)?;
        let Some(physical) = PhysicalType::parse(flat.peek(self.body, name)) else {
            return self.fails("a type that DynamoDB does not have");
        };
        self.token(b':', "`:` expected")?;
        Ok(physical)
    }

    fn truth(&mut self) -> Result<bool, Malformed> {
        self.space();
        if self.word(b"true") {
            Ok(true)
        } else if self.word(b"false") {
            Ok(false)
        } else {
            self.fails("true or false expected")
        }
    }

    fn word(&mut self, word: &[u8]) -> bool {
        let there = self.bytes[self.at..].starts_with(word);
        if there {
            self.at += word.len();
        }
        there
    }

    /// Reads a string, unescaped.
    #[inline]
    fn string(&mut self, flat: &mut Flat) -> Result<Span, Malformed> {
        self.token(b'"', "a string expected")?;
        self.rest_of_string(flat)
    }

    /// Reads a string whose first quote is read.
    #[inline]
    fn rest_of_string(&mut self, flat: &mut Flat) -> Result<Span, Malformed> {
        let start = self.at;
        self.go_to_special()?;
        if self.peek() == b'"' {
            let end = self.at;
            self.at += 1;
            return Ok(Span::of_body(start, end));
        }
        flat.apart(|out| self.unescape(start, out))
    }

    /// Goes on to the next quote or backslash of a string.
    #[inline]
    fn go_to_special(&mut self) -> Result<(), Malformed> {
        self.at = special(self.bytes, self.at);
        match self.peek() {
            b'"' | b'\\' => Ok(()),
            _ if self.at >= self.bytes.len() => self.fails("the end within a string"),
            _ => self.fails("a control character within a string"),
        }
    }

    /// Writes a string that begins at `start` and goes on with an escape where the reader is.
    #[cold]
    fn unescape(&mut self, start: usize, out: &mut String) -> Result<(), Malformed> {
        out.push_str(&self.body[start..self.at]);
        while self.peek() == b'\\' {
            self.at += 1;
            let escape = self.peek();
            self.at += 1;
            out.push(match escape {
                b'"' => '"',
                b'\\' => '\\',
                b'/' => '/',
                b'b' => '\u{8}',
                b'f' => '\u{c}',
                b'n' => '\n',
                b'r' => '\r',
                b't' => '\t',
                b'u' => self.unicode()?,
                _ => return self.fails("an escape that JSON does not have"),
            });
            let start = self.at;
            self.go_to_special()?;
            out.push_str(&self.body[start..self.at]);
        }
        self.at += 1;
        Ok(())
    }

    fn unicode(&mut self) -> Result<char, Malformed> {
        let high = self.hexadecimal()?;
        let mut code = high;
        if (0xd800..0xdc00).contains(&high) && self.word(b"\\u") {
            let low = self.hexadecimal()?;
            if !(0xdc00..0xe000).contains(&low) {
                return self.fails("half a surrogate pair");
            }
            code = 0x10000 + ((high - 0xd800) << 10 | (low - 0xdc00));
        }
        match char::from_u32(code) {
            Some(character) => Ok(character),
            None => self.fails("half a surrogate pair"),
        }
    }

    fn hexadecimal(&mut self) -> Result<u32, Malformed> {
        let digits = self.bytes.get(self.at..self.at + 4).filter(|d| d.iter().all(u8::is_ascii_hexdigit));
        let code = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u32::from_str_radix(digits, 16).ok());
        match code {
            Some(code) => {
                self.at += 4;
                Ok(code)
            }
            None => self.fails("four hexadecimal digits expected"),
        }
    }

    /// Reads base64 with its padding.
    fn binary(&mut self, flat: &mut Flat) -> Result<Span, Malformed> {
        self.token(b'"', "a string expected")?;
        let start = self.at;
        self.go_to_special()?;
        let text = &self.body[start..self.at];
        let decoded = flat.bytes(|out| STANDARD.decode_vec(text, out));
        match decoded {
            Ok(span) if self.peek() == b'"' => {
                self.at += 1;
                Ok(span)
            }
            _ => self.fails("not base64"),
        }
    }

    fn number(&mut self) -> Result<f64, Malformed> {
        self.space();
        let start = self.at;
        self.number_text()?;
        match self.body[start..self.at].parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => self.fails("a number expected"),
        }
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        if self.at == start { self.fails("a digit expected") } else { Ok(()) }
    }

    fn number_text(&mut self) -> Result<(), Malformed> {
        if self.peek() == b'-' {
            self.at += 1;
        }
        if self.peek() == b'0' {
            self.at += 1
        } else {
            self.digits()?
        }
        if self.peek() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// Reads a value that nobody asks for.
    fn skip(&mut self, flat: &mut Flat, deep: usize) -> Result<(), Malformed> {
        let deep = self.deeper(deep)?;
        self.space();
        match self.peek() {
            b'"' => self.string(flat).map(drop),
            b'{' => {
                self.at += 1;
                let members = self.members(|reader| {
                    reader.string(flat)?;
                    reader.token(b':', "`:` expected")?;
                    reader.skip(flat, deep)
                });
                members.map(drop)
            }
            b'[' => {
                self.at += 1;
                self.elements(|reader| reader.skip(flat, deep)).map(drop)
            }
            b'-' | b'0'..=b'9' => self.number_text(),
            _ if self.word(b"null") => Ok(()),
            _ => self.truth().map(drop),
        }
    }
}
