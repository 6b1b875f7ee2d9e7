//! What happens among hosts, as a plain value: hosts, links, middleboxes, faults, and what the users of each flow do.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use segue::Config;
use segue::host::{Backlog, Full};
use segue_kit::net::{Closing, Link, Reading, Side};
use serde::{Deserialize, Serialize};

/// A whole run. Chance plays a part in it, and comes from `seed`; two runs of one plan are equal.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Plan {
    pub seed: u64,
    /// The time at which the run begins, in microseconds.
    pub start: u64,
    pub v6: bool,
    /// Nobody ever gives up: everything must arrive, unless a limit of an endpoint stands in the way.
    pub patient: bool,
    pub hosts: Vec<Host>,
    /// The links between a router and the next.
    pub trunks: Vec<Way>,
    pub boxes: Vec<Middlebox>,
    pub partitions: Vec<Partition>,
    pub flood: Option<Flood>,
    pub flows: Vec<Flow>,
    /// Every segment goes as octets.
    pub encode: bool,
    /// From here on no fault of chance befalls a packet.
    pub calm: Duration,
}

/// A host, the link to its router, and how carefully it works.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Host {
    pub stack: Stack,
    pub router: u8,
    pub access: Way,
    pub mtu: u16,
    pub config: Config,
    /// Deadlines are served late by up to this.
    pub late: Duration,
    /// Packets that arrived are kept for up to this.
    pub batch: Duration,
    /// Packets that the device takes in one turn; 0: all.
    pub room: u16,
    /// Nothing happens at the host meanwhile; what arrives waits.
    pub sleep: Option<(Duration, Duration)>,
    /// The host loses all that it knows.
    pub reboot: Option<Duration>,
}

/// The TCP of a host.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Stack {
    Segue(Limits),
    Smoltcp(Smoltcp),
}

/// The limits of an endpoint; 0: none that could matter.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Limits {
    pub memory: u32,
    pub connections: u16,
    pub time_wait: u16,
    pub answers: u16,
    pub ports: u16,
    /// SYNs and connections that a listener keeps.
    pub half_open: u16,
    pub ready: u16,
    pub full: WhenFull,
    /// SYNs wait for an admission, and the second number of a thousand are refused.
    pub gate: Option<(Duration, u32)>,
    /// Listeners leave the patience with half-open connections at its default.
    pub hasty: bool,
}

/// What a listener does when its backlog is full.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum WhenFull {
    #[default]
    Cookies,
    EvictOldest,
    Drop,
    Reset,
}

/// The sockets of a host with smoltcp.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Smoltcp {
    pub receive: u32,
    pub send: u32,
    pub nagle: bool,
    pub ack_delay: Option<u16>,
    pub timestamps: bool,
}

/// A link that all share who are at it, the same both ways.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Way {
    pub link: Link,
    pub odds: Odds,
}

/// What befalls a packet on a link, in cases of a thousand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Odds {
    pub lose: u32,
    /// A lost packet takes the next one with it.
    pub burst: u32,
    pub double: u32,
    pub hold: u32,
    /// How long at the most.
    pub held: Duration,
    pub corrupt: u32,
    pub mark: u32,
}

/// What stands before a host and changes packets, in both directions.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Middlebox {
    pub host: u8,
    /// Options that SYNs lose.
    pub strip: Strip,
    pub clamp_mss: Option<u16>,
    /// Marks of ECN, and its flags in SYNs, are cleared.
    pub bleach: bool,
    /// Reports are taken out of the packets, until all is calm.
    pub hides_sack: bool,
    /// How many segments of a thousand are split.
    pub split: u32,
    /// A segment of text waits so long for the next, which is put behind it.
    pub coalesce: Duration,
    /// Numbers of the host are greater by this outside.
    pub shift: u32,
    /// Reports are shifted like numbers.
    pub shifts_sack: bool,
    /// Addresses and ports are others outside; a flow that is silent for so long is forgotten.
    pub nat: Option<Duration>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Strip {
    pub mss: bool,
    pub window_scale: bool,
    pub sack: bool,
    pub timestamps: bool,
}

/// Nothing passes a trunk meanwhile.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Partition {
    pub trunk: u8,
    pub from: Duration,
    pub until: Duration,
}

/// SYNs from addresses that nobody has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Flood {
    pub host: u8,
    pub port: u16,
    pub at: Duration,
    pub every: Duration,
    pub count: u16,
}

/// One flow: who opens it when, and what its users do.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Flow {
    pub client: u8,
    pub server: u8,
    pub port: u16,
    /// The client's port, when it names one.
    pub from: Option<u16>,
    pub at: Duration,
    /// The client's, the server's.
    pub programs: [Program; 2],
}

/// What a user does: its calls follow from signals, and from the times that are named here.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Program {
    pub octets: u64,
    pub chunk: u32,
    pub pause: Duration,
    /// Writes only when this many octets have come.
    pub answers: u64,
    pub reading: Reading,
    /// The mark of `set_receive_low_water`; 0: none.
    pub low_water: u32,
    /// Asks to be told when all is acknowledged.
    pub flushed: bool,
    pub closing: Closing,
}

impl Plan {
    pub fn address(&self, host: u8) -> IpAddr {
        if self.v6 {
            IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(host) + 1))
        } else {
            IpAddr::V4(Ipv4Addr::new(10, 0, 0, host + 1))
        }
    }

    /// The address of a host behind its NAT.
    pub fn outside(&self, host: u8) -> IpAddr {
        self.address(host + 100)
    }

    /// The host that has the address.
    pub fn host_of(&self, address: IpAddr) -> Option<u8> {
        (0..self.hosts.len() as u8).find(|host| [self.address(*host), self.outside(*host)].contains(&address))
    }

    pub fn host(&self, host: u8) -> &Host {
        &self.hosts[usize::from(host)]
    }

    pub fn middlebox(&self, host: u8) -> Option<&Middlebox> {
        self.boxes.iter().find(|one| one.host == host)
    }

    /// When nothing that the plan says beforehand keeps a packet or a user from moving.
    pub fn calm(&self) -> Duration {
        let partitions = self.partitions.iter().map(|partition| partition.until);
        let hosts = self.hosts.iter().flat_map(|host| [host.sleep.map(|(_, until)| until), host.reboot]);
        let flood = self.flood.iter().map(|flood| flood.at + flood.every * u32::from(flood.count));
        let flows = self.flows.iter().map(|flow| {
            let late = flow.programs.iter().map(|program| match (program.reading, program.closing) {
                (Reading::Late(late), Closing::At(at)) => late.max(at),
                (Reading::Late(time), _) | (Reading::Pause { length: time, .. }, _) => time,
                (_, Closing::At(time) | Closing::Abort(time) | Closing::Release(time)) => time,
                _ => Duration::ZERO,
            });
            flow.at + late.max().unwrap_or_default()
        });
        partitions.chain(hosts.flatten()).chain(flood).chain(flows).chain([self.calm]).max().unwrap_or_default()
    }
}

impl Flow {
    pub const fn host(&self, side: Side) -> u8 {
        match side {
            Side::Client => self.client,
            Side::Server => self.server,
        }
    }

    pub const fn program(&self, side: Side) -> &Program {
        &self.programs[side.index()]
    }
}

impl Host {
    /// The limits, of a host with an endpoint.
    pub const fn limits(&self) -> Option<&Limits> {
        match &self.stack {
            Stack::Segue(limits) => Some(limits),
            Stack::Smoltcp(_) => None,
        }
    }
}

impl Limits {
    pub fn backlog(&self) -> Backlog {
        let plain = Backlog::default();
        let or = |n: u16, plain: usize| if n == 0 { plain } else { usize::from(n) };
        let full = match self.full {
            WhenFull::Cookies => Full::Cookies,
            WhenFull::EvictOldest => Full::EvictOldest,
            WhenFull::Drop => Full::Drop,
            WhenFull::Reset => Full::Reset,
        };
        Backlog { half_open: or(self.half_open, plain.half_open), ready: or(self.ready, plain.ready), full }
    }
}
