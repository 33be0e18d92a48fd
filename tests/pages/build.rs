//! Makes a test of each Rust block of the README and of `docs/`. How a block says what it needs, or why it is not run, is in
//! `tests/README.md`.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut pages = Vec::new();
    // An unpacked archive of this crate alone has no pages, and builds all the same.
    if root.join("docs").is_dir() {
        pages.push(root.join("README.md"));
        markdown(&root.join("docs"), &mut pages)?;
    }
    let (mut tests, mut count) = (String::new(), 0);
    for page in &pages {
        println!("cargo::rerun-if-changed={}", page.display());
        let name = page.strip_prefix(&root)?.to_string_lossy().replace('\\', "/");
        let text = fs::read_to_string(page)?;
        let opened = text
            .lines()
            .filter(|line| line.trim_start().starts_with("```rust"))
            .count();
        let blocks = blocks(&text);
        if blocks.len() != opened {
            return Err(format!("{name}: a Rust block was not found").into());
        }
        for block in blocks.iter().filter(|block| block.runs()) {
            block.test(&name, &mut tests)?;
            count += 1;
        }
    }
    println!("cargo::rerun-if-changed={}", root.join("docs").display());
    writeln!(tests, "const BLOCKS: usize = {count};")?;
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("pages.rs"), tests)?;
    Ok(())
}

fn markdown(folder: &Path, pages: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            markdown(&path, pages)?;
        } else if path.extension().is_some_and(|suffix| suffix == "md") {
            pages.push(path);
        }
    }
    Ok(())
}

/// One fenced block, and what the comment before it says.
struct Block {
    line: usize,
    lines: Vec<String>,
    comment: String,
}

/// The Rust blocks of a page, also those in tabs.
fn blocks(text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut before = String::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let start = line.trim_start();
        if !start.starts_with("```") {
            before.push_str(line);
            before.push('\n');
            continue;
        }
        let indent = line.len() - start.len();
        let fence: String = start.chars().take_while(|letter| *letter == '`').collect();
        let body = lines.by_ref().map(|(_, line)| line);
        let body: Vec<String> = body
            .take_while(|line| line.trim() != fence)
            .map(|line| line.get(indent..).unwrap_or_default().to_owned())
            .collect();
        if start.trim_start_matches('`').starts_with("rust") {
            found.push(Block {
                line: number + 2,
                lines: body,
                comment: last_comment(&before),
            });
        }
        before.clear();
    }
    found
}

/// The comment that the text ends with, if it does.
fn last_comment(text: &str) -> String {
    let comment = text
        .trim_end()
        .strip_suffix("-->")
        .and_then(|text| text.rsplit_once("<!--"));
    comment.map_or_else(String::new, |(_, comment)| comment.trim().to_owned())
}

impl Block {
    fn runs(&self) -> bool {
        !self.comment.starts_with("not run: ") && !self.comment.ends_with(" runs this block")
    }

    /// A module with what the page shows, and a test that calls its `main` or the function that rustdoc's hidden lines make.
    fn test(&self, page: &str, out: &mut String) -> Result<(), Box<dyn Error>> {
        let name: String = format!("{page}_{}", self.line)
            .chars()
            .map(|letter| {
                if letter.is_ascii_alphanumeric() {
                    letter.to_ascii_lowercase()
                } else {
                    '_'
                }
            })
            .collect();
        let setup = self.comment.strip_prefix("setup").unwrap_or_default();
        let setup = setup.trim_start_matches(':');
        let (mut body, mut calls) = (String::new(), None);
        for line in &self.lines {
            // A line that rustdoc would hide.
            let line = if line == "#" {
                ""
            } else {
                line.strip_prefix("# ").unwrap_or(line)
            };
            if line.trim() == "#[tokio::main]" {
                continue;
            }
            writeln!(body, "    {}", line.replace("preopen::", "preopen_pages::"))?;
            for function in ["example", "main"] {
                if line.trim_start().starts_with(&format!("async fn {function}()")) {
                    writeln!(body, "    {setup}")?;
                    calls = Some(function);
                }
            }
        }
        let calls = calls.unwrap_or_else(|| {
            // Statements alone, as most are written: rustdoc would make a `main` of them, too.
            body = format!("    async fn example() -> Result<(), Box<dyn std::error::Error>> {{ {setup}\n{body}    Ok(())\n    }}\n");
            "example"
        });
        // More than one thread: a block may hold up its own, and the broker is in this process.
        writeln!(
            out,
            "/// `{page}`, line {}.\nmod {name} {{\n{body}\n    #[tokio::test(flavor = \"multi_thread\")]\n    async fn runs() {{\n        \
             let broker = crate::broker().await;\n        {calls}().await.unwrap();\n        broker.stop().await;\n    }}\n}}\n",
            self.line
        )?;
        Ok(())
    }
}
