//! What each call does when nothing is wrong.

use std::ffi::CStr;
use std::ptr::null_mut;

use segue_ffi::*;

use crate::world::{CLIENT, End, SERVER, connected, flow, given, settle, terms, v4};

#[test]
fn text_is_read_in_pieces_and_then_the_end() {
    let (client, id, server, peer) = connected();
    assert_eq!(server.read(peer, 10), Err(Code::None));
    assert_eq!(client.write(id, b"hello"), Ok(5));
    // SAFETY: the endpoint lives.
    assert_eq!(unsafe { segue_close(client.0, id, 0) }, Code::Ok);
    assert_eq!(client.write(id, b"more"), Err(Code::Closing));
    settle(&client, &server);
    // SAFETY: the endpoint lives.
    assert_eq!(given(|to| unsafe { segue_readable(server.0, peer, to) }), Ok(5));
    assert_eq!(server.read(peer, 0), Ok(vec![]));
    assert_eq!(server.read(peer, 3), Ok(b"hel".to_vec()));
    assert_eq!(server.read(peer, 3), Ok(b"lo".to_vec()));
    assert_eq!(server.read(peer, 3), Err(Code::End));
    // The text was read before anybody was told of it.
    assert_eq!([server.signal(), server.signal()], [Some((Signal::PeerClosed, 0)), None]);
}

#[test]
fn a_full_send_buffer_takes_less_and_tells_when_it_has_room() {
    // SAFETY: there is room for them.
    let mut options: Options = given(|to| unsafe { segue_options_default(to) }).expect("options");
    options.send_buffer = 1000;
    let (client, server) = (End::new(Some(&options)), End::new(None));
    let listener = server.listen(&terms(7)).expect("nobody listens there");
    let id = client.connect(&flow(7)).expect("a connection");
    settle(&client, &server);
    assert_eq!(client.write(id, &[1; 3000]), Ok(1000));
    // SAFETY: the endpoint lives.
    assert_eq!(given(|to| unsafe { segue_writable(client.0, id, to) }), Ok(0));
    // SAFETY: the endpoint lives.
    assert_eq!(unsafe { segue_notify_flushed(client.0, id, 0) }, Code::Ok);
    let peer = server.accept(listener).expect("it is ready");
    settle(&client, &server);
    assert_eq!(server.read(peer, 5000).map(|text| text.len()), Ok(1000));
    let signals = [client.signal(), client.signal(), client.signal(), client.signal()];
    assert_eq!(
        signals.map(|s| s.map(|s| s.0)),
        [Some(Signal::Connected), Some(Signal::Writable), Some(Signal::Flushed), None]
    );
}

#[test]
fn an_abort_resets_and_a_release_finishes() {
    let (client, id, server, _) = connected();
    // SAFETY: the endpoint lives.
    assert_eq!(unsafe { segue_abort(client.0, id, 0) }, Code::Ok);
    settle(&client, &server);
    assert_eq!(server.signal(), Some((Signal::Closed, Reason::Reset as i32)));

    let (client, id, server, peer) = connected();
    // SAFETY: the endpoint lives.
    assert_eq!(unsafe { segue_release(client.0, id, 0) }, Code::Ok);
    // SAFETY: the endpoint lives.
    assert_eq!(unsafe { segue_close(client.0, id, 0) }, Code::Gone);
    settle(&client, &server);
    assert_eq!(server.signal(), Some((Signal::PeerClosed, 0)));
    // SAFETY: the endpoint lives.
    assert_eq!(unsafe { segue_release(server.0, peer, 0) }, Code::Ok);
}

#[test]
fn both_ends_know_the_flow() {
    let (client, id, server, peer) = connected();
    // SAFETY: the endpoint lives.
    let ours: Flow = given(|to| unsafe { segue_ends(client.0, id, to) }).expect("a flow");
    // SAFETY: the endpoint lives.
    let theirs: Flow = given(|to| unsafe { segue_ends(server.0, peer, to) }).expect("a flow");
    assert_eq!((ours.local, ours.remote, ours.remote_port), (v4(CLIENT), v4(SERVER), 7));
    assert_eq!((theirs.local, theirs.remote), (ours.remote, ours.local));
    assert_eq!((theirs.local_port, theirs.remote_port), (ours.remote_port, ours.local_port));
}

#[test]
fn a_gate_holds_a_syn_until_its_host_answers() {
    let (client, server) = (End::new(None), End::new(None));
    let listener = server.listen(&Listen { gate: 1_000_000, ..terms(7) }).expect("nobody listens there");
    let incoming = || -> Result<u64, Code> {
        // SAFETY: the endpoint lives.
        given(|to| unsafe { segue_incoming(server.0, to, null_mut()) })
    };
    client.connect(&flow(7)).expect("a connection");
    settle(&client, &server);
    let held = incoming().expect("a SYN");
    assert_eq!((incoming(), client.signal()), (Err(Code::None), None));
    // SAFETY: the endpoint lives.
    assert_eq!(unsafe { segue_admit(server.0, held, 0) }, Code::Ok);
    settle(&client, &server);
    assert_eq!(client.signal(), Some((Signal::Connected, 0)));
    assert_eq!(server.accept(listener), Ok(held));

    client.connect(&flow(7)).expect("a connection");
    settle(&client, &server);
    // SAFETY: the endpoint lives.
    assert_eq!(unsafe { segue_refuse(server.0, incoming().expect("a SYN")) }, Code::Ok);
    settle(&client, &server);
    assert_eq!(client.signal(), Some((Signal::Closed, Reason::Refused as i32)));
}

#[test]
fn a_lost_syn_is_repeated_at_its_deadline() {
    let client = End::new(None);
    // SAFETY: the endpoint lives.
    let deadline = || given(|to| unsafe { segue_next_deadline(client.0, to) });
    // SAFETY: the endpoint lives.
    let wants_flush = || unsafe { segue_wants_flush(client.0) };
    assert_eq!((deadline(), wants_flush()), (Err(Code::None), Code::None));
    client.connect(&flow(7)).expect("a connection");
    assert_eq!(wants_flush(), Code::Ok);
    assert_eq!(client.flush().len(), 1);
    assert_eq!((deadline(), wants_flush()), (Ok(1_000_000), Code::None));
    // SAFETY: the endpoint lives.
    assert_eq!(unsafe { segue_timers(client.0, 1_000_000) }, Code::Ok);
    assert_eq!(client.flush().len(), 1);
}

#[test]
fn an_icmp_error_ends_an_open() {
    let client = End::new(None);
    client.connect(&Flow { local_port: 5000, ..flow(7) }).expect("a connection");
    let syn = client.flush().remove(0);
    let seq = u32::from_be_bytes([syn.octets[4], syn.octets[5], syn.octets[6], syn.octets[7]]);
    let icmp = |flow: &Flow, kind| {
        // SAFETY: the endpoint lives, the flow is one.
        unsafe { segue_icmp(client.0, flow, kind, 0, seq, 0) }
    };
    assert_eq!(icmp(&flow(7), Icmp::PortUnreachable as i32), Code::Unusable);
    assert_eq!(icmp(&Flow { local_port: 5001, ..flow(7) }, Icmp::PortUnreachable as i32), Code::Gone);
    assert_eq!(icmp(&Flow { local_port: 5000, ..flow(7) }, 99), Code::Invalid);
    assert_eq!(icmp(&Flow { local_port: 5000, ..flow(7) }, Icmp::Unreachable as i32), Code::Ok);
    assert_eq!(client.signal(), Some((Signal::Report, Report::Icmp as i32)));
    assert_eq!(icmp(&Flow { local_port: 5000, ..flow(7) }, Icmp::PortUnreachable as i32), Code::Ok);
    assert_eq!(client.signal(), Some((Signal::Closed, Reason::Unreachable as i32)));
}

#[test]
fn who_stops_listening_resets_what_nobody_accepted() {
    let (client, server) = (End::new(None), End::new(None));
    let listener = server.listen(&terms(7)).expect("nobody listens there");
    client.connect(&flow(7)).expect("a connection");
    settle(&client, &server);
    // SAFETY: the endpoint lives.
    assert_eq!(unsafe { segue_unlisten(server.0, listener, 0) }, Code::Ok);
    settle(&client, &server);
    assert_eq!(client.signal(), Some((Signal::Connected, 0)));
    assert_eq!(client.signal(), Some((Signal::Closed, Reason::Reset as i32)));
}

#[test]
fn every_number_has_words() {
    // SAFETY: the words are static strings.
    let code = |code| unsafe { CStr::from_ptr(segue_strerror(code)) };
    // SAFETY: the words are static strings.
    let reason = |reason| unsafe { CStr::from_ptr(segue_reason_text(reason)) };
    assert_eq!((code(0), code(-11), code(77)), (c"done", c"wrong checksum", c"unknown code"));
    assert_eq!((reason(2), reason(-1)), (c"connection refused", c"unknown reason"));
    assert_eq!(segue_abi(), ABI);
}
