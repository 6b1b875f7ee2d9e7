//! Two connections over a bad network in virtual time: whatever happens on the way, every octet arrives in order and
//! once, or a reason is given; both ends finish; and when the users are done, all is silent.
//!
//! The checks of `tests/kit/src/net` run after every single call. A failure prints the plan, shrunk where quickcheck drew it,
//! and the ladder diagram of what happened.

mod closing;
mod faults;
pub(crate) mod generate;
mod invariance;
mod random;
mod silence;
