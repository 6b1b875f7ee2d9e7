//! A TCP that is a value.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::panic,
        clippy::unreachable,
        clippy::todo,
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::float_arithmetic,
        clippy::wildcard_enum_match_arm,
        clippy::std_instead_of_core,
        clippy::std_instead_of_alloc
    )
)]

extern crate alloc;
#[cfg(any(test, feature = "arbitrary"))]
extern crate std;

pub mod codec;
mod config;
mod connection;
mod event;
mod info;
mod options;
mod path;
mod ranges;
mod recv;
mod segment;
mod send;
mod seq;
mod time;
mod timers;
mod timestamps;

pub use config::{Config, ConfigBuilder, ConfigError, Field};
pub use connection::{Canonical, Connection};
pub use event::{Action, CloseReason, Discard, Error, Event, IcmpKind, Knob, Report, Sink, State, Timer};
pub use info::{Counters, Info};
pub use path::{IpVersion, Path, Secrets};
pub use segment::{Ecn, FastOpenCookie, Flags, Options, SackBlock, SackBlocks, Segment, Timestamps};
pub use send::congestion::{self, Algorithm, Controller};
pub use seq::SeqNum;
pub use time::Instant;

/// The shared pointer that holds a [`Config`].
#[cfg(not(feature = "portable-atomic"))]
pub use alloc::sync::Arc;
/// The shared pointer that holds a [`Config`].
#[cfg(feature = "portable-atomic")]
pub use portable_atomic_util::Arc;

/// A payload for an arbitrary event.
#[cfg(feature = "arbitrary")]
fn arbitrary_bytes(u: &mut arbitrary::Unstructured<'_>) -> arbitrary::Result<bytes::Bytes> {
    let octets: &[u8] = u.arbitrary()?;
    Ok(bytes::Bytes::copy_from_slice(octets))
}
