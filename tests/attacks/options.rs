//! A20: the options of Fast Open, accurate ECN, TCP-AO, TCP MD5 and experiments in every form, as octets from the wire, at
//! connections that do not use them; B22 and E12: in every form at those that do.

use std::cell::Cell;

use segue::{AccEcn, EcnMode, FastOpen, FastOpenCookie, Flags, Options, Segment, State};
use segue_kit::rig::{ACK, At, FIN, RST, Rig, SYN, everywhere};

use crate::wire::{own_area, with_area};

const TCP_MD5: u8 = 19;
const TCP_AO: u8 = 29;
const FAST_OPEN: u8 = 34;
const ACC_ECN: [u8; 2] = [172, 174];
/// RFC 6994: kinds for experiments, among which 254 was Fast Open's before it had a kind.
const EXPERIMENTS: [u8; 2] = [253, 254];

/// An option of this kind and length: the octets that follow look like a magic number, a cookie, counters or a MAC.
fn option(kind: u8, len: u8) -> Vec<u8> {
    let data = [0xF9, 0x89].into_iter().chain((0..).map(|octet: u8| 0xF0 | octet));
    [kind, len].into_iter().chain(data.take(usize::from(len).saturating_sub(2))).collect()
}

/// The segment with an option of this kind and each length in front of its own, once and twice. Also whether its own options
/// are still to be found: a length that cannot be ends the list.
fn forms(segment: &Segment, kind: u8) -> Vec<(u8, Segment, bool)> {
    let own = own_area(segment);
    let mut forms = Vec::new();
    for len in (0..=40).chain([255]) {
        let one = option(kind, len);
        if !(2..=40).contains(&len) {
            forms.push((len, with_area(segment, &[&[kind, len][..], &own].concat()), false));
        }
        for times in [1, 2] {
            let area = [one.repeat(times), own.clone()].concat();
            if (2..=40).contains(&len) && area.len() <= 40 {
                forms.push((len, with_area(segment, &area), true));
            }
        }
    }
    forms
}

/// Whether two that heard the same say the same and are the same, but that a shortcut may have served one alone.
fn same(one: &Rig, other: &Rig) -> bool {
    let told = |rig: &Rig| {
        let mut info = rig.info();
        info.counters.segments_predicted = 0;
        (info, rig.connection.canonical(rig.now), rig.last.clone())
    };
    told(one) == told(other)
}

/// Every length of each kind, once and twice, on every kind of segment in every state: a connection that does not use the option
/// does and becomes what it does and becomes without. It answers no more, and it keeps nothing.
#[test]
fn a20_options_that_are_not_in_use_change_nothing() {
    let seen = Cell::new(0);
    everywhere(|at| {
        let at = at.with_options();
        for state in State::ALL {
            let rig = at.state(state);
            let text = Segment { flags: ACK | Flags::PSH, ..rig.text(1, 1, "text") };
            let fin = rig.seg(FIN | ACK, 1, 1);
            for segment in [rig.syn(SYN), rig.syn(SYN | ACK), rig.ack(1, 1), text, fin, rig.seg(RST, 1, 0)] {
                let after = |segment: Segment| {
                    let mut rig = rig.clone();
                    rig.arrives(segment);
                    rig
                };
                let whole = after(segment.clone());
                let none = Segment { options: Options::default().into(), ..segment.clone() };
                let bare = after(none.clone());
                for kind in [TCP_MD5, TCP_AO, FAST_OPEN].into_iter().chain(ACC_ECN).chain(EXPERIMENTS) {
                    for (len, form, has_own) in forms(&segment, kind) {
                        let (plain, expected) = if has_own { (&segment, &whole) } else { (&none, &bare) };
                        // What the codec skips makes the same value.
                        assert!(
                            form == *plain || same(&after(form), expected),
                            "{state}: kind {kind}, length {len}: {segment}"
                        );
                        seen.set(seen.get() + 1);
                    }
                }
            }
        }
    });
    assert!(seen.get() > 100_000, "{}", seen.get());
}

/// A SYN,ACK for one who asked for a cookie: only cookies of 4 to 16 octets of an even number are reported, and of two the first.
#[test]
fn b22_cookies_of_other_lengths_are_none() {
    everywhere(|at| {
        let rig = at.connect_fast_open(FastOpen::request("text".into()));
        let syn_ack = rig.syn(SYN | ACK);
        let after = |segment: Segment| {
            let mut rig = rig.clone();
            rig.arrives(segment);
            rig
        };
        let none = after(syn_ack.clone());
        for (len, form, has_own) in forms(&syn_ack, FAST_OPEN) {
            let cookie = matches!(len, 6 | 8 | 10 | 12 | 14 | 16 | 18);
            let found = after(form);
            let told = format!("{:?}", found.last);
            assert_eq!(told.contains("FastOpenCookie("), cookie, "{len}: {told}");
            if !cookie && has_own {
                assert!(same(&found, &none), "{len}");
            }
        }
        let [first, second] = [[1; 8], [2; 8]].map(|octets| [&[FAST_OPEN, 10][..], &octets].concat());
        let odd = [&[FAST_OPEN, 7][..], &[3; 5]].concat();
        for area in [[first.clone(), second.clone()].concat(), [odd, first, second].concat()] {
            let found = after(with_area(&syn_ack, &[area, vec![2, 4, 4, 0]].concat()));
            let told = format!("{:?}", found.last);
            assert!(told.contains("0101010101010101") && !told.contains("0202020202020202"), "{told}");
        }
    });
}

/// Where accurate feedback is in use: each length says as many whole counters as it has, up to three, of two options the first
/// counts, and a length that cannot be says nothing.
#[test]
fn e12_accurate_options_of_every_length_say_their_whole_counters() {
    everywhere(|at| {
        let at = At { agrees: true, ..at }.with(|config| config.ecn(EcnMode::Accurate));
        let mut rig = at.connect();
        let mut syn_ack = rig.syn(SYN | ACK);
        syn_ack.flags |= Flags::from_bits_truncate(0b010 << 6);
        rig.arrives(syn_ack);
        assert!(rig.info().accurate_ecn.is_some());
        rig.send(5000);
        let ack = Segment { flags: ACK | Flags::from_bits_truncate(0b110 << 6), ..rig.ack(1, 1001) };
        let after = |segment: Segment| {
            let mut rig: Rig = rig.clone();
            rig.arrives(segment);
            rig
        };
        let [one, other] = [(ACC_ECN[0], 5), (ACC_ECN[1], 8)].map(|(kind, len)| option(kind, len));
        for (first, second) in [(&one, &other), (&other, &one)] {
            let both = with_area(&ack, &[&first[..], second].concat());
            assert_eq!(both, with_area(&ack, first));
            assert_ne!(both, with_area(&ack, second));
        }
        for kind in ACC_ECN {
            for (len, form, has_own) in forms(&ack, kind) {
                let octets = &option(kind, len)[2..];
                let word = |field: &[u8]| u32::from_be_bytes([0, field[0], field[1], field[2]]);
                let fields: Vec<u32> = octets.chunks_exact(3).take(3).map(word).collect();
                let read = if kind == ACC_ECN[0] { AccEcn::order_0(&fields) } else { AccEcn::order_1(&fields) };
                let mut expected = ack.clone();
                expected.options.update(|options| options.acc_ecn = read.filter(|_| has_own));
                let (found, expected) = (after(form), after(expected));
                assert!(same(&found, &expected), "{kind} {len}");
            }
        }
    });
}

/// A cookie's worth of octets behind each other kind is no cookie (RFC 7413 §9: only kind 34 is in use).
#[test]
fn b22_no_other_kind_is_a_cookie() {
    let cookie = FastOpenCookie::new(&[7; 8]).expect("8 octets");
    let syn = At::default().syn();
    let count = (0..=255u8)
        .filter(|kind| {
            let area = [&[*kind, 10][..], cookie.as_slice()].concat();
            with_area(&syn, &area).options.fast_open() == Some(cookie)
        })
        .count();
    assert_eq!(count, 1);
}
