//! A peer of hand-written segments for a [`Rig`]. Numbers are those of the streams: octet 0 of each side's text is the
//! one after its SYN, and both streams wrap around 2³² within their first octets.

use bytes::Bytes;
use segue::{
    ConfigBuilder, FastOpen, FastOpenAnswer, Flags, Instant, Options, Path, Secrets, Segment, SeqNum, State, Timestamps,
};

use crate::notation::Origin;
use crate::rig::{At, Rig};

pub const ISS: SeqNum = SeqNum::new(u32::MAX - 2);
pub const IRS: SeqNum = SeqNum::new((1 << 31) - 3);
pub const SECRETS: Secrets = Secrets { iss: ISS, ts_offset: 0 };

/// The number of octet `n` of our text.
pub fn ours(n: u32) -> SeqNum {
    ISS + 1 + n
}

/// The number of octet `n` of the peer's text.
pub fn theirs(n: u32) -> SeqNum {
    IRS + 1 + n
}

pub fn text(len: usize) -> Bytes {
    (0..len).map(|i| (i % 251) as u8).collect()
}

/// A bare ACK of the peer's at octet `seq` of its text, for our text before octet `ack`.
pub fn peer(seq: u32, ack: u32) -> Segment {
    Segment { seq: theirs(seq), ack: ours(ack), flags: Flags::ACK, window: 65535, ..Segment::default() }
}

/// `len` octets of the peer's text.
pub fn peer_text(seq: u32, len: usize, ack: u32) -> Segment {
    Segment { payload: text(len), ..peer(seq, ack) }
}

/// The peer's segment with these control bits.
pub fn peer_ctl(flags: Flags, seq: u32, ack: u32) -> Segment {
    Segment { flags, ..peer(seq, ack) }
}

/// The peer's SYN.
pub fn peer_syn() -> Segment {
    let options = Options { mss: Some(1460), ..Options::default() };
    Segment { seq: IRS, flags: Flags::SYN, window: 65535, options: options.into(), ..Segment::default() }
}

/// The peer's SYN,ACK.
pub fn peer_syn_ack() -> Segment {
    Segment { ack: ours(0), flags: Flags::SYN | Flags::ACK, ..peer_syn() }
}

/// The segment with a timestamps option.
pub fn stamped(segment: Segment, value: u32, echo: u32) -> Segment {
    let options = Options { timestamps: Some(Timestamps { value, echo }), ..segment.options.get() };
    Segment { options: options.into(), ..segment }
}

impl At {
    /// The peer of this file, and this policy.
    fn streams(config: ConfigBuilder) -> Self {
        Self {
            iss: ISS.value(),
            irs: IRS.value(),
            first: 0,
            ts_offset: SECRETS.ts_offset,
            start: Instant::from_millis(5000),
            config: config.build().expect("valid"),
            mss: 1460,
            window: 65_535,
            agrees: false,
            ..Self::default()
        }
    }
}

impl Rig {
    /// LISTEN.
    pub fn listen(config: ConfigBuilder) -> Self {
        At::streams(config).listen()
    }

    /// SYN-RECEIVED: a SYN that `accept` took.
    pub fn accept(config: ConfigBuilder, path: Path, syn: Segment) -> Self {
        At { path, ..At::streams(config) }.accept(syn)
    }

    /// SYN-SENT.
    pub fn connect(config: ConfigBuilder, path: Path) -> Self {
        At { path, ..At::streams(config) }.connect()
    }

    /// SYN-SENT with Fast Open.
    pub fn connect_fast_open(config: ConfigBuilder, path: Path, open: FastOpen) -> Self {
        At { path, ..At::streams(config) }.connect_fast_open(open)
    }

    /// SYN-RECEIVED: a SYN that `accept_fast_open` took.
    pub fn accept_fast_open(config: ConfigBuilder, path: Path, syn: Segment, answer: FastOpenAnswer) -> Self {
        At { path, ..At::streams(config) }.accept_fast_open(syn, answer)
    }

    /// SYN-SENT with the window of RFC 5681.
    pub fn connect_with_reno(config: ConfigBuilder) -> Self {
        At { reno: true, ..At::streams(config) }.connect()
    }

    /// ESTABLISHED by an active OPEN; nothing but the SYNs has a number.
    pub fn established(config: ConfigBuilder) -> Self {
        At::streams(config).established()
    }

    /// The same with the window of RFC 5681 instead of CUBIC's.
    pub fn established_with_reno(config: ConfigBuilder) -> Self {
        At { reno: true, ..At::streams(config) }.established()
    }

    /// A connection in this state, in which both sides have sent and acknowledged all they could.
    pub fn in_state(state: State, config: ConfigBuilder) -> Self {
        At::streams(config).state(state)
    }

    /// The same, and the peer says everything in this way.
    pub fn in_state_with(state: State, config: ConfigBuilder, say: fn(Segment) -> Segment) -> Self {
        At { say, ..At::streams(config) }.state(state)
    }

    /// The peer's bare ACK of everything, in turn.
    pub fn in_turn(&self) -> Segment {
        let info = self.info();
        Segment { seq: info.rcv_nxt, ack: info.snd_nxt, flags: Flags::ACK, window: 65535, ..Segment::default() }
    }
}

/// One of our segments in the notation of the RFC, with the numbers of the streams.
pub fn notation(segment: &Segment) -> String {
    crate::notation::notation(segment, Origin { seq: ours(0), ack: theirs(0) })
}
