//! The calls on dataset tables, through the SDK.

mod body;
mod call;
mod deletion;
mod item;
mod prewarm;
mod raw;
mod seal;
mod take_over;

use std::collections::BTreeMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::TimeToLiveStatus;
use aws_smithy_types::body::SdkBody;
use septet_checks::{Checker, Item, Malformed, Profile};
use septet_registry::{SealId, TableId, TableName};

use crate::{
    Consistency, Error, Features, Flaw, Import, Key, PageEnd, SealMark, SealPolicy, SealState, Segment,
    TableFacts, TtlState,
};
use call::{about, failed};

pub use deletion::DeletionTarget;

/// The dataset tables of the account and region of its client.
///
/// Clones share the client.
#[derive(Debug, Clone)]
pub struct Tables {
    client: Client,
    seal: SealPolicy,
}

/// The table of an expected id, or what is in its place.
enum Current {
    Present(Box<TableFacts>),
    Gone { successor: Option<TableId> },
}

impl Tables {
    /// Reaches tables through `client`, and seals them so that only the roles of `seal` may change them.
    pub fn new(client: Client, seal: SealPolicy) -> Self {
        Self { client, seal }
    }

    /// Describes a table; none when DynamoDB does not know it.
    ///
    /// A table that was created seconds ago may not be known yet. The answer may be a moment old.
    pub async fn describe(&self, table: &TableName) -> Result<Option<TableFacts>, Error> {
        let body = body::AnswerBody::default();
        let call = self.client.describe_table().table_name(table.as_str());
        let answer = call.customize().interceptor(body.clone()).send().await;
        match answer.map_err(|error| failed("DescribeTable", table, error)) {
            Ok(answer) => {
                let lacks = || about(table, "the description has no table".into());
                let body = body.json().ok_or_else(lacks)?;
                let features = Features::of(body["Table"].as_object().ok_or_else(lacks)?);
                item::facts(answer.table.ok_or_else(lacks)?, features).map(Some)
            }
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// About how many items a table has: a count that is up to six hours old, and zero of a new table.
    pub async fn item_count(&self, table: &TableName) -> Result<u64, Error> {
        let answer = self.client.describe_table().table_name(table.as_str()).send().await;
        let answer = answer.map_err(|error| failed("DescribeTable", table, error))?;
        let count = answer.table.and_then(|table| table.item_count);
        Ok(count.and_then(|count| u64::try_from(count).ok()).unwrap_or_default())
    }

    async fn current(&self, table: &TableName, expected: &TableId) -> Result<Current, Error> {
        Ok(match self.describe(table).await? {
            None => Current::Gone { successor: None },
            Some(facts) if facts.id == *expected => Current::Present(Box::new(facts)),
            Some(other) => Current::Gone { successor: Some(other.id) },
        })
    }

    /// Says whether items of a table expire.
    pub async fn ttl(&self, table: &TableName) -> Result<TtlState, Error> {
        let answer = self.client.describe_time_to_live().table_name(table.as_str()).send().await;
        let answer = answer.map_err(|error| failed("DescribeTimeToLive", table, error))?;
        let Some(description) = answer.time_to_live_description else { return Ok(TtlState::Off) };
        Ok(match description.time_to_live_status {
            None | Some(TimeToLiveStatus::Disabled) => TtlState::Off,
            Some(_) => TtlState::On { attribute: description.attribute_name.unwrap_or_default() },
        })
    }

    /// The tags of a table.
    pub async fn tags(&self, arn: &str) -> Result<BTreeMap<String, String>, Error> {
        let mut tags = BTreeMap::new();
        let mut token = None;
        loop {
            let call = self.client.list_tags_of_resource().resource_arn(arn).set_next_token(token);
            let page = call.send().await.map_err(|error| failed("ListTagsOfResource", arn, error))?;
            tags.extend(page.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)));
            token = page.next_token;
            if token.is_none() {
                return Ok(tags);
            }
        }
    }

    /// The import that a table came from, if it came from one.
    ///
    /// Imports of earlier tables of the same name are left out: an import is known by the table's id.
    pub async fn import_of(&self, table: &TableFacts) -> Result<Option<Import>, Error> {
        let mut token = None;
        loop {
            let call = self.client.list_imports().table_arn(&table.arn).set_next_token(token);
            let page = call.send().await.map_err(|error| failed("ListImports", &table.arn, error))?;
            for arn in
                page.import_summary_list.unwrap_or_default().into_iter().filter_map(|one| one.import_arn)
            {
                let answer = self.client.describe_import().import_arn(&arn).send().await;
                let answer = answer.map_err(|error| failed("DescribeImport", &arn, error))?;
                let import = answer.import_table_description;
                let import = import.ok_or_else(|| about(&arn, "the description has no import".into()))?;
                if import.table_id.as_deref() == Some(table.id.as_str()) {
                    return Ok(Some(item::import(arn, import)));
                }
            }
            token = page.next_token;
            if token.is_none() {
                return Ok(None);
            }
        }
    }

    /// All the tables DynamoDB lists in the account and region, by name; those that are being deleted too.
    pub async fn list(&self) -> Result<Vec<TableName>, Error> {
        let mut names = Vec::new();
        let mut start = None;
        loop {
            let call = self.client.list_tables().set_exclusive_start_table_name(start);
            let page = call.send().await.map_err(|error| failed("ListTables", "*", error))?;
            for name in page.table_names.unwrap_or_default() {
                names.push(TableName::parse(name).map_err(|error| about("*", error.to_string()))?);
            }
            start = page.last_evaluated_table_name;
            if start.is_none() {
                return Ok(names);
            }
        }
    }

    /// Looks at the seal of a table, without a write. The facts are to be fresh.
    ///
    /// Callers that know the id of the seal give it: then a missing id, or another one, is a flaw. Without it the
    /// answer is that of Septet 0.1.0, which knows no ids.
    ///
    /// That the policy is in force is not proved here; [`Tables::seal`] does that.
    pub async fn seal_of(&self, table: &TableFacts, id: Option<&SealId>) -> Result<SealState, Error> {
        let policy = self.policy_of(table).await?.map(|(text, _)| text);
        let mut flaws = self.seal.flaws(table, policy.as_deref(), id)?;
        if !table.deletion_protected {
            flaws.insert(0, Flaw::Unprotected);
        }
        let mark = self.seal.mark(table, policy.as_deref())?;
        Ok(match flaws.is_empty() {
            true => SealState::Intact,
            false if !table.deletion_protected && mark == SealMark::Nothing => SealState::Missing,
            false => SealState::Broken(flaws),
        })
    }

    /// Says which seal the resource policy of a table carries.
    pub async fn seal_mark(&self, table: &TableFacts) -> Result<SealMark, Error> {
        let policy = self.policy_of(table).await?.map(|(text, _)| text);
        self.seal.mark(table, policy.as_deref())
    }

    /// The text of a table's resource policy, with its revision.
    async fn policy_of(&self, table: &TableFacts) -> Result<Option<(String, String)>, Error> {
        let answer = self.client.get_resource_policy().resource_arn(&table.arn).send().await;
        match answer {
            Ok(answer) => Ok(answer.policy.map(|text| (text, answer.revision_id.unwrap_or_default()))),
            Err(error) if call::code(&error) == "PolicyNotFoundException" => Ok(None),
            Err(error) => Err(failed("GetResourcePolicy", &table.name, error)),
        }
    }

    /// Reads a page of a segment, from the beginning or from where the page before it ended.
    ///
    /// The table is named, not known by its id: look at the id after the last page if it matters. Pages are whole:
    /// one that came cut or otherwise than its checksum says is asked for again.
    pub async fn scan_page(
        &self,
        table: &TableName,
        segment: Segment,
        start: Option<&Key>,
        consistency: Consistency,
    ) -> Result<Page, Error> {
        let too_many =
            |_| about(table, format!("a scan takes no segment {} of {}", segment.index, segment.total));
        let raw = raw::RawBody::default();
        self.client
            .scan()
            .table_name(table.as_str())
            .segment(i32::try_from(segment.index).map_err(too_many)?)
            .total_segments(i32::try_from(segment.total).map_err(too_many)?)
            .set_exclusive_start_key(start.map(item::from_key))
            .consistent_read(consistency == Consistency::Strong)
            .return_consumed_capacity(aws_sdk_dynamodb::types::ReturnConsumedCapacity::Total)
            .customize()
            .interceptor(raw.clone())
            .send()
            .await
            .map_err(|error| failed("Scan", table, error))?;
        let body = raw.take().ok_or_else(|| about(table, "a scan was answered without a page".into()))?;
        Ok(Page { table: table.clone(), body })
    }
}

/// A page of a scan: up to 1 MB of items, as DynamoDB sent them.
#[derive(Debug)]
pub struct Page {
    table: TableName,
    body: SdkBody,
}

impl Page {
    /// Takes the items into a profile.
    ///
    /// After an error the profile has seen a part of them, and is good for nothing.
    pub fn observe(&self, checker: &Checker, profile: &mut Profile) -> Result<PageEnd, Error> {
        self.end(checker.observe_page(profile, self.body.bytes().unwrap_or_default()))
    }

    /// The items themselves, in their order.
    pub fn items(&self) -> Result<(Vec<Item>, PageEnd), Error> {
        let mut items = Vec::new();
        let end = septet_checks::read_page(self.body.bytes().unwrap_or_default(), |item| items.push(item));
        Ok((items, self.end(end)?))
    }

    fn end(&self, end: Result<septet_checks::PageEnd, Malformed>) -> Result<PageEnd, Error> {
        let end = end.map_err(|problem| about(&self.table, problem.to_string()))?;
        Ok(PageEnd {
            items: end.items,
            next: end.next.map(|key| item::key(&self.table, key)).transpose()?,
            read_units: end.read_units.unwrap_or_default(),
        })
    }
}
