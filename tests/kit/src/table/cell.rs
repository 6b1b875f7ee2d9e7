//! The dimensions of the table: what a cell is.

use core::fmt;
use core::marker::PhantomData;

use segue::{Flags, State};

/// One dimension: its values, under the names that the text file uses.
pub trait Dimension: Copy + Eq + fmt::Debug + 'static {
    const NAME: &'static str;
    const ALL: &'static [Self];
    fn name(self) -> &'static str;
    /// What the value means, in a line.
    fn meaning(self) -> &'static str;
    fn index(self) -> usize;
}

macro_rules! dimension {
    ($(#[doc = $doc:literal])* $name:ident = $title:literal { $($(#[doc = $vdoc:literal])* $value:ident = $text:literal,)* }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum $name { $($(#[doc = $vdoc])* $value,)* }

        impl Dimension for $name {
            const NAME: &'static str = $title;
            const ALL: &'static [Self] = &[$(Self::$value,)*];
            fn name(self) -> &'static str {
                match self { $(Self::$value => $text,)* }
            }
            fn meaning(self) -> &'static str {
                match self { $(Self::$value => concat!("", $($vdoc,)*).trim_ascii(),)* }
            }
            fn index(self) -> usize {
                self as usize
            }
        }
    };
}

dimension! {
    /// The states, with LISTEN before and after its secrets are used up, SYN-RECEIVED by origin (MUST-11), and Fast Open
    /// (RFC 7413) on both sides.
    St = "state" {
        /// No connection: never opened, or over.
        Closed = "CLOSED",
        /// Waiting for a SYN.
        Listen = "LISTEN",
        /// Back in LISTEN after a reset: an ISS is never used twice, so no SYN is taken until new secrets come.
        ListenSpent = "LISTEN/spent",
        /// Our SYN is out.
        SynSent = "SYN-SENT",
        /// Our SYN is out, with a Fast Open cookie and text.
        SynSentText = "SYN-SENT/text",
        /// Made by `accept`: the host listened and handed over the SYN.
        SynReceivedAccept = "SYN-RECEIVED/accept",
        /// Made by `listen`, then a SYN.
        SynReceivedListen = "SYN-RECEIVED/listen",
        /// Made by `connect`, then a SYN without ACK: simultaneous open. Our SYN had no text.
        SynReceivedCrossed = "SYN-RECEIVED/crossed",
        /// Made by `accept_fast_open` with a valid cookie; the SYN had no text, and nothing of ours followed our SYN,ACK.
        Early = "SYN-RECEIVED/early",
        /// The same; the text of the SYN was delivered, so that RCV.NXT lies behind it, and text of ours followed our SYN,ACK.
        EarlyText = "SYN-RECEIVED/early-text",
        /// Text flows both ways.
        Established = "ESTABLISHED",
        /// We closed; our FIN is not acknowledged, or waits.
        FinWait1 = "FIN-WAIT-1",
        /// We closed, our FIN is acknowledged.
        FinWait2 = "FIN-WAIT-2",
        /// The peer closed.
        CloseWait = "CLOSE-WAIT",
        /// Both closed, we first; our FIN is not acknowledged, or waits.
        Closing = "CLOSING",
        /// Both closed, the peer first; our FIN is not acknowledged.
        LastAck = "LAST-ACK",
        /// Both closed, both FINs are acknowledged.
        TimeWait = "TIME-WAIT",
    }
}

impl St {
    /// The state of the RFC.
    pub fn rfc(self) -> State {
        match self {
            Self::Closed => State::Closed,
            Self::Listen | Self::ListenSpent => State::Listen,
            Self::SynSent | Self::SynSentText => State::SynSent,
            Self::SynReceivedAccept
            | Self::SynReceivedListen
            | Self::SynReceivedCrossed
            | Self::Early
            | Self::EarlyText => State::SynReceived,
            Self::Established => State::Established,
            Self::FinWait1 => State::FinWait1,
            Self::FinWait2 => State::FinWait2,
            Self::CloseWait => State::CloseWait,
            Self::Closing => State::Closing,
            Self::LastAck => State::LastAck,
            Self::TimeWait => State::TimeWait,
        }
    }

    pub fn is_syn_received(self) -> bool {
        self.rfc() == State::SynReceived
    }

    /// SYN-RECEIVED by Fast Open: the user was told before the handshake is complete.
    pub fn is_early(self) -> bool {
        matches!(self, Self::Early | Self::EarlyText)
    }

    /// Whether text of ours left before our SYN is acknowledged.
    pub fn has_early_text(self) -> bool {
        matches!(self, Self::SynSentText | Self::EarlyText)
    }

    pub fn is_synchronized(self) -> bool {
        self.rfc().is_synchronized()
    }
}

dimension! {
    /// Where SEG.SEQ and the segment's end lie, relative to RCV.NXT and RCV.WND.
    Seq = "seq" {
        /// There is no RCV.NXT yet.
        Unknown = "unknown",
        /// SEG.SEQ = RCV.NXT, all of it in the window.
        Exact = "exact",
        /// SEG.SEQ = RCV.NXT, the text runs past the right edge.
        Overrun = "overrun",
        /// After RCV.NXT and in the window; a gap before it.
        Inside = "inside",
        /// Starts before RCV.NXT, ends after it.
        Straddle = "straddle",
        /// SEG.SEQ = RCV.NXT - 1 and at most that one octet: where keep-alives and repeated SYNs and FINs stand.
        Left = "left",
        /// A SYN at IRS with no more text than was delivered with the SYN we have (more than one octet): where it stands when
        /// it comes again. The window may be zero.
        Irs = "irs",
        /// Anything else that ends at or before RCV.NXT.
        Before = "before",
        /// No sequence length, at the right edge: counts as in the window (declared exception: appendix A.2).
        Edge = "edge",
        /// Anything else at or after the right edge.
        After = "after",
        /// The window is zero, SEG.SEQ = RCV.NXT.
        ZeroExact = "zero-exact",
        /// The window is zero, as straddle.
        ZeroStraddle = "zero-straddle",
        /// The window is zero, as left.
        ZeroLeft = "zero-left",
        /// The window is zero, as before.
        ZeroBefore = "zero-before",
        /// The window is zero, SEG.SEQ after RCV.NXT.
        ZeroAfter = "zero-after",
    }
}

impl Seq {
    /// Whether the class speaks of a receive window of zero.
    pub fn is_zero_window(self) -> bool {
        matches!(self, Self::ZeroExact | Self::ZeroStraddle | Self::ZeroLeft | Self::ZeroBefore | Self::ZeroAfter)
    }
}

dimension! {
    /// What SEG.ACK says, relative to SND.UNA and SND.NXT.
    Ack = "ack" {
        /// The ACK bit is off.
        None = "none",
        /// There is no SND.UNA.
        Unknown = "unknown",
        /// Before SND.UNA - MAX.SND.WND, or before the ISS.
        TooOld = "too-old",
        /// Before SND.UNA, not too old.
        Old = "old",
        /// SEG.ACK = SND.UNA.
        Dup = "dup",
        /// Acknowledges our SYN, and nothing of the text that left before its acknowledgment.
        Syn = "syn",
        /// Acknowledges our SYN and a part of that text.
        Part = "part",
        /// Acknowledges our SYN, or all our text in flight, or both, not our FIN.
        New = "new",
        /// Acknowledges our FIN.
        Fin = "fin",
        /// After SND.NXT.
        Beyond = "beyond",
    }
}

dimension! {
    /// What takes sequence numbers; follows from the text and the flags.
    Len = "len" {
        /// Neither text nor SYN nor FIN.
        Empty = "empty",
        /// SYN, FIN or both, no text.
        Bare = "bare",
        /// Text, with SYN or FIN or without.
        Text = "text",
    }
}

dimension! {
    /// CLOSE was called and our FIN has not been sent: it waits behind text, a closed window or the handshake.
    Close = "close" {
        /// Not called, or the FIN is sent.
        No = "no",
        /// It waits, and the window in the segment leaves it waiting.
        Queued = "queued",
        /// It waits, and the window in the segment lets all of it go.
        Freed = "freed",
    }
}

dimension! {
    /// Held text: out of order behind a gap; in SYN-RECEIVED what came on the SYN and was not delivered.
    Held = "held" {
        /// Nothing.
        No = "none",
        /// Text.
        Text = "text",
        /// Text, and the FIN behind it; after Fast Open the FIN alone.
        Fin = "fin",
    }
}

dimension! {
    /// The timestamps option (RFC 7323).
    Ts = "ts" {
        /// Not negotiated, none in the segment.
        Off = "off",
        /// Not negotiated, but the segment has the option.
        Extra = "extra",
        /// Negotiated, SEG.TSval >= TS.Recent (in TIME-WAIT: >).
        Good = "good",
        /// Negotiated, SEG.TSval = TS.Recent: told apart in TIME-WAIT only.
        Equal = "equal",
        /// Negotiated, SEG.TSval < TS.Recent.
        Old = "old",
        /// Negotiated, none in the segment.
        Missing = "missing",
    }
}

/// A set of values of one dimension.
pub struct Set<D> {
    bits: u32,
    dimension: PhantomData<D>,
}

impl<D> Clone for Set<D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D> Copy for Set<D> {}

impl<D: Dimension> Set<D> {
    pub const NONE: Self = Self { bits: 0, dimension: PhantomData };

    pub fn all() -> Self {
        D::ALL.iter().fold(Self::NONE, |set, &value| set.with(value))
    }

    pub fn with(self, value: D) -> Self {
        Self { bits: self.bits | 1 << value.index(), ..self }
    }

    pub fn without(self, value: D) -> Self {
        Self { bits: self.bits & !(1 << value.index()), ..self }
    }

    pub fn complement(self) -> Self {
        Self { bits: Self::all().bits & !self.bits, ..self }
    }

    pub fn union(self, other: Self) -> Self {
        Self { bits: self.bits | other.bits, ..self }
    }

    pub fn has(self, value: D) -> bool {
        self.bits >> value.index() & 1 == 1
    }

    pub fn is_all(self) -> bool {
        self.bits == Self::all().bits
    }

    pub fn values(self) -> impl Iterator<Item = D> {
        D::ALL.iter().copied().filter(move |&value| self.has(value))
    }
}

impl<D: Dimension> fmt::Debug for Set<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values().map(Dimension::name)).finish()
    }
}

/// One cell of the segment table: a connection in some situation, and a kind of segment that arrives.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Cell {
    pub state: St,
    /// The six classic control bits.
    pub flags: u8,
    pub seq: Seq,
    pub ack: Ack,
    pub text: bool,
    pub close: Close,
    pub held: Held,
    pub ts: Ts,
}

impl Cell {
    pub fn has(&self, flag: Flags) -> bool {
        u16::from(self.flags) & flag.bits() != 0
    }

    pub fn len(&self) -> Len {
        if self.text {
            Len::Text
        } else if self.has(Flags::SYN) || self.has(Flags::FIN) {
            Len::Bare
        } else {
            Len::Empty
        }
    }

    /// The flags as a set.
    pub fn flag_set(&self) -> Flags {
        Flags::from_bits_truncate(u16::from(self.flags))
    }

    /// How many numbers [`Cell::from_index`] knows.
    pub fn count() -> usize {
        64 * St::ALL.len() * Seq::ALL.len() * Ack::ALL.len() * 2 * Close::ALL.len() * Held::ALL.len() * Ts::ALL.len()
    }

    /// The cell with this number; `None` where the ACK class contradicts the ACK bit, which makes no cell.
    pub fn from_index(mut index: usize) -> Option<Self> {
        let mut digit = |base: usize| {
            let value = index % base;
            index /= base;
            value
        };
        let flags = u8::try_from(digit(64)).ok()?;
        let ack = Ack::ALL[digit(Ack::ALL.len())];
        let text = digit(2) == 1;
        let seq = Seq::ALL[digit(Seq::ALL.len())];
        let ts = Ts::ALL[digit(Ts::ALL.len())];
        let close = Close::ALL[digit(Close::ALL.len())];
        let held = Held::ALL[digit(Held::ALL.len())];
        let state = St::ALL[digit(St::ALL.len())];
        let cell = Self { state, flags, seq, ack, text, close, held, ts };
        (cell.has(Flags::ACK) == (ack != Ack::None)).then_some(cell)
    }

    /// All cells, those of one connection's situation next to each other.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::count()).filter_map(Self::from_index)
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [", self.state.name())?;
        let mut separator = "";
        for (name, _) in self.flag_set().iter_names() {
            write!(f, "{separator}{name}")?;
            separator = " ";
        }
        write!(
            f,
            "] seq={} ack={} len={} close={} held={} ts={}",
            self.seq.name(),
            self.ack.name(),
            self.len().name(),
            self.close.name(),
            self.held.name(),
            self.ts.name()
        )
    }
}

pub(crate) use dimension;
