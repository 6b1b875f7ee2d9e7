//! No figure is worse than recorded, and the documents tell of those that were recorded.

use std::collections::BTreeSet;
use std::fs;

use segue_sim::document;
use segue_sim::link::{MILLISECOND, SECOND};
use segue_sim::measure::{measure, run};
use segue_sim::record::{self, BRIEF_NAME, COMMAND, QUICK, QUICK_NAME, Recorded, SETS, set_name};
use segue_sim::rows::{Control, Row, Sender, Theme, all};
use segue_sim::table::{Verdict, verdict};

fn recorded() -> Recorded {
    Recorded::read().unwrap_or_else(|problem| panic!("{problem}"))
}

/// A part of what `cargo run --release --example sim -- --check` compares.
#[test]
fn no_figure_is_worse_than_recorded_and_no_law_is_broken() {
    let rows = recorded().known(&record::quick(&record::rows()));
    let measured = measure(&rows, &(QUICK.0..=QUICK.1).collect::<Vec<_>>(), |_, _| {});
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
    assert_eq!((&twice[0].values, &twice[0].tracks), (&twice[1].values, &twice[1].tracks));
    assert_ne!(twice[0].values, twice[2].values, "another seed, another run");
}

/// A sender of which nothing is recorded is left out.
#[test]
fn every_row_is_recorded_with_every_sender_and_nothing_else() {
    let (rows, recorded) = (record::rows(), recorded());
    let of_set = |set: String, rows: Vec<Row>| {
        let names = rows.into_iter().flat_map(|row| row.figures.clone().into_iter().map(move |f| (row.id(), f.name)));
        names.map(move |(row, figure)| (set.clone(), row, figure.replace(',', ""))).collect::<Vec<_>>()
    };
    let known = recorded.known(&rows);
    let mut wanted = BTreeSet::from_iter(of_set(QUICK_NAME.into(), record::quick(&known)));
    wanted.extend(of_set(BRIEF_NAME.into(), record::brief(&known)));
    for seeds in SETS {
        let rows = known.iter().filter(|row| record::is_recorded(row, seeds)).cloned().collect();
        wanted.extend(of_set(set_name(seeds), rows));
    }
    let have = recorded.keys().map(|(set, row, figure)| (set.into(), row.into(), figure.into()));
    let have = have.collect::<BTreeSet<(String, String, String)>>();
    let rows_of = |keys: Vec<&(String, String, String)>| keys.into_iter().map(|(_, row, _)| row.clone()).collect();
    let missing: BTreeSet<String> = rows_of(wanted.difference(&have).collect());
    let extra: BTreeSet<String> = rows_of(have.difference(&wanted).collect());
    assert!(
        missing.is_empty() && extra.is_empty(),
        "not or not wholly recorded: {missing:?}\nrecorded, but of no row or figure: {extra:?}\n\
         to record: {COMMAND}, or a part with --row and --sender"
    );
    assert_eq!(Recorded::parse(&recorded.text(&rows)), Ok(recorded));
}

/// `SEGUE_BLESS=1` writes the document anew, from the recorded figures.
#[test]
fn the_document_shows_what_is_recorded() {
    let text = document::markdown(&recorded(), &record::rows());
    if std::env::var_os("SEGUE_BLESS").is_some() {
        fs::write(record::document(), &text).expect("docs/figures.md");
    }
    let there = fs::read_to_string(record::document()).expect("docs/figures.md");
    assert!(there == text, "docs/figures.md is stale; to write it: {COMMAND}");
}

/// The rows whose recorded figures miss their targets are those that `docs/simulation.md` gives reasons for: with BBR, by
/// names as `10m@bbr`.
#[test]
fn what_is_missed_is_told() {
    let recorded = recorded();
    let rows = recorded.known(&record::rows());
    let missed = |row: &&Row| {
        let values =
            SETS.iter().flat_map(|set| row.figures.iter().map(|f| (f.want, recorded.get(&set_name(*set), row, f))));
        values.into_iter().any(|(want, value)| value.is_some_and(|value| verdict(want, value) == Verdict::Missed))
    };
    let rows = rows.iter().filter(|row| record::is_in_targets(row));
    let missed = rows.filter(missed).map(Row::id).collect::<BTreeSet<_>>();
    assert_eq!(told("Missed targets"), missed, "docs/simulation.md, \"Missed targets\", against the recorded figures");
}

/// The names between backticks in a section of `docs/simulation.md`.
fn told(headline: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(crate::root().join("docs/simulation.md")).expect("docs/simulation.md");
    let section = text.split_once(&format!("\n## {headline}\n")).expect("the section").1;
    let section = section.split("\n## ").next().unwrap_or_default();
    section.split('`').skip(1).step_by(2).map(str::to_string).collect()
}

/// A row's ratio to the ideal: of all recorded sets, the mean or the least.
fn ratios(recorded: &Recorded, row: &Row) -> Vec<f64> {
    let sets = SETS.iter().filter(|seeds| record::is_recorded(row, **seeds));
    sets.map(|seeds| row.ratio(|f| recorded.get(&set_name(*seeds), row, f).unwrap_or(f64::NAN))).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn every_row_below_nine_tenths_of_what_is_possible_is_told_with_its_cause() {
    let (recorded, rows) = (recorded(), record::rows());
    let low = |row: &&Row| ratios(&recorded, row).iter().any(|ratio| *ratio < 0.9);
    let low = rows.iter().filter(low).map(|row| row.name.clone()).collect::<BTreeSet<_>>();
    assert_eq!(told("Below nine tenths of the ideal"), low);
}

/// Paced at least as good as unpaced, less 1 %.
#[test]
fn where_pacing_costs_more_than_one_percent_is_told() {
    let (recorded, rows) = (recorded(), all());
    let costs = |row: &Row, sender: Sender| {
        let of = |sender| mean(&ratios(&recorded, &row.by(sender)));
        of(Sender { paced: true, ..sender }) < of(sender) * 0.99
    };
    let unpaced = || Sender::ALL.into_iter().filter(|sender| !sender.paced);
    let costly = rows.iter().filter(|row| unpaced().any(|sender| costs(row, sender)));
    assert_eq!(told("Where pacing costs more than 1 %"), costly.map(|row| row.name.clone()).collect());
}

/// The senders by loss: every one of them is recorded.
fn by_loss() -> impl Iterator<Item = Sender> {
    Sender::ALL.into_iter().filter(|sender| sender.control != Control::Bbr)
}

/// CUBIC against NewReno where a round trip takes 2 ms at most, whatever the rate and with pacing or without.
#[test]
fn in_data_centres_cubic_reaches_nine_tenths_of_newreno() {
    let (recorded, rows) = (recorded(), all());
    let short = |row: &&Row| row.theme == Theme::Rates && row.path.round_trip <= 2 * MILLISECOND;
    let rows = rows.iter().filter(short).collect::<Vec<_>>();
    assert_eq!(rows.len(), 12);
    for (row, sender) in rows.iter().flat_map(|row| by_loss().map(move |sender| (row, sender))) {
        let of = |control| mean(&ratios(&recorded, &row.by(Sender { control, ..sender })));
        let (cubic, reno) = (of(Control::Cubic), of(Control::Reno));
        assert!(cubic >= 0.9 * reno, "{}: {cubic}, NewReno {reno}", row.name);
    }
}

/// Windows from four segments on, late readers and batches.
#[test]
fn windows_of_four_segments_and_more_reach_nine_tenths() {
    let (recorded, rows) = (recorded(), all());
    let default = |name: &str| rows.iter().find(|row| row.name == name).expect("the row");
    let windows = ["4", "4.5", "6", "10", "20", "40", "64k"].map(|size| format!("window-{size}"));
    let readers = ["1ms", "10ms", "batches", "gro"].map(|reader| format!("read-{reader}-128k"));
    for name in windows.into_iter().chain(readers).chain(["100m-mss-65495-small".to_string()]) {
        for sender in by_loss() {
            let least = ratios(&recorded, &default(&name).by(sender)).into_iter().fold(f64::INFINITY, f64::min);
            assert!(least >= 0.9, "{name}, {}: {least}", sender.name());
        }
    }
}
