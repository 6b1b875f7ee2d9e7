//! What an endpoint listens to.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use crate::host::flow::Flow;
use crate::host::listener::{Backlog, Full};
use crate::host::live::Port;
use crate::host::signal::Id;
use crate::{Arc, Config};

/// What to listen to, and on which terms.
///
/// ```
/// use core::time::Duration;
/// use segue::host::{Backlog, Full, Listen};
/// let web = Listen::port(80);
/// let proxy = Listen { gate: Some(Duration::from_secs(5)), ..Listen::anywhere() };
/// let small = Listen { backlog: Backlog { half_open: 8, ready: 4, full: Full::EvictOldest }, ..Listen::port(23) };
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listen {
    /// The address, or all. A listener on an address goes before one on all.
    pub address: Option<IpAddr>,
    /// The port, or all (a transparent proxy). A listener on a port goes before one on all.
    pub port: Option<u16>,
    /// The limits.
    pub backlog: Backlog,
    /// A gate: each SYN waits this long at most for [`Endpoint::admit`](super::Endpoint::admit) or
    /// [`Endpoint::refuse`](super::Endpoint::refuse), then it is refused. For proxies that dial
    /// first. Without a gate each SYN is answered at once. A SYN that waits has no answer that could
    /// carry a cookie: with [`Full::Cookies`] a gate evicts the oldest, as with [`Full::EvictOldest`].
    pub gate: Option<Duration>,
    /// The configuration of its connections, with R2 as it says (180 s by default); none: that of the endpoint with R2
    /// for the SYN,ACK of at most 60 s.
    pub config: Option<Arc<Config>>,
    /// TCP Fast Open (RFC 7413): the most connections that may have delivered the text of their SYN while the handshake is not
    /// complete; 0: off. Such a connection is ready for [`Endpoint::accept`](super::Endpoint::accept) at once, and
    /// [`Report::FastOpenConfirmed`](crate::Report::FastOpenConfirmed) follows with the handshake. The text may come twice:
    /// only for services to whom that does no harm (§6.1). Behind a gate, and in a flood of SYNs, handshakes are ordinary.
    #[cfg(feature = "fast-open")]
    pub fast_open: usize,
}

impl Listen {
    /// A port on all addresses.
    ///
    /// ```
    /// use segue::host::Listen;
    /// let web = Listen::port(80);
    /// assert_eq!((web.address, web.port), (None, Some(80)));
    /// ```
    pub fn port(port: u16) -> Self {
        Self { port: Some(port), ..Self::anywhere() }
    }

    /// A port on one address.
    ///
    /// ```
    /// use segue::host::Listen;
    /// let web = Listen::on("192.0.2.1:80".parse()?);
    /// assert_eq!((web.address, web.port), (Some("192.0.2.1".parse()?), Some(80)));
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    pub fn on(local: SocketAddr) -> Self {
        Self { address: Some(local.ip()), ..Self::port(local.port()) }
    }

    /// The limits that hold: behind a gate there are no cookies.
    pub(super) const fn limits(&self) -> Backlog {
        match (self.gate, self.backlog.full) {
            (Some(_), Full::Cookies) => Backlog { full: Full::EvictOldest, ..self.backlog },
            (_, Full::Cookies | Full::EvictOldest | Full::Drop | Full::Reset) => self.backlog,
        }
    }

    /// Every address and port for which there is no other listener: a transparent proxy.
    ///
    /// ```
    /// use core::time::Duration;
    /// use segue::host::Listen;
    /// let proxy = Listen { gate: Some(Duration::from_secs(5)), ..Listen::anywhere() }; // each SYN waits for `admit`
    /// assert_eq!((proxy.address, proxy.port), (None, None));
    /// ```
    pub fn anywhere() -> Self {
        Self {
            address: None,
            port: None,
            backlog: Backlog::default(),
            gate: None,
            config: None,
            #[cfg(feature = "fast-open")]
            fast_open: 0,
        }
    }
}

/// A listener of an [`Endpoint`](super::Endpoint).
///
/// ```
/// use segue::Instant;
/// use segue::host::{Endpoint, EndpointConfig, Keys, Listen, ListenerId};
/// let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
/// let http: ListenerId = tcp.listen(Listen::port(80))?;
/// assert_eq!(tcp.accept(http), None); // nobody has come yet
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ListenerId(pub(super) Port);

impl ListenerId {
    /// The listener as a number, for tables and foreign interfaces. Never 0; no number serves twice.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys};
    /// # let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
    /// use segue::host::{Listen, ListenerId};
    /// let http = tcp.listen(Listen::port(80))?;
    /// assert_ne!(http.to_bits(), 0);
    /// assert_eq!(ListenerId::from_bits(http.to_bits()), http);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_bits(self) -> u64 {
        u64::from(self.0) + 1
    }

    /// The listener with this number, whether it exists or not.
    ///
    /// ```
    /// use segue::Instant;
    /// use segue::host::{Endpoint, EndpointConfig, Keys, Listen, ListenerId};
    /// let mut endpoint = Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default());
    /// let bits = endpoint.listen(Listen::port(80))?.to_bits();
    /// assert!(!endpoint.unlisten(ListenerId::from_bits(bits + 1), Instant::ZERO)); // there is no such listener
    /// assert!(endpoint.unlisten(ListenerId::from_bits(bits), Instant::ZERO));
    /// # Ok::<(), segue::host::OpenError>(())
    /// ```
    pub fn from_bits(bits: u64) -> Self {
        Self(bits.checked_sub(1).and_then(|number| Port::try_from(number).ok()).unwrap_or(Port::MAX))
    }
}

/// A SYN that a gate holds: answer with [`Endpoint::admit`](super::Endpoint::admit),
/// [`Endpoint::refuse`](super::Endpoint::refuse) or [`Endpoint::ignore`](super::Endpoint::ignore).
///
/// ```
/// use segue::Instant;
/// use segue::host::{Endpoint, EndpointConfig, Keys, Incoming, Listen};
/// let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
/// # let mut client = Endpoint::new(Keys::new(*b"drawn by another"), EndpointConfig::default());
/// # client.connect("198.51.100.7".parse()?, "192.0.2.1:80".parse()?, now)?;
/// tcp.listen(Listen { gate: Some(core::time::Duration::from_secs(5)), ..Listen::port(80) })?;
/// client.flush(now, |addresses, packet| drop(tcp.receive(addresses, packet, now))); // a SYN
/// let Incoming { id, flow, .. } = tcp.incoming().expect("a SYN waits");
/// assert_eq!(flow.remote().ip().to_string(), "198.51.100.7");
/// tcp.admit(id, now)?; // the upstream answered
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Incoming {
    /// The connection to be, for the answer.
    pub id: Id,
    /// Its flow.
    pub flow: Flow,
    /// The listener.
    pub listener: ListenerId,
}
