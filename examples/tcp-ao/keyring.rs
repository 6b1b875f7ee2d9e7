//! The keys of a host: which peer has which.

use std::net::IpAddr;

use segue::auth::{Authenticator, Covered, Refusal};
use segue::host::{Flow, Keyring};

use super::{TcpAo, TcpMd5};

/// The keys of one connection, of either kind. Never both (RFC 5925 §8).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Keys {
    Ao(TcpAo),
    Md5(TcpMd5),
}

impl Authenticator for Keys {
    fn space(&self) -> u8 {
        match self {
            Self::Ao(keys) => keys.space(),
            Self::Md5(key) => key.space(),
        }
    }

    fn sign(&mut self, segment: &Covered<'_>, option: &mut [u8]) {
        match self {
            Self::Ao(keys) => keys.sign(segment, option),
            Self::Md5(key) => key.sign(segment, option),
        }
    }

    fn verify(&mut self, segment: &Covered<'_>) -> Result<(), Refusal> {
        match self {
            Self::Ao(keys) => keys.verify(segment),
            Self::Md5(key) => key.verify(segment),
        }
    }
}

/// The peers that have keys. All others are not signed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Peers {
    /// Address, the port at either end if only this one is signed, keys. The first that fits counts.
    pub keys: Vec<(IpAddr, Option<u16>, Keys)>,
    /// Throws signatures away that there is no key for (RFC 5925 §7.3).
    pub refuses_unknown: bool,
    /// Heeds ICMP errors about signed connections (RFC 5925 §7.8).
    pub heeds_icmp: bool,
}

impl Keyring for Peers {
    type Authenticator = Keys;

    fn authenticator(&self, flow: &Flow) -> Option<Keys> {
        let fits = |(peer, port, _): &&(IpAddr, Option<u16>, Keys)| {
            *peer == flow.remote().ip()
                && port.is_none_or(|port| [flow.local().port(), flow.remote().port()].contains(&port))
        };
        self.keys.iter().find(fits).map(|(_, _, keys)| keys.clone())
    }

    fn accepts_unknown(&self, _: &Flow) -> bool {
        !self.refuses_unknown
    }

    fn heeds_icmp(&self, _: &Flow) -> bool {
        self.heeds_icmp
    }
}
