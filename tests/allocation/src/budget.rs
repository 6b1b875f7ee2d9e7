//! The heap of an endpoint keeps within its memory budget, whatever its peers and its users do.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use allocation_counter::measure;
use bytes::BytesMut;
use segue::codec::{self, Fill, PseudoHeader, Verify};
use segue::host::{Endpoint, EndpointConfig, Keys, Listen, ListenerId};
use segue::{Arc, Config, Instant};
use segue_kit::{Rng, ms};

const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// A server whose calls are measured, and its clients, whose calls are not.
struct World {
    server: Endpoint,
    clients: Endpoint,
    listener: ListenerId,
    /// Net octets on the heap since the server began to run.
    heap: i64,
    now: Instant,
    rng: Rng,
    /// Packets in a thousand that are lost, so that what follows waits out of order.
    lost: u32,
}

/// Packets as octets, one behind the other, with the end of each. Made with enough room: nothing is allocated when an
/// endpoint flushes into it.
struct Frames {
    octets: Vec<u8>,
    ends: Vec<(PseudoHeader, usize)>,
}

impl Frames {
    fn new() -> Self {
        Self { octets: Vec::with_capacity(8 << 20), ends: Vec::with_capacity(50_000) }
    }

    fn take_from(&mut self, endpoint: &mut Endpoint, now: Instant) {
        endpoint.flush(now, |addresses, packet| {
            codec::encode(&packet, Fill::Now(addresses), &mut self.octets).unwrap();
            self.ends.push((addresses, self.octets.len()));
        });
        assert!(self.octets.len() < 8 << 20 && self.ends.len() < 50_000);
    }

    /// They arrive, but those that `lost` says.
    fn arrive(&self, endpoint: &mut Endpoint, now: Instant, mut lost: impl FnMut() -> bool) {
        let mut begin = 0;
        for &(addresses, end) in &self.ends {
            if !lost() {
                arrive(endpoint, addresses, &self.octets[begin..end], now);
            }
            begin = end;
        }
    }
}

/// One packet arrives, in a buffer of its own that holds a whole frame.
fn arrive(endpoint: &mut Endpoint, addresses: PseudoHeader, frame: &[u8], now: Instant) {
    let mut buffer = BytesMut::with_capacity(2048);
    buffer.extend_from_slice(frame);
    let packet = codec::decode(buffer.freeze(), Verify::Now(addresses)).unwrap();
    endpoint.receive(addresses, packet, now);
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let connection = Config::builder()
            .receive_buffer_initial(rng.pick(&[14_600, 65_536]))
            .copy_below(rng.pick(&[64, 256, 1024]))
            .frame_size(2048)
            .build()
            .unwrap();
        let memory = rng.pick(&[200_000, 1_000_000, 3_000_000]);
        let config = EndpointConfig { connection: Arc::new(connection), memory, ..EndpointConfig::default() };
        let mut server = None;
        let info = measure(|| server = Some(Endpoint::new(Keys::new([1; 16]), config)));
        let mut server = server.unwrap();
        let listener = server.listen(Listen::port(80)).unwrap();
        let small = Config::builder().max_mss(rng.pick(&[64, 100, 216, 300, 536])).build().unwrap();
        let config = EndpointConfig { connection: Arc::new(small), ..EndpointConfig::default() };
        let clients = Endpoint::new(Keys::new([2; 16]), config);
        let lost = rng.pick(&[0, 0, 100, 300]);
        Self { server, clients, listener, heap: info.bytes_current, now: Instant::from_millis(1), rng, lost }
    }

    /// Calls of the server, whose heap counts.
    fn counted(&mut self, calls: impl FnOnce(&mut Endpoint, ListenerId, Instant)) {
        let Self { server, listener, now, .. } = self;
        self.heap += measure(|| calls(server, *listener, *now)).bytes_current;
    }

    /// All that is under way arrives, and time goes on.
    fn pass(&mut self) {
        let (mut there, mut back) = (Frames::new(), Frames::new());
        self.clients.timers(self.now);
        there.take_from(&mut self.clients, self.now);
        let (mut rng, lost) = (self.rng.clone(), self.lost);
        self.counted(|server, _, now| {
            there.arrive(server, now, || rng.chance(lost));
            server.timers(now);
            back.take_from(server, now);
        });
        self.rng = rng;
        back.arrive(&mut self.clients, self.now, || false);
        self.now += ms(20);
    }

    fn check(&self, what: &str) {
        // Beside the budget: the tables and queues, which grow by doubling, and the listener.
        let most = self.server.memory() + self.server.table_octets() + 16_384;
        let heap = usize::try_from(self.heap).unwrap_or(0);
        assert!(heap <= most, "{what}: {heap} octets on the heap, {most} accounted for");
        assert!(self.server.memory() <= self.server.config().memory);
    }
}

/// Clients write without end, in pieces of any size; the server reads nothing, and writes whatever it may.
fn greedy(seed: u64) {
    let mut world = World::new(seed);
    let (piece, answer) = (world.rng.pick(&[1, 100, 1000, 20_000]), world.rng.pick(&[0, 1, 700, 50_000]));
    let text = vec![7; 50_000];
    let (mut mine, mut theirs) = (Vec::new(), Vec::with_capacity(100));
    for turn in 0..60 {
        if turn % 2 == 0 {
            let local = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1 + turn));
            mine.push(world.clients.connect(local, SocketAddr::new(SERVER, 80), world.now).unwrap());
        }
        for &id in &mine {
            let Ok(mut socket) = world.clients.socket(id, world.now) else { continue };
            for _ in 0..20 {
                let _ = socket.write(&text[..piece]);
            }
        }
        while world.clients.poll_signal().is_some() {}
        world.counted(|server, listener, now| {
            while let Some(id) = server.accept(listener) {
                theirs.push(id);
            }
            while server.poll_signal().is_some() {}
            for &id in &theirs {
                let Ok(mut socket) = server.socket(id, now) else { continue };
                for _ in 0..20 {
                    let _ = socket.write(&text[..answer]);
                }
            }
        });
        world.check(&format!("seed {seed}, turn {turn}, {} connections", theirs.len()));
        world.pass();
        world.check(&format!("seed {seed}, after turn {turn}, {} connections", theirs.len()));
    }
    assert!(!theirs.is_empty(), "seed {seed}: no connection");
    // Everybody leaves: nothing is accounted for, and the heap has what tables and queues keep.
    world.counted(|server, _, now| {
        theirs.iter().for_each(|id| server.socket(*id, now).map_or((), |socket| socket.abort()));
    });
    mine.iter().for_each(|id| world.clients.socket(*id, world.now).map_or((), |socket| socket.abort()));
    world.lost = 0;
    for _ in 0..200 {
        world.now += ms(1000);
        world.counted(|server, listener, now| {
            while let Some(id) = server.accept(listener) {
                server.socket(id, now).unwrap().abort();
            }
        });
        world.pass();
    }
    assert_eq!((world.server.memory(), world.server.len().0), (0, 0), "seed {seed}");
    world.check("in the end");
}

#[test]
fn the_heap_of_an_endpoint_keeps_within_its_budget() {
    (0..400).for_each(greedy);
}
