//! No figure is worse than recorded, and the documents tell of those that were recorded.

use std::collections::BTreeSet;
use std::fs;

use crate::sim::document;
use crate::sim::link::SECOND;
use crate::sim::measure::{measure, run};
use crate::sim::record::{self, COMMAND, QUICK, QUICK_NAME, Recorded, SETS, set_name};
use crate::sim::rows::{Row, Sender, all, matrix};
use crate::sim::table::{Verdict, verdict};

fn recorded() -> Recorded {
    Recorded::read().unwrap_or_else(|problem| panic!("{problem}"))
}

/// A part of what `cargo run --release --example sim -- --check` compares.
#[test]
fn no_figure_is_worse_than_recorded_and_no_law_is_broken() {
    let rows = record::quick(&all());
    let measured = measure(&rows, &(QUICK.0..=QUICK.1).collect::<Vec<_>>(), |_, _, _| {});
    let broken = record::violations(&rows, &measured);
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    let (lines, bad) = record::compare(QUICK_NAME, &rows, &measured, &recorded());
    assert!(!bad, "{}\nIf it must be so: {COMMAND}", lines.join("\n"));
    if !lines.is_empty() {
        println!("{}\nTo record: {COMMAND}", lines.join("\n"));
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let row = all().into_iter().find(|row| row.name == "100m-bursts").expect("the row");
    let twice = [1, 1, 2].map(|seed| run(&row, seed, Some(SECOND / 100)));
    assert_eq!((&twice[0].values, &twice[0].samples), (&twice[1].values, &twice[1].samples));
    assert_ne!(twice[0].values, twice[2].values, "another seed, another run");
}

#[test]
fn every_row_is_recorded_with_every_sender_and_nothing_else() {
    let (rows, recorded) = (matrix(&all(), &Sender::ALL), recorded());
    let of_set = |set: String, rows: Vec<Row>| {
        let names = rows.into_iter().flat_map(|row| row.figures.clone().into_iter().map(move |f| (row.id(), f.name)));
        names.map(move |(row, figure)| (set.clone(), row, figure.replace(',', ""))).collect::<Vec<_>>()
    };
    let mut wanted = BTreeSet::from_iter(of_set(QUICK_NAME.into(), record::quick(&rows)));
    for seeds in SETS {
        let rows = rows.iter().filter(|row| record::is_recorded(row, seeds)).cloned().collect();
        wanted.extend(of_set(set_name(seeds), rows));
    }
    let have = recorded.keys().map(|(set, row, figure)| (set.into(), row.into(), figure.into()));
    assert_eq!(have.collect::<BTreeSet<_>>(), wanted, "to record: {COMMAND}");
    assert_eq!(Recorded::parse(&recorded.text(&rows)), Ok(recorded));
}

/// `SEGUE_BLESS=1` writes the document anew, from what is recorded.
#[test]
fn the_document_shows_what_is_recorded() {
    let text = document::markdown(&recorded(), &matrix(&all(), &Sender::ALL));
    if std::env::var_os("SEGUE_BLESS").is_some() {
        fs::write(record::document(), &text).expect("docs/figures.md");
    }
    let there = fs::read_to_string(record::document()).expect("docs/figures.md");
    assert!(there == text, "docs/figures.md is stale; to write it: {COMMAND}");
}

/// The rows whose recorded figures miss what is required are those that `docs/simulation.md` gives reasons for.
#[test]
fn what_is_missed_is_told() {
    let (rows, recorded) = (all(), recorded());
    let missed = |row: &&Row| {
        let values =
            SETS.iter().flat_map(|set| row.figures.iter().map(|f| (f.want, recorded.get(&set_name(*set), row, f))));
        values.into_iter().any(|(want, value)| verdict(want, value.unwrap_or(f64::NAN)) == Verdict::Missed)
    };
    let missed = rows.iter().filter(missed).map(|row| row.name.clone()).collect::<BTreeSet<_>>();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/simulation.md");
    let text = fs::read_to_string(file).expect("docs/simulation.md");
    let section = text.split_once("\n## What is not reached\n").expect("the section").1;
    let section = section.split("\n## ").next().unwrap_or_default();
    let told = section.split('`').skip(1).step_by(2).map(str::to_string).collect::<BTreeSet<_>>();
    assert_eq!(told, missed, "docs/simulation.md, \"What is not reached\", against the recorded figures");
}
