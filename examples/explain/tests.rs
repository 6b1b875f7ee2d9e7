//! Captures of the kernel and made-up ones.

use std::path::Path;
use std::time::Duration;

use segue::journal::Journal;
use segue::{Flags, Instant, Options, Segment, SeqNum, State};
use segue_explain::args;
use segue_explain::capture::{Captured, Flow, flows, read};
use segue_explain::compare::What;
use segue_explain::ladder::{Explained, explain};
use segue_explain::replica::Unlimited;
use segue_explain::svg;

fn kernel() -> Vec<Flow> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/kernel.pcap");
    flows(&read(&file).unwrap())
}

#[test]
fn the_kernel_answers_as_segue_does_and_each_transition_has_its_clause() {
    let flows = kernel();
    assert_eq!(flows.len(), 4);
    for flow in &flows {
        let Explained { rows, differences, replicas, near } = explain(flow, None);
        assert_eq!((near, &differences[..]), (0, &[][..]));
        assert_eq!(rows.iter().filter(|row| row.is_segment).count(), flow.segments.len());
        let told = |words: &str| rows.iter().any(|row| !row.is_segment && row.words.contains(words));
        assert!(told("ESTABLISHED: the SYN,ACK acknowledges our SYN (RFC 9293 §3.10.7.3 fourth)"));
        assert!(replicas.iter().all(|replica| replica.state() != State::Established), "it ends");
    }
}

/// A capture becomes a journal, and the journal replays to the same connection.
#[test]
fn the_journals_of_a_capture_replay() {
    for flow in kernel() {
        for replica in explain(&flow, None).replicas {
            let lines = replica.lines.iter().map(|line| {
                let json = serde_json::to_string(line).unwrap();
                serde_json::from_str(&json).unwrap()
            });
            let journal = Journal::read(lines).unwrap();
            let replayed = journal.replay_with(Unlimited).unwrap_or_else(|difference| panic!("{difference}"));
            assert_eq!(Some(&replayed), replica.connection());
        }
    }
}

/// A made-up connection: the server is near, it answers at once.
struct Made {
    flow: Flow,
    now: Instant,
}

const ISS: [SeqNum; 2] = [SeqNum::new(u32::MAX), SeqNum::new(77)];

impl Made {
    fn new() -> Self {
        let (client, server) = ("192.0.2.1:1000".parse().unwrap(), "192.0.2.2:80".parse().unwrap());
        let flow = Flow { client, server, segments: vec![] };
        let mut made = Self { flow, now: Instant::from_millis(1000) };
        made.segment(0, Flags::SYN, [0, 0], 0);
        made.segment(1, Flags::SYN | Flags::ACK, [0, 1], 0);
        made.pass(20);
        made.segment(0, Flags::ACK, [1, 1], 0);
        made
    }

    fn pass(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
    }

    /// A segment of an end; its numbers count from the ISNs.
    fn segment(&mut self, end: usize, flags: Flags, [seq, ack]: [u32; 2], len: usize) {
        let ends = [self.flow.client, self.flow.server];
        let options = Options { mss: flags.contains(Flags::SYN).then_some(1460), ..Options::default() };
        let segment = Segment {
            seq: ISS[end] + seq,
            ack: if flags.contains(Flags::ACK) { ISS[1 - end] + ack } else { SeqNum::default() },
            flags,
            window: 65_000,
            options: options.into(),
            payload: vec![b'x'; len].into(),
            ..Segment::default()
        };
        self.flow.segments.push(Captured { at: self.now, from: ends[end], to: ends[1 - end], segment });
    }

    fn differences(&self) -> Vec<What> {
        let explained = explain(&self.flow, None);
        assert_eq!(explained.near, 1);
        explained.differences.into_iter().map(|difference| difference.what).collect()
    }
}

#[test]
fn an_end_that_does_as_segue_does_differs_in_nothing() {
    let mut made = Made::new();
    made.segment(0, Flags::ACK, [1, 1], 100);
    made.segment(1, Flags::ACK, [1, 101], 500);
    made.pass(20);
    made.segment(0, Flags::ACK | Flags::FIN, [101, 501], 0);
    made.segment(1, Flags::ACK | Flags::FIN, [501, 102], 0);
    made.pass(20);
    made.segment(0, Flags::ACK, [102, 502], 0);
    assert_eq!(made.differences(), []);
}

#[test]
fn each_difference_is_found() {
    // octets that were never sent
    let mut made = Made::new();
    made.segment(0, Flags::ACK, [1, 1], 100);
    made.segment(1, Flags::ACK, [1, 201], 0);
    assert_eq!(made.differences(), [What::Acknowledges(100)]);
    // no acknowledgment
    let mut made = Made::new();
    made.segment(0, Flags::ACK, [1, 1], 100);
    made.pass(700);
    made.segment(0, Flags::ACK, [1, 1], 100);
    made.segment(1, Flags::ACK, [1, 101], 0);
    assert_eq!(made.differences(), [What::Silent(700)]);
    // a retransmission too early, and one that is missing
    let mut made = Made::new();
    made.segment(0, Flags::ACK, [1, 1], 100);
    made.segment(1, Flags::ACK, [1, 101], 500);
    made.pass(5);
    made.segment(1, Flags::ACK, [1, 101], 500);
    made.pass(15);
    made.segment(0, Flags::ACK, [101, 501], 0);
    assert_eq!(made.differences(), [What::Again(1)]);
    let mut made = Made::new();
    made.segment(1, Flags::ACK, [1, 1], 500);
    made.pass(3000);
    made.segment(0, Flags::ACK, [1, 1], 0);
    assert!(made.differences().contains(&What::NotAgain(1)), "{:?}", made.differences());
    // an ACK for what is not our SYN asks for a reset
    let mut made = Made::new();
    made.flow.segments[2].segment.ack += 5;
    assert_eq!(made.differences(), [What::Resets(0, 1)]);
}

#[test]
fn the_near_end_tells_why_it_discards() {
    let mut made = Made::new();
    made.segment(0, Flags::RST, [9, 0], 0);
    let explained = explain(&made.flow, None);
    let told: Vec<&str> =
        explained.rows.iter().map(|row| &*row.words).filter(|words| words.contains("discards")).collect();
    assert_eq!(told, ["discards: ResetChallenged (RFC 5961 §3.2)"]);
    let explained = explain(&made.flow, Some(0));
    assert!(explained.rows.iter().all(|row| !row.words.contains("discards")), "at the far end nobody knows");
}

#[test]
fn the_picture_has_an_arrow_for_each_segment() {
    let flow = &kernel()[0];
    let picture = svg::draw(&explain(flow, None).rows, "a < b").unwrap();
    assert_eq!(picture.matches("marker-end").count(), flow.segments.len());
    assert!(picture.contains("a &lt; b") && picture.ends_with("</svg>\n"));
}

#[test]
fn a_flow_of_another_number_begins_anew() {
    let made = Made::new();
    let mut segments = made.flow.segments;
    let again = segments.clone().into_iter().map(|mut captured| {
        captured.segment.seq += 1000;
        captured
    });
    segments.extend(again);
    let found = flows(&segue_explain::capture::Capture { segments, others: 0 });
    assert_eq!(found.iter().map(|flow| flow.segments.len()).collect::<Vec<_>>(), [3, 3]);
}

#[test]
fn the_command_line_says_what_is_wrong() {
    let refused = |args: &[&str]| args::parse(args).unwrap_err();
    assert_eq!(refused(&[]), "name a capture file");
    assert_eq!(refused(&["a.pcap", "--at", "here"]), "--at: give client or server");
    assert_eq!(refused(&["a.pcap", "--flow", "x"]), "--flow: \"x\" is no whole number");
    assert_eq!(refused(&["a.pcap", "--lines"]), "--lines: a whole number is missing");
    assert!(refused(&["a.pcap", "--wrong"]).contains("--wrong"));
    assert_eq!(args::parse(["--help"]).unwrap(), None);
    let options = args::parse(["--at", "server", "--flow", "2", "a.pcap"]).unwrap().unwrap();
    assert_eq!((options.at, options.flow, options.lines), (Some(1), Some(2), 200));
}

#[test]
fn a_file_that_is_no_capture_is_refused_with_words() {
    let text = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    assert!(read(&text).unwrap_err().contains("no pcap file"), "{:?}", read(&text));
    assert!(read(Path::new("/nowhere/x.pcap")).unwrap_err().starts_with("/nowhere/x.pcap: "));
}
