//! A connection's variables under the names of Linux's `tcp_info`, and under segue's own.

use std::time::Duration;

use segue::{Info, State};

/// Linux's numbers of the states.
const fn state(state: State) -> i64 {
    match state {
        State::Established => 1,
        State::SynSent => 2,
        State::SynReceived => 3,
        State::FinWait1 => 4,
        State::FinWait2 => 5,
        State::TimeWait => 6,
        State::Closed => 7,
        State::CloseWait => 8,
        State::LastAck => 9,
        State::Listen => 10,
        State::Closing => 11,
    }
}

fn number<T: TryInto<i64>>(value: T) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

fn micros(time: Option<Duration>) -> i64 {
    time.map_or(0, |time| number(time.as_micros()))
}

/// Windows of `tcp_info` count in segments.
fn segments(octets: u32, mss: u16) -> i64 {
    i64::from(octets / u32::from(mss.max(1)))
}

pub(super) fn of(info: &Info) -> Vec<(&'static str, i64)> {
    let counters = &info.counters;
    let unlimited = |ssthresh: u32| ssthresh >= 1 << 31;
    vec![
        ("tcpi_state", state(info.state)),
        ("tcpi_snd_mss", i64::from(info.eff_snd_mss)),
        ("tcpi_unacked", number(info.flight_segments)),
        ("tcpi_snd_cwnd", segments(info.cwnd, info.eff_snd_mss)),
        // Linux's number of a threshold that was never set.
        (
            "tcpi_snd_ssthresh",
            if unlimited(info.ssthresh) { 0x7FFF_FFFF } else { segments(info.ssthresh, info.eff_snd_mss) },
        ),
        ("tcpi_snd_wnd", i64::from(info.snd_wnd)),
        ("tcpi_rcv_space", i64::from(info.rcv_buff)),
        ("tcpi_rto", number(info.rto.as_micros())),
        ("tcpi_rtt", micros(info.srtt)),
        ("tcpi_rttvar", micros(info.rttvar)),
        ("tcpi_pmtu", i64::from(info.path_mtu)),
        ("tcpi_total_retrans", number(counters.retransmissions)),
        ("tcpi_segs_in", number(counters.segments_in)),
        ("tcpi_segs_out", number(counters.segments_out)),
        ("tcpi_bytes_received", number(counters.octets_in)),
        ("tcpi_bytes_acked", number(counters.octets_acked)),
        ("tcpi_notsent_bytes", number(info.send_queue) - i64::from(info.flight)),
        ("cwnd", i64::from(info.cwnd)),
        ("ssthresh", i64::from(info.ssthresh)),
        ("flight", i64::from(info.flight)),
        ("rcv_wnd", i64::from(info.rcv_wnd)),
        ("send_queue", number(info.send_queue)),
        ("unconsumed", number(info.unconsumed)),
        ("held", number(info.held)),
        ("urgent_remaining", i64::from(info.urgent_remaining)),
        // In milliseconds, as TCP_USER_TIMEOUT has it; -1: none.
        ("user_timeout", info.user_timeout.map_or(-1, |timeout| number(timeout.as_millis()))),
        ("ecn", i64::from(info.ecn)),
        ("timeouts", number(counters.timeouts)),
        ("fast_retransmits", number(counters.fast_retransmits)),
        ("spurious_recoveries", number(counters.spurious_recoveries)),
        ("tail_probes", number(counters.tail_probes)),
        ("duplicate_acks", number(counters.duplicate_acks)),
        ("discarded", number(counters.discarded)),
        ("ecn_marks", number(counters.ecn_marks)),
        ("ecn_reductions", number(counters.ecn_reductions)),
        ("probes", number(counters.probes)),
        ("challenge_acks", number(counters.challenge_acks)),
    ]
}
