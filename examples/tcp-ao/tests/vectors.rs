//! The test vectors of RFC 9235, all 32 packets in both directions, and the 29 numbers of RFC 9187 §6.

use bytes::Bytes;
use segue::auth::{Association, Authenticator, Covered, Extension, Refusal, Rejected, Signature};
use segue::codec::{PseudoHeader, Verify, checksum, decode_raw};
use segue::ip::{self, Datagram, Format, Ignored};
use segue::{Flags, SeqNum};
use segue_tcp_ao::{Algorithm, MasterKeyTuple, TcpAo};

struct Vector {
    section: &'static str,
    by_client: bool,
    key: Vec<u8>,
    datagram: Vec<u8>,
    mac: Vec<u8>,
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal")).collect()
}

fn vectors() -> Vec<Vector> {
    let lines = include_str!("rfc9235.txt").lines().filter(|line| !line.starts_with('#'));
    let vectors: Vec<_> = lines
        .map(|line| {
            let [section, sender, key, datagram, mac] = line.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            let by_client = sender == "client";
            Vector { section, by_client, key: hex(key), datagram: hex(datagram), mac: hex(mac) }
        })
        .collect();
    assert_eq!(vectors.len(), 32);
    vectors
}

/// The keys of one end in the sections with this name.
fn keys(section: &str, client: bool) -> TcpAo {
    let (send_id, recv_id) = if client { (61, 84) } else { (84, 61) };
    let algorithm = if section.starts_with(['4', '6']) { Algorithm::HmacSha1 } else { Algorithm::Aes128Cmac };
    let covers_options = section.chars().nth(2) == Some('1');
    TcpAo::new(MasterKeyTuple { send_id, recv_id, algorithm, covers_options, key: b"testvector".to_vec() })
}

/// The four packets of each connection, in their order.
fn connections() -> Vec<Vec<Vector>> {
    let mut all = vectors();
    let mut connections = Vec::new();
    while !all.is_empty() {
        connections.push(all.drain(..4).collect());
    }
    connections
}

/// Addresses and octets of TCP, whatever is in them.
fn payload(datagram: &[u8]) -> (PseudoHeader, Bytes) {
    let mut taken = None;
    let _ = ip::decode_by(Bytes::copy_from_slice(datagram), Format::default(), |addresses, octets, verify| {
        assert_eq!(verify, Verify::Now(addresses));
        taken = Some((addresses, octets));
        Err(Ignored::Malformed)
    });
    taken.expect("a datagram with TCP")
}

/// The same octets with the right checksum: those of the RFC's packets over IPv4 are wrong, all of them; TCP-AO does not cover
/// the checksum.
fn mended(addresses: PseudoHeader, octets: &Bytes) -> Bytes {
    let mut octets = octets.to_vec();
    octets[16..18].fill(0);
    let sum = checksum(addresses, &octets).expect("short enough");
    octets[16..18].copy_from_slice(&sum.to_be_bytes());
    octets.into()
}

/// Each end signs its packets as they stand in the RFC, octet for octet, and takes those of the other.
#[test]
fn rfc_9235_all_packets_in_both_directions() {
    for packets in connections() {
        let section = packets[0].section;
        let mut ends = [true, false].map(|client| Association::new(keys(section, client)));
        for vector in &packets {
            let (sender, receiver) = if vector.by_client { (0, 1) } else { (1, 0) };
            let (addresses, octets) = payload(&vector.datagram);
            let right = mended(addresses, &octets);
            assert_eq!(octets == right, section.starts_with(['6', '7']));
            let octets = right;
            let mut signed = octets.to_vec();
            let (_, area) = decode_raw(octets.clone(), Verify::Now(addresses)).expect("a right checksum");
            let at = 20 + area.as_slice().windows(4).position(|w| w[..2] == [29, 16]).expect("TCP-AO");
            assert_eq!(signed[at + 4..at + 16], vector.mac, "{}", vector.section);
            signed[at + 2..at + 16].fill(0xEE);
            signed[16..18].fill(0xEE);
            assert_eq!(ends[sender].sign_octets(addresses, &mut signed), Ok(true));
            assert_eq!(signed, octets, "{} has another MAC", vector.section);
            let before = ends[receiver].clone();
            for bit in 0..octets.len() * 8 {
                let mut wrong = octets.to_vec();
                wrong[bit / 8] ^= 1 << (bit % 8);
                let option = 20..at; // of the TCP options, TCP-AO alone counts where the others are left out
                let covered = section.chars().nth(2) == Some('1') || !option.contains(&(bit / 8));
                let taken = ends[receiver].clone().decode(addresses, wrong.into(), Verify::ByHardware);
                let checksum = (16..18).contains(&(bit / 8));
                assert!(checksum || !covered || taken.is_err(), "{}: bit {bit}", vector.section);
            }
            assert_eq!(ends[receiver], before);
            let packet = ends[receiver].decode(addresses, octets.clone(), Verify::Now(addresses)).expect("a right MAC");
            let front = vector.datagram.len() - octets.len();
            let datagram = [&vector.datagram[..front], &octets].concat();
            let decoded = ip::decode(datagram.into(), Format::default());
            assert_eq!(decoded, Ok(Datagram::Tcp(addresses, packet)));
        }
    }
}

/// What segue encodes by itself where the RFC has the same order of options: all packets but the SYNs.
#[test]
fn rfc_9235_packets_without_syn_come_out_of_the_encoder() {
    let mut same = 0;
    for packets in connections() {
        let mut ends = [true, false].map(|client| Association::new(keys(packets[0].section, client)));
        for vector in &packets {
            let (sender, receiver) = if vector.by_client { (0, 1) } else { (1, 0) };
            let (addresses, octets) = payload(&vector.datagram);
            let octets = mended(addresses, &octets);
            let packet = ends[receiver].decode(addresses, octets.clone(), Verify::Now(addresses)).expect("a right MAC");
            let fill = segue::codec::Fill::Now(addresses);
            let header = ends[sender].header(addresses, &packet, fill).expect("it has room");
            if packet.segment.flags.contains(Flags::SYN) {
                assert_eq!(header.as_slice().len(), 56);
                continue;
            }
            assert_eq!([header.as_slice(), &packet.segment.payload].concat(), octets, "{}", vector.section);
            same += 1;
        }
    }
    assert_eq!(same, 16);
}

/// The traffic keys.
#[test]
fn rfc_9235_traffic_keys() {
    /// Derives the key that the peer of a segment uses, and takes everything.
    #[derive(Clone)]
    struct Derives(Algorithm, Vec<u8>);
    impl Authenticator for Derives {
        fn space(&self) -> u8 {
            16
        }
        fn sign(&mut self, _: &Covered<'_>, option: &mut [u8]) {
            option[..2].copy_from_slice(&[29, 16]);
        }
        fn verify(&mut self, segment: &Covered<'_>) -> Result<(), Refusal> {
            assert!(matches!(segment.signature(), Some(Signature::TcpAo { mac: [_, ..], .. })));
            self.1 = self.0.traffic_key(b"testvector", segment).as_slice().to_vec();
            Ok(())
        }
    }
    for packets in connections() {
        let algorithm =
            if packets[0].section.starts_with(['4', '6']) { Algorithm::HmacSha1 } else { Algorithm::Aes128Cmac };
        let mut ends = [0, 1].map(|_| Association::new(Derives(algorithm, Vec::new())));
        for vector in &packets {
            let (sender, receiver) = if vector.by_client { (0, 1) } else { (1, 0) };
            let (addresses, octets) = payload(&vector.datagram);
            assert_eq!(ends[sender].sign_octets(addresses, &mut octets.to_vec()), Ok(true));
            ends[receiver].decode(addresses, octets, Verify::ByHardware).expect("taken");
            assert_eq!(ends[receiver].authenticator().1, vector.key, "{}", vector.section);
        }
    }
}

/// RFC 9187 §6, its numbers in their order: the least significant half gives the other.
#[test]
fn rfc_9187_6_validation_suite() {
    const SUITE: [(u32, u32); 29] = [
        (0, 0x0000_0000),
        (0, 0x3000_0000),
        (0, 0x9000_0000),
        (0, 0x7000_0000),
        (0, 0xa000_0000),
        (1, 0x0000_0001),
        (0, 0xe000_0000),
        (1, 0x0000_0000),
        (1, 0x7fff_ffff),
        (1, 0x0000_0000),
        (1, 0x5000_0000),
        (1, 0x8000_0000),
        (1, 0x0000_0001),
        (1, 0x4000_0000),
        (1, 0x9000_0000),
        (1, 0xb000_0000),
        (2, 0x0fff_ffff),
        (2, 0x2000_0000),
        (2, 0x9000_0000),
        (2, 0x7000_0000),
        (2, 0xA000_0000),
        (3, 0x0000_4000),
        (2, 0xD000_0000),
        (3, 0x2000_0000),
        (3, 0x9000_0000),
        (3, 0x7000_0000),
        (3, 0xA000_0000),
        (4, 0x0000_4000),
        (3, 0xD000_0000),
    ];
    let mut extension = Extension::new(SeqNum::new(0));
    for (sne, seq) in SUITE {
        assert_eq!(extension.sne(SeqNum::new(seq)), sne, "{seq:#x}");
        extension.note(SeqNum::new(seq));
    }
}

/// Every other wrong thing that RFC 9235 §8 warns of changes the MAC: here that a MAC of one section fits another.
#[test]
fn rfc_9235_8_algorithms_and_flags_are_no_matter_of_taste() {
    for vector in vectors().iter().filter(|vector| vector.section.ends_with(".1")) {
        let (addresses, octets) = payload(&vector.datagram);
        for section in ["4.1", "4.2", "5.1", "5.2"] {
            let same = (section.starts_with('4') == vector.section.starts_with(['4', '6']))
                && section.chars().nth(2) == vector.section.chars().nth(2);
            let taken = Association::new(keys(section, false)).decode(addresses, octets.clone(), Verify::ByHardware);
            match taken {
                Ok(_) => assert!(same, "{} as {section}", vector.section),
                Err(error) => assert_eq!((error, same), (Rejected::Refused(Refusal::Signature), false)),
            }
        }
    }
}

/// RFC 5926 §3.1.1.2: a master key of 128 bits is used as it is, any other is made one by AES-CMAC with a key of zeros: so that of the
/// vectors and the 16 octets that it becomes have the same MACs, and the next longer key has others.
#[test]
fn rfc_5926_3_1_1_2_a_master_key_of_128_bits_is_used_as_it_is() {
    use cmac::{Cmac, KeyInit, Mac};
    let mut extract = Cmac::<aes::Aes128>::new(&[0; 16].into());
    extract.update(b"testvector");
    let extracted: [u8; 16] = extract.finalize().into_bytes().into();
    let with = |section: &str, key: &[u8]| {
        let tuple = keys(section, false).current().clone();
        Association::new(TcpAo::new(MasterKeyTuple { key: key.to_vec(), ..tuple }))
    };
    let mut seen = 0;
    for vector in vectors().iter().filter(|vector| vector.section.starts_with(['5', '7']) && vector.by_client) {
        let (addresses, octets) = payload(&vector.datagram);
        if octets[13] & 0x12 != 0x02 {
            continue; // the SYNs are enough
        }
        let takes =
            |key: &[u8]| with(vector.section, key).decode(addresses, octets.clone(), Verify::ByHardware).is_ok();
        assert!(takes(b"testvector") && takes(&extracted), "{}", vector.section);
        assert!(!takes(&extracted[..15]) && !takes(&[&extracted[..], &[0]].concat()));
        seen += 1;
    }
    assert_eq!(seen, 4);
}

/// RFC 5926 §3.1, RFC 2385 §4.5: any octets of any length are a key, ASCII among them; one that differs in the last octet is
/// another key.
#[test]
fn rfc_5926_3_1_any_octets_are_a_master_key() {
    use segue::codec::{Fill, Packet};
    use segue::{Flags, Segment};
    use segue_tcp_ao::{Keys, TcpMd5};
    let there = PseudoHeader::new("192.0.2.1".parse().unwrap(), "198.51.100.7".parse().unwrap()).unwrap();
    let kinds = [Some(Algorithm::HmacSha1), Some(Algorithm::Aes128Cmac), None];
    for (len, algorithm) in (0..=100u8).flat_map(|len| kinds.map(|kind| (len, kind))) {
        let with = |key: Vec<u8>, send_id, recv_id| {
            Association::new(match algorithm {
                Some(algorithm) => {
                    Keys::Ao(TcpAo::new(MasterKeyTuple { send_id, recv_id, algorithm, covers_options: true, key }))
                }
                None => Keys::Md5(TcpMd5::new(key)),
            })
        };
        let key: Vec<u8> = (0..len).map(|at| b' ' + at % 95).collect();
        let mut other = key.clone();
        other.pop();
        let segment = Segment { seq: SeqNum::new(5), flags: Flags::SYN, ..Segment::default() };
        let packet = Packet { src_port: 5, dst_port: 179, segment };
        let header = with(key.clone(), 1, 2).header(there, &packet, Fill::Now(there)).expect("it has room");
        let octets = Bytes::copy_from_slice(header.as_slice());
        let taken = |key| with(key, 2, 1).decode(there, octets.clone(), Verify::Now(there));
        assert_eq!(taken(key), Ok(packet.clone()), "{len}");
        if len > 0 {
            assert_eq!(taken(other), Err(Rejected::Refused(Refusal::Signature)), "{len}");
        }
    }
}
