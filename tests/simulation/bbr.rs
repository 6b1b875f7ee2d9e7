//! What is required of BBR, what it is measured by, and what is recorded of it.

use segue::Config;
use segue_sim::link::SECOND;
use segue_sim::measure::{Measured, Outcome, run};
use segue_sim::record::{self, Recorded};
use segue_sim::rows::{Load, Row, Sender, Want, all};
use segue_sim::table;

fn row(name: &str) -> Row {
    all().into_iter().find(|row| row.name == name).unwrap_or_else(|| panic!("no row {name}"))
}

fn wants(row: &Row) -> Vec<(&str, Want)> {
    let free = |want: Want| matches!(want, Want::More | Want::Less);
    row.figures.iter().filter(|figure| !free(figure.want)).map(|figure| (figure.name, figure.want)).collect()
}

/// Greedy flows: the goodput at least, and the text repeated at the most.
const GREEDY: [(&str, f64, f64); 11] = [
    ("10m", 0.95, 0.005),
    ("10m-1", 0.94, 0.015),
    ("10m-3", 0.905, 0.035),
    ("10m-bursts", 0.93, 0.015),
    ("100m", 0.95, 0.005),
    ("100m-0.1", 0.95, 0.006),
    ("100m-1", 0.935, 0.015),
    ("100m-held", 0.93, 0.005),
    ("100m-bursts", 0.91, 0.01),
    ("1g", 0.855, 0.005),
    ("1g-0.01", 0.84, 0.0051),
];

#[test]
fn every_target_of_bbr_has_its_row() {
    let mut required = Vec::new();
    for (name, goodput, repeated) in GREEDY {
        required.push((name, vec![("goodput", Want::AtLeast(goodput)), ("repeated", Want::AtMost(repeated))]));
    }
    required.push(("short-2", vec![("median", Want::AtMost(213.0)), ("95 %", Want::AtMost(300.0))]));
    required.push(("two", vec![("share", Want::Between(0.4, 0.6))]));
    for name in ["beside-cubic-10m", "beside-cubic-100m"] {
        required.push((name, vec![("share of CUBIC", Want::AtLeast(0.25))]));
    }
    for name in ["standing-10m", "standing-100m"] {
        required.push((name, vec![("queue", Want::AtMost(0.35))]));
    }
    for (name, targets) in &required {
        let row = row(name).by(Sender::BBR);
        assert_eq!(wants(&row), *targets, "{name}");
        assert!(record::is_in_targets(&row) && record::SETS.iter().all(|seeds| record::is_recorded(&row, *seeds)));
    }
    let rows = all().into_iter().filter(|row| !row.bbr.is_empty());
    assert_eq!(rows.count(), required.len(), "no other row has a target");
}

/// The others keep theirs, and a target of BBR is of no other sender.
#[test]
fn targets_are_of_one_sender() {
    assert_eq!(wants(&row("10m-1")), [("goodput", Want::AtLeast(0.43)), ("repeated", Want::AtMost(0.013))]);
    for sender in Sender::named().filter(|sender| ![Sender::default(), Sender::BBR].contains(sender)) {
        assert_eq!(wants(&row("10m-1").by(sender)), [], "{}", sender.name());
        assert_eq!(wants(&row("standing-10m").by(sender)), [], "{}", sender.name());
    }
    assert_eq!(wants(&row("standing-10m")), []);
}

#[test]
fn bbr_is_always_paced() {
    assert!(Sender::named().all(|sender| sender.paced || !sender.name().starts_with("bbr")));
    let names = Sender::ALL.map(Sender::name);
    assert_eq!(names[8], "bbr");
    assert_eq!(row("10m").by(Sender::BBR).id(), "10m@bbr");
    let config = |sender| -> Config { row("10m").by(sender).ends[0].config.build().expect("valid") };
    assert!(config(Sender::BBR).pacing() && !config(Sender::default()).pacing());
}

/// CUBIC fills what it finds. The buffers of the ends let it.
#[test]
fn a_deep_queue_is_seen_to_stand() {
    let mut row = row("standing-10m");
    assert!(u64::from(row.path.buffer()) >= 12 * row.path.product());
    let at = row.figures.iter().position(|figure| figure.name == "queue").expect("the figure");
    let deep = run(&row, 1, None).values[at];
    assert!(deep > 1.0 && deep <= 10.0, "{deep}");
    row.path.depth = 1;
    let shallow = run(&row, 1, None).values[at];
    assert!(shallow > 0.0 && shallow <= 1.0, "{shallow}");
}

/// The share is that of the second flow, which neither paces nor is the sender of the row.
#[test]
fn cubic_is_the_second_flow() {
    let mut row = row("beside-cubic-10m").by(Sender::BBR);
    let Load::Pair { second, .. } = row.load else { panic!("{:?}", row.load) };
    row.load = Load::Pair { duration: 2 * SECOND, second };
    let outcome = run(&row, 1, Some(SECOND / 100));
    assert_eq!(outcome.tracks.iter().map(|track| track.name).collect::<Vec<_>>(), ["first flow", "CUBIC"]);
    assert!(outcome.values[0] > 0.0 && outcome.values[0] < 1.0, "{:?}", outcome.values);
    assert!(outcome.violations.is_empty(), "{:?}", outcome.violations);
}

/// A part that is recorded anew changes no other line, and a sender of which nothing is recorded is told as such.
#[test]
fn a_part_can_be_recorded() {
    let all = record::rows();
    let mut text = "seeds,row,figure,value\n".to_string();
    text += "1..20,10m,goodput,0.900000\n1..20,10m,repeated,0.100000\n1..20,1g,goodput,0.800000\n";
    let mut recorded = Recorded::parse(&text).expect("a record");
    assert_eq!(recorded.text(&all), text);
    let bbr = [row("10m").by(Sender::BBR)];
    assert!(recorded.known(&bbr).is_empty() && recorded.known(&[row("100m")]).len() == 1);
    recorded.put("1..20", &bbr, &[Measured { medians: vec![0.95, 0.0], runs: vec![(1, Outcome::default())] }]);
    let lines = "1..20,10m@bbr,goodput,0.950000\n1..20,10m@bbr,repeated,0.000000\n1..20,1g,";
    assert_eq!(recorded.text(&all), text.replace("1..20,1g,", lines));
    assert_eq!(recorded.known(&bbr).len(), 1);
    let table = table::table(&bbr, &[("1..20".into(), vec![vec![f64::NAN, 0.0]])]);
    assert!(
        table.contains("| ≥ 0.95   | not recorded |         |") && table.contains("| 0.00 %       | yes"),
        "{table}"
    );
}

/// Rows beside CUBIC and with deep queues are recorded with CUBIC and BBR.
#[test]
fn new_rows_are_recorded_with_two_senders() {
    let of = |name: &str| record::rows().into_iter().filter(|row| row.name == name).count();
    assert_eq!((of("standing-10m"), of("beside-cubic-deep"), of("10m")), (2, 2, 9));
}
