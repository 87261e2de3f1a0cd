//! `deepq list`

use std::path::Path;
use std::process::ExitCode;

use deepq::Config;
use deepq::config::{ConfigError, algorithms, parts, presets};
use deepq::{Registry, RunDirectory};
use serde_json::{Value, json};

use crate::args::{List, ListWhat};
use crate::failure::Failure;
use crate::output::{Output, path_json};

pub(crate) fn run(args: &List, output: &Output) -> Result<ExitCode, Failure> {
    let below = below(args)?;
    let (key, rows) = match args.what {
        ListWhat::Envs => ("envs", envs()),
        ListWhat::Presets => ("presets", preset_rows()),
        ListWhat::Algos => ("algos", algorithm_rows()),
        ListWhat::Runs => ("runs", runs(below)),
    };
    let text = match (&rows[..], args.what) {
        ([], ListWhat::Runs) => {
            output.note(format!("no run below {}; `deepq train CartPole-v1` makes one", below.display()));
            String::new()
        }
        (rows, _) => rows.iter().map(|row| row.text.clone()).collect::<Vec<_>>().join("\n"),
    };
    let json: Vec<Value> = rows.into_iter().map(|row| row.json).collect();
    output.result(&json!({ key: json }), &text)?;
    Ok(ExitCode::SUCCESS)
}

/// The folder in which runs are looked for.
fn below(args: &List) -> Result<&Path, deepq::Error> {
    let Some(below) = &args.below else { return Ok(Path::new("runs")) };
    if args.what != ListWhat::Runs {
        let message = "only runs are looked for in a folder; leave it out";
        return Err(ConfigError::new("--below", message).into());
    }
    let message = match (below.is_dir(), below.exists()) {
        (true, _) => return Ok(below),
        (false, true) => "this is a file and no folder",
        (false, false) => "there is no such folder",
    };
    Err(deepq::Error::run(below, message, "--below names a folder with runs in it"))
}

struct Row {
    json: Value,
    text: String,
}

fn envs() -> Vec<Row> {
    let registry = Registry::builtin();
    let width = registry.ids().map(|(id, _)| id.len()).max().unwrap_or_default();
    let row = |(id, description): (&str, &str)| Row {
        json: json!({ "id": id, "description": description }),
        text: format!("{id:<width$}  {description}"),
    };
    registry.ids().map(row).collect()
}

fn preset_rows() -> Vec<Row> {
    let row = |preset: &deepq::config::Preset| {
        let (env, description) = (preset.env.unwrap_or_default(), preset.description());
        Row {
            json: json!({ "env": env, "name": preset.name, "description": description }),
            text: format!("{env} --preset {}\n{}\n", preset.name, indented(&description)),
        }
    };
    presets().iter().map(row).collect()
}

fn algorithm_rows() -> Vec<Row> {
    let row = |preset: &deepq::config::Preset| {
        // Any environment shows the parts; the others change their numbers.
        let resolved = Config::resolve("CartPole-v1", None, Some(preset.name), &[]);
        let parts = resolved.map_or(vec![], |(config, _)| parts(&config));
        let description = preset.description();
        Row {
            json: json!({ "name": preset.name, "parts": parts, "description": description }),
            text: format!("{}: {}\n{}\n", preset.name, parts.join(", "), indented(&description)),
        }
    };
    algorithms().iter().map(row).collect()
}

fn runs(below: &Path) -> Vec<Row> {
    let row = |path: std::path::PathBuf| {
        let info = RunDirectory::open(&path).and_then(|run| run.info());
        match info {
            Ok(info) => {
                let status = format!("{:?}", info.status).to_lowercase();
                let about = format!("{} {} seed {}", info.env, info.preset, info.seed);
                Row {
                    json: json!({ "run": path_json(&path), "env": info.env, "algo": info.algo, "preset": info.preset,
                        "seed": info.seed, "status": status, "started_at": info.started_at }),
                    text: format!("{}  {about}  {status}", path.display()),
                }
            }
            Err(error) => Row {
                json: json!({ "run": path_json(&path), "status": "damaged", "message": error.to_string() }),
                text: format!("{}  {error}", path.display()),
            },
        }
    };
    RunDirectory::find_all(below).into_iter().map(row).collect()
}

/// Text in lines of at most 96 characters behind four blanks.
fn indented(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().filter(|line| line.chars().count() + word.chars().count() < 96);
        match line {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => *line += &format!(" {word}"),
            None => lines.push(word.to_owned()),
        }
    }
    lines.iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
