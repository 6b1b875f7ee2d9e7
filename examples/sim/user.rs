//! What the user of an end does, and how its host passes on what arrives.

use bytes::{Bytes, BytesMut};
use segue::{Flags, Segment};
use segue_kit::Rng;

use super::link::Nanos;

/// Octets of the text that repeats for ever. A prime number: no power of two hides a shift.
const PERIOD: usize = 65_521;

/// The text all flows send: [`PERIOD`] octets again and again, all pieces of one allocation.
#[derive(Clone, Debug)]
pub struct Text(Bytes);

impl Text {
    pub fn new() -> Self {
        let mut rng = Rng::new(1);
        Self((0..PERIOD).map(|_| rng.next() as u8).collect())
    }

    /// The text at `offset`: `len` octets, or more than a period of it up to the end of the period.
    pub fn at(&self, offset: u64, len: u64) -> Bytes {
        let start = (offset % PERIOD as u64) as usize;
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if len <= PERIOD && start + len > PERIOD {
            return [&self.0[start..], &self.0[..start + len - PERIOD]].concat().into(); // one call, as a user would
        }
        self.0.slice(start..PERIOD.min(start.saturating_add(len)))
    }

    /// Whether a piece begins and ends as the text at `offset`: a shifted or repeated piece would not.
    pub fn is_at(&self, offset: u64, piece: &[u8]) -> bool {
        let octet = |at: u64| self.0[(at % PERIOD as u64) as usize];
        let n = piece.len().min(8);
        let head = piece[..n].iter().zip(offset..).all(|(have, at)| *have == octet(at));
        let tail = piece.len() - n;
        head && piece[tail..].iter().zip(offset + tail as u64..).all(|(have, at)| *have == octet(at))
    }
}

/// What the user does after the last octet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    Close,
    /// Nothing: the connection stays open.
    Stay,
}

/// What the user sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Writer {
    /// Nothing.
    Silent,
    /// It always has more to send.
    Greedy,
    /// It sends so much.
    Sends { octets: u64, ending: Ending },
    /// It sends a request, waits for the whole response, pauses, and begins again.
    Asks { request: u64, response: u64, pause: Nanos, count: u32 },
    /// It sends `octets` at a time, `count` times, and then very much more.
    Trickles { octets: u64, every: Nanos, count: u32, bulk: u64 },
    /// It sends a response to each whole request.
    Answers { request: u64, response: u64 },
}

impl Writer {
    /// Octets that it may have sent when its turn has come `asked` times and `received` octets have arrived.
    pub fn allowed(self, asked: u64, received: u64) -> u64 {
        match self {
            Self::Silent => 0,
            Self::Greedy => u64::MAX,
            Self::Sends { octets, .. } => octets,
            Self::Asks { request, .. } => asked * request,
            Self::Trickles { octets, count, bulk, .. } => {
                asked.min(u64::from(count)) * octets + if asked > u64::from(count) { bulk } else { 0 }
            }
            Self::Answers { request, response } => received / request * response,
        }
    }
}

/// When the user takes what was delivered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reader {
    /// After the event that delivered it.
    AtOnce,
    /// At the multiples of this.
    Every(Nanos),
}

/// When and how the host passes on what arrives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Intake {
    /// At once, segment by segment.
    AtOnce,
    /// At the multiples of this, segment by segment; then the user reads.
    Batches(Nanos),
    /// At the multiples of this, segments that continue each other as one (GRO).
    Coalesced(Nanos),
}

impl Intake {
    pub const fn period(self) -> Option<Nanos> {
        match self {
            Self::AtOnce => None,
            Self::Batches(period) | Self::Coalesced(period) => Some(period),
        }
    }
}

/// Octets of text that the host puts together.
const MOST: usize = 65_000;

/// Segments that continue each other and differ in nothing else become one, with the size of the first: the last may be
/// smaller, and it may push.
pub fn coalesce(segments: impl IntoIterator<Item = Segment>) -> Vec<Segment> {
    let mut whole: Vec<Segment> = Vec::new();
    let mut parts: Vec<Bytes> = Vec::new();
    for segment in segments {
        match whole.last_mut() {
            Some(last) if continues(last, &parts, &segment) => {
                last.flags |= segment.flags;
                parts.push(segment.payload);
            }
            _ => {
                join(whole.last_mut(), &mut parts);
                parts = vec![segment.payload.clone()];
                whole.push(segment);
            }
        }
    }
    join(whole.last_mut(), &mut parts);
    whole
}

fn continues(first: &Segment, parts: &[Bytes], next: &Segment) -> bool {
    let size = first.payload.len();
    let all = parts.iter().map(Bytes::len).sum::<usize>();
    let plain = |segment: &Segment| segment.flags - Flags::PSH == Flags::ACK;
    size > 0
        && (1..=size).contains(&next.payload.len())
        && parts.last().is_some_and(|last| last.len() == size)
        && !first.flags.contains(Flags::PSH)
        && plain(first)
        && plain(next)
        && all + next.payload.len() <= MOST
        && next.seq == first.seq + u32::try_from(all).unwrap_or(u32::MAX)
        && (first.ack, first.window, &first.options, first.ecn) == (next.ack, next.window, &next.options, next.ecn)
}

fn join(first: Option<&mut Segment>, parts: &mut Vec<Bytes>) {
    let Some(first) = first.filter(|_| parts.len() > 1) else { return };
    first.segment_size = u16::try_from(first.payload.len()).unwrap_or(u16::MAX);
    let mut payload = BytesMut::with_capacity(parts.iter().map(Bytes::len).sum());
    parts.drain(..).for_each(|part| payload.extend_from_slice(&part));
    first.payload = payload.freeze();
}
