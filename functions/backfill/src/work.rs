//! What a worker needs for one run: the source with its secret, and the sink.

use std::sync::Arc;

use septet_recovery::Feed;
use septet_recovery::feed;
use septet_recovery::http::HttpSource;
use septet_recovery::ledger::Run;
use septet_recovery::port::Sink;
use septet_recovery::sink::{DynamoDbSink, SqsSink};

use crate::error::Error;
use crate::handler::Backfill;

impl Backfill {
    pub(crate) async fn source(&self, feed: &Feed) -> Result<HttpSource, Error> {
        let secret = self.secrets.of(feed).await;
        let secret = secret.map_err(|source| Error::Secret { feed: feed.name.clone(), source })?;
        HttpSource::new(feed, secret, self.config.loopback)
            .map_err(|failure| Error::Source { feed: feed.name.clone(), failure })
    }

    pub(crate) fn sink(&self, run: &Run, feed: &Feed) -> Result<Box<dyn Sink>, Error> {
        self.sink_of(run, feed).map_err(|problem| Error::Sink { feed: feed.name.clone(), problem })
    }

    /// The run's sink as the feed names it, or what is wrong with that.
    pub(crate) fn sink_of(&self, run: &Run, feed: &Feed) -> Result<Box<dyn Sink>, String> {
        let Some(sink) = run.sink_in(feed) else {
            let name = run.sink.as_deref().unwrap_or_default();
            return Err(format!("the feed has no sink {name:?} any more"));
        };
        let (caller, entropy) = (Arc::clone(&self.caller), Arc::clone(&self.entropy));
        Ok(match sink {
            feed::Sink::Sqs { queue_url } => Box::new(SqsSink::standard(caller, queue_url, entropy)),
            feed::Sink::SqsFifo { queue_url, message_group } => {
                Box::new(SqsSink::fifo(caller, queue_url, message_group.as_ref(), entropy))
            }
            feed::Sink::DynamoDb { table, version_attribute } => {
                // This function may write the registry, so a feed must not.
                if table.rsplit('/').next() == Some(self.config.registry_table.as_str()) {
                    return Err(format!("{table} is the registry"));
                }
                Box::new(DynamoDbSink::new(self.dynamodb.clone(), table, version_attribute))
            }
        })
    }
}
