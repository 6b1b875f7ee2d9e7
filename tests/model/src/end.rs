//! One end: a connection, its user, and what they are hashed to; a segment under way.

use std::cell::Cell;
use std::hash::{BuildHasher, Hash, Hasher};
use std::rc::Rc;

use bytes::Bytes;
use foldhash::quality::FixedState;
use segue::{CloseReason, Connection, Info, Instant, Path, Secrets, Segment, SeqNum, State, Timer};

use crate::setting::Setting;

pub(crate) const PATH: Path = Path::ipv4(1500);

/// The ISS of each connection of an end. Text wraps around 2³² at A and around 2³¹ at B.
pub(crate) fn iss(side: usize, incarnation: u8) -> SeqNum {
    SeqNum::new([u32::MAX - 1, (1 << 31) - 2][side]) + (u32::from(incarnation) << 24)
}

/// An octet of the text that an end sends.
pub(crate) fn octet(side: usize, incarnation: u8, offset: u16) -> u8 {
    let [low, high] = offset.to_be_bytes();
    [b'a', b'A'][side].wrapping_add(high ^ low).wrapping_add(incarnation.wrapping_mul(53))
}

pub(crate) fn text(side: usize, incarnation: u8, offset: u16, len: u16) -> Bytes {
    (offset..offset + len).map(|at| octet(side, incarnation, at)).collect()
}

/// What a user has done and seen, on one connection of an end.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct User {
    /// The connections of an end count from 0; each has an ISS and a text of its own.
    pub(crate) incarnation: u8,
    /// Connections that the host may still accept, and open.
    pub(crate) accepts: u8,
    pub(crate) opens: u8,
    /// Pieces of its script that it sent, and the octets of them.
    pub(crate) pieces: u8,
    pub(crate) sent: u16,
    pub(crate) received: u16,
    pub(crate) unread: u16,
    pub(crate) connected: bool,
    /// It called CLOSE or RELEASE.
    pub(crate) closed: bool,
    pub(crate) peer_closed: bool,
    pub(crate) over: Option<CloseReason>,
    /// It was in TIME-WAIT until the deadline of it.
    pub(crate) waited: bool,
    /// `ReturnedToListen` and `MorePending`, until it acts on them.
    pub(crate) returned: bool,
    pub(crate) cut: bool,
    /// This connection may end otherwise than by two FINs: somebody aborted, was gone, or lost its memory.
    pub(crate) excused: bool,
}

impl User {
    /// The user of the next connection at this end.
    pub(crate) fn next(self) -> Self {
        let Self { incarnation, accepts, opens, .. } = self;
        Self { incarnation: incarnation + 1, accepts, opens, ..Self::default() }
    }
}

/// The RFC's variables after the last event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbers {
    pub(crate) state: State,
    pub(crate) una: SeqNum,
    pub(crate) nxt: SeqNum,
    pub(crate) wnd: u32,
    pub(crate) wl: (SeqNum, SeqNum),
    pub(crate) irs: SeqNum,
    pub(crate) rcv_nxt: SeqNum,
    pub(crate) rcv_wnd: u32,
    pub(crate) held: usize,
    pub(crate) challenge_acks: u64,
}

impl Numbers {
    pub(crate) fn of(connection: &Connection) -> Self {
        let info: Info = connection.info();
        Self {
            state: info.state,
            una: info.snd_una,
            nxt: info.snd_nxt,
            wnd: info.snd_wnd,
            wl: (info.snd_wl1, info.snd_wl2),
            irs: info.irs,
            rcv_nxt: info.rcv_nxt,
            rcv_wnd: info.rcv_wnd,
            held: info.held,
            challenge_acks: info.counters.challenge_acks,
        }
    }

    /// SYN-RECEIVED and after: both SYNs are known.
    pub(crate) fn is_live(&self) -> bool {
        !matches!(self.state, State::Closed | State::Listen | State::SynSent)
    }
}

/// One end: the connection, its user, and its number in the states that were seen.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) connection: Connection,
    pub(crate) user: User,
    pub(crate) numbers: Numbers,
    /// The peer's first TSval: `canonical` counts TS.Recent from it.
    pub(crate) first_stamp: Option<u32>,
    pub(crate) hashed: Cell<Option<(Instant, u64)>>,
}

impl End {
    pub(crate) fn new(connection: Connection, user: User) -> Self {
        let numbers = Numbers::of(&connection);
        Self { connection, user, numbers, first_stamp: None, hashed: Cell::new(None) }
    }

    /// Whether a timer of it is due.
    pub(crate) fn has_due(&self, now: Instant) -> bool {
        self.connection.next_deadline().is_some_and(|(_, at)| at <= now)
    }

    /// Whether it is in TIME-WAIT and has waited for 2 MSL.
    pub(crate) fn has_waited(&self, now: Instant) -> bool {
        self.numbers.state == State::TimeWait && self.connection.deadline(Timer::TimeWait).is_some_and(|at| at <= now)
    }

    /// The hash of all that matters for the future of this end. Numbers stand for themselves, since `canonical` does not
    /// tell which SYN of the peer this connection answers.
    pub(crate) fn hash(&self, setting: &Setting, now: Instant) -> u64 {
        if let Some((_, hash)) = self.hashed.get().filter(|(at, _)| *at == now) {
            return hash;
        }
        let mut hasher = FixedState::default().build_hasher();
        if setting.whole {
            (&self.connection, now).hash(&mut hasher);
        } else {
            self.connection.canonical(now).hash(&mut hasher);
        }
        (&self.user, self.numbers.irs, self.first_stamp.map(|first| first.wrapping_sub(clock(now)))).hash(&mut hasher);
        let hash = hasher.finish();
        self.hashed.set(Some((now, hash)));
        hash
    }
}

/// What the clock of timestamps shows, at both ends.
pub(crate) fn clock(now: Instant) -> u32 {
    u32::try_from((now.as_micros() / 1000) & 0xFFFF_FFFF).unwrap_or(0)
}

/// A segment under way, and the hash of it without its timestamps: these count from now.
#[derive(Clone, Debug)]
pub(crate) struct Flight {
    pub(crate) segment: Rc<Segment>,
    hash: u64,
}

impl Flight {
    pub(crate) fn new(mut segment: Segment) -> Self {
        let whole = segment.clone();
        if whole.options.timestamps().is_some() {
            segment.options.update(|options| options.timestamps = None);
        }
        let hash = FixedState::default().hash_one(&segment);
        Self { segment: Rc::new(whole), hash }
    }

    pub(crate) fn hash(&self, now: Instant, hasher: &mut impl Hasher) {
        self.hash.hash(hasher);
        if let Some(stamps) = self.segment.options.timestamps() {
            (clock(now).wrapping_sub(stamps.value), clock(now).wrapping_sub(stamps.echo)).hash(hasher);
        }
    }
}

/// An end without a connection.
pub(crate) fn closed(setting: &Setting, side: usize, now: Instant) -> Connection {
    let secrets = Secrets { iss: SeqNum::new(0), ts_offset: 0 };
    Connection::accept(setting.configs[side].clone(), PATH, secrets, Segment::default(), now).0
}
