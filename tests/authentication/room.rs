//! The octets of the option area that a connection leaves to its host (`option_space`).

use segue::{EcnMode, Event, Flags, Options, Path, SackBlock, Segment, Timer};
use segue_kit::rig::{ACK, At, RST, Rig, SYN};
use segue_kit::{reserved_options, secs};

/// Everything that takes room, beside `space` octets of the host.
fn at(space: u8) -> At {
    let at = At { mss: 1460, ..At::default() }.with_options();
    at.with(|config| config.option_space(space).user_timeout_option(true).ecn(EcnMode::Accurate).nagle(false))
}

fn check(rig: &Rig, space: u8) {
    let mtu = usize::from(rig.at.path.mtu);
    for segment in rig.sent() {
        let options = segment.options.wire_len() + reserved_options(&rig.at.config);
        assert!(options <= Options::MAX_WIRE_LEN, "with {space}: {options} octets of options on {segment}");
        let text = if segment.segment_size > 0 { usize::from(segment.segment_size) } else { segment.payload.len() };
        assert!(40 + options + text <= mtu, "with {space}: a packet of {} octets: {segment}", 40 + options + text);
    }
}

/// SYN, SYN,ACK, text, SACK with holes, DSACK, a challenge, a reset, a keep-alive: none has more than the rest of the area.
#[test]
fn option_space_leaves_room_on_every_segment() {
    for space in 0..=40 {
        for sizes in [0, 20_000] {
            let at = at(space).with(|config| config.max_transmit(sizes).keep_alive(true).send_buffer(200_000));
            check(&at.connect(), space);
            check(&at.crossed(), space);
            let mut rig = at.established();
            check(&rig, space);
            rig.send(50_000);
            assert!(rig.octets_sent() > 2000, "with {space}");
            check(&rig, space);
            for hole in 0..6 {
                rig.arrives(rig.text(101 + 20 * hole, 1, "0123456789"));
                check(&rig, space);
                rig.send(3000);
                check(&rig, space);
            }
            rig.arrives(rig.text(101, 1, "0123456789")); // DSACK
            check(&rig, space);
            rig.arrives(rig.seg(SYN, 1, 0)); // a challenge
            check(&rig, space);
            rig.fire_if(Timer::TailLossProbe);
            check(&rig, space);
            rig.fire(Timer::Retransmit);
            check(&rig, space);
            rig.handle(Event::Abort).unwrap();
            assert_eq!(rig.only().flags & RST, RST);
            check(&rig, space);
        }
        let mut idle = at(space).with(|config| config.keep_alive(true)).established();
        idle.fire_if(Timer::DelayedAck);
        idle.fire(Timer::KeepAlive);
        assert_eq!(idle.sent().len(), 1);
        check(&idle, space);
        let mut crossed = at(space).syn_received();
        crossed.arrives(crossed.seg(ACK, 1, 9)); // of nothing that was sent: a reset
        assert!(crossed.only().flags.contains(RST));
        check(&crossed, space);
    }
}

fn offered(space: u8) -> Options {
    let rig = at(space).with(|config| config.ecn(EcnMode::Off)).connect();
    rig.only().options.get()
}

/// What a SYN offers: all but the user timeout beside a signature of 16 to 20 octets; then the most useful.
#[test]
fn option_space_decides_what_a_syn_offers() {
    let names = |options: Options| {
        let mut names = Vec::new();
        names.extend(options.mss.map(|_| "mss"));
        names.extend(options.window_scale.map(|_| "scale"));
        names.extend(options.sack_permitted.then_some("sack"));
        names.extend(options.timestamps.map(|_| "stamps"));
        names.extend(options.user_timeout.map(|_| "timeout"));
        names.join(" ")
    };
    for (spaces, expected) in [
        (0..=16, "mss scale sack stamps timeout"),
        (17..=20, "mss scale sack stamps"),
        (21..=28, "mss scale sack"),
        (29..=32, "mss scale"),
        (33..=36, "mss"),
        (37..=40, ""),
    ] {
        for space in spaces {
            assert_eq!(names(offered(space)), expected, "with {space}");
        }
    }
}

/// What our SYN,ACK has no room for is not agreed on, though the peer's SYN offers it.
#[test]
fn option_space_decides_what_is_agreed_on() {
    for (space, stamps, sack, shift) in [
        (16, true, true, true),
        (20, true, true, true),
        (24, false, true, true),
        (32, false, false, true),
        (36, false, false, false),
    ] {
        let mut rig = at(space).with(|config| config.ecn(EcnMode::Off)).syn_received();
        let options = rig.only().options.get();
        assert_eq!((options.timestamps.is_some(), options.sack_permitted), (stamps, sack), "with {space}");
        assert_eq!(options.window_scale.is_some(), shift, "with {space}");
        let bare = |segment: Segment| Segment { options: Options::default().into(), ..segment };
        let ack = bare(rig.ack(1, 1));
        rig.arrives(if stamps { rig.ack(1, 1) } else { ack });
        let text = rig.text(101, 1, "0123456789");
        rig.arrives(if stamps { text } else { bare(text) });
        assert_eq!(rig.only().options.timestamps().is_some(), stamps, "with {space}");
        let has_room = !stamps || space <= 16;
        assert_eq!(!rig.only().options.sack().is_empty(), sack && has_room, "with {space}");
    }
}

/// RFC 5925 §7.6: 12 octets of timestamps and 16 of TCP-AO leave one SACK block; without timestamps there are two. TCP MD5
/// leaves two, and none beside timestamps: 20 octets would take one block only if neither option were aligned.
#[test]
fn rfc_5925_7_6_sack_blocks_beside_the_signature() {
    let blocks = |space: u8, stamps: bool| {
        let config = |config: segue::ConfigBuilder| config.option_space(space).timestamps(stamps);
        let mut rig = At::default().with_options().with(config).established();
        for hole in 0..5 {
            rig.arrives(rig.text(101 + 20 * hole, 1, "0123456789"));
        }
        let blocks: &[SackBlock] = rig.only().options.sack();
        blocks.len()
    };
    assert_eq!([blocks(0, true), blocks(0, false)], [3, 4]);
    assert_eq!([blocks(16, true), blocks(16, false)], [1, 2]);
    assert_eq!([blocks(18, true), blocks(18, false)], [0, 2]);
    assert_eq!([blocks(20, true), blocks(20, false)], [0, 2]);
    assert_eq!([blocks(28, true), blocks(28, false)], [1, 1]); // timestamps are not offered
}

/// RFC 5925 §2.2, RFC 6691: the MSS that we announce does not change, the text of a segment does; so does that of each
/// piece that the device cuts.
#[test]
fn rfc_5925_2_2_the_announced_mss_stays() {
    for (space, text) in [(0, 1448), (1, 1444), (16, 1432), (18, 1428), (20, 1428)] {
        let config = |config: segue::ConfigBuilder| config.option_space(space).max_transmit(60_000).sack(false);
        let at = At { mss: 1460, ..At::default() }.with_options().with(config);
        assert_eq!(at.connect().only().options.mss(), Some(1460));
        let mut rig = at.established();
        rig.send(10_000);
        assert_eq!(rig.sent()[0].segment_size, text);
        assert_eq!(rig.info().eff_snd_mss, text);
    }
}

/// A probe for a larger MTU and what ICMP says of sizes count the signature.
#[test]
fn option_space_counts_in_sizes_of_packets() {
    let config = |config: segue::ConfigBuilder| config.option_space(16).mtu_probe_max(9000).send_buffer(200_000);
    let at = At { mss: 8960, path: Path::ipv4(1500), ..At::default() }.with_options().with(config);
    let mut rig = at.established();
    for round in 0..40 {
        rig.send(20_000);
        let sent: Vec<Segment> = rig.sent().to_vec();
        for segment in &sent {
            let packet = 40 + segment.options.wire_len() + 16 + segment.payload.len();
            assert!(packet <= 9000, "{packet}");
            if packet > 1500 {
                assert_eq!(packet % 4, 0, "a probe of a size between: {packet}");
                return;
            }
        }
        rig.wait(secs(1));
        let end = sent.iter().map(Segment::end).max_by_key(|end| *end - rig.snd(0));
        let ack = end.map_or(1, |end| i64::from(end - rig.snd(0)));
        rig.peer_clock += 1000;
        rig.arrives(rig.ack(1, ack));
        assert!(round < 39, "no probe has left");
    }
}

/// An ICMP error about a packet with the signature on it is believed.
#[test]
fn option_space_counts_in_icmp_errors() {
    let at = At { mss: 1460, ..At::default() }.with_options().with(|config| config.option_space(16));
    let mut rig = at.established();
    rig.send(1432);
    let seq = rig.only().seq;
    let kind = segue::IcmpKind::PacketTooBig;
    rig.handle(Event::Icmp { kind, quoted_seq: seq, mtu: 1496 }).unwrap(); // less than 1500 only with the signature
    assert_eq!(rig.info().path_mtu, 1496);
    assert_eq!(rig.sent().iter().map(|segment| segment.payload.len()).max(), Some(1428));
    assert!(!rig.sent()[0].flags.contains(Flags::RST));
}
