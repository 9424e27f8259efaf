//! Tables that are kept: those of others, those that are not sealed, those that their owner protects.

use crate::support::{
    NONE, PATIENCE, TABLE, delete, facts, name, other_seal, put_policy, release_0_1_0, seal_id, sealed,
    tables, with_table,
};
use septet_emulator::{Emulator, Fault, TableStatus as Status};
use septet_registry::SealId;
use septet_tables::{Deletion, DeletionTarget, Flaw, KeptBecause, NotYet, TableFacts};
use serde_json::{Value, json};

async fn delete_as(
    emulator: &Emulator,
    facts: &TableFacts,
    seal: &SealId,
    owner_protected: bool,
) -> Deletion {
    let table = name();
    let target = DeletionTarget { table: &table, id: &facts.id, seal, owner_protected };
    tables(emulator).delete(target, PATIENCE).await.unwrap()
}

async fn discard(emulator: &Emulator, facts: &TableFacts, seal: Option<&SealId>) -> Deletion {
    tables(emulator).discard(&name(), &facts.id, seal, PATIENCE).await.unwrap()
}

/// Asserts that nothing was done since the calls were cleared.
async fn assert_untouched(emulator: &Emulator, before: &TableFacts) {
    let changes = ["UpdateTable", "DeleteTable", "PutResourcePolicy", "DeleteResourcePolicy"];
    assert_eq!(changes.map(|call| emulator.count(call)), [0; 4]);
    assert_eq!(facts(emulator).await, *before);
}

#[tokio::test]
async fn a_table_with_another_seal_is_kept() {
    let emulator = with_table().await;
    let facts = sealed(&emulator).await;
    emulator.clear_calls();
    let kept = delete_as(&emulator, &facts, &other_seal(), false).await;
    assert_eq!(kept, Deletion::Kept(KeptBecause::ForeignSeal { id: Some(seal_id()) }));
    assert_untouched(&emulator, &facts).await;
}

#[tokio::test]
async fn a_table_without_an_intact_seal_is_kept() {
    let missing = |sid: &str| Flaw::StatementMissing { sid: sid.into() };
    let id = format!("SeptetSealId{}", seal_id());
    let mut weaker = release_0_1_0();
    weaker["Statement"][0]["Action"] = json!(["dynamodb:PutItem"]);
    let three = ["SeptetSealItems", "SeptetSealSettings", "SeptetSealTable"].map(missing);
    let all = [&three[..], &[missing(&id)]].concat();
    let changed = Flaw::StatementChanged { sid: "SeptetSealItems".into() };
    for (policy, flaws) in [
        (None, all),
        (Some(release_0_1_0()), vec![missing(&id)]),
        (Some(weaker), vec![changed, missing(&id)]),
    ] {
        let emulator = with_table().await;
        emulator.set_deletion_protection(TABLE, true).await;
        if let Some(policy) = &policy {
            put_policy(&emulator, policy).await;
        }
        let facts = facts(&emulator).await;
        emulator.clear_calls();
        let kept = delete_as(&emulator, &facts, &seal_id(), false).await;
        assert_eq!(kept, Deletion::Kept(KeptBecause::NotSealed { flaws }));
        assert_untouched(&emulator, &facts).await;
    }
}

#[tokio::test]
async fn protection_of_the_owner_is_never_switched_off() {
    let emulator = with_table().await;
    let facts = sealed(&emulator).await;
    emulator.clear_calls();
    let kept = delete_as(&emulator, &facts, &seal_id(), true).await;
    assert_eq!(kept, Deletion::Kept(KeptBecause::OwnersProtection));
    assert_untouched(&emulator, &facts).await;
    // The owner switches it off: the table may go.
    emulator.set_deletion_protection(TABLE, false).await;
    assert_eq!(delete_as(&emulator, &facts, &seal_id(), true).await, Deletion::Deleted);
    assert_eq!(emulator.count("UpdateTable"), 0);
}

#[tokio::test]
async fn protection_that_the_owner_switches_on_at_the_last_moment_holds() {
    let emulator = with_table().await;
    let facts = sealed(&emulator).await;
    emulator.set_deletion_protection(TABLE, false).await;
    let owner = emulator.backdoor();
    emulator.inject(Fault::meanwhile("DeleteTable", move || {
        let protect = owner.update_table().table_name(TABLE).deletion_protection_enabled(true);
        async move { drop(protect.send().await.unwrap()) }
    }));
    let kept = delete_as(&emulator, &facts, &seal_id(), true).await;
    assert_eq!((kept, emulator.fired()), (Deletion::Kept(KeptBecause::OwnersProtection), 1));
    assert!(emulator.has_table(TABLE).await);
}

#[tokio::test]
async fn a_seal_that_is_broken_between_two_steps_keeps_the_table() {
    let emulator = with_table().await;
    let facts = sealed(&emulator).await;
    let client = emulator.client();
    let arn = facts.arn.clone();
    // After protection was switched off and before the deletion.
    emulator.inject(Fault::meanwhile("UpdateTable", move || {
        let drop_policy = client.delete_resource_policy().resource_arn(&arn);
        async move { drop(drop_policy.send().await.unwrap()) }
    }));
    let kept = delete_as(&emulator, &facts, &seal_id(), false).await;
    assert!(matches!(kept, Deletion::Kept(KeptBecause::NotSealed { .. })), "{kept:?}");
    assert_eq!((emulator.count("DeleteTable"), emulator.fired()), (0, 1));
}

#[tokio::test]
async fn a_table_that_took_the_place_in_the_very_moment_is_protected_again() {
    let emulator = with_table().await;
    let facts = sealed(&emulator).await;
    let other = emulator.backdoor();
    emulator.inject(Fault::meanwhile("UpdateTable", move || {
        let other = other.clone();
        async move {
            crate::support::replace(other.clone()).await;
            let protect = other.update_table().table_name(TABLE).deletion_protection_enabled(true);
            protect.send().await.unwrap();
        }
    }));
    let deletion = delete_as(&emulator, &facts, &seal_id(), false).await;
    let now = crate::support::facts(&emulator).await;
    assert_eq!(deletion, Deletion::Gone { successor: Some(now.id) });
    assert!(now.deletion_protected);
    assert_eq!((emulator.count("DeleteTable"), emulator.fired()), (0, 1));
}

#[tokio::test]
async fn a_policy_that_cannot_be_read_back_yet_keeps_the_table_for_now() {
    let emulator = with_table().await;
    let facts = sealed(&emulator).await;
    emulator.settings(|settings| settings.policy_readable_after = std::time::Duration::from_secs(600));
    let kept = delete_as(&emulator, &facts, &seal_id(), false).await;
    assert!(matches!(kept, Deletion::Kept(KeptBecause::NotSealed { .. })), "{kept:?}");
    emulator.settings(|settings| settings.policy_readable_after = std::time::Duration::ZERO);
    assert_eq!(delete(&tables(&emulator), &facts.id, NONE).await.unwrap(), Deletion::Deleted);
}

#[tokio::test]
async fn a_discarded_table_without_a_seal_is_deleted() {
    for seal in [None, Some(seal_id())] {
        let emulator = with_table().await;
        let theirs = json!({"Statement": [{"Sid": "Theirs", "Effect": "Allow", "Principal": "*",
            "Action": "dynamodb:GetItem", "Resource": "*"}]});
        put_policy(&emulator, &theirs).await;
        let facts = facts(&emulator).await;
        assert_eq!(discard(&emulator, &facts, seal.as_ref()).await, Deletion::Deleted);
        assert_eq!(discard(&emulator, &facts, seal.as_ref()).await, Deletion::Gone { successor: None });
    }
}

#[tokio::test]
async fn a_discarded_table_with_protection_or_another_seal_is_kept() {
    let emulator = with_table().await;
    emulator.set_deletion_protection(TABLE, true).await;
    let before = facts(&emulator).await;
    emulator.clear_calls();
    for seal in [None, Some(&seal_id())] {
        let kept = discard(&emulator, &before, seal).await;
        assert_eq!(kept, Deletion::Kept(KeptBecause::OwnersProtection));
    }
    assert_untouched(&emulator, &before).await;

    let with_id = |id: SealId| {
        let statement = json!({"Sid": format!("SeptetSealId{id}"), "Effect": "Deny", "Principal": "*",
            "Action": "dynamodb:UpdateTimeToLive", "Resource": "*"});
        json!({"Statement": [statement]})
    };
    let foreign = |id: Option<SealId>| Deletion::Kept(KeptBecause::ForeignSeal { id });
    let cases: [(Value, Option<SealId>, Deletion); 5] = [
        (with_id(other_seal()), None, foreign(Some(other_seal()))),
        (with_id(other_seal()), Some(seal_id()), foreign(Some(other_seal()))),
        (release_0_1_0(), None, foreign(None)),
        // It may be that of another installation.
        (release_0_1_0(), Some(seal_id()), foreign(None)),
        // Sealing was interrupted.
        (with_id(seal_id()), Some(seal_id()), Deletion::Deleted),
    ];
    for (policy, seal, expected) in cases {
        let emulator = with_table().await;
        put_policy(&emulator, &policy).await;
        let before = facts(&emulator).await;
        emulator.clear_calls();
        assert_eq!(discard(&emulator, &before, seal.as_ref()).await, expected, "{policy} {seal:?}");
        if expected != Deletion::Deleted {
            assert_untouched(&emulator, &before).await;
        }
    }
}

#[tokio::test]
async fn a_discarded_table_of_another_id_is_never_touched() {
    let emulator = with_table().await;
    let first = facts(&emulator).await;
    crate::support::replace(emulator.backdoor()).await;
    let second = facts(&emulator).await;
    emulator.clear_calls();
    let gone = discard(&emulator, &first, None).await;
    assert_eq!(gone, Deletion::Gone { successor: Some(second.id.clone()) });
    assert_untouched(&emulator, &second).await;
    emulator.set_status(TABLE, Status::Creating);
    let waiting = discard(&emulator, &second, None).await;
    assert_eq!(waiting, Deletion::NotYet(NotYet::Creating));
}

#[tokio::test]
async fn a_lost_answer_is_settled_though_the_policy_has_gone_first() {
    let emulator = with_table().await;
    let facts = sealed(&emulator).await;
    let client = emulator.client();
    let arn = facts.arn.clone();
    // The answer is lost, the table still shows, and its policy has gone.
    emulator.inject(Fault::refuse("DeleteTable"));
    emulator.inject(
        Fault::meanwhile("GetResourcePolicy", move || {
            let drop_policy = client.delete_resource_policy().resource_arn(&arn);
            async move { drop(drop_policy.send().await.unwrap()) }
        })
        .from(3),
    );
    let patience = std::time::Duration::from_millis(150);
    let deletion = delete(&tables(&emulator), &facts.id, patience).await.unwrap();
    assert_eq!((deletion, emulator.fired()), (Deletion::NotYet(NotYet::Deleting), 2));
}
