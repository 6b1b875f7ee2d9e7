//! The algorithms of RFC 5926: one function that derives keys, one that makes MACs, in each of two pairs.
//!
//! HMAC-SHA256-128 is left out: no RFC defines it. draft-ietf-tcpm-tcp-ao-algs derives traffic keys by HKDF, Linux by the
//! construction of RFC 5926, so that the two refuse each other, and neither has published vectors. Who needs one of them adds a
//! value to [`Algorithm`] and a length to its MAC: `TcpAo::space` is 20 then, which takes an `option_space` of 20.

use aes::Aes128;
use cmac::Cmac;
use hmac::{Hmac, KeyInit, Mac};
use segue::auth::Covered;
use sha1::Sha1;

/// Octets of a MAC: both are cut to 96 bits (RFC 5926 §3.2).
pub const MAC_LEN: usize = 12;

/// The key derivation function and the MAC algorithm of a master key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Algorithm {
    /// KDF_HMAC_SHA1 and HMAC-SHA-1-96.
    #[default]
    HmacSha1,
    /// KDF_AES_128_CMAC and AES-128-CMAC-96.
    Aes128Cmac,
}

/// A key of one direction of one connection.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TrafficKey(Vec<u8>);

impl TrafficKey {
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

/// Keys are not shown.
impl std::fmt::Debug for TrafficKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TrafficKey(..)")
    }
}

impl Algorithm {
    /// The traffic key of the segment's source, for SYNs or for other segments (RFC 5926 §3.1.1).
    pub fn traffic_key(self, master: &[u8], segment: &Covered<'_>) -> TrafficKey {
        let input = |bits, put: &mut dyn FnMut(&[u8])| segment.kdf_input(1, bits, put); // one block is long enough
        TrafficKey(match self {
            Self::HmacSha1 => mac::<Hmac<Sha1>>(master, |put| input(160, put)),
            Self::Aes128Cmac if master.len() == 16 => mac::<Cmac<Aes128>>(master, |put| input(128, put)),
            Self::Aes128Cmac => {
                let key = mac::<Cmac<Aes128>>(&[0; 16], |put| put(master)); // RFC 5926 §3.1.1.2
                mac::<Cmac<Aes128>>(&key, |put| input(128, put))
            }
        })
    }

    /// The MAC of a segment whose option is `option` (RFC 5926 §3.2).
    pub fn mac(self, key: &TrafficKey, segment: &Covered<'_>, option: &[u8], covers_options: bool) -> [u8; MAC_LEN] {
        let input = |put: &mut dyn FnMut(&[u8])| segment.ao_input(option, covers_options, put);
        let whole = match self {
            Self::HmacSha1 => mac::<Hmac<Sha1>>(&key.0, input),
            Self::Aes128Cmac => mac::<Cmac<Aes128>>(&key.0, input),
        };
        *whole.first_chunk().expect("20 or 16 octets")
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], input: impl FnOnce(&mut dyn FnMut(&[u8]))) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("a key of this algorithm");
    input(&mut |octets| mac.update(octets));
    mac.finalize().into_bytes().to_vec()
}

/// Whether two MACs are equal, in a time that does not tell where they differ.
pub fn equal(one: &[u8], other: &[u8]) -> bool {
    let differs = one.iter().zip(other).fold(0, |differs, (a, b)| differs | (a ^ b));
    one.len() == other.len() && std::hint::black_box(differs) == 0
}
