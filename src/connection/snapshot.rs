//! A connection as data, to be stored or to move to another host, and to go on there.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Connection;
use super::deadlines::Deadlines;
use super::phase::Phase;
use super::tcb::Settings;
use crate::counts::Counts;
use crate::{Arc, Config, Controller, Instant, Path};

/// The form that this crate writes and reads: it changes with what a connection consists of, and with what
/// `host::Detached` has around it.
const VERSION: u32 = 1;

/// The version comes first, so that a form that cannot be read is refused for its version.
struct Version;

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        VERSION.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match u32::deserialize(from)? {
            VERSION => Ok(Self),
            other => Err(D::Error::custom(format_args!(
                "the snapshot has version {other}, this crate reads version {VERSION}"
            ))),
        }
    }
}

#[derive(Serialize)]
#[serde(rename = "Connection")]
struct Written<'a, C> {
    version: Version,
    #[serde(serialize_with = "crate::config::shared::serialize")]
    config: &'a Arc<Config>,
    settings: &'a Settings,
    path: &'a Path,
    timers: &'a Deadlines,
    counters: &'a Counts,
    clock: &'a Instant,
    phase: &'a Phase<C>,
}

#[derive(Deserialize)]
#[serde(rename = "Connection", deny_unknown_fields)]
struct Read<C> {
    #[serde(rename = "version")]
    _version: Version,
    #[serde(deserialize_with = "crate::config::shared::deserialize")]
    config: Arc<Config>,
    settings: Settings,
    path: Path,
    timers: Deadlines,
    counters: Counts,
    clock: Instant,
    phase: Phase<C>,
}

impl<C: Controller + Serialize> Serialize for Connection<C> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self { config, settings, path, timers, counters, clock, phase } = self;
        Written { version: Version, config, settings, path, timers, counters, clock, phase }.serialize(to)
    }
}

impl<'de, C: Controller + Deserialize<'de>> Deserialize<'de> for Connection<C> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Read { _version: Version, config, settings, path, timers, counters, clock, mut phase } =
            Read::deserialize(from)?;
        if let Phase::Live(tcb) = &mut phase {
            tcb.prediction = tcb.predict(&config, &settings, &timers); // the writer's build may have other shortcuts
        }
        let reserved = config.reserved_options();
        let path = Path { ip_options: path.ip_options.saturating_sub(reserved), ..path }.reserving(reserved);
        let connection = Self { config, settings, path, timers, counters, clock, phase };
        match connection.counters.check_read().and_then(|()| connection.invariants()) {
            Ok(()) => Ok(connection),
            Err(broken) => Err(D::Error::custom(format_args!("no connection can be so: {broken}"))),
        }
    }
}
