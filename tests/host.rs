//! The host layer: its parts one by one, and endpoints in a world of packets that get lost, come twice or out of order.

mod chaos;
mod endpoint;
mod keys;
mod listener;
mod migrate;
mod scale;
mod transfer;
mod world;
