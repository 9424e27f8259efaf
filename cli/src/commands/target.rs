//! Looks at the table of a version before readers are pointed at it.

use septet_registry::Version;
use septet_tables::{SealState, TableFacts, TableStatus, Tables, compare_offers};

use crate::failure::Failure;

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// What forbids the move, whoever asks for it.
    pub(crate) forbids: Vec<String>,
    /// What forbids it unless it is forced.
    pub(crate) needs_force: Vec<String>,
    /// What is worth knowing.
    pub(crate) warnings: Vec<String>,
}

/// Looks at a target: it must exist, be the same table, be usable; its seal is to be known.
pub(crate) async fn look(
    tables: &Tables,
    target: &Version,
    left: Option<&Version>,
) -> Result<Findings, Failure> {
    let mut found = Findings::default();
    let table = &target.table;
    let facts = match tables.describe(table).await? {
        None => {
            found.forbids.push(format!("its table {table} does not exist any more"));
            return Ok(found);
        }
        Some(facts) if facts.id != target.table_id => {
            found.forbids.push(format!("its table {table} was replaced by another of the same name"));
            return Ok(found);
        }
        Some(facts) => facts,
    };
    match &facts.status {
        TableStatus::Active | TableStatus::Updating => {}
        status => found.forbids.push(format!("its table {table} is {status}")),
    }
    match tables.seal_of(&facts, target.seal_id.as_ref()).await? {
        SealState::Intact => {}
        SealState::Missing => found.needs_force.push(format!("its table {table} is not sealed any more")),
        SealState::Broken(flaws) => {
            let flaws: Vec<_> = flaws.iter().map(ToString::to_string).collect();
            found.needs_force.push(format!("the seal of its table {table} is broken: {}", flaws.join("; ")));
        }
    }
    if target.digest.is_none() {
        let why =
            "only a sample of its items was checked: whether its content is the one being left is not known";
        found.warnings.push(why.into());
    }
    if let Some(left) = left.filter(|left| target.digest.is_some() && target.digest == left.digest) {
        found.needs_force.push(format!("it has the very same content as version {}", left.version));
    }
    if let Some(left) = left
        && let Some(before) = tables.describe(&left.table).await?
    {
        found.warnings.extend(colder(&facts, &before));
        let offers = compare_offers(&facts.offers(), &before.offers());
        found.needs_force.extend(offers.less.iter().map(|less| format!("it offers less to readers: {less}")));
        let not_yet = offers.not_yet.iter();
        found.needs_force.extend(not_yet.map(|why| format!("it does not offer all yet: {why}")));
    }
    Ok(found)
}

/// Says so where a table serves fewer reads at once than the one that readers leave.
fn colder(target: &TableFacts, left: &TableFacts) -> Option<String> {
    let (warm, before) = (target.warm?, left.warm?);
    (warm.reads < before.reads).then(|| {
        format!(
            "its table serves {} reads a second at once, the one that readers leave {}; readers may be throttled \
             for some minutes",
            warm.reads, before.reads
        )
    })
}
