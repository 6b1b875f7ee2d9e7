//! The options of signatures: where they stand, of which lengths they are, and what is refused before any work on keys.

use segue::auth::{Association, Authenticator, Covered, MD5, Refusal, Rejected, Signature, TCP_AO, signature};
use segue::codec::{EncodeError, Fill, Packet, PseudoHeader, Verify, decode, decode_raw};
use segue::{AccEcn, Ecn, FastOpenCookie, Flags, Options, SackBlock, Segment, SeqNum, Timestamps};
use segue_kit::Rng;

/// A sum in the place of a MAC, in an option of `space` octets: TCP MD5 where there are 18, else TCP-AO with the numbers 61 and 84.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Sum {
    pub(super) key: u64,
    pub(super) space: u8,
    /// Segments that came to be judged.
    pub(super) judged: u32,
}

impl Sum {
    pub(super) fn new(key: u64, space: u8) -> Self {
        Self { key, space, judged: 0 }
    }

    fn write(&self, segment: &Covered<'_>, option: &mut [u8]) {
        let space = self.space;
        let front: &[u8] = if space == 18 { &[MD5, 18] } else { &[TCP_AO, space, 61, 84] };
        let (fixed, mac) = option.split_at_mut(front.len());
        fixed.copy_from_slice(front);
        let mut sum = self.key;
        let mut put = |octets: &[u8]| {
            octets
                .iter()
                .for_each(|octet| sum = (sum ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01B3).rotate_left(17));
        };
        if space == 18 {
            segment.md5_input(&mut put);
        } else {
            segment.context(&mut put); // in the place of a traffic key
            segment.ao_input(fixed, true, &mut put);
        }
        let sum = sum.to_be_bytes();
        mac.iter_mut().enumerate().for_each(|(at, octet)| *octet = sum[at % 8]);
    }
}

impl Authenticator for Sum {
    fn space(&self) -> u8 {
        self.space
    }

    fn sign(&mut self, segment: &Covered<'_>, option: &mut [u8]) {
        assert!(option.iter().all(|octet| *octet == 0) && segment.option() == option);
        self.write(segment, option);
    }

    fn verify(&mut self, segment: &Covered<'_>) -> Result<(), Refusal> {
        self.judged += 1;
        assert!(segment.signature().is_some());
        let mut right = [0; 40];
        self.write(segment, &mut right[..usize::from(self.space)]);
        if segment.option() == &right[..usize::from(self.space)] { Ok(()) } else { Err(Refusal::Signature) }
    }
}

pub(super) fn there(v6: bool) -> PseudoHeader {
    let (a, b) = if v6 { ("2001:db8::1", "2001:db8::2") } else { ("192.0.2.1", "198.51.100.7") };
    PseudoHeader::new(a.parse().unwrap(), b.parse().unwrap()).unwrap()
}

/// A segment of any kind with any options, which perhaps do not fit.
fn any(rng: &mut Rng) -> Packet {
    let octets = |rng: &mut Rng| rng.next() as u32;
    let mut options = Options {
        mss: rng.chance(300).then(|| octets(rng) as u16),
        window_scale: rng.chance(300).then(|| octets(rng) as u8),
        sack_permitted: rng.chance(300),
        timestamps: rng.chance(700).then(|| Timestamps { value: octets(rng), echo: octets(rng) }),
        user_timeout: rng.chance(200).then(|| octets(rng) as u16),
        fast_open: FastOpenCookie::new(&[7; 16][..[0, 4, 6, 8, 16][rng.below(5) as usize]]).filter(|_| rng.chance(200)),
        acc_ecn: AccEcn::order_0(&[1, 2, 3][..rng.below(4) as usize]).filter(|_| rng.chance(200)),
        ..Options::default()
    };
    for _ in 0..rng.pick(&[0, 0, 1, 2, 3, 4]) {
        options.sack.push(SackBlock { left: SeqNum::new(octets(rng)), right: SeqNum::new(octets(rng)) });
    }
    let flags = rng.pick(&[Flags::SYN, Flags::SYN | Flags::ACK, Flags::ACK, Flags::ACK | Flags::FIN, Flags::RST]);
    let (seq, ack) = (SeqNum::new(octets(rng)), SeqNum::new(octets(rng)));
    let text = vec![octets(rng) as u8; rng.pick(&[0, 1, 2, 3, 1000])];
    let segment =
        Segment { seq, ack, flags, window: 77, options: options.into(), payload: text.into(), ..Segment::default() };
    Packet { src_port: 50_000, dst_port: 179, segment }
}

/// Both ends know both numbers.
fn associated(space: u8, v6: bool) -> [Association<Sum>; 2] {
    let mut ends = [Association::new(Sum::new(5, space)), Association::new(Sum::new(5, space))];
    let (there, back) = (there(v6), there(v6).reversed());
    let segment =
        |seq, ack, flags| Segment { seq: SeqNum::new(seq), ack: SeqNum::new(ack), flags, ..Segment::default() };
    let (client, server) = (u32::MAX - 5, 99);
    let there = |segment| (there, Packet { src_port: 50_000, dst_port: 179, segment });
    let back = |segment| (back, Packet { src_port: 179, dst_port: 50_000, segment });
    let syn_ack = Flags::SYN | Flags::ACK;
    for (from, (addresses, packet)) in [
        (0, there(segment(client, 0, Flags::SYN))),
        (1, back(segment(server, client.wrapping_add(1), syn_ack))),
        (0, there(segment(client.wrapping_add(1), server + 1, Flags::ACK))),
    ] {
        let header = ends[from].header(addresses, &packet, Fill::Now(addresses)).unwrap();
        let octets = header.as_slice().to_vec();
        assert_eq!(ends[1 - from].decode(addresses, octets.into(), Verify::Now(addresses)), Ok(packet));
    }
    ends
}

/// Whatever options there are beside it, the signature stands behind them, in an area of whole words that fits; the same packet
/// comes back, and what does not fit has no form.
#[test]
fn the_signature_stands_behind_all_other_options() {
    let mut rng = Rng::new(1);
    let (mut fit, mut tight) = (0, 0);
    for round in 0..30_000 {
        let space = [4, 5, 16, 18, 20, 23, 40][round % 7];
        let v6 = rng.chance(500);
        let packet = any(&mut rng);
        let mut ends = associated(space, v6);
        let addresses = there(v6);
        let options = packet.segment.options.get();
        let room = 40 - usize::from(space).next_multiple_of(4);
        match ends[0].header(addresses, &packet, Fill::Now(addresses)) {
            Ok(header) => {
                assert!(header.as_slice().len() <= 60);
                let octets = [header.as_slice(), &packet.segment.payload].concat();
                let (decoded, area) = decode_raw(octets.clone().into(), Verify::Now(addresses)).unwrap();
                assert_eq!(decoded, packet);
                let found = area.iter().last().unwrap().unwrap();
                assert_eq!(
                    (usize::from(space), found.kind),
                    (found.data.len() + 2, if space == 18 { MD5 } else { TCP_AO })
                );
                assert!(signature(area.as_slice()).unwrap().is_some());
                assert!(area.iter().all(|option| option.is_ok()));
                if !packet.segment.flags.contains(Flags::SYN) {
                    let taken = ends[1].decode(addresses, octets.into(), Verify::Now(addresses));
                    assert_eq!(taken, Ok(packet));
                }
                fit += 1;
            }
            Err(EncodeError::OptionsTooLong { len }) => {
                assert!(len > 40 && options.wire_len() > room, "{options:?} beside {space}");
                tight += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(fit > 10_000 && tight > 1000, "{fit} {tight}");
}

/// RFC 5925 §2.2, RFC 2385 §3: each length of either option at each place. Only TCP-AO with 4 octets or more and TCP MD5 with 18 that
/// end within the header are signatures; everything else that has their kind is refused before any work on keys.
#[test]
fn rfc_5925_2_2_length_is_checked_first() {
    for words in 0..=10usize {
        for at in 0..words * 4 {
            for kind in [TCP_AO, MD5] {
                for length in 0..=255u8 {
                    let mut area = vec![1; words * 4]; // NOP
                    area[at] = kind;
                    let has_length = at + 1 < area.len();
                    if has_length {
                        area[at + 1] = length;
                    }
                    let within = has_length && usize::from(length) <= area.len() - at;
                    let good = within && if kind == MD5 { length == 18 } else { length >= 4 };
                    let expected = match (good, kind) {
                        (false, _) => Err(Refusal::Malformed),
                        (true, MD5) => Ok(Some(Signature::Md5(area[at + 2..at + 18].try_into().unwrap()))),
                        (true, _) => {
                            let mac = &area[at + 4..at + usize::from(length)];
                            Ok(Some(Signature::TcpAo { key_id: area[at + 2], rnext_key_id: area[at + 3], mac }))
                        }
                    };
                    assert_eq!(signature(&area), expected, "{area:?}");
                }
            }
        }
    }
}

fn judge(area: &[u8], space: u8) -> (Result<Packet, Rejected>, u32) {
    let mut octets = vec![0; 20];
    octets[12] = ((5 + area.len() as u8 / 4) << 4) | ((Flags::ACK.bits() >> 8) as u8);
    octets[13] = Flags::ACK.bits() as u8;
    octets.extend_from_slice(area);
    let [_, mut end] = associated(space, false);
    let (before, judged) = (end.clone(), end.authenticator().judged);
    let result = end.decode(there(false), octets.into(), Verify::ByHardware);
    let judged = end.authenticator().judged - judged;
    end.authenticator_mut().judged -= judged;
    assert_eq!(end, before);
    (result, judged)
}

/// RFC 5925 §2.2: more than one TCP-AO, and both options, are refused before any work on keys; so is none.
#[test]
fn rfc_5925_2_2_one_signature_at_the_most() {
    let ao = [29, 16, 61, 84, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    let md5 = [&[19, 18][..], &[7; 16], &[1, 1]].concat();
    let refused = |refusal| Err(Rejected::Refused(refusal));
    for space in [16, 18] {
        assert_eq!(judge(&[], space), (refused(Refusal::Missing), 0));
        assert_eq!(judge(&[8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1], space), (refused(Refusal::Missing), 0));
        assert_eq!(judge(&[0, 29, 4, 1], space), (refused(Refusal::Missing), 0), "behind the end of the list");
        assert_eq!(judge(&[253, 1, 29, 4], space), (refused(Refusal::Missing), 0), "behind a malformed option");
        assert_eq!(judge(&[ao, ao].concat(), space), (refused(Refusal::Several), 0));
        assert_eq!(judge(&[&ao[..], &md5].concat(), space), (refused(Refusal::Several), 0));
        assert_eq!(judge(&[&md5[..], &ao].concat(), space), (refused(Refusal::Several), 0));
        assert_eq!(judge(&[&md5[..], &md5].concat(), space), (refused(Refusal::Several), 0));
        assert_eq!(judge(&[29, 3, 0, 0], space), (refused(Refusal::Malformed), 0));
        assert_eq!(judge(&ao, space), (refused(Refusal::Signature), 1));
    }
}

/// RFC 5925 §7.3: the checksum is looked at first.
#[test]
fn rfc_5925_7_3_the_checksum_comes_before_the_signature() {
    let [mut one, mut other] = associated(16, false);
    let segment = Segment { flags: Flags::ACK, ..Segment::default() };
    let packet = Packet { src_port: 50_000, dst_port: 179, segment };
    let addresses = there(false);
    let mut octets = one.header(addresses, &packet, Fill::Now(addresses)).unwrap().as_slice().to_vec();
    octets[30] ^= 1;
    let judged = other.authenticator().judged;
    let error = other.decode(addresses, octets.clone().into(), Verify::Now(addresses)).unwrap_err();
    assert_eq!(error, Rejected::Malformed(decode(octets.into(), Verify::Now(addresses)).unwrap_err()));
    assert_eq!(other.authenticator().judged, judged);
}

/// Of a value that stands for several segments each would need a signature: neither software nor hardware cuts it.
#[test]
fn several_segments_in_one_value_are_not_signed() {
    let [mut one, _] = associated(16, false);
    let segment = Segment { flags: Flags::ACK, segment_size: 10, payload: vec![0; 25].into(), ..Segment::default() };
    let packet = Packet { src_port: 50_000, dst_port: 179, segment };
    for fill in [Fill::Now(there(false)), Fill::ByHardware(there(false))] {
        assert_eq!(one.header(there(false), &packet, fill).unwrap_err(), EncodeError::NotSplit { segment_size: 10 });
    }
    for piece in segue::codec::split_packet(packet) {
        assert!(one.header(there(false), &piece, Fill::ByHardware(there(false))).is_ok());
    }
}

/// The hardware completes the checksum of a signed segment as of any other.
#[test]
fn hardware_completes_the_checksum_of_signed_segments() {
    let [one, mut other] = associated(16, true);
    let addresses = there(true);
    let segment = Segment { flags: Flags::ACK, payload: "text".into(), ecn: Ecn::NotEct, ..Segment::default() };
    let packet = Packet { src_port: 50_000, dst_port: 179, segment };
    let octets = |fill| [one.clone().header(addresses, &packet, fill).unwrap().as_slice(), b"text"].concat();
    let (now, mut later) = (octets(Fill::Now(addresses)), octets(Fill::ByHardware(addresses)));
    assert_eq!((&now[..16], &now[18..]), (&later[..16], &later[18..]));
    let sum = {
        let mut sum = segue::codec::Sum::new();
        sum.add(&later);
        sum.checksum()
    };
    later[16..18].copy_from_slice(&sum.to_be_bytes());
    assert_eq!(now, later);
    assert_eq!(other.decode(addresses, later.into(), Verify::Now(addresses)), Ok(packet));
}
