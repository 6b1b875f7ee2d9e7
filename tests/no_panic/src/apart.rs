//! The panics that the proof sets apart, each with its reason.

use std::fmt;

use crate::graph::Panic;

/// A kind of reference to a panic that the linker cannot exclude, and a person can.
pub(crate) struct Apart {
    pub(crate) name: &'static str,
    /// How the name of the function that refers to the panic begins.
    within: &'static str,
    /// How the line begins that comes to the panic, without those of the standard library: with the name of a crate.
    written: &'static str,
    /// How the name of the panic begins.
    panic: &'static str,
    why: &'static str,
}

pub(crate) const ALL: [Apart; 4] = [
    Apart {
        name: "capacity",
        within: "",
        written: "",
        panic: "alloc::raw_vec::",
        why: "a collection of more than isize::MAX octets; docs/architecture.md bounds all memory of a connection far below",
    },
    Apart {
        name: "layout",
        within: "bytes::bytes::",
        written: "bytes-",
        panic: "core::result::unwrap_failed",
        why: "memory that is given back has the size with which it was allocated, which is no more than isize::MAX",
    },
    Apart {
        name: "references",
        within: "bytes::",
        written: "bytes-",
        panic: "bytes::abort",
        why: "more than isize::MAX handles of the same octets",
    },
    Apart {
        name: "etherparse",
        within: "segue::ip::decode::any",
        written: "etherparse-",
        panic: "core::slice::index::slice_index_fail",
        why: "in etherparse, Ipv6ExtensionsSlice::from_slice: the front of a slice as long as what was read of it",
    },
];

impl Apart {
    /// What sets this reference apart.
    pub(crate) fn of(panic: &Panic) -> Option<&'static Self> {
        ALL.iter().find(|apart| {
            panic.function.starts_with(apart.within)
                && panic.written().starts_with(apart.written)
                && panic.panic.starts_with(apart.panic)
        })
    }

    pub(crate) fn is_apart(panic: &Panic) -> bool {
        Self::of(panic).is_some()
    }
}

/// An arithmetic overflow, which is a panic only with overflow checks.
pub(crate) fn is_overflow(panic: &Panic) -> bool {
    panic.panic.starts_with("core::panicking::panic_const::") && panic.panic.ends_with("_overflow")
}

/// The kind of a reference: what sets it apart, `overflow`, or `OPEN`.
pub(crate) fn kind(panic: &Panic) -> &'static str {
    match Apart::of(panic) {
        Some(apart) => apart.name,
        None if is_overflow(panic) => "overflow",
        None => "OPEN",
    }
}

impl fmt::Display for Apart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let within = if self.within.is_empty() { "anywhere" } else { self.within };
        write!(f, "{}: {} in {within}: {}", self.name, self.panic, self.why)
    }
}
