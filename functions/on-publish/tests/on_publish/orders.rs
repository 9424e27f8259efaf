//! Messages in any order, any of them twice or more, come to the same.

use proptest::prelude::*;
use septet_registry::{Action, State};
use serde_json::Value;

use crate::support::{TABLE, World, record, reminder, signal};

/// What is told of one table: each at least once.
fn told() -> Vec<Value> {
    let mut failed = record("CreateTable", TABLE);
    failed["detail"]["errorCode"] = "ResourceInUseException".into();
    let mut by_arn = record("CreateTable", TABLE);
    by_arn["detail"]["requestParameters"]["tableName"] =
        format!("arn:aws:dynamodb:us-east-1:000000000000:table/{TABLE}").into();
    vec![
        record("CreateTable", TABLE),
        by_arn,
        signal(TABLE),
        reminder(TABLE),
        failed,
        record("ImportTable", TABLE),
        record("TagResource", TABLE),
    ]
}

/// Every message once or more, shuffled, and after which of them the table appears.
fn any_order() -> impl Strategy<Value = (Vec<usize>, usize)> {
    let count = told().len();
    let more = prop::collection::vec(0..count, 0..5);
    more.prop_flat_map(move |more| {
        let all: Vec<usize> = (0..count).chain(more).collect();
        (Just(all).prop_shuffle(), 0..4usize)
    })
}

async fn end_of(order: &[usize], appears: usize, users: usize) -> (State, Vec<Action>, u64, Option<u64>) {
    let world = World::empty().await;
    for (at, message) in order.iter().enumerate() {
        if at == appears {
            world.table(TABLE, users).await;
        }
        world.say(&told()[*message]).await.unwrap();
    }
    for ended in world.drain().await {
        ended.unwrap();
    }
    world.assert_sound().await;
    let version = world.version().await;
    let live = world.live().await.map(|live| live.version.get());
    (version.state, world.actions(&version).await, version.counts.unwrap().items, live)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn any_order_and_any_number_of_deliveries_come_to_the_same((order, appears) in any_order(), good: bool) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let users = if good { 8 } else { 2 };
        let end = runtime.block_on(end_of(&order, appears, users));
        let mut actions = vec![Action::Announce, Action::Seal, Action::Check];
        actions.extend(if good { vec![Action::Pass, Action::Promote] } else { vec![Action::Reject] });
        let (state, live) = if good { (State::Valid, Some(1)) } else { (State::Rejected, None) };
        prop_assert_eq!(end, (state, actions, users as u64, live));
    }
}
