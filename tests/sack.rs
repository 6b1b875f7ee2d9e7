//! What a receiver reports: the worked examples of RFC 2018 §7 and RFC 2883 §4, row by row, with their numbers.

use segue::{
    Action, Arc, Config, ConfigBuilder, Connection, Flags, Instant, Options, Path, SackBlock, Secrets, Segment, SeqNum,
    Timestamps,
};

/// A receiver whose next expected number is `left`, in the numbers of the example.
struct Receiver {
    connection: Connection,
    timestamps: bool,
    now: Instant,
}

impl Receiver {
    fn new(left: u32, config: ConfigBuilder) -> Self {
        let config = Arc::new(config.build().unwrap());
        let timestamps = config.timestamps();
        let options = Options { mss: Some(1460), sack_permitted: true, ..Options::default() };
        let stamp = |mut options: Options, value| {
            options.timestamps = timestamps.then_some(Timestamps { value, echo: 0 });
            options
        };
        let syn = Segment {
            seq: SeqNum::new(left) - 1,
            flags: Flags::SYN,
            window: 65_535,
            options: stamp(options, 0).into(),
            ..Segment::default()
        };
        let now = Instant::from_millis(1000);
        let secrets = Secrets { iss: SeqNum::new(99), ts_offset: 0 };
        let (connection, _) = Connection::accept(config, Path::ipv4(1500), secrets, syn, now);
        let mut receiver = Self { connection, timestamps, now };
        receiver.arrives(left, 0);
        receiver
    }

    /// `len` octets at `seq` arrive. What the ACK says, if one is sent: `acknowledged: left-right …`.
    fn arrives(&mut self, seq: u32, len: usize) -> String {
        self.arrives_with(Flags::ACK, seq, len)
    }

    fn arrives_with(&mut self, flags: Flags, seq: u32, len: usize) -> String {
        let timestamps = self.timestamps.then_some(Timestamps { value: 0, echo: 0 });
        let segment = Segment {
            seq: SeqNum::new(seq),
            ack: SeqNum::new(100),
            flags,
            window: 65_535,
            options: Options { timestamps, ..Options::default() }.into(),
            payload: vec![0; len].into(),
            ..Segment::default()
        };
        let actions = self.connection.handle_segment(segment, self.now);
        let acks: Vec<_> = actions
            .iter()
            .filter_map(|action| if let Action::Transmit(segment) = action { Some(said(segment)) } else { None })
            .collect();
        assert!(acks.len() <= 1, "{acks:?}");
        acks.concat()
    }
}

fn said(ack: &Segment) -> String {
    let block = |block: &SackBlock| format!(" {}-{}", block.left, block.right);
    let blocks: String = ack.options.sack().iter().map(block).collect();
    format!("{}:{blocks}", ack.ack)
}

fn plain() -> ConfigBuilder {
    Config::builder().timestamps(false).delayed_ack(core::time::Duration::ZERO)
}

/// Plays rows of (first number, octets, what the ACK says).
fn play(left: u32, rows: &[(u32, usize, &str)]) {
    let mut receiver = Receiver::new(left, plain());
    for &(seq, len, expected) in rows {
        assert_eq!(receiver.arrives(seq, len), expected, "for {seq}, {len} octets");
    }
}

#[test]
fn rfc_2018_case_1_in_order_text_is_acknowledged_without_sack() {
    play(5000, &[(5000, 500, "5500:"), (5500, 500, "6000:"), (6000, 500, "6500:"), (6500, 500, "7000:")]);
}

#[test]
fn rfc_2018_case_2_the_first_segment_is_lost() {
    play(
        5000,
        &[
            (5500, 500, "5000: 5500-6000"),
            (6000, 500, "5000: 5500-6500"),
            (6500, 500, "5000: 5500-7000"),
            (7000, 500, "5000: 5500-7500"),
            (7500, 500, "5000: 5500-8000"),
            (8000, 500, "5000: 5500-8500"),
            (8500, 500, "5000: 5500-9000"),
        ],
    );
}

#[test]
fn rfc_2018_case_3_every_other_segment_is_lost_then_the_fourth_and_second_arrive() {
    play(
        5000,
        &[
            (5000, 500, "5500:"),
            (6000, 500, "5500: 6000-6500"),
            (7000, 500, "5500: 7000-7500 6000-6500"),
            (8000, 500, "5500: 8000-8500 7000-7500 6000-6500"),
            (6500, 500, "5500: 6000-7500 8000-8500"),
            (5500, 500, "7500: 8000-8500"),
        ],
    );
}

/// RFC 2018 §3: four blocks fill the option area, three beside timestamps; the oldest is left out.
#[test]
fn as_many_blocks_as_fit_are_reported() {
    for (config, blocks) in [(plain(), 4), (plain().timestamps(true), 3)] {
        let mut receiver = Receiver::new(1000, config);
        let last = (1..=6).map(|n| receiver.arrives(1000 + 200 * n, 100)).last().unwrap();
        let reported: Vec<_> =
            (0..blocks).map(|n| 2200 - 200 * n).map(|left| format!("{left}-{}", left + 100)).collect();
        assert_eq!(last, format!("1000: {}", reported.join(" ")));
    }
}

/// A FIN takes a number, and a report of all that arrived has it: with the text before it, or as a range of its own.
#[test]
fn a_fin_out_of_order_is_reported() {
    const FIN: Flags = Flags::ACK.union(Flags::FIN);
    for left in [5000, u32::MAX - 1200, (1 << 31) - 1200] {
        let at = |n: u32| left.wrapping_add(n);
        let says = |acked: u32, blocks: &[(u32, u32)]| {
            let block = |&(l, r): &(u32, u32)| format!(" {}-{}", at(l), at(r));
            format!("{}:{}", at(acked), blocks.iter().map(block).collect::<String>())
        };
        let mut receiver = Receiver::new(left, plain());
        assert_eq!(receiver.arrives_with(FIN, at(1000), 500), says(0, &[(1000, 1501)]), "it leaves with text");
        assert_eq!(receiver.arrives(at(500), 500), says(0, &[(500, 1501)]));
        assert_eq!(receiver.arrives(at(0), 500), says(1501, &[]));
        let mut receiver = Receiver::new(left, plain());
        assert_eq!(receiver.arrives_with(FIN, at(1500), 0), says(0, &[(1500, 1501)]), "it leaves alone");
        assert_eq!(receiver.arrives(at(500), 500), says(0, &[(500, 1000), (1500, 1501)]));
        assert_eq!(receiver.arrives_with(FIN, at(1500), 0), says(0, &[(1500, 1501), (500, 1000)]), "the latest first");
        assert_eq!(receiver.arrives(at(1000), 500), says(0, &[(500, 1501)]));
        assert_eq!(receiver.arrives(at(0), 500), says(1501, &[]));
        let mut receiver = Receiver::new(left, plain());
        assert_eq!(receiver.arrives(at(1000), 500), says(0, &[(1000, 1500)]));
        assert_eq!(receiver.arrives_with(FIN, at(1500), 0), says(0, &[(1000, 1501)]), "it leaves after the last text");
    }
}

#[test]
fn rfc_2883_example_1_a_duplicate_segment() {
    play(3000, &[(3000, 500, "3500:"), (3500, 500, "4000:"), (3000, 500, "4000: 3000-3500")]);
}

#[test]
fn rfc_2883_example_2_an_out_of_order_segment_and_a_duplicate_segment() {
    play(
        3000,
        &[
            (3000, 500, "3500:"),
            (3500, 500, "4000:"),
            (4500, 500, "4000: 4500-5000"),
            (3000, 500, "4000: 3000-3500 4500-5000"),
        ],
    );
}

#[test]
fn rfc_2883_example_3_a_duplicate_of_an_out_of_order_segment() {
    play(
        3500,
        &[
            (3500, 500, "4000:"),
            (4500, 500, "4000: 4500-5000"),
            (5000, 500, "4000: 4500-5500"),
            (5000, 500, "4000: 5000-5500 4500-5500"),
        ],
    );
}

#[test]
fn rfc_2883_example_4_a_single_duplicate_subsegment() {
    play(
        500,
        &[
            (500, 500, "1000:"),
            (2000, 500, "1000: 2000-2500"),
            (1000, 500, "1500: 2000-2500"),
            (1000, 1000, "2500: 1000-1500"),
        ],
    );
}

#[test]
fn rfc_2883_example_5_two_duplicate_subsegments_covered_by_the_acknowledgment() {
    play(
        500,
        &[
            (500, 500, "1000:"),
            (3000, 500, "1000: 3000-3500"),
            (1000, 500, "1500: 3000-3500"),
            (2000, 500, "1500: 2000-2500 3000-3500"),
            (1000, 1500, "2500: 1000-1500 3000-3500"),
        ],
    );
}

/// The table of the RFC calls the second late segment 2000-2499, but only 2500-2999, which its first column has as
/// delayed, is apart from 1500-2000: this test plays that.
#[test]
fn rfc_2883_example_6_two_duplicate_subsegments_above_the_acknowledgment() {
    play(
        500,
        &[
            (500, 500, "1000:"),
            (3500, 500, "1000: 3500-4000"),
            (1500, 500, "1000: 1500-2000 3500-4000"),
            (2500, 500, "1000: 2500-3000 1500-2000 3500-4000"),
            (1500, 1500, "1000: 1500-2000 1500-3000 3500-4000"),
        ],
    );
}

/// RFC 2883 §4 (2): each duplicate is reported once; what comes after it is reported as before.
#[test]
fn a_duplicate_is_reported_once() {
    play(
        1000,
        &[
            (1000, 500, "1500:"),
            (2000, 500, "1500: 2000-2500"),
            (1000, 500, "1500: 1000-1500 2000-2500"),
            (2500, 500, "1500: 2000-3000"),
        ],
    );
}

/// A keep-alive without text, and a segment that says nothing, repeat nothing: their answers report no empty range.
#[test]
fn what_brings_no_text_is_not_reported() {
    let mut receiver = Receiver::new(1000, plain());
    assert_eq!(receiver.arrives(1000, 500), "1500:");
    for flags in [Flags::ACK, Flags::empty()] {
        for seq in [1499, 1200, 1000] {
            assert_eq!(receiver.arrives_with(flags, seq, 0), "1500:", "{flags:?} at {seq}");
        }
        assert_eq!(receiver.arrives_with(flags, 1200, 100), "1500: 1200-1300");
    }
}

/// Without D-SACK, and without SACK, the same ACKs say less.
#[test]
fn the_knobs_switch_it_off() {
    let mut receiver = Receiver::new(1000, plain().dsack(false));
    assert_eq!(receiver.arrives(1000, 500), "1500:");
    assert_eq!(receiver.arrives(2000, 500), "1500: 2000-2500");
    assert_eq!(receiver.arrives(1000, 500), "1500: 2000-2500");
    let mut receiver = Receiver::new(1000, plain().sack(false));
    assert_eq!(receiver.arrives(2000, 500), "1000:");
    assert_eq!(receiver.arrives(2000, 500), "1000:");
}

/// What lies further back than the stream reaches never arrived: it is acknowledged, not reported.
#[test]
fn text_from_before_the_stream_is_not_reported() {
    play(1000, &[(1000, 100, "1100:"), (500, 100, "1100:"), (1000, 50, "1100: 1000-1050")]);
    play(1000, &[(1000 + (1 << 31), 100, "1000:"), (1000u32.wrapping_sub(1 << 30), 100, "1000:")]);
}

/// Text on the SYN is held and not acknowledged: nothing reports it before the handshake is complete.
#[test]
fn text_on_the_syn_is_not_reported() {
    let options = Options { sack_permitted: true, ..Options::default() };
    let payload = bytes::Bytes::from_static(b"early");
    let syn = Segment {
        seq: SeqNum::new(999),
        flags: Flags::SYN,
        window: 9000,
        options: options.into(),
        payload,
        ..Segment::default()
    };
    let config = Arc::new(plain().build().unwrap());
    let secrets = Secrets { iss: SeqNum::new(99), ts_offset: 0 };
    let (mut connection, _) = Connection::accept(config, Path::ipv4(1500), secrets, syn, Instant::ZERO);
    let late = Segment { seq: SeqNum::new(900), flags: Flags::ACK, payload: vec![0; 50].into(), ..Segment::default() };
    let actions = connection.handle_segment(late, Instant::ZERO);
    let acks: Vec<_> =
        actions.iter().filter_map(|a| if let Action::Transmit(s) = a { Some(said(s)) } else { None }).collect();
    assert_eq!(acks, ["1000:"]);
}
