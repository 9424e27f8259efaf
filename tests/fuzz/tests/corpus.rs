//! Whatever a search found worth trying is tried again.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::path::Path;

fn replay(name: &str, target: fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let mut tried = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        target(&std::fs::read(entry.unwrap().path()).unwrap());
        tried += 1;
    }
    assert!(tried >= 20, "{tried} inputs of {name} are left");
}

#[test]
fn answers() {
    replay("answer", septet_fuzz::answer);
}

#[test]
fn documents() {
    replay("document", septet_fuzz::document);
}

#[test]
fn messages() {
    replay("message", septet_fuzz::message);
}

#[test]
fn profiles() {
    replay("profile", septet_fuzz::profile);
}

#[test]
fn scan_pages() {
    replay("scan-page", septet_fuzz::scan_page);
}
