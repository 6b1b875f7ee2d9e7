//! What the capture of a scenario shows, to etherparse and to tshark: both know nothing of segue.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

use etherparse::{NetSlice, SlicedPacket, TcpHeader, TcpOptionElement, TransportSlice};
use pcap_file::pcap::PcapReader;

use super::namespace;
use segue_tun::device;

/// One captured segment.
pub(crate) struct Captured {
    /// Whether segue sent it.
    pub(crate) by_segue: bool,
    pub(crate) header: TcpHeader,
    pub(crate) ip_length: usize,
    /// Octets of text.
    pub(crate) text: usize,
    /// The ECN codepoint of the packet.
    pub(crate) ecn: u8,
}

impl Captured {
    pub(crate) fn options(&self) -> Vec<TcpOptionElement> {
        self.header.options_iterator().map(|option| option.expect("well-formed options")).collect()
    }

    /// The shift of the window scale option.
    pub(crate) fn window_scale(&self) -> Option<u8> {
        self.options().iter().find_map(|option| match option {
            TcpOptionElement::WindowScale(shift) => Some(*shift),
            _ => None,
        })
    }

    pub(crate) fn has_timestamps(&self) -> bool {
        self.options().iter().any(|option| matches!(option, TcpOptionElement::Timestamp(..)))
    }

    pub(crate) fn permits_sack(&self) -> bool {
        self.options().contains(&TcpOptionElement::SelectiveAcknowledgementPermitted)
    }

    /// The SACK blocks in their order.
    pub(crate) fn sack_blocks(&self) -> Vec<(u32, u32)> {
        let blocks = self.options().into_iter().find_map(|option| match option {
            TcpOptionElement::SelectiveAcknowledgement(first, more) => Some((first, more)),
            _ => None,
        });
        blocks.map_or(Vec::new(), |(first, more)| [Some(first)].into_iter().chain(more).flatten().collect())
    }

    pub(crate) fn has_sack_blocks(&self) -> bool {
        !self.sack_blocks().is_empty()
    }

    /// Whether the first block reports a duplicate (RFC 2883 §4): it lies below the acknowledgment or in the second block.
    pub(crate) fn has_dsack(&self) -> bool {
        let blocks = self.sack_blocks();
        let Some((left, right)) = blocks.first() else { return false };
        let ack = self.header.acknowledgment_number;
        let ahead = |number: &u32| number.wrapping_sub(ack);
        let inside = |(l, r): &(u32, u32)| ahead(l) <= ahead(left) && ahead(right) <= ahead(r);
        ahead(left) > 1 << 31 || blocks.get(1).is_some_and(inside)
    }
}

/// How many of these segments of one sender bring nothing that those before them have not brought.
pub(crate) fn needless<'a>(segments: impl Iterator<Item = &'a Captured>) -> u64 {
    let (mut start, mut here, mut needless) = (None, Vec::new(), 0);
    for segment in segments.filter(|segment| segment.text > 0) {
        let number = segment.header.sequence_number;
        let from = number.wrapping_sub(*start.get_or_insert(number.wrapping_sub(BEFORE))) as usize;
        let to = from + segment.text;
        here.resize(here.len().max(to), false);
        needless += u64::from(here[from..to].iter().all(|octet| *octet));
        here[from..to].fill(true);
    }
    needless
}

/// So much text may have overtaken the first captured segment.
const BEFORE: u32 = 1 << 20;

/// All segments in a capture, in order.
pub(crate) fn segments(pcap: &Path) -> Vec<Captured> {
    let file = File::open(pcap).unwrap_or_else(|error| panic!("{}: {error}", pcap.display()));
    let mut reader = PcapReader::new(BufReader::new(file)).expect("a pcap file");
    let mut segments = Vec::new();
    while let Some(packet) = reader.next_packet() {
        let packet = packet.expect("a whole record");
        let sliced = SlicedPacket::from_ip(&packet.data).expect("an IP packet");
        let (source, ecn): (IpAddr, _) = match &sliced.net {
            Some(NetSlice::Ipv4(ip)) => (ip.header().source_addr().into(), ip.header().ecn()),
            Some(NetSlice::Ipv6(ip)) => (ip.header().source_addr().into(), ip.header().ecn()),
            _ => continue,
        };
        if let Some(TransportSlice::Tcp(tcp)) = &sliced.transport {
            segments.push(Captured {
                by_segue: device::HOST.contains(&source),
                header: tcp.to_header(),
                ip_length: packet.data.len(),
                text: tcp.payload().len(),
                ecn: ecn.value(),
            });
        }
    }
    segments
}

/// What tshark may remark on any conversation.
const HARMLESS: &[&str] = &[
    "Connection establish request (SYN)",
    "Connection establish acknowledge (SYN+ACK)",
    "Connection finish (FIN)",
    "This frame initiates the connection closing",
    "This frame undergoes the connection closing",
    // Flow control at work: a reader is slower than its writer, and says so.
    "TCP window update",
    "TCP window specified by the receiver is now completely full",
    "TCP Zero Window segment",
];

/// What it may remark when packets were lost and reordered: consequences, seen from the side of the kernel.
const OF_LOSS: &[&str] = &[
    "This frame is a (suspected) retransmission",
    "This frame is a (suspected) fast retransmission",
    "This frame is a (suspected) spurious retransmission",
    "This frame is a (suspected) out-of-order segment",
    "Previous segment(s) not captured", // lost on its way from segue to the device
    "Duplicate ACK",
    "D-SACK Sequence", // what came twice
    // The echo server reads no more than it can send: a stall of one direction closes the window of the other, and the
    // kernel's probe of a closed window is, to tshark, a keep-alive.
    "TCP keep-alive segment",
    "ACK to a TCP keep-alive segment",
    "TCP Zero Window Probe",
    "ACK to a TCP Zero Window Probe",
    // A segment that was held back comes when its connection is gone.
    "Connection reset (RST)",
];

/// What it may remark on the kernel's segments alone, and why that is no fault of segue's.
const OF_THE_KERNEL: &[&str] = &[
    // A computed checksum of 0 is sent as 0xffff, which is as good in ones' complement.
    "TCP Checksum 0xffff instead of 0x0000",
];
const OF_THE_KERNEL_AND_LOSS: &[&str] = &[
    // tshark loses count of what may be acknowledged when segue's segments come out of order.
    "ACKed segment that wasn't captured",
];

/// What it may remark on a segment that segue sent in vain, and on the answer: no more often than segue sent tail-loss
/// probes (RFC 8985 §7), when nothing was lost.
const OF_PROBES: &[&str] = &[
    "This frame is a (suspected) retransmission",
    "This frame is a (suspected) spurious retransmission",
    "D-SACK Sequence",
    "Duplicate ACK",
];

/// What tshark may say of a capture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected<'a> {
    /// Packets were lost, late or doubled.
    pub(crate) lossy: bool,
    /// Remarks that belong to the scenario.
    pub(crate) remarks: &'a [&'a str],
    /// Segue's tail-loss probes.
    pub(crate) tail_probes: u64,
}

/// Has tshark judge a capture: every checksum must be right, and every remark one of those above or an expected one.
pub(crate) fn judge(pcap: &Path, expected: &Expected<'_>) {
    let mut tshark = Command::new("tshark");
    // An ICMP error quotes the beginning of a segment, whose checksum is then wrong.
    tshark.arg("-n").arg("-r").arg(pcap).args(["-Y", "tcp && !icmp && !icmpv6"]);
    for option in ["tcp.check_checksum:TRUE", "ip.check_checksum:TRUE", "tcp.desegment_tcp_streams:FALSE"] {
        tshark.args(["-o", option]);
    }
    // The text is of no protocol, whatever it looks like.
    tshark.args(["-d", "tcp.port==1-65535,data", "-T", "fields", "-E", "aggregator=|"]);
    let fields =
        ["frame.number", "ip.src", "ipv6.src", "tcp.checksum.status", "ip.checksum.status", "_ws.expert.message"];
    tshark.args(fields.iter().flat_map(|field| ["-e", field]));
    let output = match tshark.output() {
        Ok(output) => output,
        Err(error) => return namespace::skip("what tshark says", &format!("`tshark` (package tshark): {error}")),
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tshark cannot read {}: {errors}", pcap.display());

    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.lines().next().is_some(), "tshark sees no segment in {}", pcap.display());
    let mut judge = Judge { expected, of_probes: BTreeMap::new() };
    for line in text.lines() {
        judge.frame(line).unwrap_or_else(|why| panic!("tshark on {}: {why}", pcap.display()));
    }
}

struct Judge<'a> {
    expected: &'a Expected<'a>,
    /// How often each of [`OF_PROBES`] was remarked.
    of_probes: BTreeMap<&'static str, u64>,
}

impl Judge<'_> {
    /// Judges one line of tshark's output.
    fn frame(&mut self, line: &str) -> Result<(), String> {
        let columns: Vec<_> = line.split('\t').collect();
        let [frame, v4, v6, tcp_sum, ip_sum, remarks] = columns[..] else { return Err(format!("what is `{line}`?")) };
        let by_segue = device::HOST.iter().any(|address| [v4, v6].contains(&address.to_string().as_str()));
        let zero = !by_segue && remarks.contains(OF_THE_KERNEL[0]);
        if tcp_sum != "1" && !zero {
            return Err(format!("frame {frame}: TCP checksum status {tcp_sum} (1 is good, 0 bad): {remarks}"));
        }
        if !["1", ""].contains(&ip_sum) {
            return Err(format!("frame {frame}: IPv4 checksum status {ip_sum}"));
        }
        match remarks.split('|').find(|remark| !remark.is_empty() && !self.allows(remark, by_segue)) {
            Some(remark) => Err(format!("frame {frame}: {remark} ({} tail-loss probes)", self.expected.tail_probes)),
            None => Ok(()),
        }
    }

    fn allows(&mut self, remark: &str, by_segue: bool) -> bool {
        let lossy = self.expected.lossy;
        let lists = [
            (true, HARMLESS),
            (true, self.expected.remarks),
            (lossy, OF_LOSS),
            (!by_segue, OF_THE_KERNEL),
            (lossy && !by_segue, OF_THE_KERNEL_AND_LOSS),
        ];
        let known = |list: &[&'static str]| list.iter().copied().find(|known| remark.starts_with(known));
        if lists.iter().any(|(applies, list)| *applies && list.iter().any(|known| remark.starts_with(known))) {
            return true;
        }
        let Some(of_probe) = known(OF_PROBES) else { return false };
        let count = self.of_probes.entry(of_probe).or_default();
        *count += 1;
        *count <= self.expected.tail_probes
    }
}
