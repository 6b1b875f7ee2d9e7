//! What holds of a value between two events. `Connection::check_invariants` looks at all of it, and a snapshot of which it
//! does not hold is refused.

/// What does not hold.
pub(crate) type Broken = &'static str;

/// The law, in words for whoever breaks it.
#[inline]
pub(crate) const fn holds(law: bool, words: &'static str) -> Result<(), Broken> {
    if law { Ok(()) } else { Err(words) }
}
