//! What must link, and what must not: without these nobody knows that the proof can fail.

use alloc::vec::Vec;

#[unsafe(no_mangle)]
pub fn control_never_panics(octets: &[u8], n: usize) -> Option<&u8> {
    octets.get(n)
}

#[unsafe(no_mangle)]
pub fn control_indexes(octets: &[u8], n: usize) -> u8 {
    octets[n]
}

/// A panic behind a pointer to a function.
#[unsafe(no_mangle)]
pub fn control_indexes_behind_a_pointer() -> fn(&[u8], usize) -> u8 {
    control_indexes
}

#[unsafe(no_mangle)]
pub fn control_adds(a: usize, b: usize) -> usize {
    a + b
}

#[unsafe(no_mangle)]
pub fn control_grows(octets: &mut Vec<u8>, octet: u8) {
    octets.push(octet);
}
