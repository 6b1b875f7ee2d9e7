//! Windows that recede by rounding (RFC 7323 §2.4): a right edge that lies less than 2^shift before the furthest one that was
//! promised is no shrunk window. What was sent inside of the promise is sent again as ever; new text keeps to the last ACK.

use segue::{ConfigBuilder, Event, Flags, Knob, Options, Path, Segment, SeqNum, State, Timer, Timestamps};
use segue_kit::rig::Rig;
use segue_kit::streams::{ours, peer, peer_syn_ack, peer_text};
use segue_kit::{ms, plain, secs};

/// A peer whose windows are scaled by `shift`, and the TCP that sends to it.
struct Scaled {
    tcp: Rig,
    shift: u8,
    stamps: bool,
}

impl Scaled {
    /// ESTABLISHED, with segments of `mss` octets of text; the window is `window` octets.
    fn new(config: ConfigBuilder, shift: u8, mss: u16, window: u32) -> Self {
        let built = config.build().unwrap();
        let (stamps, options) = (built.timestamps(), if built.timestamps() { 12 } else { 0 });
        let tcp = Rig::connect(config.window_scaling(true).nagle(false), Path::ipv4(65_535));
        let mut scaled = Self { tcp, shift, stamps };
        scaled.tcp.quiet(ms(20));
        let mut syn_ack = scaled.stamped(Segment { window: 0, ..peer_syn_ack() });
        syn_ack.options.update(|list| {
            list.mss = Some(mss + options);
            list.window_scale = Some(shift);
            list.sack_permitted = built.sack();
        });
        assert_eq!(scaled.tcp.arrives(syn_ack), "Connected; <SEQ=0><ACK=0><CTL=ACK>");
        assert_eq!(scaled.ack(0, window), "");
        assert_eq!(scaled.tcp.info().eff_snd_mss, mss);
        scaled
    }

    fn stamped(&self, segment: Segment) -> Segment {
        let echo = u32::try_from(self.tcp.now.as_micros() / 1000).unwrap() - 20;
        let timestamps = self.stamps.then_some(Timestamps { value: 1, echo });
        Segment { options: Options { timestamps, ..segment.options.get() }.into(), ..segment }
    }

    /// The peer has our text before octet `ack`; its true window is `window` octets, of which the field tells the whole units.
    fn ack(&mut self, ack: u32, window: u32) -> String {
        let window = u16::try_from(window >> self.shift).unwrap();
        let segment = self.stamped(Segment { window, ..peer(0, ack) });
        self.tcp.arrives(segment)
    }

    /// The number of the ACK that answers two segments of text, with which the peer has our text before octet `ack`.
    fn answered(&mut self, ack: u32, window: u32) -> SeqNum {
        let window = u16::try_from(window >> self.shift).unwrap();
        self.tcp.arrives(Segment { window, ..peer_text(0, 10, ack) });
        self.tcp.arrives(Segment { window, ..peer_text(10, 10, ack) });
        let [segment] = self.tcp.sent() else { panic!("{:?}", self.tcp.sent()) };
        assert!(segment.payload.is_empty());
        segment.seq
    }

    /// Text and FIN of each segment that left since the last call: where they start, how many octets, whether with FIN.
    fn sent(&self) -> Vec<(u32, usize, bool)> {
        let parts = |s: &Segment| (s.seq - ours(0), s.payload.len(), s.flags.contains(Flags::FIN));
        self.tcp.sent().iter().map(parts).collect()
    }

    /// Until something is sent again: that, and after how long.
    fn until_again(&mut self) -> (Vec<(u32, usize, bool)>, std::time::Duration) {
        let start = self.tcp.now;
        loop {
            let (timer, at) = self.tcp.connection.next_deadline().expect("a timer");
            assert_ne!(timer, Timer::UserTimeout, "nothing is sent again");
            self.tcp.now = at;
            self.tcp.does(Event::Timer(timer));
            if !self.tcp.sent().is_empty() {
                return (self.sent(), at.saturating_since(start));
            }
        }
    }
}

/// Each kind of loss recovery, with timestamps and without.
fn recoveries() -> Vec<ConfigBuilder> {
    let stamps = |config: ConfigBuilder| [config.timestamps(false), config.timestamps(true)];
    let kinds = [plain(), plain().sack(true), plain().sack(true).rack(false)];
    kinds.into_iter().flat_map(stamps).collect()
}

#[test]
fn established_text_in_a_window_that_receded_to_0_by_rounding_is_sent_again_after_one_rto() {
    for config in recoveries() {
        let mut peer = Scaled::new(config, 7, 300, 384);
        peer.tcp.send(300);
        peer.tcp.send(84);
        assert_eq!(peer.sent(), [(300, 84, false)]);
        peer.tcp.quiet(ms(20));
        peer.ack(300, 84); // 84 >> 7 is 0
        assert_eq!((peer.tcp.info().snd_wnd, peer.tcp.until(Timer::Persist)), (0, None));
        let rto = peer.tcp.info().rto;
        let (again, after) = peer.until_again();
        assert_eq!(again, [(300, 84, false)]);
        assert!(after <= rto, "{after:?}");
        assert_eq!(peer.ack(384, 384), "Acked(84); Flushed");
    }
}

/// Whatever the shift, the loss recovery, the size of the loss, and whether a FIN is in it.
#[test]
fn established_what_lies_inside_the_promised_edge_is_sent_again_whole() {
    for shift in 0..=14u8 {
        let window = 3 * (1u32 << shift).max(128);
        for lost in [2, window / 4, window / 3 + 1, window / 2] {
            for (config, fin) in recoveries().into_iter().flat_map(|config| [(config, false), (config, true)]) {
                let first = window - lost;
                let mut peer = Scaled::new(config, shift, u16::try_from(first.max(lost)).unwrap(), window);
                peer.tcp.send(first as usize);
                peer.tcp.send((lost - u32::from(fin)) as usize);
                if fin {
                    peer.tcp.close();
                }
                assert_eq!(peer.tcp.info().flight, window, "shift {shift}, {lost} lost");
                peer.tcp.quiet(ms(20));
                peer.ack(first, lost);
                let rto = peer.tcp.info().rto;
                let (mut again, after) = peer.until_again();
                assert!(after <= rto, "shift {shift}, {lost} lost: after {after:?}");
                if fin && again.len() == 1 && !again[0].2 {
                    again.extend(peer.until_again().0); // the FIN was a segment of its own
                }
                let octets: usize = again.iter().map(|(_, len, fin)| len + usize::from(*fin)).sum();
                assert_eq!((again[0].0, octets), (first, lost as usize), "shift {shift}: {again:?}");
                assert!(again.len() <= 1 + usize::from(fin), "shift {shift}: {again:?}");
                assert!(peer.ack(window, 0).ends_with("Flushed"));
            }
        }
    }
}

/// RFC 7323 §2.4 (3): new text keeps to the window of the last ACK.
#[test]
fn established_a_window_that_receded_by_rounding_takes_no_new_text() {
    let mut peer = Scaled::new(plain(), 7, 300, 512);
    peer.tcp.send(300);
    assert_eq!(peer.ack(300, 212), "Acked(300); Flushed"); // the field says 128
    peer.tcp.send(212);
    assert_eq!(peer.tcp.lengths(), Vec::<usize>::new()); // silly-window avoidance holds it
    peer.tcp.fire(Timer::Override);
    assert_eq!(peer.sent(), [(300, 128, false)]);
}

/// A window that truly shrinks, by a unit or more, is respected (MUST-34); then the edge is where the peer put it.
#[test]
fn established_a_window_that_shrinks_by_a_unit_is_no_rounding() {
    let mut peer = Scaled::new(plain(), 7, 300, 512);
    peer.tcp.send(300);
    peer.tcp.send(212);
    peer.ack(300, 127); // 0: the edge goes back by 212
    // SRTT: 7/8 of the 20 ms of the handshake; the last round trip took no time
    let rto = secs(1) + ms(20) * 7 / 8;
    assert_eq!((peer.tcp.until(Timer::Retransmit), peer.tcp.until(Timer::Persist)), (None, Some(rto)));
    assert_eq!(peer.tcp.fire(Timer::Persist), "<SEQ=300><ACK=0><DATA=1><CTL=ACK>");
}

/// The back-off of probes is for those that bring nothing: where each octet is taken, the next follows one RTO later.
#[test]
fn established_a_probe_whose_octet_is_acknowledged_resets_the_back_off() {
    let mut peer = Scaled::new(plain(), 0, 300, 0);
    peer.tcp.send(300);
    assert_eq!(peer.tcp.info().rto, ms(1020)); // SRTT 20 ms
    for octet in 0..100 {
        assert_eq!(peer.tcp.until(Timer::Persist), Some(peer.tcp.info().rto), "octet {octet}");
        assert_eq!(peer.tcp.fire(Timer::Persist), format!("<SEQ={octet}><ACK=0><DATA=1><CTL=ACK>"));
        assert_eq!(peer.ack(octet + 1, 0), "Acked(1)");
    }
    // one that is refused doubles the interval
    assert_eq!(peer.tcp.fire(Timer::Persist), "<SEQ=100><ACK=0><DATA=1><CTL=ACK>");
    assert_eq!(peer.ack(100, 0), "");
    assert_eq!(peer.tcp.until(Timer::Persist), Some(secs(2))); // SRTT 0, since each octet was taken at once
}

/// What waits behind a window of 0 is probed, also when the promised edge lies a little further: up to that edge, or a peer
/// of coarse windows takes an octet in each RTO. Where no answer comes, one octet asks, and that is no timeout.
#[test]
fn established_new_text_behind_a_rounded_window_of_0_is_probed() {
    let mut peer = Scaled::new(plain(), 7, 300, 384);
    peer.tcp.send(300);
    assert_eq!(peer.ack(300, 84), "Acked(300); Flushed");
    assert_eq!(peer.tcp.send(100), "");
    let rto = secs(1) + ms(20) * 7 / 8;
    assert_eq!((peer.tcp.until(Timer::Retransmit), peer.tcp.until(Timer::Persist)), (None, Some(rto)));
    assert_eq!(peer.tcp.fire(Timer::Persist), "<SEQ=300><ACK=0><DATA=84><CTL=ACK>");
    for _ in 0..3 {
        assert_eq!(peer.tcp.fire(Timer::Persist), "<SEQ=300><ACK=0><DATA=1><CTL=ACK>"); // a probe, and no timeout
    }
    assert_eq!(peer.tcp.info().counters.timeouts, 0);
    assert_eq!(peer.ack(301, 83), "Acked(1)");
    assert_eq!(peer.tcp.fire(Timer::Persist), "<SEQ=301><ACK=0><DATA=83><CTL=ACK>");
    assert_eq!(peer.ack(384, 0), "Acked(83)");
    assert_eq!(peer.tcp.fire(Timer::Persist), "<SEQ=384><ACK=0><DATA=1><CTL=ACK>");
}

/// Whatever the shift: what a window of less than a unit still takes arrives in full segments, one in each RTO, and no octet
/// beyond the edge goes before all of it.
#[test]
fn established_a_window_below_its_unit_is_filled_in_full_segments() {
    for shift in 1..=14u8 {
        let window = 1u32 << shift;
        let mss = if shift < 14 { 1000 } else { 8300 }; // the initial window holds all of it
        for left in [1, 2, window / 2, window - 1].map(|left| left.clamp(1, window - 1)) {
            let mut peer = Scaled::new(plain(), shift, mss, window);
            let mss = u32::from(mss);
            peer.tcp.send((window - left) as usize);
            let (mut acked, mut probes) = (window - left, 0);
            peer.ack(acked, left);
            assert_eq!(peer.tcp.info().flight, 0, "shift {shift}");
            assert_eq!(peer.tcp.send(2 * left as usize), "", "shift {shift}, {left} left");
            while acked < window {
                assert_eq!(peer.tcp.until(Timer::Persist), Some(peer.tcp.info().rto), "shift {shift}, {left} left");
                peer.tcp.fire(Timer::Persist);
                let len = (window - acked).min(mss);
                assert_eq!(peer.sent(), [(acked, len as usize, false)], "shift {shift}, {left} left");
                (acked, probes) = (acked + len, probes + 1);
                peer.ack(acked, window - acked);
            }
            assert_eq!(probes, left.div_ceil(mss), "shift {shift}, {left} left");
            peer.tcp.fire(Timer::Persist);
            assert_eq!(peer.sent(), [(window, 1, false)], "shift {shift}: beyond the edge, one octet");
        }
    }
}

/// A probe that the peer takes in part is followed by the rest; and a FIN behind the edge is no part of it.
#[test]
fn established_a_probe_up_to_the_edge_taken_in_part_is_followed_by_the_rest() {
    let mut peer = Scaled::new(plain(), 7, 300, 384);
    peer.tcp.send(300);
    peer.ack(300, 84);
    peer.tcp.send(84);
    peer.tcp.close();
    assert_eq!(peer.tcp.fire(Timer::Persist), "<SEQ=300><ACK=0><DATA=84><CTL=PSH,ACK>");
    assert_eq!(peer.ack(340, 44), "Acked(40)");
    assert_eq!(peer.tcp.fire(Timer::Persist), "<SEQ=340><ACK=0><DATA=44><CTL=PSH,ACK>");
    assert_eq!(peer.ack(384, 0), "Acked(44)");
    assert_eq!(peer.tcp.fire(Timer::Persist), "<SEQ=384><ACK=0><CTL=FIN,ACK>");
    peer.tcp.connection.check_invariants();
}

/// Our ACKs carry SND.NXT as long as that lies inside of what the peer promised, or no peer would take them.
#[test]
fn established_acks_are_numbered_inside_the_promised_edge() {
    for shift in 0..=14u8 {
        let unit = 1u32 << shift;
        let window = 3 * unit.max(128);
        for left in [0, 1, unit / 2, unit - 1] {
            let first = window - left;
            let mut peer = Scaled::new(plain(), shift, 30_000, window);
            peer.tcp.send(window as usize);
            let sent = peer.tcp.info().flight;
            assert_eq!(sent, window);
            peer.ack(first, left);
            assert_eq!(peer.answered(first, left), ours(sent), "shift {shift}, {left} left");
        }
        // a probe that the peer refuses lies beyond the edge: ACKs stay before it
        let mut peer = Scaled::new(plain(), shift, 300, 0);
        peer.tcp.send(300);
        peer.tcp.fire(Timer::Persist);
        assert_eq!(peer.answered(0, 0), ours(0), "shift {shift}");
    }
}

/// A FIN beyond a window that truly shrank is not sent again before the window has room for it.
#[test]
fn fin_wait_1_a_fin_beyond_a_shrunk_window_is_not_sent_again() {
    let mut peer = Scaled::new(plain(), 0, 300, 1000);
    peer.tcp.send(100);
    peer.tcp.close();
    assert_eq!((peer.tcp.state(), peer.tcp.info().flight), (State::FinWait1, 101));
    peer.ack(0, 100);
    assert_eq!(peer.until_again().0, [(0, 100, false)]);
    peer.ack(0, 101);
    assert_eq!(peer.until_again().0, [(0, 100, true)]);
}

/// Corked or not, the rest of a promised window needs no permission twice.
#[test]
fn established_nagle_and_cork_do_not_hold_back_what_is_sent_again() {
    let mut peer = Scaled::new(plain(), 7, 300, 384);
    peer.tcp.send(300);
    peer.tcp.send(84);
    peer.tcp.does(Event::Set(Knob::Nagle(true)));
    peer.tcp.does(Event::Set(Knob::Cork(true)));
    peer.ack(300, 84);
    assert_eq!(peer.until_again().0, [(300, 84, false)]);
}

/// A retransmission is filled up with new text only as far as the window of the last ACK reaches.
#[test]
fn established_what_is_sent_again_brings_no_new_text_beyond_the_window() {
    for config in recoveries() {
        let mut peer = Scaled::new(config, 7, 600, 640);
        peer.tcp.send(300);
        peer.tcp.send(250);
        peer.tcp.quiet(ms(20));
        peer.ack(300, 340); // the field says 256
        peer.tcp.send(600);
        let again = peer.until_again().0;
        let end = again.iter().map(|(seq, len, _)| seq + *len as u32).max().expect("something");
        assert!(again[0].0 == 300 && (550..=556).contains(&end), "{again:?}");
    }
}
