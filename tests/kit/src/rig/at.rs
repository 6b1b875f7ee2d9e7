//! Where a connection is made, and the ways into its states.

use segue::congestion::{Algorithm, Reno};
use segue::{
    Arc, Config, ConfigBuilder, Connection, FastOpen, FastOpenAnswer, Instant, Path, Secrets, Segment, SeqNum, State,
};

use super::{ACK, Rig, SYN};
use crate::plain;

/// Where in the number space, under which policy, and with which peer a connection is made.
#[derive(Clone, Copy, Debug)]
pub struct At {
    pub iss: u32,
    pub irs: u32,
    /// The number of the first octet of either text, as the tests count: behind the SYN, whose number is one less.
    pub first: u32,
    pub ts_offset: u32,
    pub start: Instant,
    pub config: Config,
    pub path: Path,
    /// The window of RFC 5681 instead of CUBIC's.
    pub reno: bool,
    /// The MSS of the peer, and the window of its segments.
    pub mss: u16,
    pub window: u16,
    /// Whether the peer agrees to what the policy offers: timestamps, SACK, window scaling. Else it has no options but the MSS.
    pub agrees: bool,
    /// What happens to the peer's segments on the ways into the states.
    pub say: fn(Segment) -> Segment,
}

/// Text begins at 1, the SYN has 0. [`plain`] with 10,000 octets of receive buffer; the peer's MSS is 1000, its window 60,000.
impl Default for At {
    fn default() -> Self {
        Self {
            iss: 1000,
            irs: 5000,
            first: 1,
            ts_offset: 7000,
            start: Instant::from_millis(10_000),
            config: plain().receive_buffer(10_000).build().expect("valid"),
            path: Path::ipv4(1500),
            reno: false,
            mss: 1000,
            window: 60_000,
            agrees: true,
            say: |segment| segment,
        }
    }
}

impl At {
    /// The same under another policy.
    pub fn with(self, change: impl FnOnce(ConfigBuilder) -> ConfigBuilder) -> Self {
        let config = change(self.config.to_builder()).build().expect("valid");
        Self { config, ..self }
    }

    /// The same with all three options of the handshake.
    pub fn with_options(self) -> Self {
        self.with(|config| config.timestamps(true).sack(true).window_scaling(true))
    }

    pub const fn secrets(self) -> Secrets {
        Secrets { iss: SeqNum::new(self.iss), ts_offset: self.ts_offset }
    }

    fn arc(self) -> Arc<Config> {
        Arc::new(self.config)
    }

    pub fn listen(self) -> Rig {
        Rig::new(self, Connection::listen(self.arc(), self.path, self.secrets()))
    }

    pub fn closed(self) -> Rig {
        let mut rig = self.listen();
        rig.close();
        rig.has_said("Closed(Cancelled)");
        rig
    }

    pub fn connect(self) -> Rig {
        self.connect_with(if self.reno { Algorithm::Reno(Reno::default()) } else { Algorithm::default() })
    }

    pub fn connect_with(self, controller: Algorithm) -> Rig {
        let (config, path, secrets) = (self.arc(), self.path, self.secrets());
        let (connection, actions) = Connection::connect_with(controller, config, path, secrets, self.start);
        let mut rig = Rig::new(self, connection);
        rig.take(actions, 0);
        rig
    }

    pub fn accept(self, syn: Segment) -> Rig {
        let (connection, actions) = Connection::accept(self.arc(), self.path, self.secrets(), syn, self.start);
        let mut rig = Rig::new(self, connection);
        rig.take(actions, 0);
        rig
    }

    /// With Fast Open; the text fits the send buffer.
    pub fn connect_fast_open(self, open: FastOpen) -> Rig {
        let (config, path, secrets) = (self.arc(), self.path, self.secrets());
        let opened = Connection::connect_fast_open(config, path, secrets, open, self.start);
        let (connection, actions) = opened.expect("the text fits the send buffer");
        let mut rig = Rig::new(self, connection);
        rig.take(actions, 0);
        rig
    }

    /// With this answer to the Fast Open option.
    pub fn accept_fast_open(self, syn: Segment, answer: FastOpenAnswer) -> Rig {
        let (config, path, secrets) = (self.arc(), self.path, self.secrets());
        let (connection, actions) = Connection::accept_fast_open(config, path, secrets, syn, answer, self.start);
        let mut rig = Rig::new(self, connection);
        rig.take(actions, 0);
        rig
    }

    /// The peer's SYN.
    pub fn syn(self) -> Segment {
        self.listen().syn(SYN)
    }

    pub fn syn_received(self) -> Rig {
        self.accept((self.say)(self.syn()))
    }

    /// SYN-RECEIVED from LISTEN as a value.
    pub fn syn_received_from_listen(self) -> Rig {
        let mut rig = self.listen();
        rig.hears(rig.syn(SYN), "<SEQ=0><ACK=1><CTL=SYN,ACK>");
        rig
    }

    /// SYN-RECEIVED by a simultaneous open.
    pub fn crossed(self) -> Rig {
        let mut rig = self.connect();
        rig.hears(rig.syn(SYN), "<SEQ=0><ACK=1><CTL=SYN,ACK>");
        rig
    }

    pub fn established(self) -> Rig {
        let mut rig = self.connect();
        rig.hears(rig.syn(SYN | ACK), "Connected; <SEQ=1><ACK=1><CTL=ACK>");
        rig
    }

    pub fn fin_wait_1(self) -> Rig {
        let mut rig = self.established();
        rig.close();
        rig.has_said("<SEQ=1><ACK=1><CTL=FIN,ACK>");
        rig
    }

    pub fn fin_wait_2(self) -> Rig {
        let n = i64::from(self.first);
        let mut rig = self.fin_wait_1();
        rig.hears(rig.ack(n, n + 1), "Flushed");
        rig
    }

    pub fn close_wait(self) -> Rig {
        let n = i64::from(self.first);
        let mut rig = self.established();
        rig.hears(rig.fin(n, n), "PeerClosed; <SEQ=1><ACK=2><CTL=ACK>");
        rig
    }

    pub fn closing(self) -> Rig {
        let n = i64::from(self.first);
        let mut rig = self.fin_wait_1();
        rig.hears(rig.fin(n, n), "PeerClosed; <SEQ=2><ACK=2><CTL=ACK>");
        rig
    }

    pub fn last_ack(self) -> Rig {
        let mut rig = self.close_wait();
        rig.close();
        rig.has_said("<SEQ=1><ACK=2><CTL=FIN,ACK>");
        rig
    }

    pub fn time_wait(self) -> Rig {
        let n = i64::from(self.first);
        let mut rig = self.fin_wait_2();
        rig.hears(rig.fin(n, n + 1), "PeerClosed; <SEQ=2><ACK=2><CTL=ACK>");
        rig
    }

    /// A connection in this state; SYN-RECEIVED comes from `accept`.
    pub fn state(self, state: State) -> Rig {
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
