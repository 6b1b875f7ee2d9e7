//! A C ABI over [`segue::host::Endpoint`]: a host in C, or in any language that calls C, gives packets and times and takes
//! packets and signals. `include/segue.h` is generated from this package; `c/echo.c` and `python/echo.py` show its use.
//!
//! | rule | |
//! |---|---|
//! | memory | Buffers and structures are the host's, given by pointer and length; no call keeps a pointer. The library allocates and frees nothing but the endpoint, [`segue_endpoint_new`] and [`segue_endpoint_free`] |
//! | results | Each call returns a [`Code`]: 0, a positive one where there is nothing to give, a negative one for a mistake. Values go to pointers; NULL there: not wanted |
//! | mistakes | NULL for an endpoint, ids that are void and values out of range give a code and change nothing |
//! | threads | One at a time uses an endpoint, any thread |
//! | the callback | `segue_flush` calls it. It may call this library, for another endpoint: the one that flushes answers [`Code::Busy`]. It returns: it throws no exception and makes no `longjmp` |
//! | panics | None crosses the boundary: the call returns [`Code::Panic`], and so does each later call on this endpoint, except the one that frees it |
//!
//! Times are microseconds since an epoch of the host's choice, of one monotonic clock for all calls.
#![deny(unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]

mod code;
mod endpoint;
mod handle;
mod socket;
mod values;

pub use code::{Code, Reason, segue_reason_text, segue_strerror};
pub use endpoint::{
    ABI, Send, segue_abi, segue_accept, segue_admit, segue_connect, segue_connect_fast_open, segue_endpoint_free,
    segue_endpoint_new, segue_flush, segue_icmp, segue_ignore, segue_incoming, segue_listen, segue_listen_default,
    segue_next_deadline, segue_options_default, segue_poll_signal, segue_receive, segue_refuse, segue_timers,
    segue_unlisten, segue_wants_flush,
};
pub use handle::Handle;
pub use socket::{
    segue_abort, segue_close, segue_ends, segue_notify_flushed, segue_read, segue_readable, segue_release,
    segue_set_congestion, segue_writable, segue_write,
};
pub use values::{Address, Congestion, Flow, Full, Icmp, Listen, News, Options, Packet, Received, Report, Signal};
