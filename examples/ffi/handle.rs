//! The endpoint behind its pointer, and pointers of the host as references.

use std::cell::{Cell, UnsafeCell};
use std::collections::BTreeMap;
use std::fmt;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};

use segue::Instant;
use segue::host::{Endpoint, Id, ListenerId, Socket};

use crate::code::Code;

/// All connections of a host. Only pointers to it leave the library.
pub struct Handle {
    state: Cell<State>,
    host: UnsafeCell<Host>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Idle,
    /// A call is in progress: only a callback can see it.
    Busy,
    /// A call panicked: what it left behind may contradict itself.
    Panicked,
}

/// The last time that a connection knows, see [`Instant`].
const LAST: u64 = 1 << 58;

/// The endpoint and what its calls need.
pub(crate) struct Host {
    pub(crate) endpoint: Endpoint,
    /// By their numbers in C, from 1 on.
    pub(crate) listeners: BTreeMap<u32, ListenerId>,
    pub(crate) last_listener: u32,
    /// The latest time that a call told, for calls that only look.
    pub(crate) latest: Instant,
    /// Each packet of a flush in turn.
    pub(crate) octets: Vec<u8>,
}

impl Host {
    /// The time of a call. Connections take a later one than `LAST` as that; so must the endpoint, or timers that they set
    /// after it are due for it and not for them, and it runs them forever.
    pub(crate) fn at(&mut self, now: u64) -> Instant {
        let now = Instant::from_micros(now.min(LAST));
        self.latest = self.latest.max(now);
        now
    }

    pub(crate) fn socket(&mut self, id: u64, now: u64) -> Result<Socket<'_>, Code> {
        let now = self.at(now);
        Ok(self.endpoint.socket(Id::from_bits(id), now)?)
    }

    /// To look at: nothing happens.
    pub(crate) fn look(&mut self, id: u64) -> Result<Socket<'_>, Code> {
        Ok(self.endpoint.socket(Id::from_bits(id), self.latest)?)
    }
}

/// An endpoint may move from thread to thread.
const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Host>();
};

impl Handle {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        let host =
            Host { endpoint, listeners: BTreeMap::new(), last_listener: 0, latest: Instant::ZERO, octets: Vec::new() };
        Self { state: Cell::new(State::Idle), host: UnsafeCell::new(host) }
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.state.get() == State::Busy
    }

    /// One call: none begins within another, and no panic leaves it.
    pub(crate) fn call(&self, act: impl FnOnce(&mut Host) -> Result<Code, Code>) -> Code {
        match self.state.get() {
            State::Idle => {}
            State::Busy => return Code::Busy,
            State::Panicked => return Code::Panic,
        }
        self.state.set(State::Busy);
        let done = guarded(|| {
            // SAFETY: the state was `Idle`, so no other reference to the host lives: this is the only place that makes
            // one, it ends before the state is `Idle` again, and `Handle` is not `Sync`.
            let host = unsafe { &mut *self.host.get() };
            act(host)
        });
        self.state.set(if done == Code::Panic { State::Panicked } else { State::Idle });
        done
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("state", &self.state.get()).finish_non_exhaustive()
    }
}

/// A panic becomes a code.
pub(crate) fn guarded(act: impl FnOnce() -> Result<Code, Code>) -> Code {
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(Ok(code) | Err(code)) => code,
        Err(payload) => {
            std::mem::forget(payload); // to drop it could panic again
            Code::Panic
        }
    }
}

/// The endpoint of a pointer of the host.
///
/// # Safety
/// `endpoint` is NULL, or from `segue_endpoint_new`; it is not freed and no other thread uses it during the call.
pub(crate) unsafe fn handle<'a>(endpoint: *const Handle) -> Option<&'a Handle> {
    // SAFETY: it is NULL or points to a living `Handle`, as the caller promises; nobody makes a `&mut Handle`.
    unsafe { endpoint.as_ref() }
}

/// [`Handle::call`], where there is a handle.
pub(crate) fn call(handle: Option<&Handle>, act: impl FnOnce(&mut Host) -> Result<Code, Code>) -> Code {
    handle.map_or(Code::Null, |handle| handle.call(act))
}

/// Where a value goes, if the host wants it.
///
/// # Safety
/// `to` is NULL, or points to memory for a `T` that is aligned and that nobody else uses during the call.
pub(crate) unsafe fn place<'a, T>(to: *mut T) -> Option<&'a mut MaybeUninit<T>> {
    // SAFETY: the caller promises it; `MaybeUninit` asks for no initial value.
    unsafe { to.cast::<MaybeUninit<T>>().as_mut() }
}

/// Writes a value where the host wants it.
pub(crate) fn put<T>(to: Option<&mut MaybeUninit<T>>, value: T) {
    if let Some(to) = to {
        to.write(value);
    }
}

/// A value of the host.
///
/// # Safety
/// `from` is NULL, or points to a `T` that is aligned and that nobody changes during the call.
pub(crate) unsafe fn value<T: Copy>(from: *const T) -> Result<T, Code> {
    // SAFETY: the caller promises it.
    unsafe { from.as_ref() }.copied().ok_or(Code::Null)
}

/// Octets of the host.
///
/// # Safety
/// `from` is NULL, or points to `len` octets that nobody changes during the call.
pub(crate) unsafe fn octets<'a>(from: *const u8, len: usize) -> Result<&'a [u8], Code> {
    if len == 0 {
        return Ok(&[]);
    }
    if from.is_null() {
        return Err(Code::Null);
    }
    isize::try_from(len).map_err(|_| Code::Invalid)?;
    // SAFETY: not NULL, not longer than `isize::MAX`; the caller promises the rest.
    Ok(unsafe { std::slice::from_raw_parts(from, len) })
}

/// Memory of the host for `len` octets, which need no initial value.
///
/// # Safety
/// `to` is NULL, or points to memory for `len` octets that nobody else uses during the call.
pub(crate) unsafe fn buffer<'a>(to: *mut u8, len: usize) -> Result<&'a mut [MaybeUninit<u8>], Code> {
    if len == 0 {
        return Ok(&mut []);
    }
    if to.is_null() {
        return Err(Code::Null);
    }
    isize::try_from(len).map_err(|_| Code::Invalid)?;
    // SAFETY: not NULL, not longer than `isize::MAX`; `MaybeUninit` asks for no initial value; the caller promises the
    // rest.
    Ok(unsafe { std::slice::from_raw_parts_mut(to.cast(), len) })
}

#[cfg(test)]
mod tests {
    use segue::host::{EndpointConfig, Keys};

    use super::*;

    fn handle() -> Handle {
        Handle::new(Endpoint::new(Keys::new([7; 16]), EndpointConfig::default()))
    }

    #[test]
    fn a_panic_becomes_a_code_and_shuts_the_endpoint() {
        let handle = handle();
        assert_eq!(handle.call(|_| Ok(Code::End)), Code::End);
        assert_eq!(handle.call(|_| panic!("this panic is part of the test")), Code::Panic);
        assert_eq!(handle.call(|_| Ok(Code::Ok)), Code::Panic);
        assert!(!handle.is_busy(), "it can be freed");
    }

    #[test]
    fn no_call_begins_within_another() {
        let handle = handle();
        let mut inner = Code::Ok;
        let outer = handle.call(|_| {
            inner = handle.call(|_| Ok(Code::Ok));
            Err(Code::Gone)
        });
        assert_eq!((outer, inner), (Code::Gone, Code::Busy));
        assert_eq!(handle.call(|_| Ok(Code::Ok)), Code::Ok);
    }

    #[test]
    fn pointers_of_no_length_may_be_null() {
        // SAFETY: NULL is permitted.
        let none = unsafe { octets(std::ptr::null(), 0) };
        // SAFETY: NULL is permitted.
        let missing = unsafe { octets(std::ptr::null(), 1) };
        // SAFETY: the length is refused before the pointer is used.
        let endless = unsafe { octets([7].as_ptr(), usize::MAX) };
        assert_eq!((none, missing, endless), (Ok(&[][..]), Err(Code::Null), Err(Code::Invalid)));
    }
}
