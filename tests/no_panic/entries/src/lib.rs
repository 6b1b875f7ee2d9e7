//! Each function here is an entry point of segue as a host sees it: it knows nothing of its arguments, and neither does the
//! compiler. None of them ever runs.
#![no_std]

extern crate alloc;

pub mod codec;
pub mod connection;
pub mod controls;
mod runtime;
pub mod values;

use segue::{Action, Sink};

unsafe extern "Rust" {
    /// What a host does with an action; nobody knows here.
    safe fn host_takes(action: Action);
}

/// The sink of a host.
struct Host;

impl Sink for Host {
    fn push(&mut self, action: Action) {
        host_takes(action);
    }
}
