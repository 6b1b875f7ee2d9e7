//! Users of connections: an echo server, and a client that talks to one and checks what it hears.

use bytes::Bytes;
use segue::codec::Flow;
use segue::{CloseReason, Info, Report};

use super::Socket;

/// The user of one connection.
pub trait App: Send {
    /// The connection opened, text came, there is room to send, everything sent arrived, or the peer closed. Read and
    /// send what can be read and sent: the next call comes when something changes.
    fn wake(&mut self, socket: &mut Socket<'_>);

    /// Takes note of something.
    fn told(&mut self, flow: &Flow, news: News);
}

/// What whoever made a user may want to know of its connection.
#[derive(Clone, PartialEq, Debug)]
pub enum News {
    /// The connection goes on, but something is not as it should be.
    Report(Report),
    /// The peer of a [`Talker`] has closed.
    Heard {
        /// Octets that came back.
        octets: u64,
        /// The first that was not what was sent, if any.
        wrong_at: Option<u64>,
    },
    /// The connection is over; what came before was offered to [`App::wake`].
    Closed(CloseReason, Box<Info>),
}

/// Where a user of this file passes news on.
pub type Tell = Box<dyn FnMut(&Flow, News) + Send>;

/// Sends back what it hears, and closes when the peer does.
pub struct Echo {
    /// Read and not yet sent. Nothing more is read before this is sent, so the peer feels its own backpressure.
    pending: Bytes,
    closed: bool,
    tell: Tell,
}

impl Echo {
    /// An echo server for one connection.
    pub fn new(tell: Tell) -> Self {
        Self { pending: Bytes::new(), closed: false, tell }
    }
}

impl App for Echo {
    fn wake(&mut self, socket: &mut Socket<'_>) {
        loop {
            if self.pending.is_empty() {
                match socket.read() {
                    Some(text) => self.pending = text,
                    None => break,
                }
            }
            if socket.send(&mut self.pending).is_err() || !self.pending.is_empty() {
                return;
            }
        }
        if socket.at_end() && !self.closed {
            self.closed = socket.close().is_ok();
        }
    }

    fn told(&mut self, flow: &Flow, news: News) {
        (self.tell)(flow, news);
    }
}

/// Sends a number of octets of [`pattern`] and closes at once; goes on reading and compares what comes back.
pub struct Talker {
    total: u64,
    sent: u64,
    heard: u64,
    wrong_at: Option<u64>,
    pending: Bytes,
    closed: bool,
    finished: bool,
    tell: Tell,
}

/// How much text a talker prepares at a time.
const PIECE: u64 = 16 * 1024;

impl Talker {
    /// A user that sends `total` octets.
    pub fn new(total: u64, tell: Tell) -> Self {
        let pending = Bytes::new();
        Self { total, sent: 0, heard: 0, wrong_at: None, pending, closed: false, finished: false, tell }
    }

    fn talk(&mut self, socket: &mut Socket<'_>) {
        loop {
            if self.pending.is_empty() {
                let piece = PIECE.min(self.total - self.sent);
                if piece == 0 {
                    break;
                }
                self.pending = pattern(self.sent..self.sent + piece).collect();
                self.sent += piece;
            }
            if socket.send(&mut self.pending).is_err() || !self.pending.is_empty() {
                return;
            }
        }
        if !self.closed {
            self.closed = socket.close().is_ok();
        }
    }

    fn listen(&mut self, socket: &mut Socket<'_>) {
        while let Some(text) = socket.read() {
            let length = text.len() as u64;
            let difference = text.iter().zip(pattern(self.heard..self.heard + length)).position(|(a, b)| *a != b);
            if let (None, Some(index)) = (self.wrong_at, difference) {
                self.wrong_at = Some(self.heard + index as u64);
            }
            self.heard += length;
        }
    }
}

impl App for Talker {
    fn wake(&mut self, socket: &mut Socket<'_>) {
        self.talk(socket);
        self.listen(socket);
        if socket.at_end() && !self.finished {
            self.finished = true;
            (self.tell)(&socket.flow(), News::Heard { octets: self.heard, wrong_at: self.wrong_at });
        }
    }

    fn told(&mut self, flow: &Flow, news: News) {
        (self.tell)(flow, news);
    }
}

/// The octets at these places of an endless text in which a shift, a gap or a repetition shows: each eight octets are
/// a hash of their place.
pub fn pattern(places: std::ops::Range<u64>) -> impl Iterator<Item = u8> {
    places.map(|place| {
        let mut z = (place / 8).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).to_le_bytes()[(place % 8) as usize]
    })
}
