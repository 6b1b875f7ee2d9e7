//! The turn of a host: everything between a device and an application.

use std::io;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use segue::host::Endpoint;
use segue::{Clock, Instant};

use crate::device::Tun;

/// The most packets of one turn: beyond, answers would wait for too long.
const BATCH: usize = 256;
/// The token of the device; the sockets of an application have others.
const DEVICE: Token = Token(0);

/// What a host runs.
pub trait App {
    /// Does what there is to do: takes signals and new connections, reads, writes and closes. `events` tells of sockets
    /// of the application's own.
    fn turn(&mut self, endpoint: &mut Endpoint, events: &Events, now: Instant);

    /// When it needs a turn although nothing arrives.
    fn next_deadline(&self) -> Option<Instant>;

    /// Whether it has done its work, and the host may end. A server never has.
    fn is_over(&self) -> bool {
        false
    }
}

/// Turn after turn, until the application is over.
///
/// # Errors
/// The device failed.
pub fn run(mut tun: Tun, mut endpoint: Endpoint, mut poll: Poll, clock: Clock, app: &mut impl App) -> io::Result<()> {
    let (mut events, mut drained) = (Events::with_capacity(1024), true);
    poll.registry().register(&mut SourceFd(&tun.fd()), DEVICE, Interest::READABLE)?;
    while !app.is_over() {
        let next = [endpoint.next_deadline(), app.next_deadline()].into_iter().flatten().min();
        let wait = next.map(|at| at.saturating_since(clock.now()));
        // Readiness is told once, so the device is waited for only after all that it has was read.
        let idle = drained && !endpoint.wants_flush();
        match poll.poll(&mut events, if idle { wait } else { Some(Default::default()) }) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        let now = clock.now();
        // What is ignored is dropped, as a network may.
        drained = tun.recv(BATCH, |datagram, format| endpoint.receive_ip(datagram, format, now))?;
        endpoint.timers(now);
        app.turn(&mut endpoint, &events, now);
        let mut failed = None;
        endpoint.flush(now, |addresses, packet| failed = failed.take().or(tun.send(addresses, &packet).err()));
        failed.map_or(Ok(()), Err)?;
    }
    Ok(())
}
