//! Queues that answer like SQS and know what they must get: each play once.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use http_body_util::Full;
use hyper::body::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::plays;
use crate::server::{self, Request, Response, Server};

/// Entries of one call, and bytes of all its messages.
const MOST_ENTRIES: usize = 10;
const MOST_BYTES: usize = 1_048_576;

/// The queues, by the last part of their URLs: `plays` takes plays, each once, `warm` takes plays, however often, and
/// `orders` takes anything, one message at a time.
pub(crate) struct Queues {
    server: Server,
    state: Arc<Mutex<State>>,
}

/// What the queues got since they were asked last.
#[derive(Default)]
struct State {
    plays: Vec<bool>,
    orders: Vec<String>,
    wrong: Option<String>,
}

/// A message's attribute; no other kind is sent here.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Attribute<'a> {
    #[serde(borrow)]
    data_type: Cow<'a, str>,
    #[serde(borrow)]
    string_value: Cow<'a, str>,
}

type Attributes<'a> = BTreeMap<Cow<'a, str>, Attribute<'a>>;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Entry<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    message_body: Cow<'a, str>,
    #[serde(borrow, default)]
    message_attributes: Attributes<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Batch<'a> {
    #[serde(borrow)]
    queue_url: Cow<'a, str>,
    #[serde(borrow)]
    entries: Vec<Entry<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Single<'a> {
    #[serde(borrow)]
    queue_url: Cow<'a, str>,
    message_body: String,
}

/// What SQS says of a message that it took.
#[derive(Serialize)]
struct Receipt<'a> {
    #[serde(rename = "Id", skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(rename = "MessageId")]
    message_id: &'static str,
    #[serde(rename = "MD5OfMessageBody")]
    body: String,
    #[serde(rename = "MD5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
    attributes: Option<String>,
}

#[derive(Serialize)]
struct Receipts<'a> {
    #[serde(rename = "Successful")]
    successful: Vec<Receipt<'a>>,
    #[serde(rename = "Failed")]
    failed: [(); 0],
}

/// As much of a play as tells that it is one.
#[derive(Deserialize)]
struct Play<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    played_at: Timestamp,
}

impl Queues {
    /// Serves queues that answer after `latency`, or at once.
    pub(crate) async fn serve(latency: Duration) -> anyhow::Result<Self> {
        let state = Arc::new(Mutex::new(State::default()));
        let server = server::serve(None, {
            let state = Arc::clone(&state);
            move |request| {
                let state = Arc::clone(&state);
                async move {
                    let answer = answer(&state, &request).inspect_err(|error| {
                        lock(&state).wrong.get_or_insert(format!("{error:#}"));
                    })?;
                    if !latency.is_zero() {
                        // The runtime's own clock is a millisecond wide.
                        tokio::task::spawn_blocking(move || std::thread::sleep(latency)).await?;
                    }
                    Ok(answer)
                }
            }
        });
        Ok(Self { server: server.await?, state })
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.server.address)
    }

    pub(crate) fn url(&self, queue: &str) -> String {
        format!("{}/1/{queue}", self.endpoint())
    }

    /// Gets ready for the first so many plays.
    pub(crate) fn expect(&self, plays: usize) {
        *lock(&self.state) = State { plays: vec![false; plays], ..State::default() };
    }

    /// Messages that came to `orders` since this was asked last.
    pub(crate) fn orders(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.state).orders)
    }

    /// Holds that every play that was expected came once, and nothing else ever did.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        lock(&self.state).check()
    }
}

impl State {
    fn take(&mut self, play: usize) -> anyhow::Result<()> {
        match self.plays.get_mut(play) {
            None => bail!("play {play} was not expected"),
            Some(true) => bail!("play {play} came twice"),
            Some(came) => *came = true,
        }
        Ok(())
    }

    fn check(&self) -> anyhow::Result<()> {
        if let Some(wrong) = &self.wrong {
            bail!("the queue got what it should not: {wrong}");
        }
        let missing = self.plays.iter().filter(|came| !**came).count();
        if missing > 0 {
            bail!("{missing} of {} plays never came to the queue", self.plays.len());
        }
        Ok(())
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn answer(state: &Mutex<State>, request: &Request) -> anyhow::Result<Response> {
    let target = request.headers().get("x-amz-target").context("no call of SQS")?;
    match target.to_str()? {
        "AmazonSQS.SendMessageBatch" => {
            let batch: Batch<'_> = serde_json::from_slice(request.body())?;
            reply(&Receipts { successful: send(&mut lock(state), &batch)?, failed: [] })
        }
        "AmazonSQS.SendMessage" => {
            let single: Single<'_> = serde_json::from_slice(request.body())?;
            if !single.queue_url.ends_with("/orders") {
                bail!("{} got {}", single.queue_url, single.message_body);
            }
            let receipt = receipt(None, &single.message_body, &Attributes::new());
            lock(state).orders.push(single.message_body);
            reply(&receipt)
        }
        other => bail!("{other} was not expected"),
    }
}

fn reply(body: &impl Serialize) -> anyhow::Result<Response> {
    let answer = hyper::Response::builder()
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amzn-requestid", "00000000-0000-4000-8000-000000000000");
    Ok(answer.body(Full::new(Bytes::from(serde_json::to_vec(body)?)))?)
}

fn send<'a>(state: &mut State, batch: &'a Batch<'_>) -> anyhow::Result<Vec<Receipt<'a>>> {
    let Batch { queue_url, entries } = batch;
    let ids: HashSet<_> = entries.iter().map(|entry| &entry.id).collect();
    let bytes: usize = entries.iter().map(Entry::bytes).sum();
    if !(1..=MOST_ENTRIES).contains(&entries.len()) || ids.len() != entries.len() || bytes > MOST_BYTES {
        bail!("SQS takes no call of {} entries, {} ids and {bytes} bytes", entries.len(), ids.len());
    }
    let once = match queue_url.rsplit('/').next() {
        Some("plays") => true,
        Some("warm") => false,
        _ => bail!("there is no queue {queue_url}"),
    };
    for entry in entries {
        let play = entry.play()?;
        if once {
            state.take(play)?;
        }
    }
    Ok(entries
        .iter()
        .map(|entry| receipt(Some(&entry.id), &entry.message_body, &entry.message_attributes))
        .collect())
}

impl Entry<'_> {
    fn bytes(&self) -> usize {
        let attributes = self.message_attributes.iter();
        let bytes = |(name, it): (&Cow<'_, str>, &Attribute<'_>)| {
            name.len() + it.data_type.len() + it.string_value.len()
        };
        self.message_body.len() + attributes.map(bytes).sum::<usize>()
    }

    /// The number of the play that it carries.
    fn play(&self) -> anyhow::Result<usize> {
        let body = self.message_body.as_ref();
        let play: Play<'_> = serde_json::from_str(body).with_context(|| format!("{body} is no play"))?;
        let number = plays::number(&play.id).with_context(|| format!("{} is no id", play.id))?;
        if play.played_at != plays::moment(number)? {
            bail!("play {number} was not played at {}", play.played_at);
        }
        let told = self.message_attributes.get("septet.record_id");
        if told.is_some_and(|told| told.string_value != play.id) {
            bail!("play {number} came with another's id");
        }
        Ok(number)
    }
}

fn receipt<'a>(id: Option<&'a str>, body: &str, attributes: &Attributes<'_>) -> Receipt<'a> {
    Receipt {
        id,
        message_id: "00000000-0000-4000-8000-000000000000",
        body: format!("{:x}", md5::compute(body)),
        attributes: (!attributes.is_empty()).then(|| format!("{:x}", digest(attributes))),
    }
}

/// The digest of attributes as SQS's developer guide describes it: by name, each part after its length, and a text's
/// value after a 1.
fn digest(attributes: &Attributes<'_>) -> md5::Digest {
    let mut all = md5::Context::new();
    let mut part = |before: &[u8], text: &str| {
        all.consume(before);
        all.consume(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
        all.consume(text);
    };
    for (name, Attribute { data_type, string_value }) in attributes {
        part(&[], name);
        part(&[], data_type);
        part(&[1], string_value);
    }
    all.compute()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use serde_json::{Value, json};

    use super::*;
    use crate::plays::Plays;

    fn batch(queue: &str, plays: &[usize]) -> Value {
        let made = Plays::new();
        let entries: Vec<_> = plays
            .iter()
            .enumerate()
            .map(|(index, number)| {
                let mut body = String::new();
                made.write(*number, &mut body).unwrap();
                json!({"Id": index.to_string(), "MessageBody": body})
            })
            .collect();
        json!({"QueueUrl": format!("http://127.0.0.1/1/{queue}"), "Entries": entries})
    }

    /// Hands a call in; the error of what the queue then says.
    fn got(state: &mut State, call: &Value) -> Option<String> {
        let text = call.to_string();
        send(state, &serde_json::from_str(&text).unwrap()).err().map(|error| error.to_string())
    }

    fn expecting(plays: usize) -> State {
        State { plays: vec![false; plays], ..State::default() }
    }

    #[test]
    fn all_plays_once_are_what_it_wants() {
        let mut state = expecting(5);
        assert_eq!(got(&mut state, &batch("plays", &[3, 0, 4])), None);
        assert_eq!(state.check().unwrap_err().to_string(), "2 of 5 plays never came to the queue");
        assert_eq!(got(&mut state, &batch("plays", &[1, 2])), None);
        state.check().unwrap();
        assert_eq!(got(&mut state, &batch("warm", &[1, 1])), None, "nobody counts these");
        state.check().unwrap();
    }

    #[test]
    fn a_play_that_comes_twice_or_should_not_come_is_told() {
        let mut state = expecting(5);
        assert_eq!(got(&mut state, &batch("plays", &[3, 3])).unwrap(), "play 3 came twice");
        assert_eq!(got(&mut state, &batch("plays", &[5])).unwrap(), "play 5 was not expected");
        assert!(got(&mut state, &batch("other", &[1])).unwrap().starts_with("there is no queue"));
        let eleven: Vec<_> = (0..11).collect();
        assert!(got(&mut expecting(11), &batch("plays", &eleven)).unwrap().contains("11 entries"));
    }

    #[test]
    fn what_is_no_play_or_another_is_told() {
        let mut call = batch("plays", &[1]);
        call["Entries"][0]["MessageAttributes"]["septet.record_id"] =
            json!({"DataType": "String", "StringValue": "play-0000002"});
        assert_eq!(got(&mut expecting(5), &call).unwrap(), "play 1 came with another's id");
        call["Entries"][0]["MessageBody"] =
            json!({"id": "play-0000001", "played_at": "2020-01-01T00:00:00Z"}).to_string().into();
        assert_eq!(got(&mut expecting(5), &call).unwrap(), "play 1 was not played at 2020-01-01T00:00:00Z");
        call["Entries"][0]["MessageBody"] = "{}".into();
        assert_eq!(got(&mut expecting(5), &call).unwrap(), "{} is no play");
    }

    #[tokio::test]
    async fn whatever_a_client_is_told_the_check_knows() {
        let queues = Queues::serve(Duration::ZERO).await.unwrap();
        queues.expect(0);
        let call = hyper::Request::builder().header("x-amz-target", "AmazonSQS.SendMessageBatch");
        let call = call.body(Bytes::from(batch("plays", &[0]).to_string())).unwrap();
        queues.check().unwrap();
        let told = answer(&queues.state, &call).unwrap_err();
        lock(&queues.state).wrong = Some(told.to_string());
        assert!(queues.check().unwrap_err().to_string().ends_with("play 0 was not expected"));
    }

    #[test]
    fn digests_are_those_of_sqs() {
        // What SQS answers to this body and attribute.
        let attributes = BTreeMap::from([(
            Cow::from("AttributeName"),
            Attribute { data_type: "String".into(), string_value: "Value".into() },
        )]);
        let mut expected = String::new();
        for byte in md5::compute(b"\0\0\0\x0dAttributeName\0\0\0\x06String\x01\0\0\0\x05Value").0 {
            write!(expected, "{byte:02x}").unwrap();
        }
        let found = receipt(Some("1"), "hello", &attributes);
        assert_eq!(found.body, "5d41402abc4b2a76b9719d911017c592");
        assert_eq!(found.attributes.as_deref(), Some(expected.as_str()));
        assert_eq!(receipt(Some("1"), "hello", &Attributes::new()).attributes, None);
    }
}
