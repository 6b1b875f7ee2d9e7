//! The AccECN option (RFC 9768 §3.2.3): octets received with each ECN codepoint.

use core::fmt;

/// The AccECN option (RFC 9768 §3.2.3), of kind 172 or 174: the low 24 bits of up to three counters of received octets.
///
/// | kind | order | fields |
/// |---|---|---|
/// | 172 | 0 | EE0B, ECEB, EE1B |
/// | 174 | 1 | EE1B, ECEB, EE0B |
///
/// Fields at the end may be left out.
///
/// ```
/// use segue::AccEcn;
/// let option = AccEcn::order_0(&[1461, 2920]).expect("at most three numbers of 24 bits");
/// assert_eq!((option.e0b(), option.ceb(), option.e1b()), (Some(1461), Some(2920), None));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(into = "crate::segment::serial::Counters", try_from = "crate::segment::serial::Counters")
)]
pub struct AccEcn {
    order_1: bool,
    len: u8,
    /// What is not present is zero, so that `==` compares fields only.
    fields: [u32; 3],
}

impl AccEcn {
    /// The kinds of IANA's registry "TCP Option Kind Numbers".
    pub(crate) const ORDER_0: u8 = 172;
    pub(crate) const ORDER_1: u8 = 174;
    /// DIVOPT of App. A.1: the fields count modulo this.
    pub(crate) const MODULUS: u32 = 1 << 24;

    /// Kind 172: EE0B, ECEB, EE1B, as many as there are. `None`: more than three, or a number of more than 24 bits.
    ///
    /// ```
    /// use segue::AccEcn;
    /// assert_eq!(AccEcn::order_0(&[7]).and_then(|option| option.e0b()), Some(7));
    /// assert!(AccEcn::order_0(&[]).is_some()); // the empty option tests the path
    /// assert_eq!(AccEcn::order_0(&[1 << 24]), None);
    /// ```
    pub fn order_0(fields: &[u32]) -> Option<Self> {
        Self::new(false, fields)
    }

    /// Kind 174: EE1B, ECEB, EE0B, as many as there are. `None`: more than three, or a number of more than 24 bits.
    ///
    /// ```
    /// use segue::AccEcn;
    /// assert_eq!(AccEcn::order_1(&[7]).and_then(|option| option.e1b()), Some(7));
    /// assert_eq!(AccEcn::order_1(&[0; 4]), None);
    /// ```
    pub fn order_1(fields: &[u32]) -> Option<Self> {
        Self::new(true, fields)
    }

    pub(crate) fn new(order_1: bool, fields: &[u32]) -> Option<Self> {
        let len = u8::try_from(fields.len()).ok()?;
        let mut option = Self { order_1, len, fields: [0; 3] };
        option.fields.get_mut(..fields.len())?.copy_from_slice(fields);
        fields.iter().all(|&field| field < Self::MODULUS).then_some(option)
    }

    /// The option with this data, whatever its length: whole fields count, and what follows them is padding (§3.2.3).
    pub(crate) fn read(order_1: bool, data: &[u8]) -> Self {
        let mut option = Self { order_1, len: 0, fields: [0; 3] };
        for (slot, octets) in option.fields.iter_mut().zip(data.chunks_exact(3)) {
            if let &[a, b, c] = octets {
                *slot = u32::from_be_bytes([0, a, b, c]);
                option.len += 1;
            }
        }
        option
    }

    /// Whether the kind is 174: the field of ECT(1) comes first.
    ///
    /// ```
    /// use segue::AccEcn;
    /// assert!(!AccEcn::order_0(&[]).is_some_and(|option| option.is_order_1()));
    /// assert!(AccEcn::order_1(&[]).is_some_and(|option| option.is_order_1()));
    /// ```
    pub const fn is_order_1(&self) -> bool {
        self.order_1
    }

    /// The fields in their order.
    ///
    /// ```
    /// use segue::AccEcn;
    /// let option = AccEcn::order_1(&[1, 2, 3]).expect("three fields");
    /// assert_eq!(option.fields(), [1, 2, 3]);
    /// ```
    pub fn fields(&self) -> &[u32] {
        self.fields.get(..usize::from(self.len)).unwrap_or(&[])
    }

    /// EE0B: octets received with ECT(0), and 1.
    ///
    /// ```
    /// use segue::AccEcn;
    /// let option = AccEcn::order_1(&[1, 2, 3]).expect("three fields");
    /// assert_eq!(option.e0b(), Some(3));
    /// ```
    pub fn e0b(&self) -> Option<u32> {
        self.fields().get(if self.order_1 { 2 } else { 0 }).copied()
    }

    /// ECEB: octets received with CE.
    ///
    /// ```
    /// use segue::AccEcn;
    /// let option = AccEcn::order_1(&[1, 2, 3]).expect("three fields");
    /// assert_eq!(option.ceb(), Some(2));
    /// ```
    pub fn ceb(&self) -> Option<u32> {
        self.fields().get(1).copied()
    }

    /// EE1B: octets received with ECT(1), and 1.
    ///
    /// ```
    /// use segue::AccEcn;
    /// let option = AccEcn::order_1(&[1, 2, 3]).expect("three fields");
    /// assert_eq!(option.e1b(), Some(1));
    /// ```
    pub fn e1b(&self) -> Option<u32> {
        self.fields().get(if self.order_1 { 0 } else { 2 }).copied()
    }

    /// Octets of the option on the wire: 2, 5, 8 or 11.
    ///
    /// ```
    /// use segue::AccEcn;
    /// assert_eq!(AccEcn::order_0(&[1, 2]).map(|option| option.wire_len()), Some(8));
    /// ```
    pub fn wire_len(&self) -> usize {
        2 + 3 * self.fields().len()
    }
}

impl fmt::Debug for AccEcn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for AccEcn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = if self.order_1 { ["e1b", "ceb", "e0b"] } else { ["e0b", "ceb", "e1b"] };
        write!(f, "AccECN{}", u8::from(self.order_1))?;
        names.iter().zip(self.fields()).try_for_each(|(name, value)| write!(f, " {name} {value}"))
    }
}

#[cfg(feature = "arbitrary")]
impl<'a> arbitrary::Arbitrary<'a> for AccEcn {
    fn arbitrary(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
        let (order_1, len) = (u.arbitrary()?, u.int_in_range(0..=11)?);
        Ok(Self::read(order_1, u.bytes(len.min(u.len()))?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    /// Table 5, and "use those whole 3-octet fields that fit".
    #[test]
    fn every_length_is_read_as_the_whole_fields_that_fit() {
        let data = [0, 0, 1, 0, 2, 0, 3, 0, 0, 9, 9, 9, 9, 9];
        for len in 0..=data.len() {
            for order_1 in [false, true] {
                let option = AccEcn::read(order_1, &data[..len]);
                let whole = (len / 3).min(3);
                assert_eq!(option.fields(), &[1, 0x200, 0x03_0000][..whole], "{len}");
                assert_eq!((option.is_order_1(), option.wire_len()), (order_1, 2 + 3 * whole));
            }
        }
    }

    #[test]
    fn reads_like_tcpdump() {
        assert_eq!(AccEcn::order_0(&[1, 0]).unwrap().to_string(), "AccECN0 e0b 1 ceb 0");
        assert_eq!(AccEcn::order_1(&[1, 0, 5]).unwrap().to_string(), "AccECN1 e1b 1 ceb 0 e0b 5");
        assert_eq!(AccEcn::order_1(&[]).unwrap().to_string(), "AccECN1");
    }
}
