//! The reader itself.

use std::sync::Arc;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use tokio::task::AbortHandle;

use crate::error::Error;
use crate::follower::Follower;
use crate::snapshot::{self, Item, Key, Snapshot};
use crate::{Builder, Changes, Current};

/// Follows a pointer and reads the version it names; see the crate's documentation.
///
/// Clones share one reader; it stops polling when the last one is dropped.
#[derive(Clone)]
pub struct Reader(Arc<Inner>);

struct Inner {
    follower: Arc<Follower>,
    task: AbortHandle,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("current", &self.current()).finish_non_exhaustive()
    }
}

impl Reader {
    /// Sets up a reader of a dataset.
    pub fn builder(dataset: impl Into<String>) -> Builder {
        Builder::new(dataset.into())
    }

    pub(crate) fn new(follower: Arc<Follower>) -> Self {
        let task = tokio::spawn(follower.clone().run()).abort_handle();
        Self(Arc::new(Inner { follower, task }))
    }

    /// The version that is served now.
    pub fn current(&self) -> Arc<Current> {
        self.0.follower.current()
    }

    /// The changes of the version from now on.
    pub fn changes(&self) -> Changes {
        Changes::new(self.0.follower.subscribe())
    }

    /// Reads of the version that is served now, for a piece of work whose reads must agree.
    pub fn snapshot(&self) -> Snapshot {
        self.at(self.current())
    }

    /// Reads one item; see [`Snapshot::get`].
    ///
    /// If the version's table is gone, it polls at once and reads the version that the pointer names by now.
    pub async fn get(&self, key: Key) -> Result<Option<Item>, Error> {
        let current = self.current();
        match snapshot::get(&self.0.follower.lookout.client, &current, key.clone()).await {
            Err(error) => self.instead_of(&current, error).await?.get(key).await,
            answer => answer,
        }
    }

    /// Reads the items of these keys, all from one version; see [`Snapshot::batch_get`].
    ///
    /// If the version's table is gone, it polls at once and reads all of them from the version that the
    /// pointer names by now.
    pub async fn batch_get(&self, keys: impl IntoIterator<Item = Key>) -> Result<Vec<Item>, Error> {
        let keys: Vec<_> = keys.into_iter().collect();
        let snapshot = self.snapshot();
        match snapshot.batch_get(keys.iter().cloned()).await {
            Err(error) => self.instead_of(&snapshot.current, error).await?.batch_get(keys).await,
            answer => answer,
        }
    }

    /// Queries, all pages from one version; see [`Snapshot::query`].
    ///
    /// If the version's table is gone, it polls at once and queries the version that the pointer names by
    /// now, from the first page on.
    pub async fn query(
        &self,
        build: impl Fn(QueryFluentBuilder) -> QueryFluentBuilder,
    ) -> Result<Vec<Item>, Error> {
        let snapshot = self.snapshot();
        match snapshot.query(&build).await {
            Err(error) => self.instead_of(&snapshot.current, error).await?.query(&build).await,
            answer => answer,
        }
    }

    /// What to read after a read failed so; the error again if there is nothing else to read.
    async fn instead_of(&self, current: &Current, error: Error) -> Result<Snapshot, Error> {
        if !matches!(error, Error::TableGone { .. }) {
            return Err(error);
        }
        let next = self.0.follower.poll_instead_of(current).await;
        next.map(|next| self.at(next)).ok_or(error)
    }

    fn at(&self, current: Arc<Current>) -> Snapshot {
        let Follower { lookout, entropy, .. } = self.0.follower.as_ref();
        Snapshot { client: lookout.client.clone(), current, entropy: entropy.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send<T: Send>(_: impl Fn(Reader) -> T) {}

    #[test]
    fn what_a_service_awaits_may_move_between_threads() {
        fn shared<T: Send + Sync + 'static>() {}
        shared::<Reader>();
        shared::<Snapshot>();
        send(|reader| async move { reader.get(Key::new()).await.map(drop) });
        send(|reader| async move { reader.batch_get([Key::new()]).await.map(drop) });
        send(|reader| async move { reader.query(|query| query.limit(1)).await.map(drop) });
        send(|reader| async move { reader.changes().next().await.map(drop) });
        send(|_| Reader::builder("recs").start());
    }
}
