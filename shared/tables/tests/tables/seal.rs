//! Sealing tables: what a seal stops, that it is proved, and that it can be interrupted anywhere.

use std::time::Duration;

use crate::support::{
    NONE, PATIENCE, TABLE, facts, hasty, name, policy, replace, seal_id, sealed, stranger, tables, with_table,
};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, PutRequest, TimeToLiveSpecification, TransactWriteItem, WriteRequest,
};
use septet_emulator::{Emulator, Fault, TableStatus as Status};
use septet_tables::{Error, ErrorKind, Flaw, NotYet, Seal, SealPolicy, SealState, Sealing, Tables};
use serde_json::{Value, json};

const STEPS: [&str; 5] =
    ["DescribeTable", "GetResourcePolicy", "PutResourcePolicy", "UpdateTable", "UpdateItem"];

fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.into())
}

fn is_sealed(sealing: &Sealing, changed: bool) -> bool {
    matches!(sealing, Sealing::Sealed(Seal { changed: was, .. }) if *was == changed)
}

/// Seals a table whose policy comes into force only after a proof was tried.
async fn sealed_late(emulator: &Emulator) {
    let facts = facts(emulator).await;
    emulator.settings(|settings| settings.policy_in_force_after = Duration::from_secs(600));
    let sealing = tables(emulator).seal(&facts, &seal_id(), NONE).await.unwrap();
    assert_eq!(sealing, Sealing::NotYet(NotYet::SealNotInForce));
    emulator.settings(|settings| settings.policy_in_force_after = Duration::ZERO);
    sealed(emulator).await;
}

/// Every way to write to the table or to have its items go, with what DynamoDB says to it.
async fn writes(client: &Client) -> Vec<(&'static str, Option<String>)> {
    fn said<T, E: std::fmt::Debug>(answer: Result<T, E>) -> Option<String> {
        answer.err().map(|error| format!("{error:?}"))
    }
    let put = PutRequest::builder().item("id", s("9")).build().unwrap();
    let batch = vec![WriteRequest::builder().put_request(put).build()];
    let delete = Delete::builder().table_name(TABLE).key("id", s("0")).build().unwrap();
    let delete = TransactWriteItem::builder().delete(delete).build();
    let ttl = TimeToLiveSpecification::builder().enabled(true).attribute_name("t").build().unwrap();
    let insert = format!("INSERT INTO \"{TABLE}\" VALUE {{'id':'9'}}");
    let remove = format!("DELETE FROM \"{TABLE}\" WHERE id='0'");
    vec![
        ("PutItem", said(client.put_item().table_name(TABLE).item("id", s("9")).send().await)),
        ("UpdateItem", said(client.update_item().table_name(TABLE).key("id", s("0")).send().await)),
        ("DeleteItem", said(client.delete_item().table_name(TABLE).key("id", s("0")).send().await)),
        ("BatchWriteItem", said(client.batch_write_item().request_items(TABLE, batch).send().await)),
        ("DeleteItem", said(client.transact_write_items().transact_items(delete).send().await)),
        ("PartiQLInsert", said(client.execute_statement().statement(insert).send().await)),
        ("PartiQLDelete", said(client.execute_statement().statement(remove).send().await)),
        (
            "UpdateTimeToLive",
            said(client.update_time_to_live().table_name(TABLE).time_to_live_specification(ttl).send().await),
        ),
    ]
}

#[tokio::test]
async fn nobody_writes_to_a_sealed_table_and_strangers_do_not_change_it() {
    let emulator = with_table().await;
    let facts = facts(&emulator).await;
    let tables = tables(&emulator);
    assert_eq!(tables.seal_of(&facts, Some(&seal_id())).await.unwrap(), SealState::Missing);
    assert!(is_sealed(&tables.seal(&facts, &seal_id(), NONE).await.unwrap(), true));

    for client in [stranger(&emulator), emulator.client()] {
        for (action, said) in writes(&client).await {
            let said = said.unwrap_or_else(|| panic!("{action} was not refused"));
            assert!(said.contains(&format!("dynamodb:{action}")) && said.contains("explicit deny"), "{said}");
        }
    }
    assert_eq!(emulator.items(TABLE).await.len(), 3);
    let other = stranger(&emulator);
    let denied = |said: String| assert!(said.contains("explicit deny"), "{said}");
    denied(format!("{:?}", other.delete_table().table_name(TABLE).send().await.unwrap_err()));
    let update = other.update_table().table_name(TABLE).deletion_protection_enabled(false);
    denied(format!("{:?}", update.send().await.unwrap_err()));
    let policy = other.put_resource_policy().resource_arn(&facts.arn).policy("{\"Statement\":[]}");
    denied(format!("{:?}", policy.send().await.unwrap_err()));
    denied(format!(
        "{:?}",
        other.delete_resource_policy().resource_arn(&facts.arn).send().await.unwrap_err()
    ));
    // Reading goes on.
    other.get_item().table_name(TABLE).key("id", s("0")).send().await.unwrap();
}

#[tokio::test]
async fn the_auto_scaling_role_may_set_capacity_and_nothing_else() {
    let emulator = with_table().await;
    sealed(&emulator).await;
    let scaling = emulator.client_of(
        "arn:aws:iam::000000000000:role/aws-service-role/dynamodb.application-autoscaling.amazonaws.com/\
         AWSServiceRoleForApplicationAutoScaling_DynamoDBTable",
    );
    scaling.update_table().table_name(TABLE).deletion_protection_enabled(true).send().await.unwrap();
    assert!(scaling.delete_table().table_name(TABLE).send().await.is_err());
    assert!(scaling.put_item().table_name(TABLE).item("id", s("9")).send().await.is_err());
}

#[tokio::test]
async fn sealing_again_changes_nothing_and_proves_again() {
    let emulator = with_table().await;
    let facts = sealed(&emulator).await;
    assert!(facts.deletion_protected);
    assert_eq!(tables(&emulator).seal_of(&facts, Some(&seal_id())).await.unwrap(), SealState::Intact);
    emulator.clear_calls();
    assert!(is_sealed(&tables(&emulator).seal(&facts, &seal_id(), NONE).await.unwrap(), false));
    assert_eq!((emulator.count("PutResourcePolicy"), emulator.count("UpdateTable")), (0, 0));
    assert_eq!(emulator.count("UpdateItem"), 3);
}

#[tokio::test]
async fn looking_at_a_seal_writes_nothing() {
    let emulator = with_table().await;
    let facts = sealed(&emulator).await;
    emulator.clear_calls();
    tables(&emulator).seal_of(&facts, Some(&seal_id())).await.unwrap();
    assert_eq!(emulator.calls().into_iter().collect::<Vec<_>>(), [("GetResourcePolicy".to_owned(), 1)]);
}

#[tokio::test]
async fn tables_with_keys_of_every_type_are_proved() {
    for keys in [&[("n", "N")][..], &[("b", "B"), ("n", "N")], &[("s", "S"), ("b", "B")]] {
        let emulator = Emulator::start().await;
        emulator.create_table(TABLE, keys).await;
        // Until the policy is in force DynamoDB looks at the key.
        sealed_late(&emulator).await;
    }
}

#[tokio::test]
async fn the_proof_never_writes_not_even_to_an_item_of_its_key() {
    for items in [vec![], vec![json!({"id": "septet-seal-proof", "kept": true})]] {
        let emulator = with_table().await;
        emulator.put_items(TABLE, items).await;
        let before = emulator.items(TABLE).await;
        sealed_late(&emulator).await;
        let mut after = emulator.items(TABLE).await;
        assert_eq!(after.len(), before.len());
        after.retain(|item| !before.contains(item));
        assert!(after.is_empty(), "{after:?}");
    }
}

#[tokio::test]
async fn a_seal_is_not_believed_before_it_is_in_force() {
    let emulator = with_table().await;
    let facts = facts(&emulator).await;
    emulator.settings(|settings| settings.policy_in_force_after = Duration::from_secs(60));
    let sealing = tables(&emulator).seal(&facts, &seal_id(), Duration::from_millis(200)).await.unwrap();
    assert_eq!(sealing, Sealing::NotYet(NotYet::SealNotInForce));
    emulator.settings(|settings| settings.policy_in_force_after = Duration::ZERO);
    assert!(is_sealed(&tables(&emulator).seal(&facts, &seal_id(), NONE).await.unwrap(), false));
}

#[tokio::test]
async fn a_policy_that_shows_late_is_put_once() {
    let emulator = with_table().await;
    let facts = facts(&emulator).await;
    emulator.settings(|settings| {
        settings.policy_readable_after = Duration::from_secs(600);
        settings.policy_blocked_for = Duration::from_secs(600);
    });
    assert_eq!(
        tables(&emulator).seal(&facts, &seal_id(), NONE).await.unwrap(),
        Sealing::NotYet(NotYet::PolicyNotVisible)
    );
    // Putting it again, on a revision that is not the newest, is refused; waiting is all there is to do.
    let sealing = tables(&emulator).seal(&facts, &seal_id(), Duration::from_millis(100)).await.unwrap();
    assert_eq!(sealing, Sealing::NotYet(NotYet::PolicyNotVisible));
    emulator.settings(|settings| settings.policy_readable_after = Duration::ZERO);
    assert!(is_sealed(&tables(&emulator).seal(&facts, &seal_id(), PATIENCE).await.unwrap(), true));
    let policy: Value = serde_json::from_str(&emulator.resource_policy(TABLE).unwrap()).unwrap();
    assert_eq!(policy["Statement"].as_array().unwrap().len(), 4);

    let emulator = with_table().await;
    let facts = crate::support::facts(&emulator).await;
    emulator.settings(|settings| settings.policy_readable_after = Duration::from_millis(400));
    assert!(is_sealed(&tables(&emulator).seal(&facts, &seal_id(), PATIENCE).await.unwrap(), true));
    assert_eq!(emulator.count("PutResourcePolicy"), 1);
}

#[tokio::test]
async fn a_policy_that_somebody_puts_at_the_same_moment_is_kept() {
    let emulator = with_table().await;
    let facts = facts(&emulator).await;
    let theirs = json!({"Statement": [{"Sid": "Theirs", "Effect": "Allow", "Principal": "*",
        "Action": "dynamodb:GetItem", "Resource": "*"}]});
    let put = stranger(&emulator).put_resource_policy().resource_arn(&facts.arn).policy(theirs.to_string());
    emulator.inject(Fault::meanwhile("PutResourcePolicy", move || {
        let put = put.clone();
        async move { drop(put.send().await.unwrap()) }
    }));
    assert!(is_sealed(&tables(&emulator).seal(&facts, &seal_id(), PATIENCE).await.unwrap(), true));
    assert_eq!(emulator.fired(), 1);
    let policy: Value = serde_json::from_str(&emulator.resource_policy(TABLE).unwrap()).unwrap();
    assert_eq!(policy["Statement"][0], theirs["Statement"][0]);
    assert_eq!(policy["Statement"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn a_policy_that_was_just_changed_has_to_wait() {
    let emulator = with_table().await;
    let facts = facts(&emulator).await;
    let theirs = json!({"Statement": [{"Sid": "Theirs", "Effect": "Allow", "Principal": "*",
        "Action": "dynamodb:GetItem", "Resource": "*"}]});
    let put = stranger(&emulator).put_resource_policy().resource_arn(&facts.arn).policy(theirs.to_string());
    put.send().await.unwrap();
    emulator.settings(|settings| settings.policy_blocked_for = Duration::from_secs(60));
    let sealing = tables(&emulator).seal(&facts, &seal_id(), Duration::from_millis(100)).await.unwrap();
    assert_eq!(sealing, Sealing::NotYet(NotYet::PolicyBusy));
    emulator.settings(|settings| settings.policy_blocked_for = Duration::ZERO);
    assert!(is_sealed(&tables(&emulator).seal(&facts, &seal_id(), NONE).await.unwrap(), true));
    let policy: Value = serde_json::from_str(&emulator.resource_policy(TABLE).unwrap()).unwrap();
    assert_eq!(policy["Statement"][0], theirs["Statement"][0]);
}

#[tokio::test]
async fn lost_answers_refusals_and_throttling_at_any_step_do_no_harm() {
    for step in STEPS {
        for fault in [Fault::lost_answer, Fault::refuse, Fault::throttle, Fault::internal_server_error] {
            let emulator = with_table().await;
            let facts = facts(&emulator).await;
            emulator.inject(fault(step));
            let sealing = tables(&emulator).seal(&facts, &seal_id(), PATIENCE).await.unwrap();
            assert!(matches!(sealing, Sealing::Sealed(_)), "{step}: {sealing:?}");
            assert_eq!(emulator.fired(), 1, "{step}");
            assert_eq!(emulator.count("PutResourcePolicy"), if step == "PutResourcePolicy" { 2 } else { 1 });
        }
    }
}

#[tokio::test]
async fn sealing_interrupted_at_any_call_goes_on_from_there() {
    for step in STEPS {
        for nth in [1, 2, 3] {
            for fault in [Fault::lost_answer, Fault::refuse] {
                let emulator = with_table().await;
                let facts = facts(&emulator).await;
                let fault = emulator.inject(fault(step).from(nth));
                let sealing = hasty(&emulator).seal(&facts, &seal_id(), PATIENCE).await;
                match emulator.fired_by(fault) {
                    // Each step but these is called once.
                    0 => assert!(nth > 1 && !["DescribeTable", "UpdateItem"].contains(&step), "{step} {nth}"),
                    _ => {
                        let error = sealing.unwrap_err();
                        assert_eq!(error.kind(), ErrorKind::Unavailable, "{step} {nth}");
                        assert!(error.is_retryable());
                    }
                }
                let again = hasty(&emulator).seal(&facts, &seal_id(), PATIENCE).await.unwrap();
                assert!(matches!(again, Sealing::Sealed(_)), "{step} {nth}: {again:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    for step in STEPS {
        let emulator = with_table().await;
        let facts = facts(&emulator).await;
        emulator.inject(Fault::access_denied(step).always());
        let error = tables(&emulator).seal(&facts, &seal_id(), PATIENCE).await.unwrap_err();
        let Error::Denied { action, by_table_policy: false, .. } = &error else { panic!("{error:?}") };
        assert_eq!(*action, format!("dynamodb:{step}"));
        assert!(error.to_string().contains("permission is missing"), "{error}");
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Denied, false));
    }
}

#[tokio::test]
async fn a_denial_by_anything_but_the_tables_policy_proves_nothing() {
    let emulator = with_table().await;
    let facts = facts(&emulator).await;
    emulator.settings(|settings| settings.policy_in_force_after = Duration::from_secs(60));
    emulator.inject(Fault::access_denied("UpdateItem").always());
    let error = tables(&emulator).seal(&facts, &seal_id(), PATIENCE).await.unwrap_err();
    assert!(error.to_string().contains("dynamodb:UpdateItem"), "{error}");
}

#[tokio::test]
async fn a_table_that_others_sealed_is_left_to_them() {
    let emulator = with_table().await;
    let facts = sealed(&emulator).await;
    let roles = ["arn:aws:iam::000000000000:role/other-septet"];
    let others = Tables::new(stranger(&emulator), SealPolicy::new(roles).unwrap());
    let SealState::Broken(flaws) = others.seal_of(&facts, Some(&seal_id())).await.unwrap() else { panic!() };
    let changed = |sid: &str| Flaw::StatementChanged { sid: sid.into() };
    assert_eq!(flaws, [changed("SeptetSealSettings"), changed("SeptetSealTable")]);
    let before = emulator.resource_policy(TABLE);
    let error = others.seal(&facts, &seal_id(), PATIENCE).await.unwrap_err();
    assert!(matches!(&error, Error::Denied { by_table_policy: true, .. }), "{error}");
    assert_eq!(emulator.resource_policy(TABLE), before);
}

#[tokio::test]
async fn a_broken_seal_says_what_is_wrong_and_is_mended() {
    let emulator = with_table().await;
    sealed(&emulator).await;
    let unprotect = emulator.backdoor().update_table().table_name(TABLE).deletion_protection_enabled(false);
    unprotect.send().await.unwrap();
    let now = facts(&emulator).await;
    let tables = tables(&emulator);
    assert_eq!(
        tables.seal_of(&now, Some(&seal_id())).await.unwrap(),
        SealState::Broken(vec![Flaw::Unprotected])
    );

    let mut policy: Value = serde_json::from_str(&emulator.resource_policy(TABLE).unwrap()).unwrap();
    policy["Statement"].as_array_mut().unwrap().remove(0);
    let put = emulator.client().put_resource_policy().resource_arn(&now.arn).policy(policy.to_string());
    put.send().await.unwrap();
    let missing = Flaw::StatementMissing { sid: "SeptetSealItems".into() };
    assert_eq!(
        tables.seal_of(&now, Some(&seal_id())).await.unwrap(),
        SealState::Broken(vec![Flaw::Unprotected, missing])
    );
    assert!(is_sealed(&tables.seal(&now, &seal_id(), NONE).await.unwrap(), true));
    assert_eq!(tables.seal_of(&facts(&emulator).await, Some(&seal_id())).await.unwrap(), SealState::Intact);
}

#[tokio::test]
async fn a_policy_without_room_for_the_seal_is_left_as_it_is() {
    let emulator = with_table().await;
    let facts = facts(&emulator).await;
    let theirs = json!({"Statement": [{"Sid": "x".repeat(20_000), "Effect": "Allow", "Principal": "*",
        "Action": "dynamodb:GetItem", "Resource": "*"}]});
    let put = emulator.client().put_resource_policy().resource_arn(&facts.arn).policy(theirs.to_string());
    put.send().await.unwrap();
    let error = tables(&emulator).seal(&facts, &seal_id(), PATIENCE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Policy, "{error}");
    assert_eq!(emulator.resource_policy(TABLE).unwrap(), theirs.to_string());
}

#[tokio::test]
async fn a_new_table_of_the_name_is_not_touched() {
    let emulator = with_table().await;
    let first = facts(&emulator).await;
    replace(emulator.backdoor()).await;
    let second = facts(&emulator).await;
    let sealing = tables(&emulator).seal(&first, &seal_id(), PATIENCE).await.unwrap();
    assert_eq!(sealing, Sealing::Gone { successor: Some(second.id.clone()) });
    assert_eq!(facts(&emulator).await, second);
    assert_eq!(emulator.resource_policy(TABLE), None);
    emulator.backdoor().delete_table().table_name(TABLE).send().await.unwrap();
    let sealing = tables(&emulator).seal(&first, &seal_id(), PATIENCE).await.unwrap();
    assert_eq!(sealing, Sealing::Gone { successor: None });
}

#[tokio::test]
async fn a_table_that_vanishes_while_it_is_proved_is_gone() {
    let emulator = with_table().await;
    let facts = facts(&emulator).await;
    let other = emulator.backdoor();
    emulator.inject(Fault::meanwhile("UpdateItem", move || {
        let other = other.clone();
        async move {
            let unprotect = other.update_table().table_name(TABLE).deletion_protection_enabled(false);
            unprotect.send().await.unwrap();
            other.delete_table().table_name(TABLE).send().await.unwrap();
        }
    }));
    // The policy outlives the table here, as it may where it is still cached.
    emulator.settings(|settings| settings.policy_in_force_after = Duration::from_secs(60));
    let sealing = tables(&emulator).seal(&facts, &seal_id(), PATIENCE).await.unwrap();
    assert_eq!(sealing, Sealing::Gone { successor: None });
    assert_eq!(emulator.fired(), 1);
}

#[tokio::test]
async fn a_table_that_is_being_created_or_deleted_is_not_sealed_yet() {
    let emulator = with_table().await;
    let facts = facts(&emulator).await;
    emulator.set_status(TABLE, Status::Creating);
    assert_eq!(
        tables(&emulator).seal(&facts, &seal_id(), PATIENCE).await.unwrap(),
        Sealing::NotYet(NotYet::Creating)
    );
    emulator.set_status(TABLE, Status::Active);
    emulator.settings(|settings| settings.deleting = Duration::from_secs(60));
    emulator.client().delete_table().table_name(TABLE).send().await.unwrap();
    assert_eq!(
        tables(&emulator).seal(&facts, &seal_id(), PATIENCE).await.unwrap(),
        Sealing::NotYet(NotYet::Deleting)
    );
}

#[tokio::test]
async fn a_table_that_is_being_changed_is_sealed_against_writes_and_protected_afterwards() {
    let emulator = with_table().await;
    let facts = facts(&emulator).await;
    emulator.set_status(TABLE, Status::Updating);
    let sealing = tables(&emulator).seal(&facts, &seal_id(), Duration::from_millis(100)).await.unwrap();
    assert_eq!(sealing, Sealing::NotYet(NotYet::Updating));
    assert!(emulator.resource_policy(TABLE).is_some());
    emulator.set_status(TABLE, Status::Active);
    assert!(is_sealed(&tables(&emulator).seal(&facts, &seal_id(), NONE).await.unwrap(), true));
}

#[tokio::test(flavor = "multi_thread")]
async fn several_who_seal_at_once_all_end_with_one_seal() {
    let emulator = with_table().await;
    let facts = facts(&emulator).await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (tables, facts) = (Tables::new(emulator.client(), policy()), facts.clone());
            tokio::spawn(async move { tables.seal(&facts, &seal_id(), PATIENCE).await })
        })
        .collect();
    for task in tasks {
        let sealing = task.await.unwrap().unwrap();
        assert!(matches!(sealing, Sealing::Sealed(_)), "{sealing:?}");
    }
    let now = crate::support::facts(&emulator).await;
    assert_eq!(tables(&emulator).seal_of(&now, Some(&seal_id())).await.unwrap(), SealState::Intact);
    assert_eq!(now.name, name());
    assert_eq!(hasty(&emulator).seal_of(&now, Some(&seal_id())).await.unwrap(), SealState::Intact);
}
