//! Hosts that are late, because the machine slept or the host had other things to do: nobody gives up on a peer that was
//! not asked, and somebody who is late for ever gives up all the same.

use std::time::Duration;

use quickcheck::{Arbitrary, Gen, QuickCheck, TestResult};
use segue::{Action, CloseReason, Config, Event, Knob, State, Timer};
use segue_kit::rig::{ACK, At, Rig, SYN, everywhere};
use segue_kit::{ms, secs};

/// What waits for the peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Waits {
    SynSent,
    SynReceived,
    Crossed,
    Text,
    Fin(State),
    /// Text behind a window that the SYN,ACK closed.
    ClosedWindow,
    /// Text that left before the window closed.
    ShrunkWindow,
    Corked,
    Nagled,
    Silly,
    Paced,
    CutBurst,
    Idle,
}

pub(super) const ALL: [Waits; 15] = [
    Waits::SynSent,
    Waits::SynReceived,
    Waits::Crossed,
    Waits::Text,
    Waits::Fin(State::FinWait1),
    Waits::Fin(State::Closing),
    Waits::Fin(State::LastAck),
    Waits::ClosedWindow,
    Waits::ShrunkWindow,
    Waits::Corked,
    Waits::Nagled,
    Waits::Silly,
    Waits::Paced,
    Waits::CutBurst,
    Waits::Idle,
];

impl Waits {
    pub(super) fn rig(self, at: At) -> Rig {
        match self {
            Self::SynSent => at.connect(),
            Self::SynReceived => at.syn_received(),
            Self::Crossed => at.crossed(),
            Self::Text => sends(at.established(), 100),
            Self::Fin(state) => at.state(state),
            Self::ClosedWindow => sends(window(at.established(), 0), 100),
            Self::ShrunkWindow => window(sends(at.established(), 100), 0),
            Self::Corked => {
                let mut rig = at.established();
                rig.does(Event::Set(Knob::Cork(true)));
                sends(rig, 100)
            }
            Self::Nagled => sends(sends(at.established(), 100), 100),
            Self::Silly => sends(window(at.established(), 10), 100),
            Self::Paced => sends(at.with(|config| config.pacing(true).pacing_burst(1)).established(), 5000),
            Self::CutBurst => sends(at.with(|config| config.max_burst(1)).established(), 5000),
            Self::Idle => at.with(|config| config.keep_alive(true)).established(),
        }
    }
}

fn sends(mut rig: Rig, octets: usize) -> Rig {
    rig.send(octets);
    rig
}

/// The peer says that its window is `octets` octets.
fn window(mut rig: Rig, octets: u16) -> Rig {
    rig.window = octets;
    rig.arrives(rig.ack(1, 1));
    rig
}

/// How the machine gives up for want of an answer.
pub(super) fn gave_up(rig: &Rig) -> Option<CloseReason> {
    rig.last.iter().find_map(|action| match action {
        Action::Closed(
            reason @ (CloseReason::UserTimeout | CloseReason::ConnectTimeout | CloseReason::KeepAliveTimeout),
        ) => Some(*reason),
        _ => None,
    })
}

/// The host comes so much too late for the next timer.
fn comes(rig: &mut Rig, late: Duration) -> String {
    let (timer, at) = rig.connection.next_deadline().expect("something waits");
    rig.now = rig.now.max(at) + late;
    rig.call_timer(timer)
}

// What the machine slept through.

#[test]
fn text_in_flight_is_sent_again_before_anybody_gives_up() {
    everywhere(|at| {
        for late in [secs(299), secs(300), secs(301), secs(36_000)] {
            let mut rig = at.established();
            rig.send(100);
            rig.wait(late);
            assert_eq!(rig.call_timer(Timer::UserTimeout), "<SEQ=1><ACK=1><DATA=100><CTL=PSH,ACK>");
            assert_eq!((rig.until(Timer::Retransmit), rig.until(Timer::UserTimeout)), (Some(secs(2)), Some(secs(299))));
            assert_eq!(rig.arrives(rig.ack(1, 101)), "Acked(100); Flushed");
        }
    });
}

/// The minimum: R2 is longer than one retransmission and its timeout, however little patience the user has.
#[test]
fn the_least_patience_waits_for_the_answer_to_one_retransmission() {
    everywhere(|at| {
        let at = at.with(|config| config.user_timeout(Some(secs(1))).connect_timeout(Some(secs(1))));
        for (waits, again, reason) in [
            (Waits::SynSent, "<SEQ=0><CTL=SYN>", "Closed(ConnectTimeout)"),
            (Waits::SynReceived, "<SEQ=0><ACK=1><CTL=SYN,ACK>", "Closed(ConnectTimeout)"),
            (Waits::Crossed, "<SEQ=0><ACK=1><CTL=SYN,ACK>", "Closed(ConnectTimeout)"),
            (Waits::Text, "<SEQ=1><ACK=1><DATA=100><CTL=PSH,ACK>", "Closed(UserTimeout)"),
            (Waits::Fin(State::FinWait1), "<SEQ=1><ACK=1><CTL=FIN,ACK>", "Closed(UserTimeout)"),
            (Waits::ClosedWindow, "<SEQ=1><ACK=1><DATA=1><CTL=ACK>", "Closed(UserTimeout)"),
        ] {
            let mut rig = waits.rig(at);
            assert_eq!(rig.until(Timer::UserTimeout), Some(secs(3)), "{waits:?}");
            assert_eq!(comes(&mut rig, secs(0)), again);
            assert_eq!(rig.until(Timer::UserTimeout), Some(secs(2)), "{waits:?}");
            assert_eq!(comes(&mut rig, secs(0)), reason);
        }
        // nothing was sent yet: the override timeout sends, one RTO later it is sent again, two more have to pass
        let mut rig = Waits::Corked.rig(at);
        assert_eq!(rig.until(Timer::UserTimeout), Some(ms(3200)));
        assert_eq!(rig.pass(ms(3199)).pop().expect("a timer").1, "<SEQ=1><ACK=1><DATA=100><CTL=PSH,ACK>");
        assert_eq!(rig.pass(ms(1)).pop().expect("a timer").1, "Closed(UserTimeout)");
    });
}

#[test]
fn each_kind_of_wait_asks_first() {
    everywhere(|at| {
        for (waits, first) in [
            (Waits::SynSent, "<SEQ=0><CTL=SYN>"),
            (Waits::SynReceived, "<SEQ=0><ACK=1><CTL=SYN,ACK>"),
            (Waits::Crossed, "<SEQ=0><ACK=1><CTL=SYN,ACK>"),
            (Waits::Fin(State::FinWait1), "<SEQ=1><ACK=1><CTL=FIN,ACK>"),
            (Waits::Fin(State::Closing), "<SEQ=1><ACK=2><CTL=FIN,ACK>"),
            (Waits::Fin(State::LastAck), "<SEQ=1><ACK=2><CTL=FIN,ACK>"),
            (Waits::ClosedWindow, "<SEQ=1><ACK=1><DATA=1><CTL=ACK>"),
            (Waits::Corked, "<SEQ=1><ACK=1><DATA=100><CTL=PSH,ACK>"),
            (Waits::Nagled, "<SEQ=1><ACK=1><DATA=200><CTL=PSH,ACK>"),
            (Waits::Silly, "<SEQ=1><ACK=1><DATA=10><CTL=ACK>"),
        ] {
            let mut rig = waits.rig(at);
            let limit = rig.connection.deadline(Timer::UserTimeout).expect("something waits").saturating_since(rig.now);
            let (_, due) = rig.connection.next_deadline().expect("something waits");
            let spent = due.saturating_since(rig.now);
            assert_eq!(comes(&mut rig, secs(100_000)), first, "{waits:?}");
            assert_eq!(rig.until(Timer::UserTimeout), Some(limit - spent), "{waits:?}");
        }
    });
}

/// A closed window that was confirmed: each answer is progress, however late the host.
#[test]
fn a_late_host_keeps_a_closed_window_that_is_answered() {
    let mut rig = Waits::ClosedWindow.rig(At::default());
    for _ in 0..50 {
        assert_eq!(comes(&mut rig, secs(400)), "<SEQ=1><ACK=1><DATA=1><CTL=ACK>");
        assert_eq!(rig.arrives(rig.ack(1, 1)), "");
    }
    rig.window = 1000;
    assert_eq!(rig.arrives(rig.ack(1, 1)), "<SEQ=1><ACK=1><DATA=100><CTL=PSH,ACK>");
}

/// Counted probes were sent: 10 hours late, the probes go one by one, and the last one's time passes too.
#[test]
fn keep_alives_that_were_never_sent_do_not_count() {
    everywhere(|at| {
        for late in [secs(0), secs(36_000)] {
            let mut rig = Waits::Idle.rig(at);
            for _ in 0..9 {
                assert_eq!(comes(&mut rig, late), "<SEQ=0><ACK=1><CTL=ACK>");
                assert_eq!(rig.until(Timer::KeepAlive), Some(secs(75)));
            }
            assert_eq!(comes(&mut rig, late), "Closed(KeepAliveTimeout)");
        }
    });
}

#[test]
fn retransmissions_that_were_never_sent_do_not_count() {
    let at =
        At::default().with(|config| config.data_retries(2).syn_retries(2).user_timeout(None).connect_timeout(None));
    for late in [secs(0), secs(100_000)] {
        for waits in ALL.into_iter().filter(|&waits| !matches!(waits, Waits::Idle | Waits::Paced | Waits::CutBurst)) {
            let mut rig = waits.rig(at);
            if matches!(waits, Waits::Corked | Waits::Silly) {
                comes(&mut rig, late); // it is sent for the first time
            }
            for _ in 0..2 {
                comes(&mut rig, late);
                assert_eq!((gave_up(&rig), rig.sent().len()), (None, 1), "{waits:?}");
            }
            comes(&mut rig, late);
            assert!(gave_up(&rig).is_some(), "{waits:?}");
        }
    }
}

/// FIN-WAIT-2 and TIME-WAIT ask nobody: they end with the first call after their time.
#[test]
fn what_only_waits_ends_late() {
    let mut rig = At::default().fin_wait_2();
    rig.does(Event::Release);
    rig.wait(secs(5000));
    assert_eq!(rig.call_timer(Timer::FinWait2), "Closed(FinWait2Timeout)");
    let mut rig = At::default().time_wait();
    rig.wait(secs(5000));
    assert_eq!(rig.call_timer(Timer::TimeWait), "Closed(Finished)");
}

// Patience ends.

/// Late for every call, by whatever it is: what the peer was asked is the same, and so is the end.
#[test]
fn a_host_that_is_always_late_gives_up_after_as_many_retransmissions() {
    for waits in ALL {
        let asked = |late: Duration| {
            let mut rig = waits.rig(At::default());
            let mut asked = 0;
            while gave_up(&rig).is_none() {
                assert!(rig.now < rig.at.start + 30 * (secs(7500) + late), "{waits:?} never ends");
                comes(&mut rig, late);
                asked += u64::from(waits == Waits::Idle && !rig.sent().is_empty());
            }
            let counters = rig.connection.info().counters;
            asked + counters.timeouts + counters.probes
        };
        let in_time = asked(Duration::ZERO);
        assert!(in_time > 5, "{waits:?}");
        for late in [ms(1), secs(1), secs(299), secs(300), secs(86_400), secs(400_000_000)] {
            assert_eq!(asked(late), in_time, "{waits:?} with {late:?}");
        }
    }
}

#[test]
fn the_time_that_was_slept_does_not_count() {
    let mut rig = Waits::Text.rig(At::default().with(|config| config.black_hole_timeouts(0)));
    for (nth, rto) in [1, 2, 4, 8, 16, 32, 60, 60, 60].into_iter().enumerate() {
        assert_eq!(rig.until(Timer::Retransmit), Some(secs(rto)));
        let said = comes(&mut rig, secs(300));
        assert!(said.ends_with("<SEQ=1><ACK=1><DATA=100><CTL=PSH,ACK>"), "{nth}: {said}");
    }
    assert_eq!(rig.now.saturating_since(rig.at.start), secs(243 + 9 * 300));
    assert_eq!(rig.until(Timer::UserTimeout), Some(secs(57)));
    assert_eq!(comes(&mut rig, secs(300)), "Closed(UserTimeout)");
}

// The kind.

/// What the host and the peer do, one after the other.
#[derive(Clone, Copy, Debug)]
enum Does {
    /// The host comes so much too late.
    Comes(Duration),
    /// The host comes before anything is due.
    Early,
    /// The peer acknowledges an octet more.
    Acknowledges,
    /// The peer says the same once more.
    Repeats,
    /// The user's patience changes.
    Patience(Option<Duration>),
    /// The user sends another octet.
    Sends,
}

#[derive(Clone, Debug)]
struct Story {
    waits: Waits,
    user_timeout: Option<Duration>,
    connect_timeout: Option<Duration>,
    retries: u8,
    does: Vec<Does>,
    options: bool,
}

fn patience(g: &mut Gen) -> Option<Duration> {
    g.choose(&[Some(secs(1)), Some(secs(2)), Some(secs(3)), Some(secs(7)), Some(secs(100)), Some(secs(300)), None])
        .copied()
        .expect("some")
}

impl Arbitrary for Story {
    fn arbitrary(g: &mut Gen) -> Self {
        let late = [ms(0), ms(0), ms(1), ms(200), secs(1), secs(2), secs(60), secs(300), secs(86_400 * 30)];
        // half of the kinds of events are off in each story
        let kinds: Vec<u8> = (0..6).filter(|_| bool::arbitrary(g)).chain([0]).collect();
        let step = |g: &mut Gen| match g.choose(&kinds) {
            Some(1) => Does::Early,
            Some(2) => Does::Acknowledges,
            Some(3) => Does::Repeats,
            Some(4) => Does::Patience(patience(g)),
            Some(5) => Does::Sends,
            _ => Does::Comes(*g.choose(&late).expect("some")),
        };
        Self {
            waits: *g.choose(&ALL).expect("some"),
            user_timeout: patience(g),
            connect_timeout: patience(g),
            retries: *g.choose(&[0, 0, 1, 2, 5]).expect("some"),
            does: (0..40).map(|_| step(g)).collect(),
            options: bool::arbitrary(g),
        }
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let story = self.clone();
        let without = (0..story.does.len()).map(move |i| {
            let mut shorter = story.clone();
            shorter.does.remove(i);
            shorter
        });
        Box::new(without)
    }
}

/// The instants at which what was sent again, since the last progress, times out.
struct Asked(Vec<segue::Instant>);

impl Asked {
    /// Whatever was sent a second time, and each probe.
    fn note(&mut self, rig: &Rig, before: &segue::Info) {
        let (now, then) = (rig.connection.info().counters, before.counters);
        let keep_alive = before.flight == 0 && before.send_queue == 0 && !rig.sent().is_empty();
        if now.retransmissions > then.retransmissions || now.probes > then.probes || keep_alive {
            let timeout = [Timer::Retransmit, Timer::Persist, Timer::KeepAlive];
            self.0.extend(timeout.into_iter().find_map(|timer| rig.connection.deadline(timer)));
        }
    }
}

/// `Closed` for want of an answer comes only when something was sent again since the last progress and its timeout is
/// over; each deadline lies ahead; and an on-time call of the user timeout ends the connection: its deadline was true.
#[test]
fn nobody_gives_up_without_evidence() {
    fn property(story: Story) -> TestResult {
        let at = At::default().with(|config| {
            config
                .user_timeout(story.user_timeout)
                .connect_timeout(story.connect_timeout)
                .data_retries(story.retries)
                .syn_retries(story.retries)
        });
        let mut rig = story.waits.rig(if story.options { at.with_options() } else { at });
        let mut asked = Asked(Vec::new());
        for does in &story.does {
            let before = rig.connection.info();
            let next = rig.connection.next_deadline();
            match *does {
                Does::Comes(late) => {
                    let Some((timer, due)) = next else { continue };
                    comes(&mut rig, late);
                    let true_end = timer == Timer::UserTimeout && late.is_zero() && rig.now == due;
                    if true_end && gave_up(&rig).is_none() {
                        return TestResult::error(format!("{due} was no deadline of the user timeout: {}", rig.said()));
                    }
                }
                Does::Early => {
                    if next.is_some_and(|(_, at)| at > rig.now) {
                        rig.call_timer(Timer::UserTimeout);
                    }
                }
                Does::Acknowledges if rig.state().is_synchronized() => {
                    let (una, nxt) = (before.snd_una, before.snd_nxt);
                    if una != nxt {
                        let ack = i64::from(una - before.iss) + 1;
                        rig.arrives(rig.ack(i64::from(before.rcv_nxt - before.irs), ack));
                    }
                }
                Does::Acknowledges => drop(rig.arrives(rig.syn(SYN | ACK))),
                Does::Repeats if rig.state().is_synchronized() => {
                    let (seq, ack) = (before.rcv_nxt - before.irs, before.snd_una - before.iss);
                    rig.arrives(rig.ack(i64::from(seq), i64::from(ack)));
                }
                Does::Repeats => {}
                Does::Patience(limit) => drop(rig.does(Event::Set(Knob::UserTimeout(limit)))),
                Does::Sends => drop(rig.handle(Event::Send("x".into()))),
            }
            if let Some(reason) = gave_up(&rig) {
                let enough = asked.0.iter().any(|&timeout| timeout <= rig.now);
                return match enough {
                    true => TestResult::passed(),
                    false => TestResult::error(format!("{reason:?} at {}, asked: {:?}", rig.now, asked.0)),
                };
            }
            let info = rig.connection.info();
            let confirmed = matches!(does, Does::Repeats) && info.snd_wnd == 0 && info.state.is_synchronized();
            let heard = matches!(does, Does::Repeats) && before.flight == 0; // an answer to a keep-alive
            if info.snd_una != before.snd_una || info.state != before.state || confirmed || heard {
                asked.0.clear();
            }
            asked.note(&rig, &before);
        }
        TestResult::passed()
    }
    QuickCheck::new().tests(20_000).max_tests(20_000).quickcheck(property as fn(Story) -> TestResult);
}

/// The defaults leave room for many retransmissions: a host in time sees R2 as it is set.
#[test]
fn a_host_in_time_sees_the_limits_that_were_set() {
    let config = Config::default();
    let rig = Waits::Text.rig(At::default());
    assert_eq!(rig.until(Timer::UserTimeout), config.user_timeout());
    for waits in [Waits::SynSent, Waits::SynReceived, Waits::Crossed] {
        assert_eq!(waits.rig(At::default()).until(Timer::UserTimeout), config.connect_timeout());
    }
}

/// The time by which a host was late before the peer's last answer counts for nothing after it.
#[test]
fn what_was_late_before_the_last_progress_is_not_excused() {
    let mut rig = At::default().with(|config| config.user_timeout(Some(secs(100)))).established();
    rig.window = 0;
    rig.arrives(rig.ack(1, 1));
    rig.send(100);
    rig.wait(secs(1000));
    rig.arrives(rig.ack(1, 1));
    assert_eq!(rig.until(Timer::UserTimeout), Some(secs(100)));
    rig.call_timer(Timer::Persist);
    assert_eq!(rig.until(Timer::UserTimeout), Some(secs(100)));
}
