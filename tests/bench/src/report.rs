//! What a run found: a table for people, a document for programs.

use std::path::Path;

use anyhow::Context;
use comfy_table::{Cell, CellAlignment, Table, presets};
use serde::Serialize;

/// Which numbers are the good ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Better {
    Higher,
    Lower,
}

/// One result. What `goal` is for is the ratio, or `ours` where there is nothing to compare with.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    name: &'static str,
    metric: String,
    ours: f64,
    theirs: Option<f64>,
    ratio: Option<f64>,
    goal: Option<f64>,
    better: Better,
}

impl Row {
    /// How many times less ours takes than theirs, from pairs of the two.
    pub(crate) fn times_less(name: &'static str, metric: &str, pairs: &[(f64, f64)]) -> Self {
        Self::of_pairs(name, metric, pairs, Better::Higher, |(ours, theirs)| theirs / ours)
    }

    /// How many times more ours does than theirs, from pairs of the two.
    pub(crate) fn times_more(name: &'static str, metric: &str, pairs: &[(f64, f64)]) -> Self {
        Self::of_pairs(name, metric, pairs, Better::Higher, |(ours, theirs)| ours / theirs)
    }

    /// How many times theirs ours takes, from pairs of the two.
    pub(crate) fn times_theirs(name: &'static str, metric: &str, pairs: &[(f64, f64)]) -> Self {
        Self::of_pairs(name, metric, pairs, Better::Lower, |(ours, theirs)| ours / theirs)
    }

    /// A number of ours that stands by itself, the smaller the better.
    pub(crate) fn alone(name: &'static str, metric: &str, ours: f64) -> Self {
        Self {
            name,
            metric: metric.into(),
            ours,
            theirs: None,
            ratio: None,
            goal: None,
            better: Better::Lower,
        }
    }

    pub(crate) fn goal(self, goal: f64) -> Self {
        Self { goal: Some(goal), ..self }
    }

    /// The ratio is the median of the pairs' ratios, not the ratio of the medians: what slows the machine down for
    /// a while slows both of a pair down.
    fn of_pairs(
        name: &'static str,
        metric: &str,
        pairs: &[(f64, f64)],
        better: Better,
        ratio: fn(&(f64, f64)) -> f64,
    ) -> Self {
        Self {
            name,
            metric: metric.into(),
            ours: median(pairs.iter().map(|pair| pair.0)),
            theirs: Some(median(pairs.iter().map(|pair| pair.1))),
            ratio: Some(median(pairs.iter().map(ratio))),
            goal: None,
            better,
        }
    }

    fn is_met(&self) -> Option<bool> {
        let found = self.ratio.unwrap_or(self.ours);
        self.goal.map(|goal| match self.better {
            Better::Higher => found >= goal,
            Better::Lower => found <= goal,
        })
    }

    fn cells(&self) -> [Cell; 7] {
        let number = |value: Option<f64>| value.map(short).unwrap_or_default();
        let bound = match self.better {
            Better::Higher => "at least",
            Better::Lower => "at most",
        };
        let goal = self.goal.map(|goal| format!("{bound} {goal}")).unwrap_or_default();
        let met = self.is_met().map_or("", |met| if met { "yes" } else { "NO" });
        let text = [
            self.name.to_owned(),
            self.metric.clone(),
            short(self.ours),
            number(self.theirs),
            number(self.ratio),
            goal,
            met.to_owned(),
        ];
        let mut place = 0;
        text.map(|text| {
            place += 1;
            let side = if (3..=5).contains(&place) { CellAlignment::Right } else { CellAlignment::Left };
            Cell::new(text).set_alignment(side)
        })
    }
}

/// The rows as a table, which is Markdown too.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["name", "metric", "ours", "theirs", "ratio", "goal", "met"]);
    for row in rows {
        table.add_row(row.cells());
    }
    table.to_string()
}

/// Any other table, which is Markdown too; all but the first column are numbers.
pub(crate) fn markdown<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(header);
    table.add_rows(rows);
    table.column_iter_mut().skip(1).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    table.to_string()
}

/// Writes the rows as JSON.
pub(crate) fn write(rows: &[Row], path: &Path) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(rows)? + "\n";
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

/// The middle value, or the mean of the two in the middle.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        even if even % 2 == 0 => f64::midpoint(values[half - 1], values[half]),
        _ => values[half],
    }
}

/// Four significant digits.
pub(crate) fn short(value: f64) -> String {
    let digits = if value == 0.0 { 0 } else { value.abs().log10().floor() as i32 };
    format!("{value:.*}", usize::try_from(3 - digits).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_the_median_of_the_pairs_ratios() {
        // The machine was twice as slow during the second pair.
        let pairs = [(1.0, 30.0), (2.0, 64.0), (1.0, 31.0)];
        let row = Row::times_less("cold start", "ms", &pairs);
        assert_eq!((row.ours, row.theirs, row.ratio), (1.0, Some(31.0), Some(31.0)));
        let row = Row::times_theirs("cold start", "ms", &pairs);
        assert_eq!(row.ratio, Some(1.0 / 31.0));
        let row = Row::times_more("messages", "per second", &pairs).goal(1.0 / 31.0);
        assert_eq!((row.ratio, row.is_met()), (Some(1.0 / 31.0), Some(true)));
    }

    #[test]
    fn a_goal_is_met_on_the_side_of_what_is_better() {
        let pairs = [(2.0, 60.0)];
        let more = |goal| Row::times_less("speed", "ms", &pairs).goal(goal).is_met();
        assert_eq!((more(29.0), more(30.0), more(31.0)), (Some(true), Some(true), Some(false)));
        let less = |goal| Row::alone("size", "MB", 6.0).goal(goal).is_met();
        assert_eq!((less(5.0), less(6.0), less(7.0)), (Some(false), Some(true), Some(true)));
        assert_eq!(Row::alone("size", "MB", 6.0).is_met(), None);
    }

    #[test]
    fn programs_find_what_people_see() {
        let rows = [
            Row::times_less("speed", "ms", &[(2.0, 90.0)]).goal(30.0),
            Row::alone("size", "MB", 7.25).goal(6.0),
        ];
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("target/bench.json");
        write(&rows, &path).unwrap();
        let found: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(
            found,
            serde_json::json!([
                {"name": "speed", "metric": "ms", "ours": 2.0, "theirs": 90.0, "ratio": 45.0, "goal": 30.0,
                 "better": "higher"},
                {"name": "size", "metric": "MB", "ours": 7.25, "theirs": null, "ratio": null, "goal": 6.0,
                 "better": "lower"},
            ])
        );
        insta::assert_snapshot!(table(&rows), @r"
        | name  | metric | ours  | theirs | ratio | goal        | met |
        |-------|--------|-------|--------|-------|-------------|-----|
        | speed | ms     | 2.000 |  90.00 | 45.00 | at least 30 | yes |
        | size  | MB     | 7.250 |        |       | at most 6   | NO  |
        ");
    }

    #[test]
    fn the_middle_of_an_even_number_lies_between_two() {
        assert_eq!(median([4.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([8.0, 1.0, 2.0, 4.0]), 3.0);
    }
}
