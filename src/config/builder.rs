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

/// `name: type = default, in low..=high, "clause";` with the documentation above it; `needs "feature"` follows the
/// clause of a setting that reads as off where the feature is left out.
macro_rules! config {
    ($(#[doc = $doc:literal] $name:ident: $ty:ty = $default:expr, in $range:expr, $clause:literal
        $(, needs $feature:literal)?;)*) => {
        /// The policy of a connection. Share one between connections; the machine only reads it.
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
                },)*]
            }
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
