//! The bounds that `docs/architecture.md` states, in one place.

use segue::{Config, Info};

/// The most ranges held out of order.
pub fn ranges(config: &Config) -> u64 {
    match config.max_ranges() {
        0 => u64::from(config.receive_buffer() / 1024).max(64),
        most => u64::from(most),
    }
}

/// The most pieces in which `octets` of text in `ranges` ranges are held: two for each `copy_below`, one more for each
/// range.
pub fn pieces(config: &Config, octets: u64, ranges: u64) -> u64 {
    2 * octets / u64::from(config.copy_below()) + ranges + 1
}

/// The most records of segments in flight, for segments of `mss` octets: one for each 256 octets of the buffer, or for each MSS
/// where that is less, and one for a probe and a FIN.
pub fn records(config: &Config, mss: u16) -> u64 {
    let each = 256.min(u64::from(mss).max(1));
    (u64::from(config.send_buffer()) / each).max(64) + 2
}

/// Octets of heap of a record, with its entries in the sets of lost, repeated and reported ranges, and the room that
/// collections keep.
const RECORD: u64 = 320;
/// Octets of heap of a piece of text that is held, and for the tree it is in.
const PIECE: u64 = 192;
const TREE: u64 = 2048;
/// What else an idle connection may keep.
const LEAST: u64 = 6144;

/// The most octets of heap that a connection holds.
pub fn heap(config: &Config, info: &Info) -> u64 {
    let copy = u64::from(config.copy_below());
    let queue = info.send_queue as u64;
    // The user's memory is the user's; merged text is copied once, and a block has room for `copy_below`.
    let queued = 2 * queue + 2 * copy + (2 * queue / copy + 2) * PIECE;
    let records = records(config, info.eff_snd_mss) * RECORD;
    let window = u64::from(info.rcv_wnd); // held text lies inside of it
    let held = 2 * window + pieces(config, window, ranges(config).min(window)) * PIECE + TREE;
    queued + records + held + LEAST
}

/// The most `Deliver`s of one event that hands over `segments` segments: the pieces of the delivered text.
pub fn deliveries(config: &Config, before: &Info, after: &Info, segments: u64) -> u64 {
    let octets = after.counters.octets_in - before.counters.octets_in;
    pieces(config, octets, before.held_ranges as u64) + segments
}

/// The most `Transmit`s of one event: all that is queued, in segments of no less than half an MSS; the flight in
/// smaller ones, each sent again by itself; and a few.
pub fn transmissions(config: &Config, info: &Info, mss: u16, segments: u64) -> u64 {
    let small = records(config, mss).min(u64::from(info.flight));
    2 * info.send_queue as u64 / u64::from(mss).max(1) + small + 4 + segments
}

/// How often one event may allocate: for each action and segment, for each range that what arrives may touch, and for each
/// segment in flight that is found lost or reported.
pub fn allocations(before: &Info, actions: u64, segments: u64) -> u64 {
    64 + 16 * actions + 8 * segments + 4 * before.held_ranges as u64 + before.flight_segments as u64
}
