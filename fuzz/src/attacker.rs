//! A correct pair, and a third party that knows addresses and ports and no numbers: what it injects changes nothing.
//!
//! An input is that of the target `pair`, with one more kind of step: a segment or an ICMP error reaches an end out of
//! nowhere. Numbers that a blind attacker could only have by luck are left out ([`is_blind`]). The others must leave the
//! connection as it was, its throttles of answers apart, and must not cost more than one answer without text; bare segments,
//! SYNs and resets are answered no more often than RFC 5961 §7 says. At the end everything arrives as in `pair`.

use bytes::Bytes;
use segue::{
    Config, Connection, Event, Flags, IcmpKind, Info, Instant, Options, Segment, SeqNum, State, Timer, Timestamps,
};

use super::events::script::DELTAS;
use super::events::show;
use super::pair::{self, World};
use super::reader::Reader;

/// More steps than any interesting input has.
const MAX_STEPS: usize = 400;

/// Plays the input; panics when a law does not hold.
pub fn run(data: &[u8]) {
    play(data, false);
}

/// Plays the input and prints each event with its effect.
pub fn explain(data: &[u8]) {
    play(data, true);
}

fn play(data: &[u8], traced: bool) {
    let mut input = Reader::new(data);
    // What blind attackers may do without these rules, RFC 5961 and RFC 1337 tell.
    let mut world = pair::setup(&mut input, traced, |config| config.rfc5961(true).rfc1337(true));
    let mut throttles = [Throttle::default(), Throttle::default()];
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        if input.u8() & 1 == 0 {
            pair::step(&mut input, &mut world);
        } else {
            attack(&mut input, &mut world, &mut throttles);
        }
    }
    world.calm();
}

/// The answers to segments without text that an attacker got of one end.
#[derive(Clone, Copy, Debug, Default)]
struct Throttle {
    since: Instant,
    answers: u32,
}

impl Throttle {
    /// Challenges have a throttle by the settings; answers to bare segments and to keep-alives one each, of ten at the most
    /// (RFC 5961 §7). Two windows may be full beside each other.
    fn answered(&mut self, config: &Config, now: Instant) {
        if now.saturating_since(self.since) > config.challenge_window() {
            *self = Self { since: now, answers: 0 };
        }
        self.answers += 1;
        let most = 2 * u32::from(config.challenge_limit()) + 2 * (10 + 10);
        assert!(self.answers <= most, "{} answers since {}, {most} are allowed", self.answers, self.since);
    }
}

/// One injection: the end, how often, and the segment.
fn attack(input: &mut Reader<'_>, world: &mut World, throttles: &mut [Throttle; 2]) {
    let first = input.u8();
    let end = usize::from(first & 1);
    let Some(info) = world.ends[end].connection.as_ref().map(Connection::info) else { return };
    let times = if first & 2 == 0 { 1 } else { 1 + input.u8() % 32 };
    let event = if first & 4 == 0 { Event::Segment(segment(input, &info)) } else { error(input, &info) };
    for _ in 0..times {
        let Some(connection) = &world.ends[end].connection else { return };
        if is_blind(&event, connection) {
            inject(world, end, event.clone(), &mut throttles[end]);
        }
    }
}

fn inject(world: &mut World, end: usize, event: Event, throttle: &mut Throttle) {
    let now = world.now;
    let Some(before) = world.ends[end].connection.clone() else { return };
    // What waits for its turn goes on with any event: then only what the attacker sees is judged.
    let goes_on = [Timer::Continue, Timer::Pace].into_iter().any(|timer| before.deadline(timer).is_some());
    let (_, sent) = world.ends[end].call(event.clone(), now);
    let Some(after) = &world.ends[end].connection else { return };
    if !goes_on {
        let (was, is) = (before.canonical(now), after.canonical(now));
        assert!(was == is, "{} changed{}", show::event(&event), show::difference(&was, &is));
        answers(&event, &sent);
        // Resets answer one by one, as those of a TCP without a connection do; text and FIN always have an answer.
        let resets = sent.iter().any(|answer| answer.flags.contains(Flags::RST));
        let uncounted = |segment: &Segment| !segment.is_empty() && !segment.flags.contains(Flags::SYN);
        let counts = matches!(&event, Event::Segment(segment) if !uncounted(segment));
        if counts && !sent.is_empty() && !resets {
            throttle.answered(&world.ends[end].config, now);
        }
    }
    world.sent(end, sent);
}

/// One answer at the most, without text: no amplification.
fn answers(event: &Event, sent: &[Segment]) {
    assert!(sent.len() <= 1, "{} answers to {}", sent.len(), show::event(event));
    let (Some(answer), Event::Segment(segment)) = (sent.first(), event) else {
        assert!(sent.is_empty(), "an answer to {}", show::event(event));
        return;
    };
    assert!(answer.payload.is_empty(), "{answer} answers {segment}");
    assert!(!segment.flags.contains(Flags::RST) || !answer.flags.contains(Flags::RST), "{answer} answers {segment}");
}

/// Whether an attacker without knowledge could send this and not be very lucky: 32 bits of luck for a sequence number that
/// must be exact, fewer for a window.
fn is_blind(event: &Event, connection: &Connection) -> bool {
    let (info, state) = (connection.info(), connection.state());
    let segment = match event {
        Event::Segment(segment) => segment,
        // RFC 5927 §4.1: errors quote segments in flight
        Event::Icmp { quoted_seq, .. } => {
            let flight = info.snd_nxt - info.snd_una;
            return *quoted_seq - info.snd_una > flight.max(1);
        }
        _ => return false,
    };
    let has = |flag| segment.flags.contains(flag);
    let acceptable_ack =
        has(Flags::ACK) && segment.ack - (info.snd_una - MOST_WINDOW) <= info.snd_nxt - (info.snd_una - MOST_WINDOW);
    match state {
        State::Closed => true,
        // Before the peer's SYN any SYN may be the peer's: only ports that are hard to guess help (RFC 6056).
        State::Listen => !has(Flags::SYN) || segment.flags.intersects(Flags::ACK | Flags::RST),
        State::SynSent => !acceptable_ack && (!has(Flags::SYN) || has(Flags::ACK)),
        State::SynReceived
        | State::Established
        | State::FinWait1
        | State::FinWait2
        | State::CloseWait
        | State::Closing
        | State::LastAck
        | State::TimeWait => {
            // The first octets below the window are those of a repetition.
            let window = info.rcv_wnd + 2;
            let start = info.rcv_nxt - 1;
            let inside = |seq: SeqNum| seq - start < window;
            let near = inside(segment.seq) || inside(segment.end()) || start - segment.seq < segment.len();
            if has(Flags::RST) {
                // After the peer's FIN its number is as good as the next (RFC 9293 §3.10.7.4).
                let after_fin = matches!(state, State::CloseWait | State::Closing | State::LastAck);
                return segment.seq != info.rcv_nxt && !(after_fin && segment.seq + 1 == info.rcv_nxt);
            }
            if has(Flags::SYN) {
                // A SYN like the peer's is that of the peer.
                return segment.seq != info.irs;
            }
            !near || !acceptable_ack
        }
    }
}

/// An ACK of any octet of the last window is acceptable (RFC 5961 §5.2); no window is larger (RFC 7323 §2.3).
const MOST_WINDOW: u32 = 65_535 << 14;

fn segment(input: &mut Reader<'_>, info: &Info) -> Segment {
    let flags = Flags::from_bits_truncate(u16::from(input.u8())) ^ Flags::ACK;
    let seq = number(input, [info.rcv_nxt, info.rcv_nxt + info.rcv_wnd, info.irs, info.rcv_nxt + 0x8000_0000]);
    let ack = number(input, [info.snd_nxt, info.snd_una, info.iss, info.snd_una + 0x8000_0000]);
    let form = input.u8();
    let length = [0, 0, 1, 100, 1460][usize::from(form & 7) % 5];
    let window = [u16::MAX, 0, 1, 1000][usize::from(form >> 3 & 3)];
    let timestamps = (form & 0x20 != 0).then(|| Timestamps { value: input.u32(), echo: input.u32() });
    let mut options = Options { timestamps, ..Options::default() };
    if form & 0x40 != 0 {
        options.sack.push(segue::SackBlock { left: ack + 1, right: ack + 1000 });
    }
    let payload = Bytes::from_static(&[0x55; 1460]).slice(..length);
    Segment { seq, ack, flags, window, urgent: u16::from(form), options: options.into(), payload, ..Segment::default() }
}

/// A number beside one of these, or any.
fn number(input: &mut Reader<'_>, bases: [SeqNum; 4]) -> SeqNum {
    let choice = input.u8();
    let Some(base) = bases.get(usize::from(choice & 7)) else { return SeqNum::new(input.u32()) };
    let delta = DELTAS[usize::from(choice >> 3)];
    let magnitude = u32::try_from(delta.unsigned_abs()).unwrap_or(1 << 20);
    if delta < 0 { *base - magnitude } else { *base + magnitude }
}

fn error(input: &mut Reader<'_>, info: &Info) -> Event {
    const KINDS: [IcmpKind; 4] =
        [IcmpKind::PacketTooBig, IcmpKind::Unreachable, IcmpKind::PortUnreachable, IcmpKind::SourceQuench];
    let choice = input.u8();
    let quoted_seq = number(input, [info.snd_una, info.snd_nxt, info.iss, info.snd_una + 0x8000_0000]);
    let mtu = [0, 68, 576, 1280][usize::from(choice >> 2 & 3)];
    Event::Icmp { kind: KINDS[usize::from(choice & 3)], quoted_seq, mtu }
}
