//! Rules that functions of the publisher answer, over the SDK's own HTTP to a server in Lambda's place.

use std::time::Duration;

use septet_registry::{State, VerdictOutcome};
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{CONTRACT, TABLE, World, name, record, signal};

const FLAT: &str = "arn:aws:lambda:eu-west-1:111122223333:function:septet-check-flat:live";

/// The path of a function's invocations, as Lambda has it.
fn invocations(arn: &str) -> String {
    format!("/2015-03-31/functions/{}/invocations", arn.replace(':', "%3A"))
}

/// A contract with a rule for each function, with so many seconds for its answer.
fn contract(functions: &[(&str, u32)]) -> String {
    let rules: String = functions
        .iter()
        .enumerate()
        .map(|(at, (arn, seconds))| {
            format!(
                "      - {{id: own{at}, type: custom, engine: lambda, implementation: \
                 {{arn: \"{arn}\", timeoutSeconds: {seconds}, arguments: {{least: 0.10}}}}}}\n"
            )
        })
        .collect();
    CONTRACT.replace("customProperties:", &format!("{rules}customProperties:"))
}

async fn world(functions: &[(&str, u32)]) -> (World, MockServer) {
    let lambda = MockServer::start().await;
    let mut world = World::empty().await;
    world.lambda = lambda.uri();
    world.put_contract(&contract(functions)).await;
    world.table(TABLE, 8).await;
    (world, lambda)
}

/// A function that answers so.
async fn answers(lambda: &MockServer, arn: &str, answer: ResponseTemplate) {
    Mock::given(method("POST")).and(path(invocations(arn))).respond_with(answer).mount(lambda).await;
}

fn says(answer: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(answer)
}

fn refuses(status: u16, code: &str) -> ResponseTemplate {
    let body = json!({"message": format!("{code} it is"), "Type": "User"});
    ResponseTemplate::new(status).insert_header("x-amzn-errortype", code).set_body_json(body)
}

/// State, verdict and reasons after the table was published.
async fn published(world: &World) -> (State, VerdictOutcome, Vec<String>) {
    world.say(&record("CreateTable", TABLE)).await.unwrap();
    world.say(&signal(TABLE)).await.unwrap();
    let version = world.version().await;
    world.assert_sound().await;
    let verdict = version.verdict.unwrap();
    (version.state, verdict.outcome, verdict.reasons)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_is_told_of_the_version_and_its_yes_makes_it_valid() {
    let (world, lambda) = world(&[(FLAT, 60)]).await;
    answers(&lambda, FLAT, says(&json!({"outcome": "passed", "message": "8 of 8"}))).await;
    assert_eq!(published(&world).await, (State::Valid, VerdictOutcome::Passed, vec![]));
    assert_eq!(world.live().await.unwrap().table, name(TABLE));
    let asked = lambda.received_requests().await.unwrap();
    assert_eq!(asked.len(), 1);
    let signature = asked[0].headers["authorization"].to_str().unwrap();
    assert!(signature.contains("Credential=AKIDTEST/20261121/eu-west-1/lambda/aws4_request"), "{signature}");
    let told: Value = asked[0].body_json().unwrap();
    let version = world.version().await;
    assert_eq!(
        (&told["format"], &told["dataset"], &told["version"], &told["table"]["name"], &told["table"]["arn"]),
        (&json!(1), &json!("recs"), &json!(1), &json!(TABLE), &json!(version.table_arn))
    );
    let rule = json!({"id": "own0", "attribute": null, "severity": "error", "arguments": {"least": 0.1}});
    assert_eq!(told["rule"], rule);
    let profile = &told["profile"];
    assert_eq!((&profile["items"], &profile["attributes_left_out"]), (&json!(8), &json!(0)));
    let scores =
        profile["attributes"].as_array().unwrap().iter().find(|it| it["attribute"] == "recs[].score");
    assert_eq!(scores.unwrap()["numbers"]["mean"], 0.5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_says_no_rejects_with_its_own_words() {
    let (world, lambda) = world(&[(FLAT, 60)]).await;
    answers(&lambda, FLAT, says(&json!({"outcome": "failed", "message": "scores are flat"}))).await;
    let reason = "lambda: septet-check-flat:live says: scores are flat";
    assert_eq!(published(&world).await, (State::Rejected, VerdictOutcome::Failed, vec![reason.to_owned()]));
    assert!(world.live().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_no_answer_is_errored_and_never_passes() {
    let crash = json!({"errorType": "KeyError", "errorMessage": "'score'", "stackTrace": []});
    let crash = says(&crash).insert_header("x-amz-function-error", "Unhandled");
    for (answer, why) in [
        (crash, "it broke: KeyError: 'score'"),
        (
            ResponseTemplate::new(200).insert_header("x-amz-function-error", "Unhandled"),
            "it broke: Unhandled",
        ),
        (says(&json!({"ok": true})), "its answer is not understood"),
        (ResponseTemplate::new(200).set_body_string("passed"), "its answer is not understood"),
        (
            says(&json!({"outcome": "passed"})).set_delay(Duration::from_secs(30)),
            "there was no answer within 1 s",
        ),
        (
            refuses(403, "AccessDeniedException"),
            "permission is missing for lambda:InvokeFunction (AccessDeniedException it is)",
        ),
        (refuses(404, "ResourceNotFoundException:http://internal"), "there is no such function"),
        (refuses(413, "RequestTooLargeException"), "Lambda did not invoke it: status 413"),
    ] {
        let (world, lambda) = world(&[(FLAT, 1)]).await;
        answers(&lambda, FLAT, answer).await;
        let (state, outcome, reasons) = published(&world).await;
        assert_eq!((state, outcome), (State::Rejected, VerdictOutcome::Errored), "{reasons:?}");
        assert!(reasons[0].starts_with(&format!("lambda: cannot be checked: {why}")), "{reasons:?}");
        assert_eq!(lambda.received_requests().await.unwrap().len(), 1, "{why}");
    }
    let (mut world, _) = world(&[(FLAT, 9)]).await;
    world.lambda = "http://127.0.0.1:9".into();
    let (_, outcome, reasons) = published(&world).await;
    assert_eq!(outcome, VerdictOutcome::Errored);
    assert!(reasons[0].contains("Lambda did not invoke it"), "{reasons:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_lambda_does_not_take_is_made_again() {
    let (world, lambda) = world(&[(FLAT, 60)]).await;
    let mock = |answer| Mock::given(method("POST")).respond_with(answer);
    mock(refuses(429, "TooManyRequestsException")).up_to_n_times(1).mount(&lambda).await;
    mock(says(&json!({"outcome": "passed"}))).mount(&lambda).await;
    assert_eq!(published(&world).await.0, State::Valid);
    assert_eq!(lambda.received_requests().await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_is_made_again_asks_again() {
    let (world, lambda) = world(&[(FLAT, 60)]).await;
    let mock = |answer| Mock::given(method("POST")).respond_with(answer);
    mock(refuses(403, "AccessDeniedException")).up_to_n_times(1).mount(&lambda).await;
    mock(says(&json!({"outcome": "passed"}))).mount(&lambda).await;
    assert_eq!(published(&world).await.1, VerdictOutcome::Errored);
    world.say(&signal(TABLE)).await.unwrap();
    assert_eq!(world.version().await.state, State::Valid);
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_are_asked_at_the_same_time_and_a_broken_one_harms_no_other() {
    let arns: Vec<_> =
        (0..6).map(|at| format!("arn:aws:lambda:eu-west-1:111122223333:function:check-{at}")).collect();
    let functions: Vec<_> = arns.iter().map(|arn| (arn.as_str(), 60)).collect();
    let (world, lambda) = world(&functions).await;
    let second = Duration::from_secs(1);
    answers(&lambda, &arns[0], says(&json!("nonsense")).set_delay(second)).await;
    answers(&lambda, &arns[1], says(&json!({"outcome": "failed", "message": "no"})).set_delay(second)).await;
    for arn in &arns[2..] {
        answers(&lambda, arn, says(&json!({"outcome": "passed"})).set_delay(second)).await;
    }
    // One after another they would take six seconds.
    let published = tokio::time::timeout(4 * second, published(&world)).await.expect("in time");
    assert_eq!((published.0, published.1), (State::Rejected, VerdictOutcome::Failed));
    assert_eq!(published.2.len(), 2, "{:?}", published.2);
    let version = world.version().await;
    let kept = world.registry.documents(&version.dataset, version.version, "CHECK#").await.unwrap();
    let passed = kept.iter().filter(|(_, it)| it["rule"] == "lambda" && it["outcome"] == "passed").count();
    assert_eq!(passed, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_function_beyond_the_invocation() {
    let (world, lambda) = world(&[(FLAT, 300)]).await;
    answers(&lambda, FLAT, says(&json!({"outcome": "passed"})).set_delay(Duration::from_secs(120))).await;
    world.say(&record("CreateTable", TABLE)).await.unwrap();
    let mut invocation = world.invocation();
    invocation.deadline = invocation.now + jiff::SignedDuration::from_secs(6);
    let letter = world.letter(&signal(TABLE));
    world.process(world.emulator.client()).one(&letter, &invocation).await.unwrap();
    let verdict = world.version().await.verdict.unwrap();
    assert_eq!(verdict.outcome, VerdictOutcome::Errored);
    assert!(verdict.reasons[0].contains("all that was left of this invocation"), "{:?}", verdict.reasons);
}
