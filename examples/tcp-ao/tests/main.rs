//! The published vectors, and signed connections: key change, extensions, forgeries, rules of SYN and RST.

mod attacks;
mod connection;
mod conversations;
mod keys;
mod program;
mod replays;
mod room;
mod vectors;
