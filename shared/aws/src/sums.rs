//! Sums of CloudWatch metrics.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{Call, CallError, Caller};

/// A metric of one resource, known by one dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric<'a> {
    /// Namespace, such as `AWS/SQS`.
    pub namespace: &'a str,
    /// Name, such as `NumberOfMessagesSent`.
    pub name: &'a str,
    /// Name and value of the dimension, such as `QueueName`.
    pub dimension: (&'a str, &'a str),
}

impl Caller {
    /// Sums a metric over each period from `since` to `until`; a period without data is left out.
    ///
    /// Times are the beginnings of the periods. CloudWatch counts a call up to some minutes late.
    ///
    /// # Errors
    /// Fails where the call does, and where the answer is none.
    pub async fn sums(
        &self,
        metric: Metric<'_>,
        since: Timestamp,
        until: Timestamp,
        period: SignedDuration,
    ) -> Result<BTreeMap<Timestamp, f64>, CallError> {
        let (mut sums, mut token) = (BTreeMap::new(), Value::Null);
        loop {
            let mut body = json!({
                "MetricDataQueries": [{"Id": "sum", "MetricStat": {
                    "Metric": {
                        "Namespace": metric.namespace, "MetricName": metric.name,
                        "Dimensions": [{"Name": metric.dimension.0, "Value": metric.dimension.1}],
                    },
                    "Period": period.as_secs(), "Stat": "Sum",
                }}],
                "StartTime": since.as_second(), "EndTime": until.as_second(), "ScanBy": "TimestampAscending",
            });
            if !token.is_null() {
                body["NextToken"] = token;
            }
            let call = Call {
                service: "monitoring",
                json: "1.0",
                target: "GraniteServiceVersion20100801.GetMetricData",
                action: "cloudwatch:GetMetricData",
                resource: metric.dimension.1,
                body: body.to_string().into(),
            };
            let answer = self.call(&call).await?;
            let malformed = || CallError::Unavailable { action: call.action, code: "no metric data".into() };
            for result in answer["MetricDataResults"].as_array().ok_or_else(malformed)? {
                let list = |name: &str| result[name].as_array().cloned().unwrap_or_default();
                for (at, sum) in list("Timestamps").iter().zip(list("Values")) {
                    let (Some(at), Some(sum)) = (moment(at), sum.as_f64()) else { return Err(malformed()) };
                    *sums.entry(at).or_default() += sum;
                }
            }
            token = answer["NextToken"].clone();
            if token.is_null() {
                return Ok(sums);
            }
        }
    }
}

/// A time as JSON protocols write it: seconds, or RFC 3339.
fn moment(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => text.parse().ok(),
        number => Timestamp::from_second(number.as_f64()? as i64).ok(),
    }
}
