//! All that happened as one number.

use std::hash::Hasher;

use bytes::BufMut;
use segue::Instant;
use segue::codec::{self, Fill, Packet, PseudoHeader};
use segue::host::{Id, Signal};
use siphasher::sip::SipHasher24;

/// A hash of the events so far, in their order. It takes octets and no values of the language: so neither the width of
/// `usize` nor the order of octets in memory matters.
#[derive(Debug, Default)]
pub struct Trace {
    hasher: SipHasher24,
    /// One event.
    octets: Vec<u8>,
    pub packets: u64,
    pub lost: u64,
}

impl Trace {
    /// A packet leaves an endpoint; it may get lost.
    pub fn packet(&mut self, now: Instant, ends: PseudoHeader, packet: &Packet, lost: bool) {
        self.packets += 1;
        self.lost += u64::from(lost);
        self.begin(if lost { b'-' } else { b'+' }, now);
        self.octets.extend(ends.src().to_string().bytes().chain([b'>']).chain(ends.dst().to_string().bytes()));
        codec::encode(packet, Fill::Now(ends), &mut self.octets).expect("it fits into an IP packet");
        self.octets.put_u8(packet.segment.ecn.bits());
        self.end();
    }

    /// An endpoint, by its number, tells a user something.
    pub fn signal(&mut self, now: Instant, host: usize, id: Id, signal: Signal) {
        self.begin(b's', now);
        self.octets.extend(format!("{host} {id} {signal}").bytes());
        self.end();
    }

    fn begin(&mut self, kind: u8, now: Instant) {
        self.octets.clear();
        self.octets.put_u8(kind);
        self.octets.put_u64(now.as_micros());
    }

    fn end(&mut self) {
        self.hasher.write(&u64::try_from(self.octets.len()).expect("a packet").to_be_bytes());
        self.hasher.write(&self.octets);
    }

    /// The hash of all events so far.
    pub fn hash(&self) -> u64 {
        self.hasher.finish()
    }
}
