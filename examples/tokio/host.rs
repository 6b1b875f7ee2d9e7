//! A host: a device, an address, and the connections.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use segue::Instant;
use segue::congestion::Algorithm;
use segue::host::{Endpoint, EndpointConfig, Flow, Id, Keys, Listen, OpenError};

use crate::driver::{Driver, Shared};
use crate::error::not_opened;
use crate::{Device, TcpListener, TcpStream};

/// A host on a [`Device`]. Clones are the same host.
///
/// It lives as long as somebody has it, a listener or a stream of it, and then until what was written has arrived.
#[derive(Clone, Debug)]
pub struct Host {
    handle: Arc<Handle>,
    address: IpAddr,
}

/// All that can call have it; the driver does not.
#[derive(Debug)]
pub(crate) struct Handle(pub(crate) Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.with(|core, _| core.abandoned = true);
    }
}

impl Host {
    /// A host with this address. Draw the keys from the system's generator of random numbers, for each start anew.
    ///
    /// # Panics
    /// Outside a tokio runtime with its time enabled.
    pub fn spawn(device: impl Device, address: IpAddr, keys: Keys, config: EndpointConfig) -> Self {
        Self::spawn_with(Algorithm::default(), device, address, keys, config)
    }

    /// The same with this congestion controller for all connections; [`TcpStream::set_congestion`] exchanges that of one.
    ///
    /// # Panics
    /// As [`spawn`](Self::spawn).
    pub fn spawn_with(
        controller: Algorithm,
        device: impl Device,
        address: IpAddr,
        keys: Keys,
        config: EndpointConfig,
    ) -> Self {
        let shared = Arc::new(Shared::new(Endpoint::with_controller(keys, config, controller)));
        tokio::spawn(Driver::new(Arc::clone(&shared), device).run());
        Self { handle: Arc::new(Handle(shared)), address }
    }

    /// Connects to a peer, from the host's address and a port that RFC 6056 chooses. Dropping the future gives up.
    ///
    /// # Errors
    /// `ConnectionRefused`; `TimedOut` after [`Config::connect_timeout`](segue::Config::connect_timeout);
    /// `HostUnreachable` after a hard ICMP error; `InvalidInput` where no connection is possible between the ends,
    /// `AddrNotAvailable` when no port is left, `OutOfMemory` at the limits of the [`EndpointConfig`].
    pub async fn connect(&self, remote: SocketAddr) -> io::Result<TcpStream> {
        let address = self.address;
        self.open(|endpoint, now| endpoint.connect(address, remote, now)).await
    }

    /// The same from an address and port that the caller names.
    ///
    /// # Errors
    /// Those of [`connect`](Self::connect), and `AddrInUse`.
    pub async fn connect_from(&self, local: SocketAddr, remote: SocketAddr) -> io::Result<TcpStream> {
        let flow = Flow::new(local, remote).ok_or_else(|| not_opened(OpenError::Unusable))?;
        self.open(|endpoint, now| endpoint.connect_from(flow, now)).await
    }

    /// [`connect`](Self::connect) with Fast Open (RFC 7413), and writes the text: where the server gave a cookie before, the
    /// first of it goes with the SYN, and the server may answer a round trip earlier. It may get that text twice: only for
    /// requests that may be repeated. A server takes it with `Listen { fast_open: 64, .. }`, and need do nothing else.
    ///
    /// # Errors
    /// Those of [`connect`](Self::connect), and of a write.
    pub async fn connect_fast_open(&self, remote: SocketAddr, mut text: Bytes) -> io::Result<TcpStream> {
        let address = self.address;
        let stream = self.open(|endpoint, now| endpoint.connect_fast_open(address, remote, &mut text, now)).await?;
        while !text.is_empty() {
            let octets = poll_fn(|cx| stream.poll_write_shared(cx, &[IoSlice::new(&text)])).await?;
            drop(text.split_to(octets));
        }
        Ok(stream)
    }

    async fn open(&self, open: impl FnOnce(&mut Endpoint, Instant) -> Result<Id, OpenError>) -> io::Result<TcpStream> {
        let id = self.handle.0.with(|core, now| {
            core.check()?;
            open(&mut core.endpoint, now).map_err(not_opened)
        })?;
        let stream = TcpStream::new(&self.handle, id).ok_or(io::ErrorKind::ConnectionAborted)?;
        poll_fn(|cx| stream.poll_connected(cx)).await?;
        Ok(stream)
    }

    /// Listens: `Listen::port(80)`, or `Listen::on` an address and port. A gate ([`Listen::gate`]) is not for this host.
    ///
    /// # Errors
    /// `AddrInUse`.
    pub fn listen(&self, listen: Listen) -> io::Result<TcpListener> {
        let id = self.handle.0.with(|core, _| {
            core.check()?;
            let id = core.endpoint.listen(listen).map_err(not_opened)?;
            core.doors.insert(id, Default::default());
            Ok::<_, io::Error>(id)
        })?;
        Ok(TcpListener::new(Arc::clone(&self.handle), id))
    }

    /// Connections without those in TIME-WAIT, and those.
    pub fn connections(&self) -> (usize, usize) {
        self.handle.0.with(|core, _| core.endpoint.len())
    }

    /// Octets of [`EndpointConfig::memory`] that are spoken for.
    pub fn memory(&self) -> usize {
        self.handle.0.with(|core, _| core.endpoint.memory())
    }
}
