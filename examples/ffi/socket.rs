//! The calls on a connection. What they do leaves with the flush of the turn.

use std::mem::MaybeUninit;

use crate::code::Code;
use crate::handle::{Handle, buffer, call, handle, octets, place, put};
use crate::values::{Congestion, Flow, algorithm};

/// Reads up to room octets. read: their number. SEGUE_CODE_NONE: no text waits; SEGUE_CODE_END: no more will come.
///
/// # Safety
/// endpoint as for segue_timers; to is NULL or has space for room octets; read has space for a
/// number, or is NULL: then nothing is read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn segue_read(
    endpoint: *mut Handle,
    id: u64,
    now: u64,
    to: *mut u8,
    room: usize,
    read: *mut usize,
) -> Code {
    // SAFETY: as the caller promises.
    let handle = unsafe { handle(endpoint) };
    // SAFETY: as the caller promises.
    let to = unsafe { buffer(to, room) };
    // SAFETY: as the caller promises.
    let read = unsafe { place(read) };
    call(handle, |host| {
        let (to, read) = (to?, read.ok_or(Code::Null)?);
        let mut socket = host.socket(id, now)?;
        let waits = socket.readable();
        if waits == 0 {
            read.write(0);
            return Err(if socket.eof() { Code::End } else { Code::None });
        }
        let fits = waits.min(to.len());
        read.write(socket.read(initialized(&mut to[..fits])));
        Ok(Code::Ok)
    })
}

/// Memory that may be without value gets one.
fn initialized(to: &mut [MaybeUninit<u8>]) -> &mut [u8] {
    to.fill(MaybeUninit::new(0));
    // SAFETY: each octet has a value now, and `MaybeUninit<u8>` has the layout of `u8`.
    unsafe { &mut *(std::ptr::from_mut(to) as *mut [u8]) }
}

/// Octets that wait to be read.
///
/// # Safety
/// endpoint as for segue_timers; waits is NULL or has room for a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn segue_readable(endpoint: *mut Handle, id: u64, waits: *mut usize) -> Code {
    // SAFETY: as the caller promises.
    let handle = unsafe { handle(endpoint) };
    // SAFETY: as the caller promises.
    let waits = unsafe { place(waits) };
    call(handle, |host| {
        put(waits, host.look(id)?.readable());
        Ok(Code::Ok)
    })
}

/// Writes the octets that fit. written: their number; when it is less than len, SEGUE_SIGNAL_WRITABLE follows.
///
/// # Safety
/// endpoint as for segue_timers; from is NULL or points to len octets; written has room for a number, or is NULL: then
/// nothing is written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn segue_write(
    endpoint: *mut Handle,
    id: u64,
    now: u64,
    from: *const u8,
    len: usize,
    written: *mut usize,
) -> Code {
    // SAFETY: as the caller promises.
    let handle = unsafe { handle(endpoint) };
    // SAFETY: as the caller promises.
    let from = unsafe { octets(from, len) };
    // SAFETY: as the caller promises.
    let written = unsafe { place(written) };
    call(handle, |host| {
        let (from, written) = (from?, written.ok_or(Code::Null)?);
        written.write(host.socket(id, now)?.write(from)?);
        Ok(Code::Ok)
    })
}

/// Octets that a write would take now.
///
/// # Safety
/// endpoint as for segue_timers; room is NULL or has room for a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn segue_writable(endpoint: *mut Handle, id: u64, room: *mut usize) -> Code {
    // SAFETY: as the caller promises.
    let handle = unsafe { handle(endpoint) };
    // SAFETY: as the caller promises.
    let room = unsafe { place(room) };
    call(handle, |host| {
        put(room, host.look(id)?.writable()?);
        Ok(Code::Ok)
    })
}

/// No more text will be written: the FIN leaves on the last of it. Reading goes on.
///
/// # Safety
/// endpoint as for segue_timers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn segue_close(endpoint: *mut Handle, id: u64, now: u64) -> Code {
    // SAFETY: as the caller promises.
    let handle = unsafe { handle(endpoint) };
    call(handle, |host| {
        host.socket(id, now)?.close()?;
        Ok(Code::Ok)
    })
}

/// The user is gone: what was written is sent, with the FIN; if text is unread, a reset. The id is void.
///
/// # Safety
/// endpoint as for segue_timers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn segue_release(endpoint: *mut Handle, id: u64, now: u64) -> Code {
    // SAFETY: as the caller promises.
    let handle = unsafe { handle(endpoint) };
    call(handle, |host| {
        host.socket(id, now)?.release();
        Ok(Code::Ok)
    })
}

/// Ends the connection at once, with a reset. The id is void.
///
/// # Safety
/// endpoint as for segue_timers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn segue_abort(endpoint: *mut Handle, id: u64, now: u64) -> Code {
    // SAFETY: as the caller promises.
    let handle = unsafe { handle(endpoint) };
    call(handle, |host| {
        host.socket(id, now)?.abort();
        Ok(Code::Ok)
    })
}

/// SEGUE_SIGNAL_FLUSHED comes once, when the peer has acknowledged all that is written so far.
///
/// # Safety
/// endpoint as for segue_timers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn segue_notify_flushed(endpoint: *mut Handle, id: u64, now: u64) -> Code {
    // SAFETY: as the caller promises.
    let handle = unsafe { handle(endpoint) };
    call(handle, |host| {
        host.socket(id, now)?.notify_flushed();
        Ok(Code::Ok)
    })
}

/// Another congestion controller takes over, a value of segue_congestion. before: the number of the one before.
/// SEGUE_CODE_NOT_CONNECTED: the connection is over.
///
/// # Safety
/// endpoint as for segue_timers; before is NULL or has room for a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn segue_set_congestion(
    endpoint: *mut Handle,
    id: u64,
    now: u64,
    congestion: i32,
    before: *mut i32,
) -> Code {
    // SAFETY: as the caller promises.
    let handle = unsafe { handle(endpoint) };
    // SAFETY: as the caller promises.
    let before = unsafe { place(before) };
    call(handle, |host| {
        let controller = algorithm(congestion)?;
        let mut socket = host.socket(id, now)?;
        if socket.info().is_none() {
            return Err(Code::NotConnected);
        }
        put(before, Congestion::of(&socket.replace_controller(controller)));
        Ok(Code::Ok)
    })
}

/// The addresses and ports of a connection.
///
/// # Safety
/// endpoint as for segue_timers; flow is NULL or has room for a flow.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn segue_ends(endpoint: *mut Handle, id: u64, flow: *mut Flow) -> Code {
    // SAFETY: as the caller promises.
    let handle = unsafe { handle(endpoint) };
    // SAFETY: as the caller promises.
    let flow = unsafe { place(flow) };
    call(handle, |host| {
        put(flow, host.look(id)?.flow().ok_or(Code::Gone)?.into());
        Ok(Code::Ok)
    })
}
