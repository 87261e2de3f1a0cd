//! The tables of README and guide, made from `benches/results` so that no figure is typed by hand.
//!
//! A page holds blocks `<!-- results:NAME -->` … `<!-- /results -->`; what stands between the two lines is written
//! anew. Pages below `docs/ko` get Korean words. A study that has not been made yet is said to be missing.

mod envs;
mod family;
mod presets;
mod published;
mod render;
mod steps;
mod words;

use std::error::Error;
use std::path::{Path, PathBuf};

use serde_json::Value;

const BEGIN: &str = "<!-- results:";
const END: &str = "<!-- /results -->";

/// In which language a page's tables are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Korean,
}

/// The results on disk.
pub(crate) struct Results {
    folder: PathBuf,
}

impl Results {
    fn of_repository(root: &Path) -> Self {
        Self { folder: root.join("benches") }
    }

    /// The document `path` below `benches`; `None` where the study has not been made.
    fn read(&self, path: &str) -> Result<Option<Value>, Box<dyn Error>> {
        let file = self.folder.join(path);
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("benches/{path}: {error}").into()),
        };
        let parsed = serde_json::from_str(&text).map_err(|error| format!("benches/{path}: {error}"))?;
        Ok(Some(parsed))
    }
}

/// Writes the blocks of every page anew.
pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    let root = repository();
    for page in pages(&root)? {
        let text = std::fs::read_to_string(&page)?;
        let name = page.strip_prefix(&root).unwrap_or(&page).display().to_string();
        let renewed = renew(&text, &name, &Results::of_repository(&root))?;
        if renewed != text {
            std::fs::write(&page, renewed)?;
            println!("written: {name}");
        }
    }
    Ok(())
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// README.md and every Markdown file below docs.
fn pages(root: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut pages = vec![root.join("README.md")];
    let mut folders = vec![root.join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                _ if path.is_dir() => folders.push(path),
                Some("md") => pages.push(path),
                _ => {}
            }
        }
    }
    pages.sort();
    Ok(pages)
}

/// A page with its blocks written anew; `name` is its path, for messages and for the language.
fn renew(text: &str, name: &str, results: &Results) -> Result<String, Box<dyn Error>> {
    let korean = name.replace('\\', "/").starts_with("docs/ko/");
    let language = if korean { Language::Korean } else { Language::English };
    let mut renewed = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(BEGIN) {
        let line = 1 + text[..text.len() - after.len()].matches('\n').count();
        let (table, after) = after
            .split_once("-->")
            .ok_or_else(|| format!("{name}:{line}: the line that begins a block ends with -->"))?;
        let (_, after) =
            after.split_once(END).ok_or_else(|| format!("{name}:{line}: the block lacks its {END}"))?;
        let table = table.trim();
        let rendered = render::table(table, results, language)
            .map_err(|error| format!("{name}:{line}: results:{table}: {error}"))?;
        renewed += &format!("{before}{BEGIN}{table} -->\n\n{rendered}\n\n{END}");
        rest = after;
    }
    Ok(renewed + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What one study wrote, in small.
    fn results() -> (tempfile::TempDir, Results) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("results")).unwrap();
        let speed = serde_json::json!({
            "command": "cargo xtask bench speed",
            "machine": { "processor": "P", "cores": 2, "instruction_set": "avx2", "load_average_1_min": "0.10" },
            "result": [{ "preset": "tutorial", "env_steps": 42_000, "gradient_steps": 84_000,
                         "wall_s": [0.4, 0.5, 0.6], "env_steps_per_s": 84_000.4 }],
        });
        std::fs::write(folder.path().join("results/speed.json"), speed.to_string()).unwrap();
        let results = Results { folder: folder.path().to_owned() };
        (folder, results)
    }

    #[test]
    fn a_block_is_written_anew_and_nothing_else() {
        let (_folder, results) = results();
        let page = "a\n<!-- results:speed -->\nold\n<!-- /results -->\nz\n";
        let renewed = renew(page, "README.md", &results).unwrap();
        assert!(renewed.starts_with("a\n<!-- results:speed -->\n\n|") && renewed.ends_with("-->\nz\n"));
        assert!(renewed.contains("| `tutorial` | 42,000 | 84,000 | 0.500 | 84,000 |"), "{renewed}");
        assert!(!renewed.contains("old"));
        assert_eq!(renew(&renewed, "README.md", &results).unwrap(), renewed);
        let korean = renew(page, "docs/ko/guide/7-results.md", &results).unwrap();
        assert!(korean.contains("| 프리셋 |") && !korean.contains("| preset |"), "{korean}");
    }

    #[test]
    fn a_study_that_was_not_made_is_said_to_be_missing() {
        let (_folder, results) = results();
        let renewed = renew("<!-- results:faults --><!-- /results -->", "README.md", &results).unwrap();
        assert!(renewed.contains("not measured yet"), "{renewed}");
    }

    #[test]
    fn wrong_blocks_name_their_line() {
        let (_folder, results) = results();
        let error = renew("\n<!-- results:speed -->\n", "README.md", &results).unwrap_err().to_string();
        assert!(error.starts_with("README.md:2: the block lacks"), "{error}");
        let unknown = "\n\n<!-- results:sped -->\n<!-- /results -->";
        let error = renew(unknown, "README.md", &results).unwrap_err().to_string();
        assert!(error.contains("README.md:3") && error.contains("speed"), "{error}");
    }

    /// A figure in a page and the one in the results must not differ.
    #[test]
    fn the_pages_show_the_results_that_are_there() {
        let root = repository();
        for page in pages(&root).unwrap() {
            let text = std::fs::read_to_string(&page).unwrap();
            let name = page.strip_prefix(&root).unwrap().display().to_string();
            let renewed = renew(&text, &name, &Results::of_repository(&root)).unwrap();
            assert!(renewed == text, "{name}: run cargo run --release --package deepq-bench -- tables");
        }
    }
}
