//! Events that no honest peer and no usual user cause.

use std::time::Duration;

use bytes::Bytes;
use segue::{Ecn, Event, Flags, IcmpKind, Info, Knob, Options, SackBlock, Secrets, Segment, SeqNum, Timer, Timestamps};
use segue_kit::Rng;

use crate::controllers::Kind;
use crate::world::{World, low};

/// A number at or about one of these.
fn near(rng: &mut Rng, places: &[SeqNum], spread: u32) -> SeqNum {
    let at = rng.pick(places);
    match rng.below(8) {
        0 => at + 1,
        1 => at - 1,
        2 => at + rng.below(spread),
        3 => at - rng.below(spread),
        _ => at,
    }
}

/// ACK, and seldom any other combination.
fn flags(rng: &mut Rng, usual: bool) -> Flags {
    let mut flags = Flags::ACK;
    if rng.chance(300) {
        flags |= Flags::PSH;
    }
    if usual {
        return flags;
    }
    if rng.chance(300) {
        flags = Flags::from_bits_truncate(flags.bits() ^ (1 << rng.below(9)));
    }
    if rng.chance(100) {
        flags |= Flags::ECE;
    }
    if rng.chance(900) {
        flags.remove(Flags::RST | Flags::SYN | Flags::FIN); // they end most runs
    }
    flags
}

/// About those of the last segment.
fn timestamps(rng: &mut Rng, last: Option<Timestamps>) -> Option<Timestamps> {
    let agreed = last.map(|last| Timestamps {
        value: last.value.wrapping_add(rng.pick(&[0, 0, 0, 1, 10, u32::MAX, 1 << 31, 100_000])),
        echo: last.echo.wrapping_add(rng.pick(&[0, 0, 0, 1, 10, u32::MAX, 1 << 31])),
    });
    if !rng.chance(50) {
        return agreed;
    }
    agreed.is_none().then(|| Timestamps { value: low(rng.next()), echo: low(rng.next()) })
}

fn sack(rng: &mut Rng, info: &Info, mss: u32, options: &mut Options) {
    for _ in 0..=rng.below(4) {
        let left = info.snd_una + rng.below(info.flight + 1);
        let left = if rng.chance(200) { left - rng.below(3000) } else { left };
        options.sack.push(SackBlock { left, right: left + rng.below(3 * mss) });
    }
}

impl<K: Kind> World<'_, K> {
    /// A segment of a peer that may mean harm: nearly the expected one, or one that came before.
    pub(crate) fn forge(&mut self, side: usize) -> Segment {
        let (rng, side) = (&mut self.rng, &self.sides[side]);
        if !side.seen.is_empty() && rng.chance(150) {
            return side.seen[rng.below(side.seen.len() as u32) as usize].clone();
        }
        let info = side.full.info();
        let usual = rng.chance(300);
        let mss = u32::from(info.eff_snd_mss.max(1));
        let (middle, edge) = (info.snd_una + rng.below(info.flight.max(1)), info.rcv_nxt + info.rcv_wnd);
        let next = info.snd_una + mss.min(info.flight);
        let (seq, ack) = if usual {
            (info.rcv_nxt, rng.pick(&[info.snd_una, info.snd_nxt, next]))
        } else {
            let seq = near(rng, &[info.rcv_nxt, info.rcv_nxt, info.rcv_nxt, edge], 3000);
            (seq, near(rng, &[info.snd_una, info.snd_nxt, next, middle], 100_000))
        };
        let flags = flags(rng, usual);
        let last = side.seen.last();
        let timestamps = timestamps(rng, last.and_then(|last| last.options.timestamps()));
        let mut options = Options { timestamps, ..Options::default() };
        if !usual && rng.chance(150) {
            sack(rng, &info, mss, &mut options);
        }
        if !usual && rng.chance(50) {
            options.user_timeout = Some(low(rng.next()) as u16);
        }
        let usual_window = last.map_or(1000, |last| last.window);
        let any = low(rng.next()) as u16;
        let most = info.rcv_wnd.min(70_000);
        let len = rng.pick(&[1, mss, most, most + 1, any.into(), 0, 0, 0]);
        Segment {
            seq,
            ack,
            flags,
            window: rng.pick(&[0, 1, any, u16::MAX, mss as u16, usual_window, usual_window, usual_window]),
            urgent: if flags.contains(Flags::URG) { any % 5000 } else { 0 },
            options: options.into(),
            ecn: rng.pick(&[Ecn::NotEct, Ecn::NotEct, Ecn::Ect0, Ecn::Ect1, Ecn::Ce]),
            segment_size: if rng.chance(100) { rng.pick(&[1, 100, 1448, u16::MAX]) } else { 0 },
            payload: Bytes::from(vec![0x5A; len as usize]),
        }
    }

    /// What happens seldom.
    pub(crate) fn odd(&mut self, side: usize) -> Event {
        let (rng, info) = (&mut self.rng, self.sides[side].full.info());
        let micros = Duration::from_micros(rng.next() >> (rng.below(50) + 14));
        match rng.below(12) {
            0 => Event::Set(Knob::Nagle(rng.chance(500))),
            1 => Event::Set(Knob::Cork(rng.chance(400))),
            2 => Event::Set(Knob::KeepAlive(rng.chance(500))),
            3 => Event::Set(Knob::KeepAliveIdle(micros)),
            4 => Event::Set(Knob::UserTimeout(rng.chance(800).then_some(micros))),
            5 => Event::Mtu(rng.pick(&[68, 100, 576, 1280, 1400, 1499, 1500, 1501, 9000, 65_535])),
            6 | 7 => Event::Icmp {
                kind: rng.pick(&[
                    IcmpKind::PacketTooBig,
                    IcmpKind::PacketTooBig,
                    IcmpKind::PacketTooBig,
                    IcmpKind::Unreachable,
                    IcmpKind::SourceQuench,
                    IcmpKind::PortUnreachable,
                ]),
                quoted_seq: near(rng, &[info.snd_una, info.snd_nxt], info.flight + 1),
                mtu: rng.pick(&[0, 68, 296, 576, 1280, 1400, 1492, 1499]),
            },
            8 => Event::Timer(rng.pick(&Timer::ALL)),
            9 => Event::Continue,
            10 => Event::SendUrgent(Bytes::from(vec![1; rng.below(100) as usize])),
            _ => Event::Rearm(Secrets { iss: SeqNum::new(low(rng.next())), ts_offset: 0 }),
        }
    }
}
