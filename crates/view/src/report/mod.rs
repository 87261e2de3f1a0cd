//! One self-contained HTML page on one or more runs.

use std::path::{Path, PathBuf};

use deepq::RunDirectory;

use crate::ViewError;

/// Writes the page on the runs in these folders.
///
/// # Errors
/// Where a run cannot be read or the page cannot be written.
pub fn write_report(runs: &[PathBuf], out: &Path) -> Result<(), ViewError> {
    for run in runs {
        RunDirectory::open(run)?;
    }
    Ok(deepq::run::write_atomically(out, b"")?)
}
