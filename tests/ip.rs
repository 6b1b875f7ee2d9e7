//! IP datagrams: built and judged by etherparse, damaged, random; and endpoints that speak them.

mod datagrams;
mod endpoint;
mod icmp;
mod support;
mod virtio;
