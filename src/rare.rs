//! State that a connection seldom needs: on the heap while it is in use, nothing but a pointer while it is not.

use alloc::boxed::Box;
use core::ops::Deref;

/// A state with a value for the time in which nothing goes on.
pub(crate) trait AtRest: Clone + Eq + 'static {
    const AT_REST: &'static Self;
}

/// State at rest takes no memory: reading it gives `AT_REST`, and the first change allocates.
///
/// Whoever changes it gives it back where it is at rest again, so that two equal values have equal costs.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Rare<T>(Option<Box<T>>);

impl<T> Default for Rare<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: AtRest> Rare<T> {
    /// Whether nothing goes on.
    pub(crate) const fn is_at_rest(&self) -> bool {
        self.0.is_none()
    }

    /// The state, to change it, if anything goes on.
    pub(crate) fn active(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }

    /// The state, to change it.
    pub(crate) fn begin(&mut self) -> &mut T {
        self.0.get_or_insert_with(|| Box::new(T::AT_REST.clone()))
    }

    /// Nothing goes on any more.
    pub(crate) fn end(&mut self) {
        self.0 = None;
    }

    /// Gives the memory back where the state is at rest again.
    pub(crate) fn settle(&mut self) {
        if self.0.as_deref().is_some_and(|state| state == T::AT_REST) {
            self.0 = None;
        }
    }
}

impl<T: AtRest> Deref for Rare<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or(T::AT_REST)
    }
}
