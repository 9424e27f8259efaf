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
    // As that release left it: retiring, and past its time.
    let item = [("state", "retiring".to_owned()), ("delete_after", at(20).to_string())];
    for (attribute, value) in item {
        world.set_in_version(1, attribute, &value).await;
    }
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
    assert!(summary.kept[0].reason.starts_with("kept: "), "{summary:#?}");
    assert_eq!(world.measured(prune::TABLES_KEPT), [(Some("recs".into()), 0.0), (Some("recs".into()), 1.0)]);
    assert!(world.registry.version(&recs(), number(1)).await.unwrap().waits.is_some());
    assert_eq!(world.state(1).await, State::Retiring);
    assert!(world.existing().await.contains(&"recs-1".to_owned()) && is_protected(&world, "recs-1").await);
}

#[tokio::test]
async fn a_version_whose_seal_id_release_0_1_0_dropped_is_deleted_all_the_same() {
    let world = World::with_recs().await;
    for night in 1..=4 {
        world.night(&format!("recs-{night}"), VerdictOutcome::Passed, night * 60).await;
    }
    for attribute in ["seal_id", "created_at"] {
        world.take_from_version(1, attribute).await;
    }
    for day in 1..4 {
        world.sweep(day * 86_400).await;
    }
    assert_eq!(world.state(1).await, State::Deleted);
}

#[tokio::test]
async fn a_version_that_release_0_1_0_sealed_is_taken_over_and_deleted_and_one_that_nothing_handed_over_is_kept()
 {
    for handed_over in [true, false] {
        let world = World::with_recs().await;
        if !handed_over {
            world.emulator.settings(|settings| settings.created_at = Some(at(-500).as_second() as f64));
        }
        world.night("recs-1", VerdictOutcome::Passed, 0).await;
        world.emulator.settings(|settings| settings.created_at = None);
        for night in 2..=4 {
            world.night(&format!("recs-{night}"), VerdictOutcome::Passed, night * 60).await;
        }
        // That release gave seals no id and kept no creation time, and it sealed what a finished import completed.
        for attribute in ["seal_id", "created_at"] {
            world.take_from_version(1, attribute).await;
        }
        world.set_readiness(1, "import").await;
        world.emulator.forget_seal_id("recs-1").await;
        for day in 1..4 {
            world.sweep(day * 86_400).await;
        }
        let expected = if handed_over { State::Deleted } else { State::Retiring };
        assert_eq!(world.state(1).await, expected);
        assert_eq!(world.existing().await.contains(&"recs-1".to_owned()), !handed_over);
        if !handed_over {
            let waits = world.registry.version(&recs(), number(1)).await.unwrap().waits.unwrap();
            assert!(waits.reason.contains("septet adopt"), "{}", waits.reason);
            // An operator adopts it.
            let named = world.registry.name_seal(&recs(), number(1), &by(4 * 86_400)).await.unwrap();
            assert!(named.is_done());
            world.sweep(5 * 86_400).await;
            assert_eq!(world.state(1).await, State::Deleted);
        }
    }
}

#[tokio::test]
async fn a_protection_that_was_its_owners_is_never_lifted_and_blocks_no_other_deletion() {
    let world = World::with_recs().await;
    for night in 1..=3 {
        let table = format!("recs-{night}");
        let version = owned_table(&world, &table, night * 60).await;
        let seen = world.registry.see_protection(&recs(), version.version, &by(night * 60)).await.unwrap();
        assert!(seen.is_done());
        world.seal(&version, night * 60).await;
        world.begin_check(&version, night * 60).await;
        world.conclude(&version, VerdictOutcome::Passed, night * 60).await;
    }
    for night in 4..=12 {
        world.night(&format!("recs-{night}"), VerdictOutcome::Passed, night * 60).await;
    }
    let allow = serde_json::json!({"dataset": "recs", "max_deletions": 20});
    world.sweep_with(allow.clone(), 10_000).await;
    world.sweep_with(allow, 20_000).await;
    assert_eq!(world.existing().await.len(), 6);
    let summary = world.sweep(30_000).await;
    assert_eq!((summary.kept.len(), summary.refused.len()), (3, 0), "{summary:#?}");
    assert!(summary.kept.iter().all(|kept| kept.reason.starts_with("kept: protected by its owner")));
    assert!(is_protected(&world, "recs-1").await);
    // Its owner lets it go.
    world.emulator.set_deletion_protection("recs-1", false).await;
    world.sweep(40_000).await;
    assert_eq!(world.state(1).await, State::Deleted);
}

#[tokio::test]
async fn a_discarded_table_is_deleted_unless_its_owner_protects_it() {
    for protected in [true, false] {
        let world = World::with_recs().await;
        let version = world.announce("recs-test", 0).await;
        world.emulator.set_deletion_protection("recs-test", protected).await;
        let discarded = world.registry.discard(&recs(), version.version, "a test", &by(10)).await.unwrap();
        assert!(discarded.is_done());
        for sweep in 1..4 {
            world.sweep(sweep * 300).await;
        }
        assert_eq!(world.existing().await.is_empty(), !protected);
        let expected = if protected { State::Retiring } else { State::Deleted };
        assert_eq!(world.state(1).await, expected);
    }
}

#[tokio::test]
async fn tables_that_are_older_than_the_contract_are_only_listed() {
    let world = World::with_recs().await;
    world.emulator.settings(|settings| settings.created_at = Some(at(-500).as_second() as f64));
    world.emulator.create_dataset_table("recs-old", "user_id", None).await;
    for day in 0..3 {
        let summary = world.sweep(day * 86_400).await;
        let older: Vec<_> = summary.older.iter().map(|older| older.table.as_str()).collect();
        assert_eq!(older, ["recs-old"]);
    }
    assert_eq!(world.reminders(), []);
    assert_eq!(world.states().await, []);
}
