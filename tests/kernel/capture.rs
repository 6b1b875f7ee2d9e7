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

/// Has tshark judge a capture: every checksum must be right, and every remark one of those above or of `expected`.
pub(crate) fn judge(pcap: &Path, lossy: bool, expected: &[&str]) {
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
    for line in text.lines() {
        judge_frame(line, lossy, expected).unwrap_or_else(|why| panic!("tshark on {}: {why}", pcap.display()));
    }
}

/// Judges one line of tshark's output.
fn judge_frame(line: &str, lossy: bool, expected: &[&str]) -> Result<(), String> {
    let columns: Vec<_> = line.split('\t').collect();
    let [frame, v4, v6, tcp_sum, ip_sum, remarks] = columns[..] else { return Err(format!("what is `{line}`?")) };
    let by_segue = device::HOST.iter().any(|address| [v4, v6].contains(&address.to_string().as_str()));
    let mut allowed = vec![HARMLESS, expected];
    if lossy {
        allowed.push(OF_LOSS);
    }
    if !by_segue {
        allowed.push(OF_THE_KERNEL);
    }
    if lossy && !by_segue {
        allowed.push(OF_THE_KERNEL_AND_LOSS);
    }
    let allowed = allowed.concat();
    let zero = !by_segue && remarks.contains(OF_THE_KERNEL[0]);
    if tcp_sum != "1" && !zero {
        return Err(format!("frame {frame}: TCP checksum status {tcp_sum} (1 is good, 0 bad): {remarks}"));
    }
    if !["1", ""].contains(&ip_sum) {
        return Err(format!("frame {frame}: IPv4 checksum status {ip_sum}"));
    }
    match remarks.split('|').find(|r| !r.is_empty() && !allowed.iter().any(|allowed| r.starts_with(allowed))) {
        Some(remark) => Err(format!("frame {frame}: {remark}")),
        None => Ok(()),
    }
}
