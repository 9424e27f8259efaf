//! Ids of seals: whose seal a table carries, and seals of Septet 0.1.0, which have none.

use crate::support::{
    NONE, PATIENCE, TABLE, facts, hasty, name, other_seal, policy, put_policy, release_0_1_0, replace,
    seal_id, sealed, statements, tables, with_table,
};
use septet_emulator::{Fault, TableStatus as Status};
use septet_tables::{ErrorKind, Flaw, NotYet, SealMark, SealState, Sealing, TableFacts, Tables, TakeOver};
use serde_json::{Value, json};

/// Seals the table as Septet 0.1.0 does.
async fn sealed_by_0_1_0(emulator: &septet_emulator::Emulator) -> TableFacts {
    put_policy(emulator, &release_0_1_0()).await;
    emulator.set_deletion_protection(TABLE, true).await;
    facts(emulator).await
}

fn missing_id() -> Flaw {
    Flaw::StatementMissing { sid: format!("SeptetSealId{}", seal_id()) }
}

#[tokio::test]
async fn a_sealed_table_carries_the_id_of_its_seal() {
    let emulator = with_table().await;
    let tables = tables(&emulator);
    let before = facts(&emulator).await;
    assert_eq!(tables.seal_mark(&before).await.unwrap(), SealMark::Nothing);
    let facts = sealed(&emulator).await;
    assert_eq!(tables.seal_mark(&facts).await.unwrap(), SealMark::Id(seal_id()));
    let expected = json!({"Sid": "SeptetSealId0123456789abcdef0123456789abcdef", "Effect": "Deny", "Principal": "*",
        "Action": "dynamodb:UpdateTimeToLive", "Resource": facts.arn});
    assert_eq!(statements(&emulator)[3], expected);
}

#[tokio::test]
async fn a_table_with_another_seal_is_not_sealed() {
    let emulator = with_table().await;
    let facts = sealed(&emulator).await;
    let tables = tables(&emulator);
    let before = emulator.resource_policy(TABLE);
    // Without deletion protection, so that there would be something to do.
    emulator.set_deletion_protection(TABLE, false).await;
    emulator.clear_calls();
    let sealing = tables.seal(&facts, &other_seal(), PATIENCE).await.unwrap();
    assert_eq!(sealing, Sealing::Foreign { id: Some(seal_id()) });
    assert_eq!(emulator.resource_policy(TABLE), before);
    assert_eq!((emulator.count("PutResourcePolicy"), emulator.count("UpdateTable")), (0, 0));
    let now = crate::support::facts(&emulator).await;
    let foreign = Flaw::ForeignSeal { id: Some(seal_id()) };
    let state = tables.seal_of(&now, Some(&other_seal())).await.unwrap();
    assert_eq!(state, SealState::Broken(vec![Flaw::Unprotected, foreign]));
}

#[tokio::test]
async fn of_two_that_seal_at_once_one_finds_the_other() {
    let emulator = with_table().await;
    let facts = facts(&emulator).await;
    let other = Tables::new(emulator.client(), policy());
    let of = facts.clone();
    emulator.inject(Fault::meanwhile("PutResourcePolicy", move || {
        let (other, of) = (other.clone(), of.clone());
        async move {
            let sealing = other.seal(&of, &other_seal(), PATIENCE).await.unwrap();
            assert!(matches!(sealing, Sealing::Sealed(_)), "{sealing:?}");
        }
    }));
    let sealing = tables(&emulator).seal(&facts, &seal_id(), PATIENCE).await.unwrap();
    assert_eq!(sealing, Sealing::Foreign { id: Some(other_seal()) });
    assert_eq!(emulator.fired(), 1);
}

#[tokio::test]
async fn a_seal_of_0_1_0_is_known_and_sealing_again_only_adds_the_id() {
    let emulator = with_table().await;
    let facts = sealed_by_0_1_0(&emulator).await;
    let tables = tables(&emulator);
    assert_eq!(tables.seal_mark(&facts).await.unwrap(), SealMark::WithoutId { intact: true });
    assert_eq!(tables.seal_of(&facts, None).await.unwrap(), SealState::Intact);
    let state = tables.seal_of(&facts, Some(&seal_id())).await.unwrap();
    assert_eq!(state, SealState::Broken(vec![missing_id()]));
    let before = statements(&emulator);
    let sealing = tables.seal(&facts, &seal_id(), NONE).await.unwrap();
    assert!(matches!(&sealing, Sealing::Sealed(seal) if seal.changed), "{sealing:?}");
    let after = statements(&emulator);
    assert_eq!((&after[..before.len()], after.len()), (&before[..], before.len() + 1));
    assert_eq!(tables.seal_of(&facts, Some(&seal_id())).await.unwrap(), SealState::Intact);
    assert_eq!(emulator.count("UpdateTable"), 0);
}

#[tokio::test]
async fn a_seal_of_0_1_0_is_taken_over_and_nothing_else_is_changed() {
    let emulator = with_table().await;
    let facts = sealed_by_0_1_0(&emulator).await;
    emulator.set_deletion_protection(TABLE, false).await;
    let before = statements(&emulator);
    emulator.clear_calls();
    let taken = tables(&emulator).take_over(&facts, &seal_id()).await.unwrap();
    assert_eq!(taken, TakeOver::Taken { changed: true });
    let after = statements(&emulator);
    assert_eq!((&after[..before.len()], after.len()), (&before[..], before.len() + 1));
    let again = tables(&emulator).take_over(&facts, &seal_id()).await.unwrap();
    assert_eq!(again, TakeOver::Taken { changed: false });
    assert_eq!((emulator.count("PutResourcePolicy"), emulator.count("UpdateTable")), (1, 0));
    let foreign = tables(&emulator).take_over(&facts, &other_seal()).await.unwrap();
    assert_eq!(foreign, TakeOver::Foreign { id: Some(seal_id()) });
}

#[tokio::test]
async fn a_seal_that_is_not_exactly_that_of_0_1_0_is_not_taken_over() {
    let whole = release_0_1_0();
    let without = |at: usize| {
        let mut policy = whole.clone();
        policy["Statement"].as_array_mut().unwrap().remove(at);
        policy
    };
    let mut weaker = whole.clone();
    weaker["Statement"][0]["Action"] = json!(["dynamodb:PutItem"]);
    let mut more = whole.clone();
    let odd = json!({"Sid": "SeptetSealOdd", "Effect": "Deny", "Principal": "*", "Action": "dynamodb:Scan",
        "Resource": "*"});
    more["Statement"].as_array_mut().unwrap().push(odd);
    let missing = |sid: &str| Flaw::StatementMissing { sid: sid.into() };
    let changed = Flaw::StatementChanged { sid: "SeptetSealItems".into() };
    let unexpected = Flaw::StatementUnexpected { sid: "SeptetSealOdd".into() };
    for (policy, flaw) in [
        (without(0), missing("SeptetSealItems")),
        (without(1), missing("SeptetSealSettings")),
        (without(2), missing("SeptetSealTable")),
        (weaker, changed),
        (more, unexpected),
    ] {
        let emulator = with_table().await;
        put_policy(&emulator, &policy).await;
        let before = statements(&emulator);
        let taken = tables(&emulator).take_over(&facts(&emulator).await, &seal_id()).await.unwrap();
        assert_eq!(taken, TakeOver::NotIntact { flaws: vec![flaw] });
        assert_eq!(emulator.resource_policy(TABLE).unwrap(), policy.to_string());
        let mark = tables(&emulator).seal_mark(&facts(&emulator).await).await.unwrap();
        assert_eq!(mark, SealMark::WithoutId { intact: before.len() > 3 });
    }
    let emulator = with_table().await;
    let taken = tables(&emulator).take_over(&facts(&emulator).await, &seal_id()).await.unwrap();
    assert!(matches!(&taken, TakeOver::NotIntact { flaws } if flaws.len() == 3), "{taken:?}");
    assert_eq!(emulator.resource_policy(TABLE), None);
}

#[tokio::test]
async fn taking_over_concerns_the_table_of_the_id_and_can_be_interrupted() {
    let emulator = with_table().await;
    let first = facts(&emulator).await;
    replace(emulator.backdoor()).await;
    let second = sealed_by_0_1_0(&emulator).await;
    let tables = tables(&emulator);
    let gone = tables.take_over(&first, &seal_id()).await.unwrap();
    assert_eq!(gone, TakeOver::Gone { successor: Some(second.id.clone()) });
    emulator.set_status(TABLE, Status::Creating);
    let waiting = tables.take_over(&second, &seal_id()).await.unwrap();
    assert_eq!(waiting, TakeOver::NotYet(NotYet::Creating));
    emulator.set_status(TABLE, Status::Active);
    assert_eq!(emulator.resource_policy(TABLE).unwrap(), release_0_1_0().to_string());
    emulator.inject(Fault::lost_answer("PutResourcePolicy"));
    let error = hasty(&emulator).take_over(&second, &seal_id()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let taken = hasty(&emulator).take_over(&second, &seal_id()).await.unwrap();
    assert_eq!(taken, TakeOver::Taken { changed: false });
}

#[tokio::test]
async fn a_policy_with_several_ids_or_one_that_cannot_be_read_is_left_alone() {
    for sids in [
        vec![format!("SeptetSealId{}", seal_id()), format!("SeptetSealId{}", other_seal())],
        vec!["SeptetSealIdX".into()],
    ] {
        let emulator = with_table().await;
        let facts = facts(&emulator).await;
        let statement = |sid: &String| {
            json!({"Sid": sid, "Effect": "Deny", "Principal": "*", "Action": "dynamodb:UpdateTimeToLive",
                "Resource": facts.arn})
        };
        let policy: Value = json!({"Statement": sids.iter().map(statement).collect::<Vec<_>>()});
        put_policy(&emulator, &policy).await;
        let tables = tables(&emulator);
        assert_eq!(tables.seal_mark(&facts).await.unwrap(), SealMark::Unclear);
        let sealing = tables.seal(&facts, &seal_id(), PATIENCE).await.unwrap();
        assert_eq!(sealing, Sealing::Foreign { id: None });
        assert_eq!(emulator.resource_policy(TABLE).unwrap(), policy.to_string());
        assert_eq!(facts.name, name());
    }
}
