//! The throttle of challenge ACKs (RFC 5961 §7): one for each connection, so that none can be measured through another.

use crate::{Config, Instant};

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Throttle {
    since: Instant,
    sent: u16,
}

impl Throttle {
    /// Whether one more may be sent now; counts it.
    pub(super) fn allows(&mut self, config: &Config, now: Instant) -> bool {
        if self.sent == 0 || now.saturating_since(self.since) >= config.challenge_window() {
            *self = Self { since: now, sent: 0 };
        }
        if self.sent >= config.challenge_limit() {
            return false;
        }
        self.sent += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    #[test]
    fn ten_in_five_seconds() {
        let config = Config::default();
        let mut throttle = Throttle::default();
        let mut now = Instant::from_millis(100);
        assert_eq!((0..50).filter(|_| throttle.allows(&config, now)).count(), 10);
        now += Duration::from_millis(4999);
        assert!(!throttle.allows(&config, now));
        now += Duration::from_millis(1);
        assert_eq!((0..50).filter(|_| throttle.allows(&config, now)).count(), 10);
    }
}
