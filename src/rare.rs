//! State that a connection seldom needs: on the heap while it is in use, nothing but a pointer while it is not.

use alloc::boxed::Box;
use core::ops::Deref;

/// A state with a value for the time in which nothing goes on.
pub(crate) trait AtRest: Clone + Eq + 'static {
    const AT_REST: &'static Self;
}

/// State at rest takes no memory: reading it gives `AT_REST`, and the first change allocates.
///
/// Whoever changes it gives it back where that is known to be at rest again: episodes, marks, urgent data, doubts about the
/// MTU, the queue of text to send. Throttles, the pacer, samples of the rate and the rare counters, once used, stay:
/// what they have counted matters later.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, PartialEq, Eq, Debug)]
    struct Count(u8);

    impl AtRest for Count {
        const AT_REST: &'static Self = &Self(7);
    }

    #[test]
    fn state_at_rest_takes_no_memory() {
        let mut rare = Rare::<Count>::default();
        assert!(*rare == Count(7) && rare.is_at_rest() && rare.active().is_none());
        rare.begin().0 = 8;
        assert!(*rare == Count(8) && !rare.is_at_rest());
        rare.settle();
        assert!(!rare.is_at_rest());
        rare.begin().0 = 7;
        rare.settle();
        assert!(rare == Rare::default());
        rare.begin().0 = 9;
        rare.end();
        assert!(rare == Rare::default());
        assert_eq!(size_of::<Rare<Count>>(), size_of::<usize>());
    }
}
