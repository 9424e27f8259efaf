//! Promotion of a version that passed.

use jiff::SignedDuration;
use septet_contract::Contract;
use septet_registry::{Outcome, PointerName, TableName, Version};
use septet_tables::{Prewarming, TableFacts, compare_offers};

use crate::capacity::Operations;
use crate::error::Error;
use crate::look::{Next, Visit};
use crate::summary::{Ending, Step};

/// How far back the reads of live tables are looked at.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Reads are compared by their busiest period of this length.
const PERIOD: SignedDuration = SignedDuration::from_mins(5);

/// A new table may serve a tenth less at once than was ever read: it grows while it is read.
const TOLERANCE: f64 = 0.9;

/// How much a new table can serve at once, beside what readers ask for.
enum Warmth {
    Enough,
    /// Not yet, or not at all; the reason names the remedy.
    Short(String),
}

impl Visit<'_> {
    /// Points readers at a version that passed, or records why it is not done.
    ///
    /// A version that waits for its table, because an index is being built or the table is being warmed up, stays
    /// pending: the sweep asks again.
    pub(crate) async fn promote(&mut self, version: &Version, facts: &TableFacts) -> Result<Next, Error> {
        let (registry, live) = (&self.handler.registry, PointerName::live());
        let contract = self.contract(version).await?;
        if let Some(pointer) = registry.pointer(&version.dataset, &live).await? {
            if pointer.version == version.version {
                return self.skip(version, "an operator pointed readers at it before").await;
            }
            let named = registry.version(&version.dataset, pointer.version).await?;
            let left = self.table_of(&named).await?;
            // Of a table that cannot be seen now, what it offered when it was sealed.
            let kept = || named.offers.clone().and_then(|offers| serde_json::from_value(offers).ok());
            if let Some(before) = left.as_ref().map(TableFacts::offers).or_else(kept) {
                let offers = compare_offers(&facts.offers(), &before);
                if !offers.less.is_empty() {
                    let why = format!(
                        "its table offers less than the live one: {}; create tables that offer the same, or point readers \
                         at this one with --force",
                        offers.less.join("; ")
                    );
                    return self.skip(version, &why).await;
                }
                if !offers.not_yet.is_empty() {
                    return self.stay_pending(version, offers.not_yet.join("; ")).await;
                }
            }
            if let Some(left) = left
                && let Warmth::Short(why) = self.warmth(version, &contract, facts, &left).await?
            {
                return self.stay_pending(version, why).await;
            }
        }
        let building = facts.indexes.iter().find(|index| {
            (!index.active || index.backfilling) && contract.settings().indexes.contains(&index.name)
        });
        if let Some(index) = building {
            let why = format!("the index {} of its table is being built", index.name);
            return self.stay_pending(version, why).await;
        }
        match self.handler.registry.promote(&version.dataset, &live, version.version, &self.by()).await? {
            Outcome::Done(_) => {
                let promoted = self.reread(version).await?;
                self.step(Step::Promoted, &promoted, "VersionsPromoted");
                Ok(Next::Go(Box::new(promoted)))
            }
            Outcome::Already(_) => Ok(Next::Go(Box::new(self.reread(version).await?))),
            Outcome::Refused(why) => self.skip(version, &why.to_string()).await,
        }
    }

    /// The table of a version, unless it vanished.
    async fn table_of(&self, named: &Version) -> Result<Option<TableFacts>, Error> {
        let facts = self.handler.tables.describe(&named.table).await?;
        Ok(facts.filter(|facts| facts.id == named.table_id))
    }

    /// Compares what a new table serves at once with what readers asked of live tables in the last days, and warms the
    /// table up where the contract says so.
    ///
    /// A busy table's own value grows with its use, so a new one is rarely as warm as the live one, and need not be.
    async fn warmth(
        &self,
        version: &Version,
        contract: &Contract,
        new: &TableFacts,
        live: &TableFacts,
    ) -> Result<Warmth, Error> {
        let (Some(warm), Some(left)) = (new.warm, live.warm) else { return Ok(Warmth::Enough) };
        if warm.reads >= left.reads {
            return Ok(Warmth::Enough);
        }
        let peak = self.peak_reads(version).await?;
        let needed = (peak * TOLERANCE).ceil() as u64;
        if warm.reads >= needed {
            return Ok(Warmth::Enough);
        }
        let short = format!(
            "its table serves {} read units a second at once, and live ones served up to {peak:.0} in the last seven days",
            warm.reads
        );
        let Some(most) = contract.settings().prewarm.map(u64::from) else {
            return Ok(Warmth::Short(format!(
                "{short}: create tables with WarmThroughput of {needed} ReadUnitsPerSecond, set septet.prewarm, or point \
                 readers at this one by hand"
            )));
        };
        if warm.reads >= most {
            return Ok(Warmth::Short(format!(
                "{short}: septet.prewarm allows {most}; raise it, or point readers at this one by hand"
            )));
        }
        Ok(Warmth::Short(match self.handler.tables.prewarm(new, needed.min(most)).await? {
            Prewarming::Warm => return Ok(Warmth::Enough),
            Prewarming::Started | Prewarming::NotYet(_) => format!("{short}: it is being warmed up"),
            Prewarming::Gone { .. } => "its table vanished".into(),
        }))
    }

    /// Most read units a second, over some minutes, that live tables of the dataset served lately.
    async fn peak_reads(&self, version: &Version) -> Result<f64, Error> {
        let now = self.handler.clock.now();
        let since = now - LOOK_BACK;
        let versions = self.handler.registry.versions(&version.dataset).await?;
        let lately = versions.iter().filter(|it| {
            it.first_live_at.is_some() && it.last_pointed_at.is_none_or(|at| at >= since)
                || !it.pointed_by.is_empty()
        });
        let tables: std::collections::BTreeSet<&TableName> = lately.map(|it| &it.table).collect();
        let mut peak = 0.0f64;
        for table in tables {
            let consumed =
                self.handler.capacity.consumed(table, Operations::Reads, since, now, PERIOD).await?;
            peak = consumed.iter().fold(peak, |peak, (_, units)| peak.max(units / PERIOD.as_secs_f64()));
        }
        Ok(peak)
    }

    async fn stay_pending(&mut self, version: &Version, reason: String) -> Result<Next, Error> {
        let (dataset, number) = (&version.dataset, version.version);
        let _ = self.handler.registry.wait(dataset, number, &reason, &self.by()).await?;
        Ok(Next::Stop(Ending::Waiting, reason))
    }

    async fn skip(&mut self, version: &Version, why: &str) -> Result<Next, Error> {
        let registry = &self.handler.registry;
        match registry.skip_promotion(&version.dataset, version.version, why, &self.by()).await? {
            Outcome::Done(skipped) => {
                self.step(Step::PromotionSkipped, &skipped, "PromotionsSkipped");
                Ok(Next::Go(Box::new(skipped)))
            }
            Outcome::Already(skipped) => Ok(Next::Go(Box::new(skipped))),
            Outcome::Refused(refusal) => Err(self.broken(&version.dataset, refusal)),
        }
    }
}
