//! What the capture of a scenario shows, to etherparse and to tshark: both know nothing of segue.

use std::fs::File;
use std::io::BufReader;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

use etherparse::{NetSlice, SlicedPacket, TcpHeader, TcpOptionElement, TransportSlice};
use pcap_file::pcap::PcapReader;

use super::namespace;
use crate::host::device;

/// One captured segment.
pub(crate) struct Captured {
    /// Whether segue sent it.
    pub(crate) by_segue: bool,
    pub(crate) header: TcpHeader,
    pub(crate) ip_length: usize,
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

    pub(crate) fn has_sack_blocks(&self) -> bool {
        self.options().iter().any(|option| matches!(option, TcpOptionElement::SelectiveAcknowledgement(..)))
    }
}

/// All segments in a capture, in order.
pub(crate) fn segments(pcap: &Path) -> Vec<Captured> {
    let file = File::open(pcap).unwrap_or_else(|error| panic!("{}: {error}", pcap.display()));
    let mut reader = PcapReader::new(BufReader::new(file)).expect("a pcap file");
    let mut segments = Vec::new();
    while let Some(packet) = reader.next_packet() {
        let packet = packet.expect("a whole record");
        let sliced = SlicedPacket::from_ip(&packet.data).expect("an IP packet");
        let source: IpAddr = match &sliced.net {
            Some(NetSlice::Ipv4(ip)) => ip.header().source_addr().into(),
            Some(NetSlice::Ipv6(ip)) => ip.header().source_addr().into(),
            _ => continue,
        };
        if let Some(TransportSlice::Tcp(tcp)) = &sliced.transport {
            segments.push(Captured {
                by_segue: device::HOST.contains(&source),
                header: tcp.to_header(),
                ip_length: packet.data.len(),
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
    // Flow control at work: the reader is slower than the writer, and says so.
    "TCP window update",
    "TCP window specified by the receiver is now completely full",
];

/// What it may remark when packets were lost and reordered: consequences, seen from the side of the kernel.
const OF_LOSS: &[&str] = &[
    "This frame is a (suspected) retransmission",
    "This frame is a (suspected) fast retransmission",
    "This frame is a (suspected) spurious retransmission",
    "This frame is a (suspected) out-of-order segment",
    "Previous segment(s) not captured", // lost on its way from segue to the device
    "Duplicate ACK",
    "D-SACK Sequence", // the kernel reports what came twice
];

/// Has tshark judge a capture: every checksum must be right, and every remark one of those above or of `expected`.
pub(crate) fn judge(pcap: &Path, lossy: bool, expected: &[&str]) {
    let fields = ["frame.number", "tcp.checksum.status", "ip.checksum.status", "_ws.expert.message"];
    let mut tshark = Command::new("tshark");
    tshark.arg("-n").arg("-r").arg(pcap).args(["-Y", "tcp || _ws.malformed || _ws.expert.severity >= 0x600000"]);
    for option in ["tcp.check_checksum:TRUE", "ip.check_checksum:TRUE", "tcp.desegment_tcp_streams:FALSE"] {
        tshark.args(["-o", option]);
    }
    // The text is of no protocol, whatever it looks like.
    tshark
        .args(["-d", "tcp.port==1-65535,data", "-T", "fields", "-E", "aggregator=|"])
        .args(fields.iter().flat_map(|field| ["-e", field]));
    let output = match tshark.output() {
        Ok(output) => output,
        Err(error) => return namespace::skip("what tshark says", &format!("`tshark` (package tshark): {error}")),
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tshark cannot read {}: {errors}", pcap.display());

    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.lines().next().is_some(), "tshark sees no segment in {}", pcap.display());
    let allowed = |remark: &str| {
        let lists = [HARMLESS, expected, if lossy { OF_LOSS } else { &[] }];
        lists.concat().iter().any(|allowed| remark.starts_with(allowed))
    };
    for line in text.lines() {
        let columns: Vec<_> = line.split('\t').collect();
        let [frame, tcp_sum, ip_sum, remarks] = columns[..] else { panic!("an unexpected line of tshark: {line}") };
        assert_eq!(tcp_sum, "1", "frame {frame} of {}: TCP checksum (1 is good, 0 bad)", pcap.display());
        assert!(["1", ""].contains(&ip_sum), "frame {frame} of {}: IPv4 checksum", pcap.display());
        for remark in remarks.split('|').filter(|remark| !remark.is_empty()) {
            assert!(allowed(remark), "tshark on frame {frame} of {}: {remark}", pcap.display());
        }
    }
}
