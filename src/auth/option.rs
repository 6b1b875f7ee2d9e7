//! The options of signatures in an option area.

use core::ops::Range;

use super::Refusal;
use crate::codec::{RawOption, RawOptionsIter};

/// The kind of TCP MD5 (RFC 2385 §3).
pub const MD5: u8 = 19;

/// The kind of TCP-AO (RFC 5925 §2.2).
pub const TCP_AO: u8 = 29;

/// A signature as it stands in the header.
///
/// ```
/// use segue::auth::{Signature, signature};
/// let area = [29, 6, 61, 84, 0xAA, 0xBB, 0, 0]; // and EOL
/// let found = signature(&area)?.expect("there is one");
/// assert_eq!(found, Signature::TcpAo { key_id: 61, rnext_key_id: 84, mac: &[0xAA, 0xBB] });
/// # Ok::<(), segue::auth::Refusal>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Signature<'a> {
    /// TCP-AO (RFC 5925 §2.2).
    TcpAo {
        /// The key that the MAC is made with, by its number.
        key_id: u8,
        /// The key that the sender would like to hear.
        rnext_key_id: u8,
        /// The MAC.
        mac: &'a [u8],
    },
    /// TCP MD5 (RFC 2385 §3).
    Md5(&'a [u8; 16]),
}

/// The signature of an option area, if there is one.
///
/// # Errors
///
/// [`Refusal::Malformed`] or [`Refusal::Several`]: such a segment is thrown away (RFC 5925 §2.2). A list that is malformed
/// somewhere else ends there, as for all options.
///
/// ```
/// use segue::auth::{Refusal, signature};
/// assert_eq!(signature(&[1, 3, 3, 7]), Ok(None)); // NOP and a window scale
/// assert_eq!(signature(&[29, 3, 61, 0]), Err(Refusal::Malformed)); // fewer than 4 octets
/// assert_eq!(signature(&[29, 4, 1, 1, 29, 4, 1, 1]), Err(Refusal::Several));
/// ```
pub fn signature(area: &[u8]) -> Result<Option<Signature<'_>>, Refusal> {
    Ok(locate(area)?.and_then(|place| area.get(place)).and_then(parse))
}

/// Where in an option area the signature stands.
pub(super) fn locate(area: &[u8]) -> Result<Option<Range<usize>>, Refusal> {
    let (mut options, mut found) = (RawOptionsIter::over(area), None);
    while let Some(next) = options.next() {
        match next {
            Ok(RawOption { kind: MD5 | TCP_AO, .. }) if found.is_some() => return Err(Refusal::Several),
            Ok(RawOption { kind: kind @ (MD5 | TCP_AO), data }) => {
                let good = if kind == MD5 { data.len() == 16 } else { data.len() >= 2 };
                let end = options.passed();
                found = Some(end.saturating_sub(data.len() + 2)..end).filter(|_| good);
                if found.is_none() {
                    return Err(Refusal::Malformed);
                }
            }
            Ok(_) => {}
            Err(bad) if bad.kind == MD5 || bad.kind == TCP_AO => return Err(Refusal::Malformed),
            Err(_) => {}
        }
    }
    Ok(found)
}

/// The signature in the octets of one option.
pub(super) fn parse(option: &[u8]) -> Option<Signature<'_>> {
    match option {
        [TCP_AO, _, key_id, rnext_key_id, mac @ ..] => {
            Some(Signature::TcpAo { key_id: *key_id, rnext_key_id: *rnext_key_id, mac })
        }
        [MD5, _, digest @ ..] => digest.try_into().ok().map(Signature::Md5),
        _ => None,
    }
}
