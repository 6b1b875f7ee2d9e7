//! The user timeout option (RFC 5482): its value, and what both ends make of it.

use core::time::Duration;

use crate::Config;
use crate::time::micros;

/// The granularity bit: minutes instead of seconds (§3.3).
const MINUTES: u16 = 0x8000;
const MOST: u16 = 0x7FFF;

/// What the option says of a timeout (ADV_UTO): seconds, where they do not suffice minutes, rounded up; `None`, for
/// ever, is the longest. Never the reserved value 0 (§3.4).
pub(crate) fn encode(timeout: Option<Duration>) -> u16 {
    let seconds = timeout.map_or(u64::MAX, |timeout| micros(timeout).div_ceil(1_000_000)).max(1);
    let whole = |n: u64| u16::try_from(n).ok().filter(|n| *n <= MOST);
    whole(seconds).unwrap_or_else(|| MINUTES | whole(seconds.div_ceil(60)).unwrap_or(MOST))
}

/// What the peer's option says (REMOTE_UTO), unless that is reserved.
pub(crate) fn decode(value: u16) -> Option<Duration> {
    let unit = if value & MINUTES == 0 { 1 } else { 60 };
    Some(u64::from(value & MOST)).filter(|n| *n > 0).map(|n| Duration::from_secs(n * unit))
}

/// USER_TIMEOUT = min(U_LIMIT, max(ADV_UTO, REMOTE_UTO, L_LIMIT)), L_LIMIT being longer than the RTO (§3.1).
pub(crate) fn adopted(config: &Config, own: Duration, remote: Duration, rto: Duration) -> Duration {
    let lower = config.user_timeout_lower().max(rto + Duration::from_secs(1));
    own.max(remote).max(lower).min(config.user_timeout_upper())
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn seconds_where_they_suffice_else_minutes() {
        for (timeout, value) in [
            (Duration::ZERO, 1),
            (Duration::from_millis(1500), 2),
            (secs(300), 300),
            (secs(32_767), 32_767),
            (secs(32_768), 0x8000 | 547),
            (secs(32_820), 0x8000 | 547),
            (secs(32_767 * 60), 0xFFFF),
            (secs(1 << 40), 0xFFFF),
        ] {
            assert_eq!(encode(Some(timeout)), value, "{timeout:?}");
        }
        assert_eq!(encode(None), 0xFFFF);
    }

    #[test]
    fn every_value_but_the_reserved_ones_has_a_meaning() {
        for value in 0..=u16::MAX {
            match decode(value) {
                None => assert!(value == 0 || value == 0x8000),
                Some(timeout) if value < 0x8000 => assert_eq!(encode(Some(timeout)), value),
                Some(timeout) => assert_eq!(timeout.as_secs(), 60 * u64::from(value & 0x7FFF)),
            }
        }
    }

    #[test]
    fn the_longer_counts_within_the_limits() {
        let config = Config::builder().user_timeout_lower(secs(100)).user_timeout_upper(secs(601)).build().unwrap();
        for (own, remote, rto, expected) in [
            (300, 200, 1, 300),
            (300, 400, 1, 400),
            (300, 4000, 1, 601),
            (4000, 1, 1, 601),
            (10, 20, 1, 100),
            (10, 20, 150, 151), // L_LIMIT is longer than the RTO
            (10, 20, 600, 601),
        ] {
            assert_eq!(adopted(&config, secs(own), secs(remote), secs(rto)), secs(expected));
        }
    }
}
