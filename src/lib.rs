//! TCP (RFC 9293) as a deterministic state machine without clock, entropy, sockets or I/O, and a codec for the TCP
//! header.
//!
//! A [`Connection`] holds the state of one connection. The host passes each [`Event`] to it with the time: a segment, a
//! timer, a user call. The connection returns [`Action`]s: transmit a segment, deliver payload, call at a time. A
//! connection is a plain value: `Clone`, `Eq`, `Hash` and `Send`. The same events at the same times give the same
//! actions and an equal value everywhere.
//!
//! ```
//! use segue::{Action, Arc, Config, Connection, Instant, Path, Secrets, SeqNum, State};
//!
//! let secrets = Secrets { iss: SeqNum::new(0x9c4e_11d7), ts_offset: 0 }; // a real host: RFC 6528
//! let (mut tcp, actions) = Connection::connect(Arc::new(Config::default()), Path::ipv4(1500), secrets, Instant::ZERO);
//! let Action::Transmit(syn) = &actions[0] else { panic!("connecting sends a SYN") };
//! assert_eq!(syn.to_string(), "Flags [S], seq 2622362071, win 65535, options [mss 1460,sackOK,TS val 0 ecr 0,wscale 3], length 0");
//! assert_eq!(tcp.state(), State::SynSent);
//!
//! // Nobody answers: at the deadline, a second later, the connection sends the SYN again.
//! let (timer, at) = tcp.next_deadline().expect("the retransmission timer runs");
//! assert!(matches!(&tcp.handle_timer(timer, at)[..], [Action::Transmit(again), ..] if again.seq == syn.seq));
//! ```
//!
//! The parts:
//!
//! - [`Connection`], with [`Event`], [`Action`], [`Timer`], [`Error`], [`CloseReason`], [`Discard`] and [`Info`]: the
//!   state machine.
//! - [`TimeWait`]: a connection in TIME-WAIT in 64 octets, for hosts that keep many.
//! - [`Segment`], [`Flags`], [`Options`], [`SeqNum`], [`Instant`], [`Path`], [`Secrets`]: the values at its border.
//!   They have no ports and no addresses; the host keeps those.
//! - [`codec`]: [`Segment`]s with ports to octets and back, with the checksum.
//! - [`Config`]: every number that the RFCs leave to policy, with default, range and clause.
//! - `ip` (feature `ip`): IP headers and ICMP errors around the codec.
//! - `host` (feature `host`): what every host needs around connections: the table of flows, listeners with SYN cookies,
//!   timers, secrets, TIME-WAIT, a memory budget.
//! - [`congestion`]: the trait [`Controller`], CUBIC and NewReno.
//!
//! The module `guide` (`docs/embedding.md` in the repository) is the guide for a host: which layer to take, a host in 25
//! lines, recipes, and the duty that comes with each action.
//!
//! # Promises
//!
//! - No peer can cause a panic or an error: [`Connection::handle_segment`] is infallible. A user call that cannot
//!   proceed returns an [`Error`] and changes nothing. No `unsafe`.
//! - [`Config`] bounds the memory. In steady traffic [`Connection::handle`] allocates nothing for a segment, with two
//!   exceptions: it copies a segment that spans two SENDs, and it merges small SENDs.
//! - Within one call the actions come in a fixed order; [`Action`] lists it.
//!
//! # Features
//!
//! The crate is `no_std` with `alloc`. Small devices leave out the default features and save almost half of the code.
//! The settings of a feature that is left out read as off. The README tells the size of each.
//!
//! - `accurate-ecn` (default): accurate ECN feedback (RFC 9768), beside classic ECN; without it, [`EcnMode::Accurate`] asks
//!   for classic ECN.
//! - `bbr` (default; with `pacing`): BBRv3, for those who choose it.
//! - `prague` (default; with `accurate-ecn` and `pacing`): Prague, a scalable controller for L4S, for those who choose it.
//! - `cubic` (default): CUBIC with HyStart++; without it, NewReno is the default controller.
//! - `ecn` (default): Explicit Congestion Notification.
//! - `pacing` (default): pacing, if [`Config::pacing`] asks for it.
//! - `path-mtu` (default): black-hole detection and probes for a larger MTU; without it, ICMP errors still lower the
//!   MTU.
//! - `rack` (default; with `sack`): RACK-TLP; without it, RFC 6675, or NewReno's duplicate ACKs where there is no SACK.
//! - `reassembly` (default): the receiver keeps out-of-order payload; without it, the peer sends that again.
//! - `sack` (default): selective acknowledgments.
//! - `shortcuts` (default): the expected segment and bursts skip steps that are void for them. Packets are the same.
//! - `undo` (default): Eifel, DSACK and F-RTO undo a needless reduction of the window.
//! - `window-validation` (default): RFC 7661, if [`Config::preserve_window`] asks for it.
//! - `serde`: every value that goes in and out as data; journals of a connection and their replay; snapshots.
//!   A [`Connection`] is written in any state, and goes on where it is read.
//! - `host`: the module `host`: an endpoint for all connections of a host, and its parts. `no_std`.
//! - `ip`: the module `ip`: IP headers and ICMP errors around the codec, and datagrams in and out of an endpoint. `no_std`.
//! - `std`: conveniences: `Clock`, and `std::io::Error` from a [`CloseReason`] or an [`Error`].
//! - `arbitrary`: `Arbitrary` for [`Event`], [`Segment`], [`Config`] and what they are made of. Needs `std`.
//! - `portable-atomic`: for targets without compare-and-swap on pointers; [`Arc`] is that of `portable-atomic-util`
//!   then.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::todo,
        clippy::unimplemented,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::float_arithmetic,
        clippy::wildcard_enum_match_arm,
        clippy::std_instead_of_core,
        clippy::std_instead_of_alloc
    )
)]

extern crate alloc;
#[cfg(any(test, feature = "arbitrary", feature = "std"))]
extern crate std;

#[cfg(not(segue_planted))]
#[macro_use]
mod planted;
#[cfg(segue_planted)]
#[macro_use]
pub mod planted;

pub mod auth;
pub mod codec;
mod config;
mod connection;
mod counts;
mod ecn;
mod event;
#[cfg(feature = "fast-open")]
mod fast_open;
mod features;
#[cfg(feature = "host")]
pub mod host;
mod info;
mod invariant;
#[cfg(feature = "ip")]
pub mod ip;
#[cfg(feature = "serde")]
pub mod journal;
mod options;
mod path;
#[cfg_attr(not(feature = "reassembly"), allow(dead_code))]
#[cfg_attr(not(any(feature = "reassembly", feature = "sack")), path = "few_ranges.rs")]
mod ranges;
mod rare;
#[cfg_attr(not(feature = "reassembly"), allow(dead_code))]
mod recent;
mod recv;
mod segment;
mod send;
mod seq;
mod stream;
#[cfg(feature = "std")]
mod system;
mod time;
mod timestamps;
mod user_timeout;

pub use config::{Config, ConfigBuilder, ConfigError, EcnMode, Field, Knob};
pub use connection::{Batch, Canonical, Connection, TimeWait};
#[cfg(feature = "fast-open")]
pub use event::FastOpenRefusal;
pub use event::{Action, Cause, CloseReason, Discard, Error, Event, IcmpKind, Report, Sink, State, Timer};
#[cfg(feature = "fast-open")]
pub use fast_open::{FastOpen, FastOpenAnswer};
pub use info::{AccurateEcn, Counters, Info};
pub use path::{IpVersion, Path, Secrets};
pub use segment::{
    AccEcn, CompactOptions, Ecn, FastOpenCookie, Flags, Options, SackBlock, SackBlocks, Segment, Timestamps,
};
pub use send::congestion::{self, Algorithm, Controller};
pub use seq::SeqNum;
#[cfg(feature = "std")]
pub use system::Clock;
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

/// The guide for hosts, the documents of the repository; only in the documentation.
#[cfg(all(doc, feature = "host", feature = "ip"))]
pub mod guide {
    // The first definition of a link counts: on these pages the links lead to modules, in the repository to files.
    #![doc = ""]
    #![cfg_attr(feature = "serde", doc = "[records]: crate::guide::records")]
    #![doc = "[smoltcp]: crate::guide::smoltcp"]
    #![doc = "[comparison]: crate::guide::comparison"]
    #![doc = ""]
    #![doc = include_str!("../docs/embedding.md")]

    #[cfg(feature = "serde")]
    pub mod records {
        #![doc = "[migration]: crate::guide#migration"]
        #![doc = ""]
        #![doc = include_str!("../docs/records.md")]
    }
    pub mod smoltcp {
        #![doc = "[comparison]: crate::guide::comparison"]
        #![doc = ""]
        #![doc = include_str!("../docs/smoltcp.md")]
    }
    pub mod comparison {
        #![doc = include_str!("../docs/comparison.md")]
    }
    pub mod configuration {
        #![doc = include_str!("../docs/configuration.md")]
    }
}

/// The examples of the README and of the documents that are not part of the guide are tests.
#[cfg(doctest)]
mod guides {
    #[cfg(all(feature = "host", feature = "ip"))]
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/architecture.md")]
    struct Architecture;
    #[doc = include_str!("../docs/testing.md")]
    struct Testing;
}
