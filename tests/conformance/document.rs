//! The documents of conformance as data: pages, rows, places and tests.

use std::collections::BTreeSet;
use std::fs;

use crate::citations::{Place, places, read, tables};
use crate::root;

/// Met, but no test shows it yet.
pub(super) const NO_TEST: &str = "no test";

/// Pages of Internet-Drafts.
const DRAFTS: [&str; 1] = ["bbr"];

pub(super) struct Row {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) status: String,
    pub(super) places: Vec<Place>,
    pub(super) tests: Vec<Place>,
    pub(super) untested: bool,
}

/// The page of an RFC.
pub(super) struct Page {
    pub(super) rfc: u16,
    pub(super) text: String,
    pub(super) rows: Vec<Row>,
}

/// The pages, one for each RFC, in the order of their numbers.
pub(super) fn pages() -> Vec<Page> {
    let files = fs::read_dir(root().join("docs/conformance")).expect("docs/conformance");
    let names = files.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let numbers = names.filter_map(|name| name.strip_prefix("rfc")?.strip_suffix(".md")?.parse().ok());
    let page = |rfc: u16| {
        let text = read(&format!("docs/conformance/rfc{rfc}.md"));
        Page { rfc, rows: rows(&text), text }
    };
    numbers.collect::<BTreeSet<u16>>().into_iter().map(page).collect()
}

pub(super) fn all_rows() -> Vec<Row> {
    pages().into_iter().flat_map(|page| page.rows).collect()
}

/// The rows of the RFCs and of the drafts, which have no number and are not counted.
pub(super) fn rows_with_drafts() -> Vec<Row> {
    let drafts = DRAFTS.iter().flat_map(|name| rows(&read(&format!("docs/conformance/{name}.md"))));
    all_rows().into_iter().chain(drafts).collect()
}

pub(super) fn rows(text: &str) -> Vec<Row> {
    let rows = tables(text, "id").into_iter().map(|cells| {
        let [id, title, status, code, shown] = <[String; 5]>::try_from(cells).expect("five cells in a row");
        let (places, tests) = (places(&code, "src"), places(&shown, "tests"));
        Row { id, title, status, places, tests, untested: shown == NO_TEST }
    });
    rows.collect()
}

/// The requirements of RFC 9293.
pub(super) fn requirements() -> Vec<Row> {
    pages().into_iter().find(|page| page.rfc == 9293).expect("its page").rows
}

/// The decisions: what, where in the code, and its tests.
pub(super) fn decisions() -> Vec<(String, Vec<Place>, Vec<Place>)> {
    let rows = tables(&read("docs/conformance/decisions.md"), "where").into_iter().map(|cells| {
        let [what, _, code, shown] = <[String; 4]>::try_from(cells).expect("four cells in a row");
        (what, places(&code, "src"), places(&shown, "tests"))
    });
    rows.collect()
}

pub(super) fn kind(row: &Row) -> &str {
    row.status.split(':').next().unwrap_or_default()
}

/// Met, exceptions, duties of the host, not applicable.
pub(super) const KINDS: [&str; 4] = ["met", "exception", "host", "not applicable"];

pub(super) fn counts(rows: &[Row]) -> [usize; 4] {
    KINDS.map(|known| rows.iter().filter(|row| kind(row) == known).count())
}

/// The RFCs that a line names: `RFC 2018, 2883`, `RFC 9293 §3.7.4`.
pub(super) fn rfcs_of(line: &str) -> Vec<u16> {
    let mut rfcs = Vec::new();
    for after in line.split("RFC ").skip(1) {
        let words = after.split([' ', ',']).filter(|word| !word.is_empty() && *word != "and");
        let numbers = words.map_while(|word| word.trim_end_matches(|c: char| !c.is_ascii_digit()).parse::<u16>().ok());
        rfcs.extend(numbers);
    }
    rfcs
}
