//! Files that are there whole or not at all.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::Error;

/// Writes a file so that its name never stands for half of it: under another name first, then renamed.
///
/// # Errors
/// Where the file cannot be written; the other name is then gone, and what stood there before still stands.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let temporary = with_suffix(path, ".tmp");
    let outcome = write_synced(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    outcome.map_err(|error| {
        let _ = fs::remove_file(&temporary);
        Error::io("cannot write", path, error)
    })
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

/// Writes a file and waits until the disk has it.
pub(super) fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes a folder and those above it, where they are not there.
///
/// # Errors
/// Where one cannot be made.
pub fn create_folder(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(|error| Error::io("cannot create the folder", path, error))
}

/// What a path is sorted by, so that numbers in names stand in the order of their values: s2 before s10.
pub(super) fn natural_order(path: &Path) -> (Vec<(String, usize, String)>, PathBuf) {
    let name = path.to_string_lossy();
    let is_digit = |c: char| c.is_ascii_digit();
    let mut parts = vec![];
    let mut rest = &*name;
    while !rest.is_empty() {
        let (text, after) = rest.split_at(rest.find(is_digit).unwrap_or(rest.len()));
        let (digits, after) = after.split_at(after.find(|c| !is_digit(c)).unwrap_or(after.len()));
        // Of numbers without leading zeros the longer one is the greater, however long both are.
        let digits = digits.trim_start_matches('0');
        parts.push((text.to_owned(), digits.len(), digits.to_owned()));
        rest = after;
    }
    // Names that differ by zeros alone have an order too.
    (parts, path.to_owned())
}

/// A file that lines are added to.
pub(super) struct LineWriter {
    path: PathBuf,
    file: BufWriter<File>,
    line: Vec<u8>,
}

impl LineWriter {
    pub(super) fn create(path: &Path) -> Result<Self, Error> {
        let file = File::create(path).map_err(|error| Error::io("cannot write", path, error))?;
        Ok(Self { path: path.to_owned(), file: BufWriter::new(file), line: vec![] })
    }

    /// Adds one line of JSON.
    pub(super) fn write(&mut self, value: &impl serde::Serialize) -> Result<(), Error> {
        self.line.clear();
        let made = serde_json::to_writer(&mut self.line, value).map_err(std::io::Error::from);
        self.line.push(b'\n');
        let written = made.and_then(|()| self.file.write_all(&self.line));
        written.map_err(|error| Error::io("cannot write", &self.path, error))
    }

    pub(super) fn flush(&mut self) -> Result<(), Error> {
        self.file.flush().map_err(|error| Error::io("cannot write", &self.path, error))
    }
}

/// Reads a file of JSON lines. A last line that a run was stopped in the middle of is left out.
///
/// # Errors
/// Where the file cannot be read, or another line is not what is expected: the error names it.
pub fn read_json_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, Error> {
    let text = fs::read_to_string(path).map_err(|error| Error::io("cannot read", path, error))?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let parse = |(index, line): (usize, &str)| {
        serde_json::from_str(line)
            .map_err(|error| Error::damaged(path, format!("line {}: {error}", index + 1)))
    };
    whole.lines().enumerate().filter(|(_, line)| !line.is_empty()).map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        write_atomically(&path, b"one").unwrap();
        write_atomically(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(write_atomically(&folder.path().join("no/such/folder"), b"").is_err());
    }

    #[test]
    fn numbers_in_names_are_sorted_by_their_values() {
        let sorted = [
            "c51/s1",
            "c51/s2",
            "c51/s10",
            "dqn",
            "dqn/s1",
            "run",
            "run2",
            "s01",
            "s1",
            "s7",
            "s99999999999999999999",
            "s123456789012345678901",
        ];
        let mut names = sorted;
        names.reverse();
        names.sort_by_cached_key(|name| natural_order(Path::new(name)));
        assert_eq!(names, sorted);
    }

    #[test]
    fn half_a_last_line_is_left_out_and_damage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines.jsonl");
        fs::write(&path, "1\n2\n3").unwrap();
        assert_eq!(read_json_lines::<u32>(&path).unwrap(), [1, 2]);
        fs::write(&path, "1\nx\n3\n").unwrap();
        let error = read_json_lines::<u32>(&path).unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
    }
}
