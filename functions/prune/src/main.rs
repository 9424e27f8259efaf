//! The prune function.

use std::sync::Arc;
use std::time::Duration;

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use prune::{Config, Prune};
use septet_registry::{Entropy, Registry};
use septet_tables::Tables;
use septet_telemetry::{Clock, Environment, Invocation, Metrics, SystemClock};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    septet_telemetry::start_logging();
    let config = Config::from_env(Environment::of_process()).map_err(|error| error.to_string())?;
    let aws = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let dynamodb = aws_sdk_dynamodb::Client::new(&aws);
    let registry = Registry::in_dynamodb(dynamodb.clone(), &config.registry_table, Entropy::from_system());
    // Connects while Lambda does not throttle yet; that it fails shows when it matters.
    let _ = tokio::time::timeout(Duration::from_secs(1), registry.datasets()).await;
    let prune = &Prune {
        registry,
        registry_table: config.registry_table,
        tables: Tables::new(dynamodb, config.seal_policy),
        queue: septet_aws::Queue::new(aws_sdk_sqs::Client::new(&aws), config.queue_url),
        metrics: Metrics::stdout(),
        clock: Arc::new(SystemClock),
        keep_rejected: config.keep_rejected,
    };
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        let invocation = Invocation::from_context(&event.context, SystemClock.now());
        prune.handle(event.payload, &invocation).await.map_err(Diagnostic::from)
    }))
    .await
}
