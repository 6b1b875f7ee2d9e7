//! Between the numbers of a script and those of the wire.
//!
//! A script counts the stack's sequence numbers from its ISS, and its timestamps from the first that it names. The
//! numbers of the peer are those of the script, moved by a fixed number if the run asks for it.

use std::net::SocketAddr;

use crate::script::{Flags, Packet, TcpOption, Tos};
use crate::wire::Wire;

/// One connection as the script sees it.
#[derive(Clone, Debug)]
pub struct Flow {
    /// Our end: the stack under test.
    pub local: SocketAddr,
    pub remote: SocketAddr,
    /// The stack's ISS on the wire, once seen.
    iss: Option<u32>,
    /// Whether the next SYN of the stack may have another ISS.
    opening: bool,
    /// The ISN of the peer, in the script's numbers.
    irs: Option<u32>,
    /// The peer's numbers on the wire are those of the script and this.
    shift: u32,
    /// The stack's timestamps on the wire are those of the script and this.
    clock: Option<u32>,
    /// The highest number of the stack's that the script acknowledged.
    acknowledged: u32,
}

/// The octet of the payload at this number of the script: so both ends' payload is checked.
pub fn octet(seq: u32) -> u8 {
    u8::try_from(seq % 251).unwrap_or(0)
}

impl Flow {
    pub const fn new(local: SocketAddr, remote: SocketAddr, shift: u32) -> Self {
        Self { local, remote, iss: None, opening: true, irs: None, shift, clock: None, acknowledged: 0 }
    }

    /// The first number of the peer's payload.
    pub fn first_received(&self) -> u32 {
        self.irs.unwrap_or(0).wrapping_add(1)
    }

    /// The stack opens the flow anew.
    pub const fn opens(&mut self) {
        self.opening = true;
    }

    fn to_ours(&self, number: u32) -> u32 {
        number.wrapping_add(self.iss.unwrap_or(0))
    }

    fn of_ours(&self, number: u32) -> u32 {
        number.wrapping_sub(self.iss.unwrap_or(0))
    }

    /// What arrives, as it is on the wire.
    pub fn arriving(&mut self, packet: &Packet) -> Wire {
        let (syn, ack) = (packet.flags.contains(Flags::SYN), packet.flags.contains(Flags::ACK));
        if syn && self.irs != Some(packet.seq) {
            // Another incarnation, unless this SYN crosses or answers ours.
            self.opening |= self.irs.is_some();
            self.irs = Some(packet.seq);
        }
        if ack {
            let is_news = packet.ack.wrapping_sub(self.acknowledged) < 1 << 31;
            self.acknowledged = if is_news { packet.ack } else { self.acknowledged };
        }
        let options = packet.options.iter().flatten().map(|option| match option {
            TcpOption::Sack(blocks) => {
                TcpOption::Sack(blocks.iter().map(|&(a, b)| (self.to_ours(a), self.to_ours(b))).collect())
            }
            // Without ACK there is nothing to echo (RFC 7323 §3.2).
            TcpOption::Timestamps { value, echo } if ack => {
                TcpOption::Timestamps { value: *value, echo: echo.wrapping_add(self.clock.unwrap_or(0)) }
            }
            other => other.clone(),
        });
        Wire {
            source: self.remote,
            destination: self.local,
            tos: match packet.tos {
                Tos::Unchecked | Tos::Ect => 0,
                Tos::Ecn(tos) | Tos::All(tos) => tos,
            },
            flags: packet.flags,
            seq: packet.seq.wrapping_add(self.shift),
            ack: if ack { self.to_ours(packet.ack) } else { packet.ack },
            window: packet.window.unwrap_or(0),
            urgent: packet.urgent,
            options: options.collect(),
            payload: self.payload(packet),
        }
    }

    /// The octets of the peer's payload; a SYN takes a number before them.
    fn payload(&self, packet: &Packet) -> Vec<u8> {
        let first = packet.seq.wrapping_add(u32::from(packet.flags.contains(Flags::SYN)));
        (0..u32::from(packet.len)).map(|place| octet(first.wrapping_add(place))).collect()
    }

    /// What left, in the numbers of the script, and whether its payload is what the user wrote.
    pub fn leaving(&mut self, wire: &Wire) -> (Packet, bool) {
        if wire.flags.contains(Flags::SYN) && self.opening {
            (self.iss, self.opening, self.clock, self.acknowledged) = (Some(wire.seq), false, None, 0);
        }
        let ack = wire.flags.contains(Flags::ACK);
        // The reset for a segment without ACK has the number 0 in nobody's numbers (RFC 9293 §3.10.7.1).
        let unnumbered = wire.flags.contains(Flags::RST) && ack && wire.seq == 0;
        let seq = if unnumbered { 0 } else { self.of_ours(wire.seq) };
        let options = wire.options.iter().map(|option| match option {
            TcpOption::Sack(blocks) => {
                let of_peer = |number: u32| number.wrapping_sub(self.shift);
                TcpOption::Sack(blocks.iter().map(|&(a, b)| (of_peer(a), of_peer(b))).collect())
            }
            TcpOption::Timestamps { value, echo } => {
                TcpOption::Timestamps { value: value.wrapping_sub(self.clock.unwrap_or(0)), echo: *echo }
            }
            other => other.clone(),
        });
        let packet = Packet {
            ports: None,
            tos: Tos::All(wire.tos),
            flags: wire.flags,
            seq,
            len: u16::try_from(wire.payload.len()).unwrap_or(u16::MAX),
            ack: if ack { wire.ack.wrapping_sub(self.shift) } else { wire.ack },
            window: Some(wire.window),
            urgent: wire.urgent,
            bad_checksum: false,
            options: Some(options.collect()),
        };
        // A probe of an idle peer may carry garbage in the place of what it acknowledged (RFC 9293 MAY-6).
        let garbage = packet.len == 1 && seq.wrapping_add(1) == self.acknowledged;
        let first = seq.wrapping_add(u32::from(wire.flags.contains(Flags::SYN)));
        let written = (0u32..).zip(&wire.payload).all(|(place, &own)| own == octet(first.wrapping_add(place)));
        (packet, written || garbage)
    }

    /// The first timestamp that a script names sets its clock; whether it was this one.
    pub fn set_clock(&mut self, expected: &Packet, seen: &mut Packet) -> bool {
        let value = |packet: &Packet| {
            packet.options.iter().flatten().find_map(|option| match option {
                TcpOption::Timestamps { value, .. } => Some(*value),
                _ => None,
            })
        };
        let (None, Some(expected), Some(own)) = (self.clock, value(expected), value(seen)) else { return false };
        self.clock = Some(own.wrapping_sub(expected));
        for option in seen.options.iter_mut().flatten() {
            if let TcpOption::Timestamps { value, .. } = option {
                *value = expected;
            }
        }
        true
    }

    /// A packet of the stack with this number, for an ICMP error to quote.
    pub fn quoted(&self, seq: Option<u32>) -> Wire {
        let seq = seq.map_or_else(|| self.to_ours(self.acknowledged), |seq| self.to_ours(seq));
        Wire {
            source: self.local,
            destination: self.remote,
            tos: 0,
            flags: Flags::ACK,
            seq,
            ack: 0,
            window: 0,
            urgent: 0,
            options: Vec::new(),
            payload: Vec::new(),
        }
    }
}
