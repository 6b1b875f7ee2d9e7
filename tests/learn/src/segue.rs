//! segue as a subject.

use std::time::Duration;

use bytes::Bytes;
use segue::{
    Action, Arc, Config, ConfigBuilder, Connection, Event, Instant, Knob, Path, Secrets, Segment, SeqNum, Timer,
};

use crate::subject::{ISS, Out, RECEIVE_BUFFER, Subject};
use crate::tester::SENT;
use crate::word::{Call, Due};

/// After each word so much time passes, and the timers of this time run: a delayed acknowledgment leaves, and the
/// allowances of answers fill again.
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Clone, Debug)]
pub struct Segue {
    connection: Connection,
    config: Arc<Config>,
    now: Instant,
    pause: Duration,
    /// New secrets come at once.
    rearms: bool,
}

/// The settings under test. What counts events of the past, as loss recovery does, is not in the table and off here; a
/// retransmission comes a minute after the last one, so that no pause is long enough for it.
pub fn config(timestamps: bool) -> ConfigBuilder {
    let minute = Duration::from_secs(60);
    Config::builder()
        .receive_buffer(RECEIVE_BUFFER)
        .window_scaling(false)
        .timestamps(timestamps)
        .sack(false)
        .rack(false)
        .quick_acks(0)
        .initial_rto(minute)
        .min_rto(minute)
        .max_rto(minute)
        .r1(255)
        .user_timeout(Some(100 * minute))
        .connect_timeout(Some(100 * minute))
        .black_hole_timeouts(0)
        .mtu_probing(false)
        .keep_alive_probes(255)
        .msl(Duration::from_secs(600))
}

impl Segue {
    pub fn new(config: Config) -> Self {
        let (config, now) = (Arc::new(config), Instant::from_secs(1));
        let (mut connection, _) = Connection::connect(Arc::clone(&config), path(), secrets(), now);
        drop(connection.abort(now)); // as after a connection: CLOSED
        Self { connection, config, now, pause: PAUSE, rearms: false }
    }

    /// As others are: time passes when the tester says so, and back in LISTEN, a SYN is taken.
    pub fn beside_others() -> Self {
        let config = config(false).delayed_ack(Duration::ZERO).build().expect("valid settings");
        Self { pause: Duration::ZERO, rearms: true, ..Self::new(config) }
    }

    fn event(&mut self, event: Event, sent: fn(Segment) -> Out) -> Vec<Out> {
        let mut actions: Vec<Action> = Vec::new();
        match self.connection.handle(event, self.now, &mut actions) {
            Ok(()) => actions.into_iter().filter_map(|action| out(action, sent)).collect(),
            Err(error) => vec![Out::Refused(kebab(error))],
        }
    }

    /// The user takes delivered text at once; then a pause.
    fn settle(&mut self, mut seen: Vec<Out>) -> Vec<Out> {
        seen.extend(self.event(Event::Consume(usize::MAX), Out::Sent));
        if self.rearms && seen.contains(&Out::BackToListen) {
            seen.extend(self.event(Event::Rearm(secrets()), Out::Sent));
        }
        seen.extend(self.wait(self.pause));
        seen
    }

    fn wait(&mut self, time: Duration) -> Vec<Out> {
        let (until, mut seen) = (self.now + time, Vec::new());
        while let Some((timer, at)) = self.connection.next_deadline().filter(|(_, at)| *at <= until) {
            self.now = at.max(self.now);
            seen.extend(self.event(Event::Timer(timer), Out::Later));
        }
        self.now = until;
        seen
    }

    /// Time goes on to the deadline of this timer, if it runs.
    fn run(&mut self, timer: Timer) -> Vec<Out> {
        let Some(until) = self.connection.deadline(timer) else { return Vec::new() };
        let mut seen = Vec::new();
        while let Some((next, at)) = self.connection.next_deadline().filter(|(_, at)| *at <= until) {
            self.now = at.max(self.now);
            seen.extend(self.event(Event::Timer(next), Out::Sent));
            if next == timer {
                break;
            }
        }
        self.settle(seen)
    }

    fn user_timeout(&mut self) -> Vec<Out> {
        let mut seen = Vec::new();
        while self.connection.deadline(Timer::UserTimeout).is_some() {
            let Some((timer, at)) = self.connection.next_deadline() else { break };
            self.now = at.max(self.now);
            seen.extend(self.event(Event::Timer(timer), Out::Sent));
        }
        seen
    }
}

impl Subject for Segue {
    fn open(&mut self, call: Call, syn: Option<&Segment>) -> Vec<Out> {
        let config = Arc::clone(&self.config);
        let (connection, actions) = match (call, syn) {
            (Call::Connect, _) => Connection::connect(config, path(), secrets(), self.now),
            (_, Some(syn)) => Connection::accept(config, path(), secrets(), syn.clone(), self.now),
            (_, None) => (Connection::listen(config, path(), secrets()), Vec::new()),
        };
        self.connection = connection;
        self.settle(actions.into_iter().filter_map(|action| out(action, Out::Sent)).collect())
    }

    fn call(&mut self, call: Call) -> Vec<Out> {
        let event = match call {
            Call::Connect | Call::Listen | Call::Accept => return Vec::new(),
            Call::Rearm => Event::Rearm(secrets()),
            Call::Send => Event::Send(Bytes::from_static(&[b'o'; SENT])),
            Call::Close => Event::Close,
            Call::Release => Event::Release,
            Call::Abort => Event::Abort,
        };
        let seen = self.event(event, Out::Sent);
        self.settle(seen)
    }

    fn segment(&mut self, segment: &Segment) -> Vec<Out> {
        let seen = self.event(Event::Segment(segment.clone()), Out::Sent);
        self.settle(seen)
    }

    fn state(&self) -> Option<segue::State> {
        Some(self.connection.state())
    }

    fn pass(&mut self, time: Duration) -> Vec<Out> {
        self.wait(time)
    }

    fn due(&mut self, due: Due) -> Vec<Out> {
        match due {
            Due::Retransmission => self.run(Timer::Retransmit),
            Due::FinWait2 => self.run(Timer::FinWait2),
            Due::TimeWait => self.run(Timer::TimeWait),
            Due::UserTimeout => self.user_timeout(),
            Due::KeepAlive => {
                // Off but for this moment: else it would run before the other deadlines.
                drop(self.event(Event::Set(Knob::KeepAlive(true)), Out::Sent));
                let seen = self.run(Timer::KeepAlive);
                drop(self.event(Event::Set(Knob::KeepAlive(false)), Out::Sent));
                seen
            }
        }
    }
}

fn path() -> Path {
    Path::ipv4(1500)
}

fn secrets() -> Secrets {
    Secrets { iss: SeqNum::new(ISS), ts_offset: ISS }
}

fn out(action: Action, sent: fn(Segment) -> Out) -> Option<Out> {
    Some(match action {
        Action::Transmit(segment) => sent(segment),
        Action::Deliver(text) => Out::Delivered(text.len()),
        Action::Connected => Out::Connected,
        Action::Acked(octets) => Out::Acked(octets),
        Action::Flushed => Out::Flushed,
        Action::PeerClosed => Out::PeerClosed,
        Action::ReturnedToListen => Out::BackToListen,
        Action::Closed(reason) => Out::Closed(kebab(reason)),
        Action::Discarded(reason) => Out::Aside(format!("discarded({})", kebab(reason))),
        Action::Successor { .. } => Out::Aside("successor".to_owned()),
        Action::Urgent { .. } => Out::Aside("urgent".to_owned()),
        // The host's wake-ups, and how long something waits already.
        Action::SetTimer(..) | Action::Report(_) => return None,
        other => Out::Aside(format!("{other:?}")),
    })
}

/// `OutOfWindow` is `out-of-window`, as in the table.
pub(crate) fn kebab(value: impl std::fmt::Debug) -> String {
    let mut out = String::new();
    for c in format!("{value:?}").chars().take_while(char::is_ascii_alphanumeric) {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}
