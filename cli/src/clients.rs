//! The clients of AWS: the one place where the command names the SDK, but for the queue.

use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use septet_aws::Caller;
use septet_recovery::Ledger;
use septet_recovery::sink::DynamoDbTable;
use septet_registry::{DynamoDb, Entropy, Registry, SystemClock};
use septet_tables::{SealPolicy, Tables};
use septet_verdict::Lambda;

use crate::args::Global;
use crate::failure::Failure;
use crate::queue::Queue;

/// Everything on AWS that commands work on.
#[derive(Debug)]
pub(crate) struct Clients {
    pub(crate) registry: Registry,
    pub(crate) tables: Tables,
    pub(crate) queue: Queue,
    pub(crate) ledger: Ledger,
    pub(crate) recovery_queue: Queue,
    pub(crate) functions: Lambda,
    pub(crate) services: Services,
    pub(crate) region: String,
}

/// What few commands need, made when they do.
#[derive(Debug)]
pub(crate) struct Services(SdkConfig);

impl Services {
    /// Calls of services that have no client here.
    pub(crate) fn caller(&self) -> Caller {
        Caller::new(&self.0, Arc::new(SystemClock), Arc::new(Entropy::from_system()))
    }

    /// A table that records ended in.
    pub(crate) fn table(&self, name: &str) -> DynamoDbTable {
        DynamoDbTable::new(aws_sdk_dynamodb::Client::new(&self.0), name)
    }
}

impl Clients {
    /// Clients as the environment and the profiles of this machine say.
    pub(crate) async fn new(global: &Global) -> Result<Self, Failure> {
        let config = config().await;
        let Some(region) = config.region().map(ToString::to_string) else {
            return Err(Failure::new(
                "failed to choose an AWS region: none is set",
                "set AWS_REGION, or a region in the profile that AWS_PROFILE names",
            ));
        };
        let dynamodb = aws_sdk_dynamodb::Client::new(&config);
        let seal = match &global.seal_roles {
            Some(roles) => SealPolicy::new(roles.split(',').map(str::trim))?,
            None => SealPolicy::of_whoever(),
        };
        let sqs = aws_sdk_sqs::Client::new(&config);
        let store = DynamoDb::new(dynamodb.clone(), &global.registry);
        Ok(Self {
            ledger: Ledger::new(Arc::new(store), Arc::new(Entropy::from_system())),
            registry: Registry::in_dynamodb(dynamodb.clone(), &global.registry, Entropy::from_system()),
            tables: Tables::new(dynamodb, seal),
            queue: Queue::new(sqs.clone(), &global.publish_queue, "publish"),
            recovery_queue: Queue::new(sqs, &global.recovery_queue, "recovery"),
            functions: Lambda::new(&config),
            services: Services(config),
            region,
        })
    }
}

async fn config() -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(4))
        .operation_attempt_timeout(Duration::from_secs(15))
        .build();
    let loader = aws_config::defaults(BehaviorVersion::latest());
    loader.retry_config(RetryConfig::standard()).timeout_config(timeouts).load().await
}
