//! Two endpoints of the host layer with many connections between them, under random packets, calls by any id, and budgets.
//!
//! An input is the features, the limits of both endpoints, what the server listens to, and then steps: calls of users, of a gate and of
//! hosts, and what the network does to each packet. After each step the limits hold, an id that is void stays void, and text
//! is a prefix of what the peer wrote on the same connection. At the end of the input users read and close: then both
//! endpoints are empty, and hold nothing of their budgets. Packets that are made up or mangled come only where the first
//! octet of the input says so: with the right numbers they may end a connection or put in text, so then the laws of text
//! are off, and those of limits stay.

mod net;
mod users;

use core::time::Duration;

use net::Net;
use segue::codec::{Packet, PseudoHeader};
use segue::host::{Backlog, EndpointConfig, Full, Listen};
use segue::ip::{self, Format, Offload};
use segue::{Arc, Config, Flags, IcmpKind, Options, Segment, SeqNum};

use super::features::Features;
use super::reader::Reader;

/// More steps than any interesting input has.
const MAX_STEPS: usize = 300;

/// Plays the input; panics when a law does not hold.
pub fn run(data: &[u8]) {
    let mut input = Reader::new(data);
    let mut net = setup(&mut input);
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        step(&mut input, &mut net);
        net.check();
    }
    net.calm();
}

fn config(input: &mut Reader<'_>, hostile: bool, features: Features) -> EndpointConfig {
    let (choice, limits) = (input.u8(), input.u8());
    let connection = match choice & 7 {
        0..=2 => Config::builder(),
        3 => Config::builder().receive_buffer(3000).send_buffer(5000).max_ranges(2),
        4 => Config::builder().max_burst(3),
        5 => Config::builder().window_shift(Some(14)),
        6 => Config::builder().pacing(true).max_transmit(65_000),
        _ => Config::builder().timestamps(false).sack(false),
    };
    let connection = features.configure(connection.msl(Duration::from_secs(1))).build().expect("within the ranges");
    let own = [net::ADDRESSES[0], net::ADDRESSES[1]];
    EndpointConfig {
        connection: Arc::new(connection),
        addresses: if choice & 8 == 0 || hostile { Vec::new() } else { own.into() },
        mtu: [1500, 1280, 9000, 576][usize::from(choice >> 4 & 3)],
        memory: [usize::MAX, 1_500_000, 300_000, 60_000][usize::from(choice >> 6)],
        connections: [8, 1, 3, 40][usize::from(limits & 3)],
        time_wait: [4, 0, 1, 40][usize::from(limits >> 2 & 3)],
        answers: [64, 0, 1, 5][usize::from(limits >> 4 & 3)],
        ports: 50_000..=[50_100, 50_000, 50_003, 50_001][usize::from(limits >> 6)],
    }
}

fn setup(input: &mut Reader<'_>) -> Net {
    let features = Features::read(input);
    let (first, backlog) = (input.u8(), input.u8());
    let hostile = first & 1 != 0;
    let configs = [config(input, hostile, features), config(input, hostile, features)];
    let mut net = Net::new(configs, hostile, features);
    let full = [Full::Cookies, Full::EvictOldest, Full::Drop, Full::Reset][usize::from(backlog & 3)];
    let half_open = [10, 0, 1, 2][usize::from(backlog >> 2 & 3)];
    let backlog = Backlog { half_open, ready: [5, 1, 2, 0][usize::from(backlog >> 4 & 3)], full };
    let gate = Some(Duration::from_millis(300));
    let fast_open = if features.is_fast_open() { 5 } else { 0 };
    let plain = Listen { backlog, fast_open, ..Listen::anywhere() };
    let port = |port| Listen { port: Some(port), ..plain.clone() };
    let mut listens = vec![port(80), Listen { gate, ..port(81) }];
    if first & 2 != 0 {
        listens.push(plain);
    }
    net.listen(listens);
    net
}

/// One step: the low four bits say what, bit 4 at which end, the others how.
fn step(input: &mut Reader<'_>, net: &mut Net) {
    let first = input.u8();
    let (end, how) = (usize::from(first >> 4 & 1), usize::from(first >> 5));
    match first & 0x0F {
        0 => net.connect([80, 81, 82, 80, 9, 80, 0, 81][how]),
        1 => net.accept(how),
        2 => net.read(end, usize::from(input.u8()), [usize::MAX, 1, 100, 1000][how & 3], how & 4 != 0),
        3 => net.write(end, usize::from(input.u8()), [1, 700, 5000, 20_000][how & 3], how & 4 != 0),
        4 => net.leave(end, usize::from(input.u8()), how),
        5 => net.gate(how),
        6 if how < 4 => net.stale(end, usize::from(input.u8())),
        6 => net.any_id(end, u64::from(input.u32()) << 32 | u64::from(input.u32())),
        7 => net.timers(end),
        8 => net.flush(end, usize::MAX),
        9 => net.flush(end, how),
        10 => net.arrive(end, how, false),
        11 if how < 4 => net.arrive(end, how, true),
        11 => net.lose(end, how - 4),
        12 => net.pass([0, 1, 7, 50, 200, 1000, 3000, 61_000][how]),
        13 if net.hostile => hostile(how, end, input, net),
        13 | 14 => net.round(),
        15.. => match how {
            0 | 1 => net.migrate(end, usize::from(input.u8())),
            2 => net.unlisten(usize::from(input.u8())),
            _ => net.set(end, usize::from(input.u8()), input.u8()),
        },
    }
}

/// What nobody sent.
fn hostile(how: usize, end: usize, input: &mut Reader<'_>, net: &mut Net) {
    let format = Format { offload: Offload::Checksum, ..Format::default() };
    match how {
        // Octets as they are.
        0 => {
            let octets = input.u8().into();
            let octets = input.take(octets).to_vec();
            net.receive_ip(end, octets, Format::default());
        }
        // A packet under way with octets changed, or cut; its checksums count as right.
        1..=3 => {
            let Some((addresses, packet)) = net.segment_under_way(end, how - 1) else { return };
            let mut octets = Vec::new();
            ip::encode(addresses, &packet, format, &mut octets).expect("it was sent");
            for _ in 0..1 + input.u8() % 4 {
                let (place, octet) = (usize::from(input.u8()) % octets.len().min(80), input.u8());
                octets[place] = octet;
            }
            if how == 3 {
                octets.truncate(usize::from(input.u8()));
            }
            net.receive_ip(end, octets, format);
        }
        // An error that quotes a packet under way from here.
        4 => {
            let Some((addresses, packet)) = net.under_way(1 - end, 0) else { return };
            let choice = input.u8();
            let kinds = [IcmpKind::PortUnreachable, IcmpKind::PacketTooBig, IcmpKind::Unreachable];
            net.icmp(end, addresses, &packet, (kinds[usize::from(choice) % 3], u16::from(choice) << 4));
        }
        // Flows of nobody: a flood.
        _ => {
            let times = if how == 7 { 1 + input.u8() % 64 } else { 1 };
            let template = made_up(input);
            for port in 0..u16::from(times) {
                let packet = Packet { src_port: template.src_port.wrapping_add(port), ..template.clone() };
                net.receive(end, PseudoHeader::new(net::ADDRESSES[1 - end], net::ADDRESSES[end]), packet);
            }
        }
    }
}

fn made_up(input: &mut Reader<'_>) -> Packet {
    let (flags, choice) = (input.u8(), input.u8());
    let options = if choice & 1 == 0 { Options { mss: Some(1460), ..Options::default() } } else { Options::default() };
    let segment = Segment {
        seq: SeqNum::new(input.u32()),
        ack: SeqNum::new(input.u32()),
        flags: Flags::from_bits_truncate(u16::from(flags)) ^ Flags::SYN,
        window: u16::from(choice) << 4,
        options: options.into(),
        payload: vec![0x55; usize::from(choice >> 4)].into(),
        ..Segment::default()
    };
    let dst_port = [80, 81, 82, 50_000, 0][usize::from(choice >> 1 & 7) % 5];
    Packet { src_port: u16::from(input.u8()) << 8 | 1, dst_port, segment }
}
