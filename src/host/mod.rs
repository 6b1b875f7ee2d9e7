//! (see below)
mod cookies;
mod deadlines;
mod flow;
mod keys;
mod ports;
mod table;

pub use cookies::Redeemed;
pub use deadlines::Deadlines;
pub use flow::Flow;
pub use keys::Keys;
pub use ports::Ports;
