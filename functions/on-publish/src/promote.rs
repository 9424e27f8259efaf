//! Promotion of a version that passed.

use septet_registry::{Outcome, PointerName, Version};
use septet_tables::{TableFacts, WarmThroughput};

use crate::error::Error;
use crate::look::Visit;
use crate::summary::Step;

impl Visit<'_> {
    /// Points readers at a version that passed, or records why it is not done.
    pub(crate) async fn promote(&mut self, version: &Version, facts: &TableFacts) -> Result<Version, Error> {
        let (registry, live) = (&self.handler.registry, PointerName::live());
        let pointer = registry.pointer(&version.dataset, &live).await?;
        if let Some(pointer) = &pointer {
            if pointer.version == version.version {
                return self.skip(version, "somebody pointed readers at it before").await;
            }
            let left = self.handler.tables.describe(&pointer.table).await?;
            if let Some(why) = colder(facts.warm, left.as_ref().and_then(|left| left.warm)) {
                return self.skip(version, &why).await;
            }
        }
        match registry.promote(&version.dataset, &live, version.version, &self.by()).await? {
            Outcome::Done(_) => {
                let promoted = self.reread(version).await?;
                self.step(Step::Promoted, &promoted, "VersionsPromoted");
                Ok(promoted)
            }
            Outcome::Already(_) => self.reread(version).await,
            Outcome::Refused(why) => self.skip(version, &why.to_string()).await,
        }
    }

    async fn skip(&mut self, version: &Version, why: &str) -> Result<Version, Error> {
        let registry = &self.handler.registry;
        match registry.skip_promotion(&version.dataset, version.version, why, &self.by()).await? {
            Outcome::Done(skipped) => {
                self.step(Step::PromotionSkipped, &skipped, "PromotionsSkipped");
                Ok(skipped)
            }
            Outcome::Already(skipped) => Ok(skipped),
            Outcome::Refused(refusal) => Err(self.broken(&version.dataset, refusal)),
        }
    }
}

/// Why all readers at once would be too much for a table that serves less than the one they leave.
///
/// Only reads count: nothing is ever written to a version.
fn colder(new: Option<WarmThroughput>, left: Option<WarmThroughput>) -> Option<String> {
    let (new, left) = (new?.reads, left?.reads);
    (new < left).then(|| {
        format!(
            "its table is warm for {new} reads a second and the live one for {left}: create tables with \
             WarmThroughput of {left} ReadUnitsPerSecond, and point readers at this one by hand if you dare"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warm(reads: u64) -> Option<WarmThroughput> {
        Some(WarmThroughput { reads, writes: 4_000 })
    }

    #[test]
    fn a_colder_table_is_not_promoted_and_an_unknown_one_is() {
        assert!(colder(warm(12_000), warm(40_000)).is_some_and(|why| why.contains("40000")));
        assert_eq!(colder(warm(12_000), warm(12_000)), None);
        assert_eq!(colder(warm(40_000), warm(12_000)), None);
        assert_eq!(colder(None, warm(12_000)), None);
        assert_eq!(colder(warm(12_000), None), None);
    }
}
