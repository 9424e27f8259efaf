//! The on-publish function.

use std::sync::Arc;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::timeout::TimeoutConfig;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use on_publish::{Config, Handler, PublishQueue};
use septet_registry::{Entropy, Registry};
use septet_tables::Tables;
use septet_telemetry::{Clock, Environment, Invocation, Metrics, SystemClock};
use septet_verdict::Lambda;
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    septet_telemetry::start_logging();
    let config = Config::from_env(Environment::of_process())?;
    let patience = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(2))
        .operation_attempt_timeout(Duration::from_secs(10));
    let sdk = aws_config::defaults(BehaviorVersion::latest()).timeout_config(patience.build()).load().await;
    let dynamodb = aws_sdk_dynamodb::Client::new(&sdk);
    let registry = Registry::in_dynamodb(dynamodb.clone(), &config.registry_table, Entropy::from_system());
    // Connects while Lambda does not throttle yet; that it fails shows when it matters.
    let _ = tokio::time::timeout(Duration::from_secs(1), registry.datasets()).await;
    let tables = Tables::new(dynamodb, config.seal_policy.clone());
    let sqs = aws_sdk_sqs::Client::new(&sdk);
    let queue = Arc::new(PublishQueue {
        queue: septet_aws::Queue::new(sqs.clone(), &config.queue_url),
        dead_letters: septet_aws::Queue::new(sqs, &config.dead_letters_url),
    });
    let functions = Arc::new(Lambda::new(&sdk));
    let entropy = Arc::new(Entropy::from_system());
    let capacity = Arc::new(septet_aws::Caller::new(&sdk, Arc::new(septet_registry::SystemClock), entropy));
    let (metrics, clock) = (Metrics::stdout(), Arc::new(SystemClock));
    let handler = Handler { registry, tables, queue, functions, capacity, metrics, clock, config };
    let handler = &handler;
    lambda_runtime::run(service_fn(async move |event: LambdaEvent<Value>| {
        let invocation = Invocation::from_context(&event.context, SystemClock.now());
        handler.handle(event.payload, &invocation).await.map_err(Diagnostic::from)
    }))
    .await
}
