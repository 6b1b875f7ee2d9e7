//! Many segments for a few octets of input: what a peer does that means harm. Slivers of text in any order, windows
//! that open octet by octet, acknowledgments in slivers, duplicates with and without reports.

use segue::{Event, Flags, Options, SackBlock, Segment, SeqNum};

use super::Reader;
use super::watched::Watched;

/// The most segments of one campaign.
const MOST: u32 = 64;

pub(super) fn perform(kind: u8, input: &mut Reader<'_>, watched: &mut Watched) {
    let times = 1 + u32::from(input.u8()) % MOST;
    let size = u32::from(input.u8());
    match kind & 7 {
        0 => comb(watched, times, size, false),
        1 => comb(watched, times, size, true),
        2 => text(watched, times, size, u32::from(input.u16())),
        3 => windows(watched, times, size, input.u16()),
        4 => slivers(watched, times, size.max(1), input.u16()),
        5 => duplicates(watched, times, None),
        6 => duplicates(watched, times, Some((u32::from(input.u16()), size.max(1)))),
        _ => {
            let (seq, ack) = (u32::from(input.u16()), u32::from(input.u16()));
            for _ in 0..times {
                let info = watched.info();
                bare(watched, info.rcv_nxt - seq + size, info.snd_nxt - ack, 1000, None);
            }
        }
    }
}

/// Every other octet of a block that begins `gap` after the expected octet, then those between.
fn comb(watched: &mut Watched, teeth: u32, gap: u32, back: bool) {
    let first = watched.info().rcv_nxt + gap + 1;
    for tooth in 0..teeth {
        one_text(watched, first + 2 * tooth + 1, 1);
    }
    for tooth in 0..teeth {
        one_text(watched, first + 2 * if back { teeth - 1 - tooth } else { tooth }, 1);
    }
}

fn text(watched: &mut Watched, times: u32, length: u32, stride: u32) {
    let first = watched.info().rcv_nxt;
    for i in 1..=times {
        one_text(watched, first + i * stride, u16::try_from(length).unwrap_or(u16::MAX));
    }
}

/// The window grows from `first` by `step` each time.
fn windows(watched: &mut Watched, times: u32, step: u32, first: u16) {
    for i in 0..times {
        let (info, window) = (watched.info(), u32::from(first) + i * step);
        bare(watched, info.rcv_nxt, info.snd_una, u16::try_from(window).unwrap_or(u16::MAX), None);
    }
}

fn slivers(watched: &mut Watched, times: u32, octets: u32, window: u16) {
    for _ in 0..times {
        let info = watched.info();
        bare(watched, info.rcv_nxt, (info.snd_una + octets).min(info.snd_nxt), window, None);
    }
}

fn duplicates(watched: &mut Watched, times: u32, block: Option<(u32, u32)>) {
    for i in 0..times {
        let info = watched.info();
        let block = block.map(|(offset, length)| {
            let left = info.snd_una + offset + i * length;
            SackBlock { left, right: left + length }
        });
        bare(watched, info.rcv_nxt, info.snd_una, u16::MAX, block);
    }
}

fn one_text(watched: &mut Watched, seq: SeqNum, length: u16) {
    let payload = watched.peer_text(seq, length);
    arrives(watched, Segment { seq, ack: watched.info().snd_nxt, window: u16::MAX, payload, ..Segment::default() });
}

fn bare(watched: &mut Watched, seq: SeqNum, ack: SeqNum, window: u16, block: Option<SackBlock>) {
    let mut options = Options::default();
    if let Some(block) = block {
        options.sack.push(block);
    }
    arrives(watched, Segment { seq, ack, window, options: options.into(), ..Segment::default() });
}

fn arrives(watched: &mut Watched, segment: Segment) {
    let timestamps = watched.uses_timestamps().then(|| watched.good_timestamps());
    let options = Options { timestamps, ..segment.options.get() };
    watched.may(Event::Segment(Segment { flags: Flags::ACK, options: options.into(), ..segment }));
}
