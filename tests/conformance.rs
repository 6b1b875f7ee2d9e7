//! `docs/conformance` is held to the code: each RFC of the README's scope has a page, every requirement of RFC 9293 stands
//! on its page once, every place and test that a page names exists, the statuses are those that `docs/conformance.md`
//! explains, and all sums are right.

mod document;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use segue::{Config, State};

use crate::citations::{Place, defines, problem, read, tables, tests_in};
use crate::root;
use document::{Page, Row, all_rows, counts, decisions, kind, pages, requirements, rfcs_of, rows_with_drafts};

/// The requirements: the label and how many there are. RFC 9293 Appendix B, and the ones of its text without a number (U).
const REQUIREMENTS: [(&str, usize); 5] = [("MUST", 69), ("SHLD", 31), ("MAY", 18), ("REC", 1), ("U", 21)];
/// RFCs without a page, after which tests are named: where these tests stand, another RFC took the rule over or asks for it.
const WITHOUT_A_PAGE: [u16; 2] = [6056, 6937];

#[test]
fn every_requirement_stands_in_the_document_once_and_in_order() {
    let ids: Vec<String> = requirements().into_iter().map(|row| row.id).collect();
    let expected = REQUIREMENTS.iter().flat_map(|(label, n)| (1..=*n).map(move |number| format!("{label}-{number}")));
    assert_eq!(ids, expected.collect::<Vec<_>>());
}

/// Elsewhere an id is RFC, section and letter, as 7323-2.2-a.
#[test]
fn every_id_is_unique_and_says_its_rfc_and_section() {
    let mut seen = BTreeSet::new();
    for Page { rfc, rows, .. } in pages() {
        for row in rows {
            let parts: Vec<&str> = row.id.splitn(3, '-').collect();
            let own = rfc == 9293
                || matches!(parts[..], [number, section, letter]
                    if number == rfc.to_string() && !section.is_empty() && letter.len() == 1);
            assert!(own, "an id on the page of RFC {rfc}: {}", row.id);
            assert!(seen.insert(row.id.clone()), "{} is used twice", row.id);
        }
    }
}

#[test]
fn every_status_is_explained_and_has_what_it_needs() {
    for row in rows_with_drafts() {
        let (id, status) = (&row.id, &row.status);
        let reason = status.split_once(": ").map(|(_, reason)| reason).unwrap_or_default();
        assert!(!row.title.is_empty(), "{id} has no title");
        match kind(&row) {
            "met" => {
                assert_eq!(status, "met", "{id}");
                assert!(!row.places.is_empty(), "{id} is met: where?");
                assert_ne!(row.untested, !row.tests.is_empty(), "{id} is met: shown by what?");
            }
            "exception" => assert!(reason.len() > 20, "{id} is an exception without a reason"),
            "host" => assert!(reason.contains("(../embedding.md#"), "{id}: where is the host told of its duty?"),
            "not applicable" => assert!(reason.len() > 20, "{id} is not applicable without a reason"),
            other => panic!("{id}: unknown status {other}"),
        }
    }
}

#[test]
fn every_sum_is_right() {
    for Page { rfc, text, rows } in pages() {
        let [met, exceptions, host, not_applicable] = counts(&rows);
        let untested = rows.iter().filter(|row| row.untested).count();
        let sum = format!(
            "\n{} clauses: {met} met, {exceptions} exceptions, {host} duties of the host, {not_applicable} not applicable; \
             {untested} without a test.\n",
            rows.len()
        );
        assert!(text.contains(&sum), "the sum of RFC {rfc} is:{sum}");
    }
}

/// One row for each page: the RFC with a link, its title, the counts, and the files of tests that show most.
#[test]
fn the_index_tells_of_every_page() {
    let index = read("docs/conformance.md");
    let (mut told, mut sum) = (Vec::new(), [0; 4]);
    let pages = pages();
    for cells in tables(&index, "RFC") {
        let number = cells[0].trim_start_matches('[').split(']').next().and_then(|rfc| rfc.parse::<u16>().ok());
        let page =
            pages.iter().find(|page| Some(page.rfc) == number).unwrap_or_else(|| panic!("no page: {}", cells[0]));
        let counts = counts(&page.rows);
        sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        let heading = format!("# RFC {}: {}\n", page.rfc, cells[1]);
        assert!(page.text.starts_with(&heading), "the page of RFC {} has another title", page.rfc);
        assert_eq!(cells[2..6], counts.map(|count| count.to_string()), "the counts of RFC {}", page.rfc);
        for test in cells[6].split('`').skip(1).step_by(2) {
            assert!(root().join("tests").join(test).exists() || root().join(test).exists(), "there is no {test}");
        }
        told.push(page.rfc);
    }
    assert_eq!(told, pages.iter().map(|page| page.rfc).collect::<Vec<_>>(), "a row for each page, in order");
    let [met, exceptions, host, not_applicable] = sum;
    let untested = all_rows().iter().filter(|row| row.untested).count();
    let sum = format!(
        "\n{} clauses of {} RFCs: {met} met, {exceptions} exceptions, {host} duties of the host, {not_applicable} not \
         applicable; {untested} without a test.\n",
        met + exceptions + host + not_applicable,
        pages.len()
    );
    assert!(index.contains(&sum), "the sum of all is:{sum}");
}

#[test]
fn the_index_lists_every_exception_to_a_must() {
    let told: Vec<[String; 3]> = tables(&read("docs/conformance.md"), "exception")
        .into_iter()
        .map(|cells| <[String; 3]>::try_from(cells).expect("three cells in a row"))
        .collect();
    let mut expected = Vec::new();
    for Page { rfc, rows, .. } in pages() {
        for Row { id, title, status, .. } in rows {
            let reason = status.strip_prefix("exception: ").filter(|_| title.contains("MUST") || id.contains("MUST"));
            let link = format!("[{id}](conformance/rfc{rfc}.md)");
            expected.extend(reason.map(|reason| [link, title, reason.to_string()]));
        }
    }
    assert_eq!(told, expected);
}

#[test]
fn every_rfc_of_the_scope_has_a_page_and_no_other_has() {
    let readme = read("README.md");
    let scope = readme.split_once("\n## Scope\n").expect("the scope").1.split_once("\n## ").expect("its end").0;
    let claimed: BTreeSet<u16> = scope.lines().filter(|line| line.starts_with('|')).flat_map(rfcs_of).collect();
    let pages: BTreeSet<u16> = pages().iter().map(|page| page.rfc).collect();
    assert_eq!(claimed, pages, "README.md, and docs/conformance");
    assert!(readme.contains(&format!("a page for each of the {} RFCs", pages.len())), "README.md tells another number");
}

/// A test named after another RFC, as `rfc_7323_4_3_what`, stands on the page of that RFC.
#[test]
fn every_test_named_after_an_rfc_stands_on_its_page() {
    let (pages, mut problems) = (pages(), Vec::new());
    for file in rust_files("tests").into_iter().chain(rust_files("src")) {
        for item in tests_in(&read(&file)) {
            let Some(rfc) = item.strip_prefix("rfc_").and_then(|name| name.split('_').next()?.parse::<u16>().ok())
            else {
                continue;
            };
            let place = Place { file: file.clone(), item };
            let stands = |page: &Page| page.rows.iter().any(|row| row.tests.contains(&place));
            let fits = match pages.iter().find(|page| page.rfc == rfc) {
                Some(page) => stands(page),
                None => WITHOUT_A_PAGE.contains(&rfc) && pages.iter().any(stands),
            };
            if !fits {
                problems.push(format!("{place:?}"));
            }
        }
    }
    assert!(problems.is_empty(), "give each a row on the page of the RFC in its name: {problems:#?}");
}

#[test]
fn every_decision_is_shown_by_a_test() {
    let decisions = decisions();
    assert!(decisions.len() > 30, "{} decisions", decisions.len());
    for (what, places, tests) in decisions {
        assert!(!places.is_empty() && !tests.is_empty(), "{what}: where, and shown by what?");
    }
}

#[test]
fn every_place_exists() {
    let all =
        rows_with_drafts().into_iter().flat_map(|row| row.places).chain(decisions().into_iter().flat_map(|d| d.1));
    let missing: BTreeSet<Place> = all.filter(|place| !defines(&read(&place.file), &place.item)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

/// Whoever looks for a MUST in the sources finds it at one of the places that the document names.
#[test]
fn every_must_that_is_met_is_cited_where_it_is_met() {
    let cites = |source: &str, id: &str| {
        let number: u32 = id.strip_prefix("MUST-").and_then(|number| number.parse().ok()).expect("a number");
        source.split("MUST-").skip(1).any(|after| {
            let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
            let first = digits(after);
            let last = after[first.len()..].strip_prefix("..").map(digits);
            let first = first.parse().unwrap_or(0);
            (first..=last.and_then(|last| last.parse().ok()).unwrap_or(first)).contains(&number)
        })
    };
    let rows = requirements().into_iter().filter(|row| kind(row) == "met" && row.id.starts_with("MUST-"));
    let uncited: Vec<String> = rows
        .filter(|row| !row.places.iter().any(|place| cites(&read(&place.file), &row.id)))
        .map(|row| format!("{} in {:?}", row.id, row.places))
        .collect();
    assert!(uncited.is_empty(), "cite each in the comment of the function that meets it: {uncited:#?}");
}

#[test]
fn every_test_exists() {
    let all = rows_with_drafts().into_iter().flat_map(|row| row.tests).chain(decisions().into_iter().flat_map(|d| d.2));
    let problems: BTreeSet<String> = all.filter_map(|test| problem(&test)).collect();
    assert!(problems.is_empty(), "{problems:#?}");
}

/// The source files of a folder and of the folders in it, from the root of the crate.
fn rust_files(folder: &str) -> Vec<String> {
    let mut files = Vec::new();
    for entry in fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}")) {
        let entry = entry.expect("an entry");
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() && entry.file_name() != "target" {
            files.extend(rust_files(&path));
        } else if Path::new(&path).extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// A test that is named after requirements, as `must_8_must_9_and_shld_1_what`, stands in the row of each; and no test of
/// `tests/requirements` is forgotten.
#[test]
fn every_test_stands_in_the_rows_that_its_name_says() {
    let rows = requirements();
    let all = all_rows().into_iter().flat_map(|row| row.tests);
    let named: BTreeSet<Place> = all.chain(decisions().into_iter().flat_map(|d| d.2)).collect();
    let files = rust_files("tests/requirements").into_iter().chain(["tests/codec/requirements.rs".to_string()]);
    let mut problems = Vec::new();
    for file in files {
        for item in tests_in(&read(&file)) {
            let ids = ids_of(&item);
            let place = Place { file: file.clone(), item };
            if !named.contains(&place) {
                problems.push(format!("{place:?} stands nowhere"));
            }
            for id in ids {
                if !rows.iter().any(|row| row.id == id && row.tests.contains(&place)) {
                    problems.push(format!("{place:?} does not stand in the row of {id}"));
                }
            }
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

/// The requirements that a name begins with.
fn ids_of(test: &str) -> Vec<String> {
    let (mut ids, mut label) = (Vec::new(), None);
    for word in test.split('_') {
        let upper = word.to_uppercase();
        if let Ok(number) = word.parse::<usize>() {
            match label {
                Some(label) => ids.push(format!("{label}-{number}")),
                None => break,
            }
        } else if let Some((known, _)) = REQUIREMENTS.iter().find(|(known, _)| *known == upper) {
            label = Some(*known);
        } else if word != "and" {
            break;
        }
    }
    ids
}

/// The names that `tests/requirements` had before the custom of CONTRIBUTING.md. The list only shrinks.
const OLDER_NAMES: &str = include_str!("data/older_names.txt");

/// Whether the name of a test in `tests/requirements` begins with its subject: a requirement (`must_8_…`), another RFC
/// (`rfc_7323_…`), a state (`time_wait_…`) or a setting (`max_burst_…`).
fn begins_with_its_subject(test: &str) -> bool {
    let begins_with = |subject: &str| test.strip_prefix(subject).is_some_and(|rest| rest.starts_with('_'));
    let rfc = test.strip_prefix("rfc_").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let state = || State::ALL.iter().any(|state| begins_with(&state.name().to_lowercase().replace('-', "_")));
    let setting = || Config::fields().iter().any(|field| begins_with(field.name));
    rfc || !ids_of(test).is_empty() || state() || setting()
}

/// Whether the name of a test in `tests/attacks` begins with its row of the catalogue: `c6_…`, or `c_…` for a fault
/// without a row.
fn begins_with_its_row(test: &str) -> bool {
    let Some((row, _)) = test.split_once('_') else { return false };
    row.strip_prefix(|c: char| ('a'..='g').contains(&c)).is_some_and(|n| n.is_empty() || n.parse::<u8>().is_ok())
}

/// The custom of CONTRIBUTING.md, "Where a test goes", as far as a name shows it.
#[test]
fn names_of_tests_keep_the_custom() {
    let tests = |folder: &str| -> BTreeSet<String> {
        rust_files(folder).iter().flat_map(|file| tests_in(&read(file))).collect()
    };
    let older: BTreeSet<String> = OLDER_NAMES.lines().map(str::to_string).collect();
    let odd: BTreeSet<String> =
        tests("tests/requirements").into_iter().filter(|t| !begins_with_its_subject(t)).collect();
    let new: Vec<_> = odd.difference(&older).collect();
    assert!(new.is_empty(), "tests of tests/requirements without a subject, see CONTRIBUTING.md: {new:#?}");
    let gone: Vec<_> = older.difference(&odd).collect();
    assert!(gone.is_empty(), "strike these out of tests/data/older_names.txt: {gone:#?}");
    let odd: Vec<_> = tests("tests/attacks").into_iter().filter(|t| !begins_with_its_row(t)).collect();
    assert!(odd.is_empty(), "tests of tests/attacks without a row of the catalogue: {odd:#?}");
}

/// The host's duties link to headings that `docs/embedding.md` has.
#[test]
fn every_duty_of_the_host_is_in_the_guide() {
    let guide = read("docs/embedding.md");
    let anchors: BTreeSet<String> = guide.lines().filter_map(anchor).collect();
    for Page { rfc, text, .. } in pages() {
        for link in text.split("](../embedding.md").skip(1) {
            let (link, _) = link.split_once(')').expect("a link ends");
            assert!(link.is_empty() || anchors.contains(link), "RFC {rfc}: no heading {link} in the guide");
        }
    }
}

/// What a link to this heading looks like.
fn anchor(line: &str) -> Option<String> {
    let title = line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' ')?;
    let kept = title.to_lowercase().replace(' ', "-");
    Some(format!("#{}", kept.chars().filter(|c| c.is_alphanumeric() || *c == '-').collect::<String>()))
}

#[test]
fn the_checker_knows_what_a_definition_and_a_name_are() {
    let source = "pub(crate) const fn one(self) -> u8 {\nenum Two<T> {\n    Three(u8),\n    four: u16 = 1, in\n    /// five: no\n    let six = 6;";
    for (item, defined) in
        [("one", true), ("Two", true), ("Three", true), ("four", true), ("on", false), ("five", false), ("six", false)]
    {
        assert_eq!(defines(source, item), defined, "{item}");
    }
    assert_eq!(ids_of("must_8_must_9_and_shld_1_what_2_do"), ["MUST-8", "MUST-9", "SHLD-1"]);
    assert_eq!(ids_of("must_6_and_68_every_kind"), ["MUST-6", "MUST-68"]);
    assert_eq!(ids_of("u_21_a_connection"), ["U-21"]);
    assert_eq!(ids_of("time_wait_has_one_timer"), Vec::<String>::new());
    for (name, kept) in [
        ("must_8_a_clock", true),
        ("rfc_7323_4_3_gaps", true),
        ("fin_wait_2_is_the_limit", true),
        ("max_burst_cuts", true),
        ("rfc_is_no_number", false),
        ("time_waits", false),
        ("a_clock_wraps", false),
    ] {
        assert_eq!(begins_with_its_subject(name), kept, "{name}");
    }
    for (name, kept) in [("c6_wars", true), ("d_holes", true), ("h1_none", false), ("close_wait_hangs", false)] {
        assert_eq!(begins_with_its_row(name), kept, "{name}");
    }
    assert_eq!(rfcs_of("RFC 9293 §3.7.4, RFC 7323, 2018 and 5482; RFC 6298, RTO"), [9293, 7323, 2018, 5482, 6298]);
    assert_eq!(
        anchor("## Initial sequence numbers and secrets").as_deref(),
        Some("#initial-sequence-numbers-and-secrets")
    );
}
