//! Checks that many invocations share.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::SignedDuration;
use on_publish::{Ending, Sharing, Step};
use septet_emulator::Fault;
use septet_registry::{Action, State, VerdictOutcome, Version};
use serde_json::{Value, json};

use crate::kill::Mortal;
use crate::support::{TABLE, World, letter_of, manifest, recs, reminder, signal};

const USERS: usize = 23;

fn user(number: usize) -> Value {
    let recs: Vec<_> = (0..number % 4)
        .map(|rec| json!({"track_id": format!("t-{}", number * rec), "score": number as f64 / 7.0}))
        .collect();
    json!({"user_id": format!("u-{number:03}"), "recs": recs})
}

async fn table(world: &World, name: &str) {
    world.emulator.create_dataset_table(name, "user_id", None).await;
    world.emulator.put_items(name, (0..USERS).map(user)).await;
}

/// A world where every check is shared in so many parts and a page has two items.
async fn shared_world(parts: u32) -> World {
    let mut world = World::empty().await;
    world.sharing = Sharing { from_items: 1, parts, keep_every: SignedDuration::from_millis(5) };
    world.put_contract(&unique()).await;
    world.emulator.settings(|settings| settings.page_items = Some(2));
    world
}

/// The contract with a rule that needs every value.
fn unique() -> String {
    let rule = "    quality:\n      - {metric: duplicateValues, arguments: {properties: [user_id, recs]}, mustBe: 0}\n";
    crate::support::CONTRACT.replacen("    quality:\n", rule, 1)
}

pub(crate) async fn profile(world: &World, version: &Version) -> Value {
    let kept = world.registry.documents(&recs(), version.version, "PROFILE").await.unwrap();
    serde_json::from_str(kept[0].1["profile"].as_str().unwrap()).unwrap()
}

/// What one uninterrupted pass in one invocation sees.
async fn in_one_pass() -> Value {
    let world = World::empty().await;
    world.put_contract(&unique()).await;
    table(&world, TABLE).await;
    world.say(&manifest(TABLE, USERS as u64)).await.unwrap();
    let version = world.version().await;
    assert_eq!(version.state, State::Valid, "{version:?}");
    profile(&world, &version).await
}

/// Fails unless two profiles are the same; moments, which depend on the order of adding, to 1e-9.
pub(crate) fn assert_same(one: &Value, two: &Value, at: &str) {
    match (one, two) {
        (Value::Object(one), Value::Object(two)) => {
            assert_eq!(one.keys().collect::<Vec<_>>(), two.keys().collect::<Vec<_>>(), "{at}");
            for (name, value) in one {
                if let ("mean" | "squares", Some(one), Some(two)) =
                    (name.as_str(), value.as_f64(), two[name].as_f64())
                {
                    assert!((one - two).abs() <= 1e-9 * one.abs().max(1.0), "{at}.{name}: {one} {two}");
                } else {
                    assert_same(value, &two[name], &format!("{at}.{name}"));
                }
            }
        }
        (Value::Array(one), Value::Array(two)) if one.len() == two.len() => {
            one.iter().zip(two).for_each(|(one, two)| assert_same(one, two, at));
        }
        _ => assert_eq!(one, two, "{at}"),
    }
}

async fn assert_once(world: &World, version: &Version, expected: &Value) {
    assert_eq!(version.state, State::Valid, "{version:?}");
    assert_eq!((&version.sharing, &version.lease), (&None, &None));
    let mut actions = world.actions(version).await;
    actions.retain(|action| *action != Action::TakeOver);
    let once = [Action::Announce, Action::Seal, Action::Check, Action::Share, Action::Pass, Action::Promote];
    assert_eq!(actions, once);
    assert_same(&profile(world, version).await, expected, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_table_is_read_by_many_invocations_with_the_profile_and_verdict_of_one() {
    let expected = in_one_pass().await;
    let world = shared_world(4).await;
    table(&world, TABLE).await;
    let seen = world.say(&manifest(TABLE, USERS as u64)).await.unwrap();
    assert_eq!(seen.steps, [Step::Announced, Step::Sealed, Step::CheckBegun, Step::Shared]);
    assert_eq!((seen.ending, world.shelf.len()), (Ending::Waiting, 4));
    assert_eq!(seen.reason.unwrap(), "0 of 4 parts of the table are read");
    let ends = world.drain().await;
    let read = ends.iter().filter(|end| end.as_ref().unwrap().steps.contains(&Step::PartRead)).count();
    assert_eq!((read, ends.len()), (4, 5));
    assert_eq!(ends.last().unwrap().as_ref().unwrap().steps, [Step::Passed, Step::Promoted]);
    assert_once(&world, &world.version().await, &expected).await;
    assert_eq!(world.live().await.unwrap().version.get(), 1);
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_invocation_has_no_time_for_many_read_each_from_where_the_last_one_stopped() {
    let expected = in_one_pass().await;
    let mut world = shared_world(3).await;
    world.sharing.from_items = u64::MAX;
    table(&world, TABLE).await;
    let clock = world.clock.clone();
    let slow = Fault::meanwhile("Scan", move || {
        let clock = clock.clone();
        async move { clock.on(Duration::from_secs(40)) }
    });
    world.emulator.inject(slow.always());
    let seen = world.say(&signal(TABLE)).await.unwrap();
    assert_eq!(seen.steps, [Step::Announced, Step::Sealed, Step::CheckBegun, Step::Shared]);
    world.emulator.clear_calls();
    let ends = world.drain().await;
    assert!(ends.len() > 10, "{}", ends.len());
    // Two items each: no page was read twice.
    assert!(world.emulator.count("Scan") <= USERS.div_ceil(2) + 6, "{}", world.emulator.count("Scan"));
    assert_once(&world, &world.version().await, &expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_come_twice_or_after_the_verdict_change_nothing() {
    let expected = in_one_pass().await;
    let world = shared_world(3).await;
    table(&world, TABLE).await;
    world.say(&manifest(TABLE, USERS as u64)).await.unwrap();
    let mut all = Vec::new();
    while let Some(later) = world.shelf.take() {
        all.push(letter_of(&later));
        assert!(all.len() < 40, "messages go round");
        world.hand(&letter_of(&later)).await.unwrap();
        world.hand(&letter_of(&later)).await.unwrap();
    }
    let version = world.version().await;
    assert_once(&world, &version, &expected).await;
    let records = world.records().await;
    for letter in &all {
        let seen = world.hand(letter).await.unwrap();
        assert_eq!((seen.ending, seen.reason.as_deref()), (Ending::Already, Some("that check is over")));
    }
    assert_eq!((world.version().await, world.records().await), (version, records));
    assert_eq!(world.shelf.len(), 0);
}

/// Delivers a message and all that follow from it; the process is killed once, after so many calls. The message it
/// was at is delivered again, or lost and the sweep reminds. Answers whether it died.
async fn deliver(world: &World, first: &Value, table: &str, budget: usize, lost: bool) -> bool {
    let mut letters = VecDeque::from([world.letter(first)]);
    let (mut left, mut died) = (budget, false);
    for round in 0.. {
        assert!(round < 100, "messages go round");
        while let Some(later) = world.shelf.take() {
            letters.push_back(letter_of(&later));
        }
        let Some(letter) = letters.pop_front() else {
            let done = world.versions().await.last().is_some_and(|version| {
                version.state == State::Valid
                    && version.promotion_state != Some(septet_registry::PromotionState::Pending)
            });
            if done {
                return died;
            }
            assert!(lost && died, "only a lost message needs a reminder: killed after {budget} calls");
            world.clock.on(Duration::from_secs(300));
            letters.push_back(world.letter(&reminder(table)));
            continue;
        };
        if died {
            world.hand(&letter).await.unwrap();
            continue;
        }
        let mortal = Mortal::dying_after(left);
        let process = world.process(mortal.client(world));
        let invocation = world.invocation();
        let killed = tokio::select! {
            biased;
            () = mortal.death() => true,
            ended = process.one(&letter, &invocation) => {
                let killed = mortal.calls() > left;
                if !killed {
                    ended.unwrap();
                }
                killed
            }
        };
        match killed {
            false => left -= mortal.calls(),
            true => {
                died = true;
                if !lost {
                    world.clock.on(Duration::from_secs(90));
                    letters.push_back(letter);
                }
            }
        }
    }
    unreachable!()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_every_seventh_call_from_the_check_on_its_message_lost_or_not_there_is_one_verdict() {
    let expected = in_one_pass().await;
    let world = shared_world(2).await;
    world.emulator.settings(|settings| settings.page_items = Some(6));
    for budget in (20..).step_by(7) {
        let name = format!("recs-{budget:03}");
        table(&world, &name).await;
        let died = deliver(&world, &manifest(&name, USERS as u64), &name, budget, budget % 2 == 1).await;
        let version = world.versions().await.pop().unwrap();
        assert_eq!(version.table.as_str(), name, "killed after {budget} calls: one version");
        assert_once(&world, &version, &expected).await;
        if !died {
            assert!(budget > 70, "{budget}");
            break;
        }
    }
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_lost_at_any_write_of_a_shared_check_change_nothing_of_it() {
    let expected = in_one_pass().await;
    let world = shared_world(2).await;
    table(&world, TABLE).await;
    world.emulator.inject(Fault::lost_answer("PutItem").always());
    world.say(&manifest(TABLE, USERS as u64)).await.unwrap();
    for _ in 0..6 {
        while let Some(later) = world.shelf.take() {
            world.clock.on(Duration::from_secs(90));
            let _ = world.hand(&letter_of(&later)).await;
        }
        world.emulator.clear_faults();
        world.clock.on(Duration::from_secs(300));
        world.say(&reminder(TABLE)).await.unwrap();
    }
    assert_once(&world, &world.version().await, &expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_cannot_be_read_makes_the_check_errored_and_a_new_one_is_not_held_up_by_it() {
    let world = shared_world(2).await;
    table(&world, TABLE).await;
    world.say(&manifest(TABLE, USERS as u64)).await.unwrap();
    let stale = letter_of(&world.shelf.take().unwrap());
    world.emulator.inject(Fault::internal_server_error("Scan").always());
    for _ in 0..5 {
        assert_eq!(world.hand(&stale).await.unwrap_err().kind(), "Tables.Unavailable");
        world.clock.on(Duration::from_secs(90));
    }
    let seen = world.hand(&stale).await.unwrap();
    assert_eq!(seen.steps, [Step::Rejected]);
    let version = world.version().await;
    assert_eq!(version.verdict.as_ref().unwrap().outcome, VerdictOutcome::Errored);
    assert!(version.reason().unwrap().starts_with("part 0 of the check began 5 times"), "{version:?}");
    world.emulator.clear_faults();
    while world.shelf.take().is_some() {}
    world.say(&manifest(TABLE, USERS as u64)).await.unwrap();
    assert_eq!(world.version().await.sharing.unwrap().id, "shared-2");
    assert_eq!(world.hand(&stale).await.unwrap().reason.as_deref(), Some("that check is over"));
    world.drain().await;
    assert_eq!(world.version().await.state, State::Valid);
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reminder_asks_only_for_parts_that_nobody_has_and_that_are_not_read() {
    let world = shared_world(3).await;
    table(&world, TABLE).await;
    world.say(&manifest(TABLE, USERS as u64)).await.unwrap();
    let first = world.shelf.take().unwrap();
    while world.shelf.take().is_some() {}
    world.hand(&letter_of(&first)).await.unwrap();
    let seen = world.say(&reminder(TABLE)).await.unwrap();
    assert_eq!(seen.reason.as_deref(), Some("1 of 3 parts of the table are read"));
    let asked: Vec<_> = std::iter::from_fn(|| world.shelf.take())
        .map(|later| serde_json::from_str::<Value>(&later.body).unwrap()["segment"]["part"].clone())
        .collect();
    assert_eq!(asked, [json!(1), json!(2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_gives_the_verdict_does_so_as_of_when_the_check_was_shared() {
    let world = shared_world(2).await;
    let rule = "    quality:\n      - {type: custom, engine: septet, \
                implementation: {check: freshness, property: at, mustBeLessThan: 1, unit: h}}\n";
    let moment =
        "      - {name: at, logicalType: timestamp, physicalType: S, required: true}\n    quality:\n";
    let contract = crate::support::CONTRACT.replacen("    quality:\n", moment, 1);
    world.put_contract(&contract.replacen("    quality:\n", rule, 1)).await;
    world.emulator.create_dataset_table(TABLE, "user_id", None).await;
    let fresh = |number| {
        let mut user = user(number);
        user["at"] = json!("2026-11-21T01:50:00Z");
        user
    };
    world.emulator.put_items(TABLE, (0..USERS).map(fresh)).await;
    world.say(&manifest(TABLE, USERS as u64)).await.unwrap();
    world.clock.on(Duration::from_secs(3 * 3600));
    world.drain().await;
    let version = world.version().await;
    assert_eq!(version.state, State::Valid, "{version:?}");
}
