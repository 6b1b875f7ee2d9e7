//! One connection on the bench: brought into any state, given any event, its actions read as text.
//!
//! Numbers are relative: our text begins at 1 after ISS, the peer's at 1 after IRS. So one expectation serves every
//! place in the number space. Every call is audited: order of actions, timers announced, invariants.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use bytes::Bytes;
use segue::{
    Action, Arc, Config, ConfigBuilder, Connection, Error, Event, Flags, Instant, Options, Path, Secrets, Segment,
    SeqNum, State, Timer, Timestamps,
};

/// Places where arithmetic goes wrong: the wrap of unsigned and of signed numbers.
pub(crate) const EDGES: [u32; 5] = [0, 1, 0x7FFF_FFFF, 0x8000_0000, u32::MAX];

pub(crate) const ACK: Flags = Flags::ACK;
pub(crate) const SYN: Flags = Flags::SYN;
pub(crate) const FIN: Flags = Flags::FIN;
pub(crate) const RST: Flags = Flags::RST;

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) const fn us(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Where in the number space, and under which policy, a connection is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    pub(crate) iss: u32,
    pub(crate) irs: u32,
    pub(crate) start: Instant,
    pub(crate) config: Config,
}

/// No options, no quick ACKs, Nagle's algorithm unchanged, 10,000 octets of receive buffer; the peer's MSS is 1000, its window 60,000.
fn plain() -> ConfigBuilder {
    Config::builder()
        .minshall(false)
        .quick_acks(0)
        .timestamps(false)
        .sack(false)
        .window_scaling(false)
        .receive_buffer(10_000)
        .min_rto(secs(1))
}

/// Runs a test at all pairs of edges.
pub(crate) fn everywhere(test: impl Fn(At)) {
    for iss in EDGES {
        for irs in EDGES {
            let at = At { iss, irs, ..At::default() };
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| test(at))) {
                eprintln!("with ISS {iss} and IRS {irs}");
                resume_unwind(panic);
            }
        }
    }
}

impl Default for At {
    fn default() -> Self {
        let config = plain().build().expect("valid");
        Self { iss: 1000, irs: 5000, start: Instant::from_millis(10_000), config }
    }
}

impl At {
    /// The same under another policy.
    pub(crate) fn with(self, change: impl FnOnce(ConfigBuilder) -> ConfigBuilder) -> Self {
        let config = change(self.config.to_builder()).build().expect("valid");
        Self { config, ..self }
    }

    /// The same with all three options of the handshake.
    pub(crate) fn with_options(self) -> Self {
        self.with(|config| config.timestamps(true).sack(true).window_scaling(true))
    }

    pub(crate) const fn secrets(self) -> Secrets {
        Secrets { iss: SeqNum::new(self.iss), ts_offset: 7000 }
    }

    fn rig(self, connection: Connection) -> Rig {
        Rig {
            connection,
            now: self.start,
            at: self,
            window: 60_000,
            peer_clock: 100,
            last: Vec::new(),
            announced: None,
        }
    }

    fn arc(self) -> Arc<Config> {
        Arc::new(self.config)
    }

    pub(crate) fn listen(self) -> Rig {
        self.rig(Connection::listen(self.arc(), Path::ipv4(1500), self.secrets()))
    }

    pub(crate) fn closed(self) -> Rig {
        let mut rig = self.listen();
        assert_eq!(rig.close(), "Closed(Cancelled)");
        rig
    }

    pub(crate) fn connect(self) -> Rig {
        let (connection, actions) = Connection::connect(self.arc(), Path::ipv4(1500), self.secrets(), self.start);
        let mut rig = self.rig(connection);
        rig.take(&actions, false);
        rig
    }

    pub(crate) fn accept(self, syn: Segment) -> Rig {
        let (connection, actions) = Connection::accept(self.arc(), Path::ipv4(1500), self.secrets(), syn, self.start);
        let mut rig = self.rig(connection);
        rig.take(&actions, false);
        rig
    }

    /// The peer's SYN.
    pub(crate) fn syn(self) -> Segment {
        self.listen().syn(SYN)
    }

    pub(crate) fn syn_received(self) -> Rig {
        self.accept(self.syn())
    }

    /// SYN-RECEIVED from LISTEN as a value.
    pub(crate) fn syn_received_from_listen(self) -> Rig {
        let mut rig = self.listen();
        assert_eq!(rig.arrives(rig.syn(SYN)), "SYN|ACK seq 0 ack 1");
        rig
    }

    /// SYN-RECEIVED by a simultaneous open.
    pub(crate) fn crossed(self) -> Rig {
        let mut rig = self.connect();
        assert_eq!(rig.arrives(rig.syn(SYN)), "SYN|ACK seq 0 ack 1");
        rig
    }

    pub(crate) fn established(self) -> Rig {
        let mut rig = self.connect();
        assert_eq!(rig.arrives(rig.syn(SYN | ACK)), "Connected; ACK seq 1 ack 1");
        rig
    }

    pub(crate) fn fin_wait_1(self) -> Rig {
        let mut rig = self.established();
        assert_eq!(rig.close(), "FIN|ACK seq 1 ack 1");
        rig
    }

    pub(crate) fn fin_wait_2(self) -> Rig {
        let mut rig = self.fin_wait_1();
        assert_eq!(rig.arrives(rig.ack(1, 2)), "Flushed");
        rig
    }

    pub(crate) fn close_wait(self) -> Rig {
        let mut rig = self.established();
        assert_eq!(rig.arrives(rig.fin(1, 1)), "PeerClosed; ACK seq 1 ack 2");
        rig
    }

    pub(crate) fn closing(self) -> Rig {
        let mut rig = self.fin_wait_1();
        assert_eq!(rig.arrives(rig.fin(1, 1)), "PeerClosed; ACK seq 2 ack 2");
        rig
    }

    pub(crate) fn last_ack(self) -> Rig {
        let mut rig = self.close_wait();
        assert_eq!(rig.close(), "FIN|ACK seq 1 ack 2");
        rig
    }

    pub(crate) fn time_wait(self) -> Rig {
        let mut rig = self.fin_wait_2();
        assert_eq!(rig.arrives(rig.fin(1, 2)), "PeerClosed; ACK seq 2 ack 2");
        rig
    }

    /// A connection in this state; SYN-RECEIVED comes from `accept`.
    pub(crate) fn state(self, state: State) -> Rig {
        let rig = match state {
            State::Closed => self.closed(),
            State::Listen => self.listen(),
            State::SynSent => self.connect(),
            State::SynReceived => self.syn_received(),
            State::Established => self.established(),
            State::FinWait1 => self.fin_wait_1(),
            State::FinWait2 => self.fin_wait_2(),
            State::CloseWait => self.close_wait(),
            State::Closing => self.closing(),
            State::LastAck => self.last_ack(),
            State::TimeWait => self.time_wait(),
        };
        assert_eq!(rig.state(), state);
        rig
    }
}

/// The eight states after LISTEN and SYN-SENT.
pub(crate) const LIVE: [State; 8] = [
    State::SynReceived,
    State::Established,
    State::FinWait1,
    State::FinWait2,
    State::CloseWait,
    State::Closing,
    State::LastAck,
    State::TimeWait,
];

/// A connection and what its host knows.
#[derive(Clone, Debug)]
pub(crate) struct Rig {
    pub(crate) connection: Connection,
    pub(crate) now: Instant,
    pub(crate) at: At,
    /// The window of the segments that the peer sends.
    pub(crate) window: u16,
    /// Their TSval.
    pub(crate) peer_clock: u32,
    /// The actions of the last call.
    pub(crate) last: Vec<Action>,
    /// What two kinds of host remember: one forgets the timer that it calls, one forgets all that are due then.
    announced: Option<(Timer, Instant)>,
}

/// Segments of the peer.
impl Rig {
    pub(crate) fn rcv(&self, number: i64) -> SeqNum {
        SeqNum::new(self.at.irs.wrapping_add(number as u32))
    }

    pub(crate) fn snd(&self, number: i64) -> SeqNum {
        SeqNum::new(self.at.iss.wrapping_add(number as u32))
    }

    /// A segment with these numbers; timestamps where they are negotiated.
    pub(crate) fn seg(&self, flags: Flags, seq: i64, ack: i64) -> Segment {
        let echo = self.at.secrets().ts_offset.wrapping_add((self.now.as_micros() / 1000) as u32);
        let timestamps = Timestamps { value: self.peer_clock, echo };
        let options = Options { timestamps: self.at.config.timestamps().then_some(timestamps), ..Options::default() };
        let ack = if flags.contains(ACK) { self.snd(ack) } else { SeqNum::new(0) };
        Segment { seq: self.rcv(seq), ack, flags, window: self.window, options: options.into(), ..Segment::default() }
    }

    /// The peer's SYN or SYN,ACK.
    pub(crate) fn syn(&self, flags: Flags) -> Segment {
        let mut segment = self.seg(flags, 0, 1);
        segment.options.update(|options| {
            options.mss = Some(1000);
            options.window_scale = self.at.config.window_scaling().then_some(2);
            options.sack_permitted = self.at.config.sack();
        });
        segment
    }

    pub(crate) fn ack(&self, seq: i64, ack: i64) -> Segment {
        self.seg(ACK, seq, ack)
    }

    pub(crate) fn fin(&self, seq: i64, ack: i64) -> Segment {
        self.seg(FIN | ACK, seq, ack)
    }

    pub(crate) fn rst(&self, seq: i64) -> Segment {
        self.seg(RST, seq, 0)
    }

    pub(crate) fn text(&self, seq: i64, ack: i64, text: impl Into<Bytes>) -> Segment {
        Segment { payload: text.into(), ..self.ack(seq, ack) }
    }

    /// So many octets of text.
    pub(crate) fn octets(&self, seq: i64, ack: i64, octets: usize) -> Segment {
        self.text(seq, ack, vec![b'x'; octets])
    }
}

/// Events.
impl Rig {
    pub(crate) fn arrives(&mut self, segment: Segment) -> String {
        let actions = self.connection.handle_segment(segment, self.now);
        self.take(&actions, true)
    }

    pub(crate) fn handle(&mut self, event: Event) -> Result<String, Error> {
        let mut actions = Vec::new();
        let arrived = matches!(event, Event::Segment(_));
        if let Event::Timer(_) = event {
            self.announced = None;
        }
        self.connection.handle(event, self.now, &mut actions)?;
        Ok(self.take(&actions, arrived))
    }

    /// SEND of so many octets, all of which are taken.
    pub(crate) fn send(&mut self, octets: usize) -> String {
        self.handle(Event::Send(vec![b'.'; octets].into())).expect("SEND is possible")
    }

    pub(crate) fn close(&mut self) -> String {
        self.handle(Event::Close).expect("CLOSE is possible")
    }

    pub(crate) fn does(&mut self, event: Event) -> String {
        self.handle(event).expect("never fails")
    }

    pub(crate) fn consume(&mut self, octets: usize) -> String {
        self.does(Event::Consume(octets))
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        self.now += time;
    }

    /// Time goes on, and the timers fire as they are due. What came of the last.
    pub(crate) fn pass(&mut self, time: Duration) -> String {
        let (end, mut last) = (self.now + time, String::new());
        while let Some((timer, at)) = self.connection.next_deadline().filter(|(_, at)| *at <= end) {
            self.now = self.now.max(at);
            last = self.call_timer(timer);
        }
        self.now = end;
        last
    }

    /// Time goes on until this timer, which must be the next one, and it fires.
    #[track_caller]
    pub(crate) fn fire(&mut self, timer: Timer) -> String {
        if let Some((Timer::Idle, at)) = self.connection.next_deadline().filter(|_| timer != Timer::Idle) {
            self.now = self.now.max(at);
            assert_eq!(self.call_timer(Timer::Idle), "", "memory is given back, and nothing is to be seen");
        }
        let next = self.connection.next_deadline();
        assert_eq!(next.map(|(next, _)| next), Some(timer), "the next timer, of {:?}", self.deadlines());
        self.now = self.now.max(next.expect("just seen").1);
        self.call_timer(timer)
    }

    /// The host calls this timer now.
    pub(crate) fn call_timer(&mut self, timer: Timer) -> String {
        self.announced = None;
        let actions = self.connection.handle_timer(timer, self.now);
        let told = self.take(&actions, false);
        assert!(
            self.connection.next_deadline().is_none_or(|(_, at)| at > self.now),
            "still due: {:?}",
            self.deadlines()
        );
        told
    }

    /// What the actions of one call say; audits them.
    fn take(&mut self, actions: &[Action], one_segment: bool) -> String {
        check_order(actions);
        if one_segment {
            let control = actions.iter().filter(|action| is_control(action)).count();
            assert!(control <= 1, "{control} control segments answer one: {actions:?}");
        }
        self.hear(actions);
        segments(actions).into_iter().for_each(check_echo);
        self.connection.check_invariants();
        self.last = actions.to_vec();
        self.say(actions)
    }

    /// Hosts that know of timers only what they are told, and a machine that has ended.
    fn hear(&mut self, actions: &[Action]) {
        let (state, deadlines) = (self.state(), self.deadlines());
        for action in actions {
            match action {
                Action::SetTimer(timer, at) => {
                    let earlier = self.announced.replace((*timer, *at));
                    assert!(
                        earlier.is_none_or(|(_, earlier)| *at < earlier),
                        "{earlier:?} is early enough for {action:?}"
                    );
                }
                Action::Closed(_) => {
                    assert_eq!(state, State::Closed);
                    self.announced = None;
                }
                _ => {}
            }
        }
        for (timer, deadline) in &deadlines {
            let told = self.announced;
            assert!(
                told.is_some_and(|(_, at)| at <= *deadline),
                "{timer:?} is due at {deadline:?}, the host was told {told:?}"
            );
        }
    }
}

/// Questions.
impl Rig {
    pub(crate) fn state(&self) -> State {
        self.connection.state()
    }

    /// Time until this timer; `None` when it does not run.
    pub(crate) fn until(&self, timer: Timer) -> Option<Duration> {
        self.connection.deadline(timer).map(|at| at.saturating_since(self.now))
    }

    pub(crate) fn deadlines(&self) -> Vec<(Timer, Instant)> {
        Timer::ALL.into_iter().filter_map(|timer| Some((timer, self.connection.deadline(timer)?))).collect()
    }

    /// The segments of the last call.
    pub(crate) fn sent(&self) -> Vec<&Segment> {
        segments(&self.last)
    }

    /// The only segment of the last call.
    #[track_caller]
    pub(crate) fn only(&self) -> &Segment {
        let sent = self.sent();
        assert_eq!(sent.len(), 1, "segments in {:?}", self.last);
        sent[0]
    }

    /// Octets sent by the last call.
    pub(crate) fn octets_sent(&self) -> usize {
        self.sent().iter().map(|segment| segment.payload.len()).sum()
    }

    /// What was delivered by the last call.
    pub(crate) fn delivered(&self) -> Vec<u8> {
        self.last
            .iter()
            .filter_map(|a| if let Action::Deliver(text) = a { Some(&text[..]) } else { None })
            .collect::<Vec<_>>()
            .concat()
    }

    /// `segment` is thrown away for this reason, with this answer or none, and nothing is changed by it.
    #[track_caller]
    pub(crate) fn unmoved(&mut self, segment: Segment, expected: &str) {
        let before = self.connection.canonical(self.now);
        assert_eq!(self.arrives(segment), expected);
        assert!(
            before == self.connection.canonical(self.now),
            "{expected} changed\n{before:#?}\n{:#?}",
            self.connection
        );
    }

    /// The last call once more.
    pub(crate) fn said(&self) -> String {
        self.say(&self.last)
    }

    pub(crate) fn say(&self, actions: &[Action]) -> String {
        let timer = |action: &&Action| !matches!(action, Action::SetTimer(..));
        actions.iter().filter(timer).map(|action| self.say_one(action)).collect::<Vec<_>>().join("; ")
    }

    fn say_one(&self, action: &Action) -> String {
        match action {
            Action::Transmit(segment) => self.say_segment(segment),
            Action::Deliver(text) if text.len() > 10 => format!("Deliver {}", text.len()),
            Action::Deliver(text) => format!("Deliver {:?}", String::from_utf8_lossy(text)),
            Action::Successor { syn, iss_after } => {
                format!("Successor {} after {}", (syn.seq - self.rcv(0)) as i32, *iss_after - self.snd(0))
            }
            other => format!("{other:?}"),
        }
    }

    /// `FIN|PSH|ACK seq 1 len 3 ack 5`; a reset that acknowledges has no number of ours.
    fn say_segment(&self, segment: &Segment) -> String {
        const NAMES: [(&str, Flags); 6] = [
            ("SYN", Flags::SYN),
            ("FIN", Flags::FIN),
            ("RST", Flags::RST),
            ("PSH", Flags::PSH),
            ("URG", Flags::URG),
            ("ACK", Flags::ACK),
        ];
        let names: Vec<_> =
            NAMES.iter().filter(|(_, flag)| segment.flags.contains(*flag)).map(|(name, _)| *name).collect();
        let mut text = names.join("|");
        if segment.flags.contains(RST | ACK) {
            assert_eq!(segment.seq, SeqNum::new(0), "<SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>");
        } else {
            text += &format!(" seq {}", (segment.seq - self.snd(0)) as i32);
        }
        if !segment.payload.is_empty() {
            text += &format!(" len {}", segment.payload.len());
        }
        if segment.flags.contains(ACK) {
            text += &format!(" ack {}", (segment.ack - self.rcv(0)) as i32);
        }
        if segment.flags.contains(Flags::URG) {
            text += &format!(" up {}", segment.urgent);
        }
        text
    }
}

pub(crate) fn segments(actions: &[Action]) -> Vec<&Segment> {
    actions
        .iter()
        .filter_map(|action| if let Action::Transmit(segment) = action { Some(segment) } else { None })
        .collect()
}

/// RFC 7323 §3.2: without ACK there is no echo, but on a reset that answers a segment, whose own clock is 0 (§5.2).
fn check_echo(segment: &Segment) {
    if let Some(ts) = segment.options.timestamps().filter(|_| !segment.flags.contains(ACK)) {
        assert!(ts.echo == 0 || (segment.flags.contains(RST) && ts.value == 0), "an echo without ACK: {segment}");
    }
}

/// A segment that carries nothing of our stream but perhaps the SYN.
fn is_control(action: &Action) -> bool {
    matches!(action, Action::Transmit(segment) if segment.payload.is_empty() && !segment.flags.contains(FIN))
}

/// The order of the contract. Replies to what is thrown away stand where the decision falls, before the others.
pub(crate) fn check_order(actions: &[Action]) {
    let rank = |action: &Action| match action {
        Action::Connected => Some(0),
        Action::Urgent { .. } => Some(1),
        Action::Deliver(_) => Some(2),
        Action::PeerClosed => Some(3),
        Action::Acked(_) => Some(4),
        Action::Writable => Some(5),
        Action::Flushed => Some(6),
        Action::Transmit(_) => Some(7),
        Action::MorePending => Some(8),
        Action::SetTimer(..) => Some(9),
        Action::Closed(_) => Some(10),
        _ => None,
    };
    let mut ranks: Vec<i32> = actions.iter().filter_map(rank).collect();
    let discards = actions.iter().any(|action| matches!(action, Action::Discarded(_)));
    if discards && ranks.first() == Some(&7) {
        ranks.remove(0); // the reply
    }
    assert!(ranks.is_sorted(), "order of {actions:#?}");
    let closed = |action: &Action| matches!(action, Action::Closed(_));
    assert!(actions.iter().filter(|action| closed(action)).count() <= 1, "Closed twice: {actions:#?}");
    assert!(actions.iter().rev().skip(1).all(|action| !closed(action)), "Closed is not last: {actions:#?}");
}
