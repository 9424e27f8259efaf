//! One look at the pointer: what it says, whether it may be followed.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use septet_registry::{DatasetName, Pointer, PointerName, Registry, State};

use crate::error::{Error, Refusal};
use crate::{Current, dynamodb};

/// What a look found: a pointer that may be followed.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) pointer: Pointer,
    pub(crate) step: Step,
}

/// What a pointer asks of a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It names the version that is served already.
    Stay,
    /// It names another.
    Go,
}

/// Decides what a pointer asks of a reader that is at `current`.
///
/// A reader never goes back a generation, unless the registry was restored to an earlier time.
fn step(current: Option<&Current>, pointer: &Pointer, is_restored: bool) -> Result<Step, Refusal> {
    let Some(current) = current else { return Ok(Step::Go) };
    let (found, known) = (pointer.generation, current.generation);
    let same = pointer.version == current.version && pointer.table_arn == current.table_arn;
    match found.cmp(&known) {
        _ if is_restored => Ok(if same { Step::Stay } else { Step::Go }),
        std::cmp::Ordering::Less => Err(Refusal::OlderGeneration { found, known }),
        std::cmp::Ordering::Equal if !same => {
            Err(Refusal::SameGeneration { generation: found, version: pointer.version })
        }
        _ if same => Ok(Step::Stay),
        _ => Ok(Step::Go),
    }
}

/// Where a reader looks.
#[derive(Debug)]
pub(crate) struct Lookout {
    pub(crate) registry: Registry,
    pub(crate) client: Client,
    pub(crate) dataset: DatasetName,
    pub(crate) pointer: PointerName,
    /// How long one look may take.
    pub(crate) patience: Duration,
}

impl Lookout {
    /// Reads the pointer, and whatever says whether it may be followed.
    pub(crate) async fn look(&self, current: Option<&Current>, is_restored: bool) -> Result<Look, Error> {
        match tokio::time::timeout(self.patience, self.unbounded(current, is_restored)).await {
            Ok(look) => look,
            Err(_) => Err(Error::TimedOut {
                dataset: self.dataset.clone(),
                pointer: self.pointer.clone(),
                after: self.patience,
            }),
        }
    }

    async fn unbounded(&self, current: Option<&Current>, is_restored: bool) -> Result<Look, Error> {
        let (dataset, name) = (&self.dataset, &self.pointer);
        let found = self.registry.pointer(dataset, name).await.map_err(|error| self.unread(error))?;
        let pointer =
            found.ok_or_else(|| Error::NoPointer { dataset: dataset.clone(), pointer: name.clone() })?;
        let step = step(current, &pointer, is_restored).map_err(|refusal| self.refused(refusal))?;
        if step == Step::Go {
            self.verify(&pointer).await?;
        }
        Ok(Look { pointer, step })
    }

    /// Holds what the pointer names against the registry and DynamoDB.
    async fn verify(&self, pointer: &Pointer) -> Result<(), Error> {
        let number = pointer.version;
        let found = self.registry.find_version(&self.dataset, number).await;
        let found = found.map_err(|error| self.unread(error))?;
        let version = found.ok_or_else(|| self.refused(Refusal::UnknownVersion { version: number }))?;
        if version.state != State::Valid {
            return Err(self.refused(Refusal::NotValid { version: number, is: version.state }));
        }
        if (&version.table, &version.table_arn) != (&pointer.table, &pointer.table_arn) {
            let (pointer, is) = (pointer.table_arn.clone(), version.table_arn);
            return Err(self.refused(Refusal::OtherTable { version: number, pointer, is }));
        }
        // What AWS answers to a table of another region is not documented, and must not pass for a good answer.
        if let Some(client) = self.client.config().region()
            && region_of(&pointer.table_arn) != Some(client.as_ref())
        {
            let (table_arn, region) = (pointer.table_arn.clone(), client.to_string());
            return Err(self.refused(Refusal::OtherRegion { version: number, table_arn, region }));
        }
        match dynamodb::probe(&self.client, &pointer.table_arn).await {
            dynamodb::Probe::Readable => Ok(()),
            dynamodb::Probe::Gone(why) | dynamodb::Probe::Unreadable(why) => {
                let table = pointer.table.clone();
                Err(self.refused(Refusal::Unreachable { version: number, table, why }))
            }
        }
    }

    fn unread(&self, source: septet_registry::Error) -> Error {
        Error::Registry { dataset: self.dataset.clone(), pointer: self.pointer.clone(), source }
    }

    pub(crate) fn refused(&self, refusal: Refusal) -> Error {
        Error::Refused { dataset: self.dataset.clone(), pointer: self.pointer.clone(), refusal }
    }
}

fn region_of(arn: &str) -> Option<&str> {
    arn.strip_prefix("arn:")?.split(':').nth(2)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use septet_registry::{TableName, VersionNumber};

    use super::*;

    fn pointer(version: u64, generation: u64) -> Pointer {
        Pointer {
            dataset: DatasetName::parse("recs").unwrap(),
            pointer: PointerName::live(),
            version: VersionNumber::new(version),
            table: TableName::parse(format!("recs-{version}")).unwrap(),
            table_arn: format!("arn:aws:dynamodb:eu-west-1:333333333333:table/recs-{version}"),
            generation,
            previous: None,
            hold: None,
            moved_at: Timestamp::UNIX_EPOCH,
            moved_by: "ada".into(),
            reason: "passed".into(),
            poll_seconds: 300,
            trail: Vec::new(),
            ahead: Vec::new(),
            carried: Default::default(),
        }
    }

    #[test]
    fn a_reader_goes_where_a_newer_generation_points_and_nowhere_else() {
        let at = Current::of(&pointer(5, 10), Timestamp::UNIX_EPOCH);
        assert_eq!(step(None, &pointer(5, 1), false), Ok(Step::Go));
        assert_eq!(step(Some(&at), &pointer(5, 10), false), Ok(Step::Stay));
        assert_eq!(step(Some(&at), &pointer(5, 11), false), Ok(Step::Stay), "a hold was set");
        assert_eq!(step(Some(&at), &pointer(6, 11), false), Ok(Step::Go));
        assert_eq!(step(Some(&at), &pointer(4, 11), false), Ok(Step::Go), "a rollback");
        assert_eq!(
            step(Some(&at), &pointer(6, 9), false),
            Err(Refusal::OlderGeneration { found: 9, known: 10 })
        );
        assert_eq!(
            step(Some(&at), &pointer(5, 9), false),
            Err(Refusal::OlderGeneration { found: 9, known: 10 })
        );
        assert_eq!(
            step(Some(&at), &pointer(6, 10), false),
            Err(Refusal::SameGeneration { generation: 10, version: VersionNumber::new(6) })
        );
        assert_eq!(step(Some(&at), &pointer(6, 9), true), Ok(Step::Go));
        assert_eq!(step(Some(&at), &pointer(5, 9), true), Ok(Step::Stay));
        assert_eq!(step(Some(&at), &pointer(6, 10), true), Ok(Step::Go));
    }

    #[test]
    fn the_region_of_an_arn_is_its_fourth_part() {
        assert_eq!(region_of("arn:aws:dynamodb:eu-west-1:333333333333:table/recs"), Some("eu-west-1"));
        assert_eq!(region_of("arn:aws"), None);
        assert_eq!(region_of("recs"), None);
    }
}
