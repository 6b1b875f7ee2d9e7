//! The files of scripts: which a path names, and their text.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What a search found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Found {
    pub scripts: Vec<PathBuf>,
    /// What could not be read, in words.
    pub problems: Vec<String>,
}

/// The scripts that a path names: itself, or every `.pkt` file below it, in order. A directory that several links name
/// counts once.
pub fn scripts(path: &Path) -> Found {
    let mut found = Found::default();
    if !path.exists() {
        found.problems.push(format!("there is no file {}", path.display()));
    } else if !path.is_dir() {
        found.scripts.push(path.into());
    } else {
        below(path, &mut BTreeSet::new(), &mut found);
        found.scripts.sort();
        if found.scripts.is_empty() && found.problems.is_empty() {
            let path = path.display();
            found
                .problems
                .push(format!("there is no .pkt file below {path}: name a script or a directory with scripts"));
        }
    }
    found
}

/// Searches a directory, unless it is among those that were `seen`.
fn below(directory: &Path, seen: &mut BTreeSet<PathBuf>, found: &mut Found) {
    let mut search = || {
        if !seen.insert(directory.canonicalize()?) {
            return Ok(());
        }
        let entries = std::fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path()));
        let mut paths = entries.collect::<std::io::Result<Vec<_>>>()?;
        paths.sort(); // so the same one of two names counts everywhere
        for path in paths {
            if path.is_dir() {
                below(&path, seen, found);
            } else if path.extension().is_some_and(|extension| extension == "pkt") {
                found.scripts.push(path);
            }
        }
        Ok(())
    };
    let searched: std::io::Result<()> = search();
    if let Err(error) = searched {
        found.problems.push(format!("cannot read {}: {error}", directory.display()));
    }
}

/// The text of a file. Devices and pipes are refused: they may never end.
///
/// # Errors
/// Why it cannot be read.
pub fn read(path: &Path) -> Result<String, String> {
    let problem = |why: &str| format!("cannot read {}: {why}", path.display());
    let facts = std::fs::metadata(path).map_err(|error| problem(&error.to_string()))?;
    match facts.is_file() {
        true => std::fs::read_to_string(path).map_err(|error| problem(&error.to_string())),
        false => Err(problem("it is no regular file")),
    }
}
