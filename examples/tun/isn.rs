//! Initial sequence numbers nobody can guess (RFC 6528), and offsets for the timestamp clocks (RFC 7323 §5.4).

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{IpAddr, SocketAddr};

use segue::codec::Flow;
use segue::{Instant, Secrets, SeqNum};

/// The generator. Its hash function is the standard library's SipHash, which takes its key from the operating
/// system's entropy and keeps it for itself.
#[derive(Default)]
pub struct Isn {
    key: RandomState,
}

impl Isn {
    /// A generator with a fresh key.
    pub fn new() -> Self {
        Self { key: RandomState::new() }
    }

    /// The numbers for a new incarnation of a connection.
    pub fn secrets(&self, flow: &Flow, now: Instant) -> Secrets {
        // ISN = M + F(4-tuple, key): M ticks every 4 µs, so incarnations of one connection follow each other while the
        // sequences of different connections tell nothing about each other (RFC 6528 §3).
        let m = now.as_micros() / 4;
        let f = self.key.hash_one(flow);
        // The offset is one per pair of hosts: the timestamps of a later connection between them are later ones, which
        // lets TIME-WAIT be cut short (RFC 6191).
        let offset = self.key.hash_one((flow.local().ip(), flow.remote().ip()));
        Secrets { iss: SeqNum::new(low_half(m.wrapping_add(f))), ts_offset: low_half(offset) }
    }

    /// The numbers for the successor of an incarnation in TIME-WAIT, which used numbers up to `iss_after` (MAY-2).
    pub fn successor(&self, flow: &Flow, now: Instant, iss_after: SeqNum) -> Secrets {
        let secrets = self.secrets(flow, now);
        // A connection faster than M's 250 kB/s has used numbers beyond M's.
        if secrets.iss.after(iss_after) { secrets } else { Secrets { iss: iss_after + 1, ..secrets } }
    }

    /// Where the search for a local port starts (RFC 6056 §3.3.3).
    pub fn port_offset(&self, local: IpAddr, remote: &SocketAddr) -> u16 {
        (self.key.hash_one(("port", local, remote)) & u64::from(u16::MAX)) as u16
    }
}

fn low_half(number: u64) -> u32 {
    (number & u64::from(u32::MAX)) as u32
}
