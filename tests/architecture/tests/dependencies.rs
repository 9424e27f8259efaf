//! Dependencies run one way, and the pure crates reach no AWS SDK.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

struct Package {
    folder: String,
    /// Names of normal and build dependencies.
    needs: BTreeSet<String>,
}

struct Workspace {
    ours: BTreeMap<String, Package>,
    /// Every package of the lock file, ours and others', to the names it needs.
    graph: BTreeMap<String, BTreeSet<String>>,
}

fn workspace() -> Workspace {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    // Offline, cargo has only what the platform at hand needs.
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", &platform])
        .current_dir(root)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let root = metadata["workspace_root"].as_str().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let names: BTreeMap<String, String> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| (text(&package["id"]), text(&package["name"])))
        .collect();
    let members: BTreeSet<String> =
        metadata["workspace_members"].as_array().unwrap().iter().map(text).collect();
    let mut ours = BTreeMap::new();
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for node in metadata["resolve"]["nodes"].as_array().unwrap() {
        let id = text(&node["id"]);
        let needs: BTreeSet<String> = node["deps"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|dependency| {
                dependency["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"] != "dev")
            })
            .map(|dependency| names[dependency["pkg"].as_str().unwrap()].clone())
            .collect();
        graph.entry(names[&id].clone()).or_default().extend(needs.clone());
        if members.contains(&id) {
            let package = metadata["packages"].as_array().unwrap().iter();
            let manifest = package.clone().find(|package| package["id"] == id.as_str()).unwrap();
            let folder = manifest["manifest_path"].as_str().unwrap();
            let folder = folder.strip_prefix(root).unwrap().trim_matches('/');
            let folder = folder.trim_end_matches("/Cargo.toml").to_owned();
            ours.insert(names[&id].clone(), Package { folder, needs });
        }
    }
    Workspace { ours, graph }
}

impl Workspace {
    fn reaches(&self, from: &str) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let mut next = vec![from.to_owned()];
        while let Some(name) = next.pop() {
            for need in self.graph.get(&name).into_iter().flatten() {
                if seen.insert(need.clone()) {
                    next.push(need.clone());
                }
            }
        }
        seen
    }

    fn in_folder(&self, folder: &str) -> BTreeSet<String> {
        let found = self.ours.iter().filter(|(_, package)| package.folder.starts_with(folder));
        found.map(|(name, _)| name.clone()).collect()
    }
}

#[test]
fn functions_and_the_command_line_depend_on_shared_crates_only() {
    let workspace = workspace();
    let shared = workspace.in_folder("shared/");
    assert!(shared.len() >= 6, "{shared:?}");
    let tops: BTreeSet<_> =
        workspace.in_folder("functions/").union(&workspace.in_folder("cli")).cloned().collect();
    assert!(tops.len() >= 3, "{tops:?}");
    for top in tops {
        for need in &workspace.ours[&top].needs {
            let ours = workspace.ours.contains_key(need);
            assert!(!ours || shared.contains(need), "{top} depends on {need}");
        }
    }
}

#[test]
fn nothing_depends_on_a_function_the_command_line_or_a_test_crate() {
    let workspace = workspace();
    let shared = workspace.in_folder("shared/");
    for (name, package) in &workspace.ours {
        for need in &package.needs {
            let ours = workspace.ours.contains_key(need);
            assert!(!ours || shared.contains(need), "{name} depends on {need}");
        }
    }
}

#[test]
fn the_registry_and_the_contract_depend_on_nothing_of_ours() {
    let workspace = workspace();
    for name in ["septet-registry", "septet-contract"] {
        for need in workspace.reaches(name) {
            assert!(!workspace.ours.contains_key(&need), "{name} reaches {need}");
        }
    }
}

#[test]
fn the_pure_crates_reach_no_aws_sdk_and_no_runtime() {
    let workspace = workspace();
    for name in ["septet-contract", "septet-checks"] {
        let reached = workspace.reaches(name);
        assert!(reached.contains("serde"), "{name} was found in the graph");
        for need in reached {
            let impure = need.starts_with("aws-") || ["tokio", "hyper", "reqwest"].contains(&need.as_str());
            assert!(!impure, "{name} reaches {need}");
        }
    }
}
