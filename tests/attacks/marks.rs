//! E12: games with ECE, CWR and CE.

use segue::{Ecn, EcnMode, Flags, Segment, Timer};
use segue_kit::ms;
use segue_kit::rig::{ACK, At, Rig, SYN, everywhere};

/// ESTABLISHED with ECN.
fn established(at: At) -> Rig {
    let mut rig = at.with(|config| config.ecn(EcnMode::Active)).connect();
    rig.arrives(Segment { flags: SYN | ACK | Flags::ECE, ..rig.syn(SYN | ACK) });
    assert!(rig.connection.info().ecn);
    rig
}

fn echo(segment: Segment) -> Segment {
    Segment { flags: segment.flags | Flags::ECE, ..segment }
}

fn marked(segment: Segment) -> Segment {
    Segment { ecn: Ecn::Ce, ..segment }
}

/// A peer, or who forges its segments in the window, can slow us down, but not below one reduction for each window of data.
#[test]
fn e12_echoes_without_end_reduce_once_for_each_window() {
    everywhere(|at| {
        let mut rig = established(at);
        rig.wait(ms(50));
        rig.send(200_000);
        for trip in 1..=6 {
            for _ in 0..200 {
                let una = i64::from(rig.connection.info().snd_una - rig.snd(0));
                rig.arrives(echo(rig.ack(1, una)));
                rig.arrives(echo(rig.text(1, una, "x")));
            }
            assert!((1..=trip).contains(&rig.connection.info().counters.ecn_reductions));
            let nxt = i64::from(rig.connection.info().snd_nxt - rig.snd(0));
            rig.wait(ms(50));
            rig.arrives(rig.ack(1, nxt));
        }
        let info = rig.connection.info();
        assert!(info.counters.ecn_reductions > 1 && info.flight > 0, "{info:?}");
    });
}

/// Echoes to who never agreed to ECN, of what was never sent, and on unacceptable segments.
#[test]
fn e12_echoes_that_cannot_be_true_change_nothing() {
    everywhere(|at| {
        let mut plain = at.established();
        plain.send(5000);
        plain.arrives(echo(plain.ack(1, 1)));
        assert_eq!(plain.connection.info().ssthresh, u32::MAX);

        let mut rig = established(at);
        rig.arrives(echo(rig.ack(1, 1)));
        rig.send(5000);
        for segment in [rig.ack(1, 5002), rig.ack(1, 0x7FFF_FFFF), rig.ack(-9, 1), rig.ack(20_000, 1001), rig.rst(5)] {
            let before = rig.connection.canonical(rig.now);
            rig.arrives(echo(segment));
            assert!(rig.connection.canonical(rig.now) == before);
        }
        assert_eq!((rig.connection.info().ssthresh, rig.connection.info().counters.ecn_reductions), (u32::MAX, 0));
    });
}

/// Who cannot guess the window cannot make us echo, nor end an echo: marks and CWR count on text inside of it alone.
#[test]
fn e12_marks_and_cwr_outside_of_the_window_do_not_count() {
    everywhere(|at| {
        let mut rig = established(at);
        rig.arrives(rig.text(1, 1, "abc"));
        rig.call_timer(Timer::DelayedAck);
        let outside = |rig: &Rig| [rig.text(1, 1, "abc"), rig.text(20_000, 1, "abc"), rig.text(-0x4000_0000, 1, "a")];
        for segment in outside(&rig) {
            rig.arrives(marked(segment));
            assert!(!rig.only().flags.contains(Flags::ECE));
        }
        rig.arrives(marked(rig.text(4, 1, "d")));
        for segment in outside(&rig) {
            rig.arrives(Segment { flags: ACK | Flags::CWR, ..segment });
            assert!(rig.only().flags.contains(Flags::ECE));
        }
        assert_eq!(rig.connection.info().counters.ecn_marks, 1);
    });
}

/// Every combination of the bits on every kind of handshake segment: the ends agree as RFC 3168 §6.1.1 and RFC 9768
/// Table 2 say.
#[test]
fn e12_every_combination_of_bits_in_the_handshake() {
    let bits = [Flags::empty(), Flags::ECE, Flags::CWR, Flags::ECE | Flags::CWR];
    for with_ae in [Flags::empty(), Flags::AE] {
        for mode in [EcnMode::Off, EcnMode::Passive, EcnMode::Active, EcnMode::Accurate] {
            for bits in bits {
                let at = At::default().with(|config| config.ecn(mode));
                let mut client = at.connect();
                client.arrives(Segment { flags: SYN | ACK | bits | with_ae, ..client.syn(SYN | ACK) });
                // RFC 9768 §3.1.2: who asked for AccECN reads all three bits
                let accurate =
                    ![Flags::empty(), Flags::ECE, Flags::ECE | Flags::CWR | Flags::AE].contains(&(bits | with_ae));
                let expected = match mode {
                    EcnMode::Off | EcnMode::Passive => None,
                    EcnMode::Active => (bits == Flags::ECE).then_some(false),
                    EcnMode::Accurate if accurate => Some(true),
                    EcnMode::Accurate => (bits | with_ae == Flags::ECE).then_some(false),
                };
                let info = client.connection.info();
                assert_eq!(info.accurate_ecn.is_some(), expected == Some(true));
                let mangled = accurate && ![Flags::CWR, Flags::AE | Flags::ECE].contains(&(bits | with_ae));
                assert_eq!(info.ecn, expected.is_some() && !mangled, "{mode:?} {bits:?} {with_ae:?}");
                let mut server = at.accept(Segment { flags: SYN | bits | with_ae, ..at.syn() });
                let setup = bits == Flags::ECE | Flags::CWR;
                // RFC 9768 §3.1.3: what nobody uses yet asks for AccECN where that is known
                let speaks = matches!(mode, EcnMode::Passive | EcnMode::Accurate);
                let accurate = speaks && !(bits | with_ae).is_empty() && !(setup && with_ae.is_empty());
                let ack = server.ack(1, 1);
                let ace = if accurate { Flags::CWR } else { Flags::empty() };
                server.arrives(Segment { flags: ack.flags | ace, ..ack });
                assert_eq!(server.connection.info().accurate_ecn.is_some(), accurate);
                assert_eq!(server.connection.info().ecn, accurate || (mode != EcnMode::Off && setup));
            }
        }
    }
}
