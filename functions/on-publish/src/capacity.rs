//! Capacity units that tables consume, as CloudWatch counts them.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use septet_aws::{CallError, Caller, Metric};
use septet_registry::TableName;

/// Operations whose units are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operations {
    /// Reads.
    Reads,
    /// Writes.
    Writes,
}

/// Source of the capacity units that tables consumed.
#[async_trait]
pub trait Capacity: Send + Sync {
    /// Returns the units that a table of this name consumed in each period; periods without any are left out.
    async fn consumed(
        &self,
        table: &TableName,
        operations: Operations,
        since: Timestamp,
        until: Timestamp,
        period: SignedDuration,
    ) -> Result<Vec<(Timestamp, f64)>, CallError>;
}

#[async_trait]
impl Capacity for Caller {
    async fn consumed(
        &self,
        table: &TableName,
        operations: Operations,
        since: Timestamp,
        until: Timestamp,
        period: SignedDuration,
    ) -> Result<Vec<(Timestamp, f64)>, CallError> {
        let name = match operations {
            Operations::Reads => "ConsumedReadCapacityUnits",
            Operations::Writes => "ConsumedWriteCapacityUnits",
        };
        let metric = Metric { namespace: "AWS/DynamoDB", name, dimension: ("TableName", table.as_str()) };
        Ok(self.sums(metric, since, until, period).await?.into_iter().collect())
    }
}
