//! Writes what was seen as a contract.

use std::fmt::Write as _;

use septet_tables::TableFacts;

use super::seen::Seen;

/// How many items were read, and whether there are more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) items: u64,
    pub(super) is_all: bool,
}

/// The text of a contract for tables such as this one.
pub(super) fn write(table: &TableFacts, sample: Sample, seen: &Seen) -> String {
    let (name, pattern) = names(table.name.as_str());
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
  - property: septet.tablePattern
    value: {pattern}
schema:
  - name: {id}
    properties:
",
        id = quoted(&name),
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

/// A dataset's name and pattern for tables named such as `recs-2026-11-21`.
fn names(table: &str) -> (String, String) {
    let stem = table.trim_end_matches(|c: char| c.is_ascii_digit() || "-_.".contains(c));
    let separator = table[stem.len()..].chars().next().filter(|c| !c.is_ascii_digit());
    let (stem, pattern) = match stem.len() {
        0 | 1 => (table, table.to_owned()),
        _ => (stem, format!("{stem}{}*", separator.map(String::from).unwrap_or_default())),
    };
    let name = stem.to_ascii_lowercase();
    let name: String =
        name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()).chars().take(64).collect();
    (if name.is_empty() { "dataset".to_owned() } else { name }, pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_one_line_of_ascii_where_readers_of_yaml_disagree() {
        assert_eq!(quoted("a\n\u{85}\u{2028}é"), r#""a\n\u0085\u2028é""#);
    }

    #[test]
    fn a_dataset_is_named_as_its_tables_without_what_changes_every_night() {
        for (table, name, pattern) in [
            ("recs-2026-11-21", "recs", "recs-*"),
            ("Recs_v2.20261121", "recs_v", "Recs_v*"),
            ("users", "users", "users*"),
            ("a-1", "a-1", "a-1"),
            ("2026-11-21", "2026-11-21", "2026-11-21"),
            ("__x", "x", "__x*"),
        ] {
            assert_eq!(names(table), (name.to_owned(), pattern.to_owned()), "{table}");
        }
    }
}
