//! What a function needs around its work: one invocation's facts, the clock, its environment, metrics, logs.
//!
//! Logs go through the Lambda runtime's own subscriber, metrics as lines in CloudWatch's embedded metric
//! format; both end up on standard output. What is measured and what is logged is the functions' business.

mod environment;
mod invocation;
mod metrics;

pub use environment::{BadEnvironment, Environment};
pub use invocation::Invocation;
pub use metrics::{Dimension, Metrics, NAMESPACE, Unit};
pub use septet_registry::{Clock, SystemClock};

/// Sends log lines to standard output, in the format and from the level on that the function is configured for.
///
/// Call it once, first of all.
pub fn start_logging() {
    lambda_runtime::tracing::init_default_subscriber();
}
