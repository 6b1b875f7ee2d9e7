//! Fast Open of an endpoint (RFC 7413): active opens with text, and the answers to those of clients.

use core::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::Endpoint;
use super::memory::FLOOR;
use crate::host::flow::Flow;
use crate::host::live::{Opening, Owner, Port};
use crate::host::signal::{Id, OpenError};
use crate::{CloseReason, Connection, Controller, FastOpenAnswer, Instant, Segment};

impl<C: Controller> Endpoint<C> {
    /// Active OPEN with Fast Open (RFC 7413), as [`connect`](Self::connect): where the server gave a cookie before, the first
    /// of `text` goes with the SYN, and the server may answer a round trip earlier; else the SYN asks for a cookie, and the
    /// text follows the handshake. Where Fast Open did not work lately, it is an ordinary open.
    ///
    /// Takes text from the front as [`Socket::write_bytes`](crate::host::Socket::write_bytes) does; keep the rest for
    /// [`Signal::Writable`](crate::host::Signal::Writable). The server may get the text on the SYN twice: only for requests
    /// that may be repeated (§6.1).
    ///
    /// ```
    /// use segue::Instant;
    /// use segue::host::{Endpoint, EndpointConfig, Keys, Listen};
    /// let [mut client, mut server] = [1, 2].map(|n| Endpoint::new(Keys::new([n; 16]), EndpointConfig::default()));
    /// let listener = server.listen(Listen { fast_open: 64, ..Listen::port(80) })?;
    /// let (us, web, now) = ("198.51.100.7".parse()?, "192.0.2.1:80".parse()?, Instant::ZERO);
    /// for accepted in [false, true] {
    ///     client.connect_fast_open(us, web, &mut "GET /".into(), now)?;
    ///     client.flush(now, |ends, packet| drop(server.receive(ends, packet, now))); // the SYN, and nothing else
    ///     assert_eq!(server.accept(listener).is_some(), accepted); // the first brings the cookie
    ///     server.flush(now, |ends, packet| drop(client.receive(ends, packet, now)));
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`OpenError`]; nothing has changed then.
    pub fn connect_fast_open(
        &mut self,
        local: IpAddr,
        remote: SocketAddr,
        text: &mut Bytes,
        now: Instant,
    ) -> Result<Id, OpenError> {
        let flow = self.choose_port(local, remote)?;
        let (config, path) = (self.config.connection.clone(), self.config.path(flow.remote().ip()));
        // What is always a connection's own of the budget.
        let most = FLOOR.min(usize::try_from(config.send_buffer()).unwrap_or(usize::MAX)).min(text.len());
        let first = text.slice(..most);
        let open = self.fast_open.open(&self.keys, (local, remote), first, now);
        let with = open.is_some();
        let id = self.connect_by(flow, config, path, now, |controller, config, path, secrets, taker| match open {
            Some(open) => Connection::ask(controller, (config, path, secrets), open, now, taker), // it fits
            None => Connection::connect_with_into(controller, config, path, secrets, now, taker),
        })?;
        if with {
            drop(text.split_to(most));
            if let Some(live) = self.slots.live_mut(id.index) {
                live.side.sending = most;
            }
        }
        if let Ok(mut socket) = self.socket(id, now) {
            let _ = socket.write_bytes(text); // what there is room for
        }
        Ok(id)
    }

    /// The answer to the Fast Open option of a SYN that opens a connection (RFC 7413 §4.1.2, §4.2.2).
    pub(super) fn fast_open_answer(&mut self, flow: &Flow, port: Port, syn: &Segment, now: Instant) -> FastOpenAnswer {
        let Some(bound) = self.listeners.get_mut(&port) else { return FastOpenAnswer::default() };
        let given = syn.options.fast_open().filter(|_| bound.listen.fast_open > 0);
        let Some(given) = given else { return FastOpenAnswer::default() };
        let (server, client) = (flow.local().ip(), flow.remote().ip());
        let current = self.keys.fast_open_cookie(server, client, now);
        let valid = self.keys.is_fast_open_cookie(server, client, given, now) && bound.fast_open.admits(now);
        FastOpenAnswer { valid, cookie: (given != current).then_some(current) }
    }

    /// A connection whose text was taken before its handshake is complete: the user may have it.
    pub(super) fn own_fast_open(&mut self, id: Id, port: Port) {
        self.own(id, port, |listener| Owner::Ready(port, listener.ready(id)));
        if let Some(bound) = self.listeners.get_mut(&port) {
            bound.fast_open.opened();
        }
        if let Some(live) = self.slots.live_mut(id.index) {
            live.side.pending_at = Some(port);
            live.side.opening = Opening::Nothing; // `accept` tells of it
        }
    }

    /// What a connection reported of Fast Open, and the end of a pending one by a reset.
    pub(super) fn look_at_fast_open(&mut self, index: u32, now: Instant) {
        let Some(live) = self.slots.live_mut(index) else { return };
        let side = &mut live.side;
        let (news, flow) = (core::mem::take(&mut side.fast_open), side.flow);
        let was_reset = side.closed == Some(CloseReason::Reset) && !news.confirmed;
        if news.confirmed || side.closed.is_some() {
            let pending = side.pending_at.take();
            if let Some(bound) = pending.and_then(|port| self.listeners.get_mut(&port)) {
                if was_reset { bound.fast_open.was_reset(now) } else { bound.fast_open.confirmed() }
            }
        }
        if news.confirmed {
            self.limit_window(index, now);
        }
        for report in news.reports() {
            self.fast_open.note(&self.keys, (flow.local().ip(), flow.remote()), &report, now);
        }
    }
}
