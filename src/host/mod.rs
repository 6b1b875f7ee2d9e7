//! What every host needs around connections; nothing in it is needed to use [`Connection`](crate::Connection).
//!
//! | part | for |
//! |---|---|
//! | [`Endpoint`], [`Socket`], [`Signal`] | all of it: packets in, packets and signals out |
//! | [`Listener`] | the SYN queue and the accept backlog of a host with a table of its own |
//! | [`Keys`] | initial sequence numbers, offsets of timestamps, SYN cookies, Fast Open cookies |
//! | [`Ports`] | ephemeral ports |
//! | `FastOpenCache`, `FastOpenQueue` | Fast Open: what a client knows of servers, what is pending at a server |
//! | [`Detached`] | a connection on its way to another endpoint |
//! | [`Deadlines`] | the earliest deadline of many connections |
//! | [`Flow`] | addresses and ports |
//!
//! Values go in and out: no clock, no entropy, no I/O; the same calls at the same times give the same packets. With the
//! feature `ip`, `Endpoint::receive_ip` and `Endpoint::flush_ip` take and give IP datagrams. A host that reads packets, calls
//! an [`Endpoint`], and writes packets is this:
//!
//! ```
//! use segue::Instant;
//! use segue::codec::{self, Fill, Packet, PseudoHeader};
//! use segue::host::{Endpoint, ListenerId, Signal};
//!
//! /// One turn of a server. A device gives the packets, and takes the octets of TCP with the addresses.
//! fn turn(
//!     endpoint: &mut Endpoint,
//!     listener: ListenerId,
//!     arrived: impl Iterator<Item = (PseudoHeader, Packet)>,
//!     now: Instant,
//!     mut send: impl FnMut(PseudoHeader, &[u8]),
//! ) -> Result<(), Box<dyn std::error::Error>> {
//!     for (addresses, packet) in arrived {
//!         endpoint.receive(addresses, packet, now);
//!     }
//!     endpoint.timers(now);
//!     while endpoint.accept(listener).is_some() {}
//!     while let Some((id, signal)) = endpoint.poll_signal() {
//!         match signal {
//!             Signal::Readable => {
//!                 let mut socket = endpoint.socket(id, now)?;
//!                 socket.chunks().for_each(drop); // the request
//!                 socket.write(b"hello\n")?; // takes what fits; `Signal::Writable` asks for the rest
//!             }
//!             Signal::PeerClosed => endpoint.socket(id, now)?.close()?,
//!             _ => {}
//!         }
//!     }
//!     let mut octets = Vec::new();
//!     endpoint.flush(now, |addresses, packet| {
//!         octets.clear();
//!         if codec::encode(&packet, Fill::Now(addresses), &mut octets).is_ok() {
//!             send(addresses, &octets);
//!         }
//!     });
//!     Ok(()) // then wait for a packet, or until `endpoint.next_deadline()`
//! }
//! ```

mod associations;
mod budget;
mod cookies;
mod deadlines;
mod detached;
mod endpoint;
#[cfg(feature = "fast-open")]
mod fast_open;
mod flow;
mod keys;
mod listener;
mod live;
mod ports;
mod queue;
mod signal;
mod slots;
mod socket;
mod table;
mod unsent;

pub use associations::{Associations, Keyring};
pub use cookies::Redeemed;
pub use deadlines::Deadlines;
pub use detached::{AttachError, DetachError, Detached};
pub use endpoint::{Endpoint, EndpointConfig, Incoming, Listen, ListenerId};
#[cfg(feature = "fast-open")]
pub use fast_open::{FastOpenCache, FastOpenQueue};
pub use flow::Flow;
pub use keys::Keys;
pub use listener::{Admit, Backlog, Full, Listener, Ticket};
pub use ports::Ports;
pub use signal::{Gone, Id, OpenError, Received, Signal};
pub use socket::{Chunks, Socket};
pub use unsent::Unsent;
