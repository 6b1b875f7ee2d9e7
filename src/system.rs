//! Conveniences for hosts with the standard library.

use std::io::{self, ErrorKind};
use std::time::Instant as SystemInstant;

use crate::{CloseReason, Error, IcmpKind, Instant};

/// The system's monotonic clock as [`Instant`]s: microseconds since the clock was made, or since any other instant.
///
/// ```
/// use segue::{Clock, Instant};
/// let clock = Clock::new();
/// let now = clock.now();
/// assert!(now >= Instant::ZERO && clock.now() >= now);
/// assert_eq!(clock.instant(clock.system(now)), now); // for the timers of an event loop
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Clock {
    anchor: SystemInstant,
    /// What the clock says at the anchor.
    begins: Instant,
}

impl Clock {
    /// A clock that begins now.
    ///
    /// ```
    /// use segue::{Clock, Instant};
    /// let clock = Clock::new();
    /// assert!(clock.now() < Instant::from_secs(3600)); // it has just begun
    /// ```
    pub fn new() -> Self {
        Self::anchored(SystemInstant::now(), Instant::ZERO)
    }

    /// A clock that says `begins` at the system's `anchor`: it goes on where that of a snapshot stopped, or agrees with
    /// another clock of the program.
    ///
    /// ```
    /// use segue::{Clock, Instant};
    /// let stopped = Instant::from_millis(90_000);
    /// assert!(Clock::anchored(std::time::Instant::now(), stopped).now() >= stopped);
    /// ```
    pub const fn anchored(anchor: SystemInstant, begins: Instant) -> Self {
        Self { anchor, begins }
    }

    /// The time. Read it once in a turn of the host.
    ///
    /// ```
    /// use segue::Clock;
    /// let clock = Clock::new();
    /// let now = clock.now(); // for all calls of this turn
    /// assert!(clock.now() >= now);
    /// ```
    pub fn now(&self) -> Instant {
        self.instant(SystemInstant::now())
    }

    /// An instant of the system as an instant of this clock; one from before its anchor is that of the anchor.
    ///
    /// ```
    /// use core::time::Duration;
    /// use segue::{Clock, Instant};
    /// let anchor = std::time::Instant::now();
    /// let clock = Clock::anchored(anchor, Instant::ZERO);
    /// assert_eq!(clock.instant(anchor + Duration::from_millis(5)), Instant::from_millis(5));
    /// ```
    pub fn instant(&self, at: SystemInstant) -> Instant {
        self.begins + at.saturating_duration_since(self.anchor)
    }

    /// The other way round: when to wake up for a deadline. One that the system cannot express is a century away.
    ///
    /// ```
    /// use core::time::Duration;
    /// use segue::{Clock, Instant};
    /// let anchor = std::time::Instant::now();
    /// let clock = Clock::anchored(anchor, Instant::ZERO);
    /// let deadline = clock.system(Instant::from_secs(1)); // for the event loop to wait until
    /// assert_eq!(deadline, anchor + Duration::from_secs(1));
    /// ```
    pub fn system(&self, at: Instant) -> SystemInstant {
        let since = at.saturating_since(self.begins);
        let century = core::time::Duration::from_secs(100 * 365 * 24 * 3600);
        self.anchor.checked_add(since).or_else(|| self.anchor.checked_add(century)).unwrap_or(self.anchor)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

/// As the sockets of the system say it; the reason is the inner error.
impl From<CloseReason> for io::Error {
    fn from(reason: CloseReason) -> Self {
        let kind = match reason {
            CloseReason::Finished => ErrorKind::NotConnected,
            CloseReason::Cancelled | CloseReason::Aborted | CloseReason::Unread => ErrorKind::ConnectionAborted,
            CloseReason::Refused
            | CloseReason::Unreachable(IcmpKind::PortUnreachable | IcmpKind::ProtocolUnreachable) => {
                ErrorKind::ConnectionRefused
            }
            CloseReason::Reset => ErrorKind::ConnectionReset,
            CloseReason::ConnectTimeout
            | CloseReason::UserTimeout
            | CloseReason::KeepAliveTimeout
            | CloseReason::FinWait2Timeout => ErrorKind::TimedOut,
            CloseReason::Unreachable(
                IcmpKind::Unreachable
                | IcmpKind::TimeExceeded
                | IcmpKind::ParameterProblem
                | IcmpKind::PacketTooBig
                | IcmpKind::SourceQuench,
            ) => ErrorKind::HostUnreachable,
            CloseReason::NotSyn => ErrorKind::InvalidData,
        };
        Self::new(kind, reason)
    }
}

/// As the sockets of the system say it; the error is the inner error.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::NotConnected | Error::RemoteUnspecified => ErrorKind::NotConnected,
            Error::Closing => ErrorKind::BrokenPipe,
            Error::NoRoom { .. } => ErrorKind::WouldBlock,
            Error::NotWaiting | Error::InvalidSetting => ErrorKind::InvalidInput,
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    #[test]
    fn instants_of_the_system_go_there_and_back() {
        let clock = Clock::new();
        assert_eq!(clock.instant(clock.anchor), Instant::ZERO);
        assert_eq!(clock.instant(clock.anchor + Duration::from_micros(7)), Instant::from_micros(7));
        let before = clock.anchor.checked_sub(Duration::from_micros(1));
        assert!(before.is_none_or(|before| clock.instant(before) == Instant::ZERO));
        assert!(clock.system(Instant::from_micros(u64::MAX)) > clock.anchor);
        let later = Clock::anchored(clock.anchor, Instant::from_micros(90));
        assert_eq!(later.instant(clock.anchor + Duration::from_micros(7)), Instant::from_micros(97));
        assert_eq!(later.system(Instant::from_micros(97)), clock.anchor + Duration::from_micros(7));
        assert_eq!(later.system(Instant::from_micros(3)), clock.anchor);
    }

    #[test]
    fn reasons_are_the_usual_errors() {
        let error = io::Error::from(CloseReason::Reset);
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<CloseReason>());
        assert_eq!(inner, Some(&CloseReason::Reset));
        let unreachable = |kind| io::Error::from(CloseReason::Unreachable(kind)).kind();
        assert_eq!(unreachable(IcmpKind::PortUnreachable), ErrorKind::ConnectionRefused);
        assert_eq!(unreachable(IcmpKind::TimeExceeded), ErrorKind::HostUnreachable);
        assert_eq!(io::Error::from(Error::NoRoom { room: 0 }).kind(), ErrorKind::WouldBlock);
    }
}
