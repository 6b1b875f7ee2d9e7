//! A peer, or who forges its segments, that plays with accurate feedback.

use segue::{AccEcn, Ecn, EcnMode, Event, Flags, Options, Segment};
use segue_kit::Rng;
use segue_kit::rig::{At, Rig, everywhere};

use super::coded;

fn established(at: At) -> Rig {
    let at = At { agrees: true, ..at };
    let mut rig = at.with(|config| config.ecn(EcnMode::Accurate).timestamps(true).sack(true)).connect();
    rig.arrives(coded(rig.syn(Flags::SYN | Flags::ACK), 0b010));
    assert!(rig.connection.info().ecn);
    rig
}

/// Counters that run without end reduce once for each window of data, as echoes do.
#[test]
fn e12_accurate_counters_without_end_reduce_once_for_each_window() {
    everywhere(|at| {
        let mut rig = established(at);
        rig.wait(segue_kit::ms(50));
        rig.send(200_000);
        let mut ace = 3u8; // 6 is next
        for trip in 1..=3 {
            for _ in 0..200 {
                let una = i64::from(rig.connection.info().snd_una - rig.snd(0));
                rig.peer_clock += 1;
                ace = ace.wrapping_add(3);
                rig.arrives(coded(rig.ack(1, una), ace % 8));
            }
            assert!((1..=trip).contains(&rig.connection.info().counters.ecn_reductions));
            let nxt = i64::from(rig.connection.info().snd_nxt - rig.snd(0));
            rig.wait(segue_kit::ms(50));
            rig.peer_clock += 1;
            rig.arrives(coded(rig.ack(1, nxt), ace % 8));
        }
    });
}

/// Feedback on what is not acceptable says nothing, and changes nothing.
#[test]
fn e12_accurate_feedback_outside_of_the_window_does_not_count() {
    everywhere(|at| {
        let mut rig = established(at);
        rig.send(5000);
        let option = AccEcn::order_0(&[1, 0xFF_FFFF, 1]);
        for segment in [rig.ack(1, 9_000), rig.ack(1, 0x7FFF_FFFF), rig.ack(20_000, 1001), rig.ack(-9, 1), rig.rst(5)] {
            let before = (rig.connection.info().accurate_ecn, rig.connection.info().ssthresh);
            for ace in 0..8 {
                let mut segment = Segment { ecn: Ecn::Ce, ..coded(segment.clone(), ace) };
                segment.options.update(|options| options.acc_ecn = option);
                rig.arrives(segment);
            }
            assert_eq!((rig.connection.info().accurate_ecn, rig.connection.info().ssthresh), before);
        }
    });
}

/// Any options, any counters, any codepoints, on any segments: no panic, invariants hold, and what the peer can say is
/// bounded by what was sent.
#[test]
fn e12_accurate_noise() {
    for seed in 0..300 {
        let mut rng = Rng::new(seed);
        let mut rig = established(At::default());
        for _ in 0..120 {
            let (seq, ack) = (i64::from(rng.below(3000)), i64::from(rng.below(4000)));
            let flags = Flags::from_bits_truncate((rng.next() & 0x1FF) as u16) | Flags::ACK;
            let len = rng.below(900) as usize;
            let mut segment = match rng.below(4) {
                0 => rig.ack(1, ack),
                1 => rig.octets(seq, ack, len),
                2 => rig.seg(flags.difference(Flags::RST | Flags::SYN), seq, ack),
                _ => rig.seg(flags, seq, ack),
            };
            segment.ecn = Ecn::from_bits((rng.next() & 3) as u8);
            segment.segment_size = if rng.chance(300) { rng.below(500) as u16 } else { 0 };
            if segment.flags.contains(Flags::SYN) {
                segment.segment_size = 0;
            }
            let fields: Vec<u32> = (0..rng.below(4)).map(|_| rng.next() as u32 & 0xFF_FFFF).collect();
            let option = if rng.chance(500) { AccEcn::order_0(&fields) } else { AccEcn::order_1(&fields) };
            let options = Options { acc_ecn: option, ..segment.options.get() };
            segment.options = options.into();
            rig.peer_clock += rng.below(3);
            rig.arrives(segment);
            if rng.chance(300) {
                let text = vec![7; rng.below(2000) as usize];
                _ = rig.handle(Event::Send(text.into())); // not in every state
            }
            rig.wait(segue_kit::ms(u64::from(rng.below(20))));
        }
        let info = rig.connection.info();
        if let Some(told) = info.accurate_ecn {
            assert!(told.ce_octets_in <= 120 * 900 && told.ce_packets_in <= 120 * 900);
        }
    }
}
