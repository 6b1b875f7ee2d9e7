//! Signed segments, for the codec: options of signatures in any octets, and what is signed comes back.

use bytes::Bytes;
use segue::auth::{Association, Authenticator, Covered, MD5, Refusal, Rejected, Signature, TCP_AO, signature};
use segue::codec::{self, Fill, Packet, PseudoHeader, Verify};

/// A sum in the place of a MAC, in an option of `space` octets.
#[derive(Clone, PartialEq, Debug)]
struct Sum {
    space: u8,
}

impl Sum {
    fn write(&self, segment: &Covered<'_>, option: &mut [u8]) {
        let front: &[u8] = if self.space == 18 { &[MD5, 18] } else { &[TCP_AO, self.space, 1, 2] };
        let (fixed, mac) = option.split_at_mut(front.len());
        fixed.copy_from_slice(front);
        let mut sum = 7u64;
        let mut put =
            |octets: &[u8]| octets.iter().for_each(|o| sum = (sum ^ u64::from(*o)).wrapping_mul(0x100_0000_01B3));
        if self.space == 18 {
            segment.md5_input(&mut put)
        } else {
            segment.ao_input(fixed, true, &mut put)
        }
        mac.iter_mut().zip(sum.to_be_bytes().into_iter().cycle()).for_each(|(octet, sum)| *octet = sum);
    }
}

impl Authenticator for Sum {
    fn space(&self) -> u8 {
        self.space
    }

    fn sign(&mut self, segment: &Covered<'_>, option: &mut [u8]) {
        self.write(segment, option);
    }

    fn verify(&mut self, segment: &Covered<'_>) -> Result<(), Refusal> {
        let mut right = vec![0; usize::from(self.space)];
        self.write(segment, &mut right);
        if segment.option() == right { Ok(()) } else { Err(Refusal::Signature) }
    }
}

/// The signature of an area by a list of its own.
fn expected(area: &[u8]) -> Result<Option<Signature<'_>>, Refusal> {
    let (mut at, mut found) = (0, None);
    while at < area.len() && area[at] != 0 {
        if area[at] == 1 {
            at += 1;
            continue;
        }
        let of_signature = [MD5, TCP_AO].contains(&area[at]);
        let len = area.get(at + 1).map_or(0, |len| usize::from(*len));
        if len < 2 || at + len > area.len() {
            return if of_signature { Err(Refusal::Malformed) } else { Ok(found) };
        }
        let option = &area[at..at + len];
        if of_signature && found.is_some() {
            return Err(Refusal::Several);
        }
        found = match option {
            [MD5, _, digest @ ..] => Some(Signature::Md5(digest.try_into().map_err(|_| Refusal::Malformed)?)),
            [TCP_AO, _, key_id, rnext_key_id, mac @ ..] => {
                Some(Signature::TcpAo { key_id: *key_id, rnext_key_id: *rnext_key_id, mac })
            }
            [TCP_AO, ..] => return Err(Refusal::Malformed),
            _ => found,
        };
        at += len;
    }
    Ok(found)
}

/// Octets from the network, which are a segment: what is refused changes nothing, and no sum fits by chance.
pub(crate) fn received(octets: &Bytes, area: &[u8], pseudo: PseudoHeader) {
    assert_eq!(signature(area), expected(area));
    for space in [16, 18] {
        let fresh = Association::new(Sum { space });
        let mut association = fresh.clone();
        match association.decode(pseudo, octets.clone(), Verify::ByHardware) {
            Ok(_) => assert!(matches!(signature(area), Ok(Some(_)))),
            Err(Rejected::Refused(_)) => assert_eq!(association, fresh),
            Err(Rejected::Malformed(error)) => panic!("{error}"),
        }
        let mut signed = octets.to_vec();
        let length = octets.len();
        if fresh.clone().sign_octets(pseudo, &mut signed) == Ok(true) {
            assert_eq!(signed.len(), length);
            let taken = fresh.clone().decode(pseudo, signed.into(), Verify::Now(pseudo));
            assert!(taken.is_ok(), "{taken:?}");
        }
    }
}

/// A packet that is signed comes back, or has no room.
pub(crate) fn survives(packet: &Packet, pseudo: PseudoHeader) {
    for space in [4, 16, 18, 23, 40] {
        let fresh = Association::new(Sum { space });
        for piece in codec::split_packet(packet.clone()) {
            let Ok(header) = fresh.clone().header(pseudo, &piece, Fill::Now(pseudo)) else { continue };
            let octets = Bytes::from([header.as_slice(), &piece.segment.payload].concat());
            let (decoded, area) =
                codec::decode_raw(octets.clone(), Verify::Now(pseudo)).expect("its checksum is right");
            let unchanged = segue::Segment { ecn: piece.segment.ecn, ..decoded.segment };
            assert_eq!(unchanged.payload, piece.segment.payload);
            if matches!(signature(area.as_slice()), Ok(Some(_))) {
                let taken = fresh.clone().decode(pseudo, octets, Verify::Now(pseudo));
                assert!(taken.is_ok(), "{taken:?} {piece} {space}");
            }
        }
    }
}
