//! One segment in the octets that its signature covers.

use core::net::IpAddr;
use core::ops::Range;

use super::Signature;
use super::option::parse;
use crate::codec::PseudoHeader;
use crate::{Flags, SeqNum};

/// Octets of the header without options.
const FIXED: usize = 20;

/// The length of the MAC that TCP-AO's required algorithms give, and more: as many zeros as an option can have.
const ZEROS: [u8; 40] = [0; 40];

/// A segment as its signature covers it, on its way out or in: what an [`Authenticator`](super::Authenticator) gets.
///
/// "Source" is who sent the segment.
///
/// ```
/// use segue::auth::Covered;
/// /// The input of the MAC of TCP-AO, for an option with these numbers and a MAC of 12 octets.
/// fn input(segment: &Covered<'_>, key_id: u8, rnext_key_id: u8) -> Vec<u8> {
///     let mut input = Vec::new();
///     segment.ao_input(&[29, 16, key_id, rnext_key_id], true, &mut |octets| input.extend_from_slice(octets));
///     input
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Covered<'a> {
    pub(super) addresses: PseudoHeader,
    /// The header with its options, 20 to 60 octets.
    pub(super) header: &'a [u8],
    /// Where in the header the option of the signature stands.
    pub(super) place: Range<usize>,
    pub(super) text: &'a [u8],
    /// The initial sequence numbers of source and destination; 0 for the latter on a SYN without ACK.
    pub(super) isns: (SeqNum, SeqNum),
    pub(super) sne: u32,
}

impl<'a> Covered<'a> {
    /// The addresses, from the source to the destination.
    ///
    /// ```
    /// use segue::auth::Covered;
    /// fn is_local(segment: &Covered<'_>) -> bool {
    ///     segment.addresses().src().is_loopback()
    /// }
    /// ```
    pub const fn addresses(&self) -> PseudoHeader {
        self.addresses
    }

    /// The ports of source and destination.
    ///
    /// ```
    /// use segue::auth::Covered;
    /// fn is_bgp(segment: &Covered<'_>) -> bool {
    ///     segment.ports().0 == 179 || segment.ports().1 == 179
    /// }
    /// ```
    pub fn ports(&self) -> (u16, u16) {
        match self.header {
            [a, b, c, d, ..] => (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])),
            _ => (0, 0),
        }
    }

    /// The control bits.
    ///
    /// ```
    /// use segue::Flags;
    /// use segue::auth::Covered;
    /// fn resets(segment: &Covered<'_>) -> bool {
    ///     segment.flags().contains(Flags::RST)
    /// }
    /// ```
    pub fn flags(&self) -> Flags {
        match self.header {
            [_, _, _, _, _, _, _, _, _, _, _, _, a, b, ..] => {
                Flags::from_bits_truncate(u16::from_be_bytes([*a, *b]) & Flags::all().bits())
            }
            _ => Flags::empty(),
        }
    }

    /// Whether it is a SYN without ACK: TCP-AO has keys of its own for it, in which the destination's initial sequence number is 0
    /// (RFC 5925 §5.2).
    ///
    /// ```
    /// use segue::auth::Covered;
    /// /// Which of two traffic keys of its source a segment has.
    /// fn key<'a>(segment: &Covered<'_>, syn: &'a [u8], other: &'a [u8]) -> &'a [u8] {
    ///     if segment.opens() { syn } else { other }
    /// }
    /// ```
    pub fn opens(&self) -> bool {
        self.flags().intersection(Flags::SYN | Flags::ACK) == Flags::SYN
    }

    /// The initial sequence numbers of source and destination.
    ///
    /// ```
    /// use segue::SeqNum;
    /// use segue::auth::Covered;
    /// /// Traffic keys that are kept: whether one is that of this segment.
    /// fn fits(kept: (SeqNum, SeqNum), segment: &Covered<'_>) -> bool {
    ///     kept == segment.isns()
    /// }
    /// ```
    pub const fn isns(&self) -> (SeqNum, SeqNum) {
        self.isns
    }

    /// The extension of the segment's sequence number.
    ///
    /// ```
    /// use segue::auth::Covered;
    /// fn begins(segment: &Covered<'_>) -> [u8; 4] {
    ///     segment.sne().to_be_bytes() // what a MAC of TCP-AO covers first
    /// }
    /// ```
    pub const fn sne(&self) -> u32 {
        self.sne
    }

    /// The octets of the option, kind and length included; zeros on a segment that is to be signed.
    ///
    /// ```
    /// use segue::auth::Covered;
    /// fn mac<'a>(segment: &Covered<'a>) -> &'a [u8] {
    ///     segment.option().get(4..).unwrap_or(&[])
    /// }
    /// ```
    pub fn option(&self) -> &'a [u8] {
        self.header.get(self.place.clone()).unwrap_or(&[])
    }

    /// The signature that came.
    ///
    /// ```
    /// use segue::auth::{Covered, Signature};
    /// fn key_id(segment: &Covered<'_>) -> Option<u8> {
    ///     match segment.signature()? {
    ///         Signature::TcpAo { key_id, .. } => Some(key_id),
    ///         Signature::Md5(_) => None,
    ///     }
    /// }
    /// ```
    pub fn signature(&self) -> Option<Signature<'a>> {
        parse(self.option())
    }

    /// What the MAC of TCP-AO covers, in order, in as many pieces as there are (RFC 5925 §5.1): the extension, the
    /// pseudo-header, the header with zeros for the checksum, the options, the text. Of `option`, the octets before the MAC count.
    /// With `all`, the other options count, too.
    ///
    /// ```
    /// use segue::auth::Covered;
    /// /// A MAC that takes its input in pieces.
    /// fn mac(segment: &Covered<'_>, option: &[u8], update: &mut dyn FnMut(&[u8])) {
    ///     segment.ao_input(option, true, update);
    /// }
    /// ```
    pub fn ao_input(&self, option: &[u8], all: bool, put: &mut dyn FnMut(&[u8])) {
        put(&self.sne.to_be_bytes());
        self.put_fixed(put);
        let area = |range: Range<usize>| self.header.get(range).unwrap_or(&[]);
        if all {
            put(area(FIXED..self.place.start));
        }
        put(option.get(..4).unwrap_or(option));
        put(ZEROS.get(..self.place.len().saturating_sub(4)).unwrap_or(&[]));
        if all {
            put(area(self.place.end..self.header.len()));
        }
        put(self.text);
    }

    /// What the digest of TCP MD5 covers before the key (RFC 2385 §2): the pseudo-header, the header without options and with
    /// zeros for the checksum, the text.
    ///
    /// ```
    /// use segue::auth::Covered;
    /// fn digest(segment: &Covered<'_>, key: &[u8], update: &mut dyn FnMut(&[u8])) {
    ///     segment.md5_input(update);
    ///     update(key);
    /// }
    /// ```
    pub fn md5_input(&self, put: &mut dyn FnMut(&[u8])) {
        self.put_fixed(put);
        put(self.text);
    }

    /// The context of a key derivation (RFC 5925 §5.2): addresses, ports and initial sequence numbers, the source's first of each.
    ///
    /// ```
    /// use segue::auth::Covered;
    /// fn context(segment: &Covered<'_>) -> Vec<u8> {
    ///     let mut context = Vec::new();
    ///     segment.context(&mut |octets| context.extend_from_slice(octets));
    ///     context // 20 octets with IPv4, 44 with IPv6
    /// }
    /// ```
    pub fn context(&self, put: &mut dyn FnMut(&[u8])) {
        self.put_addresses(put);
        put(self.header.get(..4).unwrap_or(&[]));
        put(&self.isns.0.value().to_be_bytes());
        put(&self.isns.1.value().to_be_bytes());
    }

    /// The input of the key derivation functions of RFC 5926 §3.1.1: the number of the block, from 1 on, the label, the context,
    /// and the length of the key in bits.
    ///
    /// ```
    /// use segue::auth::Covered;
    /// /// The traffic key of KDF_HMAC_SHA1, with a function that is keyed with the master key: one block is all of it.
    /// fn traffic_key(segment: &Covered<'_>, hmac_sha1: impl Fn(&[u8]) -> [u8; 20]) -> [u8; 20] {
    ///     let mut input = Vec::new();
    ///     segment.kdf_input(1, 160, &mut |octets| input.extend_from_slice(octets));
    ///     hmac_sha1(&input)
    /// }
    /// ```
    pub fn kdf_input(&self, block: u8, bits: u16, put: &mut dyn FnMut(&[u8])) {
        put(&[block]);
        put(b"TCP-AO");
        self.context(put);
        put(&bits.to_be_bytes());
    }

    fn put_addresses(&self, put: &mut dyn FnMut(&[u8])) {
        for address in [self.addresses.src(), self.addresses.dst()] {
            match address {
                IpAddr::V4(address) => put(&address.octets()),
                IpAddr::V6(address) => put(&address.octets()),
            }
        }
    }

    /// The pseudo-header and the header without options, with zeros for the checksum.
    fn put_fixed(&self, put: &mut dyn FnMut(&[u8])) {
        const TCP: u8 = 6;
        let len = self.header.len().saturating_add(self.text.len());
        self.put_addresses(put);
        match self.addresses {
            PseudoHeader::V4 { .. } => {
                let [a, b] = u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes();
                put(&[0, TCP, a, b]);
            }
            PseudoHeader::V6 { .. } => {
                let [a, b, c, d] = u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes();
                put(&[a, b, c, d, 0, 0, 0, TCP]);
            }
        }
        put(self.header.get(..16).unwrap_or(&[]));
        put(&[0, 0]);
        put(self.header.get(18..FIXED).unwrap_or(&[]));
    }
}
