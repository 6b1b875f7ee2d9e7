//! How `Config` is written down: one table from which struct, builder, checks and documentation come.

use alloc::string::String;
use core::fmt;
use core::time::Duration;

/// A setting outside its range, or two that contradict each other.
///
/// ```
/// use segue::{Config, ConfigError};
/// let error = Config::builder().send_buffer(1000).send_low_water(Some(1001)).build().unwrap_err();
/// assert_eq!(error, ConfigError::Order { lower: "send_low_water", upper: "send_buffer" });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// The value is outside its range.
    OutOfRange {
        /// The setting.
        field: &'static str,
        /// Its range, as in the documentation.
        range: &'static str,
    },
    /// The first setting must not exceed the second.
    Order {
        /// The setting that is too large.
        lower: &'static str,
        /// The setting that limits it.
        upper: &'static str,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { field, range } => write!(f, "{field} is out of range: give {range}"),
            Self::Order { lower, upper } => write!(f, "{lower} must not exceed {upper}"),
        }
    }
}

impl core::error::Error for ConfigError {}

/// One setting, described: a row of the table in `docs/configuration.md`.
///
/// ```
/// use segue::Config;
/// let fields = Config::fields();
/// assert!(fields.iter().any(|field| field.name == "receive_buffer"));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its meaning.
    pub doc: &'static str,
    /// Its default value.
    pub default: String,
    /// The values it can take.
    pub range: &'static str,
    /// The clause it comes from.
    pub clause: &'static str,
    /// The [`Knob`](crate::Knob) that changes it while a connection lives, if there is one.
    pub knob: Option<&'static str>,
    /// Why it is fixed when the connection opens, if it is.
    pub fixed: Option<&'static str>,
}

/// A type a setting can have.
pub(super) trait Setting: Copy + fmt::Debug {
    /// The type of the ends of its range.
    type Bound: Copy;
    /// What a setting reads as whose feature is left out.
    const OFF: Self;
    fn lies_within(self, low: Self::Bound, high: Self::Bound) -> bool;
    #[cfg(feature = "arbitrary")]
    fn pick(u: &mut arbitrary::Unstructured<'_>, low: Self::Bound, high: Self::Bound) -> arbitrary::Result<Self>;
}

macro_rules! whole_number {
    ($($t:ty),*) => {$(
        impl Setting for $t {
            type Bound = Self;
            const OFF: Self = 0;
            fn lies_within(self, low: Self, high: Self) -> bool {
                (low..=high).contains(&self)
            }
            #[cfg(feature = "arbitrary")]
            fn pick(u: &mut arbitrary::Unstructured<'_>, low: Self, high: Self) -> arbitrary::Result<Self> {
                u.int_in_range(low..=high)
            }
        }
    )*};
}
whole_number!(u8, u16, u32);

impl Setting for bool {
    type Bound = Self;
    const OFF: Self = false;
    fn lies_within(self, _: Self, _: Self) -> bool {
        true
    }
    #[cfg(feature = "arbitrary")]
    fn pick(u: &mut arbitrary::Unstructured<'_>, _: Self, _: Self) -> arbitrary::Result<Self> {
        u.arbitrary()
    }
}

impl Setting for super::EcnMode {
    type Bound = Self;
    const OFF: Self = Self::Off;
    fn lies_within(self, low: Self, high: Self) -> bool {
        (low..=high).contains(&self)
    }
    #[cfg(feature = "arbitrary")]
    fn pick(u: &mut arbitrary::Unstructured<'_>, _: Self, _: Self) -> arbitrary::Result<Self> {
        u.arbitrary()
    }
}

impl Setting for Duration {
    type Bound = Self;
    const OFF: Self = Self::ZERO;
    fn lies_within(self, low: Self, high: Self) -> bool {
        (low..=high).contains(&self)
    }
    #[cfg(feature = "arbitrary")]
    fn pick(u: &mut arbitrary::Unstructured<'_>, low: Self, high: Self) -> arbitrary::Result<Self> {
        u.int_in_range(crate::time::micros(low)..=crate::time::micros(high)).map(Self::from_micros)
    }
}

impl Setting for Option<Duration> {
    type Bound = Duration;
    const OFF: Self = None;
    fn lies_within(self, low: Duration, high: Duration) -> bool {
        self.is_none_or(|d| d.lies_within(low, high))
    }
    #[cfg(feature = "arbitrary")]
    fn pick(u: &mut arbitrary::Unstructured<'_>, low: Duration, high: Duration) -> arbitrary::Result<Self> {
        Ok(if u.ratio(1, 4)? { None } else { Some(Duration::pick(u, low, high)?) })
    }
}

macro_rules! optional_number {
    ($($t:ty),*) => {$(
        impl Setting for Option<$t> {
            type Bound = $t;
            const OFF: Self = None;
            fn lies_within(self, low: $t, high: $t) -> bool {
                self.is_none_or(|n| n.lies_within(low, high))
            }
            #[cfg(feature = "arbitrary")]
            fn pick(u: &mut arbitrary::Unstructured<'_>, low: $t, high: $t) -> arbitrary::Result<Self> {
                Ok(if u.ratio(1, 4)? { None } else { Some(<$t>::pick(u, low, high)?) })
            }
        }
    )*};
}
optional_number!(u8, u32);

/// `name: type = default, in low..=high, "clause";` with the documentation above it. After the clause, `needs "feature"`
/// stands for a setting that reads as off where the feature is left out. Then `knob Name` stands for one that may change
/// while a connection lives, `own Name` where the connection keeps the present value elsewhere, and `fixed "why"` for
/// the others.
macro_rules! config {
    ($(#[doc = $doc:literal] $name:ident: $ty:ty = $default:expr, in $range:expr, $clause:literal
        $(, needs $feature:literal)? $(, knob $knob:ident)? $(, own $own:ident)? $(, fixed $fixed:literal)?;)*) => {
        /// The policy of a connection. Share one between connections; the machine only reads it. A connection whose
        /// [`Knob`] was turned has a copy of its own.
        ///
        /// ```
        /// use segue::Config;
        /// let config = Config::builder().receive_buffer(65_536).nagle(false).build()?;
        /// assert_eq!(config.receive_buffer(), 65_536);
        /// assert!(Config::builder().ack_every(9).build().is_err());
        /// # Ok::<(), segue::ConfigError>(())
        /// ```
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "serde", serde(try_from = "Unchecked"))]
        pub struct Config { $($name: $ty,)* }

        /// What was read, before the checks. A setting that is missing has its default.
        #[cfg(feature = "serde")]
        #[derive(serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        struct Unchecked { $($name: $ty,)* }

        #[cfg(feature = "serde")]
        impl Default for Unchecked {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        #[cfg(feature = "serde")]
        impl TryFrom<Unchecked> for Config {
            type Error = ConfigError;

            fn try_from(read: Unchecked) -> Result<Self, ConfigError> {
                ConfigBuilder { config: Self { $($name: read.$name,)* } }.build()
            }
        }

        /// Makes a [`Config`]; every setting not named keeps its default.
        ///
        /// ```
        /// use segue::Config;
        /// let config = Config::builder().receive_buffer(1 << 20).nagle(false).build()?;
        /// assert_eq!((config.receive_buffer(), config.nagle()), (1 << 20, false));
        /// # Ok::<(), segue::ConfigError>(())
        /// ```
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[must_use]
        pub struct ConfigBuilder { config: Config }

        impl Default for Config {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl Config {
            $(
                #[doc = $doc]
                #[doc = concat!("\n\nDefault `", stringify!($default), "`, range `", stringify!($range), "`; ", $clause, ".")]
                $(#[doc = concat!("\n\nReads as off without the feature `", $feature, "`.")])?
                pub const fn $name(&self) -> $ty {
                    $(if !cfg!(feature = $feature) {
                        return Setting::OFF;
                    })?
                    self.$name
                }
            )*

            /// Every setting with its default, range and clause.
            pub fn fields() -> alloc::vec::Vec<Field> {
                let default = Self::default();
                alloc::vec![$(Field {
                    name: stringify!($name),
                    doc: concat!($doc $(, " Reads as off without the feature `", $feature, "`.")?).trim_ascii(),
                    default: alloc::format!("{:?}", default.$name),
                    range: stringify!($range),
                    clause: $clause,
                    knob: [$(Some(stringify!($knob)),)? $(Some(stringify!($own)),)? None][0],
                    fixed: [$(Some($fixed),)? None][0],
                },)*]
            }

            /// The settings after this knob was turned.
            pub(crate) fn turned(&self, knob: Knob) -> Result<Self, ConfigError> {
                match knob {
                    Knob::Nagle(_)
                    | Knob::Cork(_)
                    | Knob::KeepAlive(_)
                    | Knob::KeepAliveIdle(_)
                    | Knob::UserTimeout(_)
                    | Knob::ReceiveBuffer(_) => Ok(*self), // the connection keeps these itself
                    $($(Knob::$knob(value) => self.to_builder().$name(value).build(),)?)*
                }
            }
        }

        /// A setting that can change while the connection lives, by [`Event::Set`](crate::Event::Set); its first value
        /// comes from [`Config`]. It counts from the event on. A timer that runs is due no later than the new setting
        /// says, and no later than it was to. A value outside the range of the setting is refused, and nothing changes:
        /// [`Connection::check_knob`](crate::Connection::check_knob) says why.
        ///
        /// ```
        /// use segue::{Arc, Config, Connection, Error, Event, Instant, Knob, Path, Secrets, SeqNum};
        /// # let (config, path) = (Arc::new(Config::default()), Path::ipv4(1500));
        /// # let secrets = Secrets { iss: SeqNum::new(7), ts_offset: 0 };
        /// # let (mut tcp, mut actions) = Connection::connect(config, path, secrets, Instant::ZERO);
        /// tcp.handle(Event::Set(Knob::Nagle(false)), Instant::ZERO, &mut actions)?;
        /// tcp.handle(Event::Set(Knob::MaxSentMss(536)), Instant::ZERO, &mut actions)?;
        /// let refused = tcp.handle(Event::Set(Knob::AckEvery(3)), Instant::ZERO, &mut actions);
        /// assert_eq!(refused, Err(Error::InvalidSetting));
        /// # Ok::<(), segue::Error>(())
        /// ```
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
        #[non_exhaustive]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub enum Knob {
            /// Nagle's algorithm (MUST-17).
            Nagle(bool),
            /// Cork: hold back data that does not fill a segment, up to the override timeout.
            Cork(bool),
            /// Keep-alives (MUST-24).
            KeepAlive(bool),
            /// The idle time before the first keep-alive (MUST-27). Less than 1 s counts as 1 s. A time beyond the last
            /// instant means never.
            KeepAliveIdle(Duration),
            /// The user timeout, R2 for data (MUST-21); it never ends before one retransmission has timed out. Less than
            /// 1 s counts as 1 s. `None`: no user timeout.
            UserTimeout(Option<Duration>),
            /// The receive buffer: how far the window may grow, or shrink. What the peer was promised is not taken back
            /// (RFC 9293 §3.8.6): a buffer that is to be smaller shrinks as the user takes what arrives. At least two
            /// units of the window field, at most 1,073,741,823 octets. Counts once the peer's SYN is here; before, it
            /// has no effect.
            ReceiveBuffer(u32),
            $($(
                #[doc = $doc]
                #[doc = concat!("\n\n[`Config::", stringify!($name), "`], range `", stringify!($range), "`; ", $clause, ".")]
                $knob($ty),
            )?)*
        }

        impl ConfigBuilder {
            $(
                #[doc = $doc]
                #[doc = concat!("\n\nDefault `", stringify!($default), "`, range `", stringify!($range), "`; ", $clause, ".")]
                pub const fn $name(mut self, value: $ty) -> Self {
                    self.config.$name = value;
                    self
                }
            )*

            /// Checks every setting.
            ///
            /// # Errors
            /// [`ConfigError`] names the first setting that is out of its range or contradicts another.
            pub fn build(self) -> Result<Config, ConfigError> {
                $({
                    let range = $range;
                    if !Setting::lies_within(self.config.$name, *range.start(), *range.end()) {
                        return Err(ConfigError::OutOfRange { field: stringify!($name), range: stringify!($range) });
                    }
                })*
                self.config.check_order()?;
                Ok(self.config)
            }
        }

        #[cfg(feature = "arbitrary")]
        impl<'a> arbitrary::Arbitrary<'a> for Config {
            /// Valid ones only; about one setting in four differs from its default.
            fn arbitrary(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
                let mut builder = Self::builder();
                $(if u.ratio(1, 4)? {
                    let range = $range;
                    builder = builder.$name(Setting::pick(u, *range.start(), *range.end())?);
                })*
                Ok(builder.into_ordered())
            }
        }
    };
}
pub(super) use config;
