//! NULL, void ids, values out of range, odd packets, calls from a callback: each gets a code, and nothing changes.
#![allow(clippy::multiple_unsafe_ops_per_block, reason = "lists of calls")]

use std::ffi::c_void;
use std::ptr::{null, null_mut};

use segue_ffi::*;

use crate::world::{End, Kept, connected, flow, given, settle, terms, v4};

#[test]
fn null_for_an_endpoint_is_a_code() {
    let none: *mut Handle = null_mut();
    let (listen, flow) = (terms(7), flow(7));
    // SAFETY: NULL is permitted everywhere.
    let codes = unsafe {
        [
            segue_listen(none, &raw const listen, null_mut()),
            segue_unlisten(none, 1, 0),
            segue_accept(none, 1, null_mut()),
            segue_incoming(none, null_mut(), null_mut()),
            segue_admit(none, 1, 0),
            segue_refuse(none, 1),
            segue_ignore(none, 1),
            segue_connect(none, &raw const flow, 0, null_mut()),
            segue_connect_fast_open(none, &raw const flow, 0, null(), 0, null_mut(), null_mut()),
            segue_receive(none, null(), 0, null_mut(), null_mut()),
            segue_icmp(none, &raw const flow, 1, 0, 0, 0),
            segue_timers(none, 0),
            segue_next_deadline(none, null_mut()),
            segue_wants_flush(none),
            segue_flush(none, 0, None, null_mut()),
            segue_poll_signal(none, null_mut()),
            segue_read(none, 1, 0, null_mut(), 0, null_mut()),
            segue_readable(none, 1, null_mut()),
            segue_write(none, 1, 0, null(), 0, null_mut()),
            segue_writable(none, 1, null_mut()),
            segue_close(none, 1, 0),
            segue_release(none, 1, 0),
            segue_abort(none, 1, 0),
            segue_notify_flushed(none, 1, 0),
            segue_set_congestion(none, 1, 0, 0, null_mut()),
            segue_ends(none, 1, null_mut()),
            segue_options_default(null_mut()),
            segue_listen_default(null_mut(), 7),
            segue_endpoint_new(null(), null(), null_mut()),
            segue_endpoint_new([1; 16].as_ptr(), null(), null_mut()),
        ]
    };
    assert_eq!(codes, [Code::Null; 30]);
    // SAFETY: NULL is permitted.
    assert_eq!(unsafe { segue_endpoint_free(none) }, Code::Ok);
}

#[test]
fn null_for_a_value_that_is_needed_is_a_code_and_takes_nothing() {
    let (client, id, server, peer) = connected();
    assert_eq!(client.write(id, b"hello"), Ok(5));
    settle(&client, &server);
    let mut octets = 0;
    // SAFETY: the endpoints live, NULL is permitted everywhere.
    let codes = unsafe {
        [
            segue_poll_signal(server.0, null_mut()),
            segue_read(server.0, peer, 0, null_mut(), 5, &raw mut octets),
            segue_read(server.0, peer, 0, [0; 5].as_mut_ptr(), 5, null_mut()),
            segue_write(server.0, peer, 0, null(), 5, &raw mut octets),
            segue_write(server.0, peer, 0, b"hello".as_ptr(), 5, null_mut()),
            segue_flush(server.0, 0, None, null_mut()),
            segue_receive(server.0, null(), 0, null_mut(), null_mut()),
            segue_connect(client.0, null(), 0, null_mut()),
            segue_connect(client.0, &raw const FLOW, 0, null_mut()),
            segue_listen(client.0, null(), null_mut()),
            segue_icmp(client.0, null(), 1, 0, 0, 0),
        ]
    };
    assert_eq!(codes, [Code::Null; 11]);
    assert_eq!(server.signal(), Some((Signal::Readable, 0)));
    assert_eq!(server.read(peer, 10), Ok(b"hello".to_vec()));
    assert!(client.flush().is_empty(), "nothing was opened");
}

static FLOW: Flow = Flow {
    local: Address { version: 4, octets: [198, 51, 100, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] },
    remote: Address { version: 4, octets: [192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] },
    local_port: 0,
    remote_port: 9,
};

#[test]
fn void_ids_are_gone() {
    let (client, id, server, _) = connected();
    let not_yet = client.connect(&flow(9)).expect("a connection");
    for void in [0, 7, u64::MAX, id ^ 1 << 32, not_yet + 1] {
        // SAFETY: the endpoint lives, NULL is permitted.
        let codes = unsafe {
            [
                segue_readable(client.0, void, null_mut()),
                segue_writable(client.0, void, null_mut()),
                segue_close(client.0, void, 0),
                segue_release(client.0, void, 0),
                segue_abort(client.0, void, 0),
                segue_notify_flushed(client.0, void, 0),
                segue_ends(client.0, void, null_mut()),
                segue_admit(client.0, void, 0),
                segue_refuse(client.0, void),
                segue_ignore(client.0, void),
            ]
        };
        assert_eq!(codes, [Code::Gone; 10], "{void:#x}");
        assert_eq!((client.read(void, 9), client.write(void, b"no")), (Err(Code::Gone), Err(Code::Gone)));
    }
    assert_eq!((server.accept(0), server.accept(99)), (Err(Code::Invalid), Err(Code::Invalid)));
    // SAFETY: the endpoint lives.
    assert_eq!(unsafe { segue_unlisten(server.0, 99, 0) }, Code::Invalid);
}

#[test]
fn values_out_of_range_are_refused() {
    let end = End::new(None);
    let nowhere = Address { version: 5, octets: [1; 16] };
    assert_eq!(end.listen(&Listen { full: 4, ..terms(7) }), Err(Code::Invalid));
    assert_eq!(end.listen(&Listen { address: nowhere, ..terms(7) }), Err(Code::Invalid));
    assert_eq!(end.listen(&terms(7)), Ok(1));
    assert_eq!(end.listen(&terms(7)), Err(Code::InUse));
    assert_eq!(end.connect(&Flow { remote: nowhere, ..flow(7) }), Err(Code::Invalid));
    assert_eq!(end.connect(&flow(0)), Err(Code::Unusable));
    assert_eq!(end.connect(&Flow { remote: v4([224, 0, 0, 1]), ..flow(7) }), Err(Code::Unusable));
    let from = Flow { local_port: 5000, ..flow(7) };
    assert!(end.connect(&from).is_ok());
    assert_eq!(end.connect(&from), Err(Code::InUse));

    // SAFETY: there is room for them.
    let usual: Options = given(|to| unsafe { segue_options_default(to) }).expect("options");
    let wrong = [
        Options { receive_buffer: 0, ..usual },
        Options { send_buffer: u32::MAX, ..usual },
        Options { first_port: 0, ..usual },
        Options { first_port: 9, last_port: 8, ..usual },
        Options { congestion: -1, ..usual },
        Options { congestion: Congestion::Other as i32, ..usual },
    ];
    for options in wrong {
        let mut place = null_mut();
        // SAFETY: the key has 16 octets, the options are options.
        let code = unsafe { segue_endpoint_new([1; 16].as_ptr(), &raw const options, &raw mut place) };
        assert_eq!((code, place.is_null()), (Code::Invalid, true), "{options:?}");
    }
    let small = End::new(Some(&Options { connections: 1, ..usual }));
    assert!(small.connect(&flow(7)).is_ok());
    assert_eq!(small.connect(&flow(7)), Err(Code::Full));
    let one = End::new(Some(&Options { first_port: 9, last_port: 9, ..usual }));
    assert!(one.connect(&flow(7)).is_ok());
    assert_eq!(one.connect(&flow(7)), Err(Code::NoPort));
}

#[test]
fn odd_packets_are_told_apart() {
    let (client, server) = (End::new(None), End::new(None));
    client.connect(&flow(7)).expect("a connection");
    let syn = client.flush().remove(0);
    let with = |octets: Vec<u8>| Kept { octets, ..syn };
    let mut flipped = syn.octets.clone();
    flipped[4] ^= 1;
    assert_eq!(server.receive(&with(flipped)), Err(Code::Checksum));
    assert_eq!(server.receive(&with(vec![])), Err(Code::Malformed));
    assert_eq!(server.receive(&with(syn.octets[..19].to_vec())), Err(Code::Malformed));
    assert_eq!(server.receive(&with(vec![0; 70_000])), Err(Code::Malformed));
    let six = Address { version: 6, ..syn.dst };
    assert_eq!(server.receive(&Kept { dst: six, octets: syn.octets.clone(), ..syn }), Err(Code::Invalid));
    let packet = Packet { src: syn.src, dst: syn.dst, octets: null(), len: 40, ecn: 0 };
    // SAFETY: the endpoint lives, NULL is permitted for the octets.
    let code = unsafe { segue_receive(server.0, &raw const packet, 0, null_mut(), null_mut()) };
    assert_eq!(code, Code::Null);
    assert!(server.flush().is_empty(), "none of them is answered");
    assert_eq!(server.receive(&syn), Ok(Received::Stray));
    assert_eq!(server.flush().len(), 1, "a reset");
}

/// What the callback of the next test heard.
struct Heard {
    endpoint: *mut Handle,
    codes: Vec<Code>,
}

unsafe extern "C" fn calls_back(context: *mut c_void, packet: *const Packet) {
    // SAFETY: the test gives its own value, which nobody else uses meanwhile.
    let heard = unsafe { &mut *context.cast::<Heard>() };
    // SAFETY: the endpoint lives, the packet is one.
    heard.codes.push(unsafe { segue_receive(heard.endpoint, packet, 0, null_mut(), null_mut()) });
    // SAFETY: the endpoint lives.
    heard.codes.push(unsafe { segue_timers(heard.endpoint, 0) });
    // SAFETY: the endpoint lives, and goes on living, as the answer says.
    heard.codes.push(unsafe { segue_endpoint_free(heard.endpoint) });
}

#[test]
fn the_endpoint_that_flushes_is_busy() {
    let client = End::new(None);
    client.connect(&flow(7)).expect("a connection");
    let mut heard = Heard { endpoint: client.0, codes: vec![] };
    // SAFETY: the endpoint lives, the callback bears this context.
    let code = unsafe { segue_flush(client.0, 0, Some(calls_back), (&raw mut heard).cast()) };
    assert_eq!((code, heard.codes.as_slice()), (Code::Ok, &[Code::Busy; 3][..]));
    // SAFETY: the endpoint lives.
    assert_eq!(unsafe { segue_timers(client.0, 0) }, Code::Ok);
}

unsafe extern "C" fn goes_over(context: *mut c_void, packet: *const Packet) {
    // SAFETY: the other endpoint lives, the packet is one.
    let code = unsafe { segue_receive(context.cast(), packet, 0, null_mut(), null_mut()) };
    assert_eq!(code, Code::Ok);
}

#[test]
fn a_callback_may_call_another_endpoint() {
    let (client, server) = (End::new(None), End::new(None));
    server.listen(&terms(7)).expect("nobody listens there");
    client.connect(&flow(7)).expect("a connection");
    // SAFETY: both endpoints live, the callback bears this context.
    assert_eq!(unsafe { segue_flush(client.0, 0, Some(goes_over), server.0.cast()) }, Code::Ok);
    // SAFETY: both endpoints live, the callback bears this context.
    assert_eq!(unsafe { segue_flush(server.0, 0, Some(goes_over), client.0.cast()) }, Code::Ok);
    assert_eq!(client.signal(), Some((Signal::Connected, 0)));
}
