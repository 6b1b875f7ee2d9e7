//! A script as a value: what the parser gives.

use crate::call::Call;

/// A script: options, then events.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Script {
    /// `--name=value`, with the line.
    pub options: Vec<(usize, String, Option<String>)>,
    pub events: Vec<Event>,
}

/// One event, with the line it starts on.
#[derive(Clone, PartialEq, Debug)]
pub struct Event {
    pub line: usize,
    pub time: Time,
    pub action: Action,
}

/// When an event is due, in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Time {
    /// `0.100`: since the start.
    Absolute(u64),
    /// `+.1`: since the event before.
    Relative(u64),
    /// `0.1~0.2`.
    AbsoluteRange(u64, u64),
    /// `+0~+.05`.
    RelativeRange(u64, u64),
    /// `*`: at any time.
    Any,
}

/// What happens, or is expected.
#[derive(Clone, PartialEq, Debug)]
pub enum Action {
    /// `<`: a packet arrives.
    Inbound(Packet),
    /// `>`: a packet is expected to leave.
    Outbound(Packet),
    /// `< icmp`: an ICMP error arrives.
    Icmp(Icmp),
    /// A socket call with its expected result; `...0.2` tells when it returns.
    Call { call: Call, ends: Option<u64> },
    /// A line in backquotes: settings of the stack.
    Command(String),
    /// `%{ }%`: assertions.
    Code(String),
}

/// A TCP packet in the numbers of the script.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Packet {
    /// Source and destination port; none: those of the connection under test.
    pub ports: Option<(u16, u16)>,
    pub tos: Tos,
    pub flags: Flags,
    pub seq: u32,
    /// Octets of payload.
    pub len: u16,
    /// The acknowledgment number; 0 where the script names none.
    pub ack: u32,
    /// The window field; none: 0 on what arrives, not checked on what leaves.
    pub window: Option<u16>,
    pub urgent: u16,
    /// It arrives with a wrong checksum; not in packetdrill's language.
    pub bad_checksum: bool,
    /// The options in their order; none: `<...>`, not checked.
    pub options: Option<Vec<TcpOption>>,
}

/// What a script says of the traffic class.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Tos {
    /// Nothing: not checked, and 0 on what arrives.
    #[default]
    Unchecked,
    /// `[noecn]`, `[ect0]`, `[ect1]`, `[ce]`: the two bits.
    Ecn(u8),
    /// `[ect01]`: either of ECT(0) and ECT(1).
    Ect,
    /// `[tos 0x..]`: all eight bits.
    All(u8),
}

/// The control bits, as they stand in the header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Flags(pub u16);

impl Flags {
    pub const FIN: Self = Self(1);
    pub const SYN: Self = Self(2);
    pub const RST: Self = Self(4);
    pub const PSH: Self = Self(8);
    pub const ACK: Self = Self(0x10);
    pub const URG: Self = Self(0x20);
    pub const CWR: Self = Self(0x80);
    /// The letter of each bit.
    pub const LETTERS: [(u16, char); 9] =
        [(1, 'F'), (2, 'S'), (4, 'R'), (8, 'P'), (0x20, 'U'), (0x40, 'E'), (0x80, 'W'), (0x100, 'A'), (0x10, '.')];

    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// A TCP option.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TcpOption {
    Nop,
    Eol,
    Mss(u16),
    WindowScale(u8),
    SackOk,
    Sack(Vec<(u32, u32)>),
    Timestamps {
        value: u32,
        echo: u32,
    },
    /// The user timeout (RFC 5482), the field as it stands: not in packetdrill's language.
    UserTimeout(u16),
    FastOpen(Vec<u8>),
    /// AccECN (RFC 9768): whether the fields begin with that of ECT(1), which makes the kind 174, and the fields.
    AccEcn(bool, Vec<u32>),
    /// Octets as they are, kind and length among them.
    Raw(Vec<u8>),
}

/// An ICMP error in the names of packetdrill.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Icmp {
    pub kind: String,
    pub code: Option<String>,
    pub mtu: Option<u32>,
    /// The sequence number and length of the packet that it quotes.
    pub quoted: Option<(u32, u16)>,
}
