//! The generator draws every setting of `Config`, over its whole range.

use std::time::Duration;

use segue::Config;
use segue_kit::Rng;
pub(crate) use segue_kit::settings::{Mixture, NAMES, bound, config, show, show_one};

/// A new setting must be drawn too.
#[test]
fn every_setting_is_drawn() {
    let named: Vec<&str> = Config::fields().iter().map(|field| field.name).collect();
    let missing: Vec<_> = named.iter().filter(|name| !NAMES.contains(name)).collect();
    assert!(missing.is_empty(), "not drawn by the generator, add them to `settings!`: {missing:?}");
    let gone: Vec<_> = NAMES.iter().filter(|name| !named.contains(name)).collect();
    assert!(gone.is_empty(), "no settings any more: {gone:?}");
}

/// Both ends of every range are drawn, and for numbers every magnitude between them.
#[test]
fn every_setting_is_drawn_over_its_whole_range() {
    let mut rng = Rng::new(1);
    let all = Mixture(NAMES.to_vec());
    let drawn: Vec<Config> = (0..4000).map(|_| config(&mut rng, &all, &[])).collect();
    for field in Config::fields() {
        let values: std::collections::BTreeSet<String> = drawn.iter().map(|c| show_one(c, field.name)).collect();
        let (low, high) = field.range.split_once("..=").expect("a range");
        if ["false", "EcnMode::Off"].contains(&low) {
            assert!(values.len() > 1, "{}: only {values:?}", field.name);
            continue;
        }
        let least = values.len().min(20) as u64;
        let magnitudes = u64::from((bound(high) / bound(low).max(1)).max(1).ilog2());
        assert!(least >= magnitudes.min(20) / 2 + 2, "{}: only {values:?}", field.name);
        for end in [low, high] {
            let time = end.starts_with("ms(") || end.starts_with("secs(");
            let shown = if time { format!("{:?}", Duration::from_micros(bound(end))) } else { bound(end).to_string() };
            let shown = [shown.clone(), format!("Some({shown})")];
            assert!(shown.iter().any(|text| values.contains(text)), "{}: {end} is never drawn", field.name);
        }
    }
}
