//! What documents cite: the tables of a document, the places in the code and the tests that they name.

use std::fs;

use crate::root;

/// Files whose tests are made by a macro of `tests/kernel/main.rs`, a test for each scenario in each setting.
const SCENARIOS: [&str; 2] = ["tests/kernel/scenarios.rs", "tests/kernel/trials.rs"];

/// `file::item`, the file from the root of the crate.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Place {
    pub(crate) file: String,
    pub(crate) item: String,
}

pub(crate) fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The cells of each row of a table whose head begins with this word.
pub(crate) fn tables(document: &str, head: &str) -> Vec<Vec<String>> {
    let (mut rows, mut inside) = (Vec::new(), false);
    for line in document.lines() {
        let cells = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |"));
        let cells: Option<Vec<String>> = cells.map(|line| line.split(" | ").map(str::to_string).collect());
        match cells {
            Some(cells) if cells[0] == head => inside = true,
            Some(cells) if inside => rows.push(cells),
            None if !line.starts_with('|') => inside = false,
            Some(_) | None => {}
        }
    }
    rows
}

/// The `file::item`s of a cell, whose files are in `folder` unless they name one of the top.
pub(crate) fn places(cell: &str, folder: &str) -> Vec<Place> {
    let place = |word: &str| {
        let (file, item) = word.split_once("::").unwrap_or_else(|| panic!("`{word}` is no file::item"));
        let top = ["src/", "tests/", "examples/"].iter().any(|top| file.starts_with(top));
        let file = if top { file.to_string() } else { format!("{folder}/{file}") };
        Place { file, item: item.to_string() }
    };
    cell.split('`').skip(1).step_by(2).map(place).collect()
}

/// Whether this source defines the item: a function, a type, a constant, a field, a setting of `config!` or a variant.
pub(crate) fn defines(source: &str, item: &str) -> bool {
    source.lines().any(|line| {
        let mut line = line.trim_start();
        for word in ["pub ", "pub(crate) ", "pub(super) ", "const ", "async "] {
            line = line.strip_prefix(word).unwrap_or(line);
        }
        let named = ["fn ", "struct ", "enum ", "trait ", "type ", ""]
            .iter()
            .find_map(|word| line.strip_prefix(word)?.strip_prefix(item));
        named.is_some_and(|rest| rest.is_empty() || rest.starts_with(['(', '<', ':', ',', ' ', '=', '{', ';']))
    })
}

/// Why this is no test that `cargo test` runs.
pub(crate) fn problem(test: &Place) -> Option<String> {
    let Place { file, item } = test;
    let Ok(source) = fs::read_to_string(root().join(file)) else { return Some(format!("there is no {file}")) };
    if !is_compiled(file) {
        return Some(format!("{file} belongs to no test target"));
    }
    if SCENARIOS.contains(&file.as_str()) {
        let runs = defines(&source, item) && read("tests/kernel/main.rs").contains(&format!("\n    {item} leaves "));
        return (!runs).then(|| format!("{file}: no scenario {item}"));
    }
    let lines: Vec<&str> = source.lines().collect();
    let Some(at) = lines.iter().position(|line| line.trim_start().starts_with(&format!("fn {item}("))) else {
        return Some(format!("{file}: no function {item}"));
    };
    let attributes = || {
        lines[..at]
            .iter()
            .rev()
            .map(|line| line.trim())
            .take_while(|line| line.starts_with("#[") || line.starts_with("//"))
    };
    if attributes().any(|line| line.starts_with("#[ignore") || line.starts_with("#[cfg")) {
        return Some(format!("{file}: {item} does not run everywhere"));
    }
    let is_test = attributes().any(|line| line == "#[test]") || is_property(&lines[..at]);
    (!is_test).then(|| format!("{file}: {item} is no test"))
}

/// Whether the function after these lines stands in `quickcheck! { … }`.
fn is_property(before: &[&str]) -> bool {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let Some(start) = before.iter().rposition(|line| line.trim_end().ends_with("quickcheck! {")) else { return false };
    let closing = |line: &&str| line.trim() == "}" && indent(line) == indent(before[start]);
    !before[start..].iter().any(closing)
}

/// Whether something declares this file as a module, or it is the root of a package.
fn is_compiled(file: &str) -> bool {
    let path = root().join(file);
    let (Some(folder), Some(stem)) = (path.parent(), path.file_stem().and_then(|stem| stem.to_str())) else {
        return false;
    };
    if ["main", "lib", "mod"].contains(&stem) {
        return true;
    }
    let parents = [folder.with_extension("rs"), folder.join("main.rs"), folder.join("lib.rs"), folder.join("mod.rs")];
    let declares = |text: String| {
        let words = |line: &str| line.trim_start_matches("pub(crate) ").trim_start_matches("pub ").to_string();
        text.lines().any(|line| words(line) == format!("mod {stem};"))
    };
    parents.iter().filter_map(|parent| fs::read_to_string(parent).ok()).any(declares)
}

/// The names of the tests in a source, but for those in `quickcheck!`.
pub(crate) fn tests_in(source: &str) -> Vec<String> {
    let lines: Vec<&str> = source.lines().collect();
    let tests = lines.windows(2).filter(|pair| pair[0].trim() == "#[test]");
    tests
        .map(|pair| pair[1].trim().trim_start_matches("fn ").split('(').next().unwrap_or_default().to_string())
        .collect()
}
