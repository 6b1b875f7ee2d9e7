//! `docs/attacks.md` and `docs/vulnerabilities.md` are held to the tests: each row names tests that exist, and each test of an
//! attack is in the row that its name says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::root;

/// The groups of the catalogue, and how many rows each has.
const GROUPS: [(char, usize); 7] = [('A', 18), ('B', 21), ('C', 11), ('D', 14), ('E', 16), ('F', 12), ('G', 8)];
/// Where a test is named after its row.
const ATTACKS: [&str; 2] = ["tests/codec/catalogue.rs", "tests/host/attacks.rs"];
/// The documented vulnerabilities are at least so many.
const LEAST: usize = 40;

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The rows of the tables whose head begins with this word, in cells.
fn rows(document: &str, head: &str) -> Vec<Vec<String>> {
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

/// The `file::test`s of a cell, with their files from the root of the repository.
fn tests_of(cell: &str) -> Vec<(String, String)> {
    let test = |word: &str| {
        let (file, name) = word.split_once("::").unwrap_or_else(|| panic!("`{word}` is no file::test"));
        let top = ["src/", "tests/", "examples/"].iter().any(|top| file.starts_with(top));
        (if top { file.to_string() } else { format!("tests/{file}") }, name.to_string())
    };
    cell.split('`').skip(1).step_by(2).map(test).collect()
}

/// Why this is no test that `cargo test` runs.
fn problem((file, name): &(String, String)) -> Option<String> {
    let Ok(source) = fs::read_to_string(root().join(file)) else { return Some(format!("there is no {file}")) };
    if !is_compiled(file) {
        return Some(format!("{file} belongs to no program"));
    }
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let Some(at) = lines.iter().position(|line| line.starts_with(&format!("fn {name}("))) else {
        return Some(format!("{file} has no {name}"));
    };
    let before = lines[..at].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
    let attributes: Vec<&str> = before.copied().collect();
    let is_test = attributes.contains(&"#[test]") && !attributes.iter().any(|line| line.starts_with("#[ignore"));
    (!is_test).then(|| format!("{file}: {name} is no test that runs"))
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

/// The names of the tests in a file.
fn names(file: &str) -> Vec<String> {
    let source = read(file);
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let pairs = lines.windows(2).filter(|pair| pair[0] == "#[test]");
    pairs.filter_map(|pair| pair[1].strip_prefix("fn ")?.split('(').next().map(str::to_string)).collect()
}

/// The rows of `docs/attacks.md`: their ids with their tests.
fn catalogue() -> Vec<(String, Vec<(String, String)>)> {
    let rows = rows(&read("docs/attacks.md"), "row").into_iter().map(|cells| {
        let [id, attack, required, tests] = <[String; 4]>::try_from(cells).expect("four cells in a row");
        assert!(!attack.is_empty() && !required.is_empty(), "{id}");
        (id, tests_of(&tests))
    });
    rows.collect()
}

/// The row that the name of a test begins with: `C6` of `c6_wars`, `C` of `c_storms`.
fn row_of(test: &str) -> String {
    test.split('_').next().unwrap_or_default().to_uppercase()
}

#[test]
fn the_catalogue_of_attacks_is_complete_and_each_row_has_tests_that_exist() {
    let rows = catalogue();
    let numbered: Vec<&String> = rows.iter().map(|(id, _)| id).filter(|id| id.len() > 1).collect();
    let expected = GROUPS.iter().flat_map(|(group, n)| (1..=*n).map(move |number| format!("{group}{number}")));
    assert!(numbered.into_iter().cloned().eq(expected), "rows are missing or out of order");
    let mut problems = Vec::new();
    for (id, tests) in &rows {
        if tests.is_empty() {
            problems.push(format!("{id} has no test"));
        }
        problems.extend(tests.iter().filter_map(problem).map(|problem| format!("{id}: {problem}")));
    }
    assert!(problems.is_empty(), "docs/attacks.md: {problems:#?}");
}

#[test]
fn each_test_of_an_attack_is_in_the_row_that_its_name_says() {
    let rows: BTreeMap<String, Vec<(String, String)>> = catalogue().into_iter().collect();
    let folder = fs::read_dir(root().join("tests/attacks")).expect("a folder");
    let inside =
        folder.map(|entry| format!("tests/attacks/{}", entry.expect("an entry").file_name().to_string_lossy()));
    let (mut missing, mut seen) = (Vec::new(), 0);
    for file in inside.chain(ATTACKS.map(str::to_string)) {
        for name in names(&file) {
            seen += 1;
            let test = (file.clone(), name);
            if !rows.get(&row_of(&test.1)).is_some_and(|tests| tests.contains(&test)) {
                missing.push(format!("{} is not in the row {}", test.1, row_of(&test.1)));
            }
        }
    }
    assert!(missing.is_empty(), "docs/attacks.md: {missing:#?}");
    assert!(seen > 130, "{seen} tests of attacks");
}

/// A row is something that segue answers, with tests, or that its host answers, with the section of the guide.
#[test]
fn each_vulnerability_has_tests_that_exist_or_is_a_duty_of_the_host() {
    let rows = rows(&read("docs/vulnerabilities.md"), "id");
    assert!(rows.len() >= LEAST, "{} rows", rows.len());
    let (mut ids, mut problems) = (BTreeSet::new(), Vec::new());
    for cells in rows {
        let [id, stacks, attack, behaviour, tests] = <[String; 5]>::try_from(cells).expect("five cells in a row");
        if !ids.insert(id.clone()) {
            problems.push(format!("{id} is there twice"));
        }
        for (what, cell) in [("affected stacks", &stacks), ("attack", &attack), ("behaviour", &behaviour)] {
            if cell.len() < 3 {
                problems.push(format!("{id} has no {what}"));
            }
        }
        let tests = tests_of(&tests);
        let is_duty = behaviour.starts_with("host: ") && behaviour.contains("](embedding.md#");
        if tests.is_empty() && !is_duty {
            problems.push(format!("{id} has neither a test nor a section of the guide"));
        }
        problems.extend(tests.iter().filter_map(problem).map(|problem| format!("{id}: {problem}")));
    }
    assert!(problems.is_empty(), "docs/vulnerabilities.md: {problems:#?}");
}

/// A number of an advisory stands in one row: who looks for it finds one answer.
#[test]
fn each_advisory_is_answered_once() {
    let document = read("docs/vulnerabilities.md");
    let mut seen = BTreeMap::new();
    for cells in rows(&document, "id") {
        for word in cells[0].split([' ', ',', ';', '(', ')']).filter(|word| word.starts_with("CVE-")) {
            *seen.entry(word.to_string()).or_insert(0) += 1;
            let digits = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
            let well_formed = word.split('-').skip(1).all(digits) && word.split('-').count() == 3;
            assert!(well_formed, "{word} is no number of an advisory");
        }
    }
    let twice: Vec<_> = seen.iter().filter(|(_, n)| **n > 1).collect();
    assert!(twice.is_empty(), "docs/vulnerabilities.md: {twice:?}");
}

#[test]
fn the_checker_knows_what_a_test_is() {
    let test = |file: &str, name: &str| problem(&(file.to_string(), name.to_string()));
    let here = "tests/vulnerabilities.rs";
    assert_eq!(test(here, "the_checker_knows_what_a_test_is"), None);
    assert_eq!(test("src/host/cookies.rs", "the_largest_mss_that_fits_is_remembered"), None);
    assert!(test(here, "row_of").is_some(), "a function is no test");
    assert!(test(here, "nothing_of_this_name").is_some());
    assert!(test("tests/nowhere.rs", "nothing").is_some());
    assert!(test("tests/host/scale.rs", "how_long_a_request_takes").is_some());
    assert_eq!((row_of("c6_wars").as_str(), row_of("d_holes").as_str()), ("C6", "D"));
    let table = "| id | b |\n|---|---|\n| 1 | x |\n| 2 | `a.rs::y` |\n\n| no | b |\n|---|---|\n| 3 | z |\n";
    assert_eq!(rows(table, "id"), [["1", "x"], ["2", "`a.rs::y`"]]);
    assert_eq!(
        tests_of("`a.rs::y`, `src/b.rs::z`"),
        [("tests/a.rs", "y"), ("src/b.rs", "z")].map(|(file, name)| (file.to_string(), name.to_string()))
    );
}
