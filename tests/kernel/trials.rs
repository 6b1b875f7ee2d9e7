//! Rarer conversations, without loss: crossing SYNs, ports used again, readers that pause, routers that complain.

use std::io::{self, ErrorKind, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use segue::codec::Flow;
use segue::{CloseReason, Config, IcmpKind, Report, State};

use super::capture;
use super::scenarios::{KERNEL_ECHO, accept, connect, read_pattern, write_pattern};
use super::sockets::{self, KernelState, sysctl};
use super::world::{ECHO, LIMIT, Running, World, until};
use segue_tun::apps::{App, Echo, News, Tell, pattern};
use segue_tun::link::{Faults, Link};
use segue_tun::{Host, Socket, device};

/// The only port that the kernel's active opens may use, where a trial must know it.
const KERNEL_PORT: u16 = 40_000;

fn fix_kernel_port() {
    assert!(sysctl("ipv4.ip_local_port_range", &format!("{KERNEL_PORT} {KERNEL_PORT}")), "a range of one port");
}

/// Both open at once (MUST-10): the kernel's SYN waits in the device when segue sends its own.
pub(crate) fn both_open_at_once(world: &World) {
    const PORT: u16 = 5000; // where segue does not listen
    fix_kernel_port();
    let flow = Flow::new(world.segue(PORT), world.kernel(KERNEL_PORT)).expect("two hosts");
    let echo = Echo::new(world.tell());
    let kernel = world.on_host(move |host| {
        let kernel = thread::spawn(move || TcpStream::connect_timeout(&flow.local(), LIMIT));
        until("the kernel's SYN is out", || (sockets::states() == [KernelState::SynSent]).then_some(()));
        host.open(flow, Box::new(echo)).expect("the device works");
        kernel
    });
    let stream = kernel.join().expect("the kernel's user").expect("a connection");
    let writer = write_pattern(&stream, 100_000);
    read_pattern(&stream, 100_000);
    writer.join().expect("the writer");
    drop(stream);
    world.await_closed(CloseReason::Finished);
    world.await_kernel(&[KernelState::TimeWait]);

    let segments = capture::segments(&world.capture_now());
    let bare_syns = segments.iter().filter(|s| s.header.syn && !s.header.ack).count();
    assert_eq!(bare_syns, 2, "a SYN from each side before either is acknowledged");
}

/// The kernel uses its port again while segue is in TIME-WAIT: the SYN opens the successor (RFC 6191, MAY-2).
pub(crate) fn time_wait_is_succeeded(world: &World) {
    fix_kernel_port();
    world.on_host(|host| host.configure(Config::builder().msl(Duration::from_secs(60)).build().expect("valid")));
    world.listen();
    let mut first = connect(world, ECHO);
    let flow = world.only_flow();
    world.on_socket(flow, |socket| socket.close());
    assert_eq!(first.read(&mut [0; 8]).expect("the end of the text"), 0);
    drop(first);
    world.await_kernel(&[]);
    until("segue is in TIME-WAIT", || world.info(flow).filter(|info| info.state == State::TimeWait));

    let second = connect(world, ECHO);
    world.await_closed(CloseReason::Finished); // the first one's end, long before its two minutes
    assert_eq!(world.only_flow(), flow, "the same sockets again");
    let writer = write_pattern(&second, 100_000);
    read_pattern(&second, 100_000);
    writer.join().expect("the writer");
    drop(second);
    world.await_closed(CloseReason::Finished);
    world.await_kernel(&[KernelState::TimeWait]);
}

/// The kernel's user does not read: its window closes, segue probes it and goes on when it opens.
pub(crate) fn kernel_stops_reading(world: &World) {
    const OCTETS: u64 = 1_000_000;
    let patience = Config::builder().min_rto(Duration::from_millis(200)).msl(Duration::from_millis(100));
    world.on_host(move |host| host.configure(patience.build().expect("valid")));
    let listener = TcpListener::bind(world.kernel(KERNEL_ECHO)).expect("a port of the kernel");
    let flow = world.talk(world.kernel(KERNEL_ECHO), OCTETS);
    let (mut from, mut to) = {
        let stream = accept(&listener);
        (stream.try_clone().expect("a second handle"), stream)
    };
    until("segue has probed the closed window twice", || world.info(flow).filter(|info| info.counters.probes >= 2));
    assert_eq!(world.info(flow).map(|info| info.snd_wnd), Some(0));
    assert_eq!(io::copy(&mut from, &mut to).expect("the kernel's echo"), OCTETS);
    drop((from, to));
    world.await_heard(OCTETS);
    world.await_kernel(&[]);
    world.await_closed(CloseReason::Finished);
}

/// The kernel's user does not read, but writes: segue's acknowledgments must be good in the closed window too.
pub(crate) fn kernel_writes_and_does_not_read(world: &World) {
    const OCTETS: u64 = 1_000_000;
    let patience = Config::builder().min_rto(Duration::from_millis(200)).msl(Duration::from_millis(100));
    world.on_host(move |host| host.configure(patience.build().expect("valid")));
    let listener = TcpListener::bind(world.kernel(KERNEL_ECHO)).expect("a port of the kernel");
    let flow = world.talk(world.kernel(KERNEL_ECHO), OCTETS);
    let stream = accept(&listener);
    until("segue has probed the closed window", || world.info(flow).filter(|info| info.counters.probes >= 1));
    let writer = write_pattern(&stream, OCTETS);
    until("segue has what the kernel wrote", || world.info(flow).filter(|info| info.counters.octets_in == OCTETS));
    assert_eq!(world.info(flow).map(|info| info.snd_wnd), Some(0), "the kernel has not read yet");
    read_pattern(&stream, OCTETS);
    writer.join().expect("the writer");
    drop(stream);
    world.await_heard(OCTETS);
    world.await_closed(CloseReason::Finished);
    world.await_kernel(&[KernelState::TimeWait]);
}

/// Segue resets while it probes the kernel's closed window: the reset must be one that the kernel accepts.
pub(crate) fn segue_resets_into_a_closed_window(world: &World) {
    let patience = Config::builder().min_rto(Duration::from_millis(200));
    world.on_host(move |host| host.configure(patience.build().expect("valid")));
    let listener = TcpListener::bind(world.kernel(KERNEL_ECHO)).expect("a port of the kernel");
    let flow = world.talk(world.kernel(KERNEL_ECHO), 1_000_000);
    let mut stream = accept(&listener);
    until("segue has probed the closed window", || world.info(flow).filter(|info| info.counters.probes >= 1));
    world.on_socket(flow, |socket| socket.abort());
    world.await_closed(CloseReason::Aborted);
    world.await_kernel(&[]);
    let error = stream.read_to_end(&mut Vec::new()).expect_err("a reset connection");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

/// A user that does nothing of itself.
struct Passive(Tell);

impl App for Passive {
    fn wake(&mut self, _: &mut Socket<'_>) {}
    fn told(&mut self, flow: &Flow, news: News) {
        (self.0)(flow, news);
    }
}

/// Segue's user does not read: its window closes, the kernel probes it and goes on when it opens.
pub(crate) fn segue_stops_reading(world: &World) {
    const OCTETS: u64 = 1_000_000;
    world.serve(|tell| Box::new(Passive(tell)));
    let stream = connect(world, ECHO);
    let flow = world.only_flow();
    let writer = write_pattern(&stream, OCTETS);
    // less than one unit of the scale, 2^3 octets, cannot be said on the wire
    until("segue's window is closed", || world.info(flow).filter(|info| info.rcv_wnd < 8));
    until("the kernel has probed the closed window", || (sockets::counters()["TCPWinProbe"] >= 1).then_some(()));

    let mut text = Vec::new();
    until("segue's user has read everything", || {
        let more = world.on_socket(flow, |socket| {
            let mut text = Vec::new();
            while let Some(piece) = socket.read() {
                text.extend_from_slice(&piece);
            }
            text
        });
        text.extend(more.expect("the connection lives"));
        (text.len() as u64 >= OCTETS).then_some(())
    });
    assert!(text.into_iter().eq(pattern(0..OCTETS)), "what segue's user read is what the kernel's wrote");
    writer.join().expect("the writer");
    until("segue's user sees the end", || world.on_socket(flow, |socket| socket.at_end()).filter(|end| *end));
    world.on_socket(flow, |socket| socket.close());
    drop(stream);
    world.await_kernel(&[KernelState::TimeWait]);
}

/// The kernel as a router without a route: a soft error (MUST-56), which is reported and ends nothing.
pub(crate) fn router_knows_no_way(world: &World) {
    route();
    let nowhere: IpAddr = if world.setting.ipv6 {
        Ipv6Addr::new(0x2001, 0xdb8, 0xdead, 0, 0, 0, 0, 1).into()
    } else {
        Ipv4Addr::new(203, 0, 113, 1).into()
    };
    let flow = world.talk(SocketAddr::new(nowhere, 1), 1);
    let kind = world.await_news("the router's complaint", |news| match news {
        News::Report(Report::Icmp(kind)) => Some(*kind),
        _ => None,
    });
    assert_eq!(kind, IcmpKind::Unreachable);
    assert_eq!(world.info(flow).map(|info| info.state), Some(State::SynSent));
    world.on_socket(flow, |socket| socket.abort());
    world.await_closed(CloseReason::Aborted);
}

/// The kernel as a router to a second host, over a link with a smaller MTU than either end knows of: path MTU discovery
/// (RFC 1191, RFC 8201).
pub(crate) fn router_has_a_narrow_link(world: &World) {
    const NARROW: u16 = 1280;
    const OCTETS: u64 = 300_000;
    route();
    let (v4, v6) = (Ipv4Addr::new(198, 51, 100, 1), Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1));
    let device = device::open("segue1", NARROW, v4, v6).unwrap_or_else(|error| panic!("{error}"));
    let far: [IpAddr; 2] =
        [Ipv4Addr::new(198, 51, 100, 2).into(), Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 2).into()];
    // The far host believes in 1500, so its MSS option does not give the narrow link away.
    let link = Link::new(device, 1500, Faults::default()).expect("a link");
    let mut host = Host::new(link, &far, Config::default());
    let mut tell = Some(world.only_count());
    host.listen(ECHO, Box::new(move |_| Box::new(Echo::new(tell.take().expect("one connection")))));
    let far_host = Running::start(host);

    world.talk(SocketAddr::new(far[usize::from(world.setting.ipv6)], ECHO), OCTETS);
    world.await_heard(OCTETS);
    world.await_closed(CloseReason::Finished);
    world.count_probes(&far_host);
    far_host.stop();

    let sizes = |path| capture::segments(path).into_iter().filter(|s| s.by_segue).map(|s| s.ip_length).collect();
    let sizes: Vec<usize> = sizes(&world.capture_now());
    let last_big = sizes.iter().rposition(|size| *size > usize::from(NARROW)).expect("a packet that was too big");
    assert!(last_big < 30, "the initial window is all that is ever too big: packet {last_big} is");
    assert!(sizes[last_big..].contains(&usize::from(NARROW)), "the smaller MTU is used to the full");
}

fn route() {
    let both = [sysctl("ipv4.ip_forward", "1"), sysctl("ipv6.conf.all.forwarding", "1")];
    assert!(both.contains(&true), "the kernel can be a router");
}
