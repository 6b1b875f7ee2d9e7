//! The keyed functions: what the RFCs ask of them.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use segue::host::{Flow, Keys, Ports};
use segue::{
    Action, Arc, Config, Connection, Ecn, EcnMode, Event, FastOpenCookie, Flags, Instant, Options, Path, Segment,
    SeqNum, State, Timestamps,
};
use segue_kit::{Rng, ms, secs};

fn keys() -> Keys {
    Keys::new(*b"drawn at startup")
}

fn flow(local: &str, remote: &str) -> Flow {
    Flow::new(local.parse().unwrap(), remote.parse().unwrap()).unwrap()
}

fn usual() -> Flow {
    flow("192.0.2.1:80", "198.51.100.7:49152")
}

#[test]
fn must_8_the_iss_ticks_every_four_microseconds() {
    let (keys, start) = (keys(), u64::from(u32::MAX) * 4 - 12);
    let iss = |micros| keys.secrets(&usual(), Instant::from_micros(start + micros), None).iss;
    assert_eq!([0, 3, 4, 16, 400].map(|micros| iss(micros) - iss(0)), [0, 0, 1, 4, 100]);
}

#[test]
fn must_9_other_flows_and_other_keys_have_other_numbers() {
    let now = Instant::from_millis(5);
    let mut seen = BTreeSet::new();
    for local in ["192.0.2.1:80", "192.0.2.1:81", "192.0.2.2:80"] {
        for remote in ["198.51.100.7:49152", "198.51.100.7:49153", "198.51.100.8:49152"] {
            for keys in [keys(), Keys::new(*b"drawn by another")] {
                assert!(seen.insert(keys.secrets(&flow(local, remote), now, None).iss.value()));
            }
        }
    }
    let v6 = keys().secrets(&flow("[2001:db8::1]:80", "[2001:db8::2]:9"), now, None).iss;
    assert!(seen.insert(v6.value()));
}

#[test]
fn rfc_7323_5_4_the_offset_of_timestamps_is_that_of_the_addresses() {
    let offset = |local, remote| keys().secrets(&flow(local, remote), Instant::ZERO, None).ts_offset;
    let one = offset("192.0.2.1:80", "198.51.100.7:49152");
    assert_eq!(one, offset("192.0.2.1:81", "198.51.100.7:9"));
    assert_ne!(one, offset("192.0.2.1:80", "198.51.100.8:49152"));
}

#[test]
fn may_2_a_successor_begins_after_its_predecessor() {
    let now = Instant::from_millis(5);
    let iss = keys().secrets(&usual(), now, None).iss;
    assert_eq!(keys().secrets(&usual(), now, Some(iss - 1)).iss, iss);
    assert_eq!(keys().secrets(&usual(), now, Some(iss)).iss, iss + 1);
    assert_eq!(keys().secrets(&usual(), now, Some(iss + 0x7000_0000)).iss, iss + 0x7000_0001);
}

/// The properties of a cookie: it authenticates the client, nobody else can make it, and it expires.
#[test]
fn rfc_7413_4_1_2_a_fast_open_cookie_is_of_its_client_and_expires() {
    let addresses = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"].map(|ip| ip.parse::<IpAddr>().unwrap());
    let (hour, start) = (secs(3600), Instant::from_millis(7));
    let mut seen = BTreeSet::new();
    for keys in [keys(), Keys::new(*b"drawn by another")] {
        for server in addresses {
            for client in addresses {
                for period in 0..4 {
                    let at = start + hour * period;
                    let cookie = keys.fast_open_cookie(server, client, at);
                    assert_eq!(cookie.as_slice().len(), 8);
                    assert_eq!(cookie, keys.fast_open_cookie(server, client, at + hour - ms(8)), "it is stable");
                    assert!(seen.insert(cookie.as_slice().to_vec()), "no other client, server, key and hour has it");
                    let valid = |at| keys.is_fast_open_cookie(server, client, cookie, at);
                    assert!(valid(at) && valid(at + hour) && !valid(at + hour * 2));
                    assert!(period == 0 || !valid(at - hour), "nor is one of the future");
                    let others = addresses.into_iter().filter(|other| *other != client);
                    assert!(others.into_iter().all(|other| !keys.is_fast_open_cookie(server, other, cookie, at)));
                }
            }
        }
    }
    let (server, client) = (addresses[0], addresses[1]);
    assert!(!keys().is_fast_open_cookie(server, client, FastOpenCookie::default(), start), "a request is none");
}

#[test]
fn debug_shows_no_key() {
    assert_eq!(format!("{:?}", keys()), "Keys(..)");
}

#[test]
fn rfc_6056_3_3_4_a_destination_sees_each_port_once_before_one_again() {
    let (local, remote): (IpAddr, SocketAddr) = ("192.0.2.1".parse().unwrap(), "198.51.100.7:80".parse().unwrap());
    let mut ports = Ports::new(&keys(), 50_000..=50_999);
    let mut seen = BTreeSet::new();
    while seen.len() < 1000 {
        assert!(seen.insert(ports.choose(&keys(), local, remote, |_| true).unwrap()));
    }
    assert_eq!((seen.first(), seen.last()), (Some(&50_000), Some(&50_999)));
    assert!(seen.contains(&ports.choose(&keys(), local, remote, |_| true).unwrap()));
    // Another destination begins elsewhere, and another host too.
    let first = |keys: &Keys, remote: &str| {
        Ports::new(keys, 1024..=65_535).choose(keys, local, remote.parse().unwrap(), |_| true).unwrap()
    };
    let one = first(&keys(), "198.51.100.7:80");
    assert_ne!(one, first(&keys(), "198.51.100.7:81"));
    assert_ne!(one, first(&Keys::new(*b"drawn by another"), "198.51.100.7:80"));
}

#[test]
fn a_range_of_ports_ends() {
    let (local, remote): (IpAddr, SocketAddr) = ("192.0.2.1".parse().unwrap(), "198.51.100.7:80".parse().unwrap());
    let choose = |range, free: fn(u16) -> bool| Ports::new(&keys(), range).choose(&keys(), local, remote, free);
    assert_eq!(choose(7..=9, |port| port == 8), Some(8));
    assert_eq!(choose(7..=9, |_| false), None);
    assert_eq!(choose(0..=0, |_| true), None); // port 0 is none
    #[allow(clippy::reversed_empty_ranges)]
    let empty = 9..=7;
    assert_eq!(choose(empty, |_| true), None);
    assert_eq!(choose(u16::MAX..=u16::MAX, |_| true), Some(u16::MAX));
}

fn sent(actions: Vec<Action>) -> Vec<Segment> {
    actions.into_iter().filter_map(|a| if let Action::Transmit(s) = a { Some(s) } else { None }).collect()
}

/// What the cookie tells of the SYN: scale and SACK ride on the timestamp, so without one there is neither.
fn remembers(told: &Segment, syn: &Segment) {
    let (told, syn) = (told.options.get(), syn.options.get());
    let with = syn.timestamps.is_some();
    assert_eq!(told.timestamps.map(|ts| ts.echo), syn.timestamps.map(|_| 0));
    assert_eq!(told.window_scale, syn.window_scale.filter(|_| with));
    assert_eq!(told.sack_permitted, syn.sack_permitted && with);
    let (told, sent) = (told.mss.unwrap(), syn.mss.unwrap());
    assert!(told <= sent && sent - told < 320, "{told} for {sent}");
}

/// A handshake by cookie, whose ACK arrives after `wait` milliseconds: the client and what the cookie brought.
fn by_cookie(config: Config, wait: u64, now: Instant) -> [Connection; 2] {
    let (client, server, path) = (Arc::new(config), Arc::new(Config::default()), Path::ipv4(1500));
    let (keys, flow) = (keys(), usual());
    let (mut client, actions) = Connection::connect(client, path, keys.secrets(&flow.reversed(), now, None), now);
    let syn = sent(actions).remove(0);
    let answer = keys.cookie(&flow, &syn, &server, path, now).expect("a cookie");
    assert_eq!(answer.flags, Flags::SYN | Flags::ACK);
    let now = now + ms(wait);
    let ack = sent(client.handle_segment(answer, now)).remove(0);
    let found = keys.redeem(&flow, &ack, now).expect("our cookie");
    remembers(&found.syn, &syn);
    let (mut server, _) = Connection::accept(server, path, found.secrets, found.syn, found.sent);
    server.handle_segment(ack, now);
    assert_eq!((client.state(), server.state()), (State::Established, State::Established));
    [client, server]
}

/// More text than an unscaled window holds goes both ways, and nothing is misunderstood.
fn talk(ends: &mut [Connection; 2], mut now: Instant) {
    let mut wires = [Vec::new(), Vec::new()];
    let (mut left, mut got) = ([200_000usize; 2], [0; 2]);
    for _ in 0..2000 {
        now += ms(1);
        for end in [0, 1] {
            let mut actions = Vec::new();
            let mut batch = ends[end].batch(now, &mut actions);
            wires[end].drain(..).for_each(|segment: Segment| batch.segment(segment));
            let room = batch.writable().unwrap().min(left[end]);
            left[end] -= batch.send(&mut vec![7; room].into()).unwrap();
            drop(batch);
            let texts = actions.iter().map(|a| if let Action::Deliver(text) = a { text.len() } else { 0 });
            let octets = texts.sum();
            got[end] += octets;
            ends[end].handle(Event::Consume(octets), now, &mut actions).unwrap();
            wires[1 - end].extend(sent(actions));
        }
    }
    assert_eq!((got, left), ([200_000; 2], [0; 2]));
    assert_eq!(ends.each_ref().map(|end| end.info().counters.retransmissions), [0, 0]);
}

#[test]
fn rfc_4987_3_6_a_cookie_carries_the_options_of_the_syn() {
    let all = Config::builder();
    let configs = [
        all.build(),
        all.sack(false).build(),
        all.window_scaling(false).build(),
        all.timestamps(false).build(),
        all.max_mss(500).build(),
        all.receive_buffer(1 << 20).build(),
    ];
    for config in configs.map(Result::unwrap) {
        for start in [3, 63_999, 64_000] {
            let now = Instant::from_millis(start);
            let mut ends = by_cookie(config, 40, now);
            talk(&mut ends, now + ms(40));
        }
    }
}

/// RFC 9768 §5.1: the ACE field on the ACK of a cookie, 2 to 7, remembers that AccECN was agreed on; the SYN,ACK has told how
/// the SYN arrived, and 0 and 1 are those of clients that asked for no AccECN.
#[test]
fn rfc_9768_5_1_a_cookie_remembers_accurate_ecn_by_the_ace_field() {
    let (path, now) = (Path::ipv4(1500), Instant::from_millis(90));
    let ecn_bits = Flags::AE | Flags::CWR | Flags::ECE;
    let told = [Flags::CWR, Flags::CWR | Flags::ECE, Flags::AE, Flags::AE | Flags::CWR];
    for mode in [EcnMode::Off, EcnMode::Passive, EcnMode::Active, EcnMode::Accurate] {
        let server = Arc::new(Config::builder().ecn(mode).build().unwrap());
        let client = Arc::new(Config::builder().ecn(EcnMode::Accurate).build().unwrap());
        for (codepoint, told) in [Ecn::NotEct, Ecn::Ect1, Ecn::Ect0, Ecn::Ce].into_iter().zip(told) {
            let secrets = keys().secrets(&usual().reversed(), now, None);
            let (mut client, actions) = Connection::connect(client.clone(), path, secrets, now);
            let syn = Segment { ecn: codepoint, ..sent(actions).remove(0) };
            let answer = keys().cookie(&usual(), &syn, &server, path, now).expect("a cookie");
            let speaks = matches!(mode, EcnMode::Passive | EcnMode::Accurate);
            assert_eq!(answer.flags & ecn_bits, if speaks { told } else { Flags::empty() }, "{mode:?}");
            let actions = client.handle_segment(answer, now);
            assert_eq!(client.info().accurate_ecn.is_some(), speaks);
            let ack = sent(actions).remove(0);
            let text = sent(client.send(&mut "text".into(), now).unwrap()).remove(0);
            // the ACK, or text where the ACK was lost
            for first in [ack, text] {
                let found = keys().redeem(&usual(), &first, now).expect("our cookie");
                let (mut server, _) = Connection::accept(server.clone(), path, found.secrets, found.syn, found.sent);
                server.handle_segment(first, now);
                let info = server.info();
                assert_eq!((info.state, info.accurate_ecn.is_some()), (State::Established, speaks), "{mode:?}");
                assert_eq!(info.ecn, speaks);
                assert!(info.accurate_ecn.is_none_or(|told| told.ce_packets_out == 0));
            }
        }
        // every ACE field, whoever sends it
        let secrets = keys().secrets(&usual().reversed(), now, None);
        let (mut plain, actions) = Connection::connect(Arc::default(), path, secrets, now);
        let answer = keys().cookie(&usual(), &sent(actions)[0], &server, path, now).expect("a cookie");
        let ack = sent(plain.handle_segment(answer, now)).remove(0);
        for ace in 0..8u16 {
            let bits = Flags::from_bits_truncate(ace << 6);
            let ack = Segment { flags: ack.flags | bits, ..ack.clone() };
            let found = keys().redeem(&usual(), &ack, now).expect("our cookie");
            assert_eq!(found.syn.flags.contains(ecn_bits), ace >= 2, "{ace}");
        }
    }
}

#[test]
fn a_cookie_is_good_for_a_minute_and_for_its_flow_only() {
    let (keys, path, config) = (keys(), Path::ipv4(1500), Arc::new(Config::default()));
    let now = Instant::from_millis(200_000);
    let (mut client, actions) = Connection::connect(config.clone(), path, keys.secrets(&usual(), now, None), now);
    let answer = keys.cookie(&usual(), &sent(actions)[0], &config, path, now).unwrap();
    let ack = sent(client.handle_segment(answer, now)).remove(0);
    let good = |segment: &Segment, at| keys.redeem(&usual(), segment, at).is_some();
    assert!(good(&ack, now) && good(&ack, now + secs(50)) && !good(&ack, now + secs(129)));
    assert_eq!(keys.redeem(&flow("192.0.2.1:80", "198.51.100.7:49153"), &ack, now), None);
    assert_eq!(Keys::new(*b"drawn by another").redeem(&usual(), &ack, now), None);
    let changes: [fn(&mut Segment); 7] = [
        |s| s.ack += 1,
        |s| s.ack += 8,
        |s| s.seq += 1,
        |s| s.flags = Flags::ACK | Flags::RST,
        |s| s.flags = Flags::SYN,
        |s| s.options = None.into(),
        |s| s.options = Some(Timestamps { value: 1, echo: 1 }).into(),
    ];
    for change in changes {
        let mut other = ack.clone();
        change(&mut other);
        assert!(!good(&other, now), "{other}");
    }
    let rng = &mut Rng::new(1);
    let guesses = (0..100_000).map(|_| Segment { ack: SeqNum::new(rng.next() as u32), ..ack.clone() });
    assert_eq!(guesses.filter(|guess| good(guess, now)).count(), 0); // 28 bits of hash
}

#[test]
fn a_syn_with_a_tiny_mss_has_no_cookie() {
    let syn = |mss| Segment {
        flags: Flags::SYN,
        options: Options { mss: Some(mss), ..Options::default() }.into(),
        ..Segment::default()
    };
    let cookie = |mss| keys().cookie(&usual(), &syn(mss), &Arc::default(), Path::ipv4(1500), Instant::ZERO);
    assert!(cookie(215).is_none() && cookie(216).is_some());
}

/// Every port of the range is tried, wherever the counter stands: also where it wraps.
#[test]
fn no_port_of_the_range_is_left_out() {
    let (local, remote) = ("192.0.2.1".parse().unwrap(), "198.51.100.7:80".parse().unwrap());
    let mut ports = Ports::new(&keys(), 50_000..=50_009);
    for round in 0..7000 {
        let mut tried = BTreeSet::new();
        assert_eq!(ports.choose(&keys(), local, remote, |port| !tried.insert(port)), None);
        assert_eq!(tried.len(), 10, "{round}: {tried:?}");
        ports.choose(&keys(), local, remote, |_| true).unwrap();
    }
}
