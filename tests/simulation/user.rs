//! Users and hosts of the simulator.

use bytes::Bytes;
use segue::{Ecn, Flags, Options, Segment, SeqNum, Timestamps, codec};

use segue_sim::user::{Writer, coalesce};

fn text(seq: u32, len: usize) -> Segment {
    let payload = Bytes::from(vec![seq as u8; len]);
    Segment { seq: SeqNum::new(seq), flags: Flags::ACK, payload, ..Segment::default() }
}

#[test]
fn segments_that_continue_each_other_become_one_and_split_into_the_same() {
    let start = u32::MAX - 1500;
    let segments = [0, 1000, 2000].map(|at: u32| text(start.wrapping_add(at), 1000));
    let last = text(start.wrapping_add(3000), 10);
    let all = [&segments[..], &[last]].concat();
    let whole = coalesce(all.clone());
    assert_eq!((whole.len(), whole[0].payload.len(), whole[0].segment_size), (1, 3010, 1000));
    assert_eq!(codec::split(whole[0].clone()).collect::<Vec<_>>(), all);
}

#[test]
fn segments_that_differ_stay_apart() {
    let stamps = Options { timestamps: Some(Timestamps { value: 1, echo: 2 }), ..Options::default() };
    let next = text(1100, 1000);
    let others = [
        Segment { seq: SeqNum::new(1101), ..next.clone() },
        Segment { ack: SeqNum::new(1), ..next.clone() },
        Segment { window: 9, ..next.clone() },
        Segment { options: stamps.into(), ..next.clone() },
        Segment { ecn: Ecn::Ce, ..next.clone() },
        Segment { flags: Flags::ACK | Flags::FIN, ..next.clone() },
        text(1100, 1001),
        text(1100, 0),
    ];
    for other in others {
        assert_eq!(coalesce([text(100, 1000), other.clone()]), [text(100, 1000), other]);
    }
    assert_eq!(coalesce([text(100, 1000), next]).len(), 1);
    let pushed = Segment { flags: Flags::ACK | Flags::PSH, ..text(100, 1000) };
    assert_eq!(coalesce([pushed, text(1100, 1000)]).len(), 2, "a push ends what is put together");
    assert_eq!(coalesce([text(0, 1000), text(1000, 10), text(1010, 10)]).len(), 2, "a small one is the last");
    let many = coalesce((0..70).map(|n| text(1000 * n, 1000)));
    assert_eq!(many.iter().map(|s| s.payload.len()).collect::<Vec<_>>(), [65_000, 5000]);
}

#[test]
fn users_in_turns_send_when_it_is_their_turn() {
    let asks = Writer::Asks { request: 10, response: 100, pause: 0, count: 3 };
    assert_eq!([0, 1, 2].map(|asked| asks.allowed(asked, 0)), [0, 10, 20]);
    let answers = Writer::Answers { request: 10, response: 100 };
    assert_eq!([0, 9, 10, 19, 20].map(|received| answers.allowed(0, received)), [0, 0, 100, 100, 200]);
}
