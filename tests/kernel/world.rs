//! The scene of every scenario: a TUN device in this namespace, segue's host on a thread of its own, a capture.

use segue::Arc;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use segue::{CloseReason, Config, Info, State};
use tun_rs::InterruptEvent;

use super::sockets::{self, KernelState};
use crate::host::apps::{Echo, News, Talker, Tell};
use crate::host::ip::Flow;
use crate::host::link::{Faults, Link};
use crate::host::{Host, Socket, device};

/// How long any one thing may take that should happen at once, or after a few retransmissions.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// The port of segue's echo server.
pub(crate) const ECHO: u16 = 7777;

const MTU: u16 = 1500;

/// What distinguishes the runs of a scenario.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) ipv6: bool,
    pub(crate) lossy: bool,
}

impl Setting {
    pub(crate) fn faults(self) -> Faults {
        if self.lossy { Faults { loss: 2.0, reorder: 2.0, seed: 9293 } } else { Faults::default() }
    }
}

type Command = Box<dyn FnOnce(&mut Host) + Send>;

/// A host on a thread of its own.
pub(crate) struct Running {
    commands: Sender<Command>,
    waker: Arc<InterruptEvent>,
    thread: JoinHandle<()>,
}

impl Running {
    pub(crate) fn start(mut host: Host) -> Self {
        let (commands, queue) = channel();
        let waker = host.link().waker();
        Self { commands, waker, thread: thread::spawn(move || serve(host, &queue)) }
    }

    /// Runs something on the host's thread, between two packets: nothing else happens to the host meanwhile.
    pub(crate) fn on_host<T: Send + 'static>(&self, act: impl FnOnce(&mut Host) -> T + Send + 'static) -> T {
        let (to, from) = channel();
        let command = move |host: &mut Host| drop(to.send(act(host)));
        self.commands.send(Box::new(command)).expect("the host's thread has panicked: see above");
        self.waker.trigger().expect("the host's pipe");
        from.recv_timeout(LIMIT).expect("the host did not answer: its thread has panicked, see above, or hangs")
    }

    pub(crate) fn stop(self) {
        drop(self.commands);
        self.waker.trigger().expect("the host's pipe");
        self.thread.join().expect("the host's thread has panicked: see above");
    }
}

/// The host's life: commands, and turns of its loop, until nobody can command it any more.
fn serve(mut host: Host, commands: &Receiver<Command>) {
    loop {
        match commands.try_recv() {
            Ok(command) => command(&mut host),
            Err(TryRecvError::Empty) => host.turn().expect("the device works"),
            Err(TryRecvError::Disconnected) => return,
        }
    }
}

/// The scene.
pub(crate) struct World {
    pub(crate) setting: Setting,
    pub(crate) capture: PathBuf,
    host: Running,
    news_to: Sender<(Flow, News)>,
    news: Receiver<(Flow, News)>,
}

impl World {
    /// A device, the kernel's TCP on one side and segue's on the other.
    pub(crate) fn new(test: &str, setting: Setting) -> Self {
        tune_kernel(setting);
        let capture = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.pcap", test.replace("::", "-")));
        let device = device::open("segue0", MTU, device::KERNEL_V4, device::KERNEL_V6);
        let mut link =
            Link::new(device.unwrap_or_else(|error| panic!("{error}")), MTU, setting.faults()).expect("a link");
        link.capture_to(&capture).unwrap_or_else(|error| panic!("{}: {error}", capture.display()));
        let host = Running::start(Host::new(link, &device::HOST, config(setting)));
        let (news_to, news) = channel();
        let world = Self { setting, capture, host, news_to, news };
        // An address of IPv6 can be used a moment after it was given.
        until("the kernel can use its address", || TcpListener::bind(world.kernel(0)).ok());
        world
    }

    /// Runs something on the host's thread, between two packets: nothing else happens to the host meanwhile.
    pub(crate) fn on_host<T: Send + 'static>(&self, act: impl FnOnce(&mut Host) -> T + Send + 'static) -> T {
        self.host.on_host(act)
    }

    /// Lets somebody in the place of its user act on a connection; `None` when it is gone.
    pub(crate) fn on_socket<T: Send + 'static>(
        &self,
        flow: Flow,
        act: impl FnOnce(&mut Socket<'_>) -> T + Send + 'static,
    ) -> Option<T> {
        self.on_host(move |host| host.with_socket(&flow, act).expect("the device works"))
    }

    /// Where the users of segue's connections tell their news.
    pub(crate) fn tell(&self) -> Tell {
        let news = self.news_to.clone();
        Box::new(move |flow, told| drop(news.send((*flow, told))))
    }

    /// Starts segue's echo server.
    pub(crate) fn listen(&self) {
        let news = self.news_to.clone();
        self.on_host(move |host| {
            let server = move |_: &Flow| {
                let news = news.clone();
                Box::new(Echo::new(Box::new(move |flow, told| drop(news.send((*flow, told)))))) as Box<_>
            };
            host.listen(ECHO, Box::new(server));
        });
    }

    /// Makes segue connect to a socket of the kernel and talk to it.
    pub(crate) fn talk(&self, remote: SocketAddr, octets: u64) -> Flow {
        let talker = Talker::new(octets, self.tell());
        self.on_host(move |host| host.connect(remote, Box::new(talker)).expect("an active open"))
    }

    /// Segue's address.
    pub(crate) fn segue(&self, port: u16) -> SocketAddr {
        SocketAddr::new(device::HOST[usize::from(self.setting.ipv6)], port)
    }

    /// The kernel's address.
    pub(crate) fn kernel(&self, port: u16) -> SocketAddr {
        let address: IpAddr = if self.setting.ipv6 { device::KERNEL_V6.into() } else { device::KERNEL_V4.into() };
        SocketAddr::new(address, port)
    }

    /// The connection of segue's host, when it has come to have exactly one, and established.
    pub(crate) fn only_flow(&self) -> Flow {
        let flow = until("segue's host has one connection", || {
            self.on_host(|host| {
                let mut flows = host.flows();
                flows.next().copied().filter(|_| flows.next().is_none())
            })
        });
        until("it is established", || self.info(flow).filter(|info| info.state == State::Established));
        flow
    }

    /// The capture, with everything in it that crossed the device so far.
    pub(crate) fn capture_now(&self) -> PathBuf {
        self.on_host(|host| host.link().flush_capture().expect("the capture"));
        self.capture.clone()
    }

    /// The variables of a connection of segue's; `None` when it is gone.
    pub(crate) fn info(&self, flow: Flow) -> Option<Info> {
        self.on_socket(flow, |socket| socket.info())
    }

    /// The next news of segue's users that pass this filter; reports (of loss) are passed over.
    pub(crate) fn await_news<T>(&self, what: &str, wanted: impl Fn(&News) -> Option<T>) -> T {
        let deadline = Instant::now() + LIMIT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let (flow, news) = self.news.recv_timeout(left).unwrap_or_else(|_| {
                panic!("waited {LIMIT:?} for {what} at segue's user; look at {}", self.capture.display())
            });
            match wanted(&news) {
                Some(value) => return value,
                None => assert!(matches!(news, News::Report(_)), "waited for {what}, but {flow}: {news:?}"),
            }
        }
    }

    /// Waits until a talker has heard so many octets, all of them right.
    pub(crate) fn await_heard(&self, expected: u64) {
        let heard = self.await_news("all octets to come back", |news| match news {
            News::Heard { octets, wrong_at } => Some((*octets, *wrong_at)),
            News::Report(_) | News::Closed(..) => None,
        });
        assert_eq!(heard, (expected, None), "octets that came back, and the first that was wrong");
    }

    /// Waits until a connection of segue's is over.
    pub(crate) fn await_closed(&self, expected: CloseReason) {
        let reason = self.await_news("the end of the connection", |news| match news {
            News::Closed(reason, _) => Some(*reason),
            News::Heard { .. } | News::Report(_) => None,
        });
        assert_eq!(reason, expected, "why segue's connection ended; the capture is {}", self.capture.display());
    }

    /// Waits until the kernel's sockets are in exactly these states (those that listen aside).
    pub(crate) fn await_kernel(&self, expected: &[KernelState]) {
        let deadline = Instant::now() + LIMIT;
        while sockets::states() != expected {
            let states = sockets::states();
            assert!(
                Instant::now() < deadline,
                "waited {LIMIT:?} for the kernel's sockets to be {expected:?}, they are {states:?}; the capture is {}",
                self.capture.display()
            );
            thread::sleep(Duration::from_millis(10)); // the kernel goes through a large table each time
        }
    }

    /// Ends the scene: stops the host and gives its account of the packets it ignored.
    pub(crate) fn stop(self) -> (PathBuf, BTreeMap<String, u64>) {
        let ignored = self.on_host(|host| host.ignored().clone());
        self.host.stop();
        (self.capture, ignored)
    }
}

/// A configuration for networks of no length: whole tests wait for a TIME-WAIT, and many times for a timeout.
fn config(setting: Setting) -> Config {
    let builder = Config::builder();
    let builder = if setting.lossy {
        // TIME-WAIT outlasts two of the kernel's retransmissions of a FIN (200 and 400 ms), the RTO its delayed ACKs (40 ms).
        builder
            .msl(Duration::from_millis(500))
            .min_rto(Duration::from_millis(50))
            .initial_rto(Duration::from_millis(200))
    } else {
        builder.msl(Duration::from_millis(100))
    };
    builder.build().expect("a valid configuration")
}

/// Without loss nothing may be retransmitted, so the kernel must not take a busy machine's pause for one: no tail loss
/// probes (RFC 8985 §7), which it sends after a few milliseconds, and its retransmission timeout a second at least.
/// With loss and reordering, what was held back may find segue's end gone and be answered by a reset, which the kernel
/// is to ignore in TIME-WAIT (RFC 1337).
fn tune_kernel(setting: Setting) {
    if setting.lossy {
        assert!(sockets::sysctl("ipv4.tcp_rfc1337", "1"), "the kernel has net.ipv4.tcp_rfc1337");
    } else {
        assert!(sockets::sysctl("ipv4.tcp_early_retrans", "0"), "the kernel has net.ipv4.tcp_early_retrans");
        sockets::sysctl("ipv4.tcp_rto_min_us", "1000000"); // Linux 6.11 and later
    }
}

/// Asks again and again, until the answer is there.
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {LIMIT:?} until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
