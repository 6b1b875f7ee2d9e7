//! The ideal on a path: the time of the handshake, a window that doubles in each round trip from the initial one
//! (RFC 5681, RFC 6928) up to what the peer promises, and then the rate of the link, without loss, without a queue.

use super::link::{Nanos, SECOND};

/// A sender that the path and the peer's window alone hold back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ideal {
    /// Bits per second.
    pub rate: u64,
    pub round_trip: Nanos,
    /// Octets of headers on each packet of text.
    pub header: u32,
    /// Octets of text in a packet.
    pub mss: u32,
    /// Segments in the initial window.
    pub initial: u32,
    /// The peer's receive buffer.
    pub window: u32,
    /// How long the peer's host holds back what arrives, and its user what was delivered.
    pub wait: Nanos,
    pub read: Nanos,
}

pub fn seconds(time: Nanos) -> f64 {
    time as f64 / SECOND as f64
}

impl Ideal {
    /// Octets of text per second.
    fn speed(&self) -> f64 {
        self.rate as f64 / 8.0 * f64::from(self.mss) / f64::from(self.mss + self.header)
    }

    fn packet(&self, text: u32) -> f64 {
        f64::from(text + self.header) * 8.0 / self.rate as f64
    }

    /// From sending a segment to its acknowledgment.
    fn round(&self) -> f64 {
        let segment = self.mss.min(self.window / 2); // two of them, however small the window
        seconds(self.round_trip + self.wait) + self.packet(segment) + self.packet(0)
    }

    /// RFC 6928 §2.
    fn initial_octets(&self) -> f64 {
        let mss = f64::from(self.mss);
        (f64::from(self.initial) * mss).min((2.0 * mss).max(14_600.0))
    }

    /// What of the peer's window can be in use: whole segments where it has two of them (RFC 9293 §3.8.6.2.1).
    fn usable(&self) -> f64 {
        let whole = self.window / self.mss * self.mss;
        f64::from(if whole < 2 * self.mss { self.window } else { whole })
    }

    /// When text has arrived, round by round: from when on, and how much with each.
    fn rounds(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let (window, full) = (self.usable(), self.speed() * self.round());
        // The window opens only when the user has read.
        let opens = self.round() + seconds(self.read);
        let limited = window < self.speed() * opens;
        let (mut at, mut sent) = (seconds(self.round_trip) * 1.5, self.initial_octets());
        std::iter::repeat_with(move || {
            let octets = sent.min(window).min(if limited { window } else { full });
            let round = (at, octets);
            at += if limited && octets >= window { opens } else { self.round() };
            sent = (2.0 * sent).min(window.max(full));
            round
        })
    }

    /// Octets of text that have arrived so long after `connect`.
    pub fn delivered(&self, duration: Nanos) -> f64 {
        let end = seconds(duration);
        let arrive = |(at, octets): (f64, f64)| octets.min((end - at) * self.speed()).max(0.0);
        self.rounds().take_while(|(at, _)| *at < end).map(arrive).sum()
    }

    /// Seconds from sending the first octet until `octets` have arrived, with the first window as after the handshake.
    pub fn transfer(&self, octets: u64) -> f64 {
        let mut left = octets as f64;
        for (at, arrive) in self.rounds() {
            if left <= arrive {
                return at - seconds(self.round_trip) + left / self.speed();
            }
            left -= arrive;
        }
        f64::INFINITY
    }

    /// Seconds from `connect` until `octets` have arrived.
    pub fn completion(&self, octets: u64) -> f64 {
        seconds(self.round_trip) + self.transfer(octets)
    }

    /// Seconds from a request to the whole of its response, each from the initial window on.
    pub fn exchange(&self, request: u64, response: u64) -> f64 {
        self.transfer(request) + self.transfer(response)
    }
}
