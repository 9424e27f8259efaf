//! Queues that take messages and keep them, as far as senders see SQS.

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::Emulator;
use crate::fault::Kind;
use crate::front::{Answer, Call};
use crate::letters;
use crate::state::State;

const ACCOUNT: &str = "000000000000";

/// The answer to a call of SQS.
pub(crate) fn answer(state: &State, call: &Call) -> Answer {
    let mut state = state.lock();
    match call.operation.as_str() {
        "GetQueueUrl" => {
            let name = call.body["QueueName"].as_str().unwrap_or_default();
            match state.queues.contains_key(name) {
                true => Answer::ok(json!({"QueueUrl": url(name)})),
                false => no_queue(),
            }
        }
        "SendMessage" => {
            let name =
                call.body["QueueUrl"].as_str().and_then(|url| url.rsplit('/').next()).unwrap_or_default();
            match state.queues.get_mut(name) {
                Some(messages) => {
                    messages.push(call.body.clone());
                    Answer::ok(json!({"MessageId": format!("{name}-{}", messages.len())}))
                }
                None => no_queue(),
            }
        }
        other => letters::answer(&mut state, call).unwrap_or_else(|| {
            error("AWS.SimpleQueueService.UnsupportedOperation", &format!("{other} is not emulated"))
        }),
    }
}

/// How many messages a queue got and when, as CloudWatch says it, two points a page.
pub(crate) fn counts(state: &State, call: &Call) -> Answer {
    let metric = &call.body["MetricDataQueries"][0]["MetricStat"]["Metric"];
    let name = metric["Dimensions"][0]["Value"].as_str().unwrap_or_default();
    let (start, end) = (call.body["StartTime"].as_i64(), call.body["EndTime"].as_i64());
    let state = state.lock();
    let counts = state.counts.get(name).into_iter().flatten();
    let within: Vec<_> = counts.filter(|(at, _)| start <= Some(*at) && Some(*at) < end).collect();
    let first: usize =
        call.body["NextToken"].as_str().and_then(|token| token.parse().ok()).unwrap_or_default();
    let page: Vec<_> = within.iter().skip(first).take(2).collect();
    let next = (first + 2 < within.len()).then(|| (first + 2).to_string());
    let (times, values): (Vec<_>, Vec<_>) = page.iter().map(|point| (point.0, point.1)).unzip();
    let result = json!({"Id": "sent", "Timestamps": times, "Values": values, "StatusCode": "PartialData"});
    Answer::ok(json!({"MetricDataResults": [result], "NextToken": next}))
}

/// The answer of a fault that answers.
pub(crate) fn failure(kind: &Kind, call: &Call) -> Answer {
    let Call { operation, principal, .. } = call;
    match kind {
        Kind::Throttle => error("ThrottlingException", "Rate exceeded"),
        Kind::AccessDenied => error(
            "AccessDenied",
            &format!(
                "User: {principal} is not authorized to perform: sqs:{} on resource: \
                 arn:aws:sqs:us-east-1:{ACCOUNT}:queue because no identity-based policy allows it",
                operation.to_lowercase()
            ),
        ),
        _ => {
            let Answer(_, body) =
                error("InternalError", "We encountered an internal error. Please try again.");
            Answer(StatusCode::INTERNAL_SERVER_ERROR, body)
        }
    }
}

pub(crate) fn error(code: &str, message: &str) -> Answer {
    Answer(
        StatusCode::BAD_REQUEST,
        json!({"__type": format!("com.amazonaws.sqs#{code}"), "message": message}),
    )
}

pub(crate) fn no_queue() -> Answer {
    error("QueueDoesNotExist", "The specified queue does not exist.")
}

pub(crate) fn arn(name: &str) -> String {
    format!("arn:aws:sqs:us-east-1:{ACCOUNT}:{name}")
}

fn url(name: &str) -> String {
    format!("http://sqs.us-east-1.localhost/{ACCOUNT}/{name}")
}

impl Emulator {
    /// Creates a queue and gives its URL; the host in it is looked at by nobody.
    pub fn create_queue(&self, name: &str) -> String {
        self.state.lock().queues.entry(name.into()).or_default();
        url(name)
    }

    /// Has CloudWatch know how many messages a queue got at which seconds; what is sent here it does not count.
    pub fn count_messages(&self, queue: &str, counts: impl IntoIterator<Item = (i64, f64)>) {
        self.state.lock().counts.insert(queue.into(), counts.into_iter().collect());
    }

    /// What was sent to a queue, as SendMessage had it.
    pub fn sent(&self, queue: &str) -> Vec<Value> {
        self.state.lock().queues.get(queue).cloned().unwrap_or_default()
    }

    /// The bodies of what was sent to a queue, read as JSON.
    pub fn sent_bodies(&self, queue: &str) -> Vec<Value> {
        let sent = self.sent(queue);
        let bodies = sent.iter().map(|message| message["MessageBody"].as_str().unwrap_or_default());
        bodies.map(|body| serde_json::from_str(body).unwrap_or_else(|_| body.into())).collect()
    }
}
