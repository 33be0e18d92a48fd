//! Every page of the documentation has an example that compiles, and of `preopen` itself every function is shown in one.

use serde_json::Value;

use super::documented::{Documented, crates, of};

/// Modules that need none, with the reason.
const EXEMPT: [(&str, &str); 1] = [(
    "core",
    "for writing adapters, transports and bindings: promised to nobody, and documented where it is used",
)];

/// What was looked at, and what has no example.
#[derive(Default)]
struct Found {
    pages: usize,
    functions: usize,
    /// The examples of the module that is looked at.
    module: String,
    bare: Vec<String>,
}

#[test]
fn everything_public_has_an_example() {
    let mut found = Found::default();
    let preopen = of("preopen");
    found.module(preopen, preopen.root(), "preopen");
    found.bare.sort();
    found.bare.dedup();
    assert!(
        found.bare.is_empty(),
        "{} without an example:\n{}",
        found.bare.len(),
        found.bare.join("\n")
    );
    // Otherwise nothing was looked at.
    assert!(found.pages >= 80, "{} pages", found.pages);
    assert!(found.functions >= 70, "{} functions", found.functions);
}

impl Found {
    fn module(&mut self, documented: &Documented, id: &Value, path: &str) {
        let Some(item) = documented.item(id) else { return };
        // What an example of its module names needs none of its own; the root's would name too much.
        let shown = if path == "preopen" {
            String::new()
        } else {
            examples(item)
        };
        let before = std::mem::replace(&mut self.module, shown);
        for id in item["inner"]["module"]["items"].as_array().into_iter().flatten() {
            self.entry(documented, id, path);
        }
        self.module = before;
    }

    fn entry(&mut self, documented: &Documented, id: &Value, path: &str) {
        let Some(item) = documented.item(id) else { return };
        if hidden(item) {
            return;
        }
        let name = item["name"].as_str().unwrap_or_default();
        let inner = &item["inner"];
        if let Some(used) = inner.get("use") {
            self.used(documented, used, path);
        } else if inner.get("module").is_some() {
            if !EXEMPT.iter().any(|(exempt, _)| *exempt == name) {
                self.module(documented, id, &format!("{path}::{name}"));
            }
        } else {
            self.page(documented, item, &format!("{path}::{name}"));
        }
    }

    fn used(&mut self, documented: &Documented, used: &Value, path: &str) {
        let id = &used["id"];
        if documented.item(id).is_some() {
            return if used["is_glob"] == true {
                self.module(documented, id, path);
            } else {
                self.entry(documented, id, path);
            };
        }
        let source = used["source"].as_str().unwrap_or_default();
        let defined = documented.path(id).unwrap_or_else(|| source.to_owned());
        // What is of no crate of ours (`serde_json::Value`) has its own documentation.
        let Some(other) = crates()
            .iter()
            .find(|one| defined == one.name || defined.starts_with(&format!("{}::", one.name)))
        else {
            return;
        };
        if used["is_glob"] == true && defined == other.name {
            self.module(other, other.root(), path);
        } else if let Some(id) = other.own().get(&defined) {
            self.entry(other, id, path);
        } else {
            self.bare.push(format!("{defined} cannot be found"));
        }
    }

    fn page(&mut self, documented: &Documented, item: &Value, path: &str) {
        self.pages += 1;
        let members = members(documented, item);
        let mut code = examples(item);
        for member in &members {
            code.push_str(&examples(member));
        }
        let name = path.rsplit("::").next().unwrap_or(path);
        if code.is_empty() && !names(&self.module, name) {
            self.bare.push(path.to_owned());
        }
        if documented.name != "preopen" {
            return;
        }
        for member in members {
            let name = member["name"].as_str().unwrap_or_default();
            self.functions += 1;
            if !names(&code, name) {
                self.bare.push(format!("{path}::{name}"));
            }
        }
    }
}

/// Whether code has this name in it.
fn names(code: &str, name: &str) -> bool {
    let words = |c: char| !c.is_alphanumeric() && c != '_';
    code.split(words).any(|word| word == name)
}

/// The public functions and constants of a type or trait.
fn members<'a>(documented: &'a Documented, item: &'a Value) -> Vec<&'a Value> {
    let mut ids = Vec::new();
    for kind in ["struct", "enum"] {
        for id in item["inner"][kind]["impls"].as_array().into_iter().flatten() {
            let Some(block) = documented.item(id).map(|item| &item["inner"]["impl"]) else {
                continue;
            };
            if block["trait"].is_null() {
                ids.extend(block["items"].as_array().into_iter().flatten());
            }
        }
    }
    ids.extend(item["inner"]["trait"]["items"].as_array().into_iter().flatten());
    let public = |item: &&Value| item["visibility"] == "public" || item["visibility"] == "default";
    ids.into_iter()
        .filter_map(|id| documented.item(id))
        .filter(public)
        .filter(|item| !hidden(item))
        .collect()
}

fn hidden(item: &Value) -> bool {
    item["attrs"].to_string().contains("hidden")
}

/// The code of an item's examples.
fn examples(item: &Value) -> String {
    let mut code = String::new();
    let mut inside = false;
    for line in item["docs"].as_str().unwrap_or_default().lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            inside = !inside && !language.contains("text") && !language.contains("ignore");
        } else if inside {
            code.push_str(line);
            code.push('\n');
        }
    }
    code
}
