//! The parts of a check that many invocations share: who works on each, how far it is, what was seen.
//!
//! A part is an entry beside its version, changed only under the condition that nobody changed it before. What was
//! seen since the last time it was kept lies in further entries, in pieces that fit an item, under a name that
//! only the holder of the part's lease writes: whoever lost the lease writes where nobody reads. All of it expires
//! by itself some time after the check.

use futures::{StreamExt, TryStreamExt};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::decide::{self, After, Taking};
use crate::store::{Committed, Order};
use crate::transaction::{Entry, Expect, Item, Key, Write};
use crate::unknown::Unknown;
use crate::version::Lease;
use crate::{DatasetName, Error, Registry, VersionNumber};

/// Bytes of a piece; an item takes 400 KB.
const PIECE: usize = 300_000;

/// Pieces written at the same time.
const PIECES_AT_ONCE: usize = 4;

/// When parts of a check that nobody works on any more are dropped.
const LIFE: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Which part of which check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartKey {
    /// The dataset.
    pub dataset: DatasetName,
    /// The version.
    pub version: VersionNumber,
    /// The sharing's id.
    pub sharing: String,
    /// Which part, from 0.
    pub part: u32,
}

/// A part of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Which it is.
    pub key: PartKey,
    /// Grows with every change; 0 if nobody took it yet.
    pub revision: u64,
    /// How far it is.
    pub progress: Progress,
    /// What newer programs wrote beside.
    pub(crate) unknown: Unknown,
}

/// How far a part is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Whether it is read to its end.
    pub done: bool,
    /// Who works on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// How often it was taken since something was last kept.
    pub tries: u32,
    /// Where the next page begins, as its reader wrote it; none at the beginning, or at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// What was kept, in order.
    #[serde(default)]
    pub kept: Vec<Kept>,
}

/// One text that was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The revision of the part that its writer held.
    pub at: u64,
    /// In how many pieces it lies.
    pub pieces: u32,
}

/// What came of asking for a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// The caller has it.
    Mine(Part),
    /// It is read to its end.
    Done,
    /// Somebody else works on it, as far as known until the end of the lease.
    Held(Option<Lease>),
}

#[derive(Serialize, Deserialize)]
struct Body {
    #[serde(flatten)]
    progress: Progress,
    expires_at: i64,
}

#[derive(Serialize, Deserialize)]
struct Piece {
    text: String,
    expires_at: i64,
}

impl Part {
    /// A part that nobody took yet.
    fn new(key: PartKey) -> Self {
        Self { key, revision: 0, progress: Progress::default(), unknown: Unknown::default() }
    }
}

impl PartKey {
    fn under(&self, kind: &str) -> Key {
        let sk = format!("{}{}#{kind}", Entry::SEGMENT, self.sharing);
        Key::document(&self.dataset, self.version, &sk)
    }

    fn key(&self) -> Key {
        self.under(&format!("PART#{:06}", self.part))
    }

    fn pieces(&self) -> Key {
        self.under(&format!("SEEN#{:06}#", self.part))
    }

    fn piece(&self, at: u64, number: u32) -> Key {
        let Key { pk, sk } = self.pieces();
        Key { pk, sk: format!("{sk}{at:010}#{number:06}") }
    }
}

impl Registry {
    /// A part of a check, begun or not.
    pub async fn part(&self, key: &PartKey) -> Result<Part, Error> {
        match self.store.get(&key.key()).await? {
            Some(Item::Entry(entry)) => read(key, entry),
            _ => Ok(Part::new(key.clone())),
        }
    }

    /// The parts of a check before the `part` of `end`, in their order, begun or not.
    pub async fn parts(&self, end: &PartKey) -> Result<Vec<Part>, Error> {
        let mut parts: Vec<_> =
            (0..end.part).map(|part| Part::new(PartKey { part, ..end.clone() })).collect();
        let Key { pk, sk } = end.under("PART#");
        for item in self.store.list(&pk, &sk, Order::Rising, None).await? {
            let Item::Entry(entry) = item else { continue };
            let number = entry.key.sk.strip_prefix(&sk).and_then(|number| number.parse().ok());
            let place = number.and_then(|number: usize| parts.get_mut(number));
            if let Some(part) = place {
                *part = read(&part.key, entry)?;
            }
        }
        Ok(parts)
    }

    /// Takes a part; see [`decide::take_part`].
    pub async fn take_part(&self, key: &PartKey, lease: &Lease, now: Timestamp) -> Result<Taken, Error> {
        match decide::take_part(&self.part(key).await?, lease.clone(), now) {
            Taking::Done => Ok(Taken::Done),
            Taking::Held(lease) => Ok(Taken::Held(Some(lease))),
            Taking::Free(part) => Ok(self.put_part(part, now).await?.map_or(Taken::Held(None), Taken::Mine)),
        }
    }

    /// Keeps what was seen of a part that the caller holds, and how far it is; see [`decide::keep_part`]. None if
    /// somebody else has taken it, in which case nothing was kept.
    pub async fn keep_part(
        &self,
        part: &Part,
        cursor: Option<String>,
        seen: Option<&str>,
        after: After,
        now: Timestamp,
    ) -> Result<Option<Part>, Error> {
        let kept = match seen {
            Some(text) => Some(Kept { at: part.revision, pieces: self.put_pieces(part, text, now).await? }),
            None => None,
        };
        self.put_part(decide::keep_part(part, cursor, kept, after), now).await
    }

    /// What was seen of a part, in the order in which it was kept.
    pub async fn seen(&self, part: &Part) -> Result<Vec<String>, Error> {
        let prefix = part.key.pieces();
        let mut texts = vec![String::new(); part.progress.kept.len()];
        let mut found = vec![0; texts.len()];
        for item in self.store.list(&prefix.pk, &prefix.sk, Order::Rising, None).await? {
            let Item::Entry(entry) = item else { continue };
            let at =
                entry.key.sk.strip_prefix(&prefix.sk).and_then(|rest| rest.split('#').next()?.parse().ok());
            // Others are of a worker that died, or lost its lease, before they counted.
            let place = part.progress.kept.iter().position(|kept| Some(kept.at) == at);
            if let Some(place) = place {
                let piece: Piece =
                    serde_json::from_value(entry.body).map_err(|error| malformed(&entry.key, error))?;
                texts[place].push_str(&piece.text);
                found[place] += 1;
            }
        }
        match part.progress.kept.iter().zip(&found).all(|(kept, found)| kept.pieces == *found) {
            true => Ok(texts),
            false => Err(Error::Malformed {
                key: prefix.to_string(),
                message: "a piece of what was seen is missing".into(),
            }),
        }
    }

    async fn put_pieces(&self, part: &Part, text: &str, now: Timestamp) -> Result<u32, Error> {
        let mut writes = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(rest.floor_char_boundary(PIECE));
            rest = more;
            let key = part.key.piece(part.revision, u32::try_from(writes.len()).unwrap_or(u32::MAX));
            let body =
                write(&key, &Unknown::default(), &Piece { text: piece.to_owned(), expires_at: expiry(now) })?;
            let entry = Entry { key, revision: 1, body };
            writes.push(Write { item: Item::Entry(entry), expect: Expect::Anything });
        }
        let puts = writes.iter().map(|write| self.store.put(std::slice::from_ref(write)));
        let done: Vec<_> = futures::stream::iter(puts).buffer_unordered(PIECES_AT_ONCE).try_collect().await?;
        Ok(u32::try_from(done.len()).unwrap_or(u32::MAX))
    }

    /// Writes a part over the revision before; none if that is not the last one any more.
    async fn put_part(&self, part: Part, now: Timestamp) -> Result<Option<Part>, Error> {
        let key = part.key.key();
        let known = Body { progress: part.progress.clone(), expires_at: expiry(now) };
        let body = write(&key, &part.unknown, &known)?;
        let unknown = Unknown::beside(&known, &body).map_err(|error| malformed(&key, error))?;
        let part = Part { unknown, ..part };
        let expect = match part.revision {
            1 => Expect::Absent,
            later => Expect::Revision(later - 1),
        };
        let item = Item::Entry(Entry { key, revision: part.revision, body });
        let failure = match self.store.put(&[Write { item, expect }]).await {
            Ok(Committed::Done) => return Ok(Some(part)),
            Ok(Committed::Conflict) => None,
            Err(error) if error.is_retryable() => Some(error),
            Err(error) => return Err(error),
        };
        // It may have landed although the answer was lost; nobody else writes just this, for it names its holder.
        let found = self.part(&part.key).await?;
        match failure {
            _ if found == part => Ok(Some(part)),
            Some(error) if found.revision < part.revision => Err(error),
            _ => Ok(None),
        }
    }
}

fn expiry(now: Timestamp) -> i64 {
    decide::later(now, LIFE).as_second()
}

fn read(key: &PartKey, entry: Entry) -> Result<Part, Error> {
    let (Body { progress, .. }, unknown) =
        Unknown::read(&entry.body).map_err(|error| malformed(&entry.key, error))?;
    Ok(Part { key: key.clone(), revision: entry.revision, progress, unknown })
}

fn write(key: &Key, unknown: &Unknown, body: &impl Serialize) -> Result<serde_json::Value, Error> {
    unknown.write(body).map_err(|error| malformed(key, error))
}

fn malformed(key: &Key, error: impl std::fmt::Display) -> Error {
    Error::Malformed { key: key.to_string(), message: error.to_string() }
}
