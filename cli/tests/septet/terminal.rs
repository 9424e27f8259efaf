//! The command on a terminal: it asks, shows progress and uses colour.

use std::fs::File;
use std::io::{Read, Write};
use std::process::Command;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use septet_registry::VerdictOutcome;

use crate::world::*;

/// Runs a command on a terminal of its own, types `typed`, and gives the exit code and all that was shown.
fn on_terminal(mut command: Command, typed: &str) -> (i32, String) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let terminal = File::options().read(true).write(true).open(name).unwrap();
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
