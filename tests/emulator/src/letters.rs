//! Dead letters of a queue: received, given back, and moved to the queue again.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::Emulator;
use crate::front::{Answer, Call};
use crate::queue::{self, error, no_queue};
use crate::state::Inner;

/// Messages that a look at a running task moves at most.
const STEP: usize = 2;
/// Messages of one answer.
const MOST: u64 = 10;

/// What is known of the dead letters of a queue.
#[derive(Debug, Default)]
pub(crate) struct Letters {
    /// The queue they are of.
    of: String,
    /// Those that somebody holds, by their numbers.
    held: BTreeSet<u64>,
    /// The newest last.
    tasks: Vec<Task>,
    /// Why tasks fail after their first step.
    failure: Option<String>,
    /// Whether all that is moved comes back at once, and the task goes on with it.
    circular: bool,
}

#[derive(Debug, Clone)]
struct Task {
    status: &'static str,
    rate: Value,
    moved: usize,
    total: usize,
    started: usize,
}

/// The answer to a call about dead letters, if it is one.
pub(crate) fn answer(state: &mut Inner, call: &Call) -> Option<Answer> {
    let named = ["QueueUrl", "SourceArn", "TaskHandle"]
        .iter()
        .find_map(|key| call.body[key].as_str())
        .unwrap_or_default();
    let name = named.rsplit(['/', ':']).next().unwrap_or_default().to_owned();
    let known = state.queues.contains_key(&name);
    let answer: fn(&mut Inner, &str, &Call) -> Answer = match call.operation.as_str() {
        "GetQueueAttributes" => attributes,
        "ReceiveMessage" => receive,
        "ChangeMessageVisibilityBatch" => give_back,
        "StartMessageMoveTask" => start,
        "ListMessageMoveTasks" => list,
        "CancelMessageMoveTask" => cancel,
        _ => return None,
    };
    Some(if known { answer(state, &name, call) } else { no_queue() })
}

fn number(message: &Value) -> u64 {
    message["Number"].as_u64().unwrap_or_default()
}

fn attributes(state: &mut Inner, name: &str, _call: &Call) -> Answer {
    let letters = state.letters.iter().find(|(_, letters)| letters.of == name);
    let policy = letters.map(|(it, _)| json!({"deadLetterTargetArn": queue::arn(it), "maxReceiveCount": 5}));
    let held = state.letters.get(name).map_or(0, |letters| letters.held.len());
    let waiting = state.queues.get(name).map_or(0, Vec::len) - held;
    let mut attributes = json!({
        "QueueArn": queue::arn(name),
        "ApproximateNumberOfMessages": waiting.to_string(),
        "ApproximateNumberOfMessagesNotVisible": held.to_string(),
    });
    if let Some(policy) = policy {
        attributes["RedrivePolicy"] = policy.to_string().into();
    }
    Answer::ok(json!({"Attributes": attributes}))
}

fn receive(state: &mut Inner, name: &str, call: &Call) -> Answer {
    let most = call.body["MaxNumberOfMessages"].as_u64().unwrap_or(1).min(MOST) as usize;
    let letters = state.letters.entry(name.to_owned()).or_default();
    let messages = state.queues.get(name).into_iter().flatten();
    let free: Vec<_> =
        messages.filter(|message| !letters.held.contains(&number(message))).take(most).collect();
    letters.held.extend(free.iter().map(|message| number(message)));
    let shown: Vec<_> = free
        .iter()
        .map(|message| {
            json!({
                "MessageId": format!("{name}-{}", number(message)),
                "ReceiptHandle": number(message).to_string(),
                "Body": message["MessageBody"],
                "Attributes": {"SentTimestamp": message["SentTimestamp"]},
                "MessageAttributes": message["MessageAttributes"],
            })
        })
        .collect();
    Answer::ok(json!({"Messages": shown}))
}

fn give_back(state: &mut Inner, name: &str, call: &Call) -> Answer {
    let letters = state.letters.entry(name.to_owned()).or_default();
    for entry in call.body["Entries"].as_array().into_iter().flatten() {
        let handle = entry["ReceiptHandle"].as_str().and_then(|handle| handle.parse().ok());
        if entry["VisibilityTimeout"] == 0 {
            letters.held.remove(&handle.unwrap_or_default());
        }
    }
    Answer::ok(json!({"Successful": [], "Failed": []}))
}

fn start(state: &mut Inner, name: &str, call: &Call) -> Answer {
    let held = state.letters.get(name).map_or(0, |letters| letters.held.len());
    let total = state.queues.get(name).map_or(0, Vec::len) - held;
    let Some(letters) = state.letters.get_mut(name).filter(|letters| !letters.of.is_empty()) else {
        let message = "Source queue must be configured as a Dead Letter Queue.";
        return error("InvalidParameterValueException", message);
    };
    let destination = call.body["DestinationArn"].as_str().unwrap_or_default();
    if destination != queue::arn(&letters.of) {
        return error("ResourceNotFoundException", "The emulator moves to the queue alone.");
    }
    if letters.tasks.last().is_some_and(|task| task.status == "RUNNING") {
        return error("InvalidParameterValueException", "There is already a task running.");
    }
    let (rate, started) = (call.body["MaxNumberOfMessagesPerSecond"].clone(), letters.tasks.len() + 1);
    letters.tasks.push(Task { status: "RUNNING", rate, moved: 0, total, started });
    Answer::ok(json!({"TaskHandle": handle(name)}))
}

fn handle(name: &str) -> String {
    format!("task:{name}")
}

fn cancel(state: &mut Inner, name: &str, _call: &Call) -> Answer {
    let task = state.letters.get_mut(name).and_then(|letters| letters.tasks.last_mut());
    let Some(task) = task.filter(|task| task.status == "RUNNING") else {
        return error("ResourceNotFoundException", "Task does not exist.");
    };
    task.status = "CANCELLED";
    Answer::ok(json!({"ApproximateNumberOfMessagesMoved": task.moved}))
}

/// Shows the newest task as it is, and then lets it go on.
fn list(state: &mut Inner, name: &str, _call: &Call) -> Answer {
    let Inner { letters, queues, .. } = state;
    let letters = letters.entry(name.to_owned()).or_default();
    let (failure, held, circular) = (letters.failure.clone(), &letters.held, letters.circular);
    let Some(task) = letters.tasks.last_mut() else { return Answer::ok(json!({"Results": []})) };
    let shown = json!({
        "TaskHandle": (task.status == "RUNNING").then(|| handle(name)),
        "Status": task.status,
        "MaxNumberOfMessagesPerSecond": task.rate,
        "ApproximateNumberOfMessagesMoved": task.moved,
        "ApproximateNumberOfMessagesToMove": task.total,
        "StartedTimestamp": task.started,
        "FailureReason": failure.as_ref().filter(|_| task.status == "FAILED"),
    });
    if task.status == "RUNNING" {
        let lying = queues.get_mut(name).map(std::mem::take).unwrap_or_default();
        let mut going = if circular { STEP } else { STEP.min(task.total - task.moved) };
        let (moved, kept): (Vec<_>, Vec<_>) = lying.into_iter().partition(|message| {
            let goes = going > 0 && !held.contains(&number(message));
            going -= usize::from(goes);
            goes
        });
        task.moved += moved.len();
        if task.moved == task.total && !circular {
            task.status = "COMPLETED";
        }
        if failure.is_some() {
            task.status = "FAILED";
        }
        queues.insert(name.to_owned(), kept);
        let to = if circular { name } else { &letters.of };
        queues.entry(to.to_owned()).or_default().extend(moved);
    }
    Answer::ok(json!({"Results": [shown]}))
}

impl Emulator {
    /// Makes a queue the dead letters of another, and both if there are none.
    pub fn create_dead_letters(&self, name: &str, of: &str) -> String {
        self.create_queue(of);
        self.state.lock().letters.insert(name.into(), Letters { of: of.into(), ..Letters::default() });
        self.create_queue(name)
    }

    /// Puts a dead letter, sent at that millisecond, with an attribute `septet.refused` if there is a reason.
    pub fn bury(&self, letters: &str, body: &str, refused: Option<&str>, sent: i64) {
        let mut state = self.state.lock();
        state.buried += 1;
        let attribute = |reason| json!({"septet.refused": {"DataType": "String", "StringValue": reason}});
        let message = json!({
            "MessageBody": body, "Number": state.buried, "SentTimestamp": sent.to_string(),
            "MessageAttributes": refused.map_or(json!({}), attribute),
        });
        state.queues.entry(letters.into()).or_default().push(message);
    }

    /// How many dead letters somebody holds.
    pub fn held(&self, letters: &str) -> usize {
        self.state.lock().letters.get(letters).map_or(0, |letters| letters.held.len())
    }

    /// How many letters a second the last task was to move, if it was told.
    pub fn rate_of_move(&self, letters: &str) -> Option<i64> {
        self.state.lock().letters.get(letters)?.tasks.last()?.rate.as_i64()
    }

    /// Has all that a task moves come back at once, as letters do that cannot be followed, and the task move it again.
    pub fn return_moved(&self, letters: &str) {
        if let Some(letters) = self.state.lock().letters.get_mut(letters) {
            letters.circular = true;
        }
    }

    /// Has tasks that move dead letters fail after their first step.
    pub fn fail_moves(&self, letters: &str, reason: &str) {
        if let Some(letters) = self.state.lock().letters.get_mut(letters) {
            letters.failure = Some(reason.into());
        }
    }
}
