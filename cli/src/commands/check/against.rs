//! The versions that rules compare with.

use std::sync::Arc;

use indicatif::ProgressBar;
use septet_checks::{Earlier, History, Profile};
use septet_registry::{DatasetName, PointerName, State, Version, VersionNumber};

use super::{Case, table};
use crate::app::{App, now};
use crate::args::Against;
use crate::failure::Failure;
use crate::items::Files;

/// Whether the registry or a table is needed for it.
pub(super) fn needs_aws(against: Option<&Against>) -> bool {
    !matches!(against, None | Some(Against::File(_)))
}

impl Case<'_> {
    /// The history that rules are answered from; `version` is what the table is already, if it is one.
    pub(super) async fn history(&self, version: Option<VersionNumber>) -> Result<History, Failure> {
        let Self { app, args, contract, checker, .. } = self;
        let usual = args.contract.is_none().then_some(Against::Registry);
        let Some(against) = args.against.clone().or(usual) else { return Ok(History::alone(now())) };
        let alone = |name: String, profile: Profile| {
            only(Earlier { name, at: now(), profile: Some(Arc::new(profile)) })
        };
        if let Against::File(file) = &against {
            let files = Files { paths: std::slice::from_ref(file), format: None, object: contract.object() };
            let mut profile = checker.profile();
            files.read(&ProgressBar::hidden(), |item| checker.observe(&mut profile, &item))?;
            return Ok(alone(file.display().to_string(), profile));
        }
        let Some(app) = *app else { return Ok(History::alone(now())) };
        if let Against::Table(table) = &against {
            let scanned = table::scan(app, table, checker, &ProgressBar::hidden()).await?;
            return Ok(alone(format!("table {table}"), scanned.seen.into_profile()));
        }
        let dataset = match &args.dataset {
            Some(dataset) => dataset.clone(),
            None => DatasetName::parse(contract.name())?,
        };
        app.dataset(&dataset).await?;
        if against == Against::Registry {
            return self.as_published(app, &dataset, version).await;
        }
        let chosen = chosen(app, &dataset, version, &against).await?;
        let earlier = septet_verdict::earlier(&app.registry, &chosen).await?;
        if earlier.profile.is_none() {
            return Err(Failure::new(
                format!("failed to compare with {} of {dataset}: no profile is kept of it", earlier.name),
                format!("`septet versions {dataset}` lists the others; only checked versions have profiles"),
            ));
        }
        Ok(only(Earlier { at: now(), ..earlier }))
    }

    /// As on-publish has it, was this published now; a version is not compared with itself.
    async fn as_published(
        &self,
        app: &App,
        dataset: &DatasetName,
        version: Option<VersionNumber>,
    ) -> Result<History, Failure> {
        let (registry, checker) = (&app.registry, &self.checker);
        let mut history = septet_verdict::history(registry, dataset, version, now(), now(), checker).await?;
        let own = version.map(|version| format!("version {}", version.get()));
        if history.live.as_ref().is_some_and(|live| Some(&live.name) == own.as_ref()) {
            history.live = history.earlier.first().cloned();
        }
        Ok(history)
    }
}

/// The version that is named.
async fn chosen(
    app: &App,
    dataset: &DatasetName,
    before: Option<VersionNumber>,
    against: &Against,
) -> Result<Version, Failure> {
    let missing = |what: &str| {
        Failure::new(
            format!("failed to compare with {dataset}: {what}"),
            format!("`septet versions {dataset}` lists what there is; --against FILE compares with a file"),
        )
    };
    let number = match against {
        Against::Version(number) => *number,
        Against::Live => {
            let live = app.registry.pointer(dataset, &PointerName::live()).await?;
            live.ok_or_else(|| missing("no version is live"))?.version
        }
        _ => {
            let versions = app.registry.versions(dataset).await?;
            let valid = |one: &&Version| {
                one.state == State::Valid && before.is_none_or(|before| one.version < before)
            };
            let newest = versions.iter().rev().find(valid);
            newest.ok_or_else(|| missing("there is no valid version before this one"))?.version
        }
    };
    Ok(app.registry.version(dataset, number).await?)
}
/// One version in the place of every one that rules name.
fn only(earlier: Earlier) -> History {
    History { live: Some(earlier.clone()), earlier: vec![earlier], ..History::alone(now()) }
}

/// How people know what was compared with; none if nothing was.
pub(super) fn names(history: &History) -> Option<String> {
    let live = history.live.as_ref();
    let others = history.earlier.iter().filter(|one| live.is_none_or(|live| live.name != one.name));
    let others: Vec<_> = others.collect();
    let all = live.into_iter().chain(others.first().copied()).map(|it| it.name.clone());
    let mut text = all.collect::<Vec<_>>().join(", ");
    if others.len() > 1 {
        text = format!("{text} and {} more", others.len() - 1);
    }
    (!text.is_empty()).then_some(text)
}
