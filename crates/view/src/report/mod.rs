//! One self-contained HTML page on one or more runs.
//!
//! The page needs nothing but itself: no script, no other file, no network. What was read from files stands in it
//! as text only, because a run directory may come from a stranger; a content security policy forbids the page
//! everything that it does not need.

mod again;
mod chart;
mod compared;
mod curves;
mod data;
mod improvement;
mod intervals;
mod markup;
mod one;
mod page;
mod scale;
mod several;
mod thin;

use std::path::{Path, PathBuf};

use deepq::run::Comparison;

use crate::ViewError;
use data::{Group, RunData};
pub use improvement::MOST_PAIRS;
pub(crate) use markup::is_deceptive;
pub use scale::duration;

/// Writes the page on the runs in these folders: one run in full, or several compared, in groups of the same
/// environment, preset and settings.
///
/// # Errors
/// Where a run cannot be read or the page cannot be written.
pub fn write_report(runs: &[PathBuf], out: &Path) -> Result<(), ViewError> {
    let runs = read(runs)?;
    let page = match runs.as_slice() {
        [run] => one::page(run)?,
        runs => several::page(runs, &Group::of(runs))?,
    };
    write_page(out, &page)
}

/// Writes the page on how groups of runs compare: interquartile means, performance profiles, probabilities of
/// improvement and learning curves, each with its intervals.
///
/// # Errors
/// Where a run cannot be read or the page cannot be written.
pub fn write_comparison(comparison: &Comparison, out: &Path) -> Result<(), ViewError> {
    write_page(out, &compared::page(comparison)?)
}

/// Writes a page, and makes the folder it stands in.
fn write_page(out: &Path, page: &str) -> Result<(), ViewError> {
    if let Some(folder) = out.parent() {
        deepq::run::create_folder(folder)?;
    }
    Ok(deepq::run::write_atomically(out, page.as_bytes())?)
}

/// The learning curve of these runs as an SVG file, in light or dark as the reader's system is: the returns of
/// one run, or the curves of several with the mean of each group.
///
/// # Errors
/// Where a run cannot be read.
pub fn learning_curve_svg(runs: &[PathBuf]) -> Result<String, ViewError> {
    Ok(curves::standalone(&read(runs)?))
}

/// Reads runs. One that is named twice counts once.
fn read(runs: &[PathBuf]) -> Result<Vec<RunData>, ViewError> {
    let mut seen = vec![];
    let mut read = vec![];
    for path in runs {
        let canonical = path.canonicalize().unwrap_or_else(|_| path.clone());
        if !seen.contains(&canonical) {
            seen.push(canonical);
            read.push(RunData::read(path)?);
        }
    }
    Ok(read)
}
