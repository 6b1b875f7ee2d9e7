//! Values of one crate as values of the other.

use std::time::Duration;

use segue::{Event, IcmpKind, Knob, Options, Segment, SeqNum};

fn seq(seq: SeqNum) -> plain::SeqNum {
    plain::SeqNum::new(seq.value())
}

pub(crate) fn instant(at: segue::Instant) -> plain::Instant {
    plain::Instant::from_micros(at.as_micros())
}

pub(crate) fn secrets(secrets: segue::Secrets) -> plain::Secrets {
    plain::Secrets { iss: seq(secrets.iss), ts_offset: secrets.ts_offset }
}

pub(crate) fn path(path: segue::Path) -> plain::Path {
    let ip = match path.ip {
        segue::IpVersion::V4 => plain::IpVersion::V4,
        segue::IpVersion::V6 => plain::IpVersion::V6,
    };
    plain::Path { ip, mtu: path.mtu, ip_options: path.ip_options }
}

fn options(options: Options) -> plain::Options {
    let mut sack = plain::SackBlocks::new();
    for block in options.sack.as_slice() {
        sack.push(plain::SackBlock { left: seq(block.left), right: seq(block.right) });
    }
    plain::Options {
        mss: options.mss,
        window_scale: options.window_scale,
        sack_permitted: options.sack_permitted,
        timestamps: options.timestamps.map(|ts| plain::Timestamps { value: ts.value, echo: ts.echo }),
        sack,
        fast_open: None, // no test sends one
        user_timeout: options.user_timeout,
        acc_ecn: options.acc_ecn.and_then(|option| {
            let fields = option.fields();
            if option.is_order_1() { plain::AccEcn::order_1(fields) } else { plain::AccEcn::order_0(fields) }
        }),
    }
}

pub(crate) fn segment(segment: &Segment) -> plain::Segment {
    plain::Segment {
        seq: seq(segment.seq),
        ack: seq(segment.ack),
        flags: plain::Flags::from_bits_retain(segment.flags.bits()),
        window: segment.window,
        urgent: segment.urgent,
        options: options(segment.options.get()).into(),
        ecn: plain::Ecn::from_bits(segment.ecn.bits()),
        segment_size: segment.segment_size,
        payload: segment.payload.clone(),
    }
}

fn knob(knob: Knob) -> plain::Knob {
    match knob {
        Knob::Nagle(on) => plain::Knob::Nagle(on),
        Knob::Cork(on) => plain::Knob::Cork(on),
        Knob::KeepAlive(on) => plain::Knob::KeepAlive(on),
        Knob::KeepAliveIdle(time) => plain::Knob::KeepAliveIdle(time),
        Knob::UserTimeout(time) => plain::Knob::UserTimeout(time),
        other => unreachable!("{other:?} is not drawn"),
    }
}

fn timer(timer: segue::Timer) -> plain::Timer {
    let at = segue::Timer::ALL.iter().position(|&other| other == timer).expect("all timers");
    plain::Timer::ALL[at]
}

fn icmp(kind: IcmpKind) -> plain::IcmpKind {
    match kind {
        IcmpKind::Unreachable => plain::IcmpKind::Unreachable,
        IcmpKind::TimeExceeded => plain::IcmpKind::TimeExceeded,
        IcmpKind::ParameterProblem => plain::IcmpKind::ParameterProblem,
        IcmpKind::ProtocolUnreachable => plain::IcmpKind::ProtocolUnreachable,
        IcmpKind::PortUnreachable => plain::IcmpKind::PortUnreachable,
        IcmpKind::PacketTooBig => plain::IcmpKind::PacketTooBig,
        IcmpKind::SourceQuench => plain::IcmpKind::SourceQuench,
        other => unreachable!("{other:?} is not drawn"),
    }
}

pub(crate) fn event(event: &Event) -> plain::Event {
    match event {
        Event::Segment(arrived) => plain::Event::Segment(segment(arrived)),
        Event::Segments(arrived) => plain::Event::Segments(arrived.iter().map(segment).collect()),
        Event::Timer(due) => plain::Event::Timer(timer(*due)),
        Event::Send(octets) => plain::Event::Send(octets.clone()),
        Event::SendMore(octets) => plain::Event::SendMore(octets.clone()),
        Event::SendUrgent(octets) => plain::Event::SendUrgent(octets.clone()),
        Event::Consume(octets) => plain::Event::Consume(*octets),
        Event::Close => plain::Event::Close,
        Event::Release => plain::Event::Release,
        Event::Abort => plain::Event::Abort,
        Event::Continue => plain::Event::Continue,
        Event::Set(turned) => plain::Event::Set(knob(*turned)),
        Event::Mtu(mtu) => plain::Event::Mtu(*mtu),
        Event::Icmp { kind, quoted_seq, mtu } => {
            plain::Event::Icmp { kind: icmp(*kind), quoted_seq: seq(*quoted_seq), mtu: *mtu }
        }
        Event::Rearm(new) => plain::Event::Rearm(secrets(*new)),
        other => unreachable!("{other:?} is not drawn"),
    }
}

/// The value of a setting.
trait Same<T> {
    fn same(self) -> T;
}

macro_rules! same {
    ($($kind:ty),*) => {$(impl Same<$kind> for $kind { fn same(self) -> $kind { self } })*};
}
same!(u8, u16, u32, bool, Duration, Option<u8>, Option<u32>, Option<Duration>);

impl Same<plain::EcnMode> for segue::EcnMode {
    fn same(self) -> plain::EcnMode {
        match self {
            Self::Off => plain::EcnMode::Off,
            Self::Passive => plain::EcnMode::Passive,
            Self::Active => plain::EcnMode::Active,
            Self::Accurate => plain::EcnMode::Accurate,
        }
    }
}

macro_rules! config {
    ($($name:ident)*) => {
        pub(crate) fn config(config: &segue::Config) -> plain::Config {
            plain::Config::builder()$(.$name(config.$name().same()))*.build().expect("the same configuration")
        }
    };
}
// All settings: one that is missing here shows at once, for the values differ.
config! {
    receive_buffer receive_buffer_initial send_buffer send_low_water max_ranges frame_size copy_below max_mss max_sent_mss min_mss
    min_mtu too_big_timeouts black_hole_timeouts black_hole_mtu mtu_retry mtu_probing mtu_probe_max window_scaling
    window_shift timestamps tolerate_missing_timestamps sack dsack ecn rack max_ack_delay nagle minshall sws_override
    delayed_ack ack_every ack_full_sized quick_acks initial_rto min_rto max_rto r1 user_timeout user_timeout_option
    user_timeout_lower user_timeout_upper connect_timeout data_retries syn_retries keep_alive keep_alive_idle
    keep_alive_interval keep_alive_probes keep_alive_octet msl fin_wait_2 rfc5961 challenge_limit challenge_window
    rfc1337 time_wait_reuse drop_syn_fin initial_window preserve_window pacing pacing_burst max_burst max_transmit
    option_space
}
