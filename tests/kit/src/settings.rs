//! Draws configurations: every setting over its whole range, as `Config::fields` states it.

use core::time::Duration;

use segue::{Config, ConfigBuilder, EcnMode};

/// Where the choices come from: a generator of numbers, or an input of a fuzzer.
pub trait Source {
    /// A number below `n`, which is not 0.
    fn below(&mut self, n: u32) -> u32;

    /// Any number.
    fn any(&mut self) -> u64;

    /// True in `per_mille` of a thousand cases.
    fn chance(&mut self, per_mille: u32) -> bool {
        self.below(1000) < per_mille
    }

    /// One of these.
    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(u32::try_from(choices.len()).expect("a short list")) as usize]
    }
}

/// Numbers that mean something to the other settings, to the path or to the other end: a setting is often one of them, or
/// nearly.
pub type Edges = Vec<u64>;

/// A type that a setting can have.
trait Draw: Sized {
    fn draw(rng: &mut impl Source, range: &str, edges: &[u64]) -> Self;
}

/// One end of a range as the documentation writes it: `1_000`, `ms(5)`, `secs(60)`; times in microseconds.
pub fn bound(text: &str) -> u64 {
    let number = |text: &str| text.replace('_', "").parse().unwrap_or_else(|_| panic!("the bound {text:?}"));
    let inner = |text: &str| number(text.split_once('(').expect("a call").1.trim_end_matches(')'));
    if text.starts_with("ms(") {
        inner(text) * 1000
    } else if text.starts_with("secs(") {
        inner(text) * 1_000_000
    } else {
        number(text)
    }
}

fn bounds(range: &str) -> (u64, u64) {
    let (low, high) = range.split_once("..=").unwrap_or_else(|| panic!("the range {range:?}"));
    (bound(low.trim()), bound(high.trim()))
}

/// Of any magnitude within the range, each as likely; or one of its ends; or an edge, or next to one.
pub fn magnitude(rng: &mut impl Source, (low, high): (u64, u64), edges: &[u64]) -> u64 {
    match rng.below(10) {
        0 => low,
        1 => high,
        2 => (low + 1).min(high),
        3 | 4 if !edges.is_empty() => {
            let edge = rng.pick(edges);
            let near = rng.pick(&[0, 0, 0, 1, 2, 3, 10]);
            if rng.chance(500) { edge.saturating_add(near) } else { edge.saturating_sub(near) }.clamp(low, high)
        }
        _ => {
            let bits = |n: u64| 64 - n.leading_zeros();
            let (least, most) = (bits(low), bits(high));
            let chosen = least + rng.below(most - least + 1);
            let value = if chosen == 0 { 0 } else { (1 << (chosen - 1)) | (rng.any() & ((1 << (chosen - 1)) - 1)) };
            value.clamp(low, high)
        }
    }
}

macro_rules! whole {
    ($($t:ty),*) => {$(
        impl Draw for $t {
            fn draw(rng: &mut impl Source, range: &str, edges: &[u64]) -> Self {
                Self::try_from(magnitude(rng, bounds(range), edges)).expect("a range of the type")
            }
        }
        impl Draw for Option<$t> {
            fn draw(rng: &mut impl Source, range: &str, edges: &[u64]) -> Self {
                (!rng.chance(200)).then(|| <$t>::draw(rng, range, edges))
            }
        }
    )*};
}
whole!(u8, u16, u32);

impl Draw for bool {
    fn draw(rng: &mut impl Source, _: &str, _: &[u64]) -> Self {
        rng.chance(500)
    }
}

impl Draw for EcnMode {
    fn draw(rng: &mut impl Source, _: &str, _: &[u64]) -> Self {
        rng.pick(&[Self::Off, Self::Passive, Self::Active, Self::Accurate])
    }
}

impl Draw for Duration {
    fn draw(rng: &mut impl Source, range: &str, _: &[u64]) -> Self {
        let micros = magnitude(rng, bounds(range), &[]);
        // mostly whole milliseconds
        let (low, high) = bounds(range);
        let micros = if rng.chance(800) { (micros / 1000 * 1000).clamp(low, high) } else { micros };
        Self::from_micros(micros)
    }
}

impl Draw for Option<Duration> {
    fn draw(rng: &mut impl Source, range: &str, edges: &[u64]) -> Self {
        (!rng.chance(200)).then(|| Duration::draw(rng, range, edges))
    }
}

/// Every setting that is drawn, by its name alone: type and range come from the builder and from `Config::fields`.
macro_rules! settings {
    ($($name:ident)*) => {
        pub const NAMES: &[&str] = &[$(stringify!($name)),*];

        /// The builder after one setting was drawn; `None`: there is none of this name.
        fn draw_one(builder: ConfigBuilder, name: &str, rng: &mut impl Source, range: &str, edges: &[u64]) -> Option<ConfigBuilder> {
            match name {
                $(stringify!($name) => Some(builder.$name(Draw::draw(rng, range, edges))),)*
                _ => None,
            }
        }

        /// One setting copied from another configuration.
        pub fn copy_one(builder: ConfigBuilder, name: &str, from: &Config) -> ConfigBuilder {
            match name {
                $(stringify!($name) => builder.$name(from.$name()),)*
                _ => builder,
            }
        }

        /// A setting as text.
        pub fn show_one(config: &Config, name: &str) -> String {
            match name {
                $(stringify!($name) => format!("{:?}", config.$name()),)*
                _ => String::new(),
            }
        }
    };
}

settings! {
    receive_buffer receive_buffer_initial send_buffer send_low_water max_ranges frame_size copy_below max_mss max_sent_mss min_mss min_mtu
    too_big_timeouts black_hole_timeouts black_hole_mtu mtu_retry mtu_probing
    mtu_probe_max window_scaling window_shift timestamps
    tolerate_missing_timestamps sack dsack ecn
    rack max_ack_delay nagle minshall sws_override delayed_ack ack_every ack_full_sized quick_acks initial_rto min_rto
    max_rto r1 user_timeout user_timeout_option user_timeout_lower user_timeout_upper connect_timeout data_retries
    syn_retries keep_alive keep_alive_idle keep_alive_interval keep_alive_probes keep_alive_octet msl fin_wait_2 rfc5961
    challenge_limit challenge_window rfc1337 time_wait_reuse drop_syn_fin initial_window preserve_window pacing
    pacing_burst max_burst max_transmit option_space
}

/// Which settings differ from the default in a run, at either end: about half of them.
#[derive(Clone, Debug)]
pub struct Mixture(pub Vec<&'static str>);

impl Mixture {
    /// `per_mille` of the settings.
    pub fn draw(rng: &mut impl Source, per_mille: u32) -> Self {
        Self(NAMES.iter().copied().filter(|_| rng.chance(per_mille)).collect())
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains(&name)
    }

    pub fn without(mut self, names: &[&str]) -> Self {
        self.0.retain(|name| !names.contains(name));
        self
    }
}

/// A configuration of this mixture. A value that contradicts those drawn before is drawn again, and at last left at its
/// default; settings come in a random order, so none of two that contradict each other always has its way.
pub fn config(rng: &mut impl Source, mixture: &Mixture, edges: &[u64]) -> Config {
    let mut fields = Config::fields();
    for i in (1..fields.len()).rev() {
        fields.swap(i, rng.below(i as u32 + 1) as usize);
    }
    let mut config = Config::default();
    for field in fields.iter().filter(|field| mixture.has(field.name)) {
        for _ in 0..8 {
            let drawn = draw_one(config.to_builder(), field.name, rng, field.range, edges);
            let Some(builder) = drawn else { panic!("`{}` is not drawn: name it in `settings!`", field.name) };
            if let Ok(valid) = builder.build() {
                config = valid;
                break;
            }
        }
    }
    config
}

/// The defaults but for one setting, which takes a value of its range; one that contradicts the defaults stays.
pub fn draw_named(rng: &mut impl Source, name: &str, edges: &[u64]) -> Config {
    let fields = Config::fields();
    let field = fields.iter().find(|field| field.name == name).expect("a setting");
    let drawn = draw_one(Config::builder(), name, rng, field.range, edges).expect("a setting that is drawn");
    drawn.build().unwrap_or_default()
}

/// Settings that inputs do not draw: they came after the corpora, where a number stands for a setting. Knobs draw them.
const LATER: [&str; 2] = ["max_sent_mss", "option_space"];

/// As many settings as the first choice says, each named by a choice: for inputs that are read octet by octet.
pub fn some(source: &mut impl Source, edges: &[u64]) -> Config {
    let mut fields = Config::fields();
    fields.retain(|field| !LATER.contains(&field.name));
    let mut config = Config::default();
    for _ in 0..source.below(24) {
        let field = &fields[source.below(u32::try_from(fields.len()).expect("not so many")) as usize];
        let Some(builder) = draw_one(config.to_builder(), field.name, source, field.range, edges) else { continue };
        config = builder.build().unwrap_or(config);
    }
    config
}

/// The settings that differ from the default, as calls of the builder.
pub fn show(config: &Config) -> String {
    let default = Config::default();
    let differs = |name: &&&str| show_one(config, name) != show_one(&default, name);
    NAMES.iter().filter(differs).map(|name| format!(".{name}({})", show_one(config, name))).collect()
}
