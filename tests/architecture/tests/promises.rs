//! Keeps the list of promises in ARCHITECTURE.md true: every test and invariant that it names is in the sources.
//!
//! The sources are scanned as text, so that the check compiles nothing else.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Number of promises, P1 and on.
const PROMISES: usize = 20;

/// Folders in which the folder that a holder names may be.
const PARENTS: [&str; 4] = ["shared", "functions", "tests", "."];

/// One promise of the list.
#[derive(Debug, Default)]
struct Promise {
    name: String,
    /// Tests and invariants that hold it, as the list writes them.
    holders: Vec<String>,
    /// Text behind "Not kept yet:".
    not_kept: String,
}

/// Names of tests by folder, and of invariants.
#[derive(Debug, Default)]
struct Sources {
    tests: BTreeMap<String, BTreeSet<String>>,
    invariants: BTreeSet<String>,
}

impl Sources {
    /// Reads the folders that the promises name.
    fn read(promises: &[Promise]) -> Self {
        let holders = promises.iter().flat_map(|promise| &promise.holders);
        let folders: BTreeSet<_> =
            holders.filter_map(|holder| holder.split_once(": ")).map(|(folder, _)| folder).collect();
        let tests = folders.into_iter().filter_map(|folder| {
            let mut paths = PARENTS.iter().map(|parent| Path::new(ROOT).join(parent).join(folder));
            Some((folder.to_owned(), tests_in(&paths.find(|path| path.is_dir())?)))
        });
        let registry = Path::new(ROOT).join("shared/registry/src");
        let mut files = vec![registry.join("invariants.rs")];
        files.extend(files_in(&registry.join("invariants")));
        let invariants = files.iter().flat_map(|file| {
            let text = std::fs::read_to_string(file).unwrap();
            text.lines().filter_map(|line| name_after(line, "pub fn ")).collect::<Vec<_>>()
        });
        Self { tests: tests.collect(), invariants: invariants.collect() }
    }

    /// Says what is wrong with a holder, if anything is.
    fn problem(&self, holder: &str) -> Option<String> {
        if let Some(name) = holder.strip_prefix("invariants::") {
            let is_there = self.invariants.contains(name);
            return (!is_there)
                .then(|| format!("the invariant {name} is not in shared/registry/src/invariants"));
        }
        let Some((folder, name)) = holder.split_once(": ") else {
            return Some(format!("{holder:?} is neither `folder: test` nor `invariants::name`"));
        };
        match self.tests.get(folder) {
            None => Some(format!("there is no folder {folder} in {}", PARENTS.join(", "))),
            Some(tests) if !tests.contains(name) => Some(format!("{folder} runs no test {name}")),
            Some(_) => None,
        }
    }
}

/// Reads the promises from the document's section of that name.
fn promises(document: &str) -> Vec<Promise> {
    let section =
        document.split("\n## ").find(|section| section.starts_with("Promises\n")).unwrap_or_default();
    let mut promises: Vec<Promise> = Vec::new();
    for paragraph in paragraphs(section) {
        if let Some(rest) = paragraph.strip_prefix("**P") {
            let number = rest.split('.').next().unwrap_or_default();
            promises.push(Promise { name: format!("P{number}"), ..Promise::default() });
            continue;
        }
        let Some(promise) = promises.last_mut() else { continue };
        if let Some(held) = paragraph.strip_prefix("- Held by ") {
            promise.holders.extend(held.split('`').skip(1).step_by(2).map(str::to_owned));
        } else if let Some(not_kept) = paragraph.strip_prefix("- Not kept yet:") {
            promise.not_kept = not_kept.trim().to_owned();
        }
    }
    promises
}

/// Joins the lines of each paragraph and list entry.
fn paragraphs(text: &str) -> Vec<String> {
    let mut paragraphs = vec![String::new()];
    for line in text.lines() {
        if line.is_empty() || line.starts_with("- ") {
            paragraphs.push(String::new());
        }
        let paragraph = paragraphs.last_mut().unwrap();
        if !paragraph.is_empty() {
            paragraph.push(' ');
        }
        paragraph.push_str(line.trim());
    }
    paragraphs
}

/// Says what is wrong with the list.
fn problems(promises: &[Promise], sources: &Sources) -> Vec<String> {
    let mut problems = Vec::new();
    let names: Vec<_> = promises.iter().map(|promise| promise.name.clone()).collect();
    let expected: Vec<_> = (1..=PROMISES).map(|number| format!("P{number}")).collect();
    if names != expected {
        problems.push(format!("the list has {names:?}, and P1 to P{PROMISES} are expected in order"));
    }
    for Promise { name, holders, not_kept } in promises {
        if holders.is_empty() && not_kept.is_empty() {
            problems.push(format!("{name} has neither a holder nor \"Not kept yet\""));
        }
        let of_holders = holders.iter().filter_map(|holder| sources.problem(holder));
        problems.extend(of_holders.map(|problem| format!("{name}: {problem}")));
    }
    problems
}

/// Names of the tests of a folder that run: those of Rust that are not ignored, and those of pytest.
fn tests_in(folder: &Path) -> BTreeSet<String> {
    let texts = files_in(folder).into_iter().map(|file| {
        let text = std::fs::read_to_string(&file).unwrap();
        match file.extension().is_some_and(|extension| extension == "py") {
            true => python_tests(&text),
            false => rust_tests(&text),
        }
    });
    texts.flatten().collect()
}

/// The files of Rust and Python in a folder, at any depth.
fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_in(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "py") {
            files.push(path);
        }
    }
    files
}

fn rust_tests(text: &str) -> Vec<String> {
    let (mut tests, mut attributes, mut open) = (Vec::new(), String::new(), false);
    for line in text.lines().map(str::trim) {
        if open || line.starts_with("#[") {
            attributes.push_str(line);
            open = !line.ends_with(']');
            continue;
        }
        let is_test = attributes.contains("#[test]") || attributes.contains("#[tokio::test");
        let runs = is_test && !attributes.contains("#[ignore");
        let name = name_after(line.trim_start_matches("pub ").trim_start_matches("async "), "fn ");
        tests.extend(name.filter(|_| runs));
        if !line.is_empty() && !line.starts_with("//") {
            attributes.clear();
        }
    }
    tests
}

fn python_tests(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| line.starts_with("def test_"))
        .filter_map(|line| name_after(line, "def "))
        .collect()
}

/// The name of the function that a line declares behind these words.
fn name_after(line: &str, words: &str) -> Option<String> {
    let (name, _) = line.strip_prefix(words)?.split_once(['(', '<'])?;
    Some(name.to_owned())
}

#[test]
fn every_promise_names_what_holds_it_or_what_is_missing() {
    let document = std::fs::read_to_string(Path::new(ROOT).join("ARCHITECTURE.md")).unwrap();
    let promises = promises(&document);
    let problems = problems(&promises, &Sources::read(&promises));
    assert!(problems.is_empty(), "the list of promises in ARCHITECTURE.md:\n{}", problems.join("\n"));
}

/// A list of all promises, of which P2 has these entries.
fn document(entries: &str) -> String {
    let numbers = 1..=PROMISES;
    let list: String = numbers
        .map(|number| {
            let entries = if number == 2 { entries } else { "- Not kept yet: all of it." };
            format!("**P{number}. A promise.** Over\ntwo lines.\n{entries}\n\n")
        })
        .collect();
    format!("# Document\n\n## Promises\n\n{list}## Tests\n\n**P21. None.**\n")
}

fn problems_of(document: &str) -> Vec<String> {
    let promises = promises(document);
    problems(&promises, &Sources::read(&promises))
}

#[test]
fn a_list_that_is_true_has_no_problem() {
    let held =
        "- Held by `architecture: a_list_that_is_true_has_no_problem`,\n  `invariants::revisions_only_grow`.";
    assert_eq!(problems_of(&document(held)), Vec::<String>::new());
    assert_eq!(promises(&document(held))[1].holders.len(), 2);
}

#[test]
fn what_is_not_in_the_sources_is_named() {
    for (entries, problem) in [
        ("", "P2 has neither a holder nor \"Not kept yet\""),
        ("- Not kept yet:", "P2 has neither a holder nor \"Not kept yet\""),
        ("- Held by `architecture: no_such_test`.", "P2: architecture runs no test no_such_test"),
        ("- Held by `architecture: problems_of`.", "P2: architecture runs no test problems_of"),
        ("- Held by `nowhere: a_test`.", "P2: there is no folder nowhere in shared, functions, tests, ."),
        (
            "- Held by `invariants::nothing_ever_fails`.",
            "P2: the invariant nothing_ever_fails is not in shared/registry/src/invariants",
        ),
        ("- Held by `a_test`.", "P2: \"a_test\" is neither `folder: test` nor `invariants::name`"),
    ] {
        assert_eq!(problems_of(&document(entries)), [problem], "{entries}");
    }
}

#[test]
fn a_list_that_lacks_a_promise_or_changes_their_order_is_named() {
    let whole = document("- Not kept yet: all of it.");
    for broken in [
        whole.replace("**P7.", "**P6."),
        whole.replace("**P20.", "P20."),
        whole.replace("## Promises", "## Words"),
    ] {
        let problems = problems_of(&broken);
        assert!(
            problems.iter().any(|problem| problem.contains("P1 to P20 are expected in order")),
            "{problems:?}"
        );
    }
}

#[test]
fn tests_that_do_not_run_are_none() {
    let text = "#[test]\n#[ignore = \"takes minutes\"]\nfn one() {}\n#[tokio::test(\n    flavor = \"multi_thread\"\n)]\n\
                // A comment.\nasync fn two() {}\nfn three() {}\n    #[test]\n    fn four(seed in 0u64..) {}\n";
    assert_eq!(rust_tests(text), ["two", "four"]);
    assert_eq!(python_tests("def test_one(cloud):\n    def test_two():\ndef helper():\n"), ["test_one"]);
}
