//! Hosts that sleep: time passes, nobody calls, and what comes first then may be a segment, the user or a timer. Nothing that
//! was to be done stays undone once the timers ran, and no sleep counts as the silence of the peer.

use std::time::Duration;

use quickcheck::{Arbitrary, Gen, QuickCheck, TestResult};
use segue::{CloseReason, Event, Info, Instant, Knob, SackBlock, State, Timer};
use segue_kit::rig::{ACK, At, Rig, SYN};
use segue_kit::{ms, secs};

use super::late::{ALL, Waits, gave_up};

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Does {
    /// Time passes, and the host calls for no timer.
    Sleeps(Duration),
    /// The host calls at the next deadline, so much too late, or at once where that is past.
    Comes(Duration),
    /// The host calls for a timer now, whether one is due or not.
    Calls,
    /// The peer acknowledges so much of what is in flight, in 16ths, and its window is another from now on.
    Acknowledges(u32, u16),
    /// The peer reports so much of what is in flight, in 16ths, beyond a hole.
    Reports(u32),
    /// The peer sends text.
    Speaks,
    /// The peer closes.
    Ends,
    /// The peer tells its user timeout.
    Tells(u16),
    /// The user does something.
    User(User),
}

#[derive(Clone, Copy, Debug)]
enum User {
    Sends(usize),
    Corks(bool),
    Paces(bool),
    Closes,
    Releases,
    Consumes,
    Patience(Option<Duration>),
    KeepsAlive(bool),
    Mtu(u16),
}

#[derive(Clone, Debug)]
struct Story {
    waits: Waits,
    user_timeout: Option<Duration>,
    connect_timeout: Option<Duration>,
    retries: u8,
    options: bool,
    tells: bool,
    does: Vec<Does>,
}

fn pick<T: Copy>(g: &mut Gen, from: &[T]) -> T {
    *g.choose(from).expect("some")
}

fn patience(g: &mut Gen) -> Option<Duration> {
    pick(g, &[Some(secs(1)), Some(secs(2)), Some(secs(7)), Some(secs(30)), Some(secs(100)), Some(secs(300)), None])
}

/// How long the host sleeps or is late.
fn time(g: &mut Gen) -> Duration {
    let most = pick(g, &[1, 50, 1000, 5000, 60_000, 400_000, 86_400_000]);
    ms(u64::arbitrary(g) % (most + 1))
}

impl Arbitrary for User {
    fn arbitrary(g: &mut Gen) -> Self {
        match u8::arbitrary(g) % 12 {
            0..=3 => Self::Sends(usize::arbitrary(g) % 4000),
            4 => Self::Corks(bool::arbitrary(g)),
            5 => Self::Paces(bool::arbitrary(g)),
            6 => Self::Closes,
            7 => Self::Releases,
            8 => Self::Consumes,
            9 => Self::Patience(patience(g)),
            10 => Self::KeepsAlive(bool::arbitrary(g)),
            _ => Self::Mtu(pick(g, &[576, 1500, 4000])),
        }
    }
}

impl Arbitrary for Story {
    fn arbitrary(g: &mut Gen) -> Self {
        let kinds: Vec<u8> = (0..9).filter(|_| bool::arbitrary(g)).chain([0, 1]).collect(); // half are off in each story
        let step = |g: &mut Gen| match g.choose(&kinds) {
            Some(1 | 2) => Does::Comes(if bool::arbitrary(g) { Duration::ZERO } else { time(g) }),
            Some(3) => Does::Acknowledges(u32::arbitrary(g) % 17, pick(g, &[0, 1, 10, 1000, 60_000])),
            Some(4) => Does::Reports(1 + u32::arbitrary(g) % 15),
            Some(5) => Does::Speaks,
            Some(6) => Does::User(User::arbitrary(g)),
            Some(7) if u8::arbitrary(g) < 40 => Does::Ends,
            Some(7) => Does::Tells(u16::arbitrary(g)),
            Some(8) => Does::Calls,
            _ => Does::Sleeps(time(g)),
        };
        Self {
            waits: pick(g, &ALL),
            user_timeout: patience(g),
            connect_timeout: patience(g),
            retries: pick(g, &[0, 0, 0, 2, 5]),
            options: bool::arbitrary(g),
            tells: bool::arbitrary(g),
            does: (0..40).map(|_| step(g)).collect(),
        }
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let story = self.clone();
        let without = (0..story.does.len()).rev().map(move |i| {
            let mut shorter = story.clone();
            shorter.does.remove(i);
            shorter
        });
        Box::new(without)
    }
}

/// What happens, as an event.
fn event(does: Does, rig: &Rig) -> Option<Event> {
    let info = rig.connection.info();
    let (seq, ack) = (i64::from(info.rcv_nxt - info.irs), i64::from(info.snd_una - info.iss));
    Some(match does {
        Does::Sleeps(_) => return None,
        Does::Comes(_) | Does::Calls => Event::Timer(Timer::UserTimeout),
        _ if matches!(info.state, State::Closed | State::Listen) => return None,
        Does::User(user) => match user {
            User::Sends(octets) => Event::Send(vec![b'.'; octets].into()),
            User::Corks(on) => Event::Set(Knob::Cork(on)),
            User::Paces(on) => Event::Set(Knob::Pacing(on)),
            User::Closes => Event::Close,
            User::Releases => Event::Release,
            User::Consumes => Event::Consume(usize::MAX),
            User::Patience(limit) => Event::Set(Knob::UserTimeout(limit)),
            User::KeepsAlive(on) => Event::Set(Knob::KeepAlive(on)),
            User::Mtu(mtu) => Event::Mtu(mtu),
        },
        _ if !info.state.is_synchronized() => Event::Segment(rig.syn(SYN | ACK)),
        Does::Acknowledges(part, _) => Event::Segment(rig.ack(seq, ack + i64::from(info.flight * part / 16))),
        Does::Reports(part) => {
            let mut segment = rig.ack(seq, ack);
            let left = info.snd_una + info.flight * part / 16;
            if left != info.snd_una && left != info.snd_nxt {
                segment.options.update(|options| {
                    options.sack.push(SackBlock { left, right: info.snd_nxt });
                });
            }
            Event::Segment(segment)
        }
        Does::Speaks => Event::Segment(rig.octets(seq, ack, 100)),
        Does::Ends => Event::Segment(rig.fin(seq, ack)),
        Does::Tells(timeout) => {
            let mut segment = rig.ack(seq, ack);
            segment.options.update(|options| options.user_timeout = Some(timeout));
            Event::Segment(segment)
        }
    })
}

/// How long the connection has waited since the last progress, and how much of that the host slept through.
struct Wait {
    since: Instant,
    slept: Duration,
    /// Until when that is counted.
    until: Instant,
}

impl Wait {
    fn new(now: Instant) -> Self {
        Self { since: now, slept: Duration::ZERO, until: now }
    }

    /// The host comes now. Before the user timeout was due, something that asks the peer was.
    fn comes(&mut self, rig: &Rig, info: &Info) {
        let flight = info.flight > 0;
        let asks = |timer: &Timer| match timer {
            Timer::Retransmit | Timer::Persist => true,
            Timer::Override | Timer::Pace | Timer::Continue => !flight,
            _ => false,
        };
        let asked =
            Timer::ALL.iter().filter(|timer| asks(timer)).filter_map(|timer| rig.connection.deadline(*timer)).min();
        let ends = rig.connection.deadline(Timer::UserTimeout);
        if let Some(due) = asked.filter(|due| *due < rig.now && ends.is_none_or(|ends| *due < ends)) {
            self.slept += rig.now.saturating_since(due.max(self.until).max(self.since));
        }
        self.until = rig.now;
    }

    fn waited(&self, now: Instant) -> Duration {
        now.saturating_since(self.since).saturating_sub(self.slept)
    }
}

/// Whether anything waits for the peer, a FIN as well.
fn is_pending(rig: &Rig) -> bool {
    let sends = [Timer::Retransmit, Timer::Persist, Timer::Override, Timer::Pace, Timer::Continue];
    sends.into_iter().any(|timer| rig.connection.deadline(timer).is_some())
}

/// No event makes anything due that was not due before: `overdue` is what was. Patience that ended may have waited for
/// evidence only.
fn judge(rig: &Rig, event: &str, overdue: &[(Timer, Instant)], before: &Info, ended: bool) -> Result<(), String> {
    let changed = rig.connection.info().user_timeout != before.user_timeout; // by the user, or the peer's option
    let switched = event.starts_with("Set(KeepAlive"); // after a silence that was long enough
    let first = overdue.iter().map(|(_, at)| *at).min();
    let is_new = |(timer, at): &(Timer, Instant)| {
        let explained = match timer {
            Timer::UserTimeout => ended || changed,
            Timer::KeepAlive => switched,
            _ => false,
        };
        *at < rig.now && first.is_none_or(|first| *at < first) && !explained
    };
    let new: Vec<_> = rig.deadlines().into_iter().filter(is_new).collect();
    if new.is_empty() { Ok(()) } else { Err(format!("{event} at {} set {new:?}, overdue were {overdue:?}", rig.now)) }
}

fn happens(story: &Story) -> Result<(), String> {
    let at = At::default().with(|config| {
        config
            .user_timeout(story.user_timeout)
            .connect_timeout(story.connect_timeout)
            .data_retries(story.retries)
            .syn_retries(story.retries)
            .user_timeout_option(story.tells)
            .user_timeout_lower(secs(2))
    });
    let mut rig = story.waits.rig(if story.options { at.with_options() } else { at });
    let mut wait = Wait::new(rig.now);
    for does in &story.does {
        match *does {
            Does::Sleeps(time) => rig.wait(time),
            Does::Comes(late) => {
                let Some((_, due)) = rig.connection.next_deadline() else { continue };
                rig.now = rig.now.max(due + late);
            }
            Does::Acknowledges(_, window) => rig.window = window,
            _ => {}
        }
        let Some(event) = event(*does, &rig) else { continue };
        let (before, pending) = (rig.connection.info(), is_pending(&rig));
        let limit = if before.state.is_synchronized() { before.user_timeout } else { story.connect_timeout };
        let overdue: Vec<_> = rig.deadlines().into_iter().filter(|(_, at)| *at < rig.now).collect();
        wait.comes(&rig, &before);
        let told = format!("{event:?}").chars().take(60).collect::<String>();
        let timer = matches!(event, Event::Timer(_));
        if timer {
            rig.call_timer(Timer::UserTimeout); // which expects that nothing is due then
        } else {
            let _ = rig.handle(event); // a call that cannot proceed changes nothing
        }
        let ended = limit.is_some_and(|limit| wait.waited(rig.now) >= limit);
        judge(&rig, &told, &overdue, &before, ended)?;
        if let Some(reason) =
            gave_up(&rig).filter(|reason| story.retries == 0 && !ended && *reason != CloseReason::KeepAliveTimeout)
        {
            return Err(format!(
                "{told}: {reason:?} after {:?} of {limit:?}, {:?} slept",
                wait.waited(rig.now),
                wait.slept
            ));
        }
        let after = rig.connection.info();
        if after.snd_una != before.snd_una
            || !pending
            || after.state.is_synchronized() != before.state.is_synchronized()
        {
            wait = Wait::new(rig.now);
        }
        if after.state == State::Closed {
            break;
        }
    }
    Ok(())
}

/// A call for a timer leaves nothing due; any other event makes nothing due that was not due before; and who gives up has
/// waited as long as the user said, without the time that the host slept through.
#[test]
fn no_sleep_of_the_host_is_a_silence_of_the_peer() {
    fn property(story: Story) -> TestResult {
        match happens(&story) {
            Ok(()) => TestResult::passed(),
            Err(why) => TestResult::error(why),
        }
    }
    QuickCheck::new().tests(10_000).max_tests(10_000).quickcheck(property as fn(Story) -> TestResult);
}

/// Stories that went wrong once: a second retransmission that pacing held back was no evidence yet of the first; a window
/// that opened for a user who is gone left the user timeout where it was.
#[test]
fn stories_that_went_wrong_go_right() {
    let paced = Story {
        waits: Waits::Paced,
        user_timeout: Some(secs(7)),
        connect_timeout: None,
        retries: 0,
        options: true,
        tells: false,
        does: vec![
            Does::Comes(ms(96)),
            Does::Sleeps(ms(81_752_821)),
            Does::Comes(ms(0)),
            Does::Reports(5),
            Does::Comes(ms(0)),
            Does::Sleeps(ms(10_877)),
            Does::Comes(ms(2126)),
        ],
    };
    let released = Story {
        waits: Waits::Fin(State::Closing),
        options: false,
        does: vec![
            Does::Acknowledges(4, 0),
            Does::User(User::Releases),
            Does::Calls,
            Does::Sleeps(secs(24_113)),
            Does::Acknowledges(13, 60_000),
            Does::Comes(ms(0)),
        ],
        ..paced
    };
    let overwritten = Story {
        does: vec![
            Does::Acknowledges(16, 60_000),
            Does::Sleeps(secs(43)),
            Does::Reports(7),
            Does::Comes(secs(60_961)),
            Does::Comes(ms(0)),
        ],
        ..paced
    };
    for story in [paced, released, overwritten] {
        assert_eq!(happens(&story), Ok(()), "{story:?}");
    }
}

/// The first to come after the sleep, and the time that is left then: that which had passed when the peer was to be asked.
#[test]
fn whatever_comes_first_the_sleep_does_not_count() {
    let sent = |octets: usize| {
        let mut rig = At::default().with_options().established();
        rig.send(octets);
        rig
    };
    let due = |rig: &Rig, timer: Timer| rig.until(timer).expect("it runs");
    // the tail-loss probe, in place of which the retransmission timer starts anew
    let mut rig = sent(100);
    let asked = due(&rig, Timer::TailLossProbe);
    rig.wait(secs(100));
    rig.call_timer(Timer::TailLossProbe);
    assert_eq!(rig.until(Timer::UserTimeout), Some(secs(300) - asked));
    // a segment by which text is found lost, and goes again
    let mut rig = At::default().established();
    rig.send(5000);
    let asked = due(&rig, Timer::Retransmit);
    rig.wait(secs(100));
    let duplicates = [(); 3].map(|()| rig.arrives(rig.ack(1, 1)));
    assert!(duplicates[2].contains("<SEQ=1>"), "{duplicates:?}");
    assert_eq!(rig.until(Timer::UserTimeout), Some(secs(300) - asked));
    // the user, who no longer holds text back
    let mut rig = Waits::Corked.rig(At::default());
    let asked = due(&rig, Timer::Override);
    rig.wait(secs(100));
    assert_eq!(rig.does(Event::Set(Knob::Cork(false))), "<SEQ=1><ACK=1><DATA=100><CTL=PSH,ACK>");
    assert_eq!(rig.until(Timer::UserTimeout), Some(secs(300) - asked));
}
