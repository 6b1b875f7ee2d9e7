//! An end of a flow: a connection of segue's, its user and its host.

use std::sync::Arc;

use segue::{Action, CloseReason, Config, Connection, Controller, Event, Instant, Path, Secrets, Segment, SeqNum};
use segue_kit::Rng;

use super::link::Nanos;
use super::user::{Ending, Intake, Reader, Text, Writer, coalesce};
use super::watch::{Episodes, Notes, Watch};

pub const fn instant(now: Nanos) -> Instant {
    Instant::from_micros(now / 1000)
}

pub const fn nanos(at: Instant) -> Nanos {
    at.as_micros().saturating_mul(1000)
}

/// Octets of room for which the user waits at the most.
const LEAST_ROOM: u64 = 65_521;

/// One moment of a sender, for plots.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sample {
    pub at: Nanos,
    pub cwnd: u32,
    pub ssthresh: u32,
    pub flight: u32,
    pub srtt: Option<Nanos>,
}

/// The moments of one sender: what a plot draws.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Track {
    pub name: &'static str,
    pub samples: Vec<Sample>,
}

/// What an end can tell when the run is over.
#[derive(Clone, Default, Debug)]
pub struct Report {
    pub timeouts: u64,
    pub episodes: Episodes,
    pub samples: Vec<Sample>,
    /// How long each exchange took, from the request to the last octet of the response.
    pub exchanges: Vec<Nanos>,
    /// When the user's last turn began.
    pub last_turn: Nanos,
    /// Segments that arrived, and of these those that took the shortcut.
    pub arrived: u64,
    pub predicted: u64,
}

/// An end of a flow.
pub trait End {
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
    /// Octets of text delivered in order, and when the last of them were.
    fn delivered(&self) -> (u64, Nanos) {
        (0, 0)
    }
}

/// What an end is like.
#[derive(Clone, Debug)]
pub struct Setup {
    pub config: Arc<Config>,
    pub path: Path,
    pub text: Text,
    pub writer: Writer,
    pub reader: Reader,
    pub intake: Intake,
}

impl Setup {
    /// A user that sends this and takes everything at once, over IPv4 with an MTU of 1500.
    pub const fn new(config: Arc<Config>, text: Text, writer: Writer) -> Self {
        let path = Path::ipv4(1500);
        Self { config, path, text, writer, reader: Reader::AtOnce, intake: Intake::AtOnce }
    }
}

/// A connection of segue's with its user and its host.
pub struct Host<C: Controller> {
    setup: Setup,
    /// Until the connection is there.
    controller: Option<Watch<C>>,
    secrets: Secrets,
    tcp: Option<Connection<Watch<C>>>,
    connected: bool,
    over: bool,
    closed: bool,
    queued: u64,
    delivered: u64,
    last_delivery: Nanos,
    unread: usize,
    read_at: Option<Nanos>,
    inbox: Vec<Segment>,
    intake_at: Option<Nanos>,
    /// The user's turns: how many began, when the last did, and when the next is to.
    asked: u64,
    asked_at: Nanos,
    ask_at: Option<Nanos>,
    exchanges: Vec<Nanos>,
    wake: Option<Nanos>,
    notes: Notes,
    episodes: Episodes,
    high: SeqNum,
    sample_every: Option<Nanos>,
    samples: Vec<Sample>,
}

impl<C: Controller> Host<C> {
    pub fn new(controller: C, setup: Setup, rng: &mut Rng, sample_every: Option<Nanos>) -> Self {
        let secrets = Secrets { iss: SeqNum::new(rng.next() as u32), ts_offset: rng.next() as u32 };
        let episodes = Episodes::of(&controller);
        let (controller, notes) = Watch::new(controller);
        Self {
            setup,
            controller: Some(controller),
            secrets,
            tcp: None,
            connected: false,
            over: false,
            closed: false,
            queued: 0,
            delivered: 0,
            last_delivery: 0,
            unread: 0,
            read_at: None,
            inbox: Vec::new(),
            intake_at: None,
            asked: 0,
            asked_at: 0,
            ask_at: None,
            exchanges: Vec::new(),
            wake: None,
            notes,
            episodes,
            high: secrets.iss,
            sample_every,
            samples: Vec::new(),
        }
    }

    /// One event, and what it told.
    fn handle(&mut self, event: Event, now: Nanos, out: &mut Vec<Segment>) {
        let Some(tcp) = &mut self.tcp else { return };
        let (text, delivered, unread) = (&self.setup.text, &mut self.delivered, &mut self.unread);
        let (connected, over, before) = (&mut self.connected, &mut self.over, *delivered);
        let mut reason = None;
        let done = tcp.handle(event, instant(now), &mut |action| match action {
            Action::Transmit(segment) => out.push(segment),
            Action::Connected => *connected = true,
            Action::Deliver(piece) => {
                assert!(text.is_at(*delivered, &piece), "at {delivered} other text is delivered");
                *delivered += piece.len() as u64;
                *unread += piece.len();
            }
            Action::Closed(why) => {
                *over = true;
                reason = Some(why);
            }
            _ => {}
        });
        done.expect("the user asks for what can be done only");
        if self.delivered > before {
            self.last_delivery = now;
        }
        let told = self.notes.take();
        if let (false, Some(tcp)) = (told.is_empty(), &self.tcp) {
            self.episodes.told(&told, tcp.info().snd_una, self.high);
        }
        match reason {
            Some(CloseReason::Finished) | None => {}
            Some(reason) => self.episodes.violations.push(format!("{}: closed: {reason:?}", instant(now))),
        }
    }

    /// A segment that the host passes on.
    fn take(&mut self, segment: Segment, now: Nanos, out: &mut Vec<Segment>) {
        let Some(controller) = self.controller.take() else { return self.handle(Event::Segment(segment), now, out) };
        let Setup { config, path, .. } = &self.setup;
        let (tcp, actions) =
            Connection::accept_with(controller, config.clone(), *path, self.secrets, segment, instant(now));
        out.extend(actions.into_iter().filter_map(transmitted));
        self.tcp = Some(tcp);
    }

    /// The work of the host and the user that is due now; `false` if nothing of theirs was.
    fn alarm(&mut self, now: Nanos, out: &mut Vec<Segment>) -> bool {
        let due = |at: &mut Option<Nanos>| at.take_if(|at| *at <= now).is_some();
        if due(&mut self.intake_at) {
            let arrived = std::mem::take(&mut self.inbox);
            let segments = match self.setup.intake {
                Intake::Coalesced(_) => coalesce(arrived),
                Intake::AtOnce | Intake::Batches(_) => arrived,
            };
            segments.into_iter().for_each(|segment| self.take(segment, now, out));
        } else if due(&mut self.read_at) {
            self.read(now, out);
        } else if due(&mut self.ask_at) {
            self.asked += 1;
            self.asked_at = now;
        } else {
            return false;
        }
        true
    }

    fn read(&mut self, now: Nanos, out: &mut Vec<Segment>) {
        while self.unread > 0 && !self.over {
            let taken = std::mem::take(&mut self.unread);
            self.handle(Event::Consume(taken), now, out);
        }
    }

    /// The user reads and writes, and it is settled when to look again.
    fn settle(&mut self, before: usize, now: Nanos, out: &mut Vec<Segment>) {
        match self.setup.reader {
            Reader::AtOnce => self.read(now, out),
            Reader::Every(period) if self.unread > 0 => self.read_at = Some((now + 1).next_multiple_of(period)),
            Reader::Every(_) => {}
        }
        self.turn(now);
        self.write(now, out);
        self.high = out[before..].iter().fold(self.high, |high, segment| high.max(segment.end()));
        let deadline = self.tcp.as_ref().and_then(Connection::next_deadline).map(|(_, at)| nanos(at).max(now));
        self.wake = [deadline, self.read_at, self.intake_at, self.ask_at].into_iter().flatten().min();
        self.sample(now);
    }

    /// The user's turns: when the next comes.
    fn turn(&mut self, now: Nanos) {
        match self.setup.writer {
            Writer::Asks { response, pause, count, .. } => self.ask(response, pause, count, now),
            Writer::Trickles { every, count, .. } if self.connected && self.asked <= u64::from(count) => {
                let next = if self.asked == 0 { now } else { self.asked_at + every };
                self.ask_at = self.ask_at.or(Some(next.max(now)));
            }
            Writer::Trickles { .. }
            | Writer::Silent
            | Writer::Greedy
            | Writer::Sends { .. }
            | Writer::Answers { .. } => {}
        }
    }

    /// The user that asks: whether the response is whole, and when it asks again.
    fn ask(&mut self, response: u64, pause: Nanos, count: u32, now: Nanos) {
        if !self.connected || self.ask_at.is_some() || self.delivered - (self.unread as u64) < self.asked * response {
            return;
        }
        if self.asked > 0 && (self.exchanges.len() as u64) < self.asked {
            self.exchanges.push(now - self.asked_at);
        }
        if self.asked < u64::from(count) {
            self.ask_at = Some(if self.asked == 0 { now } else { now + pause });
        }
    }

    /// Queues what there is room for, once it is enough to be worth a call.
    fn write(&mut self, now: Nanos, out: &mut Vec<Segment>) {
        while self.connected && !self.over && !self.closed {
            let Some(tcp) = &self.tcp else { return };
            let received = self.delivered - self.unread as u64;
            let left = self.setup.writer.allowed(self.asked, received) - self.queued;
            if left == 0 {
                if matches!(self.setup.writer, Writer::Sends { ending: Ending::Close, .. }) {
                    self.closed = true;
                    self.handle(Event::Close, now, out);
                }
                return;
            }
            let room = tcp.send_room() as u64;
            if room < left.min(LEAST_ROOM).min(u64::from(self.setup.config.send_buffer() / 8).max(1)) {
                return;
            }
            let text = self.setup.text.at(self.queued, left.min(room));
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

fn transmitted(action: Action) -> Option<Segment> {
    if let Action::Transmit(segment) = action { Some(segment) } else { None }
}

impl<C: Controller> End for Host<C> {
    fn start(&mut self, now: Nanos, out: &mut Vec<Segment>) {
        let controller = self.controller.take().expect("it starts once");
        let Setup { config, path, .. } = &self.setup;
        let (tcp, actions) = Connection::connect_with(controller, config.clone(), *path, self.secrets, instant(now));
        out.extend(actions.into_iter().filter_map(transmitted));
        self.high = out.iter().fold(self.high, |high, segment| high.max(segment.end()));
        self.wake = tcp.next_deadline().map(|(_, at)| nanos(at));
        self.tcp = Some(tcp);
    }

    fn arrives(&mut self, segment: Segment, now: Nanos, out: &mut Vec<Segment>) {
        let before = out.len();
        match self.setup.intake.period() {
            None => self.take(segment, now, out),
            Some(period) => {
                self.inbox.push(segment);
                self.intake_at = self.intake_at.or(Some((now + 1).next_multiple_of(period)));
            }
        }
        self.settle(before, now, out);
    }

    fn timer(&mut self, now: Nanos, out: &mut Vec<Segment>) {
        let before = out.len();
        if !self.alarm(now, out) {
            if let Some((timer, _)) = self.tcp.as_ref().and_then(Connection::next_deadline) {
                self.handle(Event::Timer(timer), now, out);
            }
        }
        self.settle(before, now, out);
    }

    fn wake(&self) -> Option<Nanos> {
        self.wake
    }

    fn report(&self) -> Report {
        let counters = self.tcp.as_ref().map(|tcp| tcp.info().counters).unwrap_or_default();
        let (episodes, samples) = (self.episodes.clone(), self.samples.clone());
        Report {
            timeouts: counters.timeouts,
            episodes,
            samples,
            exchanges: self.exchanges.clone(),
            last_turn: self.asked_at,
            arrived: counters.segments_in,
            predicted: counters.segments_predicted,
        }
    }

    fn delivered(&self) -> (u64, Nanos) {
        (self.delivered, self.last_delivery)
    }
}
