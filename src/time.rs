//! Time as a value: microseconds since an epoch that the host chooses.

use core::fmt;
use core::ops::{Add, AddAssign, Sub};
use core::time::Duration;

/// A point in time, in microseconds since an arbitrary epoch of the host's choice.
///
/// All arithmetic saturates: a clock that jumps by years or stands at `u64::MAX` cannot overflow. The machine only
/// needs the clock to be the same one for all calls on a connection; a `now` earlier than the last is treated as the
/// last, and one later than 2^58 microseconds after the epoch, 9,000 years, as that.
///
/// ```
/// use core::time::Duration;
/// use segue::Instant;
/// let t = Instant::from_micros(1_000_000);
/// assert_eq!((t + Duration::from_millis(5)).as_micros(), 1_005_000);
/// assert_eq!(t.saturating_since(t + Duration::from_secs(1)), Duration::ZERO);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct Instant(u64);

impl Instant {
    /// The epoch.
    pub const ZERO: Self = Self(0);

    /// The instant this many microseconds after the epoch.
    ///
    /// ```
    /// use segue::Instant;
    /// assert_eq!(Instant::from_micros(2_000), Instant::from_millis(2));
    /// ```
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The instant this many milliseconds after the epoch (saturating).
    ///
    /// ```
    /// use segue::Instant;
    /// assert_eq!(Instant::from_millis(2).as_micros(), 2_000);
    /// ```
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1000))
    }

    /// The instant this many seconds after the epoch (saturating).
    ///
    /// ```
    /// use segue::Instant;
    /// assert_eq!(Instant::from_secs(2).as_micros(), 2_000_000);
    /// assert_eq!(Instant::from_secs(u64::MAX).as_micros(), u64::MAX);
    /// ```
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since the epoch.
    ///
    /// ```
    /// use segue::Instant;
    /// assert_eq!((Instant::ZERO + core::time::Duration::from_millis(5)).as_micros(), 5_000);
    /// ```
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The time since `earlier`; zero when `earlier` is later.
    ///
    /// ```
    /// use core::time::Duration;
    /// use segue::Instant;
    /// let (now, deadline) = (Instant::from_secs(1), Instant::from_secs(3));
    /// assert_eq!(deadline.saturating_since(now), Duration::from_secs(2)); // how long to sleep
    /// assert_eq!(now.saturating_since(deadline), Duration::ZERO);
    /// ```
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Instant {
    /// The span since `earlier`; zero when `earlier` is later.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) const fn since(self, earlier: Self) -> Micros {
        Micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, d: Duration) -> Self {
        Self(self.0.saturating_add(micros(d)))
    }
}

/// The time from the other instant to this one; zero when the other is later.
impl Sub for Instant {
    type Output = Duration;
    fn sub(self, earlier: Self) -> Duration {
        self.saturating_since(earlier)
    }
}

/// The instant that much earlier; not before the epoch.
impl Sub<Duration> for Instant {
    type Output = Self;
    fn sub(self, d: Duration) -> Self {
        Self(self.0.saturating_sub(micros(d)))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, d: Duration) {
        *self = *self + d;
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Seconds with six decimals, as tcpdump prints them.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// An instant or none, in the size of an instant, and aligned as 32 bits are.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(Rust, packed(4))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct MaybeInstant(u64);

impl MaybeInstant {
    /// No instant of the machine is so late.
    pub(crate) const NONE: Self = Self(u64::MAX);

    pub(crate) fn get(self) -> Option<Instant> {
        (self != Self::NONE).then_some(Instant(self.0))
    }

    pub(crate) fn is_none(self) -> bool {
        self == Self::NONE
    }

    pub(crate) fn take(&mut self) -> Option<Instant> {
        core::mem::replace(self, Self::NONE).get()
    }

    /// The instant, which is `now` where there was none.
    pub(crate) fn get_or_insert(&mut self, now: Instant) -> Instant {
        let at = self.get().unwrap_or(now);
        *self = at.into();
        at
    }
}

impl From<Instant> for MaybeInstant {
    fn from(at: Instant) -> Self {
        Self(at.0)
    }
}

impl From<Option<Instant>> for MaybeInstant {
    fn from(at: Option<Instant>) -> Self {
        at.map_or(Self::NONE, Self::from)
    }
}

impl fmt::Debug for MaybeInstant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

/// The latest instant the machine works with, 9,000 years after the epoch; later ones count as this. So deadlines
/// cannot overflow.
pub(crate) const END_OF_TIME: Instant = Instant::from_micros(1 << 58);

/// A duration in whole microseconds, saturating at `u64::MAX`. Not inline: 64-bit arithmetic is long on a small device,
/// and there are many uses.
#[inline(never)]
pub(crate) const fn micros(d: Duration) -> u64 {
    d.as_secs().saturating_mul(1_000_000).saturating_add(d.subsec_micros() as u64)
}

/// A span of time in microseconds. All arithmetic saturates. Inside the machine all spans are of this type; `Duration`,
/// of which each use would convert, stands at the border. In memory it is aligned as 32 bits are: options of it are shorter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(Rust, packed(4))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Micros(u64);

impl Micros {
    pub(crate) const ZERO: Self = Self(0);

    pub(crate) const fn new(micros: u64) -> Self {
        Self(micros)
    }

    pub(crate) const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1000))
    }

    pub(crate) const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    pub(crate) const fn get(self) -> u64 {
        self.0
    }

    pub(crate) const fn from_u32(micros: u32) -> Self {
        Self(micros as u64)
    }

    /// In 32 bits, which hold 71 minutes.
    pub(crate) fn saturated(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX)
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) const fn times(self, n: u32) -> Self {
        Self(self.0.saturating_mul(n as u64))
    }

    /// Doubled `times` times, at most `max`: exponential back-off (MUST-19).
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn backed_off(self, times: u32, max: Self) -> Self {
        let factor = 1u64.checked_shl(times.min(32)).unwrap_or(u64::MAX);
        Self(self.0.saturating_mul(factor).min(max.0))
    }
}

impl core::ops::Div<u64> for Micros {
    type Output = Self;
    fn div(self, n: u64) -> Self {
        Self(self.0 / n.max(1))
    }
}

impl From<Duration> for Micros {
    fn from(d: Duration) -> Self {
        Self(micros(d))
    }
}

impl From<Micros> for Duration {
    fn from(d: Micros) -> Self {
        Self::from_micros(d.0)
    }
}

impl Add for Micros {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Add<Micros> for Instant {
    type Output = Self;
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn add(self, d: Micros) -> Self {
        Self(self.0.saturating_add(d.0))
    }
}

impl AddAssign<Micros> for Instant {
    fn add_assign(&mut self, d: Micros) {
        *self = *self + d;
    }
}

impl fmt::Debug for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} us", self.get())
    }
}
