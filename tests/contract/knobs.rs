//! Knobs: what each changes at once, at a moment when it matters, and that none does harm in any state.

use segue::congestion::{Algorithm, Reno};
use segue::{Config, Error, Event, Knob, State, Timer};
use segue_kit::rig::{ACK, At, Rig, SYN, everywhere};
use segue_kit::{ms, secs};

fn set(rig: &mut Rig, knob: Knob) -> String {
    rig.does(Event::Set(knob))
}

/// Each knob of `Config` with a value that is not the default of these tests, and one that the setting does not take, if it
/// leaves one out.
fn all() -> Vec<(&'static str, Knob, Option<Knob>)> {
    vec![
        ("send_buffer", Knob::SendBuffer(100), Some(Knob::SendBuffer(0))),
        ("send_low_water", Knob::SendLowWater(Some(9)), Some(Knob::SendLowWater(Some(1 << 30)))),
        ("max_sent_mss", Knob::MaxSentMss(64), Some(Knob::MaxSentMss(63))),
        ("too_big_timeouts", Knob::TooBigTimeouts(2), Some(Knob::TooBigTimeouts(17))),
        ("black_hole_timeouts", Knob::BlackHoleTimeouts(0), None),
        ("mtu_probing", Knob::MtuProbing(false), None),
        ("mtu_retry", Knob::MtuRetry(None), Some(Knob::MtuRetry(Some(secs(299))))),
        ("tolerate_missing_timestamps", Knob::TolerateMissingTimestamps(true), None),
        ("dsack", Knob::Dsack(false), None),
        ("max_ack_delay", Knob::MaxAckDelay(ms(0)), Some(Knob::MaxAckDelay(ms(501)))),
        ("minshall", Knob::Minshall(true), None),
        ("sws_override", Knob::SwsOverride(ms(100)), Some(Knob::SwsOverride(ms(99)))),
        ("delayed_ack", Knob::DelayedAck(ms(1)), Some(Knob::DelayedAck(ms(500)))),
        ("ack_every", Knob::AckEvery(1), Some(Knob::AckEvery(3))),
        ("ack_full_sized", Knob::AckFullSized(true), None),
        ("quick_acks", Knob::QuickAcks(7), None),
        ("min_rto", Knob::MinRto(ms(1)), Some(Knob::MinRto(secs(61)))),
        ("max_rto", Knob::MaxRto(secs(600)), Some(Knob::MaxRto(secs(59)))),
        ("r1", Knob::R1(200), Some(Knob::R1(2))),
        ("user_timeout_option", Knob::UserTimeoutOption(true), None),
        ("user_timeout_lower", Knob::UserTimeoutLower(secs(1)), Some(Knob::UserTimeoutLower(secs(3601)))),
        ("user_timeout_upper", Knob::UserTimeoutUpper(secs(601)), Some(Knob::UserTimeoutUpper(secs(600)))),
        ("connect_timeout", Knob::ConnectTimeout(None), Some(Knob::ConnectTimeout(Some(ms(999))))),
        ("data_retries", Knob::DataRetries(9), None),
        ("syn_retries", Knob::SynRetries(9), None),
        ("keep_alive_interval", Knob::KeepAliveInterval(secs(1)), Some(Knob::KeepAliveInterval(ms(999)))),
        ("keep_alive_probes", Knob::KeepAliveProbes(2), Some(Knob::KeepAliveProbes(1))),
        ("keep_alive_octet", Knob::KeepAliveOctet(true), None),
        ("fin_wait_2", Knob::FinWait2(secs(1)), Some(Knob::FinWait2(secs(1_000_001)))),
        ("rfc5961", Knob::Rfc5961(false), None),
        ("challenge_limit", Knob::ChallengeLimit(1), Some(Knob::ChallengeLimit(0))),
        ("challenge_window", Knob::ChallengeWindow(ms(1)), Some(Knob::ChallengeWindow(ms(0)))),
        ("rfc1337", Knob::Rfc1337(false), None),
        ("time_wait_reuse", Knob::TimeWaitReuse(false), None),
        ("preserve_window", Knob::PreserveWindow(Some(secs(1))), Some(Knob::PreserveWindow(Some(secs(301))))),
        ("pacing", Knob::Pacing(true), None),
        ("pacing_burst", Knob::PacingBurst(1), Some(Knob::PacingBurst(0))),
        ("max_burst", Knob::MaxBurst(1), None),
        ("max_transmit", Knob::MaxTransmit(9), Some(Knob::MaxTransmit(65_001))),
    ]
}

/// The table of settings names them, and every other setting is the connection's own or fixed for a reason.
#[test]
fn every_setting_is_a_knob_or_fixed() {
    let names: Vec<_> = all().iter().map(|(name, _, _)| *name).collect();
    let own = ["receive_buffer", "nagle", "keep_alive", "keep_alive_idle", "user_timeout"];
    for field in Config::fields() {
        let turns = names.contains(&field.name) || own.contains(&field.name);
        assert_eq!((field.knob.is_some(), field.fixed.is_none()), (turns, turns), "{}", field.name);
    }
}

/// In every state a knob says nothing by itself, a second time changes nothing, and back again all is as before. A value that
/// the setting does not take is refused, and nothing changes.
#[test]
fn knobs_do_no_harm_in_any_state() {
    for state in State::ALL {
        for (name, knob, bad) in all() {
            let mut rig = At::default().state(state);
            let before = rig.connection.clone();
            if let Some(bad) = bad {
                assert_eq!(rig.handle(Event::Set(bad)), Err(Error::InvalidSetting), "{name} in {state}");
                assert!(rig.connection == before && rig.connection.check_knob(bad).is_err(), "{name} in {state}");
            }
            assert_eq!((set(&mut rig, knob), rig.state()), (String::new(), state), "{name} in {state}");
            let once = rig.connection.clone();
            assert!(once.config() != before.config(), "{name}");
            assert_eq!(set(&mut rig, knob), "", "{name} in {state}");
            assert!(rig.connection == once, "{name} twice in {state}");
        }
    }
}

#[test]
fn equal_settings_make_equal_connections() {
    let mut rig = At::default().established();
    let before = rig.connection.clone();
    set(&mut rig, Knob::AckEvery(1));
    assert!(rig.connection != before);
    set(&mut rig, Knob::AckEvery(before.config().ack_every()));
    assert!(rig.connection == before);
    assert_eq!(rig.connection.config(), before.config());
}

/// A delayed ACK waits no longer than the new delay says, and no longer than it was to.
#[test]
fn a_delayed_ack_that_waits_goes_by_the_new_delay() {
    everywhere(|at| {
        let mut rig = at.with(|config| config.delayed_ack(ms(200)).ack_every(2).quick_acks(0)).established();
        rig.arrives(rig.octets(1, 1, 100));
        assert_eq!(rig.until(Timer::DelayedAck), Some(ms(200)));
        set(&mut rig, Knob::DelayedAck(ms(50)));
        assert_eq!(rig.until(Timer::DelayedAck), Some(ms(50)));
        rig.wait(ms(10));
        set(&mut rig, Knob::DelayedAck(ms(400)));
        set(&mut rig, Knob::DelayedAck(ms(50)));
        assert_eq!(rig.until(Timer::DelayedAck), Some(ms(40))); // not postponed
        assert_eq!(set(&mut rig, Knob::DelayedAck(ms(0))), "<SEQ=1><ACK=101><CTL=ACK>");
        assert_eq!(rig.until(Timer::DelayedAck), None);
        assert!(rig.arrives(rig.octets(101, 1, 100)).ends_with("<SEQ=1><ACK=201><CTL=ACK>"));
    });
}

/// What waits for a second segment does not, where each one is to be acknowledged.
#[test]
fn ack_every_counts_for_what_waits() {
    let mut rig = At::default().with(|config| config.delayed_ack(ms(200)).ack_every(2).quick_acks(0)).established();
    rig.arrives(rig.octets(1, 1, 100));
    assert_eq!(set(&mut rig, Knob::AckEvery(1)), "<SEQ=1><ACK=101><CTL=ACK>");
    set(&mut rig, Knob::AckEvery(2));
    set(&mut rig, Knob::AckFullSized(true));
    for (seq, octets) in [(101, 100), (201, 90)] {
        assert!(!rig.arrives(rig.octets(seq, 1, octets)).contains("CTL=ACK"));
    }
    assert_eq!(set(&mut rig, Knob::AckFullSized(false)), "<SEQ=1><ACK=291><CTL=ACK>"); // two segments
}

#[test]
fn quick_acks_end_at_once() {
    let mut rig = At::default().with(|config| config.delayed_ack(ms(200)).ack_every(2).quick_acks(9)).established();
    assert!(rig.arrives(rig.octets(1, 1, 100)).contains("<ACK=101><CTL=ACK>"));
    set(&mut rig, Knob::QuickAcks(0));
    assert!(!rig.arrives(rig.octets(101, 1, 100)).contains("CTL=ACK"));
}

/// R2 below what was counted already ends the connection with the next timeout; R1 is reached at once.
#[test]
fn retries_below_what_was_counted() {
    everywhere(|at| {
        let mut rig = at.with(|config| config.r1(100)).established();
        rig.send(100);
        for _ in 0..4 {
            rig.fire(Timer::Retransmit);
        }
        assert_eq!(set(&mut rig, Knob::R1(5)), "");
        assert_eq!(set(&mut rig, Knob::R1(4)), "Report(Unresponsive { retransmissions: 4 })");
        assert_eq!((set(&mut rig, Knob::R1(4)), set(&mut rig, Knob::R1(3))), (String::new(), String::new()));
        assert_eq!((set(&mut rig, Knob::DataRetries(2)), rig.state()), (String::new(), State::Established));
        assert_eq!(rig.fire(Timer::Retransmit), "Closed(UserTimeout)");
        for mut rig in [at.connect(), at.syn_received()] {
            for _ in 0..2 {
                rig.fire(Timer::Retransmit);
            }
            assert_eq!(set(&mut rig, Knob::SynRetries(1)), "");
            assert_eq!(rig.fire(Timer::Retransmit), "Closed(ConnectTimeout)");
        }
    });
}

#[test]
fn patience_with_a_handshake_goes_by_the_new_limit() {
    for mut rig in [At::default().connect(), At::default().syn_received()] {
        rig.pass(secs(10));
        set(&mut rig, Knob::ConnectTimeout(Some(secs(30))));
        assert_eq!(rig.until(Timer::UserTimeout), Some(secs(20)));
        set(&mut rig, Knob::ConnectTimeout(None));
        assert_eq!(rig.until(Timer::UserTimeout), None);
        set(&mut rig, Knob::ConnectTimeout(Some(secs(1)))); // it is over
        assert_eq!(rig.pass(secs(1)).pop().expect("a timer").1, "Closed(ConnectTimeout)");
    }
}

/// Smaller than what is queued: nothing is lost, and the user waits until there is room again. Larger: it is told.
#[test]
fn the_send_buffer_shrinks_and_grows() {
    let mut rig = At::default().with(|config| config.send_buffer(10_000)).established();
    rig.window = 1000;
    rig.arrives(rig.ack(1, 1));
    rig.send(6000);
    let queued = rig.info().send_queue;
    assert_eq!(set(&mut rig, Knob::SendBuffer(3000)), "");
    assert_eq!((rig.info().send_queue, rig.connection.send_room()), (queued, 0));
    assert_eq!(rig.handle(Event::Send("x".into())), Err(Error::NoRoom { room: 0 }));
    assert!(!rig.arrives(rig.ack(1, 1001)).contains("Writable"));
    assert_eq!(rig.connection.send_room(), 0);
    assert_eq!(set(&mut rig, Knob::SendBuffer(20_000)), "Writable");
    assert_eq!(rig.connection.send_room(), 15_000);
    assert_eq!(set(&mut rig, Knob::SendBuffer(5000)), ""); // full with what is queued
    assert_eq!(set(&mut rig, Knob::SendLowWater(Some(1001))), "");
    assert!(!rig.arrives(rig.ack(1, 2001)).contains("Writable"));
    assert_eq!(set(&mut rig, Knob::SendLowWater(Some(1000))), "Writable");
}

/// New segments go by it, what is in flight stays as it is; lost, it goes again in smaller ones.
#[test]
fn the_cap_of_the_sent_mss_counts_for_new_segments() {
    everywhere(|at| {
        let mut rig = at.established();
        assert_eq!(rig.send(2000).matches("DATA=1000").count(), 2);
        assert_eq!(set(&mut rig, Knob::MaxSentMss(400)), ""); // nothing goes again
        assert_eq!((rig.info().eff_snd_mss, rig.info().flight), (400, 2000));
        let said = rig.send(800);
        assert_eq!(said.matches("DATA=400").count(), 2, "{said}");
        let again = rig.fire(Timer::Retransmit);
        assert!(again.contains("<SEQ=1>") && again.contains("DATA=400"), "{again}");
        rig.arrives(rig.ack(1, 2801));
        assert_eq!(set(&mut rig, Knob::MaxSentMss(65_535)), "");
        assert_eq!(rig.info().eff_snd_mss, 1000);
        assert!(rig.send(1000).contains("DATA=1000"));
    });
}

/// From the opening on, too; the MSS that we announce is another matter.
#[test]
fn the_cap_of_the_sent_mss_from_the_opening_on() {
    let at = At::default().with(|config| config.max_sent_mss(300));
    assert_eq!(at.connect().sent()[0].options.get().mss, Some(1460));
    let mut rig = at.established();
    assert_eq!(rig.send(900).matches("DATA=300").count(), 3);
    for mut rig in [At::default().connect(), At::default().syn_received()] {
        set(&mut rig, Knob::MaxSentMss(200));
        rig.arrives(if rig.state() == State::SynSent { rig.syn(SYN | ACK) } else { rig.ack(1, 1) });
        assert_eq!((rig.state(), rig.info().eff_snd_mss), (State::Established, 200));
    }
}

/// An MTU that changes under the cap, and over it.
#[test]
fn the_cap_of_the_sent_mss_and_the_mtu_of_the_path() {
    let mut rig = At::default().established();
    set(&mut rig, Knob::MaxSentMss(500));
    rig.does(Event::Mtu(440));
    assert_eq!(rig.info().eff_snd_mss, 400);
    set(&mut rig, Knob::MaxSentMss(450));
    assert_eq!(rig.info().eff_snd_mss, 400);
    rig.does(Event::Mtu(1500));
    assert_eq!(rig.info().eff_snd_mss, 450);
    set(&mut rig, Knob::MaxSentMss(65_535));
    assert_eq!((rig.info().eff_snd_mss, rig.info().path_mtu), (1000, 1500));
}

#[test]
fn timers_of_the_sender_go_by_the_new_limits() {
    let mut rig = At::default().with(|config| config.min_rto(secs(2)).nagle(true).sws_override(secs(1))).established();
    rig.send(100);
    rig.wait(ms(50));
    rig.arrives(rig.ack(1, 101)); // a round trip is measured
    rig.send(100);
    let (before, srtt) = (rig.info().rto, rig.info().srtt.expect("measured"));
    assert_eq!((rig.until(Timer::Retransmit), before), (Some(before), srtt + secs(2)));
    set(&mut rig, Knob::MinRto(ms(100)));
    let rto = rig.info().rto;
    assert!(rto < ms(200) && rig.until(Timer::Retransmit) == Some(rto), "{rto:?}");
    set(&mut rig, Knob::MinRto(secs(3)));
    assert_eq!((rig.until(Timer::Retransmit), rig.info().rto), (Some(rto), srtt + secs(3))); // from the next one on
    rig.arrives(rig.ack(1, 201));
    set(&mut rig, Knob::Cork(true));
    rig.send(10);
    assert_eq!(rig.until(Timer::Override), Some(secs(1)));
    set(&mut rig, Knob::SwsOverride(ms(100)));
    assert_eq!(rig.until(Timer::Override), Some(ms(100)));
}

#[test]
fn keep_alives_go_by_the_new_numbers() {
    let mut rig = At::default().with(|config| config.keep_alive(true).keep_alive_probes(9)).established();
    rig.fire(Timer::KeepAlive);
    set(&mut rig, Knob::KeepAliveInterval(secs(5)));
    assert_eq!(rig.until(Timer::KeepAlive), Some(secs(5)));
    assert!(!rig.fire(Timer::KeepAlive).contains("DATA"));
    set(&mut rig, Knob::KeepAliveOctet(true));
    assert!(rig.fire(Timer::KeepAlive).contains("DATA=1"));
    set(&mut rig, Knob::KeepAliveProbes(2)); // three are out
    assert_eq!(rig.fire(Timer::KeepAlive), "Closed(KeepAliveTimeout)");
}

#[test]
fn the_limit_of_fin_wait_2_goes_by_the_new_time() {
    let mut rig = At::default().with(|config| config.fin_wait_2(secs(60))).fin_wait_2();
    rig.does(Event::Release);
    assert_eq!(rig.until(Timer::FinWait2), Some(secs(60)));
    set(&mut rig, Knob::FinWait2(secs(7)));
    assert_eq!(rig.until(Timer::FinWait2), Some(secs(7)));
    rig.arrives(rig.fin(1, 2));
    set(&mut rig, Knob::FinWait2(secs(5)));
    assert_eq!((rig.state(), rig.until(Timer::FinWait2)), (State::TimeWait, None));
}

/// What pacing holds back leaves when it is switched off.
#[test]
fn pacing_is_switched_off_and_on() {
    let mut rig = At::default().with(|config| config.pacing(true).pacing_burst(1).send_buffer(50_000)).established();
    rig.send(100);
    rig.wait(ms(100));
    rig.arrives(rig.ack(1, 101));
    let first = rig.send(8000).matches("DATA=").count();
    assert!(first < 8 && rig.until(Timer::Pace).is_some(), "{first}");
    assert_eq!(first + set(&mut rig, Knob::Pacing(false)).matches("DATA=").count(), 8);
    assert_eq!(rig.until(Timer::Pace), None);
    rig.wait(ms(100));
    rig.arrives(rig.ack(1, 8101));
    let hears = |rig: &Rig| format!("{:?}", rig.connection.controller()).contains("paced: true");
    assert!(!hears(&rig));
    set(&mut rig, Knob::Pacing(true));
    assert!(hears(&rig));
    assert!(rig.send(8000).matches("DATA=").count() < 8 && rig.until(Timer::Pace).is_some());
    set(&mut rig, Knob::PacingBurst(20));
    rig.wait(ms(100));
    rig.fire_if(Timer::Pace);
    assert_eq!((rig.until(Timer::Pace), rig.info().flight), (None, 8000)); // the rest at once
}

#[test]
fn a_burst_is_limited_from_now_on() {
    let mut rig = At::default().with(|config| config.send_buffer(50_000)).established();
    set(&mut rig, Knob::MaxBurst(2));
    let said = rig.send(6000);
    assert!(said.matches("DATA=").count() == 2 && said.contains("MorePending"), "{said}");
    set(&mut rig, Knob::MaxTransmit(3000));
    assert!(rig.sent().iter().any(|segment| segment.payload.len() == 3000));
}

/// Off, the peer's wish is forgotten; on, ours is told with the next segment (RFC 5482 §3).
#[test]
fn the_user_timeout_option_is_switched() {
    let mut rig = At::default().established();
    set(&mut rig, Knob::UserTimeoutOption(true));
    rig.send(10);
    assert_eq!(rig.sent().last().expect("text").options.user_timeout(), Some(300));
    let mut ack = rig.ack(1, 11);
    ack.options.update(|options| options.user_timeout = Some(600));
    rig.arrives(ack);
    assert_eq!(rig.info().user_timeout, Some(secs(600)));
    set(&mut rig, Knob::UserTimeoutUpper(secs(601)));
    set(&mut rig, Knob::UserTimeoutLower(secs(601)));
    assert_eq!(rig.info().user_timeout, Some(secs(601)));
    set(&mut rig, Knob::UserTimeoutOption(false));
    assert_eq!(rig.info().user_timeout, Some(secs(300)));
}

/// A window that is kept for a while, and one that is not (RFC 7661, RFC 5681 §4.1).
#[test]
fn an_unused_window_is_kept_from_now_on() {
    let grown = || {
        let mut rig = At::default().with(|config| config.send_buffer(50_000).initial_window(2)).established();
        for octets in (1..20_000).step_by(2000) {
            rig.send(2000);
            rig.wait(ms(10));
            rig.arrives(rig.ack(1, octets + 2000));
        }
        rig
    };
    let mut rig = grown();
    let window = rig.info().cwnd;
    rig.wait(secs(20));
    set(&mut rig, Knob::PreserveWindow(Some(secs(100))));
    rig.send(1000);
    assert_eq!(rig.info().cwnd, window);
    let mut rig =
        At { config: rig.at.config, ..rig.at }.with(|config| config.preserve_window(Some(secs(100)))).established();
    rig.send(1000);
    set(&mut rig, Knob::PreserveWindow(None));
    rig.wait(ms(10));
    rig.arrives(rig.ack(1, 1001));
    let grown = rig.info().cwnd;
    rig.wait(secs(20));
    rig.send(1000);
    assert!(rig.info().cwnd < grown);
}

/// The controller decides from now on, with no more than what is in flight, or the initial window.
#[test]
fn another_controller_takes_over() {
    let mut rig = At::default().with(|config| config.send_buffer(100_000)).established();
    rig.send(100_000);
    while rig.info().flight > 0 {
        rig.wait(ms(10));
        let sent = rig.info().snd_nxt - rig.info().iss;
        rig.arrives(rig.ack(1, sent.into()));
    }
    assert!(rig.info().cwnd > 30_000);
    assert_eq!(rig.send(25_000).matches("DATA=1000").count(), 25);
    let mut actions = Vec::new();
    let before = rig.connection.replace_controller(Algorithm::Reno(Reno::default()), rig.now, &mut actions);
    assert!(before != Algorithm::Reno(Reno::default()) && actions.is_empty());
    assert_eq!((rig.info().cwnd, rig.info().ssthresh), (25_000, u32::MAX));
    rig.arrives(rig.ack(1, 125_001));
    assert!(rig.info().cwnd > 25_000);
    rig.connection.replace_controller(Algorithm::default(), rig.now, &mut actions);
    assert_eq!(rig.info().cwnd, 10_000); // nothing is in flight: the initial window
}

/// In recovery the window is what it was reduced to, and recovery ends as ever.
#[test]
fn another_controller_takes_over_in_recovery() {
    everywhere(|at| {
        let mut rig = at.with(|config| config.send_buffer(100_000)).established();
        rig.send(10_000);
        for _ in 0..3 {
            rig.arrives(rig.ack(1, 1));
        }
        let reduced = rig.info();
        assert_eq!(reduced.counters.fast_retransmits, 1);
        let mut actions = Vec::new();
        rig.connection.replace_controller(Algorithm::Reno(Reno::default()), rig.now, &mut actions);
        assert_eq!(rig.info().ssthresh, reduced.ssthresh);
        rig.arrives(rig.ack(1, 10_001));
        assert!(rig.info().cwnd <= reduced.ssthresh, "{} {}", rig.info().cwnd, reduced.ssthresh);
        rig.send(2000);
        rig.fire(Timer::Retransmit);
        rig.connection.replace_controller(Algorithm::default(), rig.now, &mut actions);
        assert_eq!(rig.info().cwnd, 1000); // the loss window
        rig.arrives(rig.ack(1, 12_001));
        assert_eq!(rig.info().flight, 0);
    });
}

/// Before the handshake is complete the new one starts with it; in CLOSED there is none.
#[test]
fn another_controller_in_every_state() {
    let reno = || Algorithm::Reno(Reno::default());
    for state in State::ALL {
        let mut rig = At::default().state(state);
        let before = rig.connection.clone();
        let old = rig.connection.replace_controller(reno(), rig.now, &mut Vec::new());
        assert_eq!((old == reno(), rig.state()), (state == State::Closed, state), "{state}");
        if state == State::Closed {
            assert!(rig.connection == before);
        }
        if matches!(state, State::SynSent | State::SynReceived) {
            let (syn, ack) = (rig.syn(SYN | ACK), rig.ack(1, 1));
            rig.arrives(if state == State::SynSent { syn } else { ack });
            assert_eq!((rig.state(), rig.info().cwnd), (State::Established, 10_000));
        }
    }
}

/// A send buffer that is smaller now than what is in flight bounds no records of it: larger segments lose nothing.
#[test]
fn a_smaller_send_buffer_and_then_larger_segments_send_nothing_again() {
    let mut rig = At::default().with(|config| config.max_sent_mss(64).initial_window(10)).established();
    for round in 0..8 {
        rig.send(640 << round); // the window doubles
        let acked = rig.info().snd_nxt - rig.info().iss;
        rig.arrives(rig.ack(1, acked.into()));
    }
    rig.send(60_000);
    let (flight, segments) = (rig.info().flight, rig.info().flight_segments);
    assert!(segments > 70, "{segments}"); // more than the records that a buffer of 500 octets allows
    set(&mut rig, Knob::SendBuffer(500));
    let said = set(&mut rig, Knob::MaxSentMss(70)); // too little to join segments of 64
    assert_eq!((said.as_str(), rig.info().flight, rig.info().counters.retransmissions), ("", flight, 0));
}
