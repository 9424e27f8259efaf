//! Writes what was seen as a contract.

use std::fmt::Write as _;

use septet_tables::TableFacts;

use super::seen::Seen;

/// Characters that a pattern begins with before its first `?`: a contract refuses one with fewer.
const OWN_CHARACTERS: usize = 2;
/// Longest name of a table.
const LONGEST_NAME: usize = 255;
/// A night in a table's name, for examples.
const DATE: &str = "-2026-11-21";

/// How many items were read, and whether there are more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) items: u64,
    pub(super) is_all: bool,
}

/// The text of a contract for tables such as this one.
pub(super) fn write(table: &TableFacts, sample: Sample, seen: &Seen) -> String {
    let table_name = table.name.as_str();
    let (name, pattern) = (dataset(table_name), pattern(table_name));
    let Sample { items, is_all } = sample;
    let of = match is_all {
        true => format!("all {items} items of the table {}", table.name),
        false => format!("a sample of {items} items of the table {}, which holds more", table.name),
    };
    let mut out = format!(
        "# Inferred from {of}.
# Comments say what was seen; only what is written out is enforced. Read it, add limits and rules, then:
#   septet contract lint FILE
# Attributes that are not named are refused: name those that were not seen, or set septet.closed to false.
apiVersion: v3.2.0
kind: DataContract
id: {id}
name: {id}
version: 0.1.0
status: draft
customProperties:
  {why}
  - property: septet.tablePattern
    value: {pattern}
schema:
  - name: {id}
    properties:
",
        id = quoted(&name),
        why = explain_pattern(table_name, &pattern).join("\n  "),
        pattern = quoted(&pattern),
    );
    let key = |name: &str| table.keys.iter().position(|part| part.name == name);
    let mut members: Vec<_> = seen.members.iter().collect();
    members.sort_by_key(|(name, _)| key(name).unwrap_or(usize::MAX));
    // A table without items has a key all the same.
    let none = Seen::default();
    let unseen = table.keys.iter().filter(|part| !seen.members.contains_key(&part.name));
    for part in unseen {
        line(&mut out, 3, &format!("- name: {}", quoted(&part.name)));
        line(&mut out, 4, &format!("physicalType: {}", quoted(part.kind.as_str())));
        key_of(&mut out, key(&part.name));
        property(&mut out, 4, &none, items, true);
    }
    for (name, seen) in members {
        line(&mut out, 3, &format!("- name: {}", quoted(name)));
        key_of(&mut out, key(name));
        property(&mut out, 4, seen, items, false);
    }
    let _ = write!(
        out,
        "    quality:
      # Set a floor that a good night never falls below.
      - metric: rowCount
        mustBeGreaterThan: 0
"
    );
    out
}

fn key_of(out: &mut String, position: Option<usize>) {
    if let Some(position) = position {
        line(out, 4, "primaryKey: true");
        line(out, 4, &format!("primaryKeyPosition: {}", position + 1));
    }
}

/// The keys of a property, `of` being how many values there could be.
fn property(out: &mut String, depth: usize, seen: &Seen, of: u64, typed: bool) {
    let count = seen.count();
    let types: Vec<_> = seen.types.iter().collect();
    match types.as_slice() {
        _ if typed => {}
        [] => line(out, depth, "# seen: null only; write its type"),
        [(only, _)] => {
            if let Some(logical) = logical(only, seen) {
                line(out, depth, &format!("logicalType: {logical}"));
            }
            line(out, depth, &format!("physicalType: {}", quoted(only)));
        }
        many => {
            let many: Vec<_> = many.iter().map(|(name, count)| format!("{name} in {count}")).collect();
            line(out, depth, &format!("# seen: {}; decide on one type", many.join(", ")));
        }
    }
    if count > 0 && count == of {
        line(out, depth, "required: true");
    }
    let mut said = Vec::new();
    if count != of {
        said.push(format!("in {count} of {of}"));
    }
    if seen.nulls > 0 {
        said.push(format!("null in {}", seen.nulls));
    }
    if let [(only, _)] = types.as_slice() {
        ranges(only, seen, &mut said);
    }
    if !said.is_empty() {
        line(out, depth, &format!("# seen: {}", said.join("; ")));
    }
    if types.len() == 1 {
        inside(out, depth, seen, count);
    }
}

fn ranges(only: &str, seen: &Seen, said: &mut Vec<String>) {
    let range =
        |least: String, most: String| if least == most { least } else { format!("{least} to {most}") };
    if let Some((least, most)) = &seen.numbers {
        said.push(range(least.to_string(), most.to_string()));
    }
    if let Some(lengths) = &seen.lengths {
        let what = match only {
            "S" => "characters",
            "B" => "bytes",
            _ => "elements",
        };
        said.push(format!("{} {what}", range(lengths.start().to_string(), lengths.end().to_string())));
    }
    let choices: Vec<_> = seen.choices().map(|text| quoted(text)).collect();
    // A few values among many are choices; a few among few are chance.
    if !choices.is_empty() && seen.count() >= 10 * choices.len() as u64 {
        said.push(format!("one of {}", choices.join(", ")));
    }
}

fn inside(out: &mut String, depth: usize, seen: &Seen, count: u64) {
    if let Some(inner) = &seen.inner {
        let of = inner.count() + inner.nulls;
        if seen.is_map {
            line(out, depth, "map:");
            line(out, depth + 1, "key:");
            line(out, depth + 2, "logicalType: string");
            line(out, depth + 1, "value:");
            property(out, depth + 2, inner, of, false);
        } else {
            line(out, depth, "items:");
            property(out, depth + 1, inner, of, false);
        }
    }
    if !seen.members.is_empty() {
        line(out, depth, "properties:");
        for (name, member) in &seen.members {
            line(out, depth + 1, &format!("- name: {}", quoted(name)));
            property(out, depth + 2, member, count, false);
        }
    }
}

fn logical(physical: &str, seen: &Seen) -> Option<&'static str> {
    let count = seen.count();
    Some(match physical {
        "S" if seen.moments == count => "timestamp",
        "S" if seen.days == count => "date",
        "S" | "B" => "string",
        "N" if seen.broken == 0 => "integer",
        "N" => "number",
        "BOOL" => "boolean",
        "M" if seen.is_map => "map",
        "M" => "object",
        "L" | "SS" | "NS" | "BS" => "array",
        _ => return None,
    })
}

fn line(out: &mut String, depth: usize, text: &str) {
    let _ = writeln!(out, "{:width$}{text}", "", width = depth * 2);
}

/// Text as JSON has it, which YAML reads alike but for signs that some of its readers take for line ends or refuse.
fn quoted(text: &str) -> String {
    let mut quoted = String::new();
    for sign in serde_json::Value::from(text).to_string().chars() {
        match sign {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(sign));
            }
            sign => quoted.push(sign),
        }
    }
    quoted
}

/// Returns a dataset's name for tables named such as `recs-2026-11-21`.
fn dataset(table: &str) -> String {
    let stem = table.trim_end_matches(|c: char| c.is_ascii_digit() || "-_.".contains(c));
    let stem = if stem.len() < OWN_CHARACTERS { table } else { stem };
    let name = stem.to_ascii_lowercase();
    let name: String =
        name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()).chars().take(64).collect();
    if name.is_empty() { "dataset".to_owned() } else { name }
}

/// Returns the tightest pattern that claims the tables of other nights: `recs-????-??-??` for `recs-2026-11-21`.
///
/// Each digit becomes a `?`, but for those among the first two characters, which a pattern must fix.
fn pattern(table: &str) -> String {
    let vary = |(index, c): (usize, char)| match c.is_ascii_digit() && index >= OWN_CHARACTERS {
        true => '?',
        false => c,
    };
    table.chars().enumerate().map(vary).collect()
}

/// Returns the lines of the comment above a pattern that was read off a table's name.
fn explain_pattern(table: &str, pattern: &str) -> Vec<String> {
    if table == pattern {
        let night: String = table.chars().take(LONGEST_NAME - DATE.len()).chain(DATE.chars()).collect();
        return vec![
            format!(
                "# The name {table} has no date, so the pattern claims this one table. Put the date of its"
            ),
            format!(
                "# night into each table's name, such as {night}, and use the pattern {}",
                self::pattern(&night)
            ),
        ];
    }
    let mut lines = vec![format!("# Each ? stands for one character, here for a digit of {table}.")];
    let own: String = table.chars().take(OWN_CHARACTERS).collect();
    if own.contains(|c: char| c.is_ascii_digit()) {
        lines.push(format!("# A pattern begins with {OWN_CHARACTERS} fixed characters or more, here {own}."));
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use septet_contract::Pattern;
    use septet_registry::TableName;

    use super::*;

    #[test]
    fn text_is_one_line_of_ascii_where_readers_of_yaml_disagree() {
        assert_eq!(quoted("a\n\u{85}\u{2028}é"), r#""a\n\u0085\u2028é""#);
    }

    #[test]
    fn a_dataset_is_named_as_its_tables_without_what_changes_every_night() {
        for (table, name) in [
            ("recs-2026-11-21", "recs"),
            ("Recs_v2.20261121", "recs_v"),
            ("users", "users"),
            ("a-1", "a-1"),
            ("2026-11-21", "2026-11-21"),
            ("__x", "x"),
        ] {
            assert_eq!(dataset(table), name, "{table}");
        }
    }

    #[test]
    fn a_pattern_has_a_place_for_each_digit_and_fixes_the_rest() {
        for (table, expected) in [
            ("movies-2026-11-21", "movies-????-??-??"),
            ("recs-20261121", "recs-????????"),
            ("recs-v7", "recs-v?"),
            ("Recs_v2.20261121", "Recs_v?.????????"),
            ("users", "users"),
            ("a-1", "a-?"),
            ("r1-recs", "r1-recs"),
            ("v1-2026", "v1-????"),
            ("2026-11-21-recs", "20??-??-??-recs"),
            ("20261121", "20??????"),
        ] {
            assert_eq!(pattern(table), expected, "{table}");
        }
    }

    #[test]
    fn the_comment_of_a_pattern_says_how_to_claim_more_than_one_table() {
        let explain = |table: &str| explain_pattern(table, &pattern(table));
        let each = "# Each ? stands for one character, here for a digit of";
        assert_eq!(explain("recs-2026"), [format!("{each} recs-2026.")]);
        assert_eq!(
            explain("20261121"),
            [
                format!("{each} 20261121."),
                "# A pattern begins with 2 fixed characters or more, here 20.".to_owned()
            ]
        );
        assert_eq!(
            explain("users"),
            [
                "# The name users has no date, so the pattern claims this one table. Put the date of its",
                "# night into each table's name, such as users-2026-11-21, and use the pattern users-????-??-??",
            ]
        );
        // The example is a table's name, too.
        let long = explain(&"x".repeat(255)).join("\n");
        let example = long.split_once("such as ").unwrap().1.split_once(',').unwrap().0;
        assert!(TableName::parse(example).is_ok_and(|name| name.as_str().ends_with(DATE)), "{long}");
    }

    proptest! {
        #[test]
        fn a_pattern_claims_its_table_and_no_name_of_another_length(
            table in "[a-zA-Z0-9_.-]{3,255}",
            other in "[a-zA-Z0-9_.-]{3,255}",
            digits in "[0-9]{255}",
            at in any::<prop::sample::Index>(),
        ) {
            let pattern = Pattern::parse(&pattern(&table)).unwrap();
            prop_assert!(pattern.matches(&table), "{}", pattern);
            let mut longer = table.clone();
            longer.insert(at.index(table.len() + 1), '1');
            let mut shorter = table.clone();
            shorter.remove(at.index(table.len()));
            for name in [&longer, &shorter, &other] {
                prop_assert!(name.len() == table.len() || !pattern.matches(name), "{} {}", pattern, name);
            }
            // Other digits make another night, but where a pattern must begin with its own characters.
            let pairs = table.chars().zip(digits.chars()).enumerate();
            let night: String = pairs
                .map(|(index, (c, other))| if index >= 2 && c.is_ascii_digit() { other } else { c })
                .collect();
            prop_assert!(pattern.matches(&night), "{} {}", pattern, night);
            // Any other character is fixed.
            let at = at.index(table.len());
            let mut changed: Vec<char> = table.chars().collect();
            if !changed[at].is_ascii_digit() || at < 2 {
                changed[at] = if changed[at] == 'x' { 'y' } else { 'x' };
                let changed: String = changed.into_iter().collect();
                prop_assert!(!pattern.matches(&changed), "{} {}", pattern, changed);
            }
        }
    }
}
