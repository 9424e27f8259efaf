//! Whole documents, good and bad, read as users write them.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::path::{Path, PathBuf};

use septet_contract::{Contract, Diagnostic, Property};

fn documents(folder: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(folder);
    let mut paths: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().replace('.', "_")
}

fn printed(path: &Path, found: &[Diagnostic]) -> String {
    let file = path.file_name().unwrap().to_str().unwrap();
    found.iter().map(|diagnostic| diagnostic.in_file(file).to_string()).collect::<Vec<_>>().join("\n")
}

#[test]
fn good_documents_are_read_and_read_back() {
    let documents = documents("good");
    assert!(documents.len() >= 15, "{} documents", documents.len());
    for (path, text) in documents {
        let contract = Contract::parse(&text).unwrap_or_else(|found| panic!("{}", printed(&path, &found)));
        let json = contract.to_json();
        let again = Contract::parse(json).unwrap_or_else(|found| panic!("{}", printed(&path, &found)));
        assert_eq!(again, contract, "{}", path.display());
        assert_eq!(again.digest(), contract.digest(), "{}", path.display());
        let value: serde_json::Value = serde_json::from_str(json).unwrap();
        assert!(value.is_object());
        insta::with_settings!({ snapshot_suffix => name(&path), omit_expression => true }, {
            insta::assert_snapshot!("good", report(&path, &contract));
        });
    }
}

/// What a person would want to know of a contract: key, settings, warnings, what is not enforced.
fn report(path: &Path, contract: &Contract) -> String {
    let object = contract.object();
    let mut lines = vec![
        format!("{} {} ({})", contract.name(), contract.version(), contract.api_version()),
        format!("key: {:?}", object.key),
        format!("settings: {:?}", contract.settings()),
    ];
    for (place, property) in object.all_properties() {
        let mut text = format!("{place}: {:?} as {:?}", property.logical, property.physical_types());
        let options = set_options(property);
        for (flag, set) in [
            ("required", property.required),
            ("unique", property.unique),
            ("closed", property.closed),
            (&options, property.options != septet_contract::Options::default()),
        ] {
            if set {
                text.push_str(&format!(", {flag}"));
            }
        }
        if !property.allowed.is_empty() {
            text.push_str(&format!(", one of {:?}", property.allowed));
        }
        lines.push(text);
    }
    for (place, rule) in object.rules() {
        let place = place.map_or_else(|| "the table".to_owned(), |place| place.to_string());
        lines.push(format!("{place}: {} ({}): {:?}", rule.label(), rule.severity, rule.kind));
    }
    for part in contract.unenforced() {
        lines.push(format!("not enforced: {} {}: {}", part.path, part.what, part.reason));
    }
    for septet_contract::Explained { about, says, fate } in contract.explain() {
        lines.push(format!("{fate:?}: {about}: {says}"));
    }
    if !contract.warnings().is_empty() {
        lines.push(printed(path, contract.warnings()));
    }
    lines.join("\n")
}

fn set_options(property: &Property) -> String {
    let text = format!("{:#?}", property.options);
    let lines = text.lines().filter(|line| !line.ends_with(": None,") && !line.ends_with(": [],"));
    lines.map(str::trim).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_contracts_of_the_project_leave_no_doubt() {
    let documents = documents("../../../../contracts");
    assert!(documents.len() >= 2, "{} documents", documents.len());
    for (path, text) in documents {
        let contract = Contract::parse(&text).unwrap_or_else(|found| panic!("{}", printed(&path, &found)));
        assert_eq!(printed(&path, contract.warnings()), "", "{}", path.display());
    }
}

#[test]
fn bad_documents_are_refused_with_place_and_hint() {
    let documents = documents("bad");
    assert!(documents.len() >= 45, "{} documents", documents.len());
    for (path, text) in documents {
        let found = Contract::parse(&text).expect_err(path.to_str().unwrap());
        for diagnostic in &found {
            assert!(
                !diagnostic.hint.is_empty() && diagnostic.line <= text.lines().count().max(1),
                "{diagnostic}"
            );
        }
        insta::with_settings!({ snapshot_suffix => name(&path), omit_expression => true }, {
            insta::assert_snapshot!("bad", printed(&path, &found));
        });
    }
}
