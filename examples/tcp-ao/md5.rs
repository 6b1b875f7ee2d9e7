//! TCP MD5 (RFC 2385): for peers that know nothing better. MD5 is broken; use TCP-AO where the peer has it.

use hmac::digest::Digest;
use md5::Md5;
use segue::auth::{Authenticator, Covered, MD5, Refusal, Signature};

use super::algorithm::equal;

/// The key of one connection.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TcpMd5(Vec<u8>);

/// Keys are not shown.
impl std::fmt::Debug for TcpMd5 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TcpMd5(..)")
    }
}

impl TcpMd5 {
    /// A password, which routers keep to 80 printable octets (RFC 2385 §4.5).
    pub fn new(key: impl Into<Vec<u8>>) -> Self {
        Self(key.into())
    }

    fn digest(&self, segment: &Covered<'_>) -> [u8; 16] {
        let mut digest = Md5::new();
        segment.md5_input(&mut |octets| digest.update(octets));
        digest.update(&self.0);
        digest.finalize().into()
    }
}

impl Authenticator for TcpMd5 {
    fn space(&self) -> u8 {
        18
    }

    fn sign(&mut self, segment: &Covered<'_>, option: &mut [u8]) {
        let (fixed, digest) = option.split_at_mut(2);
        fixed.copy_from_slice(&[MD5, 18]);
        digest.copy_from_slice(&self.digest(segment));
    }

    fn verify(&mut self, segment: &Covered<'_>) -> Result<(), Refusal> {
        match segment.signature() {
            Some(Signature::Md5(digest)) if equal(&self.digest(segment), digest) => Ok(()),
            Some(Signature::Md5(_)) => Err(Refusal::Signature),
            Some(Signature::TcpAo { .. }) | None => Err(Refusal::OtherKind),
        }
    }
}
