//! Anything at all at an association: octets that attackers make, segments that no machine would make, authenticators of every length.

use segue::auth::{Association, Authenticator, Covered, MD5, Refusal, Rejected, Signature, TCP_AO, signature};
use segue::codec::{Fill, Packet, PseudoHeader, Verify, decode_raw};
use segue::{Flags, Segment, SeqNum};
use segue_kit::Rng;

use super::options::there;

/// Reads all that there is to read of a segment, and accepts or refuses whatever it is.
#[derive(Clone, PartialEq, Debug)]
struct Wild {
    space: u8,
    accepts: bool,
    judged: u32,
}

/// Octets of everything that a MAC or a key may cover.
fn read_all(segment: &Covered<'_>) -> usize {
    let (mut octets, option) = (0, segment.option());
    let mut put = |piece: &[u8]| octets += piece.len();
    segment.md5_input(&mut put);
    segment.ao_input(option, true, &mut put);
    segment.ao_input(option, false, &mut put);
    segment.context(&mut put);
    segment.kdf_input(1, 128, &mut put);
    let _ = (segment.ports(), segment.flags(), segment.opens(), segment.isns(), segment.sne(), segment.signature());
    octets
}

impl Authenticator for Wild {
    fn space(&self) -> u8 {
        self.space
    }

    fn sign(&mut self, segment: &Covered<'_>, option: &mut [u8]) {
        assert!(read_all(segment) > 0 && option.len() == usize::from(self.space));
        let length = self.space;
        if let [kind, len, ..] = option {
            (*kind, *len) = (if length == 18 { MD5 } else { TCP_AO }, length);
        }
    }

    fn verify(&mut self, segment: &Covered<'_>) -> Result<(), Refusal> {
        self.judged += 1;
        assert!(read_all(segment) > 0);
        match segment.signature() {
            Some(Signature::TcpAo { mac, .. }) => assert!(mac.len() <= 36),
            Some(Signature::Md5(_)) => {}
            None => panic!("nothing to judge"),
        }
        if self.accepts { Ok(()) } else { Err(Refusal::Signature) }
    }
}

/// Octets that are mostly no segment, often one with an option of a signature somewhere, of this length or another.
fn octets(rng: &mut Rng, space: u8) -> Vec<u8> {
    let mut octets: Vec<u8> = (0..rng.below(90)).map(|_| rng.next() as u8).collect();
    let len = octets.len();
    if len > 20 {
        octets[12] = (5 + rng.below(11) as u8) << 4;
        if rng.chance(700) {
            let at = 20 + rng.below(len as u32 - 20) as usize;
            octets[20..at].fill(1);
            octets[at] = rng.pick(&[MD5, TCP_AO]);
            if at + 1 < len {
                octets[at + 1] = if rng.chance(500) { space } else { rng.below(42) as u8 };
            }
        }
    }
    octets
}

fn segment(rng: &mut Rng) -> Packet {
    let segment = Segment {
        seq: SeqNum::new(rng.next() as u32),
        ack: SeqNum::new(rng.next() as u32),
        flags: Flags::from_bits_truncate(rng.below(512) as u16),
        payload: vec![0; rng.below(100) as usize].into(),
        ..Segment::default()
    };
    Packet { src_port: 1, dst_port: 2, segment }
}

/// Nothing panics; no more than one judgment for each segment that comes, none for what has no single well-formed signature; what is
/// refused changes nothing; what leaves has a header of whole words within 60 octets, with a signature in it or as a reset.
#[test]
fn a_hostile_network_finds_no_way_around_the_judgment() {
    let mut rng = Rng::new(1);
    let (mut accepted, mut refused, mut signed, mut left, mut held) = (0, 0, 0, 0, 0);
    for _ in 0..20_000 {
        let space = rng.below(60) as u8;
        let mut association = Association::new(Wild { space, accepts: rng.chance(750), judged: 0 });
        for _ in 0..20 {
            let addresses: PseudoHeader = there(rng.chance(500));
            let before = association.clone();
            match rng.below(3) {
                0 => {
                    let octets = octets(&mut rng, space);
                    let area = decode_raw(octets.clone().into(), Verify::ByHardware).map(|(_, area)| area);
                    let result = association.decode(addresses, octets.into(), Verify::ByHardware);
                    let judged = association.authenticator().judged - before.authenticator().judged;
                    let one = area.as_ref().is_ok_and(|area| matches!(signature(area.as_slice()), Ok(Some(_))));
                    assert!(judged <= u32::from(one));
                    if result.is_ok() {
                        assert!(judged == 1 && before.authenticator().accepts);
                        accepted += 1;
                    } else {
                        association.authenticator_mut().judged -= judged;
                        assert_eq!(association, before);
                        assert_eq!(matches!(result, Err(Rejected::Malformed(_))), area.is_err());
                        refused += 1;
                    }
                }
                1 => {
                    let mut octets = octets(&mut rng, space);
                    let len = octets.len();
                    if association.sign_octets(addresses, &mut octets) == Ok(true) {
                        assert_eq!(octets.len(), len);
                        let (_, area) =
                            decode_raw(octets.into(), Verify::Now(addresses)).expect("its checksum is right");
                        let Ok(Some(found)) = signature(area.as_slice()) else { panic!("no signature") };
                        let octets = match found {
                            Signature::TcpAo { mac, .. } => 4 + mac.len(),
                            Signature::Md5(_) => 18,
                        };
                        assert_eq!(octets, usize::from(space));
                        signed += 1;
                    }
                }
                _ => {
                    let packet = segment(&mut rng);
                    let by_hardware = rng.chance(500);
                    let fill = if by_hardware { Fill::ByHardware(addresses) } else { Fill::Now(addresses) };
                    match association.header(addresses, &packet, fill) {
                        Ok(header) => {
                            let len = header.as_slice().len();
                            assert!((20..=60).contains(&len) && len % 4 == 0);
                            let bare = len == 20;
                            assert!(!bare || space == 0 || packet.segment.flags.contains(Flags::RST));
                            left += 1;
                        }
                        Err(_) => held += 1,
                    }
                    assert!(space <= 40 || association.ours().is_none() || before.ours().is_some());
                }
            }
        }
    }
    let all = [accepted, refused, signed, left, held];
    assert!(all.iter().all(|count| *count > 500), "{all:?}");
}
