//! The answer of a TCP without a connection (RFC 9293 §3.10.7.1).

use crate::{Flags, Segment, SeqNum, Timestamps};

impl Segment {
    /// The reset that answers this segment where no connection exists, chosen so that its sender accepts it; none to a
    /// segment that is itself a reset (§3.10.7.1).
    pub(crate) fn reset_reply(&self) -> Option<Self> {
        if planted!(answer_resets, self.flags.contains(Flags::RST), false) {
            return None; // "An incoming segment containing a RST is discarded."
        }
        let (seq, ack, flags) = if self.flags.contains(Flags::ACK) {
            (self.ack, SeqNum::default(), Flags::RST) // <SEQ=SEG.ACK><CTL=RST>
        } else {
            (SeqNum::new(0), self.end(), Flags::RST | Flags::ACK) // <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>
        };
        // RFC 7323 §5.2: a reset caused by a segment with timestamps carries them, TSecr = SEG.TSval and TSval = 0.
        let timestamps = self.options.timestamps().map(|ts| Timestamps { value: 0, echo: ts.value });
        Some(Self { seq, ack, flags, options: timestamps.into(), ..Self::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;
    use bytes::Bytes;

    fn offending(flags: Flags) -> Segment {
        Segment {
            seq: SeqNum::new(u32::MAX - 1),
            ack: SeqNum::new(900),
            flags,
            window: 77,
            urgent: 3,
            payload: Bytes::from_static(b"abc"),
            ..Segment::default()
        }
    }

    #[test]
    fn a_reset_is_never_answered() {
        for flags in [Flags::RST, Flags::RST | Flags::ACK, Flags::RST | Flags::SYN, Flags::all()] {
            assert_eq!(offending(flags).reset_reply(), None, "{flags:?}");
        }
    }

    #[test]
    fn without_ack_the_reset_acknowledges_everything() {
        // Text 3, and one more each for SYN and FIN, across the wrap.
        for (flags, ack) in [(Flags::empty(), 1), (Flags::SYN, 2), (Flags::FIN, 2), (Flags::SYN | Flags::FIN, 3)] {
            let expected = Segment { ack: SeqNum::new(ack), flags: Flags::RST | Flags::ACK, ..Segment::default() };
            assert_eq!(offending(flags).reset_reply(), Some(expected), "{flags:?}");
        }
    }

    #[test]
    fn with_ack_the_reset_takes_its_number() {
        for flags in [Flags::ACK, Flags::SYN | Flags::ACK, Flags::FIN | Flags::ACK | Flags::PSH | Flags::URG] {
            let expected = Segment { seq: SeqNum::new(900), flags: Flags::RST, ..Segment::default() };
            assert_eq!(offending(flags).reset_reply(), Some(expected), "{flags:?}");
        }
    }

    #[test]
    fn timestamps_are_echoed_with_a_zero_clock() {
        for flags in [Flags::SYN, Flags::ACK] {
            let mut segment = offending(flags);
            let options = Options {
                mss: Some(1460),
                sack_permitted: true,
                timestamps: Some(Timestamps { value: 41, echo: 42 }),
                ..Options::default()
            };
            segment.options = options.into();
            let echoed = Some(Timestamps { value: 0, echo: 41 }).into();
            assert_eq!(segment.reset_reply().map(|reply| reply.options), Some(echoed), "{flags:?}");
        }
    }
}
