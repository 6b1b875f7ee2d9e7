//! The task that moves packets: it waits for the device, the users and the deadline, and ends each turn with one flush.
//!
//! This is all that a host needs beside the host layer. What the calls of the users do stands in `stream`.

use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use segue::codec::{Packet, PseudoHeader};
use segue::host::{Endpoint, Id, ListenerId, Signal};
use segue::ip::Datagram;
use segue::{CloseReason, Instant};
use tokio::task::yield_now;
use tokio::time::{Instant as TokioInstant, timeout_at};

use crate::Device;

/// The most packets of one turn: beyond, answers would wait for too long.
const BATCH: usize = 256;

/// What the driver and the users' calls share.
///
/// A `std` mutex, not a task that owns the endpoint: a call reads and writes its connection at once, without a channel, a
/// copy or a credit that says how much fits. Nobody waits for anything while it is locked. A process that needs several
/// cores runs a host on each, and shares out the flows among them.
#[derive(Debug)]
pub(crate) struct Shared(Mutex<Core>);

/// The endpoint, and who waits for what.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) endpoint: Endpoint,
    pub(crate) tasks: HashMap<Id, Tasks>,
    pub(crate) doors: BTreeMap<ListenerId, Door>,
    /// Whether the last handle was dropped.
    pub(crate) abandoned: bool,
    /// Why the driver ended.
    failed: Option<(io::ErrorKind, String)>,
    /// The driver, while it waits.
    driver: Option<Waker>,
    /// When the clock of the connections stood at 0.
    epoch: TokioInstant,
}

/// Who waits for a connection, and what became of it.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    pub(crate) reader: Option<Waker>,
    /// Also who waits for the handshake.
    pub(crate) writer: Option<Waker>,
    pub(crate) connected: bool,
    pub(crate) ended: Option<CloseReason>,
}

/// Who waits for a listener.
#[derive(Debug, Default)]
pub(crate) struct Door {
    pub(crate) acceptor: Option<Waker>,
    /// What it will be given.
    pub(crate) next: Option<Id>,
}

impl Shared {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self(Mutex::new(Core {
            endpoint,
            tasks: HashMap::new(),
            doors: BTreeMap::new(),
            abandoned: false,
            failed: None,
            driver: None,
            epoch: TokioInstant::now(),
        }))
    }

    /// A panic elsewhere leaves whole values behind: each call on the endpoint is one.
    fn lock(&self) -> MutexGuard<'_, Core> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call of a user. If it leaves something to send, the driver is woken; but only after the lock is given back:
    /// `wake` runs code of others, which may call us.
    pub(crate) fn with<R>(&self, call: impl FnOnce(&mut Core, Instant) -> R) -> R {
        let mut core = self.lock();
        let now = core.now();
        let result = call(&mut core, now);
        let driver = if core.has_work(now) { core.driver.take() } else { None };
        drop(core);
        driver.into_iter().for_each(Waker::wake);
        result
    }

    /// No packet comes or goes any more: all calls fail.
    fn fail(&self, kind: io::ErrorKind, why: String) {
        let mut core = self.lock();
        core.failed.get_or_insert((kind, why));
        let mut woken: Vec<_> = core.doors.values_mut().filter_map(|door| door.acceptor.take()).collect();
        for tasks in core.tasks.values_mut() {
            woken.extend(tasks.reader.take().into_iter().chain(tasks.writer.take()));
        }
        drop(core);
        woken.into_iter().for_each(Waker::wake);
    }
}

impl Core {
    fn now(&self) -> Instant {
        Instant::ZERO + self.epoch.elapsed()
    }

    fn has_work(&self, now: Instant) -> bool {
        self.endpoint.wants_flush() || self.endpoint.next_deadline().is_some_and(|at| at <= now) || self.is_done()
    }

    /// Nobody can call any more, and what was written has arrived.
    fn is_done(&self) -> bool {
        self.abandoned && self.endpoint.len().0 == 0
    }

    /// # Errors
    /// The driver ended.
    pub(crate) fn check(&self) -> io::Result<()> {
        self.failed.as_ref().map_or(Ok(()), |(kind, why)| Err(io::Error::new(*kind, why.clone())))
    }

    /// Whom the news of this turn concern. A signal comes once, and a waker is taken once: nobody wakes for nothing.
    fn news(&mut self) -> Vec<Waker> {
        let mut woken = Vec::new();
        for (listener, door) in self.doors.iter_mut().filter(|(_, door)| door.acceptor.is_some()) {
            door.next = self.endpoint.accept(*listener);
            woken.extend(door.acceptor.take_if(|_| door.next.is_some()));
        }
        while let Some((id, signal)) = self.endpoint.poll_signal() {
            let tasks = self.tasks.entry(id).or_default();
            match signal {
                Signal::Readable | Signal::PeerClosed => woken.extend(tasks.reader.take()),
                Signal::Connected => {
                    tasks.connected = true;
                    woken.extend(tasks.writer.take());
                }
                Signal::Writable => woken.extend(tasks.writer.take()),
                Signal::Closed(reason) => {
                    tasks.ended = Some(reason);
                    woken.extend(tasks.reader.take().into_iter().chain(tasks.writer.take()));
                }
                _ => {} // nobody asked for `Flushed`, and reports are for logs
            }
        }
        woken
    }
}

/// The task with the device.
pub(crate) struct Driver<D> {
    shared: Arc<Shared>,
    device: D,
    /// Between device and endpoint: the device is never called while the endpoint is locked.
    arrived: Vec<Datagram>,
    leaving: Vec<(PseudoHeader, Packet)>,
}

impl<D: Device> Driver<D> {
    pub(crate) const fn new(shared: Arc<Shared>, device: D) -> Self {
        Self { shared, device, arrived: Vec::new(), leaving: Vec::new() }
    }

    /// Turn after turn, until the device is gone or nobody needs the host any more.
    pub(crate) async fn run(mut self) {
        let mut deadline = None;
        loop {
            let work = poll_fn(|cx| self.poll_work(cx));
            let outcome = match deadline {
                Some(at) => timeout_at(at, work).await.unwrap_or(Ok(())),
                None => work.await,
            };
            if let Err(error) = outcome {
                return self.shared.fail(error.kind(), format!("the device failed: {error}"));
            }
            self.begin();
            // The tasks that were woken read and write now, and so do others that are ready: then one flush has the
            // acknowledgment on the response, and the FIN on the text.
            yield_now().await;
            deadline = self.flush();
            if self.shared.lock().is_done() {
                return;
            }
        }
    }

    /// Waits for packets, or for a call of a user that leaves something to do.
    fn poll_work(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.arrived.len() < BATCH {
            let Poll::Ready(datagram) = self.device.poll_recv(cx) else { break };
            self.arrived.push(datagram?);
        }
        let mut core = self.shared.lock();
        if !self.arrived.is_empty() || core.has_work(core.now()) {
            return Poll::Ready(Ok(()));
        }
        core.driver = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Hands over what came, runs the timers, and wakes those whom it concerns.
    fn begin(&mut self) {
        let mut core = self.shared.lock();
        let now = core.now();
        core.driver = None; // until it waits again, no call needs to wake it
        for datagram in self.arrived.drain(..) {
            core.endpoint.receive_datagram(datagram, now);
        }
        core.endpoint.timers(now);
        let woken = core.news();
        drop(core);
        woken.into_iter().for_each(Waker::wake);
    }

    /// Sends all that the turn has to send, once. Returns when the next one begins although nothing comes.
    fn flush(&mut self) -> Option<TokioInstant> {
        let mut core = self.shared.lock();
        let now = core.now();
        core.endpoint.flush(now, |addresses, packet| self.leaving.push((addresses, packet)));
        let deadline = core.endpoint.next_deadline().map(|at| core.epoch + at.saturating_since(Instant::ZERO));
        drop(core);
        self.leaving.drain(..).for_each(|(addresses, packet)| self.device.send(addresses, packet));
        deadline
    }
}

/// The runtime shuts down, or the driver panicked or is done.
impl<D> Drop for Driver<D> {
    fn drop(&mut self) {
        self.shared.fail(io::ErrorKind::BrokenPipe, "the driver of the host ended".to_owned());
    }
}
