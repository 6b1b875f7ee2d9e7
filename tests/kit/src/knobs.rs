//! Draws knobs: what a user may change of a live connection, over the whole range of each setting.

use core::time::Duration;

use segue::{Config, Knob};

use crate::settings::{Source, draw_named};

/// The knobs of settings, by the name of the setting.
macro_rules! knobs {
    ($($name:ident $knob:ident)*) => {
        /// The settings that have one.
        pub const NAMES: &[&str] = &[$(stringify!($name)),*];

        /// The knob that gives a connection a setting of this configuration.
        pub fn like(config: &Config, name: &str) -> Knob {
            match name {
                $(stringify!($name) => Knob::$knob(config.$name()),)*
                _ => panic!("{name} has no knob"),
            }
        }
    };
}

knobs! {
    send_buffer SendBuffer
    send_low_water SendLowWater
    max_sent_mss MaxSentMss
    too_big_timeouts TooBigTimeouts
    black_hole_timeouts BlackHoleTimeouts
    mtu_probing MtuProbing
    mtu_retry MtuRetry
    tolerate_missing_timestamps TolerateMissingTimestamps
    dsack Dsack
    max_ack_delay MaxAckDelay
    minshall Minshall
    sws_override SwsOverride
    delayed_ack DelayedAck
    ack_every AckEvery
    ack_full_sized AckFullSized
    quick_acks QuickAcks
    min_rto MinRto
    max_rto MaxRto
    r1 R1
    user_timeout_option UserTimeoutOption
    user_timeout_lower UserTimeoutLower
    user_timeout_upper UserTimeoutUpper
    connect_timeout ConnectTimeout
    data_retries DataRetries
    syn_retries SynRetries
    keep_alive_interval KeepAliveInterval
    keep_alive_probes KeepAliveProbes
    keep_alive_octet KeepAliveOctet
    fin_wait_2 FinWait2
    rfc5961 Rfc5961
    challenge_limit ChallengeLimit
    challenge_window ChallengeWindow
    rfc1337 Rfc1337
    time_wait_reuse TimeWaitReuse
    preserve_window PreserveWindow
    pacing Pacing
    pacing_burst PacingBurst
    max_burst MaxBurst
    max_transmit MaxTransmit
}

/// Any knob, with a value of its range; it may contradict another setting of the connection.
pub fn any(rng: &mut impl Source) -> Knob {
    let on = rng.chance(500);
    let some = |micros: u64| on.then(|| Duration::from_micros(micros));
    match rng.below(u32::try_from(NAMES.len()).expect("not so many") + 6) {
        0 => Knob::Nagle(on),
        1 => Knob::Cork(on),
        2 => Knob::KeepAlive(on),
        3 => Knob::KeepAliveIdle(Duration::from_micros(rng.any() >> rng.below(64))),
        4 => Knob::UserTimeout(some(rng.any() >> rng.below(64))),
        5 => Knob::ReceiveBuffer(u32::try_from(rng.any() >> 32 >> rng.below(32)).expect("32 bits")),
        other => {
            let name = NAMES[other as usize - 6];
            like(&draw_named(rng, name, &[536, 1448, 1460]), name)
        }
    }
}
