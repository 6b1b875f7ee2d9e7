//! The conversations: transfers, and every way to begin and to end.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use segue::{CloseReason, State};

use super::capture;
use super::sockets::{self, KernelState};
use super::world::{ECHO, LIMIT, World, until};
use segue_tun::apps::{News, pattern};

/// 10 MB, and a bit: a multiple neither of a segment nor of a buffer.
pub(crate) const MUCH: u64 = 10_000_019;

/// The port of the kernel's listener.
pub(crate) const KERNEL_ECHO: u16 = 7778;

/// (i) The kernel connects, sends 10 MB and reads them back.
pub(crate) fn kernel_connects_and_is_echoed(world: &World) {
    world.listen();
    let stream = connect(world, ECHO);
    let writer = write_pattern(&stream, MUCH);
    read_pattern(&stream, MUCH);
    writer.join().expect("the writer");
    drop(stream);
    world.await_closed(CloseReason::Finished);
    world.await_kernel(&[KernelState::TimeWait]); // it closed first
    if world.setting.road.is_lossy() {
        let segments = capture::segments(&world.capture_now());
        assert!(segments.iter().any(|s| !s.by_segue && s.has_sack_blocks()), "the kernel saw gaps and said so");
    }
}

/// (ii) Segue connects, sends 10 MB and reads them back.
pub(crate) fn segue_connects_and_is_echoed(world: &World) {
    let listener = TcpListener::bind(world.kernel(KERNEL_ECHO)).expect("a port of the kernel");
    world.talk(world.kernel(KERNEL_ECHO), MUCH);
    let stream = accept(&listener);
    let (mut from, mut to) = (stream.try_clone().expect("a second handle"), stream);
    assert_eq!(io::copy(&mut from, &mut to).expect("the kernel's echo"), MUCH);
    drop((from, to));
    world.await_heard(MUCH);
    world.await_kernel(&[]); // segue closed first
    world.await_closed(CloseReason::Finished);
}

/// Window scaling, timestamps and SACK: what the kernel's socket says, and what the SYNs said.
pub(crate) fn options_are_negotiated(world: &World) {
    world.listen();
    let stream = connect(world, ECHO);
    let told = match sockets::negotiated() {
        Ok(told) => told,
        Err(missing) => return super::namespace::skip("what the kernel's socket negotiated", &missing),
    };
    assert!(told.timestamps && told.sack, "timestamps and SACK as the kernel sees them: {told:?}");
    let scales = told.window_scale.expect("window scaling as the kernel sees it");
    assert_ne!(scales.0, 0, "segue has more than 64 KiB of buffer, so its window needs a scale");
    close_both(world, stream);

    let segments = capture::segments(&world.capture_now());
    for by_segue in [true, false] {
        let syn = segments.iter().find(|s| s.by_segue == by_segue && s.header.syn).expect("a SYN of each side");
        assert!(syn.has_timestamps() && syn.permits_sack(), "options of the SYN, by segue: {by_segue}");
        let scale = if by_segue { scales.0 } else { scales.1 };
        assert_eq!(syn.window_scale(), Some(scale), "window scale of the SYN, by segue: {by_segue}");
    }
    let widest =
        segments.iter().filter(|s| s.by_segue && !s.header.syn).map(|s| u32::from(s.header.window_size) << scales.0);
    assert!(widest.max() > Some(65_535), "a window that cannot be said without a scale");
    assert!(segments.iter().all(captured_with_timestamps), "RFC 7323 §3.2: timestamps on every segment");
}

fn captured_with_timestamps(segment: &capture::Captured) -> bool {
    segment.has_timestamps()
}

/// (iii) The kernel closes first.
pub(crate) fn kernel_closes_first(world: &World) {
    world.listen();
    let mut stream = connect(world, ECHO);
    stream.write_all(b"ping").expect("room");
    stream.shutdown(Shutdown::Write).expect("an open socket");
    assert_eq!(read_to_end(&mut stream), b"ping");
    drop(stream);
    world.await_closed(CloseReason::Finished);
    world.await_kernel(&[KernelState::TimeWait]);
}

/// (iii) Segue closes first; the kernel still has something to say.
pub(crate) fn segue_closes_first(world: &World) {
    world.listen();
    let mut stream = connect(world, ECHO);
    let flow = world.only_flow();
    world.on_socket(flow, |socket| socket.close());
    assert_eq!(read_to_end(&mut stream), b"");
    world.await_kernel(&[KernelState::CloseWait]);
    until("segue is in FIN-WAIT-2", || world.info(flow).filter(|info| info.state == State::FinWait2));
    stream.write_all(b"a last word").expect("room");
    drop(stream);
    world.await_kernel(&[]);
    let info = world.await_news("the end of the connection", |news| match news {
        News::Closed(CloseReason::Finished, info) => Some(info.clone()),
        _ => None,
    });
    assert_eq!(info.counters.octets_in, 11, "octets delivered after our close");
}

/// (iii) Both close at once: each sends its FIN before it has seen the other's.
pub(crate) fn both_close_at_once(world: &World) {
    world.listen();
    let mut stream = connect(world, ECHO);
    let flow = world.only_flow();
    let kernel = stream.try_clone().expect("a second handle");
    let state = world.on_socket(flow, move |socket| {
        kernel.shutdown(Shutdown::Write).expect("an open socket"); // its FIN now waits in the device
        socket.close().map(|()| socket.info().state)
    });
    assert_eq!(state, Some(Ok(State::FinWait1)));
    assert_eq!(read_to_end(&mut stream), b"");
    drop(stream);
    world.await_kernel(&[KernelState::TimeWait]);
    world.await_closed(CloseReason::Finished);

    let segments = capture::segments(&world.capture_now());
    let fin = |by_segue| segments.iter().find(|s| s.by_segue == by_segue && s.header.fin).expect("a FIN of each side");
    let (ours, theirs) = (fin(true), fin(false));
    assert_eq!(ours.header.acknowledgment_number, theirs.header.sequence_number, "our FIN crossed the kernel's");
    if !world.setting.road.is_lossy() {
        assert_eq!(theirs.header.acknowledgment_number, ours.header.sequence_number, "the kernel's FIN crossed ours");
    }
}

/// (iii) The kernel resets, because its user leaves text unread.
pub(crate) fn kernel_resets(world: &World) {
    world.listen();
    let mut stream = connect(world, ECHO);
    let flow = world.only_flow();
    stream.write_all(b"ping").expect("room");
    assert_eq!(stream.peek(&mut [0; 8]).expect("the echo"), 4); // it is there, and stays unread
    drop(stream);
    if world.setting.road.is_lossy() {
        // Should the reset be lost, only more of our text will bring another.
        world.on_socket(flow, |socket| socket.send(&mut Bytes::from_static(b"?")).ok());
    }
    world.await_closed(CloseReason::Reset);
    world.await_kernel(&[]);
}

/// (iii) Segue resets.
pub(crate) fn segue_resets(world: &World) {
    world.listen();
    let mut stream = connect(world, ECHO);
    let flow = world.only_flow();
    world.on_socket(flow, |socket| socket.abort());
    world.await_closed(CloseReason::Aborted);
    // Should the reset be lost, this brings another. The error of the reset is told once, to the write or to the read.
    let written = if world.setting.road.is_lossy() { stream.write_all(b"?") } else { Ok(()) };
    let error = written.and_then(|()| stream.read(&mut [0; 8])).expect_err("a reset connection");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    drop(stream);
    world.await_kernel(&[]);
}

/// Nobody listens: the answer of a TCP without a connection, given and taken.
pub(crate) fn nobody_listens(world: &World) {
    let refused = TcpStream::connect_timeout(&world.segue(9), LIMIT).expect_err("nobody listens there");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    world.talk(world.kernel(9), 1);
    world.await_closed(CloseReason::Refused);
    world.await_kernel(&[]);
}

/// The kernel's socket, connected to a port of segue's.
pub(crate) fn connect(world: &World, port: u16) -> TcpStream {
    let remote = world.segue(port);
    limited(TcpStream::connect_timeout(&remote, LIMIT).unwrap_or_else(|error| panic!("{remote}: {error}")))
}

/// The next connection to a listener of the kernel's.
pub(crate) fn accept(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).expect("a socket");
    limited(until("the kernel accepts a connection", || listener.accept().ok()).0)
}

fn limited(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(LIMIT)).expect("a limit");
    stream.set_write_timeout(Some(LIMIT)).expect("a limit");
    stream
}

/// Ends a quiet connection to segue's echo server, the kernel first.
fn close_both(world: &World, mut stream: TcpStream) {
    stream.shutdown(Shutdown::Write).expect("an open socket");
    assert_eq!(read_to_end(&mut stream), b"");
    drop(stream);
    world.await_closed(CloseReason::Finished);
    world.await_kernel(&[KernelState::TimeWait]);
}

/// Sends `octets` octets of the pattern and closes, on a thread of its own.
pub(crate) fn write_pattern(stream: &TcpStream, octets: u64) -> JoinHandle<()> {
    let mut stream = stream.try_clone().expect("a second handle");
    thread::spawn(move || {
        let text: Vec<u8> = pattern(0..octets).collect();
        stream.write_all(&text).unwrap_or_else(|error| panic!("the kernel's user writes: {error}"));
        stream.shutdown(Shutdown::Write).expect("an open socket");
    })
}

/// Reads to the end, which must come after `octets` octets of the pattern.
pub(crate) fn read_pattern(mut stream: &TcpStream, octets: u64) {
    let mut buffer = vec![0; 65_536];
    let mut place = 0;
    loop {
        let n =
            stream.read(&mut buffer).unwrap_or_else(|error| panic!("the kernel's user, after {place} octets: {error}"));
        if n == 0 {
            break;
        }
        let next = place + n as u64;
        assert!(buffer[..n].iter().copied().eq(pattern(place..next)), "octets {place} to {next} are not what was sent");
        place = next;
    }
    assert_eq!(place, octets, "octets that came back");
}

fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut text = Vec::new();
    stream.read_to_end(&mut text).unwrap_or_else(|error| panic!("the kernel's user reads: {error}"));
    text
}
