//! What happens in a cell: the words of the right-hand columns.

use core::fmt;

use segue::{CloseReason, Discard, Error, State};

use super::cell::{Dimension, dimension};

dimension! {
    /// The reply.
    Reply = "reply" {
        /// Nothing.
        Nothing = "none",
        /// Nothing now; an ACK is owed and the delayed-ACK timer runs.
        Delayed = "delayed",
        /// `<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>`, always.
        Ack = "ack",
        /// The same, but throttled: not sent when the allowance is used up.
        Challenge = "challenge",
        /// `<SEQ=SEG.ACK><CTL=RST>`
        Rst = "rst",
        /// `<SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>`
        RstAck = "rst-ack",
        /// `<SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>`, without text
        SynAck = "syn-ack",
        /// The same once more, throttled as a challenge.
        SynAckAgain = "syn-ack-again",
        /// The queued text, if any, with FIN and ACK.
        Fin = "fin",
        /// `<SEQ=ISS><CTL=SYN>`, in OPEN with text with the cookie and the text
        Syn = "syn",
        /// The text given, with ACK.
        Text = "text",
        /// The text given, with ACK, URG and the pointer behind the text.
        UrgentText = "urgent-text",
        /// `<SEQ=SND.NXT><CTL=RST>`, with or without ACK
        Reset = "reset",
        /// What starts at SND.UNA, again; a SYN or a SYN,ACK goes again without text.
        Again = "again",
        /// The next octet of text, or the FIN, into the closed window.
        Probe = "probe",
        /// `<SEQ=SND.NXT-1><ACK=RCV.NXT><CTL=ACK>`
        KeepAlive = "keep-alive",
        /// Anything else.
        Odd = "odd",
    }
}

dimension! {
    /// What the user gets.
    Delivered = "delivered" {
        /// Nothing.
        Nothing = "none",
        /// The text of the segment that lies in the window.
        Text = "text",
        /// What was held.
        Held = "held",
        /// Both.
        All = "all",
        /// Anything else.
        Odd = "odd",
    }
}

dimension! {
    /// What the user, or the host, is told.
    Signal = "signal" {
        /// The connection is established.
        Connected = "connected",
        /// Urgent text is announced: if the segment has URG.
        Urgent = "urgent",
        /// The peer's FIN: no more text will come.
        PeerClosed = "peer-closed",
        /// More of our text is acknowledged; follows from the ack column.
        Acked = "acked",
        /// All our text, and our FIN, is acknowledged; follows from the ack column.
        Flushed = "flushed",
        /// There is room again after a SEND that was refused.
        Writable = "writable",
        /// The value waits for new secrets.
        ReturnedToListen = "returned-to-listen",
        /// The host may accept this SYN as the next incarnation.
        Successor = "successor",
        /// No action: the time-wait timer starts again.
        Restart = "restart",
        /// Where Fast Open has told `connected` before: the handshake is complete.
        Confirmed = "confirmed",
        /// The peer did not take the text on our SYN, or did not answer it.
        Refused = "fast-open-refused",
        /// Something else the user may want to know.
        Report = "report",
    }
}

/// All reasons a row can name.
const DISCARDS: [Discard; 21] = [
    Discard::NoConnection,
    Discard::NotSyn,
    Discard::AckInListen,
    Discard::NotArmed,
    Discard::SynFin,
    Discard::BadHandshakeAck,
    Discard::BlindReset,
    Discard::OutOfWindow,
    Discard::Duplicate,
    Discard::ZeroWindow,
    Discard::ResetOutOfWindow,
    Discard::ResetChallenged,
    Discard::SynChallenged,
    Discard::SynRepeated,
    Discard::NoAck,
    Discard::AckOutOfRange,
    Discard::Paws,
    Discard::MissingTimestamp,
    Discard::AfterFin,
    Discard::ReassemblyFull,
    Discard::TimeWait,
];

const CLOSES: [CloseReason; 11] = [
    CloseReason::Finished,
    CloseReason::Cancelled,
    CloseReason::Refused,
    CloseReason::Reset,
    CloseReason::Aborted,
    CloseReason::Unread,
    CloseReason::ConnectTimeout,
    CloseReason::UserTimeout,
    CloseReason::KeepAliveTimeout,
    CloseReason::FinWait2Timeout,
    CloseReason::NotSyn,
];

const ERRORS: [Error; 5] =
    [Error::NotConnected, Error::RemoteUnspecified, Error::Closing, Error::NoRoom { room: 0 }, Error::NotWaiting];

/// `OutOfWindow` is `out-of-window` in the file; what a variant carries is left out.
fn kebab(value: impl fmt::Debug) -> String {
    let mut out = String::new();
    for c in format!("{value:?}").chars().take_while(char::is_ascii_alphanumeric) {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

pub fn discard_named(name: &str) -> Option<Discard> {
    DISCARDS.into_iter().find(|&d| kebab(d) == name)
}

pub fn close_named(name: &str) -> Option<CloseReason> {
    CLOSES.into_iter().find(|&c| kebab(c) == name)
}

pub fn error_named(name: &str) -> Option<Error> {
    ERRORS.into_iter().find(|&e| kebab(e) == name)
}

/// A set of [`Signal`]s.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Signals(u16);

impl Signals {
    pub fn with(self, signal: Signal) -> Self {
        Self(self.0 | 1 << signal.index())
    }

    pub fn without(self, signal: Signal) -> Self {
        Self(self.0 & !(1 << signal.index()))
    }

    pub fn has(self, signal: Signal) -> bool {
        self.0 >> signal.index() & 1 == 1
    }
}

/// What happens in a cell: as a row says it, as the table works it out for a cell, or as a connection did it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Outcome {
    pub reply: Reply,
    /// `None`: the state stays.
    pub next: Option<State>,
    /// SEG.ACK and SEG.WND are used as the fifth step says.
    pub takes_ack: bool,
    pub delivered: Delivered,
    pub signals: Signals,
    pub discarded: Option<Discard>,
    pub closed: Option<CloseReason>,
    pub error: Option<Error>,
}

impl Outcome {
    pub const NOTHING: Self = Self {
        reply: Reply::Nothing,
        next: None,
        takes_ack: false,
        delivered: Delivered::Nothing,
        signals: Signals(0),
        discarded: None,
        closed: None,
        error: None,
    };

    /// The words of the signal column.
    pub fn signalled(&self) -> String {
        let mut words: Vec<String> = Vec::new();
        words.extend(Signal::ALL.iter().filter(|&&s| self.signals.has(s)).map(|s| s.name().to_owned()));
        words.extend(self.discarded.map(|d| format!("discarded({})", kebab(d))));
        words.extend(self.closed.map(|c| format!("closed({})", kebab(c))));
        if words.is_empty() { "-".to_owned() } else { words.join(", ") }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}reply {}, next {}, ack {}, delivered {}, signalled {}",
            self.error.map_or_else(String::new, |e| format!("error {}, ", kebab(e))),
            self.reply.name(),
            self.next.map_or("=", State::name),
            if self.takes_ack { "taken" } else { "-" },
            self.delivered.name(),
            self.signalled()
        )
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
