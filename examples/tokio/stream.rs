//! A stream: what each call does with its connection.

use std::io::{self, ErrorKind, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use segue::congestion::Algorithm;
use segue::host::{Flow, Gone, Id};
use segue::{CloseReason, Error, Info, Knob};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::driver::{Core, Tasks};
use crate::host::Handle;

/// A connection, as `tokio::net::TcpStream` is one.
///
/// `shutdown` sends the FIN after what was written; reading goes on (half-close). Dropping the stream does so too, but
/// when text waits unread the peer gets a reset instead (RFC 9293 SHLD-3, RFC 2525 §2.17), as from a kernel.
///
/// Reads return 0 octets after the peer's FIN. Errors have these kinds: `ConnectionReset` by the peer; `TimedOut` when it
/// does not answer; `BrokenPipe` for a write after `shutdown`; `ConnectionAborted` after [`abort`](Self::abort);
/// `HostUnreachable`; that of the device when it failed. The inner error of an end is its [`CloseReason`]. What arrived
/// before can be read first.
#[derive(Debug)]
pub struct TcpStream {
    handle: Arc<Handle>,
    id: Id,
    flow: Flow,
}

impl TcpStream {
    /// `None`: the connection is over, and nothing is left of it. Locks the host.
    pub(crate) fn new(handle: &Arc<Handle>, id: Id) -> Option<Self> {
        let flow = handle.0.with(|core, now| {
            let flow = core.endpoint.socket(id, now).ok().and_then(|socket| socket.flow());
            if flow.is_none() {
                core.tasks.remove(&id);
            }
            flow
        })?;
        Some(Self { handle: Arc::clone(handle), id, flow })
    }

    /// Our end.
    pub const fn local_addr(&self) -> SocketAddr {
        self.flow.local()
    }

    /// The peer's end.
    pub const fn peer_addr(&self) -> SocketAddr {
        self.flow.remote()
    }

    /// Nagle's algorithm off (`true`) or on (RFC 9293 MUST-17).
    pub fn set_nodelay(&self, nodelay: bool) {
        let _ = self.set(Knob::Nagle(!nodelay)); // fails only when the connection is over
    }

    /// Changes a setting.
    pub fn set(&self, knob: Knob) -> Result<(), Error> {
        let gone = Err(Error::NotConnected);
        self.handle.0.with(|core, now| core.endpoint.socket(self.id, now).map_or(gone, |mut socket| socket.set(knob)))
    }

    /// Another congestion controller takes over, and the one before is returned.
    ///
    /// # Errors
    /// `NotConnected` when the connection is over.
    pub fn set_congestion(&self, controller: Algorithm) -> Result<Algorithm, Error> {
        self.handle.0.with(|core, now| match core.endpoint.socket(self.id, now) {
            Ok(mut socket) if socket.info().is_some() => Ok(socket.replace_controller(controller)),
            Ok(_) | Err(Gone) => Err(Error::NotConnected),
        })
    }

    /// The variables and counters; `None` when the connection is over.
    pub fn info(&self) -> Option<Info> {
        self.handle.0.with(|core, now| core.endpoint.socket(self.id, now).ok()?.info())
    }

    /// Ends the connection at once, with a reset to the peer. All calls fail from now on, also those of halves.
    pub fn abort(&self) {
        let halves = self.handle.0.with(|core, now| {
            if let Ok(socket) = core.endpoint.socket(self.id, now) {
                socket.abort();
            }
            let tasks = core.tasks.entry(self.id).or_default();
            tasks.ended.get_or_insert(CloseReason::Aborted);
            [tasks.reader.take(), tasks.writer.take()]
        });
        halves.into_iter().flatten().for_each(|waker| waker.wake());
    }

    /// One step of a call. A step that cannot proceed says `Pending` and leaves the waker of its task.
    fn step<R>(&self, step: impl FnOnce(&mut Core, segue::Instant) -> Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        self.handle.0.with(|core, now| {
            core.check()?;
            step(core, now)
        })
    }

    pub(crate) fn poll_connected(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        self.step(|core, _| match core.tasks.entry(self.id).or_default() {
            Tasks { connected: true, .. } => Poll::Ready(Ok(())),
            Tasks { ended: Some(reason), .. } => Poll::Ready(Err((*reason).into())),
            Tasks { writer, .. } => wait(writer, cx),
        })
    }

    pub(crate) fn poll_read_shared(&self, cx: &Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.step(|core, now| {
            if let Ok(mut socket) = core.endpoint.socket(self.id, now) {
                let octets = socket.readable().min(buf.remaining());
                socket.read(buf.initialize_unfilled_to(octets));
                buf.advance(octets);
                if octets > 0 || buf.remaining() == 0 || socket.eof() {
                    return Poll::Ready(Ok(()));
                }
            }
            match core.tasks.entry(self.id).or_default() {
                Tasks { ended: Some(CloseReason::Finished), .. } => Poll::Ready(Ok(())),
                Tasks { ended: Some(reason), .. } => Poll::Ready(Err((*reason).into())),
                Tasks { reader, .. } => wait(reader, cx),
            }
        })
    }

    pub(crate) fn poll_write_shared(&self, cx: &Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.step(|core, now| {
            let mut octets = 0;
            let outcome = match core.endpoint.socket(self.id, now) {
                Ok(mut socket) => bufs.iter().filter(|buf| !buf.is_empty()).try_for_each(|buf| {
                    let took = socket.write(buf)?;
                    octets += took;
                    if took < buf.len() { Err(Error::NoRoom { room: 0 }) } else { Ok(()) }
                }),
                Err(Gone) => Err(Error::NotConnected),
            };
            match (outcome, core.tasks.entry(self.id).or_default()) {
                (Ok(()), _) => Poll::Ready(Ok(octets)),
                (Err(_), _) if octets > 0 => Poll::Ready(Ok(octets)),
                (Err(Error::Closing), _) | (Err(_), Tasks { ended: Some(CloseReason::Finished), .. }) => {
                    Poll::Ready(Err(ErrorKind::BrokenPipe.into()))
                }
                (Err(_), Tasks { ended: Some(reason), .. }) => Poll::Ready(Err((*reason).into())),
                (Err(_), Tasks { writer, .. }) => wait(writer, cx), // for room, or for the reason of the end
            }
        })
    }

    pub(crate) fn poll_shutdown_shared(&self) -> Poll<io::Result<()>> {
        self.step(|core, now| {
            let outcome = match core.endpoint.socket(self.id, now) {
                Ok(mut socket) => socket.close(),
                Err(Gone) => Err(Error::NotConnected),
            };
            match (outcome, core.tasks.get(&self.id).and_then(|tasks| tasks.ended)) {
                (Ok(()) | Err(Error::Closing), _) | (Err(_), Some(CloseReason::Finished) | None) => Poll::Ready(Ok(())),
                (Err(_), Some(reason)) => Poll::Ready(Err(reason.into())),
            }
        })
    }
}

/// The task waits here, and only the last one that asked.
fn wait<R>(place: &mut Option<std::task::Waker>, cx: &Context<'_>) -> Poll<R> {
    match place {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *place = Some(cx.waker().clone()),
    }
    Poll::Pending
}

/// As if the process had ended: what was written arrives.
impl Drop for TcpStream {
    fn drop(&mut self) {
        self.handle.0.with(|core, now| {
            core.tasks.remove(&self.id);
            if let Ok(socket) = core.endpoint.socket(self.id, now) {
                socket.release();
            }
        });
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_read_shared(cx, buf)
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_shared(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_shared(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Nothing to do: what was written leaves with this turn.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_shutdown_shared()
    }
}
