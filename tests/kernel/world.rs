//! The scene of every scenario: a TUN device in this namespace, segue's host on a thread of its own, a capture.

use segue::Arc;
use segue::codec::Flow;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use segue::{CloseReason, Config, EcnMode, Info, State};
use tun_rs::InterruptEvent;

use super::namespace;
use super::sockets::{self, KernelState};
use segue_tun::apps::{App, Echo, News, Talker, Tell};
use segue_tun::link::{Faults, Link};
use segue_tun::{Host, Socket, device};

/// How long any one thing may take that should happen at once, or after a few retransmissions.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// The port of segue's echo server.
pub(crate) const ECHO: u16 = 7777;

const MTU: u16 = 1500;

/// What the link does to packets, in each direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Road {
    /// Nothing.
    Clean,
    /// It takes no time, loses 2 % and lets others overtake 2 %.
    Rough,
    /// It takes a moment, and loses this many per cent.
    Loss(u8),
    /// It takes a while, and 2 % are overtaken.
    Reordering,
    /// It takes a moment, and 1 % come twice.
    Doubling,
    /// It takes a moment, and marks 1 % as having met congestion (RFC 3168).
    Marking,
}

impl Road {
    pub(crate) fn faults(self) -> Faults {
        let moment = Faults { delay: Duration::from_millis(1), seed: 8985, ..Faults::default() };
        match self {
            Self::Clean => Faults::default(),
            Self::Rough => Faults { loss: 2.0, reorder: 2.0, seed: 9293, ..Faults::default() },
            Self::Loss(percent) => Faults { loss: f64::from(percent), ..moment },
            Self::Reordering => Faults { reorder: 2.0, delay: Duration::from_millis(4), ..moment },
            Self::Doubling => Faults { duplicate: 1.0, ..moment },
            Self::Marking => Faults { mark: 1.0, ..moment },
        }
    }
}

impl Road {
    /// Whether packets get lost.
    pub(crate) fn loses(self) -> bool {
        matches!(self, Self::Rough | Self::Loss(1..))
    }

    /// Whether packets get lost, come late or come twice.
    pub(crate) fn is_lossy(self) -> bool {
        self.loses() || matches!(self, Self::Reordering | Self::Doubling)
    }
}

/// What distinguishes the runs of a scenario.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) ipv6: bool,
    pub(crate) road: Road,
    /// What controls the kernel's congestion window; none: its default.
    pub(crate) congestion: Option<&'static str>,
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
    /// What connections counted that are over.
    tail_probes: Arc<AtomicU64>,
}

impl World {
    /// A device, the kernel's TCP on one side and segue's on the other.
    pub(crate) fn new(test: &str, setting: Setting) -> Self {
        tune_kernel(setting.road);
        let capture = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.pcap", test.replace("::", "-")));
        let device = device::open("segue0", MTU, device::KERNEL_V4, device::KERNEL_V6);
        let mut link =
            Link::new(device.unwrap_or_else(|error| panic!("{error}")), MTU, setting.road.faults()).expect("a link");
        link.capture_to(&capture).unwrap_or_else(|error| panic!("{}: {error}", capture.display()));
        let congestion = setting.congestion.filter(|name| {
            let what = || format!("`{name}` at the kernel's end of {test}, which runs with the default");
            match sockets::use_congestion_control(name) {
                Ok(None) => true,
                Ok(Some(missing)) => {
                    namespace::say_skipped(&what(), &missing);
                    false
                }
                Err(missing) => {
                    namespace::skip(&what(), &missing);
                    false
                }
            }
        });
        let host = Running::start(Host::new(link, &device::HOST, config(setting.road)));
        let (news_to, news) = channel();
        let setting = Setting { congestion, ..setting };
        let world = Self { setting, capture, host, news_to, news, tail_probes: Arc::default() };
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
        tell(&self.news_to, &self.tail_probes)
    }

    /// Starts segue's echo server.
    pub(crate) fn listen(&self) {
        self.serve(|tell| Box::new(Echo::new(tell)));
    }

    /// Starts a server of segue's, on the port of the echo server.
    pub(crate) fn serve(&self, make: impl Fn(Tell) -> Box<dyn App> + Send + 'static) {
        let (news, tail_probes) = (self.news_to.clone(), Arc::clone(&self.tail_probes));
        self.on_host(move |host| host.listen(ECHO, Box::new(move |_| make(tell(&news, &tail_probes)))));
    }

    /// Tail-loss probes of all of segue's connections so far.
    pub(crate) fn tail_probes(&self) -> u64 {
        self.count_probes(&self.host);
        self.tail_probes.load(Ordering::Relaxed)
    }

    /// Counts the tail-loss probes of the connections of a host that still exist.
    pub(crate) fn count_probes(&self, host: &Running) {
        let count = |host: &mut Host| {
            let flows: Vec<Flow> = host.flows().copied().collect();
            let infos =
                flows.iter().map(|flow| host.with_socket(flow, |socket| socket.info()).expect("the device works"));
            infos.flatten().map(|info| info.counters.tail_probes).sum()
        };
        self.tail_probes.fetch_add(host.on_host(count), Ordering::Relaxed);
    }

    /// Where users tell their news of whom nothing is expected but that their connections' probes count.
    pub(crate) fn only_count(&self) -> Tell {
        tell(&channel().0, &self.tail_probes)
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

    /// Waits until a talker has heard `expected` octets, all of them right.
    pub(crate) fn await_heard(&self, expected: u64) {
        let heard = self.await_news("all octets to come back", |news| match news {
            News::Heard { octets, wrong_at } => Some((*octets, *wrong_at)),
            News::Report(_) | News::Closed(..) => None,
        });
        assert_eq!(heard, (expected, None), "octets that came back, and the first that was wrong");
    }

    /// Waits until a connection of segue's is over, and gives its variables at the end.
    pub(crate) fn await_closed(&self, expected: CloseReason) -> Info {
        let (reason, info) = self.await_news("the end of the connection", |news| match news {
            News::Closed(reason, info) => Some((*reason, info.as_ref().clone())),
            News::Heard { .. } | News::Report(_) => None,
        });
        assert_eq!(reason, expected, "why segue's connection ended; the capture is {}", self.capture.display());
        info
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

/// Passes news on, and keeps count.
fn tell(news: &Sender<(Flow, News)>, tail_probes: &Arc<AtomicU64>) -> Tell {
    let (news, tail_probes) = (news.clone(), Arc::clone(tail_probes));
    Box::new(move |flow, told| {
        if let News::Closed(_, info) = &told {
            tail_probes.fetch_add(info.counters.tail_probes, Ordering::Relaxed);
        }
        drop(news.send((*flow, told)));
    })
}

/// A configuration for networks of no length: whole tests wait for a TIME-WAIT, and many times for a timeout.
fn config(road: Road) -> Config {
    let builder = Config::builder().msl(Duration::from_millis(100));
    let builder = match road {
        // TIME-WAIT outlasts two of the kernel's retransmissions of a FIN (200 and 400 ms), the RTO its delayed ACKs (40 ms).
        Road::Rough => builder
            .msl(Duration::from_millis(500))
            .min_rto(Duration::from_millis(50))
            .initial_rto(Duration::from_millis(200)),
        Road::Loss(1..) => builder,
        // as for the kernel, below
        Road::Clean | Road::Loss(0) | Road::Reordering | Road::Doubling => builder.min_rto(Duration::from_secs(1)),
        Road::Marking => builder.min_rto(Duration::from_secs(1)).ecn(EcnMode::Active),
    };
    builder.build().expect("a valid configuration")
}

/// Without loss nothing may be retransmitted, so the kernel must not take a busy machine's pause for one: no tail loss
/// probes (RFC 8985 §7), which it sends after a few milliseconds, and its retransmission timeout a second at least.
/// With loss and reordering, what was held back may find segue's end gone and be answered by a reset, which the kernel
/// is to ignore in TIME-WAIT (RFC 1337).
fn tune_kernel(road: Road) {
    if road.is_lossy() {
        assert!(sockets::sysctl("ipv4.tcp_rfc1337", "1"), "the kernel has net.ipv4.tcp_rfc1337");
    } else {
        assert!(sockets::sysctl("ipv4.tcp_early_retrans", "0"), "the kernel has net.ipv4.tcp_early_retrans");
    }
    if road == Road::Marking {
        assert!(sockets::sysctl("ipv4.tcp_ecn", "1"), "the kernel has net.ipv4.tcp_ecn");
    }
    if !road.loses() {
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
