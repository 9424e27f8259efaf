//! The backfill function.

use std::sync::Arc;
use std::time::Duration;

use backfill::{Backfill, Config};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use septet_aws::{Caller, Queue};
use septet_recovery::Ledger;
use septet_recovery::secrets::Secrets;
use septet_registry::{DynamoDb, Entropy};
use septet_telemetry::{Clock, Environment, Invocation, Metrics, SystemClock};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    septet_telemetry::start_logging();
    let config = Config::from_env(Environment::of_process())?;
    let aws = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let (dynamodb, sqs) = (aws_sdk_dynamodb::Client::new(&aws), aws_sdk_sqs::Client::new(&aws));
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(Entropy::from_system()));
    let caller = Arc::new(Caller::new(&aws, clock.clone(), entropy.clone()));
    let store = DynamoDb::new(dynamodb.clone(), &config.registry_table);
    let ledger = Ledger::new(Arc::new(store), entropy.clone());
    // Connects while Lambda does not throttle yet; that it fails shows when it matters.
    let _ = tokio::time::timeout(Duration::from_secs(1), ledger.feeds()).await;
    let backfill = &Backfill {
        ledger,
        queue: Queue::new(sqs.clone(), &config.queue_url),
        dead_letters: Queue::new(sqs.clone(), &config.dead_letters_url),
        dynamodb,
        sqs,
        secrets: Secrets::new(caller.clone()),
        caller,
        metrics: Metrics::stdout(),
        clock,
        entropy,
        config,
    };
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        let invocation = Invocation::from_context(&event.context, SystemClock.now());
        backfill.handle(event.payload, &invocation).await.map_err(Diagnostic::from)
    }))
    .await
}
