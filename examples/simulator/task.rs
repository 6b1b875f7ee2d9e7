//! What a connection is for, and the protocol of its users.
//!
//! A client sends requests, one after the other: eight octets that say how much text follows and how much the server is to
//! answer, then that text. When the last answer is there, the client closes, and the server does so, too.

use bytes::Bytes;
use segue_kit::Rng;

/// The ports of a server.
pub const WEB: u16 = 80;
/// Larger buffers.
pub const BULK: u16 = 8080;
/// Small queues: a SYN may push out a half-open connection, whose client is reset when it goes on.
pub const TIGHT: u16 = 7;
/// Nobody listens.
pub const CLOSED: u16 = 9;

/// The plan of a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Task {
    pub port: u16,
    pub requests: u32,
    /// Octets of the text of a request, and of its answer.
    pub request: u32,
    pub answer: u32,
    /// Octets of answers after which the client resets the connection.
    pub gives_up_at: Option<u32>,
}

impl Task {
    pub fn draw(rng: &mut Rng) -> Self {
        let short = |rng: &mut Rng, port| Self {
            port,
            requests: 1 + rng.below(8),
            request: 40 + rng.below(400),
            answer: 100 + rng.below(8000),
            gives_up_at: None,
        };
        let long = |request, answer| Self { port: BULK, requests: 1, request, answer, gives_up_at: None };
        match rng.below(100) {
            0..=59 => short(rng, WEB),
            60..=71 => short(rng, TIGHT),
            72..=83 => long(100, 50_000 + rng.below(350_000)),
            84..=91 => long(50_000 + rng.below(200_000), 8),
            92..=96 => Self { gives_up_at: Some(rng.below(60_000)), ..long(100, 200_000) },
            _ => Self { port: CLOSED, ..short(rng, WEB) },
        }
    }
}

/// What goes before the text of a request.
pub const HEAD: u32 = 8;

pub fn head(request: u32, answer: u32) -> Bytes {
    [request.to_be_bytes(), answer.to_be_bytes()].concat().into()
}

pub fn parse_head(octets: [u8; HEAD as usize]) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = octets;
    (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]))
}

const PERIOD: usize = 65_521;

/// The text of all requests and answers: the octet at a place follows from the place.
#[derive(Clone, Debug)]
pub struct Text(Bytes);

impl Default for Text {
    fn default() -> Self {
        let octet = |at: usize| (at as u32 % PERIOD as u32).wrapping_mul(0x9E37_79B9).to_be_bytes()[0];
        Self((0..2 * PERIOD).map(octet).collect::<Vec<_>>().into())
    }
}

impl Text {
    /// From this place on, up to this many octets.
    pub fn at(&self, place: u32, octets: u32) -> Bytes {
        let from = place as usize % PERIOD;
        self.0.slice(from..from + (octets as usize).min(PERIOD))
    }

    /// Whether these octets are those from this place on.
    pub fn is(&self, place: u32, octets: &[u8]) -> bool {
        octets.chunks(PERIOD).zip(0..).all(|(piece, n)| {
            let from = (place as usize + n * PERIOD) % PERIOD;
            self.0[from..from + piece.len()] == *piece
        })
    }
}
