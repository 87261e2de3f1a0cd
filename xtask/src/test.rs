//! `cargo xtask test`: every test of the workspace.

use std::path::Path;
use std::process::Command;

use crate::command::{Outcome, cargo, output, run, run_and_gather, target_directory};
use crate::tools::{self, Prepared};

const NEXTEST: [&str; 6] = ["nextest", "run", "--workspace", "--no-fail-fast", "--status-level", "skip"];
const LIBTEST: [&str; 4] = ["test", "--workspace", "--all-targets", "--no-fail-fast"];
const DOCUMENTATION_TESTS: [&str; 4] = ["test", "--workspace", "--doc", "--no-fail-fast"];
const EXAMPLES: [&str; 3] = ["build", "--workspace", "--examples"];

/// Runs everything and says at the end what was skipped.
pub(crate) fn run_all() -> Outcome {
    let prepared = tools::prepare()?;
    let skipped_file = target_directory().join("skipped-tests.txt");
    let file_error = |error| format!("{}: {error}", skipped_file.display());
    std::fs::create_dir_all(target_directory()).map_err(file_error)?;
    std::fs::write(&skipped_file, "").map_err(file_error)?;

    let has_nextest = output(&mut cargo(&["nextest", "--version"])).is_some();
    let tests = if has_nextest { &NEXTEST[..] } else { &LIBTEST[..] };
    let mut tally = Tally::default();
    let mut failures = Vec::new();
    for (arguments, is_nextest) in [(tests, has_nextest), (&DOCUMENTATION_TESTS[..], false)] {
        let mut command = cargo(arguments);
        tell(&mut command, &prepared, &skipped_file);
        let (succeeded, lines) = run_and_gather(command)?;
        for line in &lines {
            if is_nextest { tally.add_nextest(line) } else { tally.add_libtest(line) }
        }
        if !succeeded {
            failures.push(format!("`cargo {}` failed", arguments.join(" ")));
        }
    }
    failures.extend(run(&mut cargo(&EXAMPLES)).err());

    let skipped = std::fs::read_to_string(&skipped_file).map_err(file_error)?;
    tally.add_skipped(&skipped);
    if failures.is_empty() && tally.failed > 0 {
        failures.push("tests failed".to_owned());
    }
    print!("{}", tally.report());
    if failures.is_empty() { Ok(()) } else { Err(failures.join("; ")) }
}

/// Tells the tests, through the environment, what there is to test with.
fn tell(command: &mut Command, prepared: &Prepared, skipped_file: &Path) {
    command.env("DEEPQ_SKIPPED_TESTS_FILE", skipped_file);
    if let Some(python) = &prepared.python {
        command.env("DEEPQ_TEST_PYTHON", python);
    }
    if prepared.complete {
        command.env("DEEPQ_REQUIRE_TOOLS", "1");
    }
}

/// What the runners counted.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    passed: usize,
    failed: usize,
    /// `skipped: NAME: WHY` of each test that did not run.
    skipped: Vec<String>,
}

impl Tally {
    /// Takes in a line of nextest: `SKIP [ ] (1/4) deepq tests::slow`, or the summary
    /// `Summary [   0.1s] 3 tests run: 1 passed (1 slow), 1 failed, 1 timed out, 1 skipped`.
    fn add_nextest(&mut self, line: &str) {
        let line = line.trim();
        if let Some(test) = line.strip_prefix("SKIP [") {
            let name = test.rsplit(' ').next().unwrap_or(test);
            self.skipped.push(format!("skipped: {name}: ignored"));
        }
        let counts = line.strip_prefix("Summary [").and_then(|summary| {
            summary.split_once(" tests run: ").or_else(|| summary.split_once(" test run: "))
        });
        for count in counts.map_or("", |(_, counts)| counts).split(", ") {
            // Of "1 passed (1 slow, 1 leaky)" the remark in brackets is split off here too and counts nothing.
            match count.split_once(' ') {
                Some((number, what)) if what.starts_with("passed") => {
                    self.passed += number.parse().unwrap_or(0)
                }
                Some((number, what)) if FAILURES.contains(&what) => {
                    self.failed += number.parse().unwrap_or(0)
                }
                _ => {}
            }
        }
    }

    /// Takes in a line of `cargo test`: `test tests::slow ... ignored, too slow`, or the result
    /// `test result: FAILED. 8 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s`.
    fn add_libtest(&mut self, line: &str) {
        if let Some(counts) = line.strip_prefix("test result: ") {
            let counts = counts.trim_start_matches("ok. ").trim_start_matches("FAILED. ");
            for count in counts.split("; ") {
                match count.split_once(' ') {
                    Some((number, "passed")) => self.passed += number.parse().unwrap_or(0),
                    Some((number, "failed")) => self.failed += number.parse().unwrap_or(0),
                    _ => {}
                }
            }
        } else if let Some((name, result)) =
            line.strip_prefix("test ").and_then(|test| test.split_once(" ... "))
            && result.starts_with("ignored")
        {
            self.skipped.push(format!("skipped: {name}: ignored"));
        }
    }

    /// Takes in the file to which tests that found no tool appended a line each; their runner counted them as
    /// passed.
    fn add_skipped(&mut self, lines: &str) {
        self.passed = self.passed.saturating_sub(lines.lines().count());
        self.skipped.extend(lines.lines().map(str::to_owned));
    }

    fn report(&self) -> String {
        let skipped: String = self.skipped.iter().map(|line| format!("{line}\n")).collect();
        let Self { passed, failed, .. } = self;
        format!("\n{skipped}{passed} passed, {failed} failed, {} skipped\n", self.skipped.len())
    }
}

const FAILURES: [&str; 5] =
    ["failed", "exec failed", "timed out", "failed due to leaking handles", "not run"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nextest_is_counted() {
        let mut tally = Tally::default();
        for line in [
            "        PASS [   0.004s] ( 1/12) deepq tests::quick",
            "        SKIP [         ] ( 2/12) deepq tests::slow",
            "     Summary [   3.045s] 11 tests run: 8 passed (1 slow, 1 leaky), 1 failed, 1 exec failed, 1 timed out, 1 skipped",
        ] {
            tally.add_nextest(line);
        }
        tally.add_skipped("skipped: window: no display\n");
        let skipped = ["skipped: tests::slow: ignored", "skipped: window: no display"];
        assert_eq!(tally, Tally { passed: 7, failed: 3, skipped: skipped.map(str::to_owned).to_vec() });
        assert!(tally.report().ends_with("\nskipped: window: no display\n7 passed, 3 failed, 2 skipped\n"));
    }

    #[test]
    fn libtest_is_counted_over_its_binaries() {
        let mut tally = Tally::default();
        for line in [
            "test tests::quick ... ok",
            "test tests::slow ... ignored, takes an hour",
            "test result: FAILED. 8 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.07s",
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        ] {
            tally.add_libtest(line);
        }
        let skipped = vec!["skipped: tests::slow: ignored".to_owned()];
        assert_eq!(tally, Tally { passed: 11, failed: 2, skipped });
    }
}
