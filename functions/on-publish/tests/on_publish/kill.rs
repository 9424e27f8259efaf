//! The function killed before each call it makes to DynamoDB, and started again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use on_publish::{Letter, Step};
use septet_registry::{Action, State};
use serde_json::Value;
use tokio::sync::Notify;

use crate::support::{Shelf, World, letter_of, manifest, record, signal};

/// Lets so many calls out and then none: to DynamoDB the process is dead.
#[derive(Debug, Clone)]
pub(crate) struct Mortal(Arc<Life>);

#[derive(Debug)]
struct Life {
    calls: AtomicUsize,
    last: usize,
    dead: Notify,
}

impl Mortal {
    pub(crate) fn dying_after(last: usize) -> Self {
        Self(Arc::new(Life { calls: AtomicUsize::new(0), last, dead: Notify::new() }))
    }

    pub(crate) fn client(&self, world: &World) -> Client {
        world.emulator.client_with(|config| config.interceptor(self.clone()))
    }

    /// Comes when it is killed.
    pub(crate) async fn death(&self) {
        self.0.dead.notified().await;
    }

    pub(crate) fn calls(&self) -> usize {
        self.0.calls.load(Ordering::SeqCst)
    }
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Mortal {
    fn name(&self) -> &'static str {
        "Mortal"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if self.0.calls.fetch_add(1, Ordering::SeqCst) < self.0.last {
            return Ok(());
        }
        self.0.dead.notify_one();
        Err("killed".into())
    }
}

/// Runs one delivery until it is over or the process is killed: then its future is dropped where it stands.
async fn run(world: &World, letter: &Letter, last: usize) -> Option<usize> {
    let mortal = Mortal::dying_after(last);
    let shelf = Arc::new(Shelf::default());
    let process = world.process_with(mortal.client(world), shelf.clone());
    let invocation = world.invocation();
    tokio::select! {
        biased;
        () = mortal.0.dead.notified() => None,
        ended = process.one(letter, &invocation) => {
            // It may come to an end in the very breath in which it is killed.
            if mortal.0.calls.load(Ordering::SeqCst) > last {
                return None;
            }
            ended.unwrap();
            assert_eq!(shelf.len(), 0);
            Some(mortal.0.calls.load(Ordering::SeqCst))
        }
    }
}

/// Kills the function before its first call, its second and so on; each time the queue delivers again, at once
/// and, as far as that was put back, later. Answers how many kills there were.
async fn kill_everywhere(world: &World, message: impl Fn(&str) -> Value, users: usize) -> usize {
    for last in 0.. {
        let table = format!("recs-{last:03}");
        world.table(&table, users).await;
        let letter = world.letter(&message(&table));
        let survived = run(world, &letter, last).await.is_some();
        if !survived {
            // Redelivered while the lease of the dead invocation may still hold.
            world.hand(&letter).await.unwrap();
            while let Some(later) = world.shelf.take() {
                world.clock.on(later.delay);
                world.hand(&letter_of(&later)).await.unwrap();
            }
        }
        let versions = world.versions().await;
        assert_eq!(versions.len(), last + 1, "killed after {last} calls: one version");
        if survived {
            return last;
        }
    }
    unreachable!()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_any_call_a_good_table_ends_live_with_one_record_for_each_transition() {
    let world = World::empty().await;
    let kills = kill_everywhere(&world, |table| manifest(table, 8), 8).await;
    assert!(kills > 25, "{kills}");
    let mut taken_over = 0;
    for version in world.versions().await {
        assert_eq!(version.state, State::Valid, "{version:?}");
        let mut actions = world.actions(&version).await;
        taken_over += actions.iter().filter(|action| **action == Action::TakeOver).count();
        actions.retain(|action| *action != Action::TakeOver);
        let all = [Action::Announce, Action::Seal, Action::Check, Action::Pass, Action::Promote];
        assert_eq!(actions, all, "{}", version.table);
        assert!(world.is_sealed(version.table.as_str()).await);
    }
    assert!(taken_over > 5, "{taken_over}");
    assert_eq!(world.live().await.unwrap().version.get() as usize, kills + 1);
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_any_call_a_bad_table_ends_rejected_and_readers_stay() {
    let world = World::empty().await;
    world.table("recs-good", 8).await;
    world.say(&signal("recs-good")).await.unwrap();
    for last in 0.. {
        let table = format!("recs-{last:03}");
        world.table(&table, 2).await;
        let letter = world.letter(&signal(&table));
        let survived = run(&world, &letter, last).await.is_some();
        if !survived {
            world.clock.on(Duration::from_secs(90));
            world.hand(&letter).await.unwrap();
            assert_eq!(world.shelf.len(), 0, "the lease was over");
        }
        let version = world.versions().await.pop().unwrap();
        assert_eq!((version.table.as_str(), version.state), (table.as_str(), State::Rejected));
        let mut actions = world.actions(&version).await;
        actions.retain(|action| *action != Action::TakeOver);
        assert_eq!(actions, [Action::Announce, Action::Seal, Action::Check, Action::Reject]);
        if survived {
            break;
        }
    }
    assert_eq!(world.live().await.unwrap().version.get(), 1);
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_announces_the_record_announces_once() {
    let world = World::empty().await;
    let kills = kill_everywhere(&world, |table| record("CreateTable", table), 1).await;
    assert!(kills >= 5, "{kills}");
    for version in world.versions().await {
        assert_eq!(world.actions(&version).await, [Action::Announce]);
    }
    assert!(world.say(&signal("recs-000")).await.unwrap().steps.contains(&Step::Sealed));
    world.assert_sound().await;
}
