//! Users that act on signals alone: every wake-up that they need comes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use segue::host::{Endpoint, EndpointConfig, Id, Listen, Signal};
use segue::{Arc, CloseReason, Instant};
use segue_kit::Rng;
use segue_kit::settings::{Mixture, config};

use super::world::{CLIENT, Faults, SERVER, World};

/// A user: what it has written and read of a stream, and how much it will write.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct User {
    pub(super) to_write: usize,
    pub(super) written: usize,
    pub(super) read: usize,
    pub(super) closed: bool,
    pub(super) ended: bool,
    /// Whether the server may have no room for the connection, when it was connected, and whether it was refused then.
    pub(super) may_be_refused: bool,
    pub(super) connected: Option<Instant>,
    pub(super) refused: bool,
}

/// A client whose cookie finds no room, or whose half-open connection made room for another's, is refused as soon as its
/// server hears of it: by a reset, which may get lost. (One that was lost may come when the server had room after all.)
const AT_ONCE: Duration = Duration::from_secs(60);

/// The octet at a place of a stream.
fn octet(at: usize) -> u8 {
    (at.wrapping_mul(0x9E37_79B9) >> 11) as u8
}

impl User {
    pub(super) fn on(&mut self, endpoint: &mut Endpoint, (id, signal): (Id, Signal), now: Instant) {
        if let Signal::Closed(reason) = signal {
            let at_once = self.connected.is_some_and(|at| now.saturating_since(at) < AT_ONCE);
            self.refused = reason == CloseReason::Reset && at_once && self.may_be_refused;
            self.ended = true;
            if self.refused {
                return;
            }
            assert_eq!(reason, CloseReason::Finished, "{id} at {now}");
            return;
        }
        if signal == Signal::Connected {
            self.connected = Some(now);
        }
        let mut socket = endpoint.socket(id, now).expect("it is not over");
        match signal {
            Signal::Connected | Signal::Writable => {
                while self.written < self.to_write {
                    let piece: Vec<u8> = (self.written..self.to_write.min(self.written + 5000)).map(octet).collect();
                    let took = socket.write(&piece).expect("it is open");
                    self.written += took;
                    if took < piece.len() {
                        return;
                    }
                }
                if !self.closed {
                    self.closed = true;
                    socket.close().expect("once");
                }
            }
            Signal::Readable => {
                for text in socket.chunks() {
                    for got in text {
                        assert_eq!(got, octet(self.read), "at {}", self.read);
                        self.read += 1;
                    }
                }
            }
            _ => {}
        }
    }
}

fn transfer(seed: u64) {
    let rng = &mut Rng::new(seed);
    let mixture = Mixture::draw(rng, [0, 50, 200][(seed % 3) as usize]).without(&[
        "send_buffer", // of a few octets: it takes hours
        "user_timeout",
        "connect_timeout",
        "data_retries",
        "syn_retries",
        "keep_alive_probes",
        "fin_wait_2",
        "keep_alive",
        "user_timeout_option",
        "user_timeout_lower",
        "user_timeout_upper",
        "msl",
    ]);
    let ends = [0, 1].map(|_| {
        let drawn = config(rng, &mixture, &[]).to_builder().connect_timeout(None).user_timeout(None);
        EndpointConfig {
            connection: Arc::new(drawn.build().unwrap()),
            memory: if rng.chance(500) { usize::MAX } else { 20_000_000 },
            ..EndpointConfig::default()
        }
    });
    let mut world = World::new(ends, seed);
    world.faults = Faults { lost: rng.pick(&[0, 0, 20, 100]), twice: 20, late: rng.pick(&[0, 50]) };
    let may_be_refused = world.ends[1].config().memory != usize::MAX;
    let listener = world.ends[1].listen(Listen::port(80)).unwrap();
    let mut users: [BTreeMap<Id, User>; 2] = [BTreeMap::new(), BTreeMap::new()];
    let mut opened = 0;
    for _ in 0..1 + rng.below(8) {
        let Ok(id) = world.ends[0].connect(CLIENT, SocketAddr::new(SERVER, 80), world.now) else { continue };
        opened += 1;
        let to_write = rng.pick(&[0, 1, 3000, 60_000, 250_000]);
        users[0].insert(id, User { to_write, may_be_refused, ..User::default() });
    }
    world.flush(0);
    let answers = rng.pick(&[0, 1, 9000, 100_000]);
    let mut before = usize::MAX;
    loop {
        // Some settings make it slow: what counts is that it goes on.
        world.go(3_600_000, |endpoint, end, now| {
            while let Some(id) = endpoint.accept(listener) {
                let user =
                    users[end].entry(id).or_insert(User { to_write: answers, may_be_refused, ..User::default() });
                user.on(endpoint, (id, Signal::Connected), now); // an accepted connection is connected
            }
            while let Some((id, signal)) = endpoint.poll_signal() {
                let user = users[end].get_mut(&id).expect("a user's");
                user.on(endpoint, (id, signal), now);
                if user.refused && end == 0 {
                    let again = User { to_write: user.to_write, may_be_refused, ..User::default() };
                    let id = endpoint.connect(CLIENT, SocketAddr::new(SERVER, 80), now).expect("it had room");
                    users[0].insert(id, again);
                }
            }
        });
        let all = users.iter().flat_map(|users| users.values());
        let progress = all.map(|user| user.read + user.written + usize::from(user.ended)).sum();
        if progress == before {
            break;
        }
        before = progress;
    }
    users.iter_mut().for_each(|users| users.retain(|_, user| !user.refused));
    let sum = |end: usize, of: fn(&User) -> usize| users[end].values().map(of).sum::<usize>();
    let all: Vec<_> = users.iter().flat_map(|users| users.values()).collect();
    assert_eq!(users[0].len(), opened, "seed {seed}: who was refused comes again");
    assert!(all.iter().all(|user| user.ended && user.written == user.to_write), "seed {seed}: {all:?}");
    assert_eq!(sum(0, |u| u.to_write), sum(1, |u| u.read), "seed {seed}");
    assert_eq!(sum(1, |u| u.to_write), sum(0, |u| u.read), "seed {seed}");
    assert_eq!([0, 1].map(|end| (world.ends[end].len(), world.ends[end].memory())), [((0, 0), 0); 2], "seed {seed}");
}

/// 60 worlds; more with `SEGUE_CASES`.
#[test]
fn users_that_act_on_signals_alone_transfer_everything() {
    let cases = std::env::var("SEGUE_CASES").map_or(60, |cases| cases.parse().expect("a number"));
    let from = std::env::var("SEGUE_FROM").map_or(0, |from| from.parse().expect("a number"));
    (from..from + cases).for_each(transfer);
}
