//! Signatures on segments: TCP-AO (RFC 5925) and TCP MD5 (RFC 2385), without keys and algorithms.
//!
//! A connection knows neither addresses nor keys, so a signature is put on a segment between it and the device, and judged before
//! a connection sees it. An [`Authenticator`] has the keys: it signs what leaves and judges what comes. An [`Association`] stands
//! around it for one connection: it knows both initial sequence numbers and the extensions of the sequence numbers
//! (RFC 9187), refuses malformed options before any work on keys, and turns packets into octets and back. For many connections,
//! `host::Associations` has one for each flow, with `Endpoint::receive_ip_signed` and `Endpoint::flush_ip_signed`.
//!
//! What a connection has to do is to leave room: [`Config::option_space`](crate::Config::option_space). Where it leaves too
//! little, nothing is signed and nothing leaves: [`NoRoom`] tells. The package `examples/tcp-ao` has the algorithms of RFC 5926,
//! master keys, their change, and TCP MD5. Other algorithms are authenticators, too: a MAC of 128 bits is an option of 20 octets.
//!
//! ```
//! use segue::auth::{Association, Authenticator, Covered, Refusal};
//! use segue::codec::{Fill, Packet, PseudoHeader, Verify};
//! use segue::{Flags, Segment, SeqNum};
//!
//! /// The form of TCP MD5 with a sum of the octets instead of MD5: not a signature that keeps anybody out.
//! #[derive(Clone)]
//! struct Sum(u128);
//!
//! impl Sum {
//!     fn over(&self, segment: &Covered<'_>) -> [u8; 16] {
//!         let mut sum = self.0;
//!         segment.md5_input(&mut |octets| octets.iter().for_each(|octet| sum = sum * 31 % (1 << 100) + u128::from(*octet)));
//!         sum.to_be_bytes()
//!     }
//! }
//!
//! impl Authenticator for Sum {
//!     fn space(&self) -> u8 {
//!         18
//!     }
//!     fn sign(&mut self, segment: &Covered<'_>, option: &mut [u8]) {
//!         option[..2].copy_from_slice(&[19, 18]);
//!         option[2..].copy_from_slice(&self.over(segment));
//!     }
//!     fn verify(&mut self, segment: &Covered<'_>) -> Result<(), Refusal> {
//!         match segment.option().get(2..) {
//!             Some(digest) if *digest == self.over(segment) => Ok(()),
//!             _ => Err(Refusal::Signature),
//!         }
//!     }
//! }
//!
//! let there = PseudoHeader::new("192.0.2.1".parse()?, "198.51.100.7".parse()?).expect("one version");
//! let segment = Segment { seq: SeqNum::new(7), flags: Flags::SYN, window: 65535, ..Segment::default() };
//! let syn = Packet { src_port: 49152, dst_port: 179, segment };
//! let (mut ours, mut theirs) = (Association::new(Sum(1)), Association::new(Sum(1)));
//! let octets = ours.header(there, &syn, Fill::Now(there))?.as_slice().to_vec();
//! assert_eq!(theirs.decode(there, octets.clone().into(), Verify::Now(there))?, syn);
//!
//! let mut other = Association::new(Sum(2)); // another key
//! assert!(other.decode(there, octets.into(), Verify::Now(there)).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod association;
mod covered;
mod extension;
mod option;
mod room;

use core::fmt;

use crate::codec::DecodeError;

pub use crate::codec::NoRoom;
pub use association::Association;
pub use covered::Covered;
pub use extension::Extension;
pub use option::{MD5, Signature, TCP_AO, signature};
#[cfg(feature = "host")]
pub(crate) use room::Room;

/// Signs the segments of one connection that leave, and judges those that come. It has the keys.
///
/// See the [module](self) for one at work; it is a value, so that a connection and its signatures can be cloned and compared.
///
/// ```
/// use segue::auth::{Authenticator, Covered, Refusal};
/// /// Takes nothing, for peers whose keys are withdrawn.
/// #[derive(Clone, PartialEq, Eq, Hash, Debug)]
/// struct Withdrawn;
/// impl Authenticator for Withdrawn {
///     fn space(&self) -> u8 {
///         0
///     }
///     fn sign(&mut self, _: &Covered<'_>, _: &mut [u8]) {}
///     fn verify(&mut self, _: &Covered<'_>) -> Result<(), Refusal> {
///         Err(Refusal::UnknownKey)
///     }
/// }
/// ```
pub trait Authenticator {
    /// Octets of the option on the next segment, with kind and length: up to
    /// [`Config::option_space`](crate::Config::option_space) of the connection, else nothing leaves ([`NoRoom`]). 0: the
    /// segment leaves without.
    ///
    /// ```
    /// use segue::Config;
    /// use segue::auth::Authenticator;
    /// fn policy(keys: &impl Authenticator) -> Result<Config, segue::ConfigError> {
    ///     Config::builder().option_space(keys.space()).build()
    /// }
    /// ```
    fn space(&self) -> u8;

    /// Writes the option of a segment that leaves, kind and length first: [`space`](Self::space) octets, which are zeros.
    ///
    /// ```
    /// use segue::auth::{Covered, MD5};
    /// /// TCP MD5 with some function for MD5, which gets the octets in one piece.
    /// fn sign(segment: &Covered<'_>, option: &mut [u8], key: &[u8], md5: impl Fn(&[u8]) -> [u8; 16]) {
    ///     let mut input = Vec::new();
    ///     segment.md5_input(&mut |octets| input.extend_from_slice(octets));
    ///     input.extend_from_slice(key);
    ///     option.copy_from_slice(&[&[MD5, 18], &md5(&input)[..]].concat());
    /// }
    /// ```
    fn sign(&mut self, segment: &Covered<'_>, option: &mut [u8]);

    /// Judges a segment that came with one well-formed option of a signature. The time must not tell how much of a wrong MAC
    /// is right.
    ///
    /// ```
    /// use segue::auth::{Authenticator, Covered, Refusal};
    /// /// Keys that change: the old ones are taken as well.
    /// fn verify<A: Authenticator>(new: &mut A, old: &mut A, segment: &Covered<'_>) -> Result<(), Refusal> {
    ///     new.verify(segment).or_else(|_| old.verify(segment))
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The segment is to be thrown away without an answer. Then nothing of the authenticator may change but counters.
    fn verify(&mut self, segment: &Covered<'_>) -> Result<(), Refusal>;
}

/// Why a segment is thrown away without an answer (RFC 5925 §7.3, RFC 2385 §2).
///
/// ```
/// use segue::auth::Refusal;
/// assert_eq!(Refusal::Missing.to_string(), "no signature");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Refusal {
    /// The connection has keys, the segment no signature.
    Missing,
    /// TCP-AO with fewer than 4 octets, TCP MD5 with another number than 18, or an option of one of them that does not end
    /// within the header (RFC 5925 §2.2).
    Malformed,
    /// More than one signature: twice TCP-AO or TCP MD5, or both (RFC 5925 §2.2).
    Several,
    /// The other option than the one that the connection has keys for (RFC 5925 §8).
    OtherKind,
    /// No key has this KeyID.
    UnknownKey,
    /// The MAC has another length than those of the key (RFC 5925 §7.5, step 2a).
    Length,
    /// The signature is wrong.
    Signature,
    /// The initial sequence numbers are not known, which the keys depend on: of a connection that is no more.
    UnknownConnection,
    /// A signature where there is no key, and the host demands that there be one (RFC 5925 §7.3).
    NoKey,
    /// A right signature on a SYN for a listener whose configuration leaves no room for ours ([`NoRoom`]).
    NoRoom,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "no signature",
            Self::Malformed => "a malformed option of a signature",
            Self::Several => "more than one signature",
            Self::OtherKind => "a signature of another kind",
            Self::UnknownKey => "a signature with an unknown key",
            Self::Length => "a signature of another length",
            Self::Signature => "a wrong signature",
            Self::UnknownConnection => "a signature of an unknown connection",
            Self::NoKey => "a signature without a key for it",
            Self::NoRoom => "a listener without room for signatures",
        })
    }
}

impl core::error::Error for Refusal {}

/// Why octets do not reach a connection; nothing answers them.
///
/// ```
/// use segue::auth::{Refusal, Rejected};
/// assert_eq!(Rejected::from(Refusal::Missing), Rejected::Refused(Refusal::Missing));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Rejected {
    /// They are no TCP segment.
    Malformed(DecodeError),
    /// The segment is not the peer's.
    Refused(Refusal),
}

impl From<DecodeError> for Rejected {
    fn from(error: DecodeError) -> Self {
        Self::Malformed(error)
    }
}

impl From<Refusal> for Rejected {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => error.fmt(f),
            Self::Refused(refusal) => refusal.fmt(f),
        }
    }
}

impl core::error::Error for Rejected {}
