//! E7, E8, D8: what selective acknowledgments can be abused for.

use segue::{SackBlock, SackBlocks};
use segue::{Segment, State, Timer};
use segue_kit::rig::{At, Rig, everywhere};
use segue_kit::{ms, secs};

/// A sender in the middle of a transfer to a peer with SACK, ten segments of 1000 in flight.
fn sender(at: At) -> Rig {
    let mut rig = at.with(|config| config.sack(true)).established();
    rig.wait(ms(50));
    rig.send(200_000);
    assert_eq!(rig.octets_sent(), 10_000);
    rig.wait(ms(50));
    rig
}

/// A bare acknowledgment with these blocks.
fn report(rig: &Rig, ack: i64, blocks: &[(i64, i64)]) -> Segment {
    let mut sack = SackBlocks::new();
    for &(left, right) in blocks {
        sack.push(SackBlock { left: rig.snd(left), right: rig.snd(right) });
    }
    let mut segment = rig.ack(1, ack);
    segment.options.update(|options| options.sack = sack);
    segment
}

/// The same arrives: octets sent in answer.
fn answer(rig: &mut Rig, ack: i64, blocks: &[(i64, i64)]) -> usize {
    rig.arrives(report(rig, ack, blocks));
    rig.octets_sent()
}

/// Reports of what never arrived free nothing: it is all there when the peer asks for it, and is sent again.
#[test]
fn e7_forged_reports_lose_no_text() {
    everywhere(|at| {
        let mut rig = sender(at);
        rig.arrives(report(&rig, 1, &[(1001, 10_001)]));
        assert_eq!(rig.connection.info().send_queue, 200_000);
        rig.arrives(rig.ack(1, 1001)); // the truth: nothing behind it arrived
        let mut una = 1001;
        for _ in 0..400 {
            if una > 200_000 {
                break;
            }
            let (timer, _) = rig.connection.next_deadline().expect("it goes on");
            rig.fire(timer);
            let start = rig.snd(1);
            let place = |number: segue::SeqNum| i64::from(number - start) + 1;
            let covers = |una: i64| move |s: &&Segment| place(s.seq) <= una && place(s.end()) > una;
            while let Some(end) = rig.sent().iter().find(covers(una)).map(|s| place(s.end())) {
                una = end;
                rig.arrives(rig.ack(1, una));
            }
        }
        assert_eq!(una, 200_001);
    });
}

/// Forged reports open no more than the flight: SND.NXT stays within the peer's window, and the window is cut once.
#[test]
fn e7_forged_reports_open_no_more_than_was_sent() {
    everywhere(|at| {
        let mut rig = sender(at);
        let mut sent = 0;
        for _ in 0..50 {
            let nxt = i64::from(rig.connection.info().snd_nxt - rig.snd(0));
            sent += answer(&mut rig, 1, &[(1001, nxt)]);
        }
        let info = rig.connection.info();
        assert!(info.flight <= 60_000, "never beyond the peer's window: {info:?}");
        assert!(sent <= 60_000 + 50 * 1000, "{sent} octets: a segment more for each ACK than it reports");
        assert!(info.counters.fast_retransmits <= 1 && info.cwnd <= 60_000, "{info:?}");
    });
}

/// Old, inverted, overlapping and endless blocks beside a good one: only the good one counts.
#[test]
fn e7_bad_blocks_beside_a_good_one() {
    everywhere(|at| {
        let blocks = [(5001, 6001), (9001, 8001), (-4000, 500), (5001, 90_000)];
        let mut rig = sender(at);
        rig.arrives(report(&rig, 1, &blocks));
        let mut honest = sender(at);
        honest.arrives(report(&honest, 1, &blocks[..1]));
        let (mut one, mut other) = (rig.connection.info(), honest.connection.info());
        (one.counters, other.counters) = Default::default();
        assert_eq!(one, other);
        assert_eq!(rig.octets_sent(), honest.octets_sent());
    });
}

/// OpenBSD's fault of 27 years: a block that begins half a circle before its end is before and behind a hole at once. It lies
/// in no flight, wherever the flight is, and changes nothing beside others.
#[test]
fn e7_a_block_half_a_circle_away_is_none() {
    everywhere(|at| {
        for right in [1001, 5001, 10_001] {
            let (half, behind_una) = (0x8000_0000i64, 0x8000_0000 + right - 1);
            let near = (half - 2..half + 3).chain(behind_una - 2..behind_una + 3);
            for distance in near.chain([half - 9000, half + 9000, 0xFFFF_FFFF, 0x4000_0000]) {
                let mut rig = sender(at);
                rig.arrives(report(&rig, 1, &[(2001, 3001)])); // a hole, and what is behind it
                let mut honest = rig.clone();
                rig.arrives(report(&rig, 1, &[(right - distance, right), (2001, 3001)]));
                honest.arrives(report(&honest, 1, &[(2001, 3001)]));
                let (mut one, mut other) = (rig.connection.info(), honest.connection.info());
                (one.counters, other.counters) = Default::default();
                assert_eq!((one, rig.octets_sent()), (other, honest.octets_sent()), "{distance} before {right}");
                assert_eq!(rig.arrives(rig.ack(1, 10_001)), honest.arrives(honest.ack(1, 10_001)));
            }
        }
    });
}

/// The same report for ever opens nothing and sends nothing again.
#[test]
fn e7_duplicates_that_report_nothing_new() {
    everywhere(|at| {
        let mut rig = sender(at);
        rig.arrives(report(&rig, 1, &[(2001, 4001)]));
        let before = rig.connection.info();
        for _ in 0..300 {
            assert_eq!(answer(&mut rig, 1, &[(2001, 4001)]), 0);
        }
        let after = rig.connection.info();
        assert_eq!((after.cwnd, after.ssthresh, after.snd_nxt), (before.cwnd, before.ssthresh, before.snd_nxt));
        assert_eq!(after.counters.retransmissions, before.counters.retransmissions);
    });
}

/// CVE-2019-11477 to 11479: the least MSS, and blocks that cut segments, in any order. Retransmissions follow what was
/// delivered, and a block that covers no segment whole reports nothing.
#[test]
fn e8_reports_at_a_small_mss() {
    everywhere(|at| {
        let at = at.with(|config| config.sack(true).min_mss(48).send_buffer(1 << 20));
        let mut rig = at.connect();
        let mut syn = rig.syn(segue_kit::rig::SYN | segue_kit::rig::ACK);
        syn.options.update(|options| options.mss = Some(8));
        rig.arrives(syn);
        assert_eq!(rig.connection.info().eff_snd_mss, 48);
        rig.send(60_000);
        let mut una = 1;
        while rig.connection.info().flight < 30_000 {
            una += 48;
            rig.arrives(rig.ack(1, una));
        }
        let flight = rig.connection.info().flight as usize;
        let mut again = 0;
        // pieces of segments: nothing
        for octet in 0..1000 {
            let left = una + 48 + 48 * octet % 20_000;
            let blocks =
                [(left + 1, left + 47), (left + 49, left + 95), (left + 97, left + 143), (left + 145, left + 191)];
            again += answer(&mut rig, una, &blocks);
        }
        assert_eq!(again, 0);
        // every other segment, the highest first, four at a time, and all of them again
        for _ in 0..2 {
            for n in (1..flight as i64 / 96).rev() {
                let left = una + 96 * n;
                let blocks =
                    [(left, left + 48), (left - 96, left - 48), (left + 96, left + 144), (left + 192, left + 240)];
                again += answer(&mut rig, una, &blocks);
            }
        }
        assert!(again <= flight + 60_000, "{again} octets for {flight} in flight");
        assert!(rig.connection.info().counters.fast_retransmits <= 1);
    });
}

/// A peer that has reported everything and acknowledges nothing: R2 ends it, after a handful of segments.
#[test]
fn d8_a_peer_that_reports_and_never_acknowledges() {
    everywhere(|at| {
        let mut rig = sender(at);
        rig.arrives(report(&rig, 1, &[(1001, 10_001)]));
        let mut segments = 0;
        while rig.state() != State::Closed {
            let (timer, _) = rig.connection.next_deadline().expect("R2");
            rig.fire(timer);
            segments += rig.sent().len();
            if rig.state() != State::Closed {
                let nxt = i64::from(rig.connection.info().snd_nxt - rig.snd(0));
                rig.arrives(report(&rig, 1, &[(1001, nxt)]));
                segments += rig.sent().len();
            }
        }
        assert!(rig.now.saturating_since(at.start) <= secs(301));
        assert!(segments <= 40 + 60, "{segments} segments"); // 60: all of the peer's window
    });
}

/// Forged reports of duplicates restore what was reduced, once, and nothing beyond.
#[test]
fn e7_forged_duplicates_undo_no_more_than_was_reduced() {
    everywhere(|at| {
        let mut rig = sender(at);
        let before = rig.connection.info().cwnd;
        let mut una = 1;
        for _ in 0..3 {
            rig.arrives(report(&rig, una, &[(una + 1000, una + 4000)])); // a loss
            rig.wait(ms(60));
            rig.arrives(report(&rig, una + 4000, &[(una, una + 1000)])); // and the lie: it arrived twice
            una += 4000;
            assert!(rig.connection.info().cwnd <= before + una as u32, "{:?}", rig.connection.info());
            for _ in 0..20 {
                let cwnd = rig.connection.info().cwnd;
                rig.arrives(report(&rig, una, &[(una - 1000, una)]));
                assert_eq!(rig.connection.info().cwnd, cwnd);
            }
        }
        assert!(rig.connection.info().counters.spurious_recoveries <= 3);
    });
}

/// RFC 8985 §7.3: a peer that answers each flight only when it was sent twice, so that no round trip can be measured, gets
/// one tail-loss probe and waits for the timeout from then on.
#[test]
fn e_probes_cannot_be_ordered() {
    everywhere(|at| {
        let mut rig = at.with(|config| config.sack(true)).established();
        for n in 0..20 {
            let una = 1 + 1000 * n;
            rig.send(1000);
            let (timer, _) = rig.connection.next_deadline().expect("it was sent");
            rig.fire(timer);
            assert_eq!((timer == Timer::TailLossProbe, rig.octets_sent()), (n == 0, 1000));
            rig.arrives(report(&rig, una + 1000, &[(una, una + 1000)]));
        }
        assert_eq!(rig.connection.info().counters.tail_probes, 1);
    });
}

/// A window that closes and opens with each segment orders no flight each time: what was sent counts as refused only when
/// the persist timer has fired meanwhile.
#[test]
fn e4_a_window_that_flaps() {
    everywhere(|at| {
        let mut rig = sender(at);
        let mut octets = 0;
        for _ in 0..200 {
            rig.window = 0;
            rig.arrives(rig.ack(1, 1));
            octets += rig.octets_sent();
            rig.window = 60_000;
            rig.arrives(rig.ack(1, 1));
            octets += rig.octets_sent();
        }
        assert!(octets <= 10_000, "{octets} octets for nothing");
        rig.wait(ms(900));
        rig.arrives(rig.ack(1, 10_001));
        assert_eq!(rig.connection.info().snd_una, rig.snd(10_001));
    });
}
