//! A listener.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use segue::host::ListenerId;

use crate::TcpStream;
use crate::host::Handle;

/// Accepts connections. Dropping it resets those that nobody has accepted; accepted ones go on.
#[derive(Debug)]
pub struct TcpListener {
    handle: Arc<Handle>,
    id: ListenerId,
}

impl TcpListener {
    pub(crate) const fn new(handle: Arc<Handle>, id: ListenerId) -> Self {
        Self { handle, id }
    }

    /// The connection that has been ready for longest. Dropping the future loses none.
    ///
    /// # Errors
    /// The host ended.
    pub async fn accept(&mut self) -> io::Result<TcpStream> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// The same; the last task that asked is woken.
    ///
    /// # Errors
    /// The host ended.
    pub fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        loop {
            let next = self.handle.0.with(|core, _| {
                core.check()?;
                let door = core.doors.entry(self.id).or_default();
                let next = door.next.take().or_else(|| core.endpoint.accept(self.id));
                if next.is_none() {
                    door.acceptor = Some(cx.waker().clone());
                }
                Ok::<_, io::Error>(next)
            })?;
            let Some(id) = next else { return Poll::Pending };
            if let Some(stream) = TcpStream::new(&self.handle, id) {
                return Poll::Ready(Ok(stream));
            } // else it ended before anybody had it
        }
    }
}

impl Drop for TcpListener {
    fn drop(&mut self) {
        self.handle.0.with(|core, now| {
            core.endpoint.unlisten(self.id, now);
            if let Some(id) = core.doors.remove(&self.id).and_then(|door| door.next) {
                core.tasks.remove(&id);
                if let Ok(socket) = core.endpoint.socket(id, now) {
                    socket.abort();
                }
            }
        });
    }
}
