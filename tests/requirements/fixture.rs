//! One TCP and a peer made of hand-written segments. Numbers are those of the streams: octet 0 of each side's text is the one after its SYN,
//! and both streams wrap around 2³² within their first octets.

use std::time::Duration;

use bytes::Bytes;
use segue::congestion::{Algorithm, Reno};
use segue::{
    Action, Arc, Config, ConfigBuilder, Connection, Event, Flags, Info, Instant, Options, Path, Secrets, Segment,
    SeqNum, State, Timer, Timestamps,
};

pub(crate) const ISS: SeqNum = SeqNum::new(u32::MAX - 2);
pub(crate) const IRS: SeqNum = SeqNum::new((1 << 31) - 3);
pub(crate) const SECRETS: Secrets = Secrets { iss: ISS, ts_offset: 0 };

/// The number of octet `n` of our text.
pub(crate) fn ours(n: u32) -> SeqNum {
    ISS + 1 + n
}

/// The number of octet `n` of the peer's text.
pub(crate) fn theirs(n: u32) -> SeqNum {
    IRS + 1 + n
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn text(len: usize) -> Bytes {
    (0..len).map(|i| (i % 251) as u8).collect()
}

/// A bare ACK of the peer's at octet `seq` of its text, for our text before octet `ack`.
pub(crate) fn peer(seq: u32, ack: u32) -> Segment {
    Segment { seq: theirs(seq), ack: ours(ack), flags: Flags::ACK, window: 65535, ..Segment::default() }
}

/// `len` octets of the peer's text.
pub(crate) fn peer_text(seq: u32, len: usize, ack: u32) -> Segment {
    Segment { payload: text(len), ..peer(seq, ack) }
}

/// The peer's segment with these control bits.
pub(crate) fn peer_ctl(flags: Flags, seq: u32, ack: u32) -> Segment {
    Segment { flags, ..peer(seq, ack) }
}

/// The peer's SYN.
pub(crate) fn peer_syn() -> Segment {
    let options = Options { mss: Some(1460), ..Options::default() };
    Segment { seq: IRS, flags: Flags::SYN, window: 65535, options: options.into(), ..Segment::default() }
}

/// The peer's SYN,ACK.
pub(crate) fn peer_syn_ack() -> Segment {
    Segment { ack: ours(0), flags: Flags::SYN | Flags::ACK, ..peer_syn() }
}

/// The segment with a timestamps option.
pub(crate) fn stamped(segment: Segment, value: u32, echo: u32) -> Segment {
    let options = Options { timestamps: Some(Timestamps { value, echo }), ..segment.options.get() };
    Segment { options: options.into(), ..segment }
}

/// A configuration without options, so that a full segment carries 1460 octets, without quick ACKs, and with Nagle's
/// algorithm unchanged.
pub(crate) fn plain() -> ConfigBuilder {
    Config::builder().minshall(false).quick_acks(0).timestamps(false).sack(false).window_scaling(false).min_rto(secs(1))
}

/// The TCP under test.
pub(crate) struct Tcp {
    pub(crate) connection: Connection,
    pub(crate) now: Instant,
    /// What the last call transmitted.
    pub(crate) sent: Vec<Segment>,
}

impl Tcp {
    fn new(connection: Connection) -> Self {
        Self { connection, now: Instant::from_millis(5000), sent: Vec::new() }
    }

    /// LISTEN.
    pub(crate) fn listen(config: ConfigBuilder) -> Self {
        Self::new(Connection::listen(Arc::new(config.build().unwrap()), Path::ipv4(1500), SECRETS))
    }

    /// SYN-RECEIVED: a SYN that `accept` took.
    pub(crate) fn accept(config: ConfigBuilder, path: Path, syn: Segment) -> Self {
        let now = Instant::from_millis(5000);
        let (connection, actions) = Connection::accept(Arc::new(config.build().unwrap()), path, SECRETS, syn, now);
        let mut tcp = Self::new(connection);
        tcp.note(actions);
        tcp
    }

    /// SYN-SENT.
    pub(crate) fn connect(config: ConfigBuilder, path: Path) -> Self {
        let now = Instant::from_millis(5000);
        let (connection, actions) = Connection::connect(Arc::new(config.build().unwrap()), path, SECRETS, now);
        let mut tcp = Self::new(connection);
        tcp.note(actions);
        tcp
    }

    /// ESTABLISHED by an active OPEN; nothing but the SYNs has a number.
    pub(crate) fn established(config: ConfigBuilder) -> Self {
        Self::connect(config, Path::ipv4(1500)).answered()
    }

    /// The same with the window of RFC 5681 instead of CUBIC's.
    pub(crate) fn established_with_reno(config: ConfigBuilder) -> Self {
        Self::connect_with_reno(config).answered()
    }

    /// SYN-SENT with the window of RFC 5681.
    pub(crate) fn connect_with_reno(config: ConfigBuilder) -> Self {
        let (now, config) = (Instant::from_millis(5000), Arc::new(config.build().unwrap()));
        let reno = Algorithm::Reno(Reno::default());
        let (connection, actions) = Connection::connect_with(reno, config, Path::ipv4(1500), SECRETS, now);
        let mut tcp = Self::new(connection);
        tcp.note(actions);
        tcp
    }

    fn answered(mut self) -> Self {
        assert_eq!(self.arrives(peer_syn_ack()), "Connected; <SEQ=0><ACK=0><CTL=ACK>");
        self
    }

    /// A connection in one of the states from SYN-RECEIVED on, in which both sides have sent and acknowledged all they could.
    pub(crate) fn in_state(state: State, config: ConfigBuilder) -> Self {
        Self::in_state_with(state, config, |segment| segment)
    }

    /// The same, and the peer says everything in this way.
    pub(crate) fn in_state_with(state: State, config: ConfigBuilder, say: fn(Segment) -> Segment) -> Self {
        if state == State::SynReceived {
            return Self::accept(config, Path::ipv4(1500), say(peer_syn()));
        }
        let mut tcp = Self::connect(config, Path::ipv4(1500));
        assert_eq!(tcp.arrives(say(peer_syn_ack())), "Connected; <SEQ=0><ACK=0><CTL=ACK>");
        let fin = say(peer_ctl(Flags::FIN | Flags::ACK, 0, 0));
        match state {
            State::Closed | State::Listen | State::SynSent | State::SynReceived => unreachable!("{state}"),
            State::Established => {}
            State::FinWait1 => drop(tcp.close()),
            State::FinWait2 => {
                tcp.close();
                tcp.arrives(say(peer(0, 1)));
            }
            State::CloseWait => drop(tcp.arrives(fin)),
            State::Closing => {
                tcp.close();
                tcp.arrives(fin);
            }
            State::LastAck => {
                tcp.arrives(fin);
                tcp.close();
            }
            State::TimeWait => {
                tcp.close();
                tcp.arrives(say(peer_ctl(Flags::FIN | Flags::ACK, 0, 1)));
            }
        }
        assert_eq!(tcp.connection.state(), state);
        tcp
    }

    /// Notes what a call gave and puts it into words, timers left out.
    fn note(&mut self, actions: Vec<Action>) -> String {
        self.connection.check_invariants();
        self.sent.clear();
        let mut words = Vec::new();
        for action in actions {
            match action {
                Action::SetTimer(..) => {}
                Action::Transmit(segment) => {
                    words.push(notation(&segment));
                    self.sent.push(segment);
                }
                Action::Deliver(text) => words.push(format!("Deliver {}", text.len())),
                Action::Urgent { ahead } => words.push(format!("Urgent {ahead}")),
                other => words.push(format!("{other:?}")),
            }
        }
        words.join("; ")
    }

    pub(crate) fn event(&mut self, event: Event) -> String {
        let mut actions = Vec::new();
        self.connection.handle(event, self.now, &mut actions).unwrap();
        self.note(actions)
    }

    pub(crate) fn arrives(&mut self, segment: Segment) -> String {
        let actions = self.connection.handle_segment(segment, self.now);
        self.note(actions)
    }

    pub(crate) fn arrive_together(&mut self, segments: Vec<Segment>) -> String {
        let mut actions = Vec::new();
        self.connection.handle_segments(segments, self.now, &mut actions);
        self.note(actions)
    }

    pub(crate) fn send(&mut self, len: usize) -> String {
        self.event(Event::Send(text(len)))
    }

    pub(crate) fn consume(&mut self, octets: usize) -> String {
        self.event(Event::Consume(octets))
    }

    pub(crate) fn close(&mut self) -> String {
        self.event(Event::Close)
    }

    /// `Timer::Idle` fires if it is the next one and due by then: memory is given back, and nothing is to be seen.
    #[track_caller]
    fn rest(&mut self, until: Instant) {
        if let Some((Timer::Idle, at)) = self.connection.next_deadline().filter(|(_, at)| *at <= until) {
            let actions = self.connection.handle_timer(Timer::Idle, at.max(self.now));
            assert_eq!(self.note(actions), "");
        }
    }

    /// Time passes, and nothing is due meanwhile.
    #[track_caller]
    pub(crate) fn wait(&mut self, time: Duration) {
        self.rest(self.now + time);
        self.now += time;
        let due = self.connection.next_deadline().filter(|(_, at)| *at <= self.now);
        assert_eq!(due, None, "due before {}", self.now.as_micros());
    }

    /// Time passes until the next timer, which must be this one.
    #[track_caller]
    pub(crate) fn fire(&mut self, timer: Timer) -> String {
        self.rest(self.connection.deadline(timer).unwrap_or(self.now));
        let (next, at) = self.connection.next_deadline().expect("a timer");
        assert_eq!(next, timer);
        self.now = self.now.max(at);
        let actions = self.connection.handle_timer(timer, self.now);
        self.note(actions)
    }

    /// This timer fires, if it is the next one.
    pub(crate) fn fire_if(&mut self, timer: Timer) -> String {
        self.sent.clear();
        let due = self.connection.next_deadline().is_some_and(|(next, _)| next == timer);
        if due { self.fire(timer) } else { String::new() }
    }

    /// Time passes, and the timers fire as they are due: what came of it, by milliseconds from now.
    pub(crate) fn pass(&mut self, time: Duration) -> Vec<(u64, String)> {
        let (start, end) = (self.now, self.now + time);
        let mut happened = Vec::new();
        while let Some((timer, at)) = self.connection.next_deadline().filter(|(_, at)| *at <= end) {
            self.now = self.now.max(at);
            let actions = self.connection.handle_timer(timer, self.now);
            let words = self.note(actions);
            if !words.is_empty() {
                let millis = self.now.saturating_since(start).as_millis();
                happened.push((u64::try_from(millis).unwrap(), words));
            }
        }
        self.now = end;
        happened
    }

    /// How long until this timer.
    pub(crate) fn deadline(&self, timer: Timer) -> Option<Duration> {
        self.connection.deadline(timer).map(|at| at.saturating_since(self.now))
    }

    pub(crate) fn info(&self) -> Info {
        self.connection.info()
    }

    pub(crate) fn state(&self) -> State {
        self.connection.state()
    }

    /// Octets of text in each segment of the last call.
    pub(crate) fn lengths(&self) -> Vec<usize> {
        self.sent.iter().map(|segment| segment.payload.len()).collect()
    }

    /// The peer's bare ACK of everything, in turn.
    pub(crate) fn in_turn(&self) -> Segment {
        let info = self.info();
        Segment { seq: info.rcv_nxt, ack: info.snd_nxt, flags: Flags::ACK, window: 65535, ..Segment::default() }
    }
}

/// One of our segments in the notation of the RFC, with the numbers of the streams.
pub(crate) fn notation(segment: &Segment) -> String {
    let relative = |seq: SeqNum, start: SeqNum| match seq.before(start) {
        true => -i64::from(start - seq),
        false => i64::from(seq - start),
    };
    let mut words = format!("<SEQ={}>", relative(segment.seq, ours(0)));
    if segment.flags.contains(Flags::ACK) {
        words += &format!("<ACK={}>", relative(segment.ack, theirs(0)));
    }
    if !segment.payload.is_empty() {
        words += &format!("<DATA={}>", segment.payload.len());
    }
    let names: Vec<&str> = segment.flags.iter_names().map(|(name, _)| name).collect();
    words + &format!("<CTL={}>", names.join(","))
}
