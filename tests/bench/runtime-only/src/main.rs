//! A function that does nothing: what the Lambda runtime itself costs.

use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let answer =
        async |_: LambdaEvent<Value>| Ok::<_, lambda_runtime::Error>(json!({"batchItemFailures": []}));
    lambda_runtime::run(service_fn(answer)).await
}
