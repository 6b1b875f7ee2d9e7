//! STATUS: what a connection tells about itself (RFC 9293 §3.10.6).

use core::time::Duration;

use crate::{SeqNum, State};

/// A snapshot of a connection's variables, under the RFC's names.
///
/// ```
/// use segue::{Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
/// let (config, path) = (Arc::new(Config::default()), Path::ipv4(1500));
/// let secrets = Secrets { iss: SeqNum::new(7), ts_offset: 0 };
/// let (tcp, _) = Connection::connect(config, path, secrets, Instant::ZERO);
/// let info = tcp.info();
/// assert_eq!((info.snd_una, info.snd_nxt, info.flight), (SeqNum::new(7), SeqNum::new(8), 1)); // the SYN
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Info {
    /// The state.
    pub state: State,
    /// ISS; 0 in CLOSED.
    pub iss: SeqNum,
    /// SND.UNA: the oldest number not acknowledged.
    pub snd_una: SeqNum,
    /// SND.NXT: the number after the highest sent.
    pub snd_nxt: SeqNum,
    /// SND.WND: the peer's window in octets, scaled, from SND.UNA.
    pub snd_wnd: u32,
    /// SND.WL1: the sequence number of the last window update.
    pub snd_wl1: SeqNum,
    /// SND.WL2: the acknowledgment number of the last window update.
    pub snd_wl2: SeqNum,
    /// SND.UP, while urgent data is unacknowledged.
    pub snd_up: Option<SeqNum>,
    /// IRS; 0 before the peer's SYN.
    pub irs: SeqNum,
    /// RCV.NXT: the next number expected.
    pub rcv_nxt: SeqNum,
    /// RCV.WND: octets the peer may send, from RCV.NXT to the furthest edge ever promised.
    pub rcv_wnd: u32,
    /// RCV.BUFF as far as it is in use: it grows up to the receive buffer as the sender needs it.
    pub rcv_buff: u32,
    /// RCV.UP, until the urgent octet is delivered.
    pub rcv_up: Option<SeqNum>,
    /// Octets of urgent text the user has not consumed yet (MUST-33).
    pub urgent_remaining: u32,
    /// Octets that Eff.snd.MSS allows in a segment without SACK blocks (RFC 9293 §3.7.1).
    pub eff_snd_mss: u16,
    /// The path MTU in use: the MTU of the host, or less.
    pub path_mtu: u16,
    /// Octets queued and not acknowledged.
    pub send_queue: usize,
    /// Octets delivered and not consumed.
    pub unconsumed: usize,
    /// Octets held out of order.
    pub held: usize,
    /// Ranges held out of order.
    pub held_ranges: usize,
    /// The congestion window in octets.
    pub cwnd: u32,
    /// The slow-start threshold in octets.
    pub ssthresh: u32,
    /// Octets sent and not acknowledged.
    pub flight: u32,
    /// Segments in flight: a record is kept for each.
    pub flight_segments: usize,
    /// The smoothed round-trip time, once measured.
    pub srtt: Option<Duration>,
    /// Its variation.
    pub rttvar: Option<Duration>,
    /// The retransmission timeout, with back-off.
    pub rto: Duration,
    /// Whether new data leaves as ECN-capable (RFC 3168).
    pub ecn: bool,
    /// With accurate feedback (RFC 9768): the marks of both directions.
    pub accurate_ecn: Option<AccurateEcn>,
    /// The user timeout in force, R2 for data; `None`: none.
    pub user_timeout: Option<Duration>,
    /// The counters.
    pub counters: Counters,
}

/// What a connection in AccECN mode (RFC 9768) knows of marks.
///
/// ```
/// use segue::{Arc, Config, Connection, EcnMode, Instant, Path, Secrets, SeqNum};
/// let config = Arc::new(Config::builder().ecn(EcnMode::Accurate).build()?);
/// let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
/// # let of = |a: &segue::Action| if let segue::Action::Transmit(segment) = a { Some(segment.clone()) } else { None };
/// # let sent = |actions: &[segue::Action]| actions.iter().find_map(of).expect("a segment");
/// let (path, now) = (Path::ipv4(1500), Instant::ZERO);
/// let (mut client, syn) = Connection::connect(config.clone(), path, secrets(100), now);
/// let (_, syn_ack) = Connection::accept(config, path, secrets(300), sent(&syn), now);
/// client.handle_segment(sent(&syn_ack), now);
/// let marks = client.info().accurate_ecn.expect("both ends speak it");
/// assert_eq!((marks.ce_packets_in, marks.ce_packets_out), (0, 0)); // no congestion so far
/// # Ok::<(), segue::ConfigError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AccurateEcn {
    /// Packets received with CE: r.cep without its initial value.
    pub ce_packets_in: u64,
    /// Octets of payload received with CE: r.ceb.
    pub ce_octets_in: u64,
    /// Octets of payload received with ECT(0): r.e0b without its initial value.
    pub ect_0_octets_in: u64,
    /// Octets of payload received with ECT(1): r.e1b without its initial value.
    pub ect_1_octets_in: u64,
    /// Packets of ours that arrived with CE, as the peer tells or has to be understood: s.cep without its initial value.
    pub ce_packets_out: u64,
    /// Octets of ours that arrived with CE; estimated where the peer's options do not tell.
    pub ce_octets_out: u64,
    /// Octets of ours that arrived with ECT(0) and with ECT(1), where the peer's options tell.
    pub ect_octets_out: (u64, u64),
    /// Whether the peer's options reach us: without them, the numbers above are estimates.
    pub options: bool,
}

/// The counters of a connection. Statistics: [`canonical`](crate::Connection::canonical) leaves them out.
///
/// ```
/// use segue::{Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
/// let (config, path) = (Arc::new(Config::default()), Path::ipv4(1500));
/// let secrets = Secrets { iss: SeqNum::new(7), ts_offset: 0 };
/// let (mut tcp, _) = Connection::connect(config, path, secrets, Instant::ZERO);
/// let (timer, at) = tcp.next_deadline().expect("the SYN is out");
/// tcp.handle_timer(timer, at);
/// let counters = tcp.info().counters;
/// assert_eq!((counters.segments_out, counters.timeouts), (2, 1));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Counters {
    /// Segments handled.
    pub segments_in: u64,
    /// Of these, segments that came as expected and took the shortcut before the eight steps of §3.10.7.4.
    pub segments_predicted: u64,
    /// Segments transmitted; one with a `segment_size` counts once.
    pub segments_out: u64,
    /// Octets of payload delivered.
    pub octets_in: u64,
    /// Octets of payload that the peer acknowledged.
    pub octets_acked: u64,
    /// Segments retransmitted.
    pub retransmissions: u64,
    /// Retransmission timeouts.
    pub timeouts: u64,
    /// Fast recoveries, each a reduction of the congestion window.
    pub fast_retransmits: u64,
    /// Spurious reductions that the sender undid (RFC 4015).
    pub spurious_recoveries: u64,
    /// Tail-loss probes sent (RFC 8985 §7).
    pub tail_probes: u64,
    /// Duplicate acknowledgments received.
    pub duplicate_acks: u64,
    /// Segments or payloads discarded.
    pub discarded: u64,
    /// Octets trimmed off segments whose other payload counts: duplicates, or octets beyond the receive window or the
    /// peer's FIN (§3.10.7.4 first); and out-of-order payload that proved to lie beyond the peer's FIN.
    pub octets_trimmed: u64,
    /// Data segments received with a congestion mark, where ECN is in use.
    pub ecn_marks: u64,
    /// Reductions of the congestion window because the peer echoed a mark.
    pub ecn_reductions: u64,
    /// Zero-window probes sent.
    pub probes: u64,
    /// Challenge ACKs sent, and ACKs in answer to other discarded segments that take no sequence space.
    pub challenge_acks: u64,
}
