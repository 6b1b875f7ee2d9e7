//! The memory that all connections of an endpoint may take together.

/// Octets that are spoken for, and the most that may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Budget {
    limit: usize,
    used: usize,
}

impl Budget {
    pub(super) const fn new(limit: usize) -> Self {
        Self { limit, used: 0 }
    }

    /// Whether there is a limit at all: if not, nothing needs to be looked at.
    pub(super) const fn is_limited(&self) -> bool {
        self.limit != usize::MAX
    }

    pub(super) const fn used(&self) -> usize {
        self.used
    }

    pub(super) const fn left(&self) -> usize {
        self.limit.saturating_sub(self.used)
    }

    /// The most octets that may be spoken for.
    pub(super) const fn limit(&self) -> usize {
        self.limit
    }

    /// Takes octets if they are there.
    pub(super) fn take(&mut self, octets: usize) -> bool {
        let fits = octets <= self.left();
        if fits {
            self.used = self.used.saturating_add(octets);
        }
        fits
    }

    pub(super) fn give_back(&mut self, octets: usize) {
        self.used = self.used.saturating_sub(octets);
    }
}
