//! In place of `reassembly`, without that feature: text out of order is refused, and the peer sends it again.

use alloc::boxed::Box;

use bytes::Bytes;

use super::limits::{Full, Inserted, Limits};
use crate::invariant::{Broken, holds};
use crate::recent::Recent;
use crate::stream::Offset;

/// Text held at RCV.NXT: that of a SYN, until the handshake is complete.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Reassembly(Option<Box<Held>>);

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Held {
    start: Offset,
    text: Bytes,
}

impl Held {
    fn end(&self) -> Offset {
        self.start.end_of(&self.text)
    }
}

impl Reassembly {
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn octets(&self) -> usize {
        self.0.as_ref().map_or(0, |held| held.text.len())
    }

    pub(crate) fn ranges(&self) -> usize {
        usize::from(self.0.is_some())
    }

    pub(crate) fn start(&self) -> Option<Offset> {
        Some(self.0.as_ref()?.start)
    }

    pub(crate) fn end(&self) -> Option<Offset> {
        Some(self.0.as_ref()?.end())
    }

    pub(crate) fn first_overlap(&self, start: Offset, end: Offset) -> Option<(Offset, Offset)> {
        let held = self.0.as_ref()?;
        let (from, to) = (start.max(held.start), end.min(held.end()));
        (from < to).then_some((from, to))
    }

    pub(crate) fn reports(&self) -> Recent<Offset> {
        Recent::default()
    }

    /// Holds text at RCV.NXT, where nothing is held. The first octet accepted at an offset stays.
    pub(crate) fn insert(
        &mut self,
        offset: Offset,
        text: Bytes,
        expected: Offset,
        limits: &Limits,
    ) -> Result<Inserted, Full> {
        if offset != expected {
            return Err(Full);
        }
        let repeated = self.first_overlap(offset, offset.end_of(&text));
        let held = self.0.get_or_insert_with(|| Box::new(Held { start: offset, text: limits.kept(text) }));
        Ok(Inserted { range: (held.start, held.end()), repeated })
    }

    pub(crate) fn release(&mut self, expected: Offset, mut deliver: impl FnMut(Bytes)) {
        if let Some(held) = self.0.take_if(|held| held.start == expected) {
            deliver(held.text);
        }
    }

    pub(crate) fn drop_beyond(&mut self, end: Offset, _: &Limits) -> usize {
        let Some(held) = &mut self.0 else { return 0 };
        let before = held.text.len();
        held.text.truncate(usize::try_from(end.saturating_since(held.start)).unwrap_or(usize::MAX));
        let dropped = before - held.text.len();
        self.0.take_if(|held| held.text.is_empty());
        dropped
    }

    pub(crate) fn check_invariants(&self, _: &Limits, received: Offset) -> Result<(), Broken> {
        holds(self.start().is_none_or(|start| start == received), "text is held out of order")
    }
}
