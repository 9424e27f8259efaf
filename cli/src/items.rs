//! Items in files, as a job has them before anything is published.
//!
//! Every format is read into plain values, item by item, and those become what DynamoDB would store: as the
//! file itself says (DynamoDB JSON), or else by their own type and, where that leaves a choice, by the contract.

mod columns;
mod dynamodb_json;
mod json;
mod plain;

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use flate2::read::MultiGzDecoder;
use indicatif::ProgressBar;
use septet_checks::Item;
use septet_contract::Object;

use crate::failure::Failure;

/// Deepest nesting that DynamoDB stores.
const DEEPEST: usize = 32;

/// How items lie in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Items with types, as exports, imports and `aws dynamodb scan` have them
    DynamodbJson,
    /// An object for each item, on a line each or in one array
    Json,
    /// A header, then a line for each item
    Csv,
    /// Parquet
    Parquet,
}

/// Why a file cannot be read: where, and what is wrong there.
#[derive(Debug)]
pub(crate) struct Unreadable {
    at: String,
    problem: String,
}

impl Unreadable {
    fn new(at: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { at: at.into(), problem: problem.into() }
    }
}

/// Files of items, and what to read them as.
#[derive(Debug)]
pub(crate) struct Files<'a> {
    pub(crate) paths: &'a [PathBuf],
    /// As their names and contents say, if none is given.
    pub(crate) format: Option<Format>,
    pub(crate) object: &'a Object,
}

impl Files<'_> {
    /// Reads them one after another and hands each item on.
    pub(crate) fn read(&self, bar: &ProgressBar, mut take: impl FnMut(Item)) -> Result<(), Failure> {
        bar.set_length(self.paths.iter().filter_map(|path| path.metadata().ok()).map(|it| it.len()).sum());
        for path in self.paths {
            bar.set_message(path.display().to_string());
            self.read_one(path, bar, &mut take)?;
        }
        Ok(())
    }

    fn read_one(&self, path: &Path, bar: &ProgressBar, take: &mut dyn FnMut(Item)) -> Result<(), Failure> {
        let file = File::open(path).map_err(|error| Failure {
            missing: (error.kind() == ErrorKind::NotFound).then(|| path.into()),
            ..Failure::new(format!("failed to open {}: {error}", path.display()), "check the path")
        })?;
        let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        let (name, packed) = match name.strip_suffix(".gz") {
            Some(name) => (name, true),
            None => (name.as_str(), false),
        };
        let format = self.format.or(match name.rsplit_once('.').map(|(_, ending)| ending) {
            Some("csv") => Some(Format::Csv),
            Some("parquet") => Some(Format::Parquet),
            _ => None,
        });
        let read = match format {
            Some(Format::Parquet) => {
                let size = file.metadata().map(|it| it.len()).unwrap_or_default();
                let read = columns::parquet(file, self.object, take);
                bar.inc(size);
                read
            }
            format => {
                let bytes: Box<dyn Read> = match packed {
                    true => Box::new(MultiGzDecoder::new(BufReader::new(bar.wrap_read(file)))),
                    false => Box::new(bar.wrap_read(file)),
                };
                match format {
                    Some(Format::Csv) => columns::csv(bytes, self.object, take),
                    _ => json::read(bytes, format, self.object, take),
                }
            }
        };
        read.map_err(|Unreadable { at, problem }| {
            let hint = match format {
                Some(_) => "mend the file; nothing was checked",
                None => "--format says what is in it, if it is no JSON; nothing was checked",
            };
            Failure::new(format!("failed to read {}: {at}: {problem}", path.display()), hint)
        })
    }
}
