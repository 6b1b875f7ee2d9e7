//! Software segmentation: one value with a segment size into the segments it stands for.

use core::iter::FusedIterator;

use super::Packet;
use crate::{Flags, Segment};

/// The wire segments that `segment` stands for, in order: what a host without segmentation offload transmits.
///
/// FIN and PSH go with the last, CWR with the first, everything else with each. A segment without
/// [`segment_size`](Segment::segment_size) comes back as it is, and so does one with SYN, RST or URG, which is never to
/// be cut. No text is copied.
///
/// ```
/// use segue::{Flags, Segment, codec};
/// let flags = Flags::ACK | Flags::FIN;
/// let segment = Segment { flags, segment_size: 4, payload: "abcdefghij".into(), ..Segment::default() };
/// let pieces: Vec<_> = codec::split(segment).map(|s| (s.seq.value(), s.payload, s.flags)).collect();
/// assert_eq!(pieces, [(0, "abcd".into(), Flags::ACK), (4, "efgh".into(), Flags::ACK), (8, "ij".into(), flags)]);
/// ```
pub fn split(segment: Segment) -> Split {
    Split { rest: Some(segment) }
}

/// [`split`] of a packet: each piece has its ports.
///
/// ```
/// use segue::codec::{Packet, split_packet};
/// use segue::{Flags, Segment};
/// let segment = Segment { flags: Flags::ACK, segment_size: 1448, payload: vec![0; 4000].into(), ..Segment::default() };
/// let packet = Packet { src_port: 80, dst_port: 49152, segment }; // of `Endpoint::flush`, for a device that cannot cut
/// let pieces: Vec<Packet> = split_packet(packet).collect();
/// assert!(pieces.iter().all(|piece| (piece.src_port, piece.dst_port) == (80, 49152)));
/// assert_eq!(pieces.iter().map(|piece| piece.segment.payload.len()).sum::<usize>(), 4000);
/// ```
pub fn split_packet(packet: Packet) -> impl ExactSizeIterator<Item = Packet> + FusedIterator {
    let Packet { src_port, dst_port, segment } = packet;
    split(segment).map(move |segment| Packet { src_port, dst_port, segment })
}

/// The iterator of [`split`].
///
/// ```
/// use segue::{Segment, codec};
/// let large = Segment { segment_size: 4, payload: "abcdefghij".into(), ..Segment::default() };
/// assert_eq!(codec::split(large).len(), 3); // it knows how many are left
/// ```
#[derive(Clone, Debug)]
pub struct Split {
    /// What has not been handed out, still in one piece.
    rest: Option<Segment>,
}

/// The octets of text that one segment of this value takes, when they are not all.
fn cut_at(segment: &Segment) -> Option<usize> {
    let size = usize::from(segment.segment_size);
    let whole = size == 0
        || segment.payload.len() <= size
        || segment.flags.intersects(Flags::SYN.union(Flags::RST).union(Flags::URG));
    (!whole).then_some(size)
}

impl Iterator for Split {
    type Item = Segment;

    fn next(&mut self) -> Option<Segment> {
        let mut piece = self.rest.take()?;
        if let Some(size) = cut_at(&piece) {
            let mut rest = piece.clone();
            piece.payload = rest.payload.split_to(size.min(rest.payload.len()));
            rest.seq += u32::from(piece.segment_size);
            rest.flags -= Flags::CWR;
            piece.flags -= Flags::FIN | Flags::PSH;
            self.rest = Some(rest);
        }
        piece.segment_size = 0;
        Some(piece)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let pieces = self.rest.as_ref().map_or(0, |s| cut_at(s).map_or(1, |size| s.payload.len().div_ceil(size)));
        (pieces, Some(pieces))
    }
}

impl ExactSizeIterator for Split {}
impl FusedIterator for Split {}
