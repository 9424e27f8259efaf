//! What is printed, and how.
//!
//! Standard output takes the answer and nothing else: a page for people, or one JSON document. Whatever
//! is said on the way goes to standard error. Everything makes sense without colour.

use std::io::{IsTerminal, Write};

use comfy_table::{Attribute, Cell, Color, ColumnConstraint, ContentArrangement, Row, Table, Width, presets};
use jiff::Timestamp;
use septet_registry::State;
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use crate::distribution::Canvas;
use crate::exit;

/// Columns of what is no terminal, or does not say.
const USUAL_WIDTH: usize = 100;

/// What a command answers.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) json: Value,
    pub(crate) page: String,
    pub(crate) code: u8,
}

impl Answer {
    pub(crate) fn new(json: impl serde::Serialize, page: impl Into<String>) -> Self {
        let json = serde_json::to_value(json).unwrap_or_default();
        Self { json, page: page.into(), code: exit::DONE }
    }

    pub(crate) fn with_code(self, code: u8) -> Self {
        Self { code, ..self }
    }
}

/// Where things are printed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    pub(crate) json: bool,
    out: Stream,
    err: Stream,
}

#[derive(Debug, Clone, Copy)]
struct Stream {
    colour: bool,
    terminal: bool,
    /// Columns of the terminal, where it says so.
    width: Option<u16>,
}

impl Screen {
    /// The streams of this process: colour only on terminals and where NO_COLOR and the like allow it.
    pub(crate) fn of_process(json: bool) -> Self {
        let (out, err) = (std::io::stdout(), std::io::stderr());
        let allows = |choice| choice != anstream::ColorChoice::Never;
        Self {
            json,
            out: Stream {
                colour: allows(anstream::AutoStream::choice(&out)),
                terminal: out.is_terminal(),
                width: width(&out),
            },
            err: Stream {
                colour: allows(anstream::AutoStream::choice(&err)),
                terminal: err.is_terminal(),
                width: width(&err),
            },
        }
    }

    /// Whether somebody looks at what is said on the way.
    pub(crate) fn is_watched(&self) -> bool {
        self.err.terminal
    }

    /// Prints the answer.
    pub(crate) fn answer(&self, answer: &Answer) {
        let text = match self.json {
            true => serde_json::to_string_pretty(&answer.json).unwrap_or_default(),
            false => answer.page.clone(),
        };
        if !text.is_empty() {
            // Whoever does not read on, as `head` does, has seen enough.
            let _ = writeln!(std::io::stdout(), "{}", text.trim_end());
        }
    }

    /// Says something on the way.
    pub(crate) fn say(&self, text: &str) {
        let _ = writeln!(std::io::stderr(), "{text}");
    }

    /// Says something on the way that begins with a word that stands out.
    pub(crate) fn call(&self, word: &str, text: &str) {
        let (on, off) = match (self.err.colour, word) {
            (false, _) => ("", ""),
            (true, "error" | "no") => ("\x1b[1;31m", "\x1b[0m"),
            (true, "warning") => ("\x1b[1;33m", "\x1b[0m"),
            (true, _) => ("\x1b[1m", "\x1b[0m"),
        };
        self.say(&format!("{on}{word}:{off} {text}"));
    }

    /// An empty table for standard output.
    pub(crate) fn table(&self, header: &[&str]) -> Table {
        self.out.table(header)
    }

    /// An empty table for standard error.
    pub(crate) fn aside(&self, header: &[&str]) -> Table {
        self.err.table(header)
    }

    /// What pictures on standard output are drawn on.
    pub(crate) fn canvas(&self) -> Canvas {
        Canvas {
            width: self.out.width.map_or(USUAL_WIDTH, usize::from),
            blocks: self.out.terminal,
            colour: self.out.colour,
        }
    }

    /// Facts, one on a line.
    pub(crate) fn facts(&self, facts: Vec<(&str, String)>) -> String {
        let mut table = self.table(&[]);
        for (name, value) in facts.into_iter().filter(|(_, value)| !value.is_empty()) {
            table.add_row([Cell::new(name).add_attribute(Attribute::Dim), Cell::new(value)]);
        }
        text(&table)
    }
}

/// Columns of the terminal that a stream writes to.
fn width(stream: &impl std::os::fd::AsFd) -> Option<u16> {
    terminal_size::terminal_size_of(stream).map(|(width, _)| width.0).filter(|width| *width > 0)
}

impl Stream {
    fn table(self, header: &[&str]) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let arrangement =
            if self.terminal { ContentArrangement::Dynamic } else { ContentArrangement::Disabled };
        table.set_content_arrangement(arrangement);
        // A table without colour does not look for the width itself.
        if let Some(width) = self.width {
            table.set_width(width);
        }
        if self.colour {
            table.enforce_styling()
        } else {
            table.force_no_tty()
        };
        if !header.is_empty() {
            table.set_header(header.iter().map(|name| Cell::new(name).add_attribute(Attribute::Bold)));
        }
        table
    }
}

/// A table as text, without margins.
///
/// Where the terminal is too narrow for it, cells wrap between words. A table whose words do not fit is printed as
/// blocks, so that a command in it can be copied.
pub(crate) fn text(table: &Table) -> String {
    let Some(width) = table.width().map(usize::from) else { return lines(table) };
    let content = table.column_max_content_widths();
    if total(content.iter().copied()) <= width {
        return lines(table);
    }
    let words: Vec<_> = (0..content.len()).map(|column| longest_word(table, column)).collect();
    let mut fitted = table.clone();
    if total(words.iter().copied()) <= width {
        let bound = |word: u16| ColumnConstraint::LowerBoundary(Width::Fixed(word + PADDING));
        fitted.set_constraints(words.into_iter().map(bound));
        return lines(&fitted);
    }
    match table.header() {
        Some(header) => blocks(table, header, width),
        // The terminal wraps long lines itself.
        None => lines(fitted.set_content_arrangement(ContentArrangement::Disabled)),
    }
}

/// Columns of the space around a cell.
const PADDING: u16 = 2;

/// Columns of a whole table.
fn total(columns: impl Iterator<Item = u16>) -> usize {
    columns.map(|width| usize::from(width + PADDING)).sum()
}

/// Columns of the longest word in a column of a table.
fn longest_word(table: &Table, column: usize) -> u16 {
    let cells =
        table.header().into_iter().chain(table.row_iter()).filter_map(|row| row.cell_iter().nth(column));
    let longest = cells
        .flat_map(|cell| cell.content().split_whitespace().map(UnicodeWidthStr::width).collect::<Vec<_>>());
    u16::try_from(longest.max().unwrap_or_default()).unwrap_or(u16::MAX - PADDING)
}

/// Each row as a line of the cells that fit, and a line with its name for each of the others.
fn blocks(table: &Table, header: &Row, width: usize) -> String {
    let names: Vec<_> = header.cell_iter().map(Cell::content).collect();
    let mut lines = vec![names.join("  ")];
    for row in table.row_iter() {
        let cells: Vec<_> = row.cell_iter().map(Cell::content).collect();
        let mut first = cells.first().cloned().unwrap_or_default();
        let mut at = 1;
        while let Some(cell) = cells.get(at)
            && first.width() + cell.width() + usize::from(PADDING) <= width
        {
            first = format!("{first}  {cell}");
            at += 1;
        }
        lines.push(first);
        let others = names.iter().zip(&cells).skip(at).filter(|(_, cell)| !matches!(cell.as_str(), "" | "-"));
        lines.extend(others.map(|(name, cell)| format!("  {name}  {cell}")));
    }
    lines.join("\n")
}

fn lines(table: &Table) -> String {
    let lines: Vec<_> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    let margin = lines.iter().all(|line| line.is_empty() || line.starts_with(' '));
    let lines = lines.iter().map(|line| if margin { line.get(1..).unwrap_or_default() } else { line });
    lines.collect::<Vec<_>>().join("\n")
}

/// A state, in a colour that says whether it is well.
pub(crate) fn state(state: State) -> Cell {
    let cell = Cell::new(state.as_str());
    match state {
        State::Valid => cell.fg(Color::Green),
        State::Rejected | State::Lost | State::Abandoned => cell.fg(Color::Red),
        State::Announced | State::Sealed | State::Checking => cell.fg(Color::Yellow),
        _ => cell.add_attribute(Attribute::Dim),
    }
}

/// A time to the second, in UTC.
pub(crate) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// What may be missing.
pub(crate) fn or_dash(text: Option<impl ToString>) -> String {
    text.map_or_else(|| "-".into(), |text| text.to_string())
}
