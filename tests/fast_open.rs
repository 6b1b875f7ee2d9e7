//! TCP Fast Open (RFC 7413): both roles against a hand-written peer, and pairs over links that lose.

mod client;
mod pair;
mod server;

use segue::{FastOpen, FastOpenAnswer, FastOpenCookie, Options, Segment};
use segue_kit::streams::text;

/// A cookie of 8 octets.
fn cookie() -> FastOpenCookie {
    FastOpenCookie::new(b"a cookie").expect("an even number of octets")
}

/// An active OPEN with the cookie, and this number of octets of text.
fn with_text(octets: usize) -> FastOpen {
    FastOpen { cookie: cookie(), mss: Some(1460), text: text(octets) }
}

const VALID: FastOpenAnswer = FastOpenAnswer { valid: true, cookie: None };

/// The segment with a Fast Open option.
fn with_option(segment: Segment, cookie: FastOpenCookie) -> Segment {
    let options = Options { fast_open: Some(cookie), ..segment.options.get() };
    Segment { options: options.into(), ..segment }
}
