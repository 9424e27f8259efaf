//! Warming a table up before readers come.

use aws_sdk_dynamodb::types::WarmThroughput as SdkWarmThroughput;

use super::call::{about, failed};
use super::{Current, Tables};
use crate::{Error, NotYet, Prewarming, TableFacts};

impl Tables {
    /// Asks DynamoDB to warm a table up to so many read units a second, if it is not as warm already.
    ///
    /// Only the table of the same id is touched. DynamoDB takes minutes or more, in which the table is UPDATING and
    /// serves reads; [`TableFacts::warm`] says when it is done. AWS charges for it once.
    pub async fn prewarm(&self, table: &TableFacts, reads: u64) -> Result<Prewarming, Error> {
        let facts = match self.current(&table.name, &table.id).await? {
            Current::Present(facts) => facts,
            Current::Gone { successor } => return Ok(Prewarming::Gone { successor }),
        };
        if let Some(reason) = NotYet::of_status(&facts.status) {
            return Ok(Prewarming::NotYet(reason));
        }
        match facts.warm {
            Some(warm) if !warm.active => return Ok(Prewarming::NotYet(NotYet::Updating)),
            Some(warm) if warm.reads >= reads => return Ok(Prewarming::Warm),
            _ => {}
        }
        let units = |units: u64| {
            i64::try_from(units)
                .map_err(|_| about(&facts.name, format!("{units} units a second are too many")))
        };
        // The writes stay as they are. DynamoDB may take both or either; it takes no decrease.
        let writes = facts.warm.map(|warm| units(warm.writes)).transpose()?;
        let warm = SdkWarmThroughput::builder()
            .read_units_per_second(units(reads)?)
            .set_write_units_per_second(writes.filter(|writes| *writes > 0))
            .build();
        let call = self.client.update_table().table_name(facts.name.as_str()).warm_throughput(warm);
        match call.send().await.map_err(|error| failed("UpdateTable", &facts.name, error)) {
            Ok(_) => {
                tracing::info!(table = %facts.name, reads, "asked DynamoDB to warm the table up");
                Ok(Prewarming::Started)
            }
            Err(Error::InUse { .. } | Error::NotFound { .. }) => Ok(Prewarming::NotYet(NotYet::Updating)),
            Err(error) => Err(error),
        }
    }
}
