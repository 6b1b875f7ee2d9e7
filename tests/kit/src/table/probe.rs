//! The segment of a cell: numbers, text and options that put it in its classes, relative to a fixture.

use bytes::Bytes;
use segue::{Flags, Segment, SeqNum, State};

use super::cell::{Ack, Cell, Close, Held, Seq, St, Ts};
use super::fixture::{Fixture, HELD, PEER_WINDOW, text_at};

/// Octets of text where nothing asks for more.
const TEXT: u32 = 4;
/// How far ahead of RCV.NXT the urgent pointer points.
pub const URGENT_AHEAD: u32 = 30;

/// The segment; `None` if no segment belongs to the cell.
pub fn segment(cell: &Cell, fixture: &Fixture) -> Option<Segment> {
    let geometry = Geometry { cell, fixture };
    let (seq, len) = geometry.place()?;
    let flags = cell.flag_set();
    let text_from = seq + u32::from(flags.contains(Flags::SYN));
    Some(Segment {
        seq,
        ack: geometry.ack()?,
        flags,
        window: geometry.window(),
        urgent: if flags.contains(Flags::URG) { geometry.urgent(seq) } else { 0 },
        options: fixture.options(geometry.timestamp()?).into(),
        payload: if len == 0 { Bytes::new() } else { text_at(fixture.irs(), text_from, len) },
        ..Segment::default()
    })
}

struct Geometry<'a> {
    cell: &'a Cell,
    fixture: &'a Fixture,
}

impl Geometry<'_> {
    /// One of the distances that are all the same to the class.
    fn distance(&self) -> u32 {
        [0, 3, 1000, 1 << 20, 1 << 30][self.fixture.world.choice as usize / 4 % 5]
    }

    /// SEG.SEQ and the octets of text.
    fn place(&self) -> Option<(SeqNum, u32)> {
        let Self { cell, fixture } = self;
        let next = fixture.info.rcv_nxt;
        let window = fixture.info.rcv_wnd;
        let known = cell.state.is_syn_received() || cell.state.is_synchronized();
        let any_window = cell.seq == Seq::Irs;
        if known == (cell.seq == Seq::Unknown)
            || known && !any_window && (window == 0) != cell.seq.is_zero_window()
            || self.contradicts_fin()
        {
            return None;
        }
        let (syn, fin) = (u32::from(cell.has(Flags::SYN)), u32::from(cell.has(Flags::FIN)));
        let text = if cell.text { TEXT } else { 0 };
        let len = syn + text + fin;
        match cell.seq {
            Seq::Unknown => Some((fixture.irs(), text)),
            Seq::Exact => Some((next, self.reach() - if cell.text { syn } else { 0 })),
            Seq::Overrun => cell.text.then(|| (next, window + TEXT - syn)),
            Seq::Irs => (syn == 1 && cell.state == St::EarlyText).then(|| (fixture.irs(), text)),
            Seq::Inside => Some(self.inside()),
            Seq::Straddle | Seq::ZeroStraddle => self.straddle(),
            Seq::Left | Seq::ZeroLeft => {
                let text = u32::from(cell.text);
                (syn + text + fin <= 1).then_some((next - 1, text))
            }
            Seq::Before | Seq::ZeroBefore => Some((next - self.before(len), text)),
            Seq::Edge => (len == 0).then_some((next + window, 0)),
            Seq::After | Seq::ZeroAfter => {
                let first = if window == 0 || len == 0 { 1 } else { 0 };
                Some((next + window + first + self.distance(), text))
            }
            Seq::ZeroExact => Some((next, text)),
        }
    }

    /// Whether text or a FIN would stand behind the FIN that came with the SYN: after Fast Open, that is at RCV.NXT.
    fn contradicts_fin(&self) -> bool {
        let Self { cell, fixture } = self;
        let ends = fixture.setup.held == Held::Fin && cell.state.is_early();
        ends && match cell.seq {
            Seq::Inside => cell.text || cell.has(Flags::FIN),
            Seq::Exact | Seq::Overrun => cell.text,
            Seq::Straddle => cell.text && (!cell.has(Flags::FIN) || cell.has(Flags::SYN) && cell.state == St::Early),
            _ => false,
        }
    }

    /// How far beyond RCV.NXT text that begins there goes: up to the gap's end, or, with FIN, to the end of all that is
    /// held, so that the FIN stands where the stream ends.
    fn reach(&self) -> u32 {
        let Self { cell, fixture } = self;
        let (fin, nothing_held) = (cell.has(Flags::FIN), fixture.setup.held == Held::No);
        match (cell.text, nothing_held, cell.state.is_syn_received()) {
            (false, _, _) => 0,
            (true, true, _) => TEXT,
            (true, false, true) if cell.state.is_early() => 0,
            (true, false, true) => {
                if fin {
                    HELD
                } else {
                    TEXT
                }
            }
            (true, false, false) => {
                if fin {
                    2 * HELD
                } else {
                    HELD
                }
            }
        }
    }

    fn inside(&self) -> (SeqNum, u32) {
        let Self { cell, fixture } = self;
        let next = fixture.info.rcv_nxt;
        if fixture.setup.held == Held::Fin && cell.state.is_early() {
            return (next + 1, 0);
        }
        let stream_end = if cell.state.is_syn_received() { HELD } else { 2 * HELD };
        let (offset, len) = match (fixture.setup.held, cell.has(Flags::FIN), cell.text) {
            (Held::No | Held::Text, _, text) => (stream_end + TEXT, if text { TEXT } else { 0 }),
            (Held::Fin, true, true) => (2, stream_end - 2),
            (Held::Fin, true, false) => (stream_end, 0),
            (Held::Fin, false, text) => (2, if text { TEXT } else { 0 }),
        };
        (next + offset, len)
    }

    fn straddle(&self) -> Option<(SeqNum, u32)> {
        let Self { cell, fixture } = self;
        let (syn, fin) = (u32::from(cell.has(Flags::SYN)), u32::from(cell.has(Flags::FIN)));
        // In SYN-RECEIVED what lies before RCV.NXT is IRS alone, where no text of the SYN was delivered.
        let before = if (cell.state.is_syn_received() && cell.state != St::EarlyText) || !cell.text { 1 } else { 3 };
        if !cell.text && syn + fin < 2 {
            return None;
        }
        let text = if cell.text { before + self.reach() - syn } else { 0 };
        Some((fixture.info.rcv_nxt - before, text))
    }

    /// How far before RCV.NXT the segment begins. With FIN and text it ends there: the peer's FIN again.
    fn before(&self, len: u32) -> u32 {
        let ends_at_next = self.cell.has(Flags::FIN) && len > 1;
        if ends_at_next { len } else { len + 5 + self.distance() }
    }

    fn ack(&self) -> Option<SeqNum> {
        let Self { cell, fixture } = self;
        let (una, next) = (fixture.info.snd_una, fixture.info.snd_nxt);
        let sends = !matches!(cell.state, St::Closed | St::Listen | St::ListenSpent);
        if sends == (cell.ack == Ack::Unknown) && cell.ack != Ack::None {
            return None;
        }
        let fin_out = matches!(cell.state, St::FinWait1 | St::Closing | St::LastAck) && !fixture.setup.queued;
        let max_window = if cell.state.rfc() == State::SynSent { 0 } else { u32::from(PEER_WINDOW) };
        match cell.ack {
            Ack::None | Ack::Unknown => Some(SeqNum::new(fixture.world.choice)),
            Ack::TooOld => Some(una - max_window - 1 - self.distance()),
            Ack::Old => (max_window > 0).then(|| una - 1 - self.distance().min(max_window - 1)),
            Ack::Dup => Some(una),
            Ack::Syn => cell.state.has_early_text().then_some(una + 1),
            Ack::Part => cell.state.has_early_text().then(|| una + 2 + fixture.world.choice % (next - una - 2)),
            Ack::New => {
                let text_end = if fin_out { next - 1 } else { next };
                text_end.after(una).then_some(text_end)
            }
            Ack::Fin => fin_out.then_some(next),
            Ack::Beyond => Some(next + 1 + self.distance()),
        }
    }

    /// SEG.WND: keeps the right edge where it is, or lets all that is queued go.
    fn window(&self) -> u16 {
        let Self { cell, fixture } = self;
        if cell.state.is_syn_received() {
            let in_flight = match cell.ack {
                Ack::Syn | Ack::Part => self.ack().map_or(0, |ack| fixture.info.snd_nxt - ack),
                _ => 0,
            };
            return if cell.close == Close::Queued { u16::try_from(in_flight).unwrap_or(0) } else { PEER_WINDOW };
        }
        let kept = if cell.close != Close::No && cell.ack == Ack::New { 0 } else { PEER_WINDOW };
        debug_assert!(fixture.setup.queued == (cell.close != Close::No));
        if cell.close == Close::Freed { kept + 100 } else { kept }
    }

    fn urgent(&self, seq: SeqNum) -> u16 {
        let target = if self.cell.seq == Seq::Unknown { seq + 1 } else { self.fixture.info.rcv_nxt } + URGENT_AHEAD;
        u16::try_from(target.saturating_since(seq)).ok().filter(|&up| up > 0).unwrap_or(5)
    }

    /// The timestamp value; the outer `None` if the class asks for what the fixture lacks.
    fn timestamp(&self) -> Option<Option<u32>> {
        let Self { cell, fixture } = self;
        let base = fixture.world.ts_base;
        let later = base.wrapping_add(7);
        let earlier = base.wrapping_sub([1, 1000, 0x7FFF_FFFF][fixture.world.choice as usize % 3]);
        match (cell.ts, fixture.setup.timestamps) {
            (Ts::Off, false) | (Ts::Missing, true) => Some(None),
            (Ts::Extra, false) => Some(Some(later)),
            (Ts::Good, true) => {
                let equal_too = cell.state != St::TimeWait && fixture.world.choice & 1 == 1;
                Some(Some(if equal_too { base } else { later }))
            }
            (Ts::Equal, true) => (cell.state == St::TimeWait).then_some(Some(base)),
            (Ts::Old, true) => Some(Some(earlier)),
            _ => None,
        }
    }
}
