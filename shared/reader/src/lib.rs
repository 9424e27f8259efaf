//! What an API service links: follow a pointer, read the version it names.
//!
//! ```no_run
//! # async fn serve(client: aws_sdk_dynamodb::Client) -> Result<(), septet_reader::Error> {
//! use aws_sdk_dynamodb::types::AttributeValue;
//! use septet_reader::Reader;
//!
//! let reader = Reader::builder("recs").registry_table("septet-registry").client(client).start().await?;
//! let key = [("user_id".to_owned(), AttributeValue::S("42".into()))].into();
//! if let Some(item) = reader.get(key).await? {
//!     println!("version {} has {item:?}", reader.current().version);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What it promises
//! - It looks at the pointer at once, then at the interval that the pointer item gives, or earlier: a
//!   rollback reaches every reader within one interval.
//! - It serves a version only if that is `valid`, its table is the one that the registry holds, and the table
//!   can be read. Otherwise, and whenever the registry fails, is slow or holds what this code cannot read, it
//!   goes on serving the last known good version, and logs why. It never goes back a generation.
//! - No read waits for a look. [`Reader::get`], [`Reader::batch_get`] and [`Reader::query`] each stay on one
//!   version; so do all reads of a [`Snapshot`]. Only a read whose table is gone polls, once, and is then tried
//!   once more, on the version that the pointer names by now.
//! - It gives a sign of life after each look, by which Septet knows what is still read and must not be
//!   pruned. That it fails changes nothing for reads.
//! - It needs `dynamodb:GetItem` on the registry and, on the dataset's tables, what its reads need
//!   (`GetItem`, `BatchGetItem`, `Query`); for signs of life `PutItem` on the registry. The template's
//!   `ReaderPolicy` is that.
//!
//! It leaves to others: what is in the items, caching, consistent reads (a version's table never changes, so
//! there is nothing to be gained by them).
//!
//! Keys and items are the SDK's own types. Whoever links this uses the SDK already, and one read may cost no
//! more than the SDK's own: types of ours would mean to convert every attribute of every item.
//!
//! Tables are named by their ARNs, since they may lie in the account of whoever publishes them, which must
//! then grant the reads in the tables' resource policies.
//!
//! # Without this crate
//! The pointer item is a public format, and attributes are only ever added to it. With `pk` =
//! `DATASET#<dataset>` and `sk` = `POINTER#live` it has `format` (1), `version`, `table`, `table_arn`,
//! `generation` and `poll_seconds`. Look at it every `poll_seconds`, go where a higher `generation` points, and
//! keep what you have when the look fails.
//!
//! Python, with a boto3 client:
//!
//! ```python
#![doc = include_str!("../follow.py")]
//! ```
//!
//! Java, with the AWS SDK 2:
//!
//! ```java
//! var served = new AtomicReference<Map<String, AttributeValue>>();
//! var key = Map.of("pk", AttributeValue.fromS("DATASET#recs"), "sk", AttributeValue.fromS("POINTER#live"));
//! Runnable look = () -> {
//!     var item = dynamodb.getItem(get -> get.tableName(registry).key(key).consistentRead(true)).item();
//!     ToLongFunction<Map<String, AttributeValue>> generation = it -> Long.parseLong(it.get("generation").n());
//!     if (!item.get("format").n().equals("1")) throw new IllegalStateException("update this service");
//!     served.accumulateAndGet(item, (old, found) ->
//!         old == null || generation.applyAsLong(found) > generation.applyAsLong(old) ? found : old);
//! };
//! look.run();
//! var every = Long.parseLong(served.get().get("poll_seconds").n());
//! Runnable poll = () -> { try { look.run(); } catch (RuntimeException e) { log.warn("keeping the version", e); } };
//! Executors.newSingleThreadScheduledExecutor().scheduleWithFixedDelay(poll, every, every, TimeUnit.SECONDS);
//! // Each read: dynamodb.getItem(get -> get.tableName(served.get().get("table_arn").s()).key(...))
//! ```

mod builder;
mod current;
mod disk;
mod dynamodb;
mod error;
mod follower;
mod look;
mod reader;
mod snapshot;

pub use builder::Builder;
pub use current::{Change, Changes, Current};
pub use error::{Error, ErrorKind, Refusal};
pub use reader::Reader;
pub use snapshot::{Item, Key, Snapshot};
