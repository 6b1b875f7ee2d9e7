//! Datagrams from packets and back, by etherparse: the stack under test has no part in it.

use std::net::{IpAddr, SocketAddr};

use etherparse::{
    Icmpv4Header, Icmpv4Type, Icmpv6Header, Icmpv6Type, IpNumber, Ipv4Header, Ipv6Header, NetSlice, SlicedPacket,
    TcpHeader, TransportSlice,
};

use crate::script::{Flags, TcpOption};

/// A TCP packet with the numbers of the wire.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wire {
    pub source: SocketAddr,
    pub destination: SocketAddr,
    /// The traffic class.
    pub tos: u8,
    pub flags: Flags,
    pub seq: u32,
    pub ack: u32,
    pub window: u16,
    pub urgent: u16,
    pub options: Vec<TcpOption>,
    pub payload: Vec<u8>,
}

/// An IP header around a payload of this protocol.
fn datagram(
    source: IpAddr,
    destination: IpAddr,
    tos: u8,
    protocol: IpNumber,
    payload: &[u8],
) -> Result<Vec<u8>, String> {
    let most = if source.is_ipv4() { usize::from(u16::MAX) - Ipv4Header::MIN_LEN } else { usize::from(u16::MAX) };
    let too_long = || format!("{} octets of headers and payload fit no datagram: {most} do", payload.len());
    let len = u16::try_from(payload.len()).ok().filter(|_| payload.len() <= most).ok_or_else(too_long)?;
    let mut octets = Vec::with_capacity(60 + payload.len());
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let header = Ipv4Header::new(len, 64, protocol, source.octets(), destination.octets());
            let mut header = header.map_err(|error| error.to_string())?;
            header.dscp = etherparse::IpDscp::try_new(tos >> 2).expect("six bits");
            header.ecn = etherparse::IpEcn::try_new(tos & 3).expect("two bits");
            header.header_checksum = header.calc_header_checksum();
            octets.extend_from_slice(&header.to_bytes());
        }
        (source, destination) => {
            let v6 = |ip: IpAddr| match ip {
                IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                IpAddr::V6(ip) => ip,
            };
            let header = Ipv6Header {
                traffic_class: tos,
                payload_length: len,
                next_header: protocol,
                hop_limit: 64,
                source: v6(source).octets(),
                destination: v6(destination).octets(),
                ..Ipv6Header::default()
            };
            octets.extend_from_slice(&header.to_bytes());
        }
    }
    octets.extend_from_slice(payload);
    Ok(octets)
}

impl Wire {
    /// The TCP header, its checksum computed.
    fn header(&self) -> Result<TcpHeader, String> {
        let has = |bit: u16| self.flags.0 & bit != 0;
        let mut header = TcpHeader::new(self.source.port(), self.destination.port(), self.seq, self.window);
        header.acknowledgment_number = self.ack;
        header.urgent_pointer = self.urgent;
        (header.fin, header.syn, header.rst, header.psh) = (has(1), has(2), has(4), has(8));
        (header.ack, header.urg, header.ece, header.cwr, header.ns) =
            (has(0x10), has(0x20), has(0x40), has(0x80), has(0x100));
        let mut options = Vec::new();
        self.options.iter().for_each(|option| write(option, &mut options));
        header.set_options_raw(&options).map_err(|_| {
            format!("the options take {} octets, and the header has room for 40: leave some out", options.len())
        })?;
        header.checksum = match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => header.calc_checksum_ipv4_raw(a.octets(), b.octets(), &self.payload),
            (IpAddr::V6(a), IpAddr::V6(b)) => header.calc_checksum_ipv6_raw(a.octets(), b.octets(), &self.payload),
            _ => return Err("the two addresses are of different IP versions: set --local_ip and --remote_ip".into()),
        }
        .map_err(|error| error.to_string())?;
        Ok(header)
    }

    /// The datagram.
    ///
    /// # Errors
    /// What the script asks for and no header can hold.
    pub fn encode(&self) -> Result<Vec<u8>, String> {
        let mut segment = self.header()?.to_bytes().to_vec();
        segment.extend_from_slice(&self.payload);
        datagram(self.source.ip(), self.destination.ip(), self.tos, IpNumber::TCP, &segment)
    }

    /// What left the stack.
    ///
    /// # Errors
    /// The fault of the datagram: its form, a checksum (MUST-2), padding that is not zero (MUST-69).
    pub fn decode(octets: &[u8]) -> Result<Self, String> {
        let packet = SlicedPacket::from_ip(octets).map_err(|error| format!("no IP datagram: {error}"))?;
        let (source, destination, tos) = match &packet.net {
            Some(NetSlice::Ipv4(ip)) => {
                let header = ip.header().to_header();
                if header.header_checksum != header.calc_header_checksum() {
                    return Err("the checksum of the IPv4 header is wrong".into());
                }
                let tos = header.dscp.value() << 2 | header.ecn.value();
                (IpAddr::from(header.source), IpAddr::from(header.destination), tos)
            }
            Some(NetSlice::Ipv6(ip)) => {
                let header = ip.header().to_header();
                (IpAddr::from(header.source), IpAddr::from(header.destination), header.traffic_class)
            }
            _ => return Err("neither IPv4 nor IPv6".into()),
        };
        let Some(TransportSlice::Tcp(tcp)) = &packet.transport else { return Err("no TCP segment".into()) };
        let (header, payload) = (tcp.to_header(), tcp.payload());
        let decoded = Self {
            source: SocketAddr::new(source, header.source_port),
            destination: SocketAddr::new(destination, header.destination_port),
            tos,
            flags: flags(&header),
            seq: header.sequence_number,
            ack: header.acknowledgment_number,
            window: header.window_size,
            urgent: header.urgent_pointer,
            options: read(header.options.as_slice())?,
            payload: payload.to_vec(),
        };
        match decoded.header()?.checksum == header.checksum {
            true => Ok(decoded),
            false => Err("the checksum of TCP is wrong (RFC 9293 MUST-2)".into()),
        }
    }
}

fn flags(header: &TcpHeader) -> Flags {
    let bits = [
        (header.fin, 1),
        (header.syn, 2),
        (header.rst, 4),
        (header.psh, 8),
        (header.ack, 0x10),
        (header.urg, 0x20),
        (header.ece, 0x40),
        (header.cwr, 0x80),
        (header.ns, 0x100),
    ];
    Flags(bits.iter().filter(|(set, _)| *set).fold(0, |all, (_, bit)| all | bit))
}

fn write(option: &TcpOption, to: &mut Vec<u8>) {
    let mut whole = |kind: u8, data: &[u8]| {
        to.extend([kind, u8::try_from(data.len() + 2).unwrap_or(u8::MAX)]);
        to.extend(data);
    };
    match option {
        TcpOption::Nop => to.push(1),
        TcpOption::Eol => to.push(0),
        TcpOption::Mss(mss) => whole(2, &mss.to_be_bytes()),
        TcpOption::WindowScale(shift) => whole(3, &[*shift]),
        TcpOption::SackOk => whole(4, &[]),
        TcpOption::Sack(blocks) => {
            let words = blocks.iter().flat_map(|(left, right)| [left.to_be_bytes(), right.to_be_bytes()]);
            whole(5, &words.flatten().collect::<Vec<_>>());
        }
        TcpOption::Timestamps { value, echo } => {
            whole(8, &[value.to_be_bytes(), echo.to_be_bytes()].concat());
        }
        TcpOption::UserTimeout(timeout) => whole(28, &timeout.to_be_bytes()),
        TcpOption::FastOpen(cookie) => whole(34, cookie),
        TcpOption::AccEcn(order_1, fields) => {
            let data = fields.iter().flat_map(|field| field.to_be_bytes().into_iter().skip(1));
            whole(if *order_1 { 174 } else { 172 }, &data.collect::<Vec<_>>());
        }
        TcpOption::Raw(octets) => to.extend(octets),
    }
}

/// The options of a header that left the stack, which has no excuse for a malformed one.
fn read(mut area: &[u8]) -> Result<Vec<TcpOption>, String> {
    let mut options = Vec::new();
    while let Some((&kind, after)) = area.split_first() {
        match kind {
            0 if after.iter().any(|&octet| octet != 0) => {
                return Err("what follows the end of the options is not zero (RFC 9293 MUST-69)".into());
            }
            0 => break,
            1 => {
                options.push(TcpOption::Nop);
                area = after;
                continue;
            }
            _ => {}
        }
        let len = after.first().map(|&len| usize::from(len));
        let Some((whole, rest)) = len.filter(|&len| len >= 2).and_then(|len| area.split_at_checked(len)) else {
            return Err(format!("the option of kind {kind} has a wrong length"));
        };
        options.push(known(kind, &whole[2..]).unwrap_or_else(|| TcpOption::Raw(whole.to_vec())));
        area = rest;
    }
    Ok(options)
}

fn known(kind: u8, data: &[u8]) -> Option<TcpOption> {
    let word = |at: usize| Some(u32::from_be_bytes(data.get(at..at + 4)?.try_into().ok()?));
    Some(match (kind, data.len()) {
        (2, 2) => TcpOption::Mss(u16::from_be_bytes([data[0], data[1]])),
        (3, 1) => TcpOption::WindowScale(data[0]),
        (4, 0) => TcpOption::SackOk,
        (5, len) if len > 0 && len % 8 == 0 => {
            TcpOption::Sack((0..len).step_by(8).map(|at| Some((word(at)?, word(at + 4)?))).collect::<Option<_>>()?)
        }
        (8, 8) => TcpOption::Timestamps { value: word(0)?, echo: word(4)? },
        (28, 2) => TcpOption::UserTimeout(u16::from_be_bytes([data[0], data[1]])),
        (34, _) => TcpOption::FastOpen(data.to_vec()),
        (172 | 174, 0 | 3 | 6 | 9) => {
            let fields = data.chunks(3).map(|field| field.iter().fold(0, |all, &octet| all << 8 | u32::from(octet)));
            TcpOption::AccEcn(kind == 174, fields.collect())
        }
        _ => return None,
    })
}

/// What an ICMP error says.
pub struct IcmpError {
    /// Type, code, and the four octets behind the checksum.
    pub header: (u8, u8, [u8; 4]),
    /// Who complains.
    pub from: IpAddr,
    /// The packet that it quotes: from the stack, to its peer.
    pub quoted: Wire,
    /// The length of the payload of the quoted packet.
    pub quoted_len: u16,
}

impl IcmpError {
    /// The datagram. It quotes the IP header and the first eight octets of TCP (RFC 792).
    ///
    /// # Errors
    /// What the script asks for and no packet can hold.
    pub fn encode(&self) -> Result<Vec<u8>, String> {
        let mut whole = self.quoted.clone();
        whole.payload = vec![0; usize::from(self.quoted_len)];
        let whole = whole.encode()?;
        let header = if self.quoted.source.is_ipv4() { 20 } else { 40 };
        let quoted = &whole[..header + 8];
        let (kind, code, bytes5to8) = self.header;
        let to = self.quoted.source.ip();
        match (self.from, to) {
            (IpAddr::V6(from), IpAddr::V6(us)) => {
                let kind = Icmpv6Type::Unknown { type_u8: kind, code_u8: code, bytes5to8 };
                let icmp = Icmpv6Header::with_checksum(kind, from.octets(), us.octets(), quoted);
                let icmp = icmp.map_err(|error| error.to_string())?;
                datagram(self.from, to, 0, IpNumber::IPV6_ICMP, &[&icmp.to_bytes(), quoted].concat())
            }
            _ => {
                let kind = Icmpv4Type::Unknown { type_u8: kind, code_u8: code, bytes5to8 };
                let icmp = Icmpv4Header::with_checksum(kind, quoted);
                datagram(self.from, to, 0, IpNumber::ICMP, &[&icmp.to_bytes(), quoted].concat())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(source: &str, destination: &str, options: Vec<TcpOption>) -> Wire {
        Wire {
            source: source.parse().expect("an end"),
            destination: destination.parse().expect("an end"),
            tos: 0x2E,
            flags: Flags(0x1FF),
            seq: 1,
            ack: 2,
            window: 3,
            urgent: 4,
            options,
            payload: b"text".to_vec(),
        }
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let options = vec![
            TcpOption::Mss(1460),
            TcpOption::SackOk,
            TcpOption::Timestamps { value: 7, echo: 9 },
            TcpOption::Nop,
            TcpOption::WindowScale(7),
            TcpOption::Sack(vec![(1, 2)]),
            TcpOption::UserTimeout(5),
            TcpOption::AccEcn(true, vec![0xA0_B0C0]),
        ];
        for (source, destination) in [("192.0.2.1:80", "192.0.2.2:90"), ("[2001:db8::1]:80", "[2001:db8::2]:90")] {
            let wire = wire(source, destination, options.clone());
            assert_eq!(Wire::decode(&wire.encode().expect("it fits")), Ok(wire));
        }
    }

    /// MUST-69, and lengths that a stack must not send.
    #[test]
    fn options_that_no_stack_may_send_are_refused() {
        for (octets, words) in [
            (vec![0, 1, 0, 0], "is not zero (RFC 9293 MUST-69)"),
            (vec![200, 1, 0, 0], "the option of kind 200 has a wrong length"),
            (vec![200, 9, 0, 0], "the option of kind 200 has a wrong length"),
        ] {
            let wire = wire("192.0.2.1:80", "192.0.2.2:90", vec![TcpOption::Raw(octets)]);
            let problem = Wire::decode(&wire.encode().expect("it fits")).expect_err("it is malformed");
            assert!(problem.contains(words), "{problem}");
        }
        let long = wire("192.0.2.1:80", "192.0.2.2:90", vec![TcpOption::Raw(vec![1; 41])]);
        assert!(long.encode().expect_err("too long").contains("has room for 40"));
    }
}
