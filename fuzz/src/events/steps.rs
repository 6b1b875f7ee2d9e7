//! One step: a gap of time, then an event.

use core::time::Duration;

use arbitrary::{Arbitrary as _, Unstructured};
use bytes::Bytes;
use segue::{
    Ecn, Event, FastOpenCookie, Flags, IcmpKind, Info, Knob, Options, SackBlock, Secrets, Segment, SeqNum, Timer,
    Timestamps,
};

use super::Reader;
use super::campaign;
use super::script::{Ack, DELTAS, Gap, LENGTH_2_MSS, LENGTH_MSS, LENGTHS, RAW_DELTA, Seq, Ts, op};
use super::watched::Watched;

pub(super) fn perform(input: &mut Reader<'_>, watched: &mut Watched) {
    let first = input.u8();
    pass_time(Gap::of(first >> 4), input, watched);
    match first & 0x0F {
        0..=op::LAST_SEGMENT => {
            let segment = segment(input, watched);
            watched.may(Event::Segment(segment));
        }
        op::BATCH => {
            let count = 2 + input.u8() % 4;
            let segments = (0..count).map(|_| segment(input, watched)).collect();
            watched.batch(segments);
        }
        op::NEXT_TIMER => watched.fire_next(),
        op::SEND => watched.send(input.u16(), Event::Send),
        op::CONSUME => watched.may(Event::Consume(usize::from(input.u16()))),
        op::ANY_TIMER => watched.may(Event::Timer(Timer::ALL[usize::from(input.u8()) % Timer::ALL.len()])),
        op::CALL => watched.may(match input.u8() & 7 {
            0 | 4 => Event::Close,
            1 | 5 => Event::Release,
            3 => Event::Abort,
            _ => Event::Continue,
        }),
        op::SET => watched.may(Event::Set(knob(input))),
        op::PATH => {
            let event = path(input, &watched.info());
            watched.may(event);
        }
        op::OTHER.. => other(input, watched),
    }
}

fn pass_time(gap: Gap, input: &mut Reader<'_>, watched: &mut Watched) {
    let wait = match gap {
        Gap::Zero => Duration::ZERO,
        Gap::Us1 => Duration::from_micros(1),
        Gap::Ms1 => Duration::from_millis(1),
        Gap::Ms10 => Duration::from_millis(10),
        Gap::Ms50 => Duration::from_millis(50),
        Gap::Ms300 => Duration::from_millis(300),
        Gap::S1 => Duration::from_secs(1),
        Gap::S3 => Duration::from_secs(3),
        Gap::S60 => Duration::from_secs(60),
        Gap::Days25 => Duration::from_secs(25 * 86_400),
        Gap::Years100 => Duration::from_secs(36_525 * 86_400),
        Gap::End => Duration::MAX,
        Gap::Raw => Duration::from_micros(u64::from(input.u32())),
        Gap::Deadline => watched.until_deadline(),
        Gap::BeforeDeadline => watched.until_deadline().saturating_sub(Duration::from_micros(1)),
        Gap::Back => return watched.turn_back(Duration::from_secs(1)),
    };
    watched.wait(wait);
}

/// A segment whose numbers lie near the connection's.
fn segment(input: &mut Reader<'_>, watched: &mut Watched) -> Segment {
    let info = watched.info();
    let mut flags = Flags::from_bits_truncate(u16::from(input.u8())) ^ Flags::ACK;
    let seq = seq(input, &info, watched);
    let ack = ack(input, &info);
    let form = input.u8();
    let length = match form & 7 {
        LENGTH_MSS => info.eff_snd_mss,
        LENGTH_2_MSS => info.eff_snd_mss.saturating_mul(2),
        index => LENGTHS.get(usize::from(index)).copied().unwrap_or_else(|| input.u16()),
    };
    let window = match form >> 3 & 3 {
        0 => u16::MAX,
        1 => 0,
        2 => u16::from(input.u8()),
        _ => input.u16(),
    };
    let urgent = if flags.contains(Flags::URG) { input.u16() } else { 0 };
    let mut options =
        Options { timestamps: timestamps(Ts::of(form >> 5 & 3), flags, input, watched), ..Options::default() };
    if flags.contains(Flags::SYN) {
        options = Options { timestamps: options.timestamps, ..watched.peer };
    }
    let (mut ecn, mut segment_size) = (Ecn::NotEct, 0);
    if form & 0x80 != 0 {
        let bits = input.u8();
        extras(bits, &mut options, &info, input);
        if bits & 0x40 != 0 {
            segment_size = [info.eff_snd_mss, 1, 536, u16::MAX][usize::from(input.u8() & 3)];
        }
        if bits & 0x80 != 0 {
            let more = input.u8();
            ecn = Ecn::from_bits(more);
            flags.set(Flags::AE, more & 4 != 0);
            options.user_timeout = (more & 8 != 0).then(|| input.u16());
            options.fast_open = if more & 16 != 0 { FastOpenCookie::new(&[7; 8]) } else { None };
        }
    }
    let payload = watched.peer_text(seq + u32::from(flags.contains(Flags::SYN)), length);
    let segment = Segment { seq, ack, flags, window, urgent, options: options.into(), ecn, segment_size, payload };
    watched.last = (segment.seq, segment.end());
    segment
}

fn seq(input: &mut Reader<'_>, info: &Info, watched: &Watched) -> SeqNum {
    let choice = input.u8();
    let base = match Seq::of(choice & 7) {
        // Before the peer's SYN, its first segment is the SYN.
        Seq::Next if info.rcv_nxt == SeqNum::new(0) && info.irs == SeqNum::new(0) => watched.irs,
        Seq::Next => info.rcv_nxt,
        Seq::Edge => info.rcv_nxt + info.rcv_wnd,
        Seq::Irs => watched.irs,
        Seq::Opposite => info.rcv_nxt + 0x8000_0000,
        Seq::AfterLast => watched.last.1,
        Seq::Wl1 => info.snd_wl1,
        Seq::Last => watched.last.0,
        Seq::Raw => SeqNum::new(input.u32()),
    };
    offset(base, choice >> 3, input)
}

fn ack(input: &mut Reader<'_>, info: &Info) -> SeqNum {
    let choice = input.u8();
    let base = match Ack::of(choice & 7) {
        Ack::Nxt => info.snd_nxt,
        Ack::Una => info.snd_una,
        Ack::Iss => info.iss,
        Ack::Opposite => info.snd_una + 0x8000_0000,
        Ack::Oldest => info.snd_una - 65_535,
        Ack::Edge => info.snd_una + info.snd_wnd,
        Ack::Wl2 => info.snd_wl2,
        Ack::Raw => SeqNum::new(input.u32()),
    };
    offset(base, choice >> 3, input)
}

fn offset(base: SeqNum, index: u8, input: &mut Reader<'_>) -> SeqNum {
    let delta = match DELTAS[usize::from(index & 31)] {
        RAW_DELTA => i64::from(i16::from_be_bytes(input.u16().to_be_bytes())),
        delta => delta,
    };
    let magnitude = u32::try_from(delta.unsigned_abs()).expect("less than 2^31");
    if delta < 0 { base - magnitude } else { base + magnitude }
}

fn timestamps(choice: Ts, flags: Flags, input: &mut Reader<'_>, watched: &Watched) -> Option<Timestamps> {
    match choice {
        Ts::Good if watched.uses_timestamps() || flags.contains(Flags::SYN) && watched.peer.timestamps.is_some() => {
            Some(watched.good_timestamps())
        }
        Ts::Good | Ts::Missing => None,
        Ts::Old => Some(Timestamps { value: watched.good_timestamps().value.wrapping_sub(100_000), echo: 0 }),
        Ts::Raw => Some(Timestamps { value: input.u32(), echo: input.u32() }),
    }
}

fn extras(bits: u8, options: &mut Options, info: &Info, input: &mut Reader<'_>) {
    for _ in 0..(bits & 7) {
        let left = offset(info.snd_una, input.u8(), input);
        let right = offset(left, input.u8(), input);
        options.sack.push(SackBlock { left, right });
    }
    if bits & 8 != 0 {
        options.mss = Some(input.u16());
    }
    if bits & 0x10 != 0 {
        options.window_scale = Some(input.u8());
    }
    options.sack_permitted |= bits & 0x20 != 0;
}

fn knob(input: &mut Reader<'_>) -> Knob {
    let choice = input.u8();
    let on = choice & 8 != 0;
    match choice & 7 {
        _ if choice >= 0xC0 => segue_kit::knobs::any(input),
        0 | 1 => Knob::Nagle(on),
        2 | 3 => Knob::Cork(on),
        4 | 5 => Knob::KeepAlive(on),
        6 => Knob::KeepAliveIdle(Duration::from_secs(u64::from(input.u8()))),
        _ => Knob::UserTimeout(on.then(|| Duration::from_secs(u64::from(input.u8())))),
    }
}

fn path(input: &mut Reader<'_>, info: &Info) -> Event {
    const KINDS: [IcmpKind; 7] = [
        IcmpKind::PacketTooBig,
        IcmpKind::Unreachable,
        IcmpKind::TimeExceeded,
        IcmpKind::ParameterProblem,
        IcmpKind::ProtocolUnreachable,
        IcmpKind::PortUnreachable,
        IcmpKind::SourceQuench,
    ];
    const MTUS: [u16; 8] = [1500, 1280, 576, 68, 0, 9000, u16::MAX, 1000];
    let choice = input.u8();
    let mtu = MTUS[usize::from(choice >> 4 & 7)];
    match KINDS.get(usize::from(choice & 7)) {
        None => Event::Mtu(mtu),
        Some(&kind) => {
            let base = if choice & 8 == 0 { info.snd_una } else { info.snd_nxt };
            Event::Icmp { kind, quoted_seq: offset(base, input.u8(), input), mtu }
        }
    }
}

fn other(input: &mut Reader<'_>, watched: &mut Watched) {
    let choice = input.u8();
    if choice & 4 != 0 {
        return campaign::perform(choice >> 3, input, watched);
    }
    match choice & 3 {
        0 => watched.send(input.u16(), Event::SendUrgent),
        1 => watched.rearm(Secrets { iss: SeqNum::new(input.u32()), ts_offset: input.u32() }),
        _ => {
            let length = usize::from(input.u8());
            let mut octets = Unstructured::new(input.take(length));
            match Event::arbitrary(&mut octets) {
                // Text is counted, and the peer's text is what `peer_text` says it is.
                Ok(Event::Send(text) | Event::SendUrgent(text)) => {
                    watched.send(text.len().try_into().unwrap_or(1), Event::Send)
                }
                Ok(Event::SendMore(text)) => watched.send(text.len().try_into().unwrap_or(1), Event::SendMore),
                Ok(Event::Rearm(secrets)) => watched.rearm(secrets),
                Ok(Event::Segment(segment)) => {
                    let segment = with_peer_text(watched, segment);
                    watched.may(Event::Segment(segment));
                }
                Ok(Event::Segments(segments)) => {
                    let segments = segments.into_iter().map(|segment| with_peer_text(watched, segment)).collect();
                    watched.may(Event::Segments(segments));
                }
                Ok(Event::Batch(parts)) => {
                    let parts = parts.into_iter().filter_map(|part| in_batch(watched, part)).collect();
                    watched.may(Event::Batch(parts));
                }
                Ok(event) => watched.may(event),
                Err(_) => watched.may(Event::Segment(Segment { payload: Bytes::new(), ..Segment::default() })),
            }
        }
    }
}

/// The segment with the text that the peer has at these numbers.
fn with_peer_text(watched: &Watched, mut segment: Segment) -> Segment {
    let start = segment.seq + u32::from(segment.flags.contains(Flags::SYN));
    let length = u16::try_from(segment.payload.len()).unwrap_or(u16::MAX);
    segment.payload = watched.peer_text(start, length);
    segment
}

/// A part of a batch. A SEND among them is left out: which of them the batch takes is not told, so the text is not known.
fn in_batch(watched: &Watched, part: Event) -> Option<Event> {
    match part {
        Event::Send(_) | Event::SendMore(_) | Event::SendUrgent(_) => None,
        Event::Segment(segment) => Some(Event::Segment(with_peer_text(watched, segment))),
        Event::Segments(segments) => {
            Some(Event::Segments(segments.into_iter().map(|segment| with_peer_text(watched, segment)).collect()))
        }
        Event::Batch(parts) => {
            Some(Event::Batch(parts.into_iter().filter_map(|part| in_batch(watched, part)).collect()))
        }
        other => Some(other),
    }
}
