//! The answer of a TCP without a connection.

use crate::Segment;

/// The segment that answers `segment` where no connection exists: a reset its sender will accept, or nothing when
/// `segment` is a reset itself (RFC 9293 §3.10.7.1). The ports are the other way round, of course.
///
/// ```
/// use segue::{Flags, Segment, SeqNum, codec};
/// let syn = Segment { seq: SeqNum::new(100), flags: Flags::SYN, ..Segment::default() };
/// let reset = codec::reset_for(&syn).expect("not a reset");
/// assert_eq!((reset.seq.value(), reset.ack.value(), reset.flags), (0, 101, Flags::RST | Flags::ACK));
/// assert_eq!(codec::reset_for(&reset), None);
/// ```
pub fn reset_for(segment: &Segment) -> Option<Segment> {
    segment.reset_reply()
}
