//! Tables, plots, numbers and options.

use segue_sim::args::{HELP, Mode, Options, parse};
use segue_sim::host::{Sample, Track};
use segue_sim::link::{MILLISECOND, SECOND};
use segue_sim::measure::{self, median, percentile};
use segue_sim::record::{Change, Recorded, change};
use segue_sim::rows::{Figure, Row, Sender, Unit, Want, all, matrix};
use segue_sim::table::{Verdict, verdict};
use segue_sim::{svg, table};

#[test]
fn medians_and_percentiles() {
    assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
    assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    assert!(median(vec![]).is_nan());
    let values = (1..=200).map(f64::from).collect::<Vec<_>>();
    assert_eq!([50, 95, 99].map(|p| percentile(&values, p)), [100.0, 190.0, 198.0]);
    assert_eq!(percentile(&[7.0], 99), 7.0);
}

#[test]
fn one_percent_off_still_counts() {
    let cases = [
        (Want::AtLeast(0.5), 0.5, Verdict::Reached),
        (Want::AtLeast(0.5), 0.496, Verdict::Nearly),
        (Want::AtLeast(0.5), 0.494, Verdict::Missed),
        (Want::AtMost(189.0), 190.8, Verdict::Nearly),
        (Want::AtMost(189.0), 191.0, Verdict::Missed),
        (Want::AtMost(0.0), 0.0, Verdict::Reached),
        (Want::AtMost(0.0), 1.0, Verdict::Missed),
        (Want::Between(0.4, 0.6), 0.61, Verdict::Missed),
        (Want::Between(0.4, 0.6), 0.4, Verdict::Reached),
        (Want::AtLeast(0.5), f64::NAN, Verdict::Missed),
        (Want::Less, 1e9, Verdict::Free),
    ];
    for (want, value, expected) in cases {
        assert_eq!(verdict(want, value), expected, "{want:?} and {value}");
    }
}

#[test]
fn worse_is_what_goes_the_wrong_way_by_more_than_one_percent() {
    let figure = |want, unit| Figure { name: "x", unit, want };
    let cases = [
        (figure(Want::AtLeast(0.9), Unit::Share), 0.95, 0.95, Change::Same),
        (figure(Want::AtLeast(0.9), Unit::Share), 0.95, 0.96, Change::Better),
        (figure(Want::More, Unit::Share), 0.95, 0.942, Change::Slight),
        (figure(Want::More, Unit::Share), 0.95, 0.940, Change::Worse),
        (figure(Want::Less, Unit::Percent), 0.01, 0.0101, Change::Slight),
        (figure(Want::Less, Unit::Percent), 0.01, 0.0102, Change::Worse),
        (figure(Want::AtMost(1.0), Unit::Percent), 0.0, 0.0001, Change::Slight),
        (figure(Want::AtMost(1.0), Unit::Percent), 0.0, 0.0002, Change::Worse),
        (figure(Want::Less, Unit::Milliseconds), 200.0, 150.0, Change::Better),
        (figure(Want::Less, Unit::Count), 0.0, 1.0, Change::Worse),
        (figure(Want::Between(0.4, 0.6), Unit::Share), 0.5, 0.59, Change::Same),
        (figure(Want::Between(0.4, 0.6), Unit::Share), 0.5, 0.62, Change::Worse),
    ];
    for (figure, recorded, value, expected) in cases {
        assert_eq!(change(&figure, Some(recorded), value), expected, "{figure:?}: {recorded}, now {value}");
    }
    assert_eq!(change(&figure(Want::More, Unit::Share), None, 1.0), Change::Unknown);
}

#[test]
fn the_table_has_a_line_for_each_figure_and_aligned_columns() {
    let rows = all();
    let values = rows.iter().map(|row| vec![0.5; row.figures.len()]).collect::<Vec<_>>();
    let text = table::table(&rows, &[("1..20".into(), values)]);
    let lines = text.lines().collect::<Vec<_>>();
    assert_eq!(lines.len(), 2 + rows.iter().map(|row| row.figures.len()).sum::<usize>());
    let width = lines[0].chars().count();
    assert!(lines.iter().all(|line| line.chars().count() == width && line.matches('|').count() == 6), "{text}");
    assert!(rows.iter().all(|row| text.contains(&format!("| {} ", row.label))), "{text}");
}

#[test]
fn rows_have_names_of_their_own() {
    let rows = all();
    for (i, row) in rows.iter().enumerate() {
        assert!(rows[..i].iter().all(|other| other.name != row.name && other.label != row.label), "{}", row.name);
        assert!(!row.name.contains([',', '/', ' ', '@']), "{} must serve as an option and a file", row.name);
    }
    let ids = matrix(&rows, &Sender::ALL).iter().map(Row::id).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(ids.len(), rows.len() * Sender::ALL.len());
}

fn track(name: &'static str) -> Track {
    let sample = |n: u32| Sample {
        at: u64::from(n) * SECOND / 10,
        cwnd: 14_480 + 1000 * n,
        ssthresh: if n < 5 { u32::MAX } else { 20_000 },
        flight: 10_000,
        srtt: (n > 0).then_some(40 * MILLISECOND),
    };
    Track { name, samples: (0..20).map(sample).collect() }
}

#[test]
fn a_plot_has_a_line_for_each_quantity_with_a_point_for_each_sample() {
    let svg = svg::plot("a < b & c", &[track("")]);
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && svg.contains("a &lt; b &amp; c"));
    let points = svg.lines().filter_map(|line| Some(line.strip_prefix("<polyline points=\"")?.split_once('"')?.0));
    let points = points.map(|points| points.split(' ').count()).collect::<Vec<_>>();
    assert_eq!(points, [20, 20, 15, 19], "cwnd, flight, ssthresh and RTT as far as they are known");
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
}

#[test]
fn numbers_have_a_line_for_each_sample() {
    let csv = svg::numbers(&[track("")]);
    let lines = csv.lines().collect::<Vec<_>>();
    assert_eq!(lines.len(), 21);
    assert_eq!([lines[1], lines[7]], ["0,14480,,10000,", "600000,20480,20000,10000,40000"]);
}

/// The rows of two flows, and those with text in both directions, plot both ends that send.
#[test]
fn a_plot_shows_each_flow_of_its_row() {
    let svg = svg::plot("two", &[track("first flow"), track("second flow")]);
    assert_eq!(
        (svg.matches("<polyline").count(), svg.matches("dasharray").count()),
        (8, 5),
        "one of them in the legend"
    );
    assert!(svg.contains(">first flow</text>") && svg.contains(">second flow</text>"));
    let csv = svg::numbers(&[track("first flow"), track("second flow")]);
    assert!(
        csv.starts_with("flow,time_us,") && csv.contains("\nfirst flow,0,14480") && csv.contains("\nsecond flow,0,")
    );
    let rows = all();
    for (name, tracks) in [("two", 2), ("newreno", 2), ("both-ways-10m", 2), ("turns-1-0", 2), ("10m", 1), ("tail", 1)]
    {
        let row = rows.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("no row {name}"));
        let outcome = measure::run(row, 1, Some(SECOND / 10));
        assert_eq!(outcome.tracks.len(), tracks, "{name}");
        for Track { name: track, samples } in &outcome.tracks {
            let sends = samples.iter().any(|sample| sample.flight > 0) || *track == "who asks"; // small requests
            assert!(sends && !samples.is_empty(), "{name}: {track}");
        }
    }
}

#[test]
fn options_are_understood() {
    let options = parse(["--row", "10m", "--row", "1g", "--seeds", "3..5,9", "--csv", "x", "--verbose"]).unwrap();
    let options = options.expect("no help");
    assert_eq!((options.rows, options.seeds), (vec!["10m".to_string(), "1g".into()], vec![(3, 5), (9, 9)]));
    assert_eq!((options.csv, options.verbose, options.mode), (Some("x".into()), true, Mode::Show));
    assert_eq!(parse([""; 0]), Ok(Some(Options::default())));
    assert_eq!(parse(["-h"]), Ok(None));
    let senders = parse(["--sender", "reno-paced", "--sender", "cubic-bare"]).unwrap().expect("no help").senders;
    assert_eq!(senders.iter().map(|sender| sender.name()).collect::<Vec<_>>(), ["reno-paced", "cubic-bare"]);
    assert_eq!(parse(["--sender", "all"]).unwrap().expect("no help").senders, Sender::ALL);
    let bbr = parse(["--sender", "bbr", "--sender", "bbr-bare"]).unwrap().expect("no help").senders;
    assert_eq!(bbr, [Sender::BBR, Sender { bare: true, ..Sender::BBR }]);
    assert!(parse(["--check", "--part"]).unwrap().expect("no help").part);
    for mode in ["--check", "--record"] {
        assert_eq!(parse([mode]).unwrap().expect("no help").senders, Sender::recorded());
        let part = parse([mode, "--row", "10m", "--sender", "bbr"]).unwrap().expect("no help");
        assert_eq!((part.rows, part.senders), (vec!["10m".to_string()], vec![Sender::BBR]));
    }
    let known =
        ["--list", "--row", "--sender", "--seeds", "--verbose", "--csv", "--svg", "--trace", "--packets", "--check"];
    for option in known.into_iter().chain(["--part", "--record"]) {
        assert!(HELP.contains(&format!("\n  {option} ")), "{option}");
    }
    assert!(HELP.lines().all(|line| line.chars().count() <= 120));
}

#[test]
fn mistakes_in_options_are_told() {
    let cases = [
        (&["--seeds", "5..1"][..], "--seeds: '5..1' is not a set such as 1..20"),
        (&["--seeds"], "--seeds: sets of seeds, as 1..20 is missing"),
        (&["--row"], "--row: the name of a row (see --list) is missing"),
        (&["--svg"], "--svg: the name of a file or directory is missing"),
        (&["--check", "--seeds", "1..2"], "--check decides by itself what runs: leave --seeds away"),
        (&["--record", "--csv", "x"], "--record decides by itself what runs: leave --csv away"),
        (
            &["--sender", "bbr-paced"],
            "--sender: there is no 'bbr-paced', but cubic, cubic-paced, cubic-bare, cubic-paced-bare, reno, reno-paced, \
             reno-bare, reno-paced-bare, bbr, prague, bbr-bare, prague-bare and all",
        ),
        (&["--part"], "--part is a part of --check: give both"),
        (&["--fast"], "invalid option '--fast'"),
        (&["10m"], "unexpected argument \"10m\""),
    ];
    for (args, problem) in cases {
        assert_eq!(parse(args), Err(problem.to_string()));
    }
}

#[test]
fn a_broken_record_is_told() {
    assert_eq!(Recorded::parse("head\na,b,c\n"), Err("not four fields: a,b,c".into()));
    assert_eq!(Recorded::parse("head\na,b,c,d\n"), Err("not a number: a,b,c,d".into()));
}
