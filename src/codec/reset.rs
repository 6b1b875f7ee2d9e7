//! The answer of a TCP without a connection.

use crate::{Flags, Segment};

use super::Packet;

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

/// [`reset_for`] with its ports: what a host sends back when it has neither connection nor listener for `packet`.
///
/// ```
/// use segue::codec::{Packet, reset_to};
/// use segue::{Flags, Segment};
/// let syn = Packet { src_port: 49152, dst_port: 7, segment: Segment { flags: Flags::SYN, ..Segment::default() } };
/// let reset = reset_to(&syn).expect("not a reset");
/// assert_eq!((reset.src_port, reset.dst_port), (7, 49152));
/// ```
pub fn reset_to(packet: &Packet) -> Option<Packet> {
    let segment = reset_for(&packet.segment)?;
    Some(Packet { src_port: packet.dst_port, dst_port: packet.src_port, segment })
}

/// Whether the packet is the first of a connection: a SYN without ACK or RST, for which a host may
/// [`accept`](crate::Connection::accept) one. Any other packet without connection is a stray.
///
/// ```
/// use segue::codec::{Packet, opens};
/// use segue::{Flags, Segment};
/// let packet = |flags| Packet { src_port: 49152, dst_port: 7, segment: Segment { flags, ..Segment::default() } };
/// assert!(opens(&packet(Flags::SYN)));
/// assert!(!opens(&packet(Flags::SYN | Flags::ACK)));
/// ```
pub fn opens(packet: &Packet) -> bool {
    packet.segment.flags.intersection(Flags::SYN | Flags::ACK | Flags::RST) == Flags::SYN
}
