//! Two distributions side by side, in characters.
//!
//! Both sides have the same bins and the same scale: a bar that is as long as another stands for the same share of
//! its side's values. Counts and shares are written beside the bars where there is room.

use septet_checks::{Bin, Comparison, Counted, Side, Span};
use unicode_width::UnicodeWidthStr;

/// What is drawn on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Canvas {
    /// Columns.
    pub(crate) width: usize,
    /// Whether blocks are drawn, or signs that every file and mail shows.
    pub(crate) blocks: bool,
    pub(crate) colour: bool,
}

/// Shorter bars tell nothing.
const SHORTEST_BAR: usize = 4;
/// Longer ones tell no more.
const LONGEST_BAR: usize = 32;
const LONGEST_LABEL: usize = 28;
const THIS: &str = "this one";
const INDENT: &str = "  ";
const GAP: &str = "   ";

/// Draws a comparison under a title, each line within the width where that is possible at all.
pub(crate) fn draw(title: &str, comparison: &Comparison, canvas: Canvas) -> String {
    let pen = Pen { canvas, comparison };
    let mut lines = vec![format!("{title}: {}", pen.about())];
    lines.extend(pen.bars());
    lines.extend(pen.quantiles());
    lines.extend(pen.notes());
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

struct Pen<'a> {
    canvas: Canvas,
    comparison: &'a Comparison,
}

/// The cells of one side of a bin.
struct Cells {
    share: f64,
    count: String,
    percent: String,
}

impl Pen<'_> {
    fn about(&self) -> &'static str {
        match self.comparison.of {
            Counted::Numbers => "how its numbers are spread",
            Counted::Elements => "how many elements it has",
            Counted::Characters => "how many characters it has",
            Counted::Values => "its most frequent values",
            Counted::Truths => "true and false",
        }
    }

    fn bars(&self) -> Vec<String> {
        let Comparison { now, before, bins, .. } = self.comparison;
        let labels: Vec<_> = bins.iter().map(|bin| cut(&self.label(bin), LONGEST_LABEL)).collect();
        let (names, totals) = ([self.comparison.against.as_str(), THIS], [before, now]);
        let heads: Vec<_> = names
            .iter()
            .zip(totals)
            .map(|(name, side)| format!("{name}, {} values", number(side.count as f64)))
            .collect();
        let cells: Vec<_> = bins.iter().map(|bin| [cells(bin.before, before), cells(bin.now, now)]).collect();
        let longest = |of: &dyn Fn(&Cells) -> usize| cells.iter().flatten().map(of).max().unwrap_or_default();
        let label = labels.iter().map(|label| label.width()).max().unwrap_or_default();
        let (count, percent) = (longest(&|it| it.count.len()), longest(&|it| it.percent.len()));
        let frame = INDENT.len() + label + 2 * (GAP.len() + percent + 1);
        let room = |frame: usize| self.canvas.width.saturating_sub(frame) / 2;
        // Counts give way first.
        let with_counts = room(frame + 2 * (count + 2)) >= SHORTEST_BAR;
        let frame = if with_counts { frame + 2 * (count + 2) } else { frame };
        let bar = room(frame).clamp(SHORTEST_BAR, LONGEST_BAR);
        let side = (frame - INDENT.len() - label) / 2 - GAP.len() + bar;
        let full = cells.iter().flatten().map(|it| it.share).fold(0.0, f64::max);
        let mut lines = vec![format!(
            "{INDENT}{:label$}{GAP}{}{GAP}{}",
            "",
            padded(&cut(&heads[0], side), side),
            cut(&heads[1], side)
        )];
        for (name, both) in labels.iter().zip(&cells) {
            let mut line = format!("{INDENT}{}", padded(name, label));
            for (it, colour) in both.iter().zip(["2", "36"]) {
                let drawn = padded(&self.bar(it.share, full, bar), bar);
                let drawn = if self.canvas.colour { format!("\x1b[{colour}m{drawn}\x1b[0m") } else { drawn };
                line = format!("{line}{GAP}{drawn} {:>percent$}", it.percent);
                if with_counts {
                    line = format!("{line}  {:>count$}", it.count);
                }
            }
            lines.push(line);
        }
        lines
    }

    /// A bar of so many eighths of its room as the share has of the longest; what is there at all shows.
    fn bar(&self, share: f64, full: f64, room: usize) -> String {
        if share <= 0.0 || full <= 0.0 {
            return String::new();
        }
        let length = share / full * room as f64;
        if !self.canvas.blocks {
            return "#".repeat((length.round() as usize).clamp(1, room));
        }
        let eighths = ((length * 8.0).round() as usize).clamp(1, room * 8);
        let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
        format!("{}{rest}", "█".repeat(eighths / 8))
    }

    fn label(&self, bin: &Bin) -> String {
        let whole = matches!(self.comparison.of, Counted::Elements | Counted::Characters);
        let (dash, least) = if self.canvas.blocks { ("–", "≥") } else { ("-", ">=") };
        match &bin.span {
            Span::Value(value) if self.comparison.of == Counted::Truths => value.clone(),
            // Escaped, for a value may hold anything.
            Span::Value(value) => format!("{value:?}"),
            Span::Others => "all others".to_owned(),
            Span::Range(Some(from), Some(below)) if whole && below - from <= 1.0 => number(*from),
            Span::Range(Some(from), Some(below)) if whole => {
                format!("{} {dash} {}", number(*from), number(below - 1.0))
            }
            Span::Range(Some(from), Some(below)) => format!("{} {dash} {}", number(*from), number(*below)),
            Span::Range(Some(from), None) => format!("{least} {}", number(*from)),
            Span::Range(None, Some(below)) => format!("< {}", number(*below)),
            Span::Range(None, None) => "all".to_owned(),
        }
    }

    fn quantiles(&self) -> Vec<String> {
        let Comparison { now, before, quantiles, against, .. } = self.comparison;
        if quantiles.is_empty() {
            return Vec::new();
        }
        let shown = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
        let row = |name: &str, side: &Side, values: Vec<Option<f64>>| {
            let values = values.into_iter().map(shown);
            [name.to_owned(), shown(side.least)]
                .into_iter()
                .chain(values)
                .chain([shown(side.most), shown(side.mean)])
                .collect::<Vec<_>>()
        };
        let shares = quantiles.iter().map(|it| format!("{} %", number(it.share * 100.0)));
        let ends = |first: &str| [first.to_owned(), "least".to_owned()];
        let rows = [
            ends("").into_iter().chain(shares).chain(["most", "mean"].map(str::to_owned)).collect(),
            row(against, before, quantiles.iter().map(|it| it.before).collect()),
            row(THIS, now, quantiles.iter().map(|it| it.now).collect()),
        ];
        let wide = grid(&rows);
        match wide.iter().all(|line| line.width() <= self.canvas.width) {
            true => wide,
            false => {
                let turned = (0..rows[0].len()).map(|at| rows.iter().map(|row| row[at].clone()).collect());
                grid(&turned.collect::<Vec<_>>())
            }
        }
    }

    fn notes(&self) -> Vec<String> {
        let Comparison { now, before, within, of, .. } = self.comparison;
        let mut notes = Vec::new();
        if *within > 0.0 && *of == Counted::Numbers {
            notes.push(format!("values are placed to within {} % of themselves", number(within * 100.0)));
        }
        for (name, missed) in [(self.comparison.against.as_str(), before.missed), (THIS, now.missed)] {
            if missed > 0 {
                let missed = number(missed as f64);
                notes.push(format!("any count of {name} may be too low by up to {missed}"));
            }
        }
        notes.iter().map(|note| format!("{INDENT}({note})")).collect()
    }
}

fn cells(count: u64, side: &Side) -> Cells {
    let share = if side.count == 0 { 0.0 } else { count as f64 / side.count as f64 };
    let percent = match share * 100.0 {
        percent if percent > 0.0 && percent < 0.05 => "< 0.1 %".to_owned(),
        percent => format!("{percent:.1} %"),
    };
    Cells { share, count: number(count as f64), percent }
}

/// Columns under each other, the first to the left, the others to the right.
fn grid(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.first().map(Vec::len).unwrap_or_default();
    let widths: Vec<_> =
        (0..columns).map(|at| rows.iter().map(|row| row[at].width()).max().unwrap_or_default()).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(at, (cell, width))| match at {
            0 => padded(cell, *width),
            _ => format!("{}{cell}", " ".repeat(width - cell.width())),
        });
        format!("{INDENT}{}", cells.collect::<Vec<_>>().join("  "))
    };
    rows.iter().map(line).collect()
}

fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

fn cut(text: &str, most: usize) -> String {
    if text.width() <= most {
        return text.to_owned();
    }
    let mut kept = String::new();
    for letter in text.chars() {
        if format!("{kept}{letter}…").width() > most {
            break;
        }
        kept.push(letter);
    }
    kept + "…"
}

/// A number in four digits, or whole with a comma after each three.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e15).contains(&size) {
        return format!("{value:.2e}");
    }
    let decimals = match value.fract() == 0.0 {
        true => 0,
        false => (3 - size.log10().floor() as i32).clamp(0, 7) as usize,
    };
    let text = format!("{value:.decimals$}");
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let rest = rest.trim_end_matches('0');
    let dot = if rest.is_empty() { "" } else { "." };
    format!("{sign}{grouped}{dot}{rest}")
}

#[cfg(test)]
mod tests {
    use septet_checks::Quantile;

    use super::*;

    fn side(count: u64, least: f64, most: f64) -> Side {
        Side { count, least: Some(least), most: Some(most), mean: Some((least + most) / 2.0), missed: 0 }
    }

    fn scores() -> Comparison {
        let bins = [(None, 0, 2), (Some(0.0), 134, 1334), (Some(0.1), 335, 2668), (Some(0.2), 6231, 3335)];
        let bins = bins
            .into_iter()
            .zip([Some(0.0), Some(0.1), Some(0.2), Some(0.3)])
            .chain([((Some(0.3), 1, 6003), None)]);
        let quantile = |share, now, before| Quantile { share, now: Some(now), before: Some(before) };
        Comparison {
            of: Counted::Numbers,
            against: "version 41".into(),
            now: side(6701, 0.01, 0.31),
            before: side(13342, -0.5, 12345.678),
            bins: bins
                .map(|((from, now, before), below)| Bin { span: Span::Range(from, below), now, before })
                .collect(),
            quantiles: vec![
                quantile(0.05, 0.11, 0.05),
                quantile(0.5, 0.25, 0.27),
                quantile(0.95, 0.29, 0.95),
            ],
            within: 0.0078,
        }
    }

    fn canvas(width: usize, blocks: bool) -> Canvas {
        Canvas { width, blocks, colour: false }
    }

    #[test]
    fn numbers_are_shown_with_bars_on_one_scale_counts_shares_and_quantiles() {
        insta::assert_snapshot!(draw("recs[].score", &scores(), canvas(100, true)));
    }

    #[test]
    fn a_narrow_terminal_leaves_the_counts_out_and_turns_the_quantiles() {
        insta::assert_snapshot!(draw("recs[].score", &scores(), canvas(58, true)));
    }

    #[test]
    fn plain_text_has_no_sign_that_a_mail_could_lose() {
        let drawn = draw("recs[].score", &scores(), canvas(100, false));
        assert!(drawn.is_ascii(), "{drawn}");
        insta::assert_snapshot!(drawn);
    }

    #[test]
    fn values_lists_and_truths_are_shown_by_what_they_are() {
        let value = |text: &str, now, before| Bin { span: Span::Value(text.into()), now, before };
        let strings = Comparison {
            of: Counted::Values,
            bins: vec![
                value("als-v3", 9000, 10),
                value("\u{1b}[31mред\n", 0, 8000),
                value("日本語のとてもとても長い名前のモデル", 1, 1),
                Bin { span: Span::Others, now: 999, before: 1989 },
            ],
            now: Side { missed: 12, ..side(10_000, 0.0, 0.0) },
            quantiles: vec![],
            ..scores()
        };
        let lengths = Comparison {
            of: Counted::Elements,
            bins: [
                (Some(1.0), Some(2.0)),
                (Some(2.0), Some(3.0)),
                (Some(10.0), Some(20.0)),
                (Some(20.0), None),
            ]
            .map(|(from, below)| Bin { span: Span::Range(from, below), now: 5, before: 0 })
            .into(),
            now: side(20, 1.0, 30.0),
            before: Side { least: None, most: None, mean: None, ..side(0, 0.0, 0.0) },
            quantiles: vec![Quantile { share: 0.5, now: Some(10.0), before: None }],
            ..scores()
        };
        let truths = Comparison {
            of: Counted::Truths,
            bins: vec![value("true", 1, 3), value("false", 9, 7)],
            now: side(10, 0.0, 0.0),
            before: side(10, 0.0, 0.0),
            quantiles: vec![],
            ..scores()
        };
        let drawn = [("model", &strings), ("recs", &lengths), ("vip", &truths)]
            .map(|(title, comparison)| draw(title, comparison, canvas(90, true)));
        assert!(!drawn.concat().contains('\u{1b}'));
        insta::assert_snapshot!(drawn.join("\n\n"));
    }

    #[test]
    fn no_line_is_wider_than_the_canvas() {
        for width in 56..140 {
            for blocks in [true, false] {
                for line in draw("x", &scores(), canvas(width, blocks)).lines() {
                    assert!(line.width() <= width, "{width}: {line}");
                }
            }
        }
        let coloured = draw("x", &scores(), Canvas { colour: true, ..canvas(80, true) });
        assert!(coloured.contains("\x1b[36m") && coloured.contains("\x1b[0m"));
    }

    #[test]
    fn numbers_are_short_and_grouped() {
        for (value, shown) in [
            (0.0, "0"),
            (1234567.0, "1,234,567"),
            (-1234.5, "-1,234"),
            (0.1, "0.1"),
            (0.30000000000000004, "0.3"),
            (12.3456, "12.35"),
            (0.00012346, "0.0001235"),
            (1.5e20, "1.50e20"),
            (1e-9, "1.00e-9"),
        ] {
            assert_eq!(number(value), shown);
        }
    }
}
