//! `examples/handshake` shows what it promises.

use std::time::Duration;

use segue::{Action, CloseReason, Discard, Event, Flags, IcmpKind, Instant, Report, Segment, State};
use segue_handshake::args::{HELP, Options, parse};
use segue_handshake::{capture, demo};
use segue_kit::net::{CLIENT_PORT, Ladder, Side, Trace, What};

#[test]
fn the_default_run_shows_one_loss_its_repair_and_the_four_way_close() {
    let options = Options::default();
    let outcome = demo::run(&options).expect_finished();
    let losses = outcome.trace.records.iter().filter_map(|record| match &record.what {
        What::Depart { segment, lost: Some(_), .. } => Some(segment.payload.len()),
        _ => None,
    });
    let losses: Vec<usize> = losses.collect();
    assert!(matches!(losses[..], [text] if text > 0), "not exactly one loss, of text: {losses:?}");
    let text = demo::show(&outcome, &options);
    for state in State::ALL {
        let simultaneous = state == State::Closing;
        assert!(text.contains(state.name()) != simultaneous, "{state} in\n{text}");
    }
    assert!(text.contains("✗ lost") && text.contains("(again)") && text.contains("timer: TimeWait"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 120), "wider than 120 columns\n{text}");
}

#[test]
fn the_ladder_has_the_cause_and_clause_of_each_transition_and_end() {
    let options = Options::default();
    let text = demo::show(&demo::run(&options).expect_finished(), &options);
    for cause in [
        "│ the user opened (RFC 9293 §3.10.1) ",
        " a SYN arrived, and we answer it (RFC 9293 §3.10.7.2 third) │",
        "│ the SYN,ACK acknowledges our SYN (RFC 9293 §3.10.7.3 fourth) ",
        " our SYN is acknowledged (RFC 9293 §3.10.7.4 fifth) │",
        "│ the user closed (RFC 9293 §3.10.4) ",
        " the peer closed: its FIN arrived (RFC 9293 §3.10.7.4 eighth) │",
        "│ our FIN is acknowledged (RFC 9293 §3.10.7.4 fifth) ",
        " the user closed, after the peer (RFC 9293 §3.10.4) │",
        " our FIN is acknowledged: both have closed (RFC 9293 §3.10.7.4 fifth) │",
        "│ 2 MSL are over (RFC 9293 §3.10.8) ",
        "│ closed: finished: both sides closed (RFC 9293 §3.6) ",
    ] {
        assert!(text.contains(cause), "{cause} in\n{text}");
    }
}

#[test]
fn the_ladder_tells_discards_reports_and_ends_in_words() {
    let plan = demo::plan(&Options::default());
    let mut trace = Trace::new(100);
    let refused = Segment { flags: Flags::RST | Flags::ACK, ..Segment::default() };
    let cause = Event::Segment(refused).cause(State::SynSent, State::Closed);
    for (what, after) in [
        (What::Told(Action::Discarded(Discard::Duplicate)), 1),
        (What::Told(Action::Discarded(Discard::ReassemblyFull)), 2),
        (What::Told(Action::Report(Report::Icmp(IcmpKind::TimeExceeded))), 3),
        (What::State(State::Closed, cause), 4),
        (What::Told(Action::Closed(CloseReason::Refused)), 4),
    ] {
        trace.push(Instant::ZERO + Duration::from_millis(after), Side::Client, what);
    }
    let text = Ladder::new(&plan, &trace).to_string();
    for words in [
        "      1.0              │ discards: duplicate (RFC 9293 §3.10.7.4 first) ",
        // of more than a line
        "      2.0              │ discards: too many ranges out of order (RFC 9293 §3.10.7.4 seventh; ",
        "      2.0              │ Config::max_ranges) ",
        "      3.0              │ reports: ICMP error: time exceeded ",
        "      4.0       CLOSED │ ",
        "      4.0              │ the peer refused: a reset acknowledges our SYN (RFC 9293 §3.10.7.3 ",
        "      4.0              │ second) ",
        "      4.0              │ closed: connection refused (RFC 9293 §3.10.7.3 second) ",
    ] {
        assert!(text.contains(words), "{words} in\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 120), "wider than 120 columns\n{text}");
}

#[test]
fn any_seed_and_loss_gives_a_whole_conversation() {
    for (seed, loss, size) in [(1, 0, 0), (2, 0, 1), (3, 100, 100_000), (4, 200, 5000), (5, 10, 1_000_000)] {
        let options = Options { seed, loss, size, pcap: None };
        let outcome = demo::run(&options).expect_accounted();
        let text = demo::show(&outcome, &options);
        assert!(text.lines().all(|line| line.chars().count() <= 120), "wider than 120 columns\n{text}");
    }
}

/// The capture holds the client's segments as other tools read them.
#[test]
fn the_capture_can_be_read_back() {
    let outcome = demo::run(&Options::default());
    let mut file = Vec::new();
    capture::write(&outcome, &mut file).expect("a Vec takes all");
    let mut reader = pcap_file::pcap::PcapReader::new(&file[..]).expect("a capture");
    let (mut packets, mut text) = (0, 0);
    while let Some(packet) = reader.next_packet() {
        let packet = packet.expect("a whole packet");
        let sliced = etherparse::SlicedPacket::from_ip(&packet.data).expect("an IP packet");
        let Some(etherparse::TransportSlice::Tcp(tcp)) = sliced.transport else { panic!("not TCP") };
        packets += 1;
        if tcp.source_port() == CLIENT_PORT {
            text += tcp.payload().len();
        }
    }
    assert!(packets > 10, "{packets}");
    assert!(text as u64 > Options::default().size, "all text, and some of it again: {text}");
}

#[test]
fn good_arguments_are_understood() {
    assert_eq!(parse(["--help"]), Ok(None));
    assert_eq!(parse(["-h"]), Ok(None));
    assert_eq!(parse([""; 0]), Ok(Some(Options::default())));
    let options = Options { seed: 3, loss: 25, size: 0, pcap: Some("x.pcap".into()) };
    assert_eq!(parse(["--seed=3", "--loss", "2.5", "--size", "0", "--pcap", "x.pcap"]), Ok(Some(options)));
}

#[test]
fn the_help_names_every_option_and_the_defaults() {
    let Options { seed, loss, size, .. } = Options::default();
    for piece in ["--seed", "--loss", "--size", "--pcap", "--help"] {
        assert!(HELP.contains(piece), "{piece}");
    }
    for default in [seed, u64::from(loss / 10), size] {
        assert!(HELP.contains(&format!("[default: {default}]")), "{default}");
    }
}

#[test]
fn bad_arguments_are_named() {
    for (args, problem) in [
        (&["--loss", "51"][..], "--loss: '51' is not a number from 0 to 50"),
        (&["--loss", "NaN"], "--loss: 'NaN' is not a number from 0 to 50"),
        (&["--size", "-1"], "--size: '-1' is not a number from 0 to 10000000"),
        (&["--seed"], "--seed: a whole number is missing"),
        (&["--pcap"], "--pcap: the name of a file is missing"),
        (&["--sede", "1"], "invalid option '--sede'"),
        (&["handshake"], "unexpected argument \"handshake\""),
    ] {
        assert_eq!(parse(args.iter().copied()), Err(problem.to_string()));
    }
}
