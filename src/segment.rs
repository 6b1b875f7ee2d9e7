//! The segment as a plain value (RFC 9293 §3.1), without ports: those belong to the codec and the host.

mod acc_ecn;
mod compact;
mod display;
mod options;
mod reset;
#[cfg(feature = "serde")]
pub(crate) mod serial;

use bitflags::bitflags;
use bytes::Bytes;

use crate::SeqNum;
pub use acc_ecn::AccEcn;
pub use compact::CompactOptions;
pub use options::{FastOpenCookie, Options, SackBlock, SackBlocks, Timestamps};

bitflags! {
    /// The control bits (RFC 9293 §3.1; AE: RFC 9768). A raw set: every combination can be represented.
    ///
    /// ```
    /// use segue::Flags;
    /// let flags = Flags::SYN | Flags::ACK;
    /// assert!(flags.contains(Flags::SYN) && !flags.intersects(Flags::RST | Flags::FIN));
    /// ```
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
    pub struct Flags: u16 {
        /// No more data from the sender.
        const FIN = 0x001;
        /// Synchronize sequence numbers.
        const SYN = 0x002;
        /// Reset the connection.
        const RST = 0x004;
        /// Push function.
        const PSH = 0x008;
        /// The acknowledgment field is significant.
        const ACK = 0x010;
        /// The urgent pointer field is significant.
        const URG = 0x020;
        /// ECN-Echo (RFC 3168).
        const ECE = 0x040;
        /// Congestion Window Reduced (RFC 3168).
        const CWR = 0x080;
        /// Accurate ECN (RFC 9768); the former NS bit.
        const AE = 0x100;
    }
}

#[cfg(feature = "arbitrary")]
impl<'a> arbitrary::Arbitrary<'a> for Flags {
    fn arbitrary(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(Self::from_bits_truncate(u.arbitrary()?))
    }
}

/// The ECN codepoint of the IP header that carried, or is to carry, the segment (RFC 3168 §5).
///
/// ```
/// use segue::Ecn;
/// let traffic_class = 0b1011_1011; // DSCP and ECN of an IP header
/// assert_eq!(Ecn::from_bits(traffic_class), Ecn::Ce);
/// assert_eq!(Ecn::Ect0.bits(), 0b10);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Ecn {
    /// Not ECN-capable transport.
    #[default]
    NotEct,
    /// ECN-capable transport, codepoint 01.
    Ect1,
    /// ECN-capable transport, codepoint 10.
    Ect0,
    /// Congestion experienced.
    Ce,
}

impl Ecn {
    /// The two bits as they stand in the IP header.
    ///
    /// ```
    /// use segue::Ecn;
    /// let traffic_class = 0b1011_1000 | Ecn::Ect0.bits(); // beside a DSCP
    /// assert_eq!(traffic_class, 0b1011_1010);
    /// ```
    pub const fn bits(self) -> u8 {
        match self {
            Self::NotEct => 0,
            Self::Ect1 => 1,
            Self::Ect0 => 2,
            Self::Ce => 3,
        }
    }

    /// The codepoint of the lowest two bits of a traffic class or TOS octet; the other bits are ignored.
    ///
    /// ```
    /// use segue::Ecn;
    /// assert_eq!(Ecn::from_bits(0b1011_1011), Ecn::Ce); // the other bits are the DSCP
    /// ```
    pub const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::NotEct,
            1 => Self::Ect1,
            2 => Self::Ect0,
            _ => Self::Ce,
        }
    }
}

/// One TCP segment as a value.
///
/// With a non-zero [`segment_size`](Self::segment_size) one value stands for several wire segments of that many octets
/// (the last may be shorter): on output the host cuts it (GSO), where FIN and PSH belong to the last piece and CWR to
/// the first; on input (GRO) it tells the acknowledgment rules how many segments came. It never occurs with SYN, RST or
/// URG.
///
/// ```
/// use segue::{Flags, Segment, SeqNum};
/// let syn = Segment { seq: SeqNum::new(7), flags: Flags::SYN, window: 65535, ..Segment::default() };
/// assert_eq!(syn.len(), 1); // a SYN takes a sequence number
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Segment {
    /// SEG.SEQ.
    pub seq: SeqNum,
    /// SEG.ACK; significant when [`Flags::ACK`] is set.
    pub ack: SeqNum,
    /// The control bits.
    pub flags: Flags,
    /// SEG.WND as it stands in the header: not yet shifted by the window scale.
    pub window: u16,
    /// SEG.UP; significant when [`Flags::URG`] is set.
    pub urgent: u16,
    /// The options: [`Options`], whose fields they are, `into` this form.
    pub options: CompactOptions,
    /// The ECN codepoint of the IP header, in and out.
    pub ecn: Ecn,
    /// 0: one segment. Otherwise the payload stands for segments of this many octets each.
    pub segment_size: u16,
    /// The payload, which the RFC calls the segment text.
    #[cfg_attr(feature = "serde", serde(with = "crate::segment::serial::octets"))]
    pub payload: Bytes,
}

// A segment is moved on every path, so rare parts are in a box: see `CompactOptions`.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Segment>() <= 72);

impl Segment {
    /// SEG.LEN: the octets of payload, counting SYN and FIN (RFC 9293 §3.4). Saturates for payloads of 4 GiB.
    ///
    /// ```
    /// use segue::{Flags, Segment};
    /// let segment = Segment { flags: Flags::ACK | Flags::FIN, payload: "text".into(), ..Segment::default() };
    /// assert_eq!(segment.len(), 5); // the FIN counts
    /// ```
    pub fn len(&self) -> u32 {
        let text = u32::try_from(self.payload.len()).unwrap_or(u32::MAX - 2);
        text.saturating_add(u32::from(self.flags.contains(Flags::SYN)))
            .saturating_add(u32::from(self.flags.contains(Flags::FIN)))
    }

    /// Octets of payload. Saturates.
    #[inline]
    pub(crate) fn payload_len(&self) -> u32 {
        u32::try_from(self.payload.len()).unwrap_or(u32::MAX)
    }

    /// Whether the segment takes no sequence space: no payload, no SYN, no FIN.
    ///
    /// ```
    /// use segue::{Flags, Segment};
    /// assert!(Segment { flags: Flags::ACK, ..Segment::default() }.is_empty());
    /// assert!(!Segment { flags: Flags::FIN, ..Segment::default() }.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.payload.is_empty() && !self.flags.intersects(Flags::SYN.union(Flags::FIN))
    }

    /// The number after the segment's last octet: SEG.SEQ + SEG.LEN.
    ///
    /// ```
    /// use segue::{Segment, SeqNum};
    /// let segment = Segment { seq: SeqNum::new(u32::MAX), payload: "text".into(), ..Segment::default() };
    /// assert_eq!(segment.end(), SeqNum::new(3)); // what the peer acknowledges
    /// ```
    pub fn end(&self) -> SeqNum {
        self.seq + self.len()
    }

    /// Takes the SYN off: the rest starts at the next number, and so does the urgent pointer's count.
    pub(crate) fn trim_syn(&mut self) {
        self.flags.remove(Flags::SYN);
        self.seq += 1;
        self.urgent = self.urgent.saturating_sub(1);
    }

    /// The urgent pointer as a sequence number, the octet after the urgent data (MUST-62), when URG is set.
    ///
    /// ```
    /// use segue::{Flags, Segment, SeqNum};
    /// let seq = SeqNum::new(100);
    /// let mut segment = Segment { seq, flags: Flags::ACK | Flags::URG, urgent: 3, ..Segment::default() };
    /// assert_eq!(segment.urgent_end(), Some(SeqNum::new(103)));
    /// segment.flags.remove(Flags::URG);
    /// assert_eq!(segment.urgent_end(), None);
    /// ```
    pub fn urgent_end(&self) -> Option<SeqNum> {
        self.flags.contains(Flags::URG).then(|| self.seq + u32::from(self.urgent))
    }
}

#[cfg(feature = "arbitrary")]
impl<'a> arbitrary::Arbitrary<'a> for Segment {
    fn arbitrary(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
        let payload: &[u8] = u.arbitrary()?;
        let mut segment = Self {
            seq: u.arbitrary()?,
            ack: u.arbitrary()?,
            flags: u.arbitrary()?,
            window: u.arbitrary()?,
            urgent: u.arbitrary()?,
            options: u.arbitrary()?,
            ecn: u.arbitrary()?,
            segment_size: if u.ratio(1, 4)? { u.arbitrary()? } else { 0 },
            payload: Bytes::copy_from_slice(payload),
        };
        if !segment.flags.contains(Flags::SYN) {
            segment.options.update(|options| {
                // A cookie means nothing here: its octets are the data of an AccECN option.
                if let Some(cookie) = options.fast_open.take() {
                    options.acc_ecn = Some(AccEcn::read(cookie.as_slice().len() % 4 == 2, cookie.as_slice()));
                }
            });
        }
        Ok(segment)
    }
}
