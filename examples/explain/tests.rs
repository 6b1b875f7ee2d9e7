//! Captures of the kernel and made-up ones.

use std::path::Path;
use std::time::Duration;

use segue::journal::Journal;
use segue::{Discard, Flags, Instant, Options, Segment, SeqNum, State, Timestamps};
use segue_explain::args;
use segue_explain::capture::{Capture, Captured};
use segue_explain::compare::{Difference, What};
use segue_explain::flows::{Flow, flows};
use segue_explain::ladder::Explained;
use segue_explain::owed::Why;
use segue_explain::replica::Unlimited;
use segue_explain::svg;

fn read(file: &Path) -> Result<Capture, String> {
    segue_explain::capture::read(file, |_| {})
}

fn explain(flow: &Flow, near: Option<usize>) -> Explained {
    segue_explain::ladder::explain(flow, near, |_| {})
}

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
    window: u16,
}

const ISS: [SeqNum; 2] = [SeqNum::new(u32::MAX), SeqNum::new(77)];

impl Made {
    fn new() -> Self {
        let (client, server) = ("192.0.2.1:1000".parse().unwrap(), "192.0.2.2:80".parse().unwrap());
        let flow = Flow { client, server, segments: vec![], until: Instant::ZERO };
        let mut made = Self { flow, now: Instant::from_millis(1000), window: 65_000 };
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
            window: self.window,
            options: options.into(),
            payload: vec![b'x'; len].into(),
            ..Segment::default()
        };
        self.flow.segments.push(Captured { at: self.now, from: ends[end], to: ends[1 - end], segment });
    }

    fn differences(&self) -> Vec<What> {
        let explained = explain(&Flow { until: self.now, ..self.flow.clone() }, None);
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
    assert_eq!(told, ["discards: an inexact reset, challenged (RFC 5961 §3.2)"]);
    let explained = explain(&made.flow, Some(0));
    assert!(explained.rows.iter().all(|row| !row.words.contains("discards")), "at the far end nobody knows");
}

/// An end that says nothing for a while, then nothing that differs.
fn after_silence(came: impl FnOnce(&mut Made)) -> Vec<What> {
    let mut made = Made::new();
    made.segment(0, Flags::ACK, [1, 1], 100);
    made.segment(1, Flags::ACK, [1, 101], 0);
    came(&mut made);
    made.pass(501);
    made.segment(1, Flags::ACK, [1, 101], 0);
    made.differences()
}

#[test]
fn an_answer_that_is_owed_at_once_and_does_not_come_is_a_difference() {
    let owed = |reason| What::NoAnswer(Why::Discarded(reason));
    let duplicate = |made: &mut Made| made.segment(0, Flags::ACK, [1, 1], 100);
    assert_eq!(after_silence(duplicate), [owed(Discard::Duplicate)]);
    // beyond the window of this end, though the replica has room for it
    let beyond = |made: &mut Made| made.segment(0, Flags::ACK, [65_101, 1], 100);
    assert_eq!(after_silence(beyond), [owed(Discard::OutOfWindow)]);
    let probe = |made: &mut Made| made.segment(0, Flags::ACK, [100, 1], 0);
    assert_eq!(after_silence(probe), [What::NoAnswer(Why::KeepAlive)]);
    let reset = |made: &mut Made| made.segment(0, Flags::RST, [200, 0], 0);
    assert_eq!(after_silence(reset), [owed(Discard::ResetChallenged)]);
    let all = after_silence(|made| {
        duplicate(made);
        beyond(made);
        reset(made);
    });
    assert_eq!(all, [owed(Discard::Duplicate), owed(Discard::OutOfWindow), owed(Discard::ResetChallenged)]);
}

#[test]
fn an_answer_in_time_or_a_silence_that_rfcs_allow_is_no_difference() {
    let answered = after_silence(|made| {
        made.segment(0, Flags::ACK, [1, 1], 100);
        made.pass(500);
        made.segment(1, Flags::ACK, [1, 101], 0);
    });
    assert_eq!(answered, []);
    // challenges are throttled: the first was answered
    let throttled = after_silence(|made| {
        made.segment(0, Flags::RST, [200, 0], 0);
        made.segment(1, Flags::ACK, [1, 101], 0);
        made.pass(900);
        made.segment(0, Flags::RST, [300, 0], 0);
    });
    assert_eq!(throttled, []);
    // nobody answers a reset outside of the window
    assert_eq!(after_silence(|made| made.segment(0, Flags::RST, [70_000, 0], 0)), []);
    // the capture ends too early to know
    let mut made = Made::new();
    made.segment(0, Flags::ACK, [1, 1], 100);
    made.segment(1, Flags::ACK, [1, 101], 0);
    made.segment(0, Flags::ACK, [1, 1], 100);
    made.pass(500);
    assert_eq!(made.differences(), []);
    made.pass(1);
    assert_eq!(made.differences(), [What::NoAnswer(Why::Discarded(Discard::Duplicate))]);
}

#[test]
fn a_fin_and_text_out_of_order_wait_no_longer_than_text() {
    let fin = after_silence(|made| made.segment(0, Flags::ACK | Flags::FIN, [101, 1], 0));
    assert_eq!(fin, [What::Silent(501)]);
    let gap = after_silence(|made| made.segment(0, Flags::ACK, [201, 1], 50));
    assert_eq!(gap, [What::Silent(501)]);
}

#[test]
fn text_beyond_the_peers_window_is_a_difference() {
    let send = |made: &mut Made, octets: u32| {
        for n in 0..octets / 1400 {
            made.segment(1, Flags::ACK, [1 + 1400 * n, 1], 1400);
        }
    };
    let mut made = Made::new();
    send(&mut made, 64_400);
    made.pass(20);
    made.segment(0, Flags::ACK, [1, 64_401], 0);
    assert_eq!(made.differences(), []);
    let mut made = Made::new();
    send(&mut made, 84_000);
    made.pass(20);
    made.segment(0, Flags::ACK, [1, 84_001], 0);
    made.pass(3000);
    assert_eq!(made.differences(), [What::BeyondWindow(19_000)]);
    assert_eq!(beyond_closed(0), [], "an octet beyond a closed window is a probe");
    assert_eq!(beyond_closed(1), [What::BeyondWindow(2)]);
}

/// An octet this far beyond a closed window.
fn beyond_closed(distance: u32) -> Vec<What> {
    let mut made = Made::new();
    made.segment(1, Flags::ACK, [1, 1], 65_000);
    made.window = 0;
    made.segment(0, Flags::ACK, [1, 65_001], 0);
    made.window = 65_000;
    made.segment(1, Flags::ACK, [65_001 + distance, 1], 1);
    made.differences()
}

#[test]
fn an_option_that_the_peer_did_not_offer_is_a_difference() {
    let offers = |end: usize, options: Options| {
        let mut made = Made::new();
        made.flow.segments[end].segment.options = options.into();
        made
    };
    let stamped = Options { timestamps: Some(Timestamps { value: 1, echo: 0 }), ..Options::default() };
    assert_eq!(offers(1, stamped).differences(), [What::NotOffered("timestamps", "RFC 7323 §3.2")]);
    let scaled = Options { window_scale: Some(7), ..Options::default() };
    assert_eq!(offers(1, scaled).differences(), [What::NotOffered("a window scale", "RFC 7323 §2.2")]);
    assert_eq!(offers(0, scaled).differences(), [], "a SYN offers what it likes");
    let sacks = Options { sack_permitted: true, ..Options::default() };
    assert_eq!(offers(1, sacks).differences(), [], "RFC 2018 §2 allows it");
    let mut made = Made::new();
    made.segment(0, Flags::ACK, [101, 1], 100);
    made.segment(1, Flags::ACK, [1, 1], 0);
    let mut options = Options::default();
    options.sack.push(segue::SackBlock { left: ISS[0] + 101, right: ISS[0] + 201 });
    made.flow.segments[4].segment.options = options.into();
    assert_eq!(made.differences(), [What::NotOffered("SACK blocks", "RFC 2018 §4")]);
}

/// The capture may show segments in another order than the end sent them, or not at all.
#[test]
fn text_that_the_capture_shows_late_is_no_difference() {
    let mut made = Made::new();
    for seq in [101, 1, 301, 251, 201] {
        made.segment(1, Flags::ACK, [seq, 1], if seq > 200 { 50 } else { 100 });
    }
    made.segment(1, Flags::ACK, [451, 1], 50); // what is before it never shows
    made.pass(20);
    made.segment(0, Flags::ACK, [1, 501], 0);
    made.segment(1, Flags::ACK, [501, 1], 50);
    made.pass(20);
    made.segment(0, Flags::ACK, [1, 551], 0);
    let explained = explain(&made.flow, None);
    assert_eq!(made.differences(), []);
    assert!(explained.rows.iter().all(|row| !row.words.contains("discards")), "{:?}", explained.rows);
}

/// The differences of a capture in words.
#[test]
fn a_difference_names_its_clause() {
    let told = |what| Difference { at: Instant::from_millis(1002), what }.to_string();
    for (what, words) in [
        (
            What::Silent(700),
            "       2.000 ms  it has not acknowledged text for 700 ms; segue does within `delayed_ack` (MUST-40)",
        ),
        (
            What::NoAnswer(Why::Discarded(Discard::Duplicate)),
            "       2.000 ms  it does not answer within 500 ms, segue does at once: duplicate (RFC 9293 §3.10.7.4 first)",
        ),
        (
            What::NoAnswer(Why::Discarded(Discard::ResetChallenged)),
            "       2.000 ms  it does not answer within 500 ms, segue does at once: an inexact reset, challenged (RFC 5961 §3.2; §7 \
             allows silence only to throttle)",
        ),
        (
            What::BeyondWindow(19_000),
            "       2.000 ms  it sends 19000 octets beyond the peer's window (RFC 9293 §3.4, SND.UNA+SND.WND)",
        ),
        (
            What::NotOffered("timestamps", "RFC 7323 §3.2"),
            "       2.000 ms  it sends timestamps, which the peer did not offer (RFC 7323 §3.2)",
        ),
    ] {
        assert_eq!(told(what), words);
    }
}

/// A conversation with a transition, a discard and an end to tell of.
fn with_notes() -> Explained {
    let mut made = Made::new();
    made.segment(0, Flags::RST, [9, 0], 0);
    made.segment(1, Flags::ACK, [1, 1], 0);
    made.segment(0, Flags::RST, [1, 0], 0);
    explain(&made.flow, None)
}

const NOTES: [&str; 3] = [
    "ESTABLISHED: our SYN is acknowledged (RFC 9293 §3.10.7.4 fifth)",
    "discards: an inexact reset, challenged (RFC 5961 §3.2)",
    "the end: connection reset by the peer (RFC 9293 §3.10.7.4 second)",
];

#[test]
fn the_text_has_the_causes_beside_their_end() {
    let rows: Vec<String> = with_notes().rows.iter().map(ToString::to_string).collect();
    for note in NOTES {
        let row =
            rows.iter().find(|row| row.contains(note)).unwrap_or_else(|| panic!("{note} in\n{}", rows.join("\n")));
        let (left, right) = row.split_once(note).unwrap();
        assert!(left.ends_with("  ") && right.starts_with("  │ "), "at the server's side: {row}");
    }
    let opened = "SYN-SENT: the user opened (RFC 9293 §3.10.1)";
    assert!(rows[0].contains(&format!("│  {opened}  ")) && rows[0].ends_with("│ CLOSED"), "{}", rows[0]);
    let syn = rows.iter().find(|row| row.contains("[S]")).unwrap();
    assert!(syn.contains("SYN-SENT │─ [S] seq 0, win 65000 <mss 1460> ──") && syn.contains("─▶│"), "{syn}");
    let answer = rows.iter().find(|row| row.contains("[S.]")).unwrap();
    assert!(
        answer.contains("│◀──") && answer.contains("[S.] seq 0, ack 1, win 65000 <mss 1460> ─│ SYN-RECEIVED"),
        "{answer}"
    );
}

#[test]
fn the_picture_has_the_causes() {
    let picture = svg::draw(&with_notes().rows, "notes").unwrap();
    for note in NOTES {
        assert!(picture.contains(&format!(">{note}</text>")), "{note} in\n{picture}");
    }
    let red = picture.lines().filter(|line| line.contains("#b00")).collect::<Vec<_>>();
    assert!(matches!(red[..], [one] if one.contains(NOTES[1])), "a discard stands out: {red:?}");
}

#[test]
fn the_picture_has_an_arrow_for_each_segment() {
    let flow = &kernel()[0];
    let picture = svg::draw(&explain(flow, None).rows, "a < b").unwrap();
    assert_eq!(picture.matches("marker-end").count(), flow.segments.len());
    assert!(picture.contains("a &lt; b") && picture.ends_with("</svg>\n"));
}

/// The lengths of the flows of these segments.
fn lengths(segments: Vec<Captured>) -> Vec<usize> {
    flows(&Capture { segments, others: 0 }).iter().map(|flow| flow.segments.len()).collect()
}

/// The same conversation with other initial numbers.
fn renumbered(segments: &[Captured]) -> Vec<Captured> {
    let again = segments.iter().cloned().map(|mut captured| {
        captured.segment.seq += 1000;
        if captured.segment.flags.contains(Flags::ACK) {
            captured.segment.ack += 1000;
        }
        captured
    });
    again.collect()
}

#[test]
fn a_flow_of_another_number_begins_anew_when_its_syn_is_acknowledged() {
    let first = Made::new().flow.segments;
    let second = renumbered(&first);
    assert_eq!(lengths([&first[..], &second].concat()), [3, 3]);
    let found = flows(&Capture { segments: [&first[..], &second[..2]].concat(), others: 0 });
    assert!(found.iter().all(Flow::has_syn));
    // a blind SYN in an open connection
    let blind = [&first[..], &second[..1], &first[2..]].concat();
    assert_eq!(lengths(blind.clone()), [5]);
    let found = flows(&Capture { segments: blind, others: 0 });
    let told: Vec<_> = explain(&found[0], None).rows.into_iter().map(|row| row.words).collect();
    assert!(told.iter().any(|words| words.contains("a SYN on an open connection, challenged")), "{told:?}");
    let acks = told.iter().filter(|words| words.starts_with("[.] seq 1, ack 1,"));
    assert_eq!(acks.count(), 2, "numbers count from the first SYNs: {told:?}");
}

#[test]
fn a_syn_after_the_end_begins_anew_unanswered() {
    let mut made = Made::new();
    let second = renumbered(&made.flow.segments[..1]);
    let reset = {
        let mut made = Made::new();
        made.segment(1, Flags::RST, [1, 0], 0);
        made.flow.segments
    };
    assert_eq!(lengths([&reset[..], &second].concat()), [4, 1]);
    made.segment(0, Flags::ACK | Flags::FIN, [1, 1], 0);
    assert_eq!(lengths([&made.flow.segments[..], &second].concat()), [5], "one of them has not closed");
    made.segment(1, Flags::ACK | Flags::FIN, [1, 2], 0);
    assert_eq!(lengths([&made.flow.segments[..], &second].concat()), [5, 1]);
    let mut forged = Made::new();
    forged.segment(1, Flags::RST, [500, 0], 0);
    assert_eq!(lengths([&forged.flow.segments[..], &second].concat()), [5], "an inexact reset ends nothing");
}

#[test]
fn crossing_syns_are_one_flow() {
    let mut made = Made::new();
    made.flow.segments.truncate(1);
    made.segment(1, Flags::SYN, [0, 0], 0);
    made.segment(0, Flags::SYN | Flags::ACK, [0, 1], 0);
    made.segment(1, Flags::SYN | Flags::ACK, [0, 1], 0);
    assert_eq!(lengths(made.flow.segments), [4]);
}

/// 100 times as many take some 100 times as long; a search through all flows for each segment took 10,000 times.
#[test]
fn many_flows_are_sorted_without_a_search_through_all() {
    let first = Made::new().flow.segments;
    let many = |count: u32| {
        let ends = (0..count).flat_map(|n| {
            let client = std::net::SocketAddr::from((std::net::Ipv4Addr::from_bits(n), 1000));
            first.clone().into_iter().map(move |mut captured| {
                *(if captured.to.port() == 80 { &mut captured.from } else { &mut captured.to }) = client;
                captured
            })
        });
        Capture { segments: ends.collect(), others: 0 }
    };
    let took = |count: u32| {
        let capture = many(count);
        let began = std::time::Instant::now();
        assert_eq!(flows(&capture).len(), count as usize);
        began.elapsed()
    };
    took(300);
    let (few, all) = ((0..10).map(|_| took(300)).sum::<Duration>() / 10, took(30_000));
    assert!(all < 1000 * few, "{few:?} for 300, {all:?} for 30000");
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
