//! Metrics as lines in CloudWatch's embedded metric format.

use std::fmt;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The CloudWatch namespace of every metric of Septet.
pub const NAMESPACE: &str = "Septet";

/// What a metric may be broken down by.
///
/// Each value of a dimension is a metric of its own that is paid for, so there is none for ids, tables or
/// versions: those go into log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Dimension {
    /// The dataset.
    Dataset,
    /// The kind of an error, of a closed set.
    Kind,
    /// The function.
    Function,
}

impl Dimension {
    fn name(self) -> &'static str {
        match self {
            Self::Dataset => "Dataset",
            Self::Kind => "Kind",
            Self::Function => "Function",
        }
    }
}

/// What a metric's values are counted in, by CloudWatch's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// Things.
    Count,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Bytes.
    Bytes,
    /// Something that CloudWatch has no name for, such as hours.
    None,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Seconds => "Seconds",
            Self::Milliseconds => "Milliseconds",
            Self::Bytes => "Bytes",
            Self::None => "None",
        }
    }
}

/// Where metrics are written, one line each.
pub struct Metrics(Mutex<Box<dyn Write + Send>>);

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// Metrics on standard output, where CloudWatch finds them among the log lines.
    pub fn stdout() -> Self {
        Self::to(std::io::stdout())
    }

    /// Metrics elsewhere.
    pub fn to(writer: impl Write + Send + 'static) -> Self {
        Self(Mutex::new(Box::new(writer)))
    }

    /// Counts `count` more things.
    pub fn count(&self, now: Timestamp, name: &'static str, count: u64, by: &[(Dimension, &str)]) {
        self.put(now, name, Unit::Count, count as f64, by);
    }

    /// Writes one value of a metric, once for all and once for these values of its dimensions.
    ///
    /// An alarm without dimensions thus sees every value. A line that cannot be written is lost: nothing that
    /// is measured may fail for want of a metric.
    pub fn put(&self, now: Timestamp, name: &'static str, unit: Unit, value: f64, by: &[(Dimension, &str)]) {
        let names: Vec<_> = by.iter().map(|(dimension, _)| dimension.name()).collect();
        let mut sets = vec![Vec::new()];
        if !names.is_empty() {
            sets.push(names);
        }
        let mut line = Map::new();
        line.insert(
            "_aws".into(),
            json!({
                "Timestamp": now.as_millisecond(),
                "CloudWatchMetrics": [{
                    "Namespace": NAMESPACE,
                    "Dimensions": sets,
                    "Metrics": [{"Name": name, "Unit": unit.name()}],
                }],
            }),
        );
        line.insert(name.into(), value.into());
        for (dimension, of) in by {
            line.insert(dimension.name().into(), Value::from(*of));
        }
        // One write, or lines of other threads come in between.
        let line = format!("{}\n", Value::Object(line));
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = writer.write_all(line.as_bytes()).and_then(|()| writer.flush()) {
            tracing::warn!(%error, metric = name, "a metric could not be written");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_metric_is_one_line_that_stands_for_all_and_for_its_dimension() {
        let lines = Lines::default();
        let metrics = Metrics::to(lines.clone());
        let now = Timestamp::from_millisecond(1_763_604_600_123).unwrap();
        metrics.count(now, "VersionsRejected", 1, &[(Dimension::Dataset, "recs")]);
        metrics.put(now, "LiveVersionAgeSeconds", Unit::Seconds, 7.5, &[]);
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(
            lines,
            [
                json!({
                    "_aws": {"Timestamp": 1_763_604_600_123_i64, "CloudWatchMetrics": [{
                        "Namespace": "Septet", "Dimensions": [[], ["Dataset"]],
                        "Metrics": [{"Name": "VersionsRejected", "Unit": "Count"}]}]},
                    "VersionsRejected": 1.0, "Dataset": "recs",
                }),
                json!({
                    "_aws": {"Timestamp": 1_763_604_600_123_i64, "CloudWatchMetrics": [{
                        "Namespace": "Septet", "Dimensions": [[]],
                        "Metrics": [{"Name": "LiveVersionAgeSeconds", "Unit": "Seconds"}]}]},
                    "LiveVersionAgeSeconds": 7.5,
                }),
            ]
        );
    }
}
