//! What the calls of TCP Fast Open take (RFC 7413).

use bytes::Bytes;

use crate::FastOpenCookie;

/// Fast Open of an active OPEN: what the host knows of the server, and the text of the user.
///
/// The text may reach the server's user twice, when the SYN is repeated across a restart of the server or the network
/// doubles it (RFC 7413 §6.1): use Fast Open for requests that may be repeated only.
///
/// ```
/// use segue::{FastOpen, FastOpenCookie};
/// let first = FastOpen::request("GET /".into()); // no cookie is known: the text follows the handshake
/// let cookie = FastOpenCookie::new(&[7; 8]).expect("4 to 16 octets, an even number");
/// let next = FastOpen { cookie, mss: Some(1460), text: "GET /".into() };
/// assert_eq!(first.cookie, FastOpenCookie::default());
/// # drop(next);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FastOpen {
    /// The cookie of the server for this address of ours; empty: ask for one, without text on the SYN.
    pub cookie: FastOpenCookie,
    /// The MSS that the server announced with the cookie, in octets; `None`: the default MSS of the IP version, 536 or 1220
    /// octets.
    pub mss: Option<u16>,
    /// The text. As much as fits one segment goes on the SYN, the rest follows the handshake.
    pub text: Bytes,
}

impl FastOpen {
    /// No cookie is known: ask for one.
    ///
    /// ```
    /// use segue::FastOpen;
    /// assert!(FastOpen::request("GET /".into()).cookie.as_slice().is_empty());
    /// ```
    pub fn request(text: Bytes) -> Self {
        Self { text, ..Self::default() }
    }
}

/// The answer of a server to the Fast Open option of a SYN. The host decides: it makes and checks the cookies
/// (`host::Keys`), and limits the connections whose handshake is not complete (RFC 7413 §4.2).
///
/// ```
/// use segue::FastOpenAnswer;
/// let off = FastOpenAnswer::default(); // Fast Open is off, or too many are pending: an ordinary handshake
/// assert!(!off.valid && off.cookie.is_none());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FastOpenAnswer {
    /// The cookie on the SYN is valid: its text is delivered at once, and the user may answer before the handshake is
    /// complete.
    pub valid: bool,
    /// A cookie for the client, on the first SYN,ACK.
    pub cookie: Option<FastOpenCookie>,
}
