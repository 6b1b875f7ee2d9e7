//! Takes an input apart, octet by octet.

/// The octets not read yet. Missing octets at the end count as zero.
#[derive(Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this octet comes next; then it is behind us.
    pub(crate) fn skip(&mut self, octet: u8) -> bool {
        let comes = self.0.first() == Some(&octet);
        if comes {
            self.take(1);
        }
        comes
    }

    pub(crate) fn u8(&mut self) -> u8 {
        self.array::<1>()[0]
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.array())
    }

    pub(crate) fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.array())
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut octets = [0; N];
        let taken = self.take(N);
        octets[..taken.len()].copy_from_slice(taken);
        octets
    }

    /// Up to `n` octets.
    pub(crate) fn take(&mut self, n: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(n.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// Choices that settings are made of: an octet where that is enough. No input left: the first choice.
impl segue_kit::settings::Source for Reader<'_> {
    fn below(&mut self, n: u32) -> u32 {
        if n <= 256 { u32::from(self.u8()) % n } else { u32::from(self.u16()) % n }
    }

    fn any(&mut self) -> u64 {
        u64::from(self.u32())
    }
}
