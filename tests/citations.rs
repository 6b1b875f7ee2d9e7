//! What documents cite: the tables of a document, the places in the code and the tests that they name.

mod compiled;
mod source;

use std::fs;

use crate::root;
use compiled::{manifest, modules_of_test, problem_of_file, runs_here, source};

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
///
/// # Panics
///
/// Where Markdown may see a row that this does not see.
pub(crate) fn tables(document: &str, head: &str) -> Vec<Vec<String>> {
    let (mut rows, mut is_table, mut inside) = (Vec::new(), false, false);
    let mut lines = document.lines().peekable();
    let is_rule = |line: &&str| line.starts_with("|-") && line.chars().all(|c| "|-: ".contains(c));
    while let Some(line) = lines.next() {
        if !line.trim_start().starts_with('|') {
            assert!(!inside || line.trim().is_empty(), "no blank line ends the table before: {line:?}");
            (is_table, inside) = (false, false);
            continue;
        }
        if is_rule(&line) {
            continue;
        }
        assert!(is_table || lines.peek().is_some_and(is_rule), "a row without a table: {line:?}");
        is_table = true;
        let cells = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |"));
        let cells = cells.unwrap_or_else(|| panic!("a row begins with `| ` and ends with ` |`: {line:?}"));
        let cells: Vec<String> = cells.split(" | ").map(str::to_string).collect();
        if cells[0] == head {
            inside = true;
        } else if inside {
            rows.push(cells);
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
    let Some(text) = source(file) else { return Some(format!("there is no {file}")) };
    if let Some(problem) = problem_of_file(file) {
        return Some(problem);
    }
    let functions = text.functions(item);
    if SCENARIOS.contains(&file.as_str()) {
        let made = source("tests/kernel/main.rs").is_some_and(|main| main.has_code(&format!("\n    {item} leaves ")));
        return (!made || functions.is_empty()).then(|| format!("{file}: no scenario {item}"));
    }
    let manifest = manifest(file);
    let mut problem = format!("{file}: no function {item}");
    for function in &functions {
        match modules_of_test(function, &manifest) {
            Ok(modules) if runs_here(file, &modules, item) => return None,
            Ok(_) => problem = format!("{file}: the test program does not contain {item}"),
            Err(why) => problem = format!("{file}: {item} {why}"),
        }
    }
    Some(problem)
}

/// The names of the tests in a source, but for those in `quickcheck!`.
pub(crate) fn tests_in(source: &str) -> Vec<String> {
    let lines: Vec<&str> = source.lines().collect();
    let tests = lines.windows(2).filter(|pair| pair[0].trim() == "#[test]");
    tests
        .map(|pair| pair[1].trim().trim_start_matches("fn ").split('(').next().unwrap_or_default().to_string())
        .collect()
}
