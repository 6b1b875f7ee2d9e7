//! Two devices joined in memory, for tests and examples.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use segue::codec::{Packet, PseudoHeader};
use segue::ip::Datagram;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::Device;

/// What the link between two [`Memory`] devices does to packets.
///
/// Under `tokio::time::pause` a run is a function of this value: the same seed loses the same packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Link {
    /// The time from one end to the other.
    pub delay: Duration,
    /// Packets lost, in a thousand.
    pub lost: u32,
    /// Which ones.
    pub seed: u64,
}

/// 5 ms, no loss.
impl Default for Link {
    fn default() -> Self {
        Self { delay: Duration::from_millis(5), lost: 0, seed: 1 }
    }
}

impl Link {
    /// The two ends of such a link.
    pub fn open(self) -> (Memory, Memory) {
        let (there, back) = (Arc::default(), Arc::default());
        let end = |to: &Arc<_>, from: &Arc<_>, seed| Memory {
            link: Self { seed, ..self },
            to: Arc::clone(to),
            from: Arc::clone(from),
            arrival: None,
        };
        (end(&there, &back, self.seed), end(&back, &there, !self.seed))
    }
}

/// An end of a [`Link`].
#[derive(Debug)]
pub struct Memory {
    link: Link,
    to: Arc<Mutex<Way>>,
    from: Arc<Mutex<Way>>,
    /// When the packet that comes next is there.
    arrival: Option<Pin<Box<Sleep>>>,
}

/// The packets under way to one end.
#[derive(Debug, Default)]
struct Way {
    packets: VecDeque<(Instant, PseudoHeader, Packet)>,
    /// Who waits while none is under way.
    receiver: Option<Waker>,
}

impl Memory {
    /// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
    fn is_lost(&mut self) -> bool {
        self.link.seed = self.link.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.link.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % 1000 < u64::from(self.link.lost)
    }
}

impl Device for Memory {
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Datagram>> {
        loop {
            let mut from = lock(&self.from);
            let Some(&(at, ..)) = from.packets.front() else {
                from.receiver = Some(cx.waker().clone());
                return Poll::Pending;
            };
            if at <= Instant::now() {
                if let Some((_, addresses, packet)) = from.packets.pop_front() {
                    return Poll::Ready(Ok(Datagram::Tcp(addresses, packet)));
                }
            }
            drop(from);
            let arrival = self.arrival.get_or_insert_with(|| Box::pin(sleep_until(at)));
            if arrival.deadline() != at {
                arrival.as_mut().reset(at);
            }
            if arrival.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn send(&mut self, addresses: PseudoHeader, packet: Packet) {
        if self.is_lost() {
            return;
        }
        let mut to = lock(&self.to);
        to.packets.push_back((Instant::now() + self.link.delay, addresses, packet));
        let receiver = to.receiver.take();
        drop(to);
        if let Some(receiver) = receiver {
            receiver.wake();
        }
    }
}

fn lock(way: &Mutex<Way>) -> MutexGuard<'_, Way> {
    way.lock().unwrap_or_else(PoisonError::into_inner)
}
