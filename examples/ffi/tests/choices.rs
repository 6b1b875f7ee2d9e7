//! The congestion controller of an endpoint and of a connection, and Fast Open.
#![allow(clippy::multiple_unsafe_ops_per_block, reason = "lists of calls")]

use std::ptr::{null, null_mut};

use segue_ffi::*;

use crate::world::{End, connected, flow, given, settle, terms, v4};

const ALL: [Congestion; 4] = [Congestion::Cubic, Congestion::Reno, Congestion::Bbr, Congestion::Prague];

fn usual() -> Options {
    // SAFETY: there is room for them.
    given(|to| unsafe { segue_options_default(to) }).expect("options")
}

/// The connection of the end goes on with this one. Returns the one before.
fn exchange(end: &End, id: u64, congestion: i32) -> Result<i32, Code> {
    // SAFETY: the endpoint lives.
    given(|to| unsafe { segue_set_congestion(end.0, id, 0, congestion, to) })
}

#[test]
fn an_endpoint_has_the_congestion_controller_of_its_options() {
    assert_eq!(usual().congestion, Congestion::Cubic as i32);
    for congestion in ALL {
        let options = Options { congestion: congestion as i32, ..usual() };
        let end = End::new(Some(&options));
        let id = end.connect(&flow(7)).expect("a connection");
        assert_eq!(exchange(&end, id, Congestion::Reno as i32), Ok(congestion as i32));
    }
}

#[test]
fn a_connection_goes_on_with_another_congestion_controller() {
    let (client, id, server, peer) = connected();
    let mut before = Congestion::Cubic as i32;
    for congestion in ALL.iter().rev() {
        assert_eq!(exchange(&client, id, *congestion as i32), Ok(before), "{congestion:?}");
        before = *congestion as i32;
        assert_eq!(client.write(id, &[7; 1000]), Ok(1000));
        settle(&client, &server);
        assert_eq!(server.read(peer, 2000).map(|text| text.len()), Ok(1000));
    }
    for unknown in [-1, Congestion::Other as i32, i32::MAX] {
        assert_eq!(exchange(&client, id, unknown), Err(Code::Invalid));
    }
    assert_eq!(exchange(&client, id, before), Ok(before), "nothing has changed");
    // over, with text that waits; and void
    assert_eq!(client.write(id, b"unread"), Ok(6));
    settle(&client, &server);
    // SAFETY: the endpoint lives, NULL is permitted.
    unsafe {
        assert_eq!(segue_set_congestion(client.0, id, 0, 0, null_mut()), Code::Ok);
        assert_eq!(segue_abort(client.0, id, 0), Code::Ok);
        assert_eq!(segue_set_congestion(client.0, id, 0, 0, null_mut()), Code::Gone);
    }
    settle(&client, &server);
    assert_eq!(exchange(&server, peer, 0), Err(Code::NotConnected));
    assert_eq!(server.read(peer, 10), Ok(b"unread".to_vec()));
}

/// The first open fetches the cookie; the SYN of the second brings the text, which is at the user before the handshake is
/// complete.
#[test]
fn fast_open_brings_the_text_with_the_syn() {
    let (client, server) = (End::new(None), End::new(None));
    let listener = server.listen(&Listen { fast_open: 8, ..terms(7) }).expect("nobody listens there");
    let (first, written) = client.connect_fast_open(&flow(7), b"first").expect("a connection");
    assert_eq!(written, 5);
    settle(&client, &server);
    let peer = server.accept(listener).expect("it is ready");
    assert_eq!((server.read(peer, 10), client.signal()), (Ok(b"first".to_vec()), Some((Signal::Connected, 0))));

    let (second, written) = client.connect_fast_open(&flow(7), b"second").expect("a connection");
    assert!(written == 6 && second != first);
    for kept in client.flush() {
        assert_eq!(server.receive(&kept), Ok(Received::Opened));
    }
    let peer = server.accept(listener).expect("the SYN is enough");
    assert_eq!((server.read(peer, 10), server.signal()), (Ok(b"second".to_vec()), None));
    assert_eq!(server.write(peer, b"answer"), Ok(6));
    settle(&client, &server);
    assert_eq!(client.read(second, 10), Ok(b"answer".to_vec()));
    let news = [server.signal(), server.signal()];
    assert_eq!(news, [Some((Signal::Report, Report::FastOpenConfirmed as i32)), None]);
}

#[test]
fn mistakes_of_fast_open_open_nothing() {
    let end = End::new(None);
    let (mut id, mut written, to) = (0, 0, flow(7));
    let text = b"text";
    // SAFETY: the endpoint lives; each pointer has its room, or is NULL.
    let codes = unsafe {
        [
            segue_connect_fast_open(end.0, null(), 0, text.as_ptr(), 4, &raw mut written, &raw mut id),
            segue_connect_fast_open(end.0, &raw const to, 0, null(), 4, &raw mut written, &raw mut id),
            segue_connect_fast_open(end.0, &raw const to, 0, text.as_ptr(), 4, null_mut(), &raw mut id),
            segue_connect_fast_open(end.0, &raw const to, 0, text.as_ptr(), 4, &raw mut written, null_mut()),
        ]
    };
    assert_eq!((codes, id, written), ([Code::Null; 4], 0, 0));
    assert_eq!(end.connect_fast_open(&Flow { local_port: 5000, ..to }, text), Err(Code::Invalid));
    assert_eq!(end.connect_fast_open(&Flow { remote: v4([224, 0, 0, 1]), ..to }, text), Err(Code::Unusable));
    assert!(end.flush().is_empty());
    assert_eq!(end.connect_fast_open(&to, b"").map(|(_, written)| written), Ok(0));
    assert_eq!(end.flush().len(), 1);
}
