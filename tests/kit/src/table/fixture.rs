//! Drives a real connection into the situation of a cell, by the public surface alone.
//!
//! The peer is a script. What it says is one consistent stream ([`text_at`]); the last segment that updates SND.WL1
//! begins eight octets before RCV.NXT, so that every class of sequence numbers is judged against the same variables.

use core::time::Duration;

use bytes::Bytes;
use segue::{
    Action, Arc, Config, Connection, Event, FastOpen, FastOpenAnswer, FastOpenCookie, Flags, Info, Instant, Options,
    Path, Secrets, Segment, SeqNum, State, Timer, Timestamps,
};

use super::cell::{Cell, Close, Held, Seq, St, Ts};

/// RCV.BUFF of every fixture: small, so that one segment closes the window.
pub const RECEIVE_BUFFER: u32 = 256;
/// SEG.WND of the peer: also MAX.SND.WND.
pub const PEER_WINDOW: u16 = 1000;
/// What a queued CLOSE waits behind.
pub const QUEUED_TEXT: usize = 10;
/// Our text in flight.
pub const FLIGHT: usize = 5;
/// The room of the send buffer.
const SEND_BUFFER: u32 = 4096;
/// The text that came on the SYN, and the text held behind a gap of as many octets.
pub const HELD: u32 = 8;
/// The text of the SYN that Fast Open delivered at once. It is another number than any distance of `Seq::Before`.
const SYN_TEXT: u32 = 20;
/// The answer to a valid cookie.
pub const VALID: FastOpenAnswer = FastOpenAnswer { valid: true, cookie: None };

/// The numbers and choices that do not matter: the same cell must come out the same whatever they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct World {
    pub iss: u32,
    pub irs: u32,
    /// The peer's timestamp clock.
    pub ts_base: u32,
    pub ts_offset: u32,
    /// Chooses among the ways to one state, and among the numbers of one class.
    pub choice: u32,
}

/// The situation of a cell, as far as the connection goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Setup {
    pub state: St,
    /// CLOSE was called, the FIN is not sent.
    pub queued: bool,
    pub held: Held,
    pub timestamps: bool,
    pub zero_window: bool,
    /// Text of ours left before our SYN is acknowledged.
    pub early_text: bool,
    /// The allowances of challenge ACKs and of answers to bare segments are used up.
    pub throttled: bool,
}

impl Setup {
    pub fn of(cell: &Cell, throttled: bool, world: World) -> Self {
        let any_window = cell.seq == Seq::Irs && cell.held == Held::No && world.choice & 32 != 0;
        Self {
            state: cell.state,
            queued: cell.close != Close::No,
            held: cell.held,
            timestamps: !matches!(cell.ts, Ts::Off | Ts::Extra),
            zero_window: Seq::is_zero_window(cell.seq) || any_window,
            early_text: cell.state.has_early_text(),
            throttled,
        }
    }
}

/// A connection in a known situation.
#[derive(Clone, Debug)]
pub struct Fixture {
    pub connection: Connection,
    pub setup: Setup,
    pub world: World,
    pub now: Instant,
    pub info: Info,
}

impl Fixture {
    /// A connection in this situation; `None` if there is no way to one.
    pub fn build(setup: Setup, world: World) -> Option<Self> {
        Script::new(setup, world).run()
    }

    pub fn irs(&self) -> SeqNum {
        SeqNum::new(self.world.irs)
    }

    /// Where held text ends.
    pub fn held_end(&self) -> Option<SeqNum> {
        match (self.setup.held, self.setup.state.is_syn_received()) {
            (Held::No, _) => None,
            (_, true) if self.setup.state.is_early() => Some(self.info.rcv_nxt), // the FIN alone
            (_, true) => Some(self.info.rcv_nxt + HELD),
            (_, false) => Some(self.info.rcv_nxt + 2 * HELD),
        }
    }

    /// The option area of a segment of this peer.
    pub fn options(&self, value: Option<u32>) -> Options {
        let echo = timestamp_clock(self.world, self.now);
        Options { timestamps: value.map(|value| Timestamps { value, echo }), ..Options::default() }
    }
}

/// The connection's own timestamp clock: milliseconds from a secret offset (RFC 7323 §5.4).
fn timestamp_clock(world: World, now: Instant) -> u32 {
    let millis = u32::try_from(now.as_micros() / 1000).unwrap();
    world.ts_offset.wrapping_add(millis)
}

/// The peer's stream: the octets from the number `seq` on.
pub fn text_at(irs: SeqNum, seq: SeqNum, len: u32) -> Bytes {
    const PERIOD: u32 = 251;
    static STREAM: [u8; 2048] = {
        let mut stream = [0; 2048];
        let mut i = 0;
        while i < stream.len() {
            stream[i] = (i % PERIOD as usize) as u8;
            i += 1;
        }
        stream
    };
    let start = ((seq - irs) % PERIOD) as usize;
    Bytes::from_static(&STREAM[start..start + len as usize])
}

/// Our own text.
pub fn own_text(len: usize) -> Bytes {
    static OWN: [u8; 8192] = [b'o'; 8192];
    Bytes::from_static(&OWN[..len])
}

/// The way to a situation.
struct Script {
    setup: Setup,
    world: World,
    config: Arc<Config>,
    now: Instant,
    /// The peer's SND.NXT.
    seq: SeqNum,
}

impl Script {
    fn new(setup: Setup, world: World) -> Self {
        let config = Config::builder()
            .receive_buffer(RECEIVE_BUFFER)
            .send_buffer(SEND_BUFFER)
            .frame_size(0)
            .quick_acks(0)
            .nagle(setup.state != St::EarlyText) // SEND while text is in flight
            .challenge_limit(if setup.throttled { 1 } else { 1000 })
            .challenge_window(Duration::from_secs(600))
            .build()
            .unwrap();
        let seq = SeqNum::new(world.irs) + 1;
        Self { setup, world, config: Arc::new(config), now: Instant::from_millis(10_000), seq }
    }

    fn run(mut self) -> Option<Fixture> {
        let Setup { state, queued, held, zero_window, .. } = self.setup;
        let can_queue = state.is_syn_received() || matches!(state, St::FinWait1 | St::CloseWait | St::Closing);
        let can_hold = state.is_syn_received() || matches!(state, St::Established | St::FinWait1 | St::FinWait2);
        let has_window = state.is_syn_received() || state.is_synchronized();
        let impossible = queued && !can_queue
            || held != Held::No && (!can_hold || zero_window)
            || held == Held::Text && state.is_early()
            || zero_window && !state.is_synchronized() && state != St::EarlyText
            || self.setup.timestamps && !has_window;
        if impossible {
            return None;
        }
        let connection = match state {
            St::Closed => self.closed(),
            St::Listen => Connection::listen(self.config.clone(), path(), self.secrets()),
            St::ListenSpent => self.spent(),
            St::SynSent => self.connect(),
            St::SynSentText => self.connect_with_text(),
            St::SynReceivedAccept | St::SynReceivedListen | St::SynReceivedCrossed => self.syn_received(state),
            St::Early | St::EarlyText => self.early(),
            _ => self.synchronized(),
        };
        self.pass(if state == St::TimeWait { 1000 } else { 1 });
        let info = connection.info();
        assert_eq!(connection.state(), state.rfc(), "the way to {:?} leads astray", self.setup);
        if matches!(state.rfc(), State::SynSent | State::SynReceived) {
            let text = if self.setup.early_text { FLIGHT } else { 0 };
            assert_eq!((info.snd_nxt - info.snd_una) as usize, 1 + text, "text in flight in {:?}", self.setup);
        }
        if state.is_synchronized() || state.is_early() {
            assert_eq!(info.rcv_wnd == 0, zero_window, "the window of {:?} is {}", self.setup, info.rcv_wnd);
            assert_eq!(info.rcv_nxt, self.seq, "RCV.NXT in {:?}", self.setup);
        }
        Some(Fixture { connection, setup: self.setup, world: self.world, now: self.now, info })
    }

    fn pass(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
    }

    fn secrets(&self) -> Secrets {
        Secrets { iss: SeqNum::new(self.world.iss), ts_offset: self.world.ts_offset }
    }

    /// The peer's SYN, with ACK or without; nothing is on it yet.
    fn syn(&self, ack: Option<SeqNum>) -> Segment {
        let timestamps = self.setup.timestamps.then(|| Timestamps {
            value: self.world.ts_base,
            echo: ack.map_or(0, |_| timestamp_clock(self.world, self.now)),
        });
        Segment {
            seq: SeqNum::new(self.world.irs),
            ack: ack.unwrap_or_default(),
            flags: if ack.is_some() { Flags::SYN | Flags::ACK } else { Flags::SYN },
            window: PEER_WINDOW,
            options: Options { mss: Some(1460), sack_permitted: true, timestamps, ..Options::default() }.into(),
            ..Segment::default()
        }
    }

    /// The peer's next segment; its window field keeps the right edge of SND.WND where it is.
    fn segment(&self, ack: SeqNum, flags: Flags, text: u32) -> Segment {
        let value = self.world.ts_base;
        let echo = timestamp_clock(self.world, self.now);
        Segment {
            seq: self.seq,
            ack,
            flags: flags | Flags::ACK,
            window: PEER_WINDOW,
            options: Options {
                timestamps: self.setup.timestamps.then_some(Timestamps { value, echo }),
                ..Options::default()
            }
            .into(),
            payload: text_at(SeqNum::new(self.world.irs), self.seq, text),
            ..Segment::default()
        }
    }

    fn closed(&self) -> Connection {
        if self.world.choice & 1 == 0 {
            let mut connection = self.connect();
            let _ = connection.abort(self.now);
            connection
        } else {
            let mut connection = Connection::listen(self.config.clone(), path(), self.secrets());
            let _ = connection.close(self.now).unwrap();
            connection
        }
    }

    fn connect(&self) -> Connection {
        Connection::connect(self.config.clone(), path(), self.secrets(), self.now).0
    }

    fn connect_with_text(&self) -> Connection {
        let open = FastOpen { cookie: cookie(), mss: None, text: own_text(FLIGHT) };
        let opened = Connection::connect_fast_open(self.config.clone(), path(), self.secrets(), open, self.now);
        opened.unwrap().0
    }

    /// With a valid cookie. The user takes the text of the SYN at once, unless the window is to be zero.
    fn early(&mut self) -> Connection {
        let Setup { state, queued, held, zero_window, early_text, .. } = self.setup;
        let len = match (state, zero_window) {
            (St::EarlyText, false) => SYN_TEXT,
            (St::EarlyText, true) => RECEIVE_BUFFER,
            _ => 0,
        };
        let mut syn = self.syn(None);
        syn.payload = text_at(syn.seq, syn.seq + 1, len);
        syn.flags.set(Flags::FIN, state.is_early() && held == Held::Fin);
        let (config, secrets) = (self.config.clone(), self.secrets());
        let (mut connection, _) = Connection::accept_fast_open(config, path(), secrets, syn, VALID, self.now);
        self.seq += len;
        if !zero_window {
            let _ = connection.consume(len as usize, self.now);
        }
        self.exhaust(&mut connection);
        if early_text {
            let _ = connection.send(&mut own_text(FLIGHT), self.now).unwrap();
        }
        if state.is_early() && queued {
            let _ = connection.close(self.now).unwrap();
        }
        connection
    }

    fn spent(&mut self) -> Connection {
        let mut connection = self.syn_received(St::SynReceivedListen);
        let reset = Segment { seq: self.seq, flags: Flags::RST, ..Segment::default() };
        let _ = connection.handle_segment(reset, self.now);
        connection
    }

    fn syn_received(&mut self, origin: St) -> Connection {
        let mut syn = self.syn(None);
        if self.setup.state.is_syn_received() && self.setup.held != Held::No {
            syn.payload = text_at(syn.seq, syn.seq + 1, HELD);
            syn.flags.set(Flags::FIN, self.setup.held == Held::Fin);
        }
        let mut connection = match origin {
            St::SynReceivedAccept => Connection::accept(self.config.clone(), path(), self.secrets(), syn, self.now).0,
            St::SynReceivedListen => {
                let mut connection = Connection::listen(self.config.clone(), path(), self.secrets());
                let _ = connection.handle_segment(syn, self.now);
                connection
            }
            _ => {
                let mut connection = self.connect();
                self.pass(1);
                let _ = connection.handle_segment(syn, self.now);
                connection
            }
        };
        self.exhaust(&mut connection);
        if self.setup.state.is_syn_received() && self.setup.queued {
            let _ = connection.close(self.now).unwrap();
        }
        connection
    }

    fn established(&mut self) -> Connection {
        let fast_open = self.world.choice & 64 != 0;
        let mut connection = match self.world.choice & 3 {
            0 if fast_open => self.early(),
            0 => self.syn_received(St::SynReceivedAccept),
            1 => self.syn_received(St::SynReceivedListen),
            2 => self.syn_received(St::SynReceivedCrossed),
            _ => {
                let mut connection = if fast_open { self.connect_with_text() } else { self.connect() };
                self.pass(1);
                let syn_ack = self.syn(Some(connection.info().snd_nxt));
                let _ = connection.handle_segment(syn_ack, self.now);
                self.exhaust(&mut connection);
                connection
            }
        };
        self.pass(1);
        if connection.state() == State::SynReceived {
            let ack = self.segment(connection.info().snd_nxt, Flags::empty(), 0);
            let _ = connection.handle_segment(ack, self.now);
        }
        assert_eq!(connection.state(), State::Established);
        connection
    }

    fn synchronized(&mut self) -> Connection {
        let Setup { state, queued, held, zero_window, .. } = self.setup;
        let mut connection = self.established();
        self.window_of_text(&mut connection);
        let mut flight = if queued { usize::from(PEER_WINDOW) } else { FLIGHT };
        while flight > 0 {
            let len = flight.min(1000);
            let _ = connection.send(&mut own_text(len), self.now).unwrap();
            flight -= len;
        }
        if queued {
            let _ = connection.send(&mut own_text(QUEUED_TEXT), self.now).unwrap();
        }
        let closes_first = matches!(state, St::FinWait1 | St::FinWait2 | St::Closing | St::TimeWait);
        if closes_first {
            let _ = connection.close(self.now).unwrap();
        }
        self.pass(1);
        self.peer_text(&mut connection);
        if !zero_window {
            let _ = connection.consume(HELD as usize, self.now);
        }
        if state == St::LastAck || state == St::CloseWait && queued {
            let _ = connection.close(self.now).unwrap();
        }
        if held != Held::No {
            self.hold(&mut connection);
        }
        connection
    }

    /// As much text as MAX.SND.WND goes out and is acknowledged, so that an ACK can be old and not too old.
    fn window_of_text(&mut self, connection: &mut Connection) {
        let _ = connection.send(&mut own_text(PEER_WINDOW.into()), self.now).unwrap();
        self.pass(1);
        let ack = self.segment(connection.info().snd_nxt, Flags::empty(), 0);
        let _ = connection.handle_segment(ack, self.now);
    }

    /// The segment that moves SND.WL1: text, with the peer's FIN where the state needs it, and with the ACK of our FIN
    /// where the state needs that.
    fn peer_text(&mut self, connection: &mut Connection) {
        let state = self.setup.state;
        let peer_closes = !matches!(state, St::Established | St::FinWait1 | St::FinWait2);
        let acks_fin = matches!(state, St::FinWait2 | St::TimeWait);
        let info = connection.info();
        let fin = u32::from(peer_closes);
        let len = if self.setup.zero_window { RECEIVE_BUFFER - fin } else { HELD };
        let flags = if peer_closes { Flags::FIN } else { Flags::empty() };
        let segment = self.segment(if acks_fin { info.snd_nxt } else { info.snd_una }, flags, len);
        let _ = connection.handle_segment(segment, self.now);
        self.seq += len + fin;
        if let Some(at) = connection.deadline(Timer::DelayedAck) {
            self.now = self.now.max(at);
            let _ = connection.handle_timer(Timer::DelayedAck, self.now);
        }
    }

    /// Text behind a gap. Its ACK is an old one, so that it updates no window.
    fn hold(&mut self, connection: &mut Connection) {
        let flags = if self.setup.held == Held::Fin { Flags::FIN } else { Flags::empty() };
        let mut segment = self.segment(connection.info().snd_una - 1, flags, 0);
        segment.seq = self.seq + HELD;
        segment.payload = text_at(SeqNum::new(self.world.irs), segment.seq, HELD);
        let _ = connection.handle_segment(segment, self.now);
        assert_eq!(connection.info().held, HELD as usize, "text is held in {:?}", self.setup);
    }

    /// Uses up the allowances of answers: an empty segment after the window draws one, so does a SYN there.
    fn exhaust(&self, connection: &mut Connection) {
        if self.setup.throttled {
            let mut segment = self.segment(connection.info().snd_nxt, Flags::empty(), 0);
            segment.seq = self.seq + RECEIVE_BUFFER + 1;
            let syn = Segment { flags: Flags::SYN, ..segment.clone() };
            let mut actions: Vec<Action> = Vec::new();
            connection.handle(Event::Segment(segment), self.now, &mut actions).unwrap();
            connection.handle(Event::Segment(syn), self.now, &mut actions).unwrap();
        }
    }
}

/// A cookie that the peer knows.
pub fn cookie() -> FastOpenCookie {
    FastOpenCookie::new(b"a cookie").unwrap()
}

/// IPv4 or IPv6 makes no difference to a cell.
fn path() -> Path {
    Path::ipv4(1500)
}
