//! The alphabet of the steps, and a writer for it: named seeds are scripts.

use segue::Flags;

use super::setup::{Setup, Start};

/// Makes an enum whose variants are the choices of one field of an octet.
macro_rules! choices {
    ($(#[$doc:meta])* $name:ident: $($(#[$choice:meta])* $variant:ident),+) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub enum $name { $($(#[$choice])* $variant),+ }

        impl $name {
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The choice that these bits make.
            pub(super) fn of(bits: u8) -> Self {
                Self::ALL[usize::from(bits) % Self::ALL.len()]
            }
        }
    };
}

choices! {
    /// What a sequence number is counted from.
    Seq:
    /// RCV.NXT.
    Next,
    /// The right edge of our window: RCV.NXT + RCV.WND.
    Edge,
    /// IRS.
    Irs,
    /// RCV.NXT + 2³¹.
    Opposite,
    /// The end of the last segment that the peer sent.
    AfterLast,
    /// SND.WL1.
    Wl1,
    /// The start of the last segment that the peer sent.
    Last,
    /// A number of its own.
    Raw
}

choices! {
    /// What an acknowledgment number is counted from.
    Ack:
    /// SND.NXT.
    Nxt,
    /// SND.UNA.
    Una,
    /// ISS.
    Iss,
    /// SND.UNA + 2³¹.
    Opposite,
    /// SND.UNA − 65535: the oldest that RFC 5961 §5 takes without window scaling.
    Oldest,
    /// The right edge of the peer's window.
    Edge,
    /// SND.WL2.
    Wl2,
    /// A number of its own.
    Raw
}

choices! {
    /// Which timestamps a segment carries.
    Ts:
    /// The peer's clock and our last TSval, if timestamps are in use.
    Good,
    /// None.
    Missing,
    /// From long before.
    Old,
    /// Numbers of their own.
    Raw
}

choices! {
    /// How much time passes before a step.
    Gap:
    /// None.
    Zero,
    /// 1 ms.
    Ms1,
    /// 10 ms.
    Ms10,
    /// 50 ms.
    Ms50,
    /// 300 ms.
    Ms300,
    /// 1 s.
    S1,
    /// 3 s.
    S3,
    /// 60 s.
    S60,
    /// Until the next deadline.
    Deadline,
    /// Until 1 µs before the next deadline.
    BeforeDeadline,
    /// 1 µs.
    Us1,
    /// The clock goes back by 1 s.
    Back,
    /// 25 days: more than half the timestamp clock.
    Days25,
    /// 100 years.
    Years100,
    /// To the end of time.
    End,
    /// Microseconds of its own.
    Raw
}

/// The kinds of steps, in the low four bits of a step's first octet; the gap is in the high four.
pub mod op {
    /// 0 to 6: one segment.
    pub const LAST_SEGMENT: u8 = 6;
    /// Several segments in one `handle_segments`.
    pub const BATCH: u8 = 7;
    /// The next deadline is reached, its timer fires.
    pub const NEXT_TIMER: u8 = 8;
    /// SEND.
    pub const SEND: u8 = 9;
    /// The user takes text.
    pub const CONSUME: u8 = 10;
    /// Any timer, due or not.
    pub const ANY_TIMER: u8 = 11;
    /// CLOSE, release, ABORT, continue.
    pub const CALL: u8 = 12;
    /// A setting.
    pub const SET: u8 = 13;
    /// The path: MTU and ICMP.
    pub const PATH: u8 = 14;
    /// SEND with URGENT, new secrets, an arbitrary event.
    pub const OTHER: u8 = 15;
}

/// What numbers are offset by: the neighbours of the border, and the sizes that matter. The last one means two octets of its own.
pub(crate) const DELTAS: [i64; 32] = [
    0,
    1,
    2,
    -1,
    -2,
    3,
    10,
    100,
    536,
    1447,
    1448,
    1449,
    1460,
    2896,
    4344,
    14_480,
    -10,
    -100,
    -1448,
    -2896,
    65_535,
    65_536,
    -65_535,
    -65_536,
    262_143,
    262_144,
    -262_144,
    2999,
    3000,
    1 << 30,
    -(1 << 30),
    RAW_DELTA,
];
pub(super) const RAW_DELTA: i64 = i64::MAX;

/// Lengths of text: these, then one MSS, two, and two octets of its own.
pub(super) const LENGTHS: [u16; 5] = [0, 1, 2, 10, 100];
pub(super) const LENGTH_MSS: u8 = 5;
pub(super) const LENGTH_2_MSS: u8 = 6;

/// The third part of a segment's description. The default is a bare ACK with an open window.
#[derive(Clone, Copy, Default, Debug)]
pub struct Shape {
    /// An index into the lengths 0, 1, 2, 10, 100, MSS, 2 MSS.
    pub length: u8,
    /// 0: window 65535, 1: window 0.
    pub window: u8,
    /// Which timestamps, as `Ts`.
    pub ts: u8,
    /// The octet of extras and what it asks for.
    pub with: Option<With>,
}

/// The rare parts of a segment.
#[derive(Clone, Copy, Default, Debug)]
pub struct With {
    /// The bits: SACK blocks (three), MSS, window scale, SACK-permitted, GRO, the rest.
    pub bits: u8,
    /// The octets that the bits call for.
    pub octets: &'static [u8],
}

/// Writes an input.
#[derive(Clone, Debug)]
pub struct Script(Vec<u8>);

impl Script {
    /// From this state, with the numbers at these indexes (0: 0, 1: 1, 2: 2³¹ − 1, 3: 2³¹, 4: 2³² − 1, 7: any).
    pub fn new(start: Start, iss: u8, irs: u8) -> Self {
        Self(Setup::octets(start, iss, irs).to_vec())
    }

    /// The peer's options: two bits MSS, two bits window scale, then no SACK, no timestamps; 0: all.
    pub fn peer(mut self, options: u8) -> Self {
        self.0[2] = options;
        self
    }

    /// The configuration: an index, and bit 4 for IPv6.
    pub fn config(mut self, choice: u8) -> Self {
        self.0[3] = choice;
        self
    }

    /// The octets.
    pub fn octets(&self) -> &[u8] {
        &self.0
    }

    fn step(mut self, gap: Gap, op: u8, octets: &[u8]) -> Self {
        self.0.push((gap as u8) << 4 | op);
        self.0.extend_from_slice(octets);
        self
    }

    /// A segment arrives.
    pub fn segment(self, flags: Flags, seq: (Seq, i64), ack: (Ack, i64), shape: Shape) -> Self {
        self.segment_after(Gap::Zero, flags, seq, ack, shape)
    }

    /// A segment arrives after a while.
    pub fn segment_after(self, gap: Gap, flags: Flags, seq: (Seq, i64), ack: (Ack, i64), shape: Shape) -> Self {
        let bits = u8::try_from((flags ^ Flags::ACK).bits()).expect("AE has no place here");
        let form = shape.length | shape.window << 3 | shape.ts << 5 | u8::from(shape.with.is_some()) << 7;
        let mut script =
            self.step(gap, 0, &[bits, seq.0 as u8 | delta(seq.1) << 3, ack.0 as u8 | delta(ack.1) << 3, form]);
        if flags.contains(Flags::URG) {
            script.0.extend_from_slice(&[0, 1]);
        }
        if let Some(with) = shape.with {
            script.0.push(with.bits);
            script.0.extend_from_slice(with.octets);
        }
        script
    }

    /// The next deadline is reached.
    pub fn next_timer(self) -> Self {
        self.step(Gap::Zero, op::NEXT_TIMER, &[])
    }

    /// SEND of this many octets.
    pub fn send(self, octets: u16) -> Self {
        self.step(Gap::Zero, op::SEND, &octets.to_be_bytes())
    }

    /// The user takes this many octets.
    pub fn consume(self, octets: u16) -> Self {
        self.step(Gap::Zero, op::CONSUME, &octets.to_be_bytes())
    }

    /// CLOSE.
    pub fn close(self) -> Self {
        self.step(Gap::Zero, op::CALL, &[0])
    }

    /// The user is gone.
    pub fn release(self) -> Self {
        self.step(Gap::Zero, op::CALL, &[1])
    }

    /// ABORT.
    pub fn abort(self) -> Self {
        self.step(Gap::Zero, op::CALL, &[3])
    }

    /// A step given as octets.
    pub fn raw(self, gap: Gap, op: u8, octets: &[u8]) -> Self {
        self.step(gap, op, octets)
    }
}

fn delta(wanted: i64) -> u8 {
    let index = DELTAS.iter().position(|&d| d == wanted).expect("an offset of the table");
    u8::try_from(index).expect("32 offsets")
}
