//! Who sends: a connection of segue's with a user that always has more, or that sends so much and closes.

use std::sync::Arc;

use bytes::Bytes;
use segue::{
    Action, Algorithm, CloseReason, Config, Connection, Controller, Event, Instant, Path, Secrets, Segment, SeqNum,
};

use super::link::Nanos;
use super::rng::Rng;
use super::rows::Ending;
use super::watch::{Episodes, Notes, Watch};

/// Octets of the text that repeats for ever. A prime number: no power of two hides a shift.
const PERIOD: usize = 65_521;

pub(crate) const PATH: Path = Path::ipv4(1500);

pub(crate) const fn instant(now: Nanos) -> Instant {
    Instant::from_micros(now / 1000)
}

pub(crate) const fn nanos(at: Instant) -> Nanos {
    at.as_micros().saturating_mul(1000)
}

/// The text all flows send: [`PERIOD`] octets again and again, all pieces of one allocation.
#[derive(Clone, Debug)]
pub(crate) struct Text(Bytes);

impl Text {
    pub(crate) fn new() -> Self {
        let mut rng = Rng::new(1);
        Self((0..PERIOD).map(|_| rng.next() as u8).collect())
    }

    /// The text at `offset`, at most `len` octets: up to the end of the period.
    pub(crate) fn at(&self, offset: u64, len: u64) -> Bytes {
        let start = (offset % PERIOD as u64) as usize;
        let end = PERIOD.min(start + usize::try_from(len).unwrap_or(PERIOD));
        self.0.slice(start..end)
    }

    /// Whether a piece begins and ends as the text at `offset`: a shifted or repeated piece would not.
    pub(crate) fn is_at(&self, offset: u64, piece: &[u8]) -> bool {
        let octet = |at: u64| self.0[(at % PERIOD as u64) as usize];
        let n = piece.len().min(8);
        let head = piece[..n].iter().zip(offset..).all(|(have, at)| *have == octet(at));
        let tail = piece.len() - n;
        head && piece[tail..].iter().zip(offset + tail as u64..).all(|(have, at)| *have == octet(at))
    }
}

/// One moment of a sender, for plots.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sample {
    pub(crate) at: Nanos,
    pub(crate) cwnd: u32,
    pub(crate) ssthresh: u32,
    pub(crate) flight: u32,
    pub(crate) srtt: Option<Nanos>,
}

/// What a sender can tell at the end.
#[derive(Clone, Default, Debug)]
pub(crate) struct Report {
    pub(crate) timeouts: u64,
    pub(crate) episodes: Episodes,
    pub(crate) samples: Vec<Sample>,
}

/// The sending end of a flow.
pub(crate) trait Source {
    /// The connection is opened.
    fn start(&mut self, now: Nanos, out: &mut Vec<Segment>);
    /// A segment arrives.
    fn arrives(&mut self, segment: Segment, now: Nanos, out: &mut Vec<Segment>);
    /// The time that `wake` told has come.
    fn timer(&mut self, now: Nanos, out: &mut Vec<Segment>);
    /// When `timer` is to be called.
    fn wake(&self) -> Option<Nanos>;
    /// What it counted.
    fn report(&self) -> Report;
}

/// What the user of the sending end does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum User {
    /// It always has more to send.
    Greedy,
    /// It sends so much.
    Sends { octets: u64, ending: Ending },
}

impl User {
    /// Octets that it sends.
    pub(crate) const fn total(self) -> u64 {
        match self {
            Self::Greedy => u64::MAX,
            Self::Sends { octets, .. } => octets,
        }
    }
}

/// A connection of segue's as the sender.
pub(crate) struct Stream<C: Controller = Algorithm> {
    controller: Option<Watch<C>>,
    config: Arc<Config>,
    secrets: Secrets,
    tcp: Option<Connection<Watch<C>>>,
    text: Text,
    user: User,
    queued: u64,
    closed: bool,
    wake: Option<Nanos>,
    notes: Notes,
    episodes: Episodes,
    high: SeqNum,
    sample_every: Option<Nanos>,
    samples: Vec<Sample>,
}

/// What the user of a connection learned from one call.
#[derive(Default)]
struct News {
    room: bool,
    over: Option<CloseReason>,
}

impl<C: Controller> Stream<C> {
    pub(crate) fn new(
        algorithm: C,
        config: Arc<Config>,
        text: Text,
        user: User,
        rng: &mut Rng,
        sample_every: Option<Nanos>,
    ) -> Self {
        let secrets = Secrets { iss: SeqNum::new(rng.next() as u32), ts_offset: rng.next() as u32 };
        let (controller, notes) = Watch::new(algorithm);
        let (episodes, samples) = (Episodes::default(), Vec::new());
        Self {
            controller: Some(controller),
            config,
            secrets,
            tcp: None,
            text,
            user,
            queued: 0,
            closed: false,
            wake: None,
            notes,
            episodes,
            high: secrets.iss,
            sample_every,
            samples,
        }
    }

    fn handle(&mut self, event: Event, now: Nanos, out: &mut Vec<Segment>) -> News {
        let mut news = News::default();
        let Some(tcp) = &mut self.tcp else { return news };
        let done = tcp.handle(event, instant(now), &mut |action| match action {
            Action::Transmit(segment) => out.push(segment),
            Action::Connected | Action::Acked(_) | Action::Writable => news.room = true,
            Action::Closed(reason) => news.over = Some(reason),
            _ => {}
        });
        done.expect("the user asks for what can be done only");
        news
    }

    fn event(&mut self, event: Event, now: Nanos, out: &mut Vec<Segment>) {
        let before = out.len();
        let news = self.handle(event, now, out);
        let told = self.notes.take();
        if let (false, Some(tcp)) = (told.is_empty(), &self.tcp) {
            self.episodes.told(&told, tcp.info().snd_una, self.high);
        }
        match news.over {
            Some(CloseReason::Finished) | None => {}
            Some(reason) => self.episodes.violations.push(format!("{}: closed: {reason:?}", instant(now))),
        }
        if news.room && news.over.is_none() {
            self.refill(now, out);
        }
        self.high = out[before..].iter().fold(self.high, |high, segment| high.max(segment.end()));
        self.wake = self.tcp.as_ref().and_then(Connection::next_deadline).map(|(_, at)| nanos(at).max(now));
        self.sample(now);
    }

    /// Queues text as long as there is room for a piece.
    fn refill(&mut self, now: Nanos, out: &mut Vec<Segment>) {
        while let Some(tcp) = self.tcp.as_ref().filter(|_| !self.closed) {
            let left = self.user.total() - self.queued;
            if left == 0 {
                if matches!(self.user, User::Sends { ending: Ending::Close, .. }) {
                    self.closed = true;
                    self.handle(Event::Close, now, out);
                }
                return;
            }
            let text = self.text.at(self.queued, left);
            if tcp.send_room() < text.len() {
                return;
            }
            self.queued += text.len() as u64;
            self.handle(Event::Send(text), now, out);
        }
    }

    fn sample(&mut self, now: Nanos) {
        let (Some(every), Some(tcp)) = (self.sample_every, &self.tcp) else { return };
        if self.samples.last().is_none_or(|last| now >= last.at + every) {
            let info = tcp.info();
            let srtt = info.srtt.map(|srtt| srtt.as_nanos() as Nanos);
            let (cwnd, ssthresh, flight) = (info.cwnd, info.ssthresh, info.flight);
            self.samples.push(Sample { at: now, cwnd, ssthresh, flight, srtt });
        }
    }
}

impl<C: Controller> Source for Stream<C> {
    fn start(&mut self, now: Nanos, out: &mut Vec<Segment>) {
        let controller = self.controller.take().expect("it starts once");
        let (tcp, actions) =
            Connection::connect_with(controller, self.config.clone(), PATH, self.secrets, instant(now));
        out.extend(actions.into_iter().filter_map(|a| if let Action::Transmit(syn) = a { Some(syn) } else { None }));
        self.high = out.iter().fold(self.high, |high, segment| high.max(segment.end()));
        self.wake = tcp.next_deadline().map(|(_, at)| nanos(at));
        self.tcp = Some(tcp);
    }

    fn arrives(&mut self, segment: Segment, now: Nanos, out: &mut Vec<Segment>) {
        self.event(Event::Segment(segment), now, out);
    }

    fn timer(&mut self, now: Nanos, out: &mut Vec<Segment>) {
        if let Some((timer, _)) = self.tcp.as_ref().and_then(Connection::next_deadline) {
            self.event(Event::Timer(timer), now, out);
        }
    }

    fn wake(&self) -> Option<Nanos> {
        self.wake
    }

    fn report(&self) -> Report {
        let timeouts = self.tcp.as_ref().map_or(0, |tcp| tcp.info().counters.timeouts);
        Report { timeouts, episodes: self.episodes.clone(), samples: self.samples.clone() }
    }
}
