//! Two endpoints by the calls of the ABI, and the packets between them.

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};

use segue_ffi::*;

/// A packet that its host keeps.
pub(crate) struct Kept {
    pub(crate) src: Address,
    pub(crate) dst: Address,
    pub(crate) octets: Vec<u8>,
}

/// An endpoint, until it is dropped.
pub(crate) struct End(pub(crate) *mut Handle);

impl Drop for End {
    fn drop(&mut self) {
        // SAFETY: it is from `segue_endpoint_new`, and not freed.
        assert_eq!(unsafe { segue_endpoint_free(self.0) }, Code::Ok);
    }
}

/// A call that gives a value.
pub(crate) fn given<T>(call: impl FnOnce(*mut T) -> Code) -> Result<T, Code> {
    let mut value = MaybeUninit::uninit();
    match call(value.as_mut_ptr()) {
        // SAFETY: each call that returns `Ok` has written its value.
        Code::Ok => Ok(unsafe { value.assume_init() }),
        code => Err(code),
    }
}

pub(crate) fn v4(octets: [u8; 4]) -> Address {
    let mut all = [0; 16];
    all[..4].copy_from_slice(&octets);
    Address { version: 4, octets: all }
}

pub(crate) const CLIENT: [u8; 4] = [198, 51, 100, 7];
pub(crate) const SERVER: [u8; 4] = [192, 0, 2, 1];

pub(crate) fn flow(port: u16) -> Flow {
    Flow { local: v4(CLIENT), remote: v4(SERVER), local_port: 0, remote_port: port }
}

/// The callback: keeps the packet.
unsafe extern "C" fn keep(context: *mut c_void, packet: *const Packet) {
    // SAFETY: `flush` gives the place of its vector, which nobody else uses meanwhile.
    let kept = unsafe { &mut *context.cast::<Vec<Kept>>() };
    // SAFETY: the library gives a packet that lives until this function returns.
    let packet = unsafe { *packet };
    // SAFETY: so do its octets.
    let octets = unsafe { std::slice::from_raw_parts(packet.octets, packet.len) };
    kept.push(Kept { src: packet.src, dst: packet.dst, octets: octets.to_vec() });
}

impl End {
    pub(crate) fn new(options: Option<&Options>) -> Self {
        let options = options.map_or(null(), std::ptr::from_ref);
        // SAFETY: the key is 16 octets, the options are NULL or options.
        Self(given(|to| unsafe { segue_endpoint_new([9; 16].as_ptr(), options, to) }).expect("an endpoint"))
    }

    pub(crate) fn listen(&self, terms: &Listen) -> Result<u32, Code> {
        // SAFETY: the endpoint lives, the terms are terms.
        given(|to| unsafe { segue_listen(self.0, terms, to) })
    }

    pub(crate) fn connect(&self, flow: &Flow) -> Result<u64, Code> {
        // SAFETY: the endpoint lives, the flow is one.
        given(|to| unsafe { segue_connect(self.0, flow, 0, to) })
    }

    /// The id, and the octets that fit.
    pub(crate) fn connect_fast_open(&self, flow: &Flow, text: &[u8]) -> Result<(u64, usize), Code> {
        let mut written = 0;
        let id = given(|to| {
            // SAFETY: the endpoint lives, the flow is one, the text has this length.
            unsafe { segue_connect_fast_open(self.0, flow, 0, text.as_ptr(), text.len(), &raw mut written, to) }
        })?;
        Ok((id, written))
    }

    pub(crate) fn accept(&self, listener: u32) -> Result<u64, Code> {
        // SAFETY: the endpoint lives.
        given(|to| unsafe { segue_accept(self.0, listener, to) })
    }

    pub(crate) fn receive(&self, kept: &Kept) -> Result<Received, Code> {
        let Kept { src, dst, octets } = kept;
        let packet = Packet { src: *src, dst: *dst, octets: octets.as_ptr(), len: octets.len(), ecn: 0 };
        // SAFETY: the endpoint lives, the packet has as many octets as it says.
        given(|to| unsafe { segue_receive(self.0, &raw const packet, 0, to, null_mut()) })
    }

    pub(crate) fn signal(&self) -> Option<(Signal, i32)> {
        // SAFETY: the endpoint lives.
        let news: News = given(|to| unsafe { segue_poll_signal(self.0, to) }).ok()?;
        Some((news.signal, news.detail))
    }

    pub(crate) fn write(&self, id: u64, text: &[u8]) -> Result<usize, Code> {
        // SAFETY: the endpoint lives, the text has this length.
        given(|to| unsafe { segue_write(self.0, id, 0, text.as_ptr(), text.len(), to) })
    }

    pub(crate) fn read(&self, id: u64, room: usize) -> Result<Vec<u8>, Code> {
        let mut text = vec![0; room];
        // SAFETY: the endpoint lives, the text has this room.
        let octets: usize = given(|to| unsafe { segue_read(self.0, id, 0, text.as_mut_ptr(), room, to) })?;
        text.truncate(octets);
        Ok(text)
    }

    pub(crate) fn flush(&self) -> Vec<Kept> {
        let mut kept: Vec<Kept> = Vec::new();
        // SAFETY: the endpoint lives, `keep` bears this context.
        let code = unsafe { segue_flush(self.0, 0, Some(keep), (&raw mut kept).cast()) };
        assert_eq!(code, Code::Ok);
        kept
    }
}

/// The packets go to and fro until none is left.
pub(crate) fn settle(a: &End, b: &End) {
    loop {
        let (to_b, to_a) = (a.flush(), b.flush());
        if to_a.is_empty() && to_b.is_empty() {
            return;
        }
        to_b.iter().for_each(|kept| assert!(b.receive(kept).is_ok()));
        to_a.iter().for_each(|kept| assert!(a.receive(kept).is_ok()));
    }
}

/// The usual terms.
pub(crate) fn terms(port: u16) -> Listen {
    // SAFETY: there is room for them.
    given(|to| unsafe { segue_listen_default(to, port) }).expect("terms")
}

/// A client and a server that are connected: `(client, its id, server, its id)`.
pub(crate) fn connected() -> (End, u64, End, u64) {
    let (client, server) = (End::new(None), End::new(None));
    let listener = server.listen(&terms(7)).expect("nobody listens there");
    let id = client.connect(&flow(7)).expect("a connection");
    settle(&client, &server);
    assert_eq!(client.signal(), Some((Signal::Connected, 0)));
    let peer = server.accept(listener).expect("it is ready");
    (client, id, server, peer)
}
