//! What the machine does with inputs, as one number: of every action and the `Info` after every event, or every packet and signal.
//!
//! The harnesses note it here. Nobody listens during a campaign, so that it costs nothing.

use std::cell::RefCell;
use std::hash::{Hash, Hasher};

use segue::codec::{Packet, PseudoHeader};
use siphasher::sip::SipHasher13;

thread_local! {
    static HASHER: RefCell<Option<Portable>> = const { RefCell::new(None) };
}

/// What this gives, and the number for what the harnesses in it noted.
pub fn of<T>(run: impl FnOnce() -> T) -> (T, u64) {
    HASHER.set(Some(Portable(SipHasher13::new())));
    let given = run();
    (given, HASHER.take().map_or(0, |hasher| hasher.finish()))
}

/// This happened.
pub(crate) fn note<T: Hash>(what: impl Fn() -> T) {
    HASHER.with_borrow_mut(|hasher| hasher.iter_mut().for_each(|hasher| what().hash(hasher)));
}

/// These packets left. The hash of an address depends on the order of octets of the machine, so its words stand for it.
pub(crate) fn note_packets(packets: &[(PseudoHeader, Packet)]) {
    for (addresses, packet) in packets {
        note(|| (format!("{addresses:?}"), packet));
    }
}

/// The same numbers on every machine, whatever the order of its octets and the size of its `usize`.
struct Portable(SipHasher13);

impl Hasher for Portable {
    fn write(&mut self, octets: &[u8]) {
        self.0.write(octets);
    }

    fn write_u16(&mut self, n: u16) {
        self.write(&n.to_le_bytes());
    }

    fn write_u32(&mut self, n: u32) {
        self.write(&n.to_le_bytes());
    }

    fn write_u64(&mut self, n: u64) {
        self.write(&n.to_le_bytes());
    }

    fn write_u128(&mut self, n: u128) {
        self.write(&n.to_le_bytes());
    }

    fn write_usize(&mut self, n: usize) {
        self.write_u64(n as u64);
    }

    fn write_isize(&mut self, n: isize) {
        self.write_u64(n as u64);
    }

    fn finish(&self) -> u64 {
        self.0.finish()
    }
}
