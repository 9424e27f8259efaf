//! Secrets: where they come from, and what happens without them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::world::{World, lost, range};

#[tokio::test]
async fn a_secret_is_asked_for_by_reference_in_a_signed_call() {
    let world = World::new().await;
    world.deliver(&[&range("")]).await;
    world.drain().await;
    let asked = world.store.asked();
    let first = &asked[0];
    let header = |name: &str| first.headers.get(name).unwrap().to_str().unwrap();
    assert_eq!(header("x-amz-target"), "secretsmanager.GetSecretValue");
    assert_eq!(header("content-type"), "application/x-amz-json-1.1");
    let authorization = header("authorization");
    assert!(authorization.contains("/us-east-1/secretsmanager/aws4_request"), "{authorization}");
    assert!(authorization.contains("x-amz-target"), "{authorization}");
    assert_eq!(first.body_json::<Value>().unwrap(), json!({"SecretId": "plays-api"}));
}

#[tokio::test]
async fn a_parameter_of_systems_manager_is_a_secret_too() {
    let world = World::new().await;
    world.put(&world.feed().replace("secretsmanager:plays-api#token", "ssm:/plays/token")).await;
    world.store.answers([(500, json!({})), (200, json!({"Parameter": {"Value": "t0ken"}}))]);
    world.deliver(&[&range("")]).await;
    world.drain().await;
    assert_eq!(world.found().await, lost());
    let asked = world.store.asked();
    assert_eq!(asked[0].headers.get("x-amz-target").unwrap(), "AmazonSSM.GetParameter");
    let body = asked[1].body_json::<Value>().unwrap();
    assert_eq!(body, json!({"Name": "/plays/token", "WithDecryption": true}));
}

#[tokio::test]
async fn without_its_secret_nothing_is_asked_and_the_message_comes_again() {
    let world = World::new().await;
    world.deliver(&[&range("")]).await;
    let order = world.orders().remove(0);
    let invocation = world.invocation(20);
    let letter = backfill::Letter { body: order.clone(), sender: "ann".into() };
    for (answer, kind, says, again) in [
        (
            (400, json!({"__type": "AccessDeniedException", "Message": "no"})),
            "Secret.Denied",
            "permission is missing for secretsmanager:GetSecretValue on plays-api",
            false,
        ),
        (
            (400, json!({"__type": "com.amazonaws#ResourceNotFoundException"})),
            "Secret.Missing",
            "plays-api: there is none",
            false,
        ),
        (
            (200, json!({"SecretString": "{\"other\":\"t0ken\"}"})),
            "Secret.Missing",
            "no text under the member",
            false,
        ),
        (
            (503, json!({})),
            "Secret.Unavailable",
            "the secret plays-api: secretsmanager:GetSecretValue: status 503",
            true,
        ),
    ] {
        world.store.answers([answer]);
        let error = world.backfill.one(&letter, "m", &invocation).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (kind, again), "{error}");
        assert!(error.to_string().contains(says) && !error.to_string().contains("t0ken"), "{error}");
    }
    assert_eq!(world.deliver(&[&order]).await, ["m-0"]);
    assert_eq!(world.found().await, BTreeSet::new());
}
