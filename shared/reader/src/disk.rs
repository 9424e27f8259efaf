//! The last known good version on disk, for a start without the registry.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use septet_registry::{DatasetName, PointerName, TableName, VersionNumber};
use serde::{Deserialize, Serialize};

use crate::Current;

const FORMAT: u32 = 1;

/// What a reader followed last, as its file holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    format: u32,
    /// A reader that is turned to another registry must not take up this one's version.
    registry_table: String,
    dataset: DatasetName,
    pointer: PointerName,
    version: VersionNumber,
    table: TableName,
    table_arn: String,
    generation: u64,
    pub(crate) poll_seconds: u32,
}

impl Kept {
    pub(crate) fn new(registry_table: &str, current: &Current, poll_seconds: u32) -> Self {
        Self {
            format: FORMAT,
            registry_table: registry_table.into(),
            dataset: current.dataset.clone(),
            pointer: current.pointer.clone(),
            version: current.version,
            table: current.table.clone(),
            table_arn: current.table_arn.clone(),
            generation: current.generation,
            poll_seconds,
        }
    }

    pub(crate) fn current(&self, since: Timestamp) -> Current {
        Current {
            dataset: self.dataset.clone(),
            pointer: self.pointer.clone(),
            version: self.version,
            table: self.table.clone(),
            table_arn: self.table_arn.clone(),
            generation: self.generation,
            since,
        }
    }

    /// Reads the file; no file gives nothing, and neither does one that is of no use here, which is logged.
    pub(crate) async fn load(
        path: &Path,
        registry_table: &str,
        dataset: &DatasetName,
        pointer: &PointerName,
    ) -> Option<Self> {
        let file = path.to_owned();
        let read = tokio::task::spawn_blocking(move || std::fs::read(file)).await;
        let useless = |why: String| {
            tracing::warn!(%dataset, %pointer, path = %path.display(), why, "the version kept on disk is of no use");
        };
        let bytes = match read.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                useless(error.to_string());
                return None;
            }
        };
        let kept: Self = serde_json::from_slice(&bytes).map_err(|error| useless(error.to_string())).ok()?;
        let matches = kept.format == FORMAT
            && kept.registry_table == registry_table
            && (&kept.dataset, &kept.pointer) == (dataset, pointer);
        if !matches {
            let Self { format, registry_table, dataset, pointer, .. } = kept;
            useless(format!(
                "it is of format {format}, pointer {pointer} of {dataset} in {registry_table}; \
                 give each reader a file of its own"
            ));
            return None;
        }
        Some(kept)
    }

    /// Replaces the file at once: whoever reads it finds the old version or the new one, whole.
    pub(crate) async fn store(self, path: PathBuf) -> io::Result<()> {
        let done = tokio::task::spawn_blocking(move || {
            let mut beside = path.clone().into_os_string();
            beside.push(format!(".{}.new", std::process::id()));
            let mut file = std::fs::File::create(&beside)?;
            serde_json::to_writer(&mut file, &self)?;
            file.flush()?;
            file.sync_all()?;
            std::fs::rename(&beside, &path)
        });
        done.await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}
