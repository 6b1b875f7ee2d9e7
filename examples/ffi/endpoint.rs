//! The calls on an endpoint.

use std::ffi::c_void;

use bytes::Bytes;
use segue::codec::{self, Fill, PseudoHeader, Verify};
use segue::congestion::Algorithm;
use segue::host::{self, Endpoint, EndpointConfig, Id, Keys};
use segue::{Ecn, Instant, SeqNum};

use crate::code::Code;
use crate::handle::{Handle, call, guarded, handle, octets, place, put, value};
use crate::values::{Flow, Listen, News, Options, Packet, Received, algorithm, icmp_kind};

/// The version of this ABI: it changes with every change of a structure, a number or a function.
pub const ABI: u32 = 2;

/// Takes a packet of segue_flush. The packet and its octets are valid until it returns.
pub type Send = Option<unsafe extern "C" fn(context: *mut c_void, packet: *const Packet)>;

/// The version of the ABI of the library. A host that loads it compares this with SEGUE_ABI.
#[unsafe(no_mangle)]
pub extern "C" fn segue_abi() -> u32 {
    ABI
}

/// Writes the usual options.
///
/// # Safety
/// options is NULL or has room for them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn segue_options_default(options: *mut Options) -> Code {
    // SAFETY: as the caller promises.
    let options = unsafe { place(options) };
    guarded(|| {
        options.ok_or(Code::Null)?.write(Options::usual());
        Ok(Code::Ok)
    })
}

/// Writes the usual limits of a listener on this port of all addresses; 0: on all ports.
///
/// # Safety
/// listen is NULL or has room for them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn segue_listen_default(listen: *mut Listen, port: u16) -> Code {
    // SAFETY: as the caller promises.
    let listen = unsafe { place(listen) };
    guarded(|| {
        listen.ok_or(Code::Null)?.write(Listen::usual(port));
        Ok(Code::Ok)
    })
}

/// Makes an endpoint. key: 16 octets from the entropy of the system, drawn when the host starts. options: NULL for the
/// usual ones.
///
/// # Safety
/// key is NULL or points to 16 octets; options is NULL or points to options; endpoint is NULL or has room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn segue_endpoint_new(
    key: *const u8,
    options: *const Options,
    endpoint: *mut *mut Handle,
) -> Code {
    // SAFETY: as the caller promises: an array of octets has no alignment.
    let key = unsafe { value(key.cast::<[u8; 16]>()) };
    // SAFETY: as the caller promises.
    let options = unsafe { value(options) };
    // SAFETY: as the caller promises.
    let endpoint = unsafe { place(endpoint) };
    guarded(|| {
        let (key, endpoint) = (key?, endpoint.ok_or(Code::Null)?);
        let (config, controller) = match options {
            Ok(options) => (EndpointConfig::try_from(options)?, algorithm(options.congestion)?),
            Err(_) => (EndpointConfig::default(), Algorithm::default()),
        };
        let handle = Handle::new(Endpoint::with_controller(Keys::new(key), config, controller));
        endpoint.write(Box::into_raw(Box::new(handle)));
        Ok(Code::Ok)
    })
}

/// Frees an endpoint with its connections; their peers hear nothing. NULL is permitted.
///
/// # Safety
/// endpoint is NULL, or from segue_endpoint_new and not freed; no other thread uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn segue_endpoint_free(endpoint: *mut Handle) -> Code {
    // SAFETY: it is NULL or points to a living handle, as the caller promises. The reference ends with this statement.
    let busy = unsafe { endpoint.as_ref() }.is_some_and(Handle::is_busy);
    if busy {
        return Code::Busy;
    }
    guarded(|| {
        if !endpoint.is_null() {
            // SAFETY: `segue_endpoint_new` made it from a box, and it is not freed, as the caller promises; no call on it
            // is in progress.
            drop(unsafe { Box::from_raw(endpoint) });
        }
        Ok(Code::Ok)
    })
}

/// Listens; the listener is a number, never 0.
///
/// # Safety
/// endpoint as for segue_timers; listen is NULL or points to the terms; listener is NULL or has room for a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn segue_listen(endpoint: *mut Handle, listen: *const Listen, listener: *mut u32) -> Code {
    // SAFETY: as the caller promises.
    let handle = unsafe { handle(endpoint) };
    // SAFETY: as the caller promises.
    let listen = unsafe { value(listen) };
    // SAFETY: as the caller promises.
    let listener = unsafe { place(listener) };
    call(handle, |host| {
        let listen = host::Listen::try_from(listen?)?;
        let number = host.last_listener.checked_add(1).ok_or(Code::Full)?;
        let id = host.endpoint.listen(listen)?;
        host.listeners.insert(number, id);
        host.last_listener = number;
        put(listener, number);
        Ok(Code::Ok)
    })
}

/// Stops listening. Connections that nobody accepted are reset; accepted ones go on.
///
/// # Safety
/// endpoint as for segue_timers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn segue_unlisten(endpoint: *mut Handle, listener: u32, now: u64) -> Code {
    // SAFETY: as the caller promises.
    let handle = unsafe { handle(endpoint) };
    call(handle, |host| {
        let listener = host.listeners.remove(&listener).ok_or(Code::Invalid)?;
        let now = host.at(now);
        host.endpoint.unlisten(listener, now);
        Ok(Code::Ok)
    })
}

/// Gives the connection that has been ready for longest to its user, or SEGUE_CODE_NONE. Its signals come from now on.
///
/// # Safety
/// endpoint as for segue_timers; id has room for an id, or is NULL: then nothing is accepted.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn segue_accept(endpoint: *mut Handle, listener: u32, id: *mut u64) -> Code {
    // SAFETY: as the caller promises.
    let handle = unsafe { handle(endpoint) };
    // SAFETY: as the caller promises.
    let id = unsafe { place(id) };
    call(handle, |host| {
        let id = id.ok_or(Code::Null)?;
        let listener = host.listeners.get(&listener).ok_or(Code::Invalid)?;
        id.write(host.endpoint.accept(*listener).ok_or(Code::None)?.to_bits());
        Ok(Code::Ok)
    })
}

/// The next SYN at a gate that nobody was told of, or SEGUE_CODE_NONE. Answer with segue_admit, segue_refuse or segue_ignore.
///
/// # Safety
/// endpoint as for segue_timers; id has room for an id, or is NULL: then nobody is told; flow is NULL or has room for a
/// flow.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn segue_incoming(endpoint: *mut Handle, id: *mut u64, flow: *mut Flow) -> Code {
    // SAFETY: as the caller promises.
    let handle = unsafe { handle(endpoint) };
    // SAFETY: as the caller promises.
    let id = unsafe { place(id) };
    // SAFETY: as the caller promises.
    let flow = unsafe { place(flow) };
    call(handle, |host| {
        let id = id.ok_or(Code::Null)?;
        let incoming = host.endpoint.incoming().ok_or(Code::None)?;
        id.write(incoming.id.to_bits());
        put(flow, incoming.flow.into());
        Ok(Code::Ok)
    })
}

/// The gate opens: the SYN is answered, and the connection comes by segue_accept when the handshake is complete.
///
/// # Safety
/// endpoint as for segue_timers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn segue_admit(endpoint: *mut Handle, id: u64, now: u64) -> Code {
    // SAFETY: as the caller promises.
    let handle = unsafe { handle(endpoint) };
    call(handle, |host| {
        let now = host.at(now);
        host.endpoint.admit(Id::from_bits(id), now)?;
        Ok(Code::Ok)
    })
}

/// The gate stays shut: a reset refuses the SYN.
///
/// # Safety
/// endpoint as for segue_timers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn segue_refuse(endpoint: *mut Handle, id: u64) -> Code {
    // SAFETY: as the caller promises.
    let handle = unsafe { handle(endpoint) };
    call(handle, |host| {
        host.endpoint.refuse(Id::from_bits(id))?;
        Ok(Code::Ok)
    })
}

/// The SYN at the gate is forgotten without an answer; the peer may repeat it.
///
/// # Safety
/// endpoint as for segue_timers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn segue_ignore(endpoint: *mut Handle, id: u64) -> Code {
    // SAFETY: as the caller promises.
    let handle = unsafe { handle(endpoint) };
    call(handle, |host| {
        host.endpoint.ignore(Id::from_bits(id))?;
        Ok(Code::Ok)
    })
}

/// Opens a connection. local_port 0: the endpoint chooses it (RFC 6056). SEGUE_SIGNAL_CONNECTED or SEGUE_SIGNAL_CLOSED
/// follows.
///
/// # Safety
/// endpoint as for segue_timers; flow is NULL or points to a flow; id has room for an id, or is NULL: then nothing is
/// opened.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn segue_connect(endpoint: *mut Handle, flow: *const Flow, now: u64, id: *mut u64) -> Code {
    // SAFETY: as the caller promises.
    let handle = unsafe { handle(endpoint) };
    // SAFETY: as the caller promises.
    let flow = unsafe { value(flow) };
    // SAFETY: as the caller promises.
    let id = unsafe { place(id) };
    call(handle, |host| {
        let (flow, id) = (flow?, id.ok_or(Code::Null)?);
        let (local, remote, now) = (flow.local()?, flow.remote()?, host.at(now));
        let opened = if local.port() == 0 {
            host.endpoint.connect(local.ip(), remote, now)?
        } else {
            let flow = host::Flow::new(local, remote).ok_or(Code::Unusable)?;
            host.endpoint.connect_from(flow, now)?
        };
        id.write(opened.to_bits());
        Ok(Code::Ok)
    })
}

/// The same with TCP Fast Open (RFC 7413), from a port that the endpoint chooses (local_port is 0), and the text that
/// segue_write would write: where the server gave a cookie before, the first of it goes with the SYN. The server may get
/// that text twice: only for requests that may be repeated. written: the octets that fit, as of segue_write.
///
/// # Safety
/// endpoint as for segue_timers; flow is NULL or points to a flow; from is NULL or points to len octets; written and id
/// have room for their values, or are NULL: then nothing is opened.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn segue_connect_fast_open(
    endpoint: *mut Handle,
    flow: *const Flow,
    now: u64,
    from: *const u8,
    len: usize,
    written: *mut usize,
    id: *mut u64,
) -> Code {
    // SAFETY: as the caller promises.
    let handle = unsafe { handle(endpoint) };
    // SAFETY: as the caller promises.
    let flow = unsafe { value(flow) };
    // SAFETY: as the caller promises.
    let from = unsafe { octets(from, len) };
    // SAFETY: as the caller promises.
    let written = unsafe { place(written) };
    // SAFETY: as the caller promises.
    let id = unsafe { place(id) };
    call(handle, |host| {
        let (flow, from) = (flow?, from?);
        let (written, id) = (written.ok_or(Code::Null)?, id.ok_or(Code::Null)?);
        let (local, remote, now) = (flow.local()?, flow.remote()?, host.at(now));
        if local.port() != 0 {
            return Err(Code::Invalid);
        }
        let mut rest = Bytes::copy_from_slice(from);
        id.write(host.endpoint.connect_fast_open(local.ip(), remote, &mut rest, now)?.to_bits());
        written.write(from.len() - rest.len());
        Ok(Code::Ok)
    })
}

/// A packet arrived; the checksum is verified here. what: its fate, a value of segue_received. id: the connection, 0 where
/// there is none.
///
/// # Safety
/// endpoint as for segue_timers; packet is NULL or points to a packet, whose octets it counts; what and id are NULL or
/// have room for their values.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn segue_receive(
    endpoint: *mut Handle,
    packet: *const Packet,
    now: u64,
    what: *mut Received,
    id: *mut u64,
) -> Code {
    // SAFETY: as the caller promises.
    let handle = unsafe { handle(endpoint) };
    // SAFETY: as the caller promises.
    let packet = unsafe { value(packet) };
    // SAFETY: as the caller promises of a packet that is not NULL; without one there are no octets.
    let text = packet.and_then(|packet| unsafe { octets(packet.octets, packet.len) });
    // SAFETY: as the caller promises.
    let what = unsafe { place(what) };
    // SAFETY: as the caller promises.
    let id = unsafe { place(id) };
    call(handle, |host| {
        let (packet, text) = (packet?, text?);
        let addresses = PseudoHeader::new(packet.src.try_into()?, packet.dst.try_into()?).ok_or(Code::Invalid)?;
        if text.len() > addresses.max_len() {
            return Err(Code::Malformed); // not worth a copy
        }
        let mut decoded = codec::decode(Bytes::copy_from_slice(text), Verify::Now(addresses))?;
        decoded.segment.ecn = ecn(packet.ecn);
        let now = host.at(now);
        let (fate, connection) = Received::of(host.endpoint.receive(addresses, decoded, now));
        put(what, fate);
        put(id, connection);
        Ok(Code::Ok)
    })
}

/// An ICMP error arrived that quotes a segment that we sent: flow is that of the quoted packet, seen from us; kind a
/// value of segue_icmp_kind; mtu the next-hop MTU of "packet too big", 0 when there is none; quoted_seq the sequence
/// number in the quoted header. The connection judges it (RFC 5927).
///
/// # Safety
/// endpoint as for segue_timers; flow is NULL or points to a flow.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn segue_icmp(
    endpoint: *mut Handle,
    flow: *const Flow,
    kind: i32,
    mtu: u16,
    quoted_seq: u32,
    now: u64,
) -> Code {
    // SAFETY: as the caller promises.
    let handle = unsafe { handle(endpoint) };
    // SAFETY: as the caller promises.
    let flow = unsafe { value(flow) };
    call(handle, |host| {
        let (flow, kind, now) = (flow?, icmp_kind(kind)?, host.at(now));
        let flow = host::Flow::new(flow.local()?, flow.remote()?).ok_or(Code::Unusable)?;
        host.endpoint.icmp(&flow, (kind, mtu), SeqNum::new(quoted_seq), now)?;
        Ok(Code::Ok)
    })
}

fn ecn(bits: u8) -> Ecn {
    let all = [Ecn::NotEct, Ecn::Ect1, Ecn::Ect0, Ecn::Ce];
    all.into_iter().find(|ecn| ecn.bits() == bits & 3).unwrap_or_default()
}

/// Runs the timers that are due.
///
/// # Safety
/// endpoint is NULL, or from segue_endpoint_new and not freed; no other thread uses it during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn segue_timers(endpoint: *mut Handle, now: u64) -> Code {
    // SAFETY: as the caller promises.
    let handle = unsafe { handle(endpoint) };
    call(handle, |host| {
        let now = host.at(now);
        host.endpoint.timers(now);
        Ok(Code::Ok)
    })
}

/// When the next turn has to begin although nothing arrives; 0: at once. SEGUE_CODE_NONE: only when something arrives.
///
/// # Safety
/// endpoint as for segue_timers; at is NULL or has room for a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn segue_next_deadline(endpoint: *mut Handle, at: *mut u64) -> Code {
    // SAFETY: as the caller promises.
    let handle = unsafe { handle(endpoint) };
    // SAFETY: as the caller promises.
    let at = unsafe { place(at) };
    call(handle, |host| {
        put(at, host.endpoint.next_deadline().map(Instant::as_micros).ok_or(Code::None)?);
        Ok(Code::Ok)
    })
}

/// SEGUE_CODE_OK when segue_flush has something to do, else SEGUE_CODE_NONE.
///
/// # Safety
/// endpoint as for segue_timers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn segue_wants_flush(endpoint: *mut Handle) -> Code {
    // SAFETY: as the caller promises.
    let handle = unsafe { handle(endpoint) };
    call(handle, |host| if host.endpoint.wants_flush() { Ok(Code::Ok) } else { Err(Code::None) })
}

/// Hands all packets that this turn has to send to the callback, one by one, with the context. A packet that the callback
/// drops counts as lost in the network.
///
/// # Safety
/// endpoint as for segue_timers; send is NULL or a function that bears the context, and that returns: without an
/// exception, and without longjmp.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn segue_flush(endpoint: *mut Handle, now: u64, send: Send, context: *mut c_void) -> Code {
    // SAFETY: as the caller promises.
    let handle = unsafe { handle(endpoint) };
    call(handle, |host| {
        let (send, now) = (send.ok_or(Code::Null)?, host.at(now));
        let buffer = &mut host.octets;
        host.endpoint.flush(now, |addresses, packet| {
            buffer.clear();
            if codec::encode(&packet, Fill::Now(addresses), buffer).is_err() {
                return; // lost
            }
            let packet = Packet {
                src: addresses.src().into(),
                dst: addresses.dst().into(),
                octets: buffer.as_ptr(),
                len: buffer.len(),
                ecn: packet.segment.ecn.bits(),
            };
            // SAFETY: the caller promises that the function bears the context and returns; the packet and its octets live
            // until then, and nothing changes them: the buffer belongs to this endpoint, whose state is `Busy`.
            unsafe { send(context, &raw const packet) };
        });
        Ok(Code::Ok)
    })
}

/// The next signal, or SEGUE_CODE_NONE.
///
/// # Safety
/// endpoint as for segue_timers; news has room for it, or is NULL: then none is taken.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn segue_poll_signal(endpoint: *mut Handle, news: *mut News) -> Code {
    // SAFETY: as the caller promises.
    let handle = unsafe { handle(endpoint) };
    // SAFETY: as the caller promises.
    let news = unsafe { place(news) };
    call(handle, |host| {
        let news = news.ok_or(Code::Null)?;
        let (id, signal) = host.endpoint.poll_signal().ok_or(Code::None)?;
        news.write(News::of(id, signal));
        Ok(Code::Ok)
    })
}
