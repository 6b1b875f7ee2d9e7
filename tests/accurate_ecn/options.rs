//! RFC 9768 §3.2.3.3: the room for options.

use segue::{EcnMode, Flags, Knob, Options, Path};
use segue_kit::Rng;
use segue_kit::rig::{At, Rig};

use super::model::Codepoint;
use super::{coded, with};

/// ESTABLISHED with everything that takes room.
fn rig(timestamps: bool, sack: bool, user_timeout: bool, mtu: u16) -> Rig {
    let config = |config: segue::ConfigBuilder| {
        let config = config.ecn(EcnMode::Accurate).timestamps(timestamps).sack(sack);
        config.user_timeout_option(user_timeout).nagle(false)
    };
    let mut rig = At { agrees: true, path: Path::ipv4(mtu), ..At::default() }.with(config).connect();
    rig.arrives(coded(rig.syn(Flags::SYN | Flags::ACK), 0b010));
    rig
}

/// Octets of an option area that a header has room for, whatever is in it; what is in the option is what has changed.
#[test]
fn rfc_9768_3_2_3_3_necessary_option_length() {
    for timestamps in [false, true] {
        for blocks in 0..=4usize {
            for codepoints in 1..8u8 {
                let mut rig = rig(timestamps, true, false, 1500);
                // the number of holes, and the codepoints
                for hole in 0..blocks {
                    rig.arrives(rig.text(101 + 20 * hole as i64, 1, "0123456789"));
                    rig.peer_clock += 1;
                }
                let mut changed = [false; 3];
                let mut burst = Vec::new();
                let mut next = 1i64;
                for (bit, codepoint) in [Codepoint::ECT_0, Codepoint::CE, Codepoint::ECT_1].into_iter().enumerate() {
                    if codepoints & 1 << bit != 0 {
                        burst.push(with(rig.text(next, 1, "ab"), codepoint));
                        next += 2;
                        changed[bit] = true;
                    }
                }
                rig.arrive_together(burst);
                if rig.sent().is_empty() {
                    rig.fire(segue::Timer::DelayedAck);
                }
                let ack = rig.only().clone();
                let options: Options = ack.options.get();
                assert!(options.wire_len() <= Options::MAX_WIRE_LEN);
                let reported = options.sack.len();
                let most = if timestamps { 3 } else { 4 };
                // MUST: two SACK blocks come first
                assert!(reported >= blocks.min(2) && reported <= blocks.min(most), "{blocks}: {options:?}");
                let fields = changed.iter().filter(|&&changed| changed).count();
                let least = match (changed[0], changed[1], changed[2], fields) {
                    (_, _, _, 3) | (true, false, true, _) => 11,
                    (_, true, _, _) => 8,
                    _ => 5,
                };
                // as it is with two blocks, the counters that changed fit: packed, where they do not aligned
                let with_two = 2 + 8 * blocks.min(2);
                let packed = if timestamps { 10 } else { 0 } + if blocks > 0 { with_two } else { 0 } + least;
                assert!(packed <= 40);
                let option = options.acc_ecn.expect("it fits");
                assert_eq!(option.wire_len(), least, "{options:?}");
                for (changed, field) in changed.into_iter().zip([option.e0b(), option.ceb(), option.e1b()]) {
                    assert!(!changed || field.is_some(), "MUST NOT leave out what changed: {options:?}");
                }
                // blocks beyond two give way only where they must
                if reported < blocks.min(most) {
                    let mut more = options;
                    more.sack.push(segue::SackBlock::default());
                    assert!(more.wire_len() > Options::MAX_WIRE_LEN, "{options:?}");
                }
            }
        }
    }
}

/// MUST-16 with the option: no packet is larger than the path allows, no text is lost, and reports, the user timeout and
/// the option all get their turn; on narrow paths, too.
#[test]
fn rfc_9768_3_2_3_3_no_packet_is_too_large() {
    for (seed, mtu) in [68, 88, 100, 120, 150, 300, 576, 1500].into_iter().enumerate() {
        for settings in 0..8u8 {
            let mut rig = rig(settings & 1 != 0, settings & 2 != 0, settings & 4 != 0, mtu);
            let mut rng = Rng::new(seed as u64);
            let (mut next, mut acked, mut seen) = (1i64, 1i64, 0);
            for _ in 0..300 {
                rig.peer_clock += 1;
                let codepoint = rng.pick(&Codepoint::ALL);
                let ahead = if rng.chance(300) { 4 * i64::from(rng.below(5)) } else { 0 };
                match rng.below(4) {
                    0 => _ = rig.send(rng.below(700) as usize),
                    1 => {
                        rig.arrives(with(rig.text(next + ahead, acked, "xyz"), codepoint));
                        next += if ahead == 0 { 3 } else { 0 };
                    }
                    2 => {
                        let nxt = rig.info().snd_nxt;
                        acked = i64::from(nxt - rig.snd(0));
                        rig.arrives(with(rig.ack(next, acked), codepoint));
                    }
                    _ => rig.wait(segue_kit::ms(50)),
                }
                if rng.chance(50) {
                    rig.does(segue::Event::Set(Knob::UserTimeout(Some(segue_kit::secs(
                        100 + u64::from(rng.below(50)),
                    )))));
                }
                next = next.max(i64::from(rig.info().rcv_nxt - rig.rcv(0)));
                for segment in rig.sent() {
                    let packet = 40 + segment.options.wire_len() + segment.payload.len();
                    assert!(packet <= usize::from(mtu), "{packet} of {mtu}: {segment}");
                    assert!(segment.options.wire_len() <= 40);
                    seen += usize::from(segment.options.acc_ecn().is_some());
                    if !segment.payload.is_empty() && segment.options.acc_ecn().is_some() {
                        let stamps = if segment.options.timestamps().is_some() { 12 } else { 0 };
                        let timeout = if segment.options.user_timeout().is_some() { 4 } else { 0 }; // once
                        let others = segment.options.wire_len() - stamps - timeout;
                        assert!(2 * others <= usize::from(mtu) - 40 - stamps, "half is left to text: {segment}");
                    }
                }
            }
            assert!(seen > 10 || mtu < 100, "{mtu}: {seen}");
        }
    }
}

/// §3.2.3.2.1: "If there is somehow an AccECN Option on a SYN, it MUST be ignored".
#[test]
fn rfc_9768_3_2_3_2_1_an_option_on_a_syn_is_ignored() {
    for fields in [&[][..], &[0, 0, 0], &[500, 600, 700]] {
        let at = At::default().with(|config| config.ecn(EcnMode::Accurate));
        let syn = super::with_option(coded(at.syn(), 0b111), super::order_0(fields));
        let mut rig = at.accept(syn);
        rig.arrives(super::with_option(coded(rig.ack(1, 1), 0b010), super::order_0(&[1, 0, 1])));
        rig.send(100);
        rig.arrives(super::with_option(coded(rig.ack(1, 101), 6), super::order_0(&[1, 100])));
        let told = super::marks(&rig);
        assert!(told.options && rig.info().ecn);
        assert_eq!((told.ce_octets_out, told.ect_octets_out), (100, (0, 0)), "{fields:?}");
    }
}
