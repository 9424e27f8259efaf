//! A check that many invocations share: when the table is too much for one, and what reminds of parts left lying.

use std::time::Duration;

use futures::StreamExt;
use septet_registry::{Message, Outcome, PartKey, Segment, Sharing, Version};

use crate::check::Checked;
use crate::course;
use crate::error::Error;
use crate::look::Visit;
use crate::queue::Later;
use crate::summary::Step;

/// Messages sent at the same time.
const MESSAGES_AT_ONCE: usize = 8;

impl Visit<'_> {
    /// Gives up the lease of a check for many invocations to share it, and asks for each part.
    pub(crate) async fn share(&mut self, version: &Version, ceiling: Option<u32>) -> Result<Checked, Error> {
        let registry = &self.handler.registry;
        let parts = if ceiling.is_some() { course::PARTS } else { self.handler.config.sharing.parts };
        let owner = &self.invocation.id;
        let shared = registry.share(&version.dataset, version.version, owner, parts, &self.by()).await?;
        let shared = match shared {
            Outcome::Done(shared) => {
                self.step(Step::Shared, &shared, "ChecksShared");
                shared
            }
            Outcome::Already(shared) => shared,
            // The lease ended and another invocation took over.
            Outcome::Refused(_) => return Ok(Checked::Settled(Box::new(self.reread(version).await?))),
        };
        match &shared.sharing {
            Some(sharing) => self.remind(&shared, sharing).await,
            None => Ok(Checked::Settled(Box::new(shared))),
        }
    }

    /// Asks for the parts of a shared check that are not read and that nobody reads; where all are, for the verdict.
    pub(crate) async fn remind(&self, version: &Version, sharing: &Sharing) -> Result<Checked, Error> {
        let registry = &self.handler.registry;
        let end = end(version, sharing);
        let parts = registry.parts(&end).await?;
        let done = parts.iter().filter(|part| part.progress.done).count();
        let waiting = match done == parts.len() {
            true => vec![registry.part(&end).await?],
            false => parts.into_iter().filter(|part| !part.progress.done).collect(),
        };
        let now = self.handler.clock.now();
        let waiting = waiting.iter().filter(|part| {
            let lease = part.progress.lease.as_ref();
            lease.is_none_or(|lease| lease.until <= now)
        });
        let asks: Vec<_> = waiting.map(|part| self.ask(version, &part.key, Duration::ZERO)).collect();
        let mut asked = futures::stream::iter(asks).buffer_unordered(MESSAGES_AT_ONCE);
        while let Some(asked) = asked.next().await {
            asked?;
        }
        Ok(Checked::Shared(format!("{done} of {} parts of the table are read", sharing.parts)))
    }

    /// Sends the message that asks to go on with a part.
    pub(crate) async fn ask(&self, version: &Version, key: &PartKey, delay: Duration) -> Result<(), Error> {
        let message = Message::Segment(Segment {
            table: version.table.to_string(),
            table_id: version.table_id.clone(),
            dataset: key.dataset.clone(),
            version: key.version,
            sharing: key.sharing.clone(),
            part: key.part,
        });
        let sent_at = self.handler.clock.now().as_millisecond();
        let later = Later { body: message.to_json().to_string(), hops: 0, sent_at, delay, table_id: None };
        Ok(self.handler.queue.put_back(&later).await?)
    }
}

/// The part after the last one, which stands for the verdict.
pub(crate) fn end(version: &Version, sharing: &Sharing) -> PartKey {
    PartKey {
        dataset: version.dataset.clone(),
        version: version.version,
        sharing: sharing.id.clone(),
        part: sharing.parts,
    }
}
