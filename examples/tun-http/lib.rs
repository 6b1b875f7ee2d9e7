//! A host over [`segue::host::Endpoint`] on a TUN device, and three applications for it.
//!
//! | module | what it is |
//! |---|---|
//! | `host` | the turn: wait, receive, timers, application, flush. All that an endpoint needs around it |
//! | `device` | the TUN device: datagrams, with virtio-net's header for segmentation offload |
//! | [`http`] | an HTTP/1.1 server; it knows an endpoint, and no device |
//! | [`message`] | the requests and responses of HTTP; it knows no connection |
//! | [`fetch`] | a client for a URL; it knows an endpoint, and no device |
//! | `proxy` | splices connections to sockets of the kernel; it dials before it answers a SYN |
//!
//! To write a host of your own, begin with `host` and put your application in the place of [`http`].

pub mod args;
#[cfg(target_os = "linux")]
pub mod device;
pub mod fetch;
#[cfg(target_os = "linux")]
pub mod host;
pub mod http;
pub mod message;
#[cfg(target_os = "linux")]
pub mod proxy;
