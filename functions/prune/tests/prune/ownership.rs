//! Tables that Septet never sealed, and seals that others took away.

use septet_registry::*;

use crate::world::*;

/// A table that its owner protects, and that was never sealed.
async fn owned_table(world: &World, name: &str, announced: i64) -> Version {
    let version = world.announce(name, announced).await;
    let backdoor = world.emulator.backdoor();
    let update = backdoor.update_table().table_name(name).deletion_protection_enabled(true);
    update.send().await.unwrap();
    version
}

async fn is_protected(world: &World, name: &str) -> bool {
    let name = TableName::parse(name).unwrap();
    world.tables.describe(&name).await.unwrap().unwrap().deletion_protected
}

#[tokio::test]
async fn a_table_that_was_never_sealed_is_abandoned_and_never_deleted() {
    let world = World::with_recs().await;
    owned_table(&world, "recs-customers", -100_000).await;
    for day in 0..5 {
        world.sweep(1 + day * 86_400).await;
    }
    assert_eq!(world.state(1).await, State::Abandoned);
    assert_eq!(world.existing().await, ["recs-customers"]);
    assert!(is_protected(&world, "recs-customers").await);
}

#[tokio::test]
async fn a_version_that_release_0_1_0_retired_without_a_seal_keeps_its_table_and_its_protection() {
    let world = World::with_recs().await;
    let version = owned_table(&world, "recs-customers", 0).await;
    let abandoned = world.registry.abandon(&recs(), version.version, &by(10)).await;
    assert!(abandoned.unwrap().is_done());
    let retired = world.registry.retire(&recs(), version.version, "abandoned", &by(20)).await;
    assert!(retired.unwrap().is_done());
    for day in 1..5 {
        world.sweep(day * 86_400).await;
    }
    assert_eq!(world.state(1).await, State::Retiring);
    assert_eq!(world.existing().await, ["recs-customers"]);
    assert!(is_protected(&world, "recs-customers").await);
}

#[tokio::test]
async fn a_table_whose_seal_was_taken_away_is_not_deleted() {
    let world = World::with_recs().await;
    world.nights(4).await;
    world.sweep(400).await;
    assert_eq!(world.state(1).await, State::Retiring);
    let arn = "arn:aws:dynamodb:us-east-1:000000000000:table/recs-1";
    world.emulator.client().delete_resource_policy().resource_arn(arn).send().await.unwrap();
    let summary = world.sweep(10_000).await;
    assert!(summary.skipped[0].reason.contains("does not carry Septet's seal"), "{summary:#?}");
    assert_eq!(world.state(1).await, State::Retiring);
    assert!(world.existing().await.contains(&"recs-1".to_owned()) && is_protected(&world, "recs-1").await);
}
