//! `docs/attacks.md` and `docs/vulnerabilities.md` are held to the tests: each row names tests that exist, and each test of an
//! attack is in the row that its name says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::citations::{Place, places, problem, read, tables, tests_in};
use crate::root;

/// The groups of the catalogue, and how many rows each has.
const GROUPS: [(char, usize); 7] = [('A', 20), ('B', 22), ('C', 13), ('D', 14), ('E', 16), ('F', 12), ('G', 8)];
/// Where a test is named after its row.
const ATTACKS: [&str; 2] = ["tests/codec/catalogue.rs", "tests/host/attacks.rs"];
/// The documented vulnerabilities are at least as many.
const LEAST: usize = 40;

/// The rows of `docs/attacks.md`: their ids with their tests.
fn catalogue() -> Vec<(String, Vec<Place>)> {
    let rows = tables(&read("docs/attacks.md"), "row").into_iter().map(|cells| {
        let [id, attack, required, tests] = <[String; 4]>::try_from(cells).expect("four cells in a row");
        assert!(!attack.is_empty() && !required.is_empty(), "{id}");
        (id, places(&tests, "tests"))
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
    let rows: BTreeMap<String, Vec<Place>> = catalogue().into_iter().collect();
    let folder = fs::read_dir(root().join("tests/attacks")).expect("a folder");
    let inside =
        folder.map(|entry| format!("tests/attacks/{}", entry.expect("an entry").file_name().to_string_lossy()));
    let (mut missing, mut seen) = (Vec::new(), 0);
    for file in inside.chain(ATTACKS.map(str::to_string)) {
        for item in tests_in(&read(&file)) {
            seen += 1;
            let row = row_of(&item);
            let test = Place { file: file.clone(), item };
            if !rows.get(&row).is_some_and(|tests| tests.contains(&test)) {
                missing.push(format!("{} is not in the row {row}", test.item));
            }
        }
    }
    assert!(missing.is_empty(), "docs/attacks.md: {missing:#?}");
    assert!(seen > 130, "{seen} tests of attacks");
}

/// A row is something that segue answers, with tests, or that its host answers, with the section of the guide.
#[test]
fn each_vulnerability_has_tests_that_exist_or_is_a_duty_of_the_host() {
    let rows = tables(&read("docs/vulnerabilities.md"), "id");
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
        let tests = places(&tests, "tests");
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
    for cells in tables(&document, "id") {
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

/// CVE-2018-5390: `cargo run --bin counts -- --check` in `benches` holds the figures to the code.
#[test]
fn a_thousand_holes_cost_little_more_than_one() {
    let counts = read("benches/counts.csv");
    let count = |row: &str, form: &str| -> f64 {
        let start = format!("\"{row}\",{form},");
        let rest = counts.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_else(|| panic!("no {start}"));
        rest.split(',').next().and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("{start}{rest}"))
    };
    for form in ["value", "octets", "octets+checksum"] {
        for (before, after) in [
            ("receive out of order, ", ", the last range grows"),
            ("receive out of order, ", ", anywhere"),
            ("ACK with SACK, ", ", and what it lets go"),
        ] {
            let [one, thousand] = ["1 hole", "1000 holes"].map(|holes| count(&format!("{before}{holes}{after}"), form));
            assert!(thousand <= 1.25 * one, "{before}{after} {form}: {thousand} instructions, {one} with one hole");
        }
    }
}

#[test]
fn the_checker_knows_what_a_test_is() {
    let place = |file: &str, item: &str| Place { file: file.to_string(), item: item.to_string() };
    let test = |file: &str, item: &str| problem(&place(file, item));
    let here = "tests/vulnerabilities.rs";
    assert_eq!(test(here, "the_checker_knows_what_a_test_is"), None);
    assert_eq!(test("src/host/cookies.rs", "the_largest_mss_that_fits_is_remembered"), None);
    assert!(test(here, "row_of").is_some(), "a function is no test");
    assert!(test(here, "nothing_of_this_name").is_some());
    assert!(test("tests/nowhere.rs", "nothing").is_some());
    assert!(test("tests/host/scale.rs", "how_long_a_request_takes").is_some());
    assert_eq!((row_of("c6_wars").as_str(), row_of("d_holes").as_str()), ("C6", "D"));
    let table = "| id | b |\n|---|---|\n| 1 | x |\n| 2 | `a.rs::y` |\n\n| no | b |\n|---|---|\n| 3 | z |\n";
    assert_eq!(tables(table, "id"), [["1", "x"], ["2", "`a.rs::y`"]]);
    for odd in ["| 3 | `nowhere.rs::no_such_test` | ", "| 3 | z", " | 3 | z |", "|3 | z |", "3 | z", ""] {
        let table = format!("| id | b |\n|---|---|\n| 1 | x |\n{odd}\n| 2 | y |\n");
        assert!(std::panic::catch_unwind(|| tables(&table, "id")).is_err(), "{odd:?} is a row, or none");
    }
    let cited = [place("tests/a.rs", "y"), place("src/b.rs", "z")];
    assert_eq!(places("`a.rs::y`, `src/b.rs::z`", "tests"), cited);
}
