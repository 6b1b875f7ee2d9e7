//! Two TCPs and the segments between them, played from figures in the notation of RFC 9293 §3.5.
//!
//! A line of a figure is `STATE --> <SEQ=..><ACK=..><DATA=..><CTL=..> --> STATE`: A at the left sends, B at the right
//! receives; `<--` the other way. The states are those after the line. `...` at one end means that the segment is still,
//! or was, in the network, `X` that it is lost, `(duplicate)` at the start of a line that the test makes it up.
//! `<WIN=..>` may follow; PSH and the window are compared only where a line names them.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use segue::{Action, Arc, Config, Connection, Flags, Instant, Path, Secrets, Segment, SeqNum, State, Timer};
use segue_kit::audit::{self, Announced};
use segue_kit::notation::{Origin, notation, parse};

/// The two TCPs of the figures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Peer {
    A,
    B,
}
pub(crate) use Peer::{A, B};

impl Peer {
    const fn other(self) -> Self {
        match self {
            A => B,
            B => A,
        }
    }
}

#[derive(Debug)]
struct Tcp {
    connection: Connection,
    outbox: VecDeque<Segment>,
    told: Vec<String>,
    announced: Announced,
}

/// Both TCPs at one time.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: Instant,
    config: [Arc<Config>; 2],
    /// The offset of the numbers in the figures, so that each is played around every wrap point.
    shift: [u32; 2],
    tcps: [Tcp; 2],
    /// Segments that a `...` keeps in the network.
    flying: Vec<(Peer, Segment)>,
}

/// A configuration without options, as the figures have none.
pub(crate) fn plain() -> Config {
    segue_kit::plain().build().expect("valid")
}

/// Plays a scenario with its numbers as they are, and shifted so that they wrap in different places.
pub(crate) fn everywhere(play: impl Fn(&mut World)) {
    everywhere_with([plain(), plain()], play);
}

/// The same with these configurations of A and B.
pub(crate) fn everywhere_with(configs: [Config; 2], play: impl Fn(&mut World)) {
    // the figures begin near 100 and 300: these shifts put 0, 2³¹ and 2³² before, into and right behind their handshakes
    const SHIFTS: [u32; 7] =
        [0, u32::MAX - 99, u32::MAX - 100, 1 << 31, (1 << 31) - 100, (1 << 31) - 301, u32::MAX - 1999];
    for (i, shift) in SHIFTS.iter().enumerate() {
        let mut world = World::new(configs, [*shift, SHIFTS[(i * 3 + 1) % SHIFTS.len()]]);
        play(&mut world);
        world.quiet();
    }
}

/// A TCP that has no connection.
fn without_connection(config: Arc<Config>) -> Connection {
    let secrets = Secrets { iss: SeqNum::new(0), ts_offset: 0 };
    let mut connection = Connection::listen(config, Path::ipv4(1500), secrets);
    connection.close(Instant::ZERO).expect("LISTEN can be closed");
    connection
}

impl World {
    fn new(configs: [Config; 2], shift: [u32; 2]) -> Self {
        let closed = |config| Tcp {
            connection: without_connection(Arc::new(config)),
            outbox: VecDeque::new(),
            told: Vec::new(),
            announced: Announced::default(),
        };
        Self {
            now: Instant::from_millis(1000),
            config: configs.map(Arc::new),
            shift,
            tcps: configs.map(closed),
            flying: Vec::new(),
        }
    }

    fn tcp(&mut self, peer: Peer) -> &mut Tcp {
        &mut self.tcps[peer as usize]
    }

    fn secrets(&self, peer: Peer, iss: u32) -> Secrets {
        Secrets { iss: SeqNum::new(iss) + self.shift[peer as usize], ts_offset: 0 }
    }

    fn begin(&mut self, peer: Peer, connection: Connection, actions: Vec<Action>) {
        let tcp = self.tcp(peer);
        tcp.connection = connection;
        tcp.told.clear();
        tcp.announced = Announced::default();
        assert!(tcp.outbox.is_empty(), "{peer:?} still had something to send");
        self.take(peer, actions);
    }

    /// Passive OPEN with this ISS.
    pub(crate) fn listen(&mut self, peer: Peer, iss: u32) {
        let connection =
            Connection::listen(self.config[peer as usize].clone(), Path::ipv4(1500), self.secrets(peer, iss));
        self.begin(peer, connection, Vec::new());
    }

    /// Active OPEN with this ISS.
    pub(crate) fn connect(&mut self, peer: Peer, iss: u32) {
        let config = self.config[peer as usize].clone();
        let (connection, actions) = Connection::connect(config, Path::ipv4(1500), self.secrets(peer, iss), self.now);
        self.begin(peer, connection, actions);
    }

    /// The host of `peer` has no value; this SYN of the other side arrives, and it makes one.
    pub(crate) fn accept(&mut self, peer: Peer, iss: u32, syn: &str) {
        let syn = self.parse(peer.other(), syn);
        let config = self.config[peer as usize].clone();
        let (connection, actions) =
            Connection::accept(config, Path::ipv4(1500), self.secrets(peer, iss), syn, self.now);
        self.begin(peer, connection, actions);
    }

    /// All memory of the connection is lost: there is no connection any more.
    pub(crate) fn reboot(&mut self, peer: Peer) {
        let closed = without_connection(self.config[peer as usize].clone());
        self.begin(peer, closed, Vec::new());
    }

    /// An established connection in which A sends `a` next and B sends `b` next.
    pub(crate) fn establish(&mut self, a: u32, b: u32) {
        self.listen(B, b - 1);
        self.connect(A, a - 1);
        for from in [A, B, A] {
            let segment = self.tcp(from).outbox.pop_front().expect("a segment of the handshake");
            self.arrives(from.other(), segment);
        }
        self.quiet();
        self.states(State::Established, State::Established);
        self.told(A, "Connected");
        self.told(B, "Connected");
    }

    /// SEND of `octets` octets, all of which are taken.
    pub(crate) fn send(&mut self, peer: Peer, octets: usize) {
        let now = self.now;
        let mut text = Bytes::from(vec![b'.'; octets]);
        let actions = self.tcp(peer).connection.send(&mut text, now).expect("SEND is possible");
        assert!(text.is_empty(), "SEND took only a part");
        self.take(peer, actions);
    }

    /// The user takes `octets` octets.
    pub(crate) fn consume(&mut self, peer: Peer, octets: usize) {
        let now = self.now;
        let actions = self.tcp(peer).connection.consume(octets, now);
        self.take(peer, actions);
    }

    pub(crate) fn close(&mut self, peer: Peer) {
        let now = self.now;
        let actions = self.tcp(peer).connection.close(now).expect("CLOSE is possible");
        self.take(peer, actions);
    }

    pub(crate) fn release(&mut self, peer: Peer) {
        let now = self.now;
        let actions = self.tcp(peer).connection.release(now);
        self.take(peer, actions);
    }

    pub(crate) fn abort(&mut self, peer: Peer) {
        let now = self.now;
        let actions = self.tcp(peer).connection.abort(now);
        self.take(peer, actions);
    }

    /// New secrets for a value that is back in LISTEN.
    pub(crate) fn rearm(&mut self, peer: Peer, iss: u32) {
        let (now, secrets) = (self.now, self.secrets(peer, iss));
        let mut actions = Vec::new();
        self.tcp(peer).connection.handle(segue::Event::Rearm(secrets), now, &mut actions).expect("it waits for them");
        self.take(peer, actions);
    }

    /// How long until this timer; `None` when it does not run.
    pub(crate) fn deadline(&self, peer: Peer, timer: Timer) -> Option<Duration> {
        self.tcps[peer as usize].connection.deadline(timer).map(|at| at.saturating_since(self.now))
    }

    /// Time goes on until this timer, which is the next one of `peer`, and it fires.
    #[track_caller]
    pub(crate) fn fire(&mut self, peer: Peer, timer: Timer) {
        let next = self.tcp(peer).connection.next_deadline();
        let Some((_, at)) = next.filter(|(next, _)| *next == timer) else {
            panic!("{timer:?} is not the next timer of {peer:?}: {next:?}");
        };
        self.now = self.now.max(at);
        let now = self.now;
        self.tcp(peer).announced.fire();
        let actions = self.tcp(peer).connection.handle_timer(timer, now);
        self.take(peer, actions);
    }

    /// What the user of `peer` was told since the last question, such as `Connected; Deliver 10; PeerClosed`.
    #[track_caller]
    pub(crate) fn told(&mut self, peer: Peer, expected: &str) {
        let told = std::mem::take(&mut self.tcp(peer).told).join("; ");
        assert_eq!(told, expected, "what {peer:?} was told");
    }

    #[track_caller]
    pub(crate) fn states(&self, a: State, b: State) {
        let states = self.tcps.each_ref().map(|tcp| tcp.connection.state());
        assert_eq!(states, [a, b]);
    }

    /// Neither side has anything to send, and nothing is in the network.
    #[track_caller]
    pub(crate) fn quiet(&self) {
        for peer in [A, B] {
            let left: Vec<String> = self.tcps[peer as usize].outbox.iter().map(|s| self.notation(peer, s)).collect();
            assert!(left.is_empty(), "{peer:?} sends what no figure shows: {left:?}");
        }
        assert!(self.flying.is_empty(), "segments are still in the network: {:?}", self.flying);
    }

    /// Notes what a call asks for, and checks the machine.
    fn take(&mut self, peer: Peer, actions: Vec<Action>) {
        let tcp = self.tcp(peer);
        tcp.connection.check_invariants();
        audit::order(&actions, false);
        tcp.announced.note(&actions);
        tcp.announced.check(&tcp.connection);
        for action in actions {
            match action {
                Action::Transmit(segment) => tcp.outbox.push_back(segment),
                Action::Deliver(octets) => tcp.told.push(format!("Deliver {}", octets.len())),
                Action::Connected
                | Action::PeerClosed
                | Action::ReturnedToListen
                | Action::Discarded(_)
                | Action::Closed(_) => tcp.told.push(format!("{action:?}")),
                Action::Successor { .. } => tcp.told.push("Successor".into()),
                _ => {}
            }
        }
    }

    fn arrives(&mut self, peer: Peer, segment: Segment) {
        let now = self.now;
        let actions = self.tcp(peer).connection.handle_segment(segment, now);
        self.take(peer, actions);
    }
}

/// The figures.
impl World {
    /// Plays the lines of a figure.
    #[track_caller]
    pub(crate) fn play(&mut self, figure: &str) {
        for line in figure.lines().filter(|line| !line.trim().is_empty()) {
            if let Err(problem) = self.play_line(line) {
                panic!("{problem}\n  in the line: {}\n  {self:#?}", line.trim());
            }
        }
    }

    fn play_line(&mut self, line: &str) -> Result<(), String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let segment = words.iter().position(|word| word.starts_with("<SEQ=")).ok_or("a line without a segment")?;
        let (before, after) = (&words[..segment], &words[segment + 1..]);
        let text = words[segment];
        let (left, right) = (before.last().copied().unwrap_or(""), after.first().copied().unwrap_or(""));
        let injected = before.contains(&"(duplicate)");
        match (left, right) {
            ("-->", "-->") => self.departs(A, text).map(|segment| self.arrives(B, segment))?,
            ("<--", "<--") => self.departs(B, text).map(|segment| self.arrives(A, segment))?,
            ("-->", "...") => self.departs(A, text).map(|segment| self.flying.push((A, segment)))?,
            ("...", "<--") => self.departs(B, text).map(|segment| self.flying.push((B, segment)))?,
            ("-->", "X") => drop(self.departs(A, text)?),
            ("X", "<--") => drop(self.departs(B, text)?),
            ("...", "-->") if injected => self.arrives(B, self.parse(A, text)),
            ("<--", "...") if injected => self.arrives(A, self.parse(B, text)),
            ("...", "-->") => self.lands(A, text).map(|segment| self.arrives(B, segment))?,
            ("<--", "...") => self.lands(B, text).map(|segment| self.arrives(A, segment))?,
            _ => return Err(format!("arrows {left} {right}")),
        }
        for (peer, words) in [(A, before), (B, after)] {
            let expected = words.iter().find(|word| State::ALL.iter().any(|state| state.name() == **word));
            let state = self.tcp(peer).connection.state();
            if expected.is_some_and(|name| *name != state.name()) {
                return Err(format!("{peer:?} is in {state}"));
            }
        }
        Ok(())
    }

    /// The next segment that `peer` sends must be this one.
    fn departs(&mut self, peer: Peer, text: &str) -> Result<Segment, String> {
        let segment = self.tcp(peer).outbox.pop_front().ok_or_else(|| format!("{peer:?} sends nothing"))?;
        self.compare(peer, &segment, text)?;
        Ok(segment)
    }

    /// The segment in the network that this is.
    fn lands(&mut self, from: Peer, text: &str) -> Result<Segment, String> {
        let place = self
            .flying
            .iter()
            .position(|(sender, segment)| *sender == from && self.compare(from, segment, text).is_ok());
        place.map(|place| self.flying.remove(place).1).ok_or_else(|| "no such segment is in the network".to_string())
    }

    fn compare(&self, from: Peer, segment: &Segment, text: &str) -> Result<(), String> {
        let expected = self.parse(from, text);
        let flags = if text.contains("PSH") { segment.flags } else { segment.flags - Flags::PSH };
        let same = segment.seq == expected.seq
            && segment.ack == expected.ack
            && segment.payload.len() == expected.payload.len()
            && flags == expected.flags
            && (!text.contains("WIN") || segment.window == expected.window);
        if same {
            return Ok(());
        }
        Err(format!("{from:?} sends {}", self.notation(from, segment)))
    }

    /// Where the numbers of the figures begin, for a segment of `from`.
    fn origin(&self, from: Peer) -> Origin {
        let [seq, ack] = [from, from.other()].map(|peer| SeqNum::new(self.shift[peer as usize]));
        Origin { seq, ack }
    }

    /// A segment of `from` in the notation of the figures, with its window.
    fn notation(&self, from: Peer, segment: &Segment) -> String {
        format!("{}<WIN={}>", notation(segment, self.origin(from)), segment.window)
    }

    /// A segment of `from` out of the notation of the figures.
    fn parse(&self, from: Peer, text: &str) -> Segment {
        parse(text, self.origin(from))
    }
}
