//! The words of an alphabet.
//!
//! A segment is its control bits, with `DATA` for eight octets of text: `SYN`, `ACK`, `DATA`, `FIN,ACK` (`FIN` and `DATA`
//! without SYN have ACK as well, unless `NOACK` is written), `RST`. Then may follow where it differs from what the peer would send:
//! `@` for SEG.SEQ, `^` for SEG.ACK, `~` for the timestamp.

use std::fmt;
use std::str::FromStr;

use segue::Flags;

/// SEG.SEQ, as the peer's own numbers go.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Place {
    /// The peer's SND.NXT; a SYN has the initial number.
    Usual,
    /// The peer's SND.NXT, for a SYN, too.
    Next,
    /// One before it.
    Left,
    /// Before all that the peer sends now.
    Old,
    /// Eight octets after it.
    Gap,
    /// Far outside every window.
    Far,
}

/// SEG.ACK, as the numbers of the subject go.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Acked {
    /// All that the subject sent.
    All,
    /// Its initial number: not even its SYN.
    Iss,
    /// Its SYN alone.
    Syn,
    /// All but its FIN.
    Text,
    /// One more than it sent.
    Beyond,
}

/// The timestamp option, where it was agreed on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Stamp {
    Usual,
    /// Older than every one before.
    Old,
    Missing,
}

/// A kind of segment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Kind {
    pub flags: Flags,
    pub data: bool,
    pub place: Place,
    pub acked: Acked,
    pub stamp: Stamp,
}

/// A user call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Call {
    /// OPEN, active.
    Connect,
    /// OPEN, passive.
    Listen,
    /// OPEN, passive, with the SYN at hand.
    Accept,
    /// New secrets for a connection that is back in LISTEN.
    Rearm,
    /// Five octets; left out while text is not acknowledged.
    Send,
    Close,
    Release,
    Abort,
}

/// The next deadline comes, if it is this one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Due {
    Retransmission,
    KeepAlive,
    FinWait2,
    TimeWait,
    /// All deadlines, until the user timeout has ended the connection.
    UserTimeout,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Word {
    Segment(Kind),
    Call(Call),
    Due(Due),
}

const CALLS: [(&str, Call); 8] = [
    ("CONNECT", Call::Connect),
    ("LISTEN", Call::Listen),
    ("ACCEPT", Call::Accept),
    ("REARM", Call::Rearm),
    ("SEND", Call::Send),
    ("CLOSE", Call::Close),
    ("RELEASE", Call::Release),
    ("ABORT", Call::Abort),
];
const DUES: [(&str, Due); 5] = [
    ("RTO", Due::Retransmission),
    ("KEEP-ALIVE", Due::KeepAlive),
    ("FIN-WAIT-2", Due::FinWait2),
    ("2MSL", Due::TimeWait),
    ("PATIENCE", Due::UserTimeout),
];
const PLACES: [(&str, Place); 6] = [
    ("", Place::Usual),
    ("next", Place::Next),
    ("left", Place::Left),
    ("old", Place::Old),
    ("gap", Place::Gap),
    ("far", Place::Far),
];
const ACKS: [(&str, Acked); 5] =
    [("", Acked::All), ("iss", Acked::Iss), ("syn", Acked::Syn), ("text", Acked::Text), ("beyond", Acked::Beyond)];
const STAMPS: [(&str, Stamp); 3] = [("", Stamp::Usual), ("old", Stamp::Old), ("missing", Stamp::Missing)];

/// The empty name is for a mark that is not written.
fn named<T: Copy>(all: &[(&str, T)], name: &str) -> Option<T> {
    all.iter().find(|(known, _)| !name.is_empty() && *known == name).map(|(_, value)| *value)
}

fn name_of<T: Copy + PartialEq>(all: &[(&'static str, T)], value: T) -> &'static str {
    all.iter().find(|(_, known)| *known == value).map_or("?", |(name, _)| name)
}

impl FromStr for Word {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(call) = named(&CALLS, text) {
            return Ok(Self::Call(call));
        }
        if let Some(due) = named(&DUES, text) {
            return Ok(Self::Due(due));
        }
        let wrong = || format!("`{text}` is no word");
        let (bits, rest) = text.split_at(text.find(['@', '^', '~']).unwrap_or(text.len()));
        let mut kind =
            Kind { flags: Flags::empty(), data: false, place: Place::Usual, acked: Acked::All, stamp: Stamp::Usual };
        let mut acks = true;
        for bit in bits.split(',') {
            match bit {
                "DATA" => kind.data = true,
                "NOACK" => acks = false,
                _ => kind.flags |= Flags::from_name(bit).ok_or_else(wrong)?,
            }
        }
        if acks && implies_ack(&kind) {
            kind.flags |= Flags::ACK;
        }
        for part in parts(rest) {
            match part.split_at(1) {
                ("@", name) => kind.place = named(&PLACES, name).ok_or_else(wrong)?,
                ("^", name) => kind.acked = named(&ACKS, name).ok_or_else(wrong)?,
                (_, name) => kind.stamp = named(&STAMPS, name).ok_or_else(wrong)?,
            }
        }
        Ok(Self::Segment(kind))
    }
}

fn implies_ack(kind: &Kind) -> bool {
    !kind.flags.contains(Flags::SYN) && (kind.data || kind.flags.contains(Flags::FIN))
}

/// `@gap^syn` is `@gap` and `^syn`.
fn parts(rest: &str) -> Vec<&str> {
    let starts: Vec<usize> = rest.match_indices(['@', '^', '~']).map(|(at, _)| at).collect();
    let ends = starts.iter().copied().skip(1).chain([rest.len()]);
    starts.iter().copied().zip(ends).map(|(from, to)| &rest[from..to]).collect()
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bits: Vec<&str> = Vec::new();
        if self.data {
            bits.push("DATA");
        }
        let implied = implies_ack(self);
        let names = [Flags::SYN, Flags::RST, Flags::FIN, Flags::URG, Flags::ACK];
        let named = names.iter().filter(|flag| self.flags.contains(**flag)).flat_map(Flags::iter_names);
        bits.extend(named.map(|(name, _)| name).filter(|name| *name != "ACK" || !implied));
        if implied && !self.flags.contains(Flags::ACK) {
            bits.push("NOACK");
        }
        f.write_str(&bits.join(","))?;
        let marks = [
            ('@', name_of(&PLACES, self.place)),
            ('^', name_of(&ACKS, self.acked)),
            ('~', name_of(&STAMPS, self.stamp)),
        ];
        marks.iter().filter(|(_, name)| !name.is_empty()).try_for_each(|(mark, name)| write!(f, "{mark}{name}"))
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Segment(kind) => kind.fmt(f),
            Self::Call(call) => f.write_str(name_of(&CALLS, call)),
            Self::Due(due) => f.write_str(name_of(&DUES, due)),
        }
    }
}

/// Words with spaces between them.
pub fn words(text: &str) -> Result<Vec<Word>, String> {
    text.split_whitespace().map(str::parse).collect()
}

/// The words with spaces between them.
pub fn text(words: &[Word]) -> String {
    words.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
