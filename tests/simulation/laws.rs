//! The checks that run inside of every simulation: each can fail.

use std::collections::BTreeSet;

use segue::congestion::{Acked, Congestion, Cubic, Signal};
use segue::{Controller, Instant, SeqNum};

use segue_sim::user::Text;
use segue_sim::watch::{Episodes, Told, Watch};

fn told(signal: Signal) -> Told {
    Told::Congestion { signal, now: Instant::ZERO, before: 20, after: 10 }
}

/// What the check says of these events: each with SND.UNA after it and SND.NXT before it.
fn episodes(events: &[(Told, u32, u32)]) -> Episodes {
    let mut episodes = Episodes::default();
    for &(told, una, high) in events {
        episodes.told(&[told], SeqNum::new(una), SeqNum::new(high));
    }
    episodes
}

#[test]
fn a_second_reduction_in_an_episode_is_found() {
    for signal in [Signal::Loss, Signal::Ecn] {
        for first in [Signal::Loss, Signal::Ecn, Signal::Timeout] {
            let found = episodes(&[(told(first), 100, 500), (told(signal), 499, 900)]);
            assert_eq!(found.violations.len(), 1, "{first:?}, then {signal:?}");
            let found = episodes(&[(told(first), 100, 500), (told(signal), 500, 900)]);
            assert_eq!((found.violations.len(), found.reductions), (0, 2), "all of the first is acknowledged");
        }
    }
}

#[test]
fn an_episode_ends_across_the_wrap_of_the_numbers() {
    let high = 50;
    let una = u32::MAX - 10;
    let found = episodes(&[(told(Signal::Loss), una, high), (told(Signal::Loss), 49, 90)]);
    assert_eq!(found.violations.len(), 1);
    let found = episodes(&[(told(Signal::Loss), una, high), (told(Signal::Loss), 50, 90)]);
    assert_eq!(found.violations.len(), 0);
}

#[test]
fn a_timeout_may_end_a_recovery_and_a_mistake_ends_its_episode() {
    let found = episodes(&[(told(Signal::Loss), 100, 500), (told(Signal::Timeout), 100, 600)]);
    assert!(found.violations.is_empty(), "{:?}", found.violations);
    let found = episodes(&[(told(Signal::Loss), 100, 500), (Told::Spurious, 200, 500), (told(Signal::Loss), 300, 700)]);
    assert_eq!((found.violations.len(), found.spurious, found.reductions), (0, 1, 2));
}

/// A window that follows rates may fall at any time. That it is told of congestion once in an episode holds for it, too.
#[test]
fn a_controller_by_rates_may_shrink_its_window() {
    let fell = Told::Fell { before: 100, after: 99, now: Instant::ZERO };
    let mut by_rates = Episodes::of(&Spy { calls: Vec::new(), window: 100 });
    let mut by_loss = Episodes::of(&Cubic::default());
    for (episodes, violations) in [(&mut by_rates, 0), (&mut by_loss, 1)] {
        episodes.told(&[fell, told(Signal::Loss)], SeqNum::new(100), SeqNum::new(500));
        assert_eq!((episodes.violations.len(), episodes.reductions), (violations, 1));
        episodes.told(&[told(Signal::Loss)], SeqNum::new(499), SeqNum::new(900));
        assert_eq!(episodes.violations.len(), violations + 1);
    }
}

/// A controller whose every answer differs from the defaults of the trait, and whose window falls at each news.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Spy {
    calls: Vec<&'static str>,
    window: u32,
}

impl Controller for Spy {
    fn start(&mut self, _: u32, _: u32, _: Instant) {
        self.calls.push("start");
    }
    fn on_ack(&mut self, _: &Acked) {}
    fn on_congestion(&mut self, _: &Congestion) {}
    fn window(&self) -> u32 {
        self.window
    }
    fn ssthresh(&self) -> u32 {
        77
    }
    fn set_mss(&mut self, _: u32) {
        self.calls.push("set_mss");
    }
    fn on_idle(&mut self, _: u32, _: Instant) {
        self.calls.push("on_idle");
    }
    fn on_sent(&mut self, _: u32, _: u32, _: Instant) {
        self.window -= 1;
        self.calls.push("on_sent");
    }
    fn on_recovered(&mut self, _: u32, _: Instant) {
        self.calls.push("on_recovered");
    }
    fn on_spurious(&mut self, _: Instant) {
        self.calls.push("on_spurious");
    }
    fn on_settled(&mut self) {
        self.calls.push("on_settled");
    }
    fn reduces_proportionally(&self) -> bool {
        false
    }
    fn pacing_rate(&self) -> Option<u64> {
        Some(5)
    }
}

#[test]
fn the_watch_passes_on_what_it_hears_and_what_it_is_asked() {
    let (mut watch, notes) = Watch::new(Spy { calls: Vec::new(), window: 100 });
    watch.start(1, 2, Instant::ZERO);
    watch.set_mss(1);
    watch.on_idle(1, Instant::ZERO);
    watch.on_recovered(1, Instant::ZERO);
    watch.on_spurious(Instant::ZERO);
    assert_eq!(notes.take(), [Told::Spurious]);
    watch.on_settled();
    watch.on_sent(1, 2, Instant::ZERO);
    let fell = Told::Fell { before: 100, after: 99, now: Instant::ZERO };
    assert_eq!(notes.take(), [fell], "sending is no reason to shrink");
    assert_eq!(episodes(&[(fell, 1, 2)]).violations.len(), 1);
    assert_eq!((watch.window(), watch.ssthresh(), watch.pacing_rate()), (99, 77, Some(5)));
    assert!(!watch.reduces_proportionally());
    let calls = ["start", "set_mss", "on_idle", "on_recovered", "on_spurious", "on_settled", "on_sent"];
    assert_eq!(watch.inner().calls, calls);
}

/// The names of the functions in a block of source that starts with a line.
fn functions(file: &str, block: &str) -> BTreeSet<String> {
    let source = std::fs::read_to_string(crate::root().join(file)).expect("the source");
    let body = source.split_once(block).expect("the block").1.split_once("\n}\n").expect("its end").0;
    let name = |line: &str| Some(line.strip_prefix("    fn ")?.split(['(', '<']).next()?.to_string());
    body.lines().filter_map(name).collect()
}

/// A method with a default that the watch forgets would change what it watches.
#[test]
fn the_watch_knows_every_method_of_the_trait() {
    let wanted = functions("src/send/congestion/mod.rs", "pub trait Controller:");
    assert!(wanted.len() >= 12 && wanted.contains("on_delivery"), "{wanted:?}");
    assert_eq!(functions("examples/sim/watch.rs", "Controller for Watch<C> {"), wanted);
}

#[test]
fn text_in_the_wrong_place_is_noticed() {
    let text = Text::new();
    let piece = text.at(1_000_000, 1448);
    assert!(text.is_at(1_000_000, &piece));
    for shift in [1, 8, 1448, 4096, 65_536] {
        assert!(!text.is_at(1_000_000 + shift, &piece), "shifted by {shift}");
    }
    let whole = [&text.at(65_000, 521)[..], &text.at(65_521, 100)].concat();
    assert!(text.is_at(65_000, &whole), "across the end of the period");
    let holed = [&whole[..300], &whole[301..]].concat();
    assert!(!text.is_at(65_000, &holed), "an octet is missing");
}
