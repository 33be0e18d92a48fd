//! The bill of materials of a wheel or an npm package: every crate that is compiled into its native file, as `CycloneDX` 1.5.
//!
//! It has neither a time nor a path in it: whoever builds the same makes the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::process;
use crate::workspace::Workspace;

/// Its name inside a package.
pub(super) const FILE: &str = "sbom.cdx.json";

/// What has native code: the crate, and what its bill is called.
const NATIVE: [(&str, &str); 3] = [
    ("preopen-python", "python"),
    ("preopen-node", "node"),
    ("preopen-cli", "command"),
];

/// The bills for a platform, one a file.
pub(super) fn write(workspace: &Workspace, triple: &str, out: &Path) -> Result<Vec<PathBuf>> {
    NATIVE
        .iter()
        .map(|(krate, name)| {
            let file = out.join(format!("preopen-{name}-{triple}.cdx.json"));
            fs::write(&file, of(workspace, krate, triple)?)?;
            Ok(file)
        })
        .collect()
}

/// The crates below `krate` when it is built for a platform.
pub(super) fn of(workspace: &Workspace, krate: &str, triple: &str) -> Result<String> {
    let mut cargo = workspace.cargo();
    cargo.args([
        "metadata",
        "--locked",
        "--format-version",
        "1",
        "--filter-platform",
        triple,
    ]);
    let metadata: Value = serde_json::from_str(&process::capture(&mut cargo)?)?;
    let locked = checksums(&fs::read_to_string(workspace.root.join("Cargo.lock"))?);
    let bill = bill(&metadata, &locked, krate)?;
    Ok(format!("{bill:#}\n"))
}

fn bill(metadata: &Value, locked: &BTreeMap<(String, String), String>, krate: &str) -> Result<Value> {
    let nodes = by_id(&metadata["resolve"]["nodes"])?;
    let packages = by_id(&metadata["packages"])?;
    let root = packages
        .iter()
        .find_map(|(id, package)| (package["name"] == krate).then_some(*id))
        .with_context(|| format!("no crate `{krate}`"))?;
    let mut reached = BTreeSet::from([root]);
    let mut next = vec![root];
    let mut edges = Vec::new();
    while let Some(id) = next.pop() {
        let needed: Vec<&str> = nodes.get(id).map(|node| compiled_in(node)).unwrap_or_default();
        edges.push(json!({ "ref": reference(packages[id]), "dependsOn":
            needed.iter().map(|id| reference(packages[id])).collect::<BTreeSet<_>>() }));
        next.extend(needed.into_iter().filter(|id| reached.insert(id)));
    }
    edges.sort_by_key(|edge| edge["ref"].to_string());
    let component = |package: &Value, kind: &str| {
        let purl = reference(package);
        let key = (text(package, "name"), text(package, "version"));
        let mut component =
            json!({ "type": kind, "bom-ref": purl, "name": key.0, "version": key.1, "purl": purl });
        if let Some(licence) = package["license"].as_str() {
            component["licenses"] = json!([{ "expression": licence.replace('/', " OR ") }]);
        }
        if let Some(sum) = locked.get(&key) {
            component["hashes"] = json!([{ "alg": "SHA-256", "content": sum }]);
        }
        component
    };
    let mut components: Vec<Value> = reached
        .iter()
        .filter(|id| **id != root)
        .map(|id| component(packages[id], "library"))
        .collect();
    components.sort_by_key(|component| component["purl"].to_string());
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": component(packages[root], "application") },
        "components": components,
        "dependencies": edges,
    }))
}

fn by_id(list: &Value) -> Result<BTreeMap<&str, &Value>> {
    let list = list.as_array().context("cargo metadata lacks a list")?;
    list.iter()
        .map(|one| Ok((one["id"].as_str().context("no id")?, one)))
        .collect()
}

/// What ends up in the file: neither what tests need nor what only runs while it is built.
fn compiled_in(node: &Value) -> Vec<&str> {
    let all = node["deps"].as_array().into_iter().flatten();
    all.filter(|dependency| {
        let kinds = dependency["dep_kinds"].as_array();
        kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()))
    })
    .filter_map(|dependency| dependency["pkg"].as_str())
    .collect()
}

fn reference(package: &Value) -> String {
    format!("pkg:cargo/{}@{}", text(package, "name"), text(package, "version"))
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// The checksums of a lock file by name and version.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let field = |block: &str, name: &str| {
        let start = format!("{name} = \"");
        let line = block.lines().find_map(|line| line.strip_prefix(&start))?;
        line.strip_suffix('"').map(str::to_owned)
    };
    lock.split("[[package]]")
        .filter_map(|block| {
            Some((
                (field(block, "name")?, field(block, "version")?),
                field(block, "checksum")?,
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{bill, checksums};
    use serde_json::json;

    #[test]
    fn a_bill_has_what_is_compiled_in_and_nothing_else() {
        let package =
            |name: &str| json!({ "id": name, "name": name, "version": "1.0.0", "license": "MIT/Apache-2.0" });
        let needs = |name: &str, kind: Option<&str>| json!({ "pkg": name, "dep_kinds": [{ "kind": kind }] });
        let metadata = json!({
            "packages": [package("addon"), package("core"), package("builder"), package("tester"), package("other")],
            "resolve": { "nodes": [
                { "id": "addon", "deps": [needs("core", None), needs("builder", Some("build")), needs("tester", Some("dev"))] },
                { "id": "core", "deps": [] },
                { "id": "other", "deps": [needs("core", None)] },
            ] },
        });
        let lock = "[[package]]\nname = \"core\"\nversion = \"1.0.0\"\nchecksum = \"abc\"\n";
        let bill = bill(&metadata, &checksums(lock), "addon").unwrap();
        assert_eq!(bill["metadata"]["component"]["name"], "addon");
        let components = bill["components"].as_array().unwrap();
        assert_eq!(components.len(), 1, "{bill:#}");
        assert_eq!(components[0]["purl"], "pkg:cargo/core@1.0.0");
        assert_eq!(components[0]["hashes"][0]["content"], "abc");
        assert_eq!(components[0]["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(
            bill["dependencies"][0]["dependsOn"],
            json!(["pkg:cargo/core@1.0.0"])
        );
    }
}
