//! Endpoints joined in virtual time.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use segue::codec::{Packet, PseudoHeader};
use segue::host::{Endpoint, EndpointConfig, Id, Keys, Received, Signal};
use segue::{Algorithm, Arc, Config, Instant};
use segue_kit::{Rng, ms};

/// The addresses of the client and of the server.
pub(crate) const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));
pub(crate) const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// What a network does to packets, in a thousand.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) lost: u32,
    pub(crate) twice: u32,
    pub(crate) late: u32,
}

/// Octets of the budget for each connection beside its window and its text.
pub(crate) fn cost_of_one() -> usize {
    let connection = Arc::new(Config::builder().receive_buffer(1).build().unwrap());
    let config = EndpointConfig { connection, memory: 1 << 20, ..EndpointConfig::default() };
    let mut endpoint = Endpoint::new(Keys::new([7; 16]), config);
    endpoint.connect(CLIENT, SocketAddr::new(SERVER, 80), Instant::ZERO).unwrap();
    endpoint.memory() - 2
}

/// Octets of the budget that these connections owe at least: `cost` each, twice each window, and text to send beyond 4096
/// octets.
pub(crate) fn owed(endpoint: &mut Endpoint, ids: impl Iterator<Item = Id>, cost: usize, now: Instant) -> usize {
    let of_one = |id| {
        let Ok(socket) = endpoint.socket(id, now) else { return 0 };
        let Some(info) = socket.info() else { return cost + 2 * socket.readable() };
        let window = usize::try_from(info.rcv_buff.max(info.rcv_wnd)).unwrap().max(socket.readable());
        cost + 2 * window + info.send_queue.saturating_sub(4096)
    };
    ids.map(of_one).sum()
}

/// A client, a server and the packets between them.
pub(crate) struct World {
    pub(crate) now: Instant,
    /// The client and the server.
    pub(crate) ends: [Endpoint; 2],
    pub(crate) delay: Duration,
    pub(crate) faults: Faults,
    pub(crate) rng: Rng,
    under_way: BTreeMap<(Instant, u64), (usize, PseudoHeader, Packet)>,
    planned: u64,
    /// Packets sent by either end.
    pub(crate) sent: usize,
    /// Signals of either end that no turn took.
    pub(crate) signals: [Vec<(Id, Signal)>; 2],
}

impl World {
    pub(crate) fn new(configs: [EndpointConfig; 2], seed: u64) -> Self {
        Self::controlled_by([Algorithm::default(), Algorithm::default()], configs, seed)
    }

    /// With these congestion controllers.
    pub(crate) fn controlled_by(controllers: [Algorithm; 2], configs: [EndpointConfig; 2], seed: u64) -> Self {
        let ([client, server], [first, second]) = (configs, controllers);
        let ends = [
            Endpoint::with_controller(Keys::new(*b"a client's key.."), client, first),
            Endpoint::with_controller(Keys::new(*b"a server's key.."), server, second),
        ];
        Self {
            now: Instant::from_millis(1000),
            ends,
            delay: ms(5),
            faults: Faults::default(),
            rng: Rng::new(seed),
            under_way: BTreeMap::new(),
            planned: 0,
            sent: 0,
            signals: [Vec::new(), Vec::new()],
        }
    }

    pub(crate) fn plain() -> Self {
        Self::new([EndpointConfig::default(), EndpointConfig::default()], 1)
    }

    /// A packet is on its way to an end.
    pub(crate) fn plan(&mut self, to: usize, addresses: PseudoHeader, packet: &Packet) {
        let Faults { lost, twice, late } = self.faults;
        let nobody = to == 0 && addresses.dst() != CLIENT && !addresses.dst().is_ipv6();
        if nobody || self.rng.chance(lost) {
            return;
        }
        for _ in 0..1 + u32::from(self.rng.chance(twice)) {
            let delay = self.delay * if self.rng.chance(late) { 3 } else { 1 };
            self.planned += 1;
            self.under_way.insert((self.now + delay, self.planned), (to, addresses, packet.clone()));
        }
    }

    /// The packets that an end has to send are on their way.
    pub(crate) fn flush(&mut self, end: usize) {
        let mut out = Vec::new();
        self.ends[end].flush(self.now, |addresses, packet| out.push((addresses, packet)));
        self.sent += out.len();
        for (addresses, packet) in out {
            self.plan(1 - end, addresses, &packet);
        }
    }

    /// The same through a device with room for `room` packets.
    pub(crate) fn flush_into(&mut self, end: usize, room: usize) {
        let mut out = Vec::new();
        self.ends[end].flush_while(self.now, |addresses, packet| {
            let takes = out.len() < room;
            if takes {
                out.push((addresses, packet.clone()));
            }
            takes
        });
        assert!(out.len() <= room && (out.len() == room || !self.ends[end].wants_flush()));
        self.sent += out.len();
        for (addresses, packet) in out {
            self.plan(1 - end, addresses, &packet);
        }
    }

    /// When the next thing happens: a packet arrives, or a deadline passes.
    pub(crate) fn next(&self) -> Option<Instant> {
        let arrival = self.under_way.first_key_value().map(|((at, _), _)| *at);
        let deadlines = self.ends.iter().filter_map(Endpoint::next_deadline);
        deadlines.chain(arrival).min()
    }

    /// Time goes on to `until`. Whenever an end has got something, `turn` is called before its flush.
    pub(crate) fn run(&mut self, until: Instant, mut turn: impl FnMut(&mut Endpoint, usize, Instant)) {
        while let Some(at) = self.next().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            for end in [0, 1] {
                let due = self.ends[end].next_deadline().is_some_and(|at| at <= self.now);
                if self.arrive(end) || due {
                    self.ends[end].timers(self.now);
                    turn(&mut self.ends[end], end, self.now);
                    while let Some(signal) = self.ends[end].poll_signal() {
                        self.signals[end].push(signal);
                    }
                    self.flush(end);
                }
            }
        }
        self.now = self.now.max(until);
    }

    /// The same for so many milliseconds.
    pub(crate) fn go(&mut self, millis: u64, turn: impl FnMut(&mut Endpoint, usize, Instant)) {
        self.run(self.now + ms(millis), turn);
    }

    /// All packets for an end that have come by now; whether there were any.
    pub(crate) fn arrive(&mut self, end: usize) -> bool {
        let now = self.now;
        let come = self.under_way.range(..=(now, u64::MAX)).filter(|(_, (to, ..))| *to == end);
        let keys: Vec<_> = come.map(|(key, _)| *key).collect();
        for key in &keys {
            let (_, addresses, packet) = self.under_way.remove(key).expect("it was there");
            self.ends[end].receive(addresses, packet, now);
        }
        !keys.is_empty()
    }

    /// All packets for an end that have come by now are lost.
    pub(crate) fn lose(&mut self, end: usize) {
        let now = self.now;
        self.under_way.retain(|(at, _), (to, ..)| *at > now || *to != end);
    }

    /// A packet reaches an end at once.
    pub(crate) fn receive(&mut self, end: usize, addresses: PseudoHeader, packet: Packet) -> Received {
        self.ends[end].receive(addresses, packet, self.now)
    }
}
