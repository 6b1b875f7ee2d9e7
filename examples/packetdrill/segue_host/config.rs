//! `sysctl` lines and socket options as segue's `Config`.

use std::time::Duration;

use segue::{Algorithm, Arc, Config};
use serde_json::{Map, Value, json};

use super::controller;
use crate::call::Errno;
use crate::stack::SocketOption;

/// A configuration as its settings by name, and the controller.
#[derive(Clone, PartialEq, Debug)]
pub struct Settings {
    fields: Map<String, Value>,
    reno: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let fields = serde_json::to_value(Config::default()).expect("a configuration has a form as data");
        let Value::Object(fields) = fields else { unreachable!("a configuration has named settings") };
        Self { fields, reno: false }
    }
}

/// How a number of a sysctl becomes a setting.
#[derive(Clone, Copy)]
enum Unit {
    /// As it is.
    Count,
    /// 0: off.
    Switch,
    /// Seconds, milliseconds, microseconds.
    S,
    Ms,
    Us,
}

/// Linux's variables that are a setting of `Config`.
const SYSCTLS: [(&str, &str, Unit); 24] = [
    ("net.ipv4.tcp_sack", "sack", Unit::Switch),
    ("net.ipv4.tcp_dsack", "dsack", Unit::Switch),
    ("net.ipv4.tcp_timestamps", "timestamps", Unit::Switch),
    ("net.ipv4.tcp_window_scaling", "window_scaling", Unit::Switch),
    ("net.ipv4.tcp_recovery", "rack", Unit::Switch),
    ("net.ipv4.tcp_rfc1337", "rfc1337", Unit::Switch),
    ("net.ipv4.tcp_mtu_probing", "mtu_probing", Unit::Switch),
    ("net.ipv4.tcp_base_mss", "black_hole_mtu", Unit::Count),
    ("net.ipv4.tcp_min_snd_mss", "min_mss", Unit::Count),
    ("net.ipv4.route.min_pmtu", "min_mtu", Unit::Count),
    ("net.ipv4.tcp_syn_retries", "syn_retries", Unit::Count),
    ("net.ipv4.tcp_synack_retries", "syn_retries", Unit::Count),
    ("net.ipv4.tcp_retries1", "r1", Unit::Count),
    ("net.ipv4.tcp_retries2", "data_retries", Unit::Count),
    ("net.ipv4.tcp_keepalive_time", "keep_alive_idle", Unit::S),
    ("net.ipv4.tcp_keepalive_intvl", "keep_alive_interval", Unit::S),
    ("net.ipv4.tcp_keepalive_probes", "keep_alive_probes", Unit::Count),
    ("net.ipv4.tcp_fin_timeout", "fin_wait_2", Unit::S),
    ("net.ipv4.tcp_rto_min_us", "min_rto", Unit::Us),
    ("net.ipv4.tcp_rto_max_ms", "max_rto", Unit::Ms),
    ("net.ipv4.tcp_tw_reuse", "time_wait_reuse", Unit::Switch),
    ("net.ipv4.tcp_notsent_lowat", "send_low_water", Unit::Count),
    ("net.ipv4.tcp_comp_sack_delay_ns", "", Unit::Count),
    ("net.ipv4.tcp_no_metrics_save", "", Unit::Count),
];

/// Variables with a rule of their own, and those of Linux that have nothing to set here.
const OTHERS: [&str; 4] =
    ["net.ipv4.tcp_ecn", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem", "net.ipv4.tcp_congestion_control"];

/// A span of time as `serde` writes it.
fn span(time: Duration) -> Value {
    serde_json::to_value(time).expect("a span of time has a form as data")
}

impl Settings {
    pub(super) fn config(&self) -> Arc<Config> {
        let config = serde_json::from_value(Value::Object(self.fields.clone()));
        Arc::new(config.expect("`put` tried it"))
    }

    pub(super) fn controller(&self) -> Algorithm {
        controller(self.reno)
    }

    /// Puts settings in that must go together, or none of them.
    fn put(&mut self, fields: &[(&str, Value)]) -> Result<(), String> {
        let mut next = self.fields.clone();
        fields.iter().for_each(|(name, value)| drop(next.insert((*name).to_string(), value.clone())));
        let config = serde_json::from_value::<Config>(Value::Object(next.clone()));
        config.map_err(|error| format!("segue refuses this value: {error}"))?;
        self.fields = next;
        Ok(())
    }

    /// A variable of Linux, or `segue.` and a setting of docs/configuration.md.
    pub(super) fn sysctl(&mut self, name: &str, value: &str) -> Result<(), String> {
        if let Some(setting) = name.strip_prefix("segue.") {
            return self.own(setting, value);
        }
        if let Some((_, setting, unit)) = SYSCTLS.iter().find(|(own, ..)| *own == name) {
            let number: u64 = value.parse().map_err(|_| format!("{name} is a number, not {value:?}"))?;
            return match (setting, unit) {
                (&"", _) => Ok(()), // nothing like it is here
                (_, Unit::Count) => self.put(&[(setting, json!(number))]),
                (_, Unit::Switch) => self.put(&[(setting, json!(number != 0))]),
                (_, Unit::S) => self.put(&[(setting, span(Duration::from_secs(number)))]),
                (_, Unit::Ms) => self.put(&[(setting, span(Duration::from_millis(number)))]),
                (_, Unit::Us) => self.put(&[(setting, span(Duration::from_micros(number)))]),
            };
        }
        match name {
            "net.ipv4.tcp_ecn" => match value {
                "0" => self.put(&[("ecn", json!("Off"))]),
                "1" => self.put(&[("ecn", json!("Active"))]),
                "2" | "5" => self.put(&[("ecn", json!("Passive"))]), // AccECN is accepted by either
                "3" => self.put(&[("ecn", json!("Accurate"))]),
                _ => Err(format!("{name} is 0, 1, 2, 3 or 5, not {value:?}")),
            },
            // Least, first and largest size.
            "net.ipv4.tcp_rmem" => {
                let [_, first, largest] = sizes(name, value)?;
                self.put(&[("receive_buffer", json!(largest)), ("receive_buffer_initial", json!(first.max(14_600)))])
            }
            "net.ipv4.tcp_wmem" => {
                let [_, _, largest] = sizes(name, value)?;
                self.put(&[("send_buffer", json!(largest))])
            }
            "net.ipv4.tcp_congestion_control" => match value {
                "reno" | "cubic" => {
                    self.reno = value == "reno";
                    Ok(())
                }
                _ => Err(format!("{name} is reno or cubic, not {value:?}")),
            },
            _ => {
                let known: Vec<&str> = SYSCTLS.iter().map(|(name, ..)| *name).chain(OTHERS).collect();
                Err(format!(
                    "segue does not know the variable {name}; known are {}, and segue.NAME with the settings of \
                     docs/configuration.md",
                    known.join(" ")
                ))
            }
        }
    }

    /// A setting by its own name. Times have a unit, as in `40ms`.
    fn own(&mut self, setting: &str, value: &str) -> Result<(), String> {
        let Some(default) = self.fields.get(setting) else {
            return Err(format!("segue has no setting {setting}: docs/configuration.md lists them"));
        };
        let time = || {
            let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic());
            let number: u64 = digits.parse().ok()?;
            match &value[digits.len()..] {
                "s" => Some(Duration::from_secs(number)),
                "ms" => Some(Duration::from_millis(number)),
                "us" => Some(Duration::from_micros(number)),
                _ => None,
            }
        };
        let json = match (default, value) {
            (_, "none") => Value::Null,
            (Value::Bool(_), "0" | "1") => json!(value == "1"),
            (Value::String(_), _) => json!(value),
            (Value::Number(_), _) => json!(value.parse::<u64>().map_err(|_| format!("{value:?} is no number"))?),
            _ => match (time(), value.parse::<u64>()) {
                (Some(time), _) => span(time),
                (None, Ok(number)) => json!(number),
                (None, Err(_)) => {
                    return Err(format!("{value:?} is no value for {setting}: write 40ms, 1s, 7 or none"));
                }
            },
        };
        self.put(&[(setting, json)])
    }

    /// With the options of a socket.
    pub(super) fn with(&self, options: &[SocketOption]) -> Result<Self, Errno> {
        let mut settings = self.clone();
        for option in options {
            settings.apply(*option).map_err(|_| Errno::EINVAL)?;
        }
        Ok(settings)
    }

    fn apply(&mut self, option: SocketOption) -> Result<(), String> {
        match option {
            SocketOption::NoDelay(off) => self.put(&[("nagle", json!(!off))]),
            SocketOption::Cork(_) => Ok(()), // a knob of the open connection
            SocketOption::KeepAlive(on) => self.put(&[("keep_alive", json!(on))]),
            SocketOption::KeepIdle(idle) => self.put(&[("keep_alive_idle", span(idle))]),
            SocketOption::KeepInterval(interval) => self.put(&[("keep_alive_interval", span(interval))]),
            SocketOption::KeepCount(count) => self.put(&[("keep_alive_probes", json!(count))]),
            SocketOption::UserTimeout(timeout) => self.put(&[("user_timeout", span(timeout))]),
            SocketOption::MaxSegment(mss) => self.put(&[("max_mss", json!(mss))]),
            SocketOption::SynCount(count) => self.put(&[("syn_retries", json!(count))]),
            // A size that a user names is not tuned.
            SocketOption::ReceiveBuffer(size) => {
                self.put(&[("receive_buffer", json!(size)), ("receive_buffer_initial", json!(size.max(14_600)))])
            }
            SocketOption::SendBuffer(size) => self.put(&[("send_buffer", json!(size))]),
            SocketOption::Linger2(limit) => self.put(&[("fin_wait_2", span(limit))]),
            SocketOption::Reno(reno) => {
                self.reno = reno;
                Ok(())
            }
        }
    }
}

fn sizes(name: &str, value: &str) -> Result<[u64; 3], String> {
    let sizes: Option<Vec<u64>> = value.split_whitespace().map(|size| size.parse().ok()).collect();
    let sizes = sizes.and_then(|sizes| <[u64; 3]>::try_from(sizes).ok());
    sizes.ok_or_else(|| format!("{name} is three sizes, least, first and largest, not {value:?}"))
}
