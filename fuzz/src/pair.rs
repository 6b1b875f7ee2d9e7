//! Two real connections, each with a configuration that the input draws, joined by a channel that the input steers.
//!
//! An input is the controllers, the opening, the numbers, the two configurations and paths, and then steps: each delivers, loses, repeats or
//! marks a segment under way, lets time pass or a timer fire, or is a call of a user. After every event the laws of a call
//! hold, and text is a prefix of what the peer wrote. At the end of the input the network is calm and the users read and
//! close: then everything arrives, and both ends fall silent.

pub(crate) mod end;
pub(crate) mod world;

use core::time::Duration;

use end::{End, Opening};
use segue::{Ecn, Event, IcmpKind, Instant, Knob, Secrets, SeqNum, Timer};

use super::events::setup::{NUMBERS, any_path, config};
use super::features::Features;
use super::reader::Reader;
pub(crate) use world::World;

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
    let mut world = setup(&mut input, traced, |config| config);
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        step(&mut input, &mut world);
    }
    world.calm();
}

/// The first part of an input: both ends, opened.
pub(crate) fn setup(
    input: &mut Reader<'_>,
    traced: bool,
    change: impl Fn(segue::ConfigBuilder) -> segue::ConfigBuilder,
) -> World {
    let features = Features::read(input);
    let (form, numbers) = (input.u8(), input.u8());
    let opening = [Opening::Listen, Opening::Accept, Opening::Connect, Opening::Listen][usize::from(form & 3)];
    let patient = form & 4 == 0;
    let now = Instant::from_micros(if form & 8 == 0 { 1_000_000 } else { 4_294_967_295_000 });
    let mut end = |which: usize, number: u8| {
        let choice = input.u8();
        let config = change(features.configure(config(choice, input).to_builder()));
        let config = config.build().expect("as valid as before");
        let config = if patient { world::patient(&config) } else { config };
        let path = match choice >> 4 & 3 {
            0 | 1 => segue::Path::ipv4(1500),
            2 => any_path(input),
            _ => segue::Path { ip_options: 8, ..segue::Path::ipv6(1280) },
        };
        let iss = SeqNum::new(NUMBERS[usize::from(number & 7)]);
        let secrets = Secrets { iss, ts_offset: 0xFFFF_0000 >> (16 * which) };
        End::new(which, (config, path, secrets), features.controller(which), traced)
    };
    let ends = [end(0, numbers >> 4), end(1, numbers)];
    let mut world = World::new(ends, now, patient);
    let client = if form & 16 == 0 { Opening::Connect } else { Opening::FastOpen(u32::from(form >> 5) * 300) };
    for (end, opening) in [(1, opening), (0, client)] {
        let sent = world.ends[end].open(opening, now);
        world.sent(end, sent);
    }
    world
}

/// One step: the low four bits say what, bit 4 at which end, the others how.
pub(crate) fn step(input: &mut Reader<'_>, world: &mut World) {
    let first = input.u8();
    let (end, how) = (usize::from(first >> 4 & 1), first >> 5);
    match first & 0x0F {
        0..=2 => world.arrive(end, usize::from(how), false),
        3 => (0..how).for_each(|_| world.round()),
        4 => world.round(),
        5 => world.lose(end, usize::from(how)),
        6 => world.arrive(end, usize::from(how), true),
        7 => world.arrive_together(end, 2 + usize::from(how)),
        8 => world.fire_next(),
        9 => {
            const WAITS: [u64; 8] = [1, 1_000, 10_000, 50_000, 300_000, 1_000_000, 3_000_000, 60_000_000];
            world.now += Duration::from_micros(WAITS[usize::from(how)]);
        }
        10 => send(how, end, input, world),
        11 => {
            const TAKES: [usize; 6] = [usize::MAX, 1, 10, 100, 1000, 0];
            let octets = TAKES.get(usize::from(how)).copied().unwrap_or_else(|| usize::from(input.u16()));
            let sent = world.ends[end].take(octets, world.now);
            world.sent(end, sent);
        }
        12 => call(how, end, input, world),
        13 if how < 4 => {
            if let Some(segment) = world.oldest(end).filter(|segment| segment.ecn != Ecn::NotEct) {
                segment.ecn = Ecn::Ce;
            }
        }
        13 => world.lose_all(end),
        14 => world.call(end, Event::Timer(Timer::ALL[usize::from(input.u8()) % Timer::ALL.len()])),
        15.. => world.call(end, Event::Set(knob(how, input))),
    }
}

fn send(how: u8, end: usize, input: &mut Reader<'_>, world: &mut World) {
    const LENGTHS: [u32; 5] = [1, 10, 536, 1460, 5000];
    let octets = LENGTHS.get(usize::from(how)).copied().unwrap_or_else(|| u32::from(input.u16()));
    let form = match how {
        6 => Event::SendMore,
        7 => Event::SendUrgent,
        _ => Event::Send,
    };
    let sent = world.ends[end].send(octets, form, world.now);
    world.sent(end, sent);
}

fn call(how: u8, end: usize, input: &mut Reader<'_>, world: &mut World) {
    const MTUS: [u16; 8] = [1500, 1280, 576, 68, 0, 9000, u16::MAX, 1000];
    match how {
        0 | 1 => {
            let sent = world.ends[end].close(world.now);
            world.sent(end, sent);
        }
        2 => world.call(end, Event::Continue),
        3 => world.call(end, Event::Release),
        4 => world.call(end, Event::Abort),
        5 => world.call(end, Event::Mtu(MTUS[usize::from(input.u8() & 7)])),
        _ => {
            let choice = input.u8();
            let Some(info) = world.ends[end].connection.as_ref().map(segue::Connection::info) else { return };
            let quoted_seq = info.snd_una + u32::from(choice >> 4);
            let mtu = MTUS[usize::from(choice & 7)];
            let kind = if choice & 8 == 0 { IcmpKind::PacketTooBig } else { IcmpKind::TimeExceeded };
            world.call(end, Event::Icmp { kind, quoted_seq, mtu });
        }
    }
}

fn knob(how: u8, input: &mut Reader<'_>) -> Knob {
    let on = how & 4 != 0;
    match how & 3 {
        0 => Knob::Nagle(on),
        1 => Knob::Cork(on),
        2 => Knob::KeepAlive(on),
        _ => Knob::ReceiveBuffer(u32::from(input.u16())),
    }
}
