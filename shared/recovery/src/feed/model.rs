//! The typed model of a feed.

use std::collections::BTreeMap;
use std::fmt;

use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::time::{Step, TimeFormat};

/// Names a feed: 1 to 64 of a-z, 0-9, '-', '_' and '.', the first a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FeedName(String);

impl FeedName {
    /// Takes a text that keeps the rule.
    pub fn parse(text: &str) -> Result<Self, String> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
        let starts_well = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        if starts_well && text.len() <= 64 && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("{text:?} cannot be the name of a feed"))
        }
    }

    /// Shows the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FeedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for FeedName {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<FeedName> for String {
    fn from(name: FeedName) -> Self {
        name.0
    }
}

/// Names of members from the outside in; empty means the whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Path(pub Vec<String>);

impl Path {
    /// Reads `meta.total`; a dot that belongs to a name is written `\.`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut names = vec![String::new()];
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '.' => names.push(String::new()),
                '\\' => names.last_mut().into_iter().for_each(|name| name.extend(chars.next())),
                '[' | ']' | '*' | '$' => return Err(format!("{c:?} is not part of a path here")),
                c => names.last_mut().into_iter().for_each(|name| name.push(c)),
            }
        }
        if names.iter().any(String::is_empty) {
            return Err(format!("the path {text:?} has an empty name"));
        }
        Ok(Self(names))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// Where a request carries a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot {
    /// A parameter of the query.
    RequestParameter(String),
    /// A header.
    Header(String),
    /// A member of the JSON body.
    BodyJson(Path),
}

/// How a secret is named; the secret itself never stands in a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// A secret of Secrets Manager, by name or ARN, and one member of it if it is JSON.
    SecretsManager {
        /// Name or ARN.
        id: String,
        /// Which member.
        key: Option<String>,
    },
    /// A parameter of Systems Manager.
    Ssm {
        /// The parameter's name.
        name: String,
    },
}

/// How a request says who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authentication {
    /// Nobody needs to know.
    None,
    /// `Authorization: Bearer …`.
    Bearer {
        /// The token.
        secret: SecretRef,
    },
    /// A key in a place of its own.
    ApiKey {
        /// The key.
        secret: SecretRef,
        /// Its place.
        place: Slot,
    },
    /// `Authorization: Basic …`.
    Basic {
        /// The user's name.
        username: String,
        /// The password.
        secret: SecretRef,
    },
}

/// How the feed is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Everything stands in the query.
    Get,
    /// There is a JSON body.
    Post,
}

/// A request without what changes from page to page.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Where the feed lies, path included.
    pub url: Url,
    /// How it is asked.
    pub method: Method,
    /// Headers of every request.
    pub headers: Vec<(String, String)>,
    /// Query parameters of every request that follows no link.
    pub params: Vec<(String, String)>,
    /// The JSON body, of a POST.
    pub body: Option<serde_json::Value>,
    /// How long one request may take.
    pub timeout: SignedDuration,
    /// Bytes of the largest answer that is read.
    pub max_body_bytes: u64,
}

/// What the API does with the end of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeEnd {
    /// It leaves the end out, as Septet does.
    Open,
    /// It takes the end in.
    Closed,
}

/// Which way rows are ordered by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowOrder {
    /// The oldest first.
    Asc,
    /// The newest first.
    Desc,
}

/// What becomes of a record without an event time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The window fails.
    Raise,
    /// It is injected.
    Include,
    /// It is left out.
    Exclude,
}

/// How the feed is asked for a stretch of time, and where a record says its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Incremental {
    /// Where the start goes.
    pub start: Option<Slot>,
    /// Where the end goes.
    pub end: Option<Slot>,
    /// How both are written.
    pub datetime_format: TimeFormat,
    /// Where a record has its event time.
    pub cursor_path: Path,
    /// How records write it; the first that fits is it.
    pub cursor_datetime_formats: Vec<TimeFormat>,
    /// The offset of times that say none; none if every format says its own.
    pub zoneless: Option<Offset>,
    /// What the API does with the end.
    pub range_end: RangeEnd,
    /// The finest difference that the API's comparison makes.
    pub cursor_granularity: SignedDuration,
    /// Length of a window.
    pub step: Step,
    /// The zone of calendar days.
    pub time_zone: TimeZone,
    /// How much earlier than the window's start the API is asked.
    pub lookback_window: SignedDuration,
    /// Which way rows are ordered, if they are.
    pub row_order: Option<RowOrder>,
    /// What becomes of a record without a time.
    pub on_cursor_value_missing: Missing,
    /// The API has no time filter: the range is one window, filtered here.
    pub is_client_side_incremental: bool,
    /// How long after its time a record may still arrive.
    pub settle_delay: SignedDuration,
}

impl Incremental {
    /// A record's event time; none if no format fits.
    pub fn event_time(&self, text: &str) -> Option<Timestamp> {
        let offset = self.zoneless.unwrap_or(Offset::UTC);
        self.cursor_datetime_formats.iter().find_map(|format| format.read(text, offset))
    }
}

/// How an absolute next link is made of a relative one.
#[derive(Debug, Clone, PartialEq)]
pub enum NextUrl {
    /// Against the URL that was asked.
    Asked,
    /// Against this one.
    Base(Url),
}

/// How the feed's pages follow each other.
#[derive(Debug, Clone, PartialEq)]
pub enum Paginator {
    /// There is one page.
    SinglePage,
    /// Pages are numbered.
    PageNumber {
        /// Where the number goes.
        page: Slot,
        /// The first page's number.
        base_page: u64,
        /// Where the answer says how many pages there are.
        total_path: Option<Path>,
        /// The last page that is asked for.
        maximum_page: Option<u64>,
        /// The status that a page past the end is answered with.
        end_status: Option<u16>,
    },
    /// Rows are counted.
    Offset {
        /// Where the offset goes.
        offset: Slot,
        /// The status that an offset past the end is answered with.
        end_status: Option<u16>,
    },
    /// The answer's body says where to go on.
    Cursor {
        /// Where the body has it; it may be an object.
        cursor_path: Path,
        /// Where it goes.
        cursor: Slot,
    },
    /// A header of the answer says where to go on.
    HeaderCursor {
        /// The header.
        cursor_key: String,
        /// Where it goes.
        cursor: Slot,
    },
    /// The header `Link` has the next URL.
    HeaderLink,
    /// The body has the next URL.
    JsonLink {
        /// Where.
        next_url_path: Path,
        /// What it is relative to.
        base: NextUrl,
    },
    /// The last record of a page says where to go on.
    Keyset {
        /// The member of the record.
        record_field: Path,
        /// Where its value goes.
        cursor: Slot,
    },
}

/// What shows that a window was read to its end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evidence {
    /// Where the body has the number of rows in the window.
    pub total_path: Option<Path>,
    /// The header that has it.
    pub total_header: Option<String>,
    /// Where the body says whether there is more.
    pub has_more_path: Option<Path>,
    /// Whether, with nothing better, empty pages are taken for the end; such a window is read, and suspect.
    pub stop_after_empty_page: bool,
}

impl Evidence {
    /// Whether the answer says how many rows there are.
    pub fn counts_rows(&self) -> bool {
        self.total_path.is_some() || self.total_header.is_some()
    }
}

/// Where a page has its records.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selector {
    /// The list.
    pub list: Path,
    /// The record within each of its elements.
    pub inner: Path,
}

/// Where the records lie and which each is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records {
    /// Where a page has them.
    pub data_selector: Selector,
    /// The members that tell a record from all others.
    pub primary_key: Vec<Path>,
}

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is a page.
    Success,
    /// The window fails.
    Fail,
    /// Ask again.
    Retry,
    /// It is an empty page.
    Ignore,
    /// Ask again later.
    RateLimited,
}

/// Which answers an action is for; all that is given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Match {
    /// The status.
    pub status: Option<u16>,
    /// A text that the body contains.
    pub body_contains: Option<String>,
}

/// What is done about certain answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseAction {
    /// Which.
    pub answers: Match,
    /// What they mean.
    pub action: Verdict,
}

/// How often the feed may be asked, by everybody together.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// Calls per second that the third party allows.
    pub calls_per_second: f64,
    /// The share of them that is left to the live feed, from 0 to 0.95.
    pub reserve: f64,
    /// The header that says how many calls are left.
    pub remaining_header: Option<String>,
    /// The header that says when there are more: seconds from now, or a Unix time.
    pub reset_header: Option<String>,
}

/// Where records go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sink {
    /// An SQS queue.
    Sqs {
        /// Its URL.
        queue_url: String,
    },
    /// An SQS queue that keeps order.
    SqsFifo {
        /// Its URL.
        queue_url: String,
        /// The member of the record that names its message group; without it, the feed is one group.
        message_group: Option<Path>,
    },
    /// A DynamoDB table.
    DynamoDb {
        /// Its name or ARN.
        table: String,
        /// The attribute that tells a newer item from an older one.
        version_attribute: String,
    },
}

/// A feed.
#[derive(Debug, Clone, PartialEq)]
pub struct Feed {
    /// Its name.
    pub name: FeedName,
    /// How it is asked.
    pub call: Call,
    /// How it is told who asks.
    pub authentication: Authentication,
    /// How it is asked for a stretch of time.
    pub incremental: Incremental,
    /// How its pages follow each other.
    pub paginator: Paginator,
    /// What shows that a window was read to its end.
    pub evidence: Evidence,
    /// Where the number of rows asked for goes.
    pub limit_param: Option<Slot>,
    /// How many rows are asked for.
    pub limit: Option<u64>,
    /// Where the records lie and which each is.
    pub records: Records,
    /// What certain answers mean; the first that fits counts.
    pub response_actions: Vec<ResponseAction>,
    /// How often it may be asked.
    pub budget: Budget,
    /// How many windows are read at the same time.
    pub concurrency: u32,
    /// Where the records go.
    pub sink: Sink,
    /// Where a range may send them instead, by name.
    pub other_sinks: BTreeMap<String, Sink>,
    pub(super) json: String,
}
