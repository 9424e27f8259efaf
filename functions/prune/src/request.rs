//! What a sweep is asked to do.

use septet_registry::DatasetName;
use serde::Deserialize;

use crate::Error;

/// The event of the function; Scheduler sends `{"dry_run":false}`.
///
/// `{"dataset":"recs","max_deletions":12}` is how an operator lets one dataset's plan through that was refused
/// for going too far: it may then retire and delete up to twelve versions together. Retiring and deleting are
/// two sweeps with the grace between them, so many versions to retire need it twice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Only plan, and give the plans back.
    #[serde(default)]
    pub dry_run: bool,
    /// Sweep only this dataset.
    #[serde(default)]
    pub dataset: Option<DatasetName>,
    /// How many versions of `dataset` may be retired and deleted together this time.
    #[serde(default)]
    pub max_deletions: Option<usize>,
}

impl Request {
    /// Reads the event; an error names the field.
    pub fn from_event(event: serde_json::Value) -> Result<Self, Error> {
        let request: Self =
            serde_json::from_value(event).map_err(|error| Error::Request(error.to_string()))?;
        if request.max_deletions.is_some() && request.dataset.is_none() {
            return Err(Error::Request(
                "`max_deletions` needs `dataset`: it is for one dataset at a time".into(),
            ));
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_events_of_scheduler_and_operators_are_read() {
        assert_eq!(Request::from_event(json!({"dry_run": false})).unwrap(), Request::default());
        let request = Request::from_event(json!({"dataset": "recs", "max_deletions": 12})).unwrap();
        assert_eq!((request.dataset.unwrap().as_str(), request.max_deletions), ("recs", Some(12)));
    }

    #[test]
    fn a_bad_event_is_refused_by_field() {
        for (event, names) in [
            (json!({"dryrun": true}), "unknown field `dryrun`"),
            (json!({"dry_run": "yes"}), "expected a boolean"),
            (json!({"dataset": "R"}), "dataset name \"R\""),
            (json!({"max_deletions": 12}), "`max_deletions` needs `dataset`"),
            (json!({"detail": "{}"}), "unknown field `detail`"),
            (json!("{}"), "expected struct Request"),
        ] {
            let error = Request::from_event(event).unwrap_err();
            assert!(error.to_string().contains(names), "{error}");
            assert_eq!((error.kind(), error.is_retryable()), ("Request.Malformed", false));
        }
    }
}
