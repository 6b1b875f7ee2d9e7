//! The stranger does what its RFCs say.

use segue::{Flags, Options, Segment, SeqNum};
use segue_kit::Rng;

use segue_sim::host::End;
use segue_sim::link::{MILLISECOND, SECOND};
use segue_sim::newreno::NewReno;
use segue_sim::user::Text;

const MSS: u32 = 1460;

/// A sender whose connection is open at 40 ms with ten segments out, and the number of its first octet.
fn open() -> (NewReno, SeqNum, Vec<Segment>) {
    let (mut sender, mut out) = (NewReno::new(Text::new(), &mut Rng::new(1), None), Vec::new());
    sender.start(0, &mut out);
    let [syn] = &out[..] else { panic!("not one SYN: {out:?}") };
    let first = syn.seq + 1;
    let options = Options { window_scale: Some(2), ..Options::default() };
    let flags = Flags::SYN | Flags::ACK;
    let syn_ack = Segment {
        seq: SeqNum::new(9),
        ack: first,
        flags,
        window: 65_000,
        options: options.into(),
        ..Segment::default()
    };
    out.clear();
    sender.arrives(syn_ack, 40 * MILLISECOND, &mut out);
    (sender, first, out)
}

fn ack(number: SeqNum) -> Segment {
    Segment { seq: SeqNum::new(10), ack: number, flags: Flags::ACK, window: 30_000, ..Segment::default() }
}

/// What it sends in answer to an acknowledgment, as numbers of segments.
fn answer(sender: &mut NewReno, first: SeqNum, acked: u32, now: u64) -> Vec<u32> {
    let mut out = Vec::new();
    sender.arrives(ack(first + acked * MSS), now * MILLISECOND, &mut out);
    out.iter().map(|segment| (segment.seq - first) / MSS).collect()
}

#[test]
fn it_opens_with_the_ack_and_ten_segments_and_doubles() {
    let (mut sender, first, out) = open();
    assert_eq!((out[0].flags, out[0].ack, out[0].is_empty()), (Flags::ACK, SeqNum::new(10), true));
    let expected = (0..10).map(|n| (first + n * MSS, MSS));
    assert!(out[1..].iter().map(|s| (s.seq, s.len())).eq(expected), "{out:?}");
    assert_eq!(answer(&mut sender, first, 1, 80), [10, 11]);
    // Two segments at once count as one: RFC 5681 (2).
    assert_eq!(answer(&mut sender, first, 3, 81), [12, 13, 14]);
}

#[test]
fn three_duplicates_repair_and_partial_acknowledgments_go_on() {
    let (mut sender, first, _) = open();
    assert_eq!(answer(&mut sender, first, 1, 80), [10, 11]);
    assert_eq!(answer(&mut sender, first, 1, 81), [12], "limited transmit");
    assert_eq!(answer(&mut sender, first, 1, 82), [13]);
    // 11 in flight without the two of limited transmit: ssthresh is 5.5, the window 8.5 with the three that left.
    assert_eq!(answer(&mut sender, first, 1, 83), [1]);
    for n in 84..89 {
        assert_eq!(answer(&mut sender, first, 1, n), [0; 0], "the window is full");
    }
    assert_eq!(answer(&mut sender, first, 1, 89), [14], "a window of 14.5");
    // A partial acknowledgment of four: the next hole, and the window less four and one more.
    assert_eq!(answer(&mut sender, first, 5, 120), [5, 15], "a window of 11.5");
    assert_eq!(answer(&mut sender, first, 5, 121), [16]);
    // All of the fourteen: three in flight and one more, slow start to ssthresh, then one for each.
    assert_eq!(answer(&mut sender, first, 14, 160), [17]);
    assert_eq!(answer(&mut sender, first, 15, 200), [18, 19]);
    assert_eq!(answer(&mut sender, first, 16, 201), [20, 21]);
    assert_eq!(answer(&mut sender, first, 17, 202), [22]);
}

#[test]
fn a_timeout_goes_back_to_one_segment_and_backs_off() {
    let (mut sender, first, _) = open();
    // The handshake measured 40 ms: the minimum of one second holds.
    assert_eq!(sender.wake(), Some(40 * MILLISECOND + SECOND));
    let mut out = Vec::new();
    sender.timer(1040 * MILLISECOND, &mut out);
    assert_eq!(out.iter().map(|s| s.seq).collect::<Vec<_>>(), [first]);
    assert_eq!(sender.wake(), Some(1040 * MILLISECOND + 2 * SECOND));
    assert_eq!(answer(&mut sender, first, 1, 1080), [1, 2], "slow start");
    assert_eq!(sender.report().timeouts, 1);
}
