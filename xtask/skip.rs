//! How a test says that it was skipped. A test file takes it in with
//! `#[path = "../../../xtask/skip.rs"] mod skip;`; `cargo xtask test` names the skipped tests at its end.

use std::io::Write;

/// Reports that the test `test` did not run because of `why`, after which the test returns.
///
/// Test runners hide what a passing test prints, so the line also goes to the end of the file that
/// `DEEPQ_SKIPPED_TESTS_FILE` names.
///
/// # Panics
/// Under `DEEPQ_REQUIRE_TOOLS=1`: where every tool was installed, a test that finds its tool missing has failed.
pub(crate) fn skip(test: &str, why: &str) {
    assert!(
        std::env::var_os("DEEPQ_REQUIRE_TOOLS").is_none_or(|value| value != "1"),
        "{test} may not be skipped under DEEPQ_REQUIRE_TOOLS=1: {why}"
    );
    let line = format!("skipped: {test}: {why}\n");
    print!("{line}");
    if let Some(path) = std::env::var_os("DEEPQ_SKIPPED_TESTS_FILE") {
        let file = std::fs::File::options().create(true).append(true).open(path);
        // One call writes the whole line, so that lines of tests that run at once do not mix.
        file.and_then(|mut file| file.write_all(line.as_bytes()))
            .expect("the list of skipped tests is writable");
    }
}
