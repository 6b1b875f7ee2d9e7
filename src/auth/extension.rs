//! The sequence number extension of one direction (RFC 5925 §6.2, RFC 9187).

use crate::SeqNum;

/// The sequence numbers of one direction as numbers of 64 bits, which do not repeat. The upper half is the SNE, the sequence
/// number extension: 0 at the initial sequence number, and one more after each wrap.
///
/// The number of a segment is the one nearest to the highest that is certain. That is what RFC 9187 computes, which corrects
/// the example of RFC 5925 §6.2.
///
/// ```
/// use segue::SeqNum;
/// use segue::auth::Extension;
/// let mut extension = Extension::new(SeqNum::new(0xFFFF_FF00));
/// assert_eq!(extension.sne(SeqNum::new(0xFFFF_FF01)), 0);
/// assert_eq!(extension.sne(SeqNum::new(5)), 1); // behind the wrap
/// extension.note(SeqNum::new(5));
/// assert_eq!(extension.sne(SeqNum::new(0xFFFF_FF01)), 0); // one that is late
/// assert_eq!(extension.position(SeqNum::new(5)), (1 << 32) + 5);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Extension {
    isn: SeqNum,
    highest: u64,
}

impl Extension {
    /// The extension of a direction that begins with this initial sequence number.
    ///
    /// ```
    /// use segue::SeqNum;
    /// use segue::auth::Extension;
    /// assert_eq!(Extension::new(SeqNum::new(7)).isn(), SeqNum::new(7));
    /// ```
    pub fn new(isn: SeqNum) -> Self {
        Self { isn, highest: isn.value().into() }
    }

    /// The initial sequence number.
    ///
    /// ```
    /// use segue::SeqNum;
    /// use segue::auth::Extension;
    /// let mut extension = Extension::new(SeqNum::new(7));
    /// extension.note(SeqNum::new(1000));
    /// assert_eq!(extension.isn(), SeqNum::new(7));
    /// ```
    pub const fn isn(&self) -> SeqNum {
        self.isn
    }

    /// The number of 64 bits that this sequence number stands for.
    ///
    /// ```
    /// use segue::SeqNum;
    /// use segue::auth::Extension;
    /// assert_eq!(Extension::new(SeqNum::new(7)).position(SeqNum::new(9)), 9);
    /// ```
    pub fn position(&self, seq: SeqNum) -> u64 {
        let highest = SeqNum::new(u32::try_from(self.highest & u64::from(u32::MAX)).unwrap_or(0));
        let (ahead, behind) = (seq - highest, highest - seq);
        // Half of the numbers are ahead; what would lie before the first number there is stands for one that no peer sends.
        if ahead < 1 << 31 { self.highest.wrapping_add(ahead.into()) } else { self.highest.wrapping_sub(behind.into()) }
    }

    /// The upper half of [`position`](Self::position), which the MAC of a segment with this number covers.
    ///
    /// ```
    /// use segue::SeqNum;
    /// use segue::auth::Extension;
    /// let mut extension = Extension::new(SeqNum::new(0));
    /// for seq in [0x7000_0000, 0xE000_0000, 0x5000_0000] {
    ///     extension.note(SeqNum::new(seq));
    /// }
    /// assert_eq!(extension.sne(SeqNum::new(0x6000_0000)), 1);
    /// ```
    pub fn sne(&self, seq: SeqNum) -> u32 {
        u32::try_from(self.position(seq) >> 32).unwrap_or(0)
    }

    /// A segment with this number is certain: it left, or its signature is right.
    ///
    /// ```
    /// use segue::SeqNum;
    /// use segue::auth::Extension;
    /// let mut extension = Extension::new(SeqNum::new(u32::MAX));
    /// extension.note(SeqNum::new(0));
    /// assert_eq!(extension.sne(SeqNum::new(0)), 1);
    /// ```
    pub fn note(&mut self, seq: SeqNum) {
        let highest = SeqNum::new(u32::try_from(self.highest & u64::from(u32::MAX)).unwrap_or(0));
        if seq.after(highest) {
            self.highest = self.position(seq);
        }
    }
}
