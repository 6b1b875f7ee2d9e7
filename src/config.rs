//! Every number that the RFCs leave to policy, validated once.

mod builder;

use core::time::Duration;

pub use builder::{ConfigError, Field};
use builder::{Setting, config};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Octets of the longest option area: the data offset counts up to 15 words, the fixed header takes 5.
const OPTION_AREA: u16 = 40;

/// Explicit Congestion Notification: whether the handshake agrees on it, and on which feedback. Classic feedback tells
/// once in a round trip that there were marks (RFC 3168), accurate feedback (AccECN) how many (RFC 9768).
///
/// ```
/// use segue::{Config, EcnMode};
/// let config = Config::builder().ecn(EcnMode::Active).build()?; // a host that copies the bits of the IP header
/// assert!(config.ecn() == EcnMode::Active && Config::default().ecn() == EcnMode::Passive);
/// # Ok::<(), segue::ConfigError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum EcnMode {
    /// Never.
    Off,
    /// When the peer asks for it, with the feedback that it asks for.
    Passive,
    /// Our SYN asks for it, too, with classic feedback; there is no other then.
    Active,
    /// Our SYN asks for accurate feedback; where the peer knows no other, and without the feature `accurate-ecn`, classic
    /// feedback is used.
    Accurate,
}

/// A quarter of each of the four, drawn so that most inputs mean what they meant when there were three.
#[cfg(feature = "arbitrary")]
impl<'a> arbitrary::Arbitrary<'a> for EcnMode {
    fn arbitrary(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
        let drawn: u32 = u.arbitrary()?;
        Ok(match (u64::from(drawn) * 3) >> 32 {
            _ if drawn % 4 == 3 => Self::Accurate,
            0 => Self::Off,
            1 => Self::Passive,
            _ => Self::Active,
        })
    }
}

config! {
    /// Octets that the receive buffer holds until the user consumes them: RCV.BUFF.
    receive_buffer: u32 = 262_144, in 1..=1_073_741_823, "RFC 9293 §3.8.6, RFC 7323 §2.3", own ReceiveBuffer;
    /// The part of the receive buffer that the first window announces; it grows as the sender needs it. At `receive_buffer` or above: no tuning.
    receive_buffer_initial: u32 = 131_072, in 14_600..=1_073_741_823, "RFC 6928 §2, RFC 9293 §3.8.6", fixed "the first window is the only one that it tells of";
    /// Octets that the send buffer holds until the peer acknowledges them.
    send_buffer: u32 = 262_144, in 1..=1_073_741_823, "RFC 9293 §3.9.1.2", knob SendBuffer;
    /// Octets of room at which a send buffer that was full gives `Writable`; 0 counts as 1; none: a third of `send_buffer`.
    send_low_water: Option<u32> = None, in 0..=1_073_741_823, "RFC 9293 §3.9.1.2", knob SendLowWater;
    /// The most ranges of out-of-order payload; the receiver refuses a segment that would open another. 0: one for each 1024 octets of `receive_buffer`, at least 64.
    max_ranges: u16 = 0, in 0..=65_535, "RFC 9293 SHLD-31", fixed "it bounds the memory of what is held";
    /// Octets of memory that one received payload keeps alive: the frame or buffer size of the host.
    frame_size: u32 = 2048, in 0..=16_777_216, "memory bound", fixed "it bounds the memory of what is held";
    /// The connection merges shorter pieces of payload into blocks of its own, which bounds the number of pieces.
    copy_below: u16 = 1024, in 64..=65_535, "memory bound", fixed "it bounds the memory of what is held";
    /// Upper limit of the MSS that the connection announces and uses, beside the limit of the path.
    max_mss: u16 = 65_535, in 64..=65_535, "RFC 9293 §3.7.1", fixed "the SYN says it; `max_sent_mss` limits what we send";
    /// Upper limit of the MSS that the connection sends by, beside those of the peer, the path and `max_mss`. What it announces does not change by it.
    max_sent_mss: u16 = 65_535, in 64..=65_535, "RFC 9293 §3.7.1", knob MaxSentMss;
    /// Lower limit of the MSS that a peer can impose; 0 in its option counts as the default MSS.
    min_mss: u16 = 64, in 48..=536, "RFC 9293 §3.7.1", fixed "it applies to the peer's SYN";
    /// The least path MTU that ICMP errors and black holes lead to, unless the IP version's minimum is more.
    min_mtu: u16 = 68, in 68..=1500, "RFC 1191 §3, RFC 8201 §4", fixed "the path MTU in use was found by it";
    /// Timeouts of a segment until the connection believes an ICMP error about a size that got through before.
    too_big_timeouts: u8 = 1, in 0..=16, "RFC 5927 §7.2 (MAXSEGRTO)", knob TooBigTimeouts;
    /// Timeouts of a segment, without an ICMP error, until the connection takes the path as a black hole for its size; 0: never.
    black_hole_timeouts: u8 = 3, in 0..=255, "RFC 4821 §7.7", needs "path-mtu", knob BlackHoleTimeouts;
    /// The first path MTU to try in a black hole, the initial search_low. If it does not get through either, single packets try half of it, and so on.
    black_hole_mtu: u16 = 1024, in 68..=1500, "RFC 4821 §7.2, §7.7", fixed "the path MTU in use was found by it";
    /// The search upward: while the path MTU is below the MTU of the host or `mtu_probe_max`, single larger packets probe for a larger one.
    mtu_probing: bool = true, in false..=true, "RFC 4821 §7", needs "path-mtu", knob MtuProbing;
    /// The largest packet that the interface sends and receives, if larger than the MTU that the host expects of the path: probes look for it, and the MSS option announces it; 0: the MTU of the host.
    mtu_probe_max: u16 = 0, in 0..=65_535, "RFC 4821 §7.2", fixed "the MSS option of the SYN says it";
    /// How long the connection keeps a lowered path MTU, or the result of a search, before it tries larger ones again; `None`: forever.
    mtu_retry: Option<Duration> = Some(secs(600)), in secs(300)..=secs(1_000_000), "RFC 4821 §7.3, RFC 1191 §6.3, RFC 8201 §4", needs "path-mtu", knob MtuRetry;
    /// Window scaling.
    window_scaling: bool = true, in false..=true, "RFC 7323 §2", fixed "the SYN says it";
    /// The shift of our windows, 2^shift up to half of the receive buffer; none: the smallest that can announce the whole buffer.
    window_shift: Option<u8> = None, in 0..=14, "RFC 7323 §2.2, §2.3", fixed "the SYN says it";
    /// Timestamps and PAWS.
    timestamps: bool = true, in false..=true, "RFC 7323 §3", fixed "the SYN says it";
    /// Accepts segments without timestamps although both ends agreed on them, for peers and middleboxes that leave them out. Such a segment has no protection against wrapped sequence numbers (PAWS), and TS.Recent does not follow it.
    tolerate_missing_timestamps: bool = false, in false..=true, "RFC 7323 §3.2", knob TolerateMissingTimestamps;
    /// Selective acknowledgment.
    sack: bool = true, in false..=true, "RFC 2018", needs "sack", fixed "the SYN says it";
    /// With SACK, the receiver reports duplicate payload.
    dsack: bool = true, in false..=true, "RFC 2883", needs "sack", knob Dsack;
    /// Explicit Congestion Notification.
    ecn: EcnMode = EcnMode::Passive, in EcnMode::Off..=EcnMode::Accurate, "RFC 3168 §6.1, RFC 9768 §3.1, RFC 9293 SHLD-8", needs "ecn", fixed "the SYN says it";
    /// With SACK, time detects loss (RACK-TLP), with tail-loss probes; off: RFC 6675 detects it.
    rack: bool = true, in false..=true, "RFC 8985", needs "rack", fixed "what is in flight is recorded for it";
    /// With RACK-TLP, the extra time that a peer may delay the acknowledgment of a lone segment before the probe.
    max_ack_delay: Duration = ms(40), in ms(0)..=ms(500), "RFC 8985 §7.2", knob MaxAckDelay;
    /// Nagle's algorithm.
    nagle: bool = true, in false..=true, "RFC 9293 SHLD-7, MUST-17", own Nagle;
    /// With Nagle's algorithm, only a small segment in flight holds back another, as Minshall proposed; off: any segment in flight does.
    minshall: bool = true, in false..=true, "RFC 9293 App. A.3", knob Minshall;
    /// The override timeout of the sender's silly-window avoidance.
    sws_override: Duration = ms(200), in ms(100)..=ms(1000), "RFC 9293 §3.8.6.2.1", knob SwsOverride;
    /// How long an acknowledgment may wait; 0: never.
    delayed_ack: Duration = ms(40), in ms(0)..=ms(499), "RFC 9293 MUST-40, SHLD-18", knob DelayedAck;
    /// The receiver acknowledges at least every second segment (2) or every segment (1).
    ack_every: u8 = 2, in 1..=2, "RFC 9293 SHLD-19, RFC 5681 §4.2", knob AckEvery;
    /// Only full-sized segments count for `ack_every`, by the largest size seen from the peer, or as many octets.
    ack_full_sized: bool = false, in false..=true, "RFC 9293 SHLD-19, RFC 5681 §4.2", knob AckFullSized;
    /// The number of segments acknowledged at once at the start, after out-of-order payload and after a pause; 0: none.
    quick_acks: u8 = 32, in 0..=255, "RFC 5681 §4.2", knob QuickAcks;
    /// RTO before the first measurement.
    initial_rto: Duration = ms(1000), in ms(10)..=secs(60), "RFC 6298 (2.1)", fixed "it counts before the first round trip is measured";
    /// Lower limit of the RTO, and of the variation in it: RTO = SRTT + max (G, 4 * RTTVAR, this).
    min_rto: Duration = ms(200), in ms(1)..=secs(60), "RFC 6298 (2.3), (2.4), where 1 s is a SHOULD", knob MinRto;
    /// Upper limit of the RTO and of the interval between zero-window probes.
    max_rto: Duration = secs(60), in secs(60)..=secs(600), "RFC 6298 (2.5)", knob MaxRto;
    /// R1: retransmissions of one segment until `Report::Unresponsive`.
    r1: u8 = 3, in 3..=255, "RFC 9293 MUST-20, SHLD-10", knob R1;
    /// R2 for data, the user timeout: how long data or a FIN may stay unacknowledged, extended until one retransmission has timed out; `None`: forever.
    user_timeout: Option<Duration> = Some(secs(300)), in secs(1)..=secs(1_000_000), "RFC 9293 MUST-20, MUST-21, SHLD-11, §3.9.1.1", own UserTimeout;
    /// The connection tells the peer its user timeout and adopts the peer's, until the user sets one.
    user_timeout_option: bool = false, in false..=true, "RFC 5482 §3", knob UserTimeoutOption;
    /// L_LIMIT: the shortest user timeout that the peer's option can bring about.
    user_timeout_lower: Duration = secs(100), in secs(1)..=secs(1_000_000), "RFC 5482 §3.1", knob UserTimeoutLower;
    /// U_LIMIT: the longest user timeout that the peer's option can bring about.
    user_timeout_upper: Duration = secs(3600), in secs(601)..=secs(1_000_000), "RFC 5482 §3.1, §6", knob UserTimeoutUpper;
    /// R2 for SYN: how long the handshake may take, extended until one retransmission has timed out; `None`: forever.
    connect_timeout: Option<Duration> = Some(secs(180)), in secs(1)..=secs(1_000_000), "RFC 9293 MUST-23", knob ConnectTimeout;
    /// R2 for data as a count of unanswered retransmissions or zero-window probes; 0: only the time counts.
    data_retries: u8 = 0, in 0..=255, "RFC 9293 MUST-20, MUST-21, §3.8.3", knob DataRetries;
    /// R2 for SYN as a count of retransmissions of a SYN or SYN,ACK; 0: only the time counts.
    syn_retries: u8 = 0, in 0..=255, "RFC 9293 MUST-22, MUST-23, §3.8.3", knob SynRetries;
    /// Keep-alives.
    keep_alive: bool = false, in false..=true, "RFC 9293 MUST-24, MUST-25", own KeepAlive;
    /// Idle time before the first keep-alive probe.
    keep_alive_idle: Duration = secs(7200), in secs(1)..=secs(1_000_000), "RFC 9293 MUST-27, MUST-28", own KeepAliveIdle;
    /// Time between unanswered keep-alive probes.
    keep_alive_interval: Duration = secs(75), in secs(1)..=secs(1_000_000), "RFC 9293 §3.8.4", knob KeepAliveInterval;
    /// Unanswered keep-alive probes that end the connection.
    keep_alive_probes: u8 = 9, in 2..=255, "RFC 9293 MUST-29", knob KeepAliveProbes;
    /// Keep-alive probes carry one octet of garbage, for peers that answer only such probes.
    keep_alive_octet: bool = false, in false..=true, "RFC 9293 MAY-6, SHLD-12", knob KeepAliveOctet;
    /// Maximum segment lifetime; TIME-WAIT lasts twice as long.
    msl: Duration = secs(120), in ms(0)..=secs(600), "RFC 9293 §3.4.3, MUST-13", fixed "it is of the network, not of the connection";
    /// Limit of FIN-WAIT-2 after `release`.
    fin_wait_2: Duration = secs(60), in ms(0)..=secs(1_000_000), "RFC 9293 §3.6", knob FinWait2;
    /// RFC 5961's checks of RST, SYN and ACK.
    rfc5961: bool = true, in false..=true, "RFC 5961 §3-5, MAY-12", knob Rfc5961;
    /// The most challenge ACKs in answer to SYNs and resets in each `challenge_window`. Discarded segments that take no sequence space get up to 10 answers in 5 s: a lower limit or a longer window applies to them as well, a higher rate does not.
    challenge_limit: u16 = 10, in 1..=65_535, "RFC 5961 §7", knob ChallengeLimit;
    /// The time over which the connection counts challenge ACKs.
    challenge_window: Duration = secs(5), in ms(1)..=secs(600), "RFC 5961 §7", knob ChallengeWindow;
    /// TIME-WAIT ignores resets.
    rfc1337: bool = true, in false..=true, "RFC 1337 §3 (F1)", knob Rfc1337;
    /// TIME-WAIT offers an acceptable SYN as `Successor`.
    time_wait_reuse: bool = true, in false..=true, "RFC 6191, SHLD-4, MAY-2", knob TimeWaitReuse;
    /// The connection drops a SYN with FIN instead of processing it.
    drop_syn_fin: bool = false, in false..=true, "RFC 9293 §3.10.7.2", fixed "it applies to the first segment";
    /// Segments in the initial congestion window (octets: at most this times MSS, RFC 6928's formula).
    initial_window: u8 = 10, in 1..=10, "RFC 6928 §2", fixed "no window restarts from more than the first one (RFC 5681 §4.1)";
    /// How long the sender keeps a congestion window that the application does not use: the non-validated period; none: no validation, and a restart from the initial window after one RTO without sending.
    preserve_window: Option<Duration> = None, in secs(1)..=secs(300), "RFC 7661 §4.4, RFC 5681 §4.1", needs "window-validation", knob PreserveWindow;
    /// Segments leave at a rate instead of in bursts: `Timer::Pace`.
    pacing: bool = false, in false..=true, "RFC 9937 §1, RFC 6928 §2", needs "pacing", knob Pacing;
    /// With pacing, segments that may leave at once.
    pacing_burst: u16 = 10, in 1..=1000, "pacing", knob PacingBurst;
    /// The most `Transmit`s that one event may give; `0`: no limit.
    max_burst: u16 = 0, in 0..=65_535, "RFC 5681 §3.2", knob MaxBurst;
    /// The most octets of payload in one `Transmit`; one with more than an MSS has a `segment_size`, for segmentation offload.
    max_transmit: u16 = 0, in 0..=65_000, "segmentation offload", knob MaxTransmit;
    /// Octets of the option area of each segment that the connection leaves to its host, for a signature (16 for TCP-AO with 96 bits, 18 for TCP MD5), rounded up to a multiple of 4. A connection whose signature needs more is refused (`auth::NoRoom`). Text, SACK blocks and AccECN have less room; options of the SYN that have none are not offered: first the user timeout, then timestamps, SACK, window scaling, MSS.
    option_space: u8 = 0, in 0..=40, "RFC 5925 §7.6, RFC 2385 §4.3", fixed "the options of the SYN go by it";
}

impl Config {
    /// Starts from the defaults.
    pub fn builder() -> ConfigBuilder {
        ConfigBuilder { config: Self::default() }
    }

    /// Starts from these values.
    pub const fn to_builder(self) -> ConfigBuilder {
        ConfigBuilder { config: self }
    }

    /// Octets of the option area that are the host's: whole words.
    pub(crate) fn reserved_options(&self) -> u16 {
        (u16::from(self.option_space) + 3) & !3 // whole words
    }

    /// Octets of the option area that are ours.
    pub(crate) fn option_room(&self) -> u16 {
        OPTION_AREA.saturating_sub(self.reserved_options())
    }

    /// Octets of room at which a user that waits to send is woken.
    pub(crate) fn writable_room(&self) -> u32 {
        self.send_low_water.unwrap_or(self.send_buffer / 3)
    }

    fn check_order(&self) -> Result<(), ConfigError> {
        if self.min_rto > self.max_rto {
            return Err(ConfigError::Order { lower: "min_rto", upper: "max_rto" });
        }
        if self.initial_rto > self.max_rto {
            return Err(ConfigError::Order { lower: "initial_rto", upper: "max_rto" });
        }
        if self.user_timeout_lower > self.user_timeout_upper {
            return Err(ConfigError::Order { lower: "user_timeout_lower", upper: "user_timeout_upper" });
        }
        if self.min_mss > self.max_mss {
            return Err(ConfigError::Order { lower: "min_mss", upper: "max_mss" });
        }
        if self.window_shift.is_some_and(|shift| u32::from(shift) > most_shift(self.receive_buffer)) {
            return Err(ConfigError::Order { lower: "window_shift", upper: "receive_buffer" });
        }
        if self.send_low_water.is_some_and(|mark| mark > self.send_buffer) {
            return Err(ConfigError::Order { lower: "send_low_water", upper: "send_buffer" });
        }
        Ok(())
    }
}

/// The largest shift with which this receive buffer is two units of the window field, or 0: of a single unit nothing
/// could be announced as soon as one octet waits for the user.
const fn most_shift(receive_buffer: u32) -> u32 {
    match receive_buffer.checked_ilog2() {
        Some(log2) => log2.saturating_sub(1),
        None => 0,
    }
}

#[cfg(feature = "arbitrary")]
impl ConfigBuilder {
    /// The configuration after limiting each setting by the one that bounds it.
    fn into_ordered(mut self) -> Config {
        self.config.min_mss = self.config.min_mss.min(self.config.max_mss);
        self.config.user_timeout_lower = self.config.user_timeout_lower.min(self.config.user_timeout_upper);
        let most = u8::try_from(most_shift(self.config.receive_buffer)).unwrap_or(u8::MAX);
        self.config.send_low_water = self.config.send_low_water.map(|mark| mark.min(self.config.send_buffer));
        self.config.window_shift = self.config.window_shift.map(|shift| shift.min(most));
        self.config
    }
}

/// A shared configuration is written as its settings.
#[cfg(feature = "serde")]
pub(crate) mod shared {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Config;
    use crate::Arc;

    pub(crate) fn serialize<S: Serializer>(config: &Arc<Config>, to: S) -> Result<S::Ok, S::Error> {
        Config::serialize(config, to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<Config>, D::Error> {
        Config::deserialize(from).map(Arc::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_valid() {
        assert_eq!(Config::builder().build(), Ok(Config::default()));
    }

    #[test]
    fn settings_without_their_feature_read_as_off() {
        let config = Config::builder().pacing(true).preserve_window(Some(secs(9))).build().unwrap();
        assert_eq!((config.sack(), config.dsack()), (cfg!(feature = "sack"), cfg!(feature = "sack")));
        assert_eq!(config.rack(), cfg!(feature = "rack"));
        assert_eq!(config.ecn() == EcnMode::Off, cfg!(not(feature = "ecn")));
        assert_eq!(
            (config.black_hole_timeouts() > 0, config.mtu_probing()),
            (config.mtu_probing(), cfg!(feature = "path-mtu"))
        );
        assert_eq!(config.preserve_window().is_some(), cfg!(feature = "window-validation"));
        assert_eq!(config.pacing(), cfg!(feature = "pacing"));
    }

    #[test]
    fn a_setting_out_of_range_is_named() {
        let error = Config::builder().delayed_ack(ms(500)).build().unwrap_err();
        assert_eq!(error, ConfigError::OutOfRange { field: "delayed_ack", range: "ms(0)..=ms(499)" });
    }

    #[test]
    fn contradicting_settings_are_named() {
        let error = Config::builder().min_mss(536).max_mss(100).build().unwrap_err();
        assert_eq!(error, ConfigError::Order { lower: "min_mss", upper: "max_mss" });
        let error = Config::builder().user_timeout_lower(secs(602)).user_timeout_upper(secs(601)).build().unwrap_err();
        assert_eq!(error, ConfigError::Order { lower: "user_timeout_lower", upper: "user_timeout_upper" });
        for shift in 1..=14 {
            let with = |buffer| Config::builder().receive_buffer(buffer).window_shift(Some(shift)).build();
            let error = with((2 << shift) - 1).unwrap_err();
            assert_eq!(error, ConfigError::Order { lower: "window_shift", upper: "receive_buffer" });
            assert!(with(2 << shift).is_ok());
        }
        assert!(Config::builder().receive_buffer(1).window_shift(Some(0)).build().is_ok());
        let error = Config::builder().send_buffer(9).send_low_water(Some(10)).build().unwrap_err();
        assert_eq!(error, ConfigError::Order { lower: "send_low_water", upper: "send_buffer" });
        assert!(Config::builder().send_buffer(9).send_low_water(Some(9)).build().is_ok());
    }
}
