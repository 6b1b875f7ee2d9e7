//! Links that are narrower than both ends expect: the sender judges the packet that it sent, and every packet gives
//! way, those without text as well.

use std::cell::Cell;
use std::time::Duration;

use segue::{Config, ConfigBuilder, Event, IcmpKind, Info, Path};
use segue_kit::Rng;
use segue_kit::rig::Rig;
use segue_kit::streams::{ours, peer, peer_text};
use segue_kit::{ms, plain, secs};

use super::link::{CLIENT, Fate, SERVER, World, carries};

fn defaults() -> [ConfigBuilder; 2] {
    [Config::builder(), Config::builder()]
}

/// The ACK of the first octet is lost; what goes again with it is too large for the link.
#[test]
fn a_black_hole_is_left_though_an_acknowledgment_was_lost() {
    for lost in [true, false] {
        let acks = Cell::new(0);
        let link = |at, from, size| {
            let nth = acks.replace(acks.get() + u32::from(from == SERVER));
            if lost && from == SERVER && nth == 0 { Fate::Lost } else { carries(576, false)(at, from, size) }
        };
        let mut world = World::new(defaults(), Path::ipv4(1500)).over(link);
        world.send(CLIENT, 1);
        world.send(CLIENT, 1200);
        world.run(secs(6));
        assert_eq!(world.reads[SERVER], 1201, "{lost}, {:?}", world.mtus);
    }
}

/// A silent link, and whichever of the first acknowledgments are lost: eight minutes are enough.
#[test]
fn a_black_hole_is_left_whatever_acknowledgments_are_lost() {
    for mtu in [1000, 600, 300] {
        for lost in 0..=u8::MAX {
            let acks = Cell::new(0);
            let link = |at, from, size| {
                let nth = acks.replace(acks.get() + u32::from(from == SERVER));
                let lost = from == SERVER && u32::from(lost).checked_shr(nth).is_some_and(|lost| lost & 1 == 1);
                if lost { Fate::Lost } else { carries(mtu, false)(at, from, size) }
            };
            let configs = defaults().map(|config| config.user_timeout(None));
            World::new(configs, Path::ipv4(1500)).over(link).transfer(100_000, secs(480));
        }
    }
}

/// A silent link of any size, while the acknowledgments are lost for some time: text goes again in pieces that end
/// where earlier ones did. The size that works is not found anew for every piece of the flight.
#[test]
fn a_black_hole_is_left_whatever_an_outage_before_made_of_the_flight() {
    for seed in 0..400 {
        let mut rng = Rng::new(seed);
        let mut draw = |least: u16, most: u16| least + rng.below((most - least).into()) as u16;
        let (link, outage, octets) = (draw(100, 1000), secs(draw(0, 200).into()), draw(10_000, 40_000).into());
        let way = move |at: Duration, from: usize, size: usize| {
            if from == SERVER && at < outage { Fate::Lost } else { carries(link, false)(at, from, size) }
        };
        let configs = defaults().map(|config| config.user_timeout(None).timestamps(seed % 2 == 0));
        World::new(configs, Path::ipv4(1500)).over(way).transfer(octets, outage + secs(420));
    }
}

/// Retransmissions carry a SACK block: 1284 octets over a link of 1280.
#[test]
fn options_of_the_packet_count() {
    let nth = Cell::new([0; 2]);
    let link = |at, from: usize, size: usize| {
        let mut seen = nth.get();
        let large = size > 1200;
        seen[from] += u32::from(large);
        nth.set(seen);
        if large && seen[from] == 1 { Fate::Lost } else { carries(1280, false)(at, from, size) }
    };
    let mut world = World::new(defaults(), Path::ipv6(1500)).over(link);
    for len in [1200, 50] {
        for from in [CLIENT, SERVER] {
            world.send(from, len);
        }
    }
    world.run(secs(4));
    assert_eq!(world.reads, [1250; 2], "{:?}", world.mtus);
}

/// The flight exceeds the window by what its scale rounds off: that explains no loss.
#[test]
fn a_window_that_recedes_by_rounding_explains_no_loss() {
    let server = Config::builder().receive_buffer(9003).window_shift(Some(3));
    let mut world = World::new([Config::builder(), server], Path::ipv4(1500)).over(carries(1000, false));
    world.send(CLIENT, 9003);
    world.run(secs(7));
    assert_eq!(world.reads[SERVER], 9003, "{:?}", world.mtus);
}

/// The acknowledgment with three SACK blocks is too large for the link, of 80 octets; a router says so.
#[test]
fn an_acknowledgment_gives_way_to_a_narrow_link() {
    let texts = Cell::new(0);
    let link = |at, from, size| {
        let nth = texts.replace(texts.get() + u32::from(from == CLIENT && size <= 68));
        let lost = from == CLIENT && size <= 68 && [2, 4, 6].contains(&nth);
        if lost { Fate::Lost } else { carries(68, true)(at, from, size) }
    };
    let mut world = World::new(defaults(), Path::ipv4(1500)).over(link);
    world.send(CLIENT, 2000);
    world.run(secs(10));
    assert_eq!(world.reads[SERVER], 2000, "{:?}", world.mtus);
    let mtu = |side: usize| world.end(side).info().path_mtu;
    assert_eq!([CLIENT, SERVER].map(mtu), [68; 2]);
    let too_big: Vec<_> = world.sent.iter().filter(|packet| packet.from == SERVER && packet.size > 68).collect();
    let first = too_big[0].at;
    assert!(too_big.iter().any(|packet| packet.size == 80), "three blocks and timestamps");
    assert!(too_big.iter().all(|packet| packet.at <= first + ms(101)), "after a round trip all fit");
}

/// Links of any size that routers tell of, with loss, text both ways: all arrives, and the ends fall silent.
#[test]
fn every_narrow_link_that_says_so_is_lived_with() {
    for seed in 0..60 {
        let mut rng = Rng::new(seed);
        let mut draw =
            |least: u16, most: u16| least + u16::try_from(rng.below(u32::from(most - least))).expect("16 bits");
        let (v4, options) = (draw(0, 2) == 0, 4 * draw(0, 3));
        // IP cuts what a link of less than 68 octets and the options does not take
        let (path, least) = if v4 { (Path::ipv4(1500), 68 + options) } else { (Path::ipv6(1500), 1280) };
        let mtus = [draw(least, least + 32), draw(least, 1500)];
        let config =
            || Config::builder().user_timeout_option(seed % 3 == 0).timestamps(seed % 5 > 0).user_timeout(None);
        let mut losses = Rng::new(seed + 1000);
        let link = move |at: Duration, from: usize, size| {
            let lost = at < secs(60) && losses.chance(50);
            if lost { Fate::Lost } else { carries(mtus[from], true)(at, from, size) }
        };
        let path = Path { ip_options: if v4 { options } else { 0 }, ..path };
        let mut world = World::new([config(), config()], path).over(link);
        for from in [CLIENT, SERVER] {
            world.send(from, 5000);
        }
        world.run(secs(400));
        assert_eq!(world.reads, [5000; 2], "{seed}: {mtus:?}, {path:?}");
        let flight = |side: usize| -> Info { world.end(side).info() };
        assert!([CLIENT, SERVER].map(flight).iter().all(|info| info.flight == 0), "{seed}");
    }
}

/// RFC 5927 §4.1: SND.NXT is quoted by an error about a pure ACK alone; it must say less than that ACK had.
#[test]
fn only_an_error_about_a_pure_ack_may_quote_snd_nxt() {
    let three_blocks = |tcp: &mut Rig| {
        for seq in [200, 400, 600] {
            tcp.arrives(peer_text(seq, 100, 0));
        }
    };
    let error = |tcp: &mut Rig, kind, seq, mtu| tcp.does(Event::Icmp { kind, quoted_seq: ours(seq), mtu });
    let mut tcp = Rig::accept(plain().sack(true), Path::ipv4(1500), segue_kit::streams::peer_syn());
    drop(tcp.arrives(peer(0, 0)));
    assert_eq!(error(&mut tcp, IcmpKind::PacketTooBig, 0, 68), "", "no pure ACK was sent");
    let syn = segue_kit::streams::peer_syn();
    let options = segue::Options { sack_permitted: true, ..syn.options.get() };
    let mut tcp = Rig::accept(
        plain().sack(true).dsack(false),
        Path::ipv4(1500),
        segue::Segment { options: options.into(), ..syn },
    );
    tcp.arrives(peer(0, 0));
    three_blocks(&mut tcp);
    assert_eq!(tcp.sent()[0].options.wire_len(), 28); // a packet of 68 octets
    assert_eq!(error(&mut tcp, IcmpKind::PacketTooBig, 0, 68), "");
    tcp.arrives(peer_text(800, 100, 0));
    assert_eq!(tcp.sent()[0].options.wire_len(), 36); // 76 octets
    for (kind, seq, mtu) in [
        (IcmpKind::PacketTooBig, 0, 76),
        (IcmpKind::PacketTooBig, 0, 67),
        (IcmpKind::PacketTooBig, 1, 68),
        (IcmpKind::PortUnreachable, 0, 68),
        (IcmpKind::Unreachable, 0, 68),
    ] {
        assert_eq!(error(&mut tcp, kind, seq, mtu), "", "{kind:?}, {seq}, {mtu}");
    }
    assert_eq!(error(&mut tcp, IcmpKind::PacketTooBig, 0, 70), "Report(PathMtu(70))");
    tcp.quiet(ms(1));
    tcp.arrives(peer_text(1000, 100, 0));
    assert_eq!(tcp.sent()[0].options.wire_len(), 28, "three blocks");
}

/// An ACK that answers a duplicate, with three ranges held beside the report, is one block larger than any that text out of order
/// brings. The error about it counts as well, or peer and router repeat themselves for ever.
#[test]
fn an_answer_to_a_duplicate_gives_way_to_a_narrow_link() {
    let syn = segue_kit::streams::peer_syn();
    let options = segue::Options { sack_permitted: true, ..syn.options.get() };
    let mut tcp = Rig::accept(plain().sack(true), Path::ipv4(1500), segue::Segment { options: options.into(), ..syn });
    tcp.arrives(peer_text(0, 10, 0));
    for seq in [200, 400, 600] {
        tcp.arrives(peer_text(seq, 100, 0));
    }
    let mut answered = 0;
    while tcp.info().path_mtu == 1500 {
        tcp.quiet(ms(30_000));
        tcp.arrives(peer_text(0, 10, 0));
        assert_eq!(tcp.sent()[0].options.wire_len(), 36); // a packet of 76 octets
        tcp.does(Event::Icmp { kind: IcmpKind::PacketTooBig, quoted_seq: ours(0), mtu: 69 });
        answered += 1;
        assert!(answered <= 2, "nobody learns");
    }
    tcp.quiet(ms(30_000));
    tcp.arrives(peer_text(0, 10, 0));
    assert_eq!((tcp.info().path_mtu, tcp.sent()[0].options.wire_len()), (69, 28));
}

/// A silent link, and text in pieces of all sizes: what of it is smaller than the MTU in doubt, and gets through,
/// proves nothing about that MTU. So one fall is enough, and all arrives before the back-off has grown.
#[test]
fn a_silent_link_is_found_whatever_the_pieces() {
    for (link, pieces) in [(851, [2237, 2487, 0, 0]), (621, [1990, 1557, 920, 1999]), (576, [1, 1200, 700, 3000])] {
        let recoveries = [(true, true), (true, false), (false, false)]; // SACK, RACK
        let kinds = recoveries.into_iter().flat_map(|(sack, rack)| [(sack, rack, true), (sack, rack, false)]);
        for (sack, rack, stamps) in kinds {
            let config = Config::builder().sack(sack).rack(rack).timestamps(stamps);
            let mut world = World::new([config, config], Path::ipv4(1500)).over(carries(link, false));
            pieces.into_iter().filter(|len| *len > 0).for_each(|len| world.send(CLIENT, len));
            world.run(secs(60));
            assert_eq!(world.reads[SERVER], pieces.iter().sum::<usize>(), "{link} {pieces:?} {:?}", world.mtus);
        }
    }
}

/// A silent link below the safe size, and an outage on top: how long it lasts does not decide which size is in use afterwards.
#[test]
fn an_outage_on_a_narrow_silent_link_leaves_no_tiny_packets() {
    for link in [566, 692, 808] {
        for outage in [0, 1, 2, 4, 8, 16, 32, 64] {
            let calm = ms(100) + secs(outage);
            let way = move |at: Duration, from: usize, size: usize| {
                let out = from == CLIENT && at >= ms(100) && at < calm;
                if out { Fate::Lost } else { carries(if from == CLIENT { link } else { 1500 }, false)(at, from, size) }
            };
            let config = || Config::builder().user_timeout(None);
            let mut world = World::new([config(), config()], Path::ipv4(1500)).over(way);
            world.transfer(400_000, calm + secs(200));
            let mtu = world.end(CLIENT).info().path_mtu;
            let usual = (link.min(512)..=link).contains(&mtu);
            assert!(usual, "{link}, {outage} s: {mtu}, {:?}", world.mtus);
        }
    }
}
