//! The command on a terminal: it asks, shows progress and uses colour.

use std::fs::File;
use std::io::{Read, Write};
use std::process::Command;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use septet_registry::VerdictOutcome;

use crate::world::*;

/// Runs a command on a terminal of its own, types `typed`, and gives the exit code and all that was shown.
fn on_terminal(command: Command, typed: &str) -> (i32, String) {
    on_wide_terminal(command, typed, 100)
}

/// As [`on_terminal`], on one of so many columns.
fn on_wide_terminal(mut command: Command, typed: &str, columns: u16) -> (i32, String) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let terminal = File::options().read(true).write(true).open(name).unwrap();
    let size = rustix::termios::Winsize { ws_row: 50, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&terminal, size).unwrap();
    command.env("TERM", "xterm");
    command.stdin(terminal.try_clone().unwrap()).stdout(terminal.try_clone().unwrap()).stderr(terminal);
    let mut child = command.spawn().unwrap();
    // It holds the other end, which must close with the child.
    drop(command);
    let mut master = File::from(master);
    master.write_all(typed.as_bytes()).unwrap();
    let (mut shown, mut page) = (Vec::new(), [0; 4096]);
    // Linux answers the end of a terminal with an error.
    while let Ok(read) = master.read(&mut page)
        && read > 0
    {
        shown.extend_from_slice(&page[..read]);
    }
    (child.wait().unwrap().code().unwrap(), String::from_utf8_lossy(&shown).into_owned())
}

const ROLLBACK: [&str; 4] = ["rollback", "recs", "--reason", "bad"];

#[tokio::test]
async fn a_move_is_made_only_if_somebody_says_yes() {
    let world = World::with_recs().await;
    world.nights(2).await;
    for no in ["n\n", "\n", "maybe\n"] {
        let (code, shown) = on_terminal(world.command(&ROLLBACK), no);
        assert!(code == 1 && shown.contains("Go on? [y/N]") && shown.contains("declined"), "{code} {shown}");
        assert_eq!(world.live().await, 2);
    }
    let (code, shown) = on_terminal(world.command(&ROLLBACK), "y\n");
    assert!(code == 0 && shown.contains("live of recs names version 1"), "{code} {shown}");
    assert_eq!(world.live().await, 1);
}

#[tokio::test]
async fn a_wait_shows_a_bar_and_leaves_the_answer() {
    let world = World::with_recs().await;
    world.night("recs-1", VerdictOutcome::Failed, "d", 0).await;
    let (code, shown) = on_terminal(world.command(&["publish", "recs-1", "--wait"]), "");
    assert_eq!(code, 1, "{shown}");
    assert!(shown.contains("waits to be announced"), "{shown:?}");
    assert!(shown.contains("Version 1 of recs (recs-1, 9 items) is rejected."), "{shown:?}");
    assert!(shown.contains("\x1b["), "{shown:?}");
}

#[tokio::test]
async fn no_color_is_respected_on_a_terminal() {
    let world = World::with_recs().await;
    world.nights(1).await;
    let shown = |name: &str, value: &str| {
        let mut command = world.command(&["versions", "recs"]);
        command.env(name, value);
        on_terminal(command, "").1
    };
    assert!(shown("ANY", "1").contains("\x1b["));
    assert!(!shown("NO_COLOR", "1").contains('\x1b'));
}

#[tokio::test]
async fn no_page_breaks_a_word_or_a_command_on_a_narrow_terminal() {
    let world = World::with_recs().await;
    world.nights(3).await;
    world.night("recs-4", VerdictOutcome::Failed, "d", 20_000).await;
    assert_eq!(world.run(&["rollback", "recs", "--reason", "listeners complain", "--yes"]).code, 0);
    for page in [
        &["versions", "recs"][..],
        &["show", "recs", "3"],
        &["history", "recs"],
        &["log", "recs"],
        &["prune", "--plan", "recs"],
    ] {
        let plain = world.run(page).stdout;
        for columns in [120, 100, 80, 60, 40] {
            let mut command = world.command(page);
            command.env("NO_COLOR", "1");
            let (code, shown) = on_wide_terminal(command, "", columns);
            let words: std::collections::BTreeSet<_> = shown.split_whitespace().collect();
            let broken: Vec<_> =
                plain.split_whitespace().filter(|word| *word != "-" && !words.contains(word)).collect();
            assert!(code == 0 && broken.is_empty(), "{columns}: {broken:?}\n{shown}");
            let commands = plain.lines().filter(|line| line.contains("septet release"));
            for command in commands {
                assert!(shown.contains(command.trim()), "{columns}: {command}\n{shown}");
            }
        }
    }
    let mut command = world.command(&["versions", "recs"]);
    command.env("NO_COLOR", "1");
    insta::assert_snapshot!(
        on_wide_terminal(command, "", 60).1.replace('\r', "").lines().take(5).collect::<Vec<_>>().join("\n")
    );
}
