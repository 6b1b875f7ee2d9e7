//! (see below)
mod budget;
mod cookies;
mod deadlines;
mod endpoint;
mod flow;
mod keys;
mod listener;
mod live;
mod ports;
mod signal;
mod slots;
mod socket;
mod table;

pub use cookies::Redeemed;
pub use deadlines::Deadlines;
pub use endpoint::{Endpoint, EndpointConfig, Incoming, Listen, ListenerId};
pub use flow::Flow;
pub use keys::Keys;
pub use listener::{Admit, Backlog, Full, Listener, Ticket};
pub use ports::Ports;
pub use signal::{Gone, Id, OpenError, Received, Signal};
pub use socket::{Chunks, Socket};
