//! The host layer: its parts one by one, and endpoints in a world of packets that get lost, come twice or out of order.

mod attacks;
mod budget;
mod chaos;
mod endpoint;
mod fast_open;
mod fast_open_options;
mod keys;
mod listener;
mod low_water;
mod migrate;
mod room;
mod scale;
mod signals;
mod strays;
mod transfer;
mod world;
