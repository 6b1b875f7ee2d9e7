//! A controller that passes everything on to another and writes down what it was told.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use segue::congestion::{Acked, Congestion, Delivery, Lost, Signal};
use segue::{Controller, Instant, SeqNum};

/// What a controller was told, or did, that an episode must account for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    /// `on_congestion`, with the window before and after.
    Congestion { signal: Signal, now: Instant, before: u32, after: u32 },
    /// `on_spurious`.
    Spurious,
    /// The window fell, and it was told nothing that allows it.
    Fell { before: u32, after: u32, now: Instant },
}

/// The notes of one controller. They are no part of its state, and a clone of it has its own: debug builds repeat events on
/// clones.
#[derive(Default, Debug)]
pub struct Notes(Arc<Mutex<Vec<Told>>>);

impl Clone for Notes {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Notes {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Notes {}

impl Hash for Notes {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl Notes {
    fn push(&self, told: Told) {
        self.0.lock().expect("no thread panics with the notes in hand").push(told);
    }

    /// What was noted since the last call.
    pub fn take(&self) -> Vec<Told> {
        std::mem::take(&mut self.0.lock().expect("no thread panics with the notes in hand"))
    }
}

/// A controller under watch. It must pass on every method of the trait, those with a default too.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Watch<C> {
    inner: C,
    notes: Notes,
}

impl<C: Controller> Watch<C> {
    pub fn new(inner: C) -> (Self, Notes) {
        let notes = Notes::default();
        (Self { inner, notes: Notes(notes.0.clone()) }, notes)
    }

    pub fn inner(&self) -> &C {
        &self.inner
    }

    /// News that may let the window grow, never shrink.
    fn good_news(&mut self, now: Instant, tell: impl FnOnce(&mut C)) {
        let before = self.inner.window();
        tell(&mut self.inner);
        let after = self.inner.window();
        if after < before {
            self.notes.push(Told::Fell { before, after, now });
        }
    }
}

impl<C: Controller> Controller for Watch<C> {
    fn works_by_rates(&self) -> bool {
        self.inner.works_by_rates()
    }
    fn requires_pacing(&self) -> bool {
        self.inner.requires_pacing()
    }
    fn seed(&mut self, seed: u64) {
        self.inner.seed(seed);
    }
    fn is_scalable(&self) -> bool {
        self.inner.is_scalable()
    }
    fn start(&mut self, mss: u32, initial: u32, now: Instant) {
        self.inner.start(mss, initial, now);
    }
    fn on_ack(&mut self, acked: &Acked) {
        self.good_news(acked.now, |inner| inner.on_ack(acked));
    }
    fn on_congestion(&mut self, congestion: &Congestion) {
        let before = self.inner.window();
        self.inner.on_congestion(congestion);
        let (signal, now, after) = (congestion.signal, congestion.now, self.inner.window());
        self.notes.push(Told::Congestion { signal, now, before, after });
    }
    fn window(&self) -> u32 {
        self.inner.window()
    }
    fn ssthresh(&self) -> u32 {
        self.inner.ssthresh()
    }
    fn set_mss(&mut self, mss: u32) {
        self.inner.set_mss(mss);
    }
    fn on_idle(&mut self, initial: u32, now: Instant) {
        self.inner.on_idle(initial, now);
    }
    fn on_unused(&mut self, initial: u32, now: Instant) {
        self.inner.on_unused(initial, now);
    }
    fn limit(&mut self, window: u32, now: Instant) {
        self.inner.limit(window, now);
    }
    fn set_pacing(&mut self, paced: bool) {
        self.inner.set_pacing(paced);
    }
    fn set_rtt(&mut self, srtt: Duration, min_rtt: Duration) {
        self.inner.set_rtt(srtt, min_rtt);
    }
    fn rebase(&mut self, now: Instant) {
        self.inner.rebase(now);
    }
    fn on_sent(&mut self, octets: u32, flight: u32, now: Instant) {
        self.good_news(now, |inner| inner.on_sent(octets, flight, now));
    }
    fn on_recovered(&mut self, flight: u32, now: Instant) {
        self.inner.on_recovered(flight, now);
    }
    fn on_spurious(&mut self, now: Instant) {
        self.inner.on_spurious(now);
        self.notes.push(Told::Spurious);
    }
    fn on_settled(&mut self) {
        self.inner.on_settled();
    }
    fn on_lost(&mut self, lost: &Lost) {
        self.inner.on_lost(lost);
    }
    fn on_delivery(&mut self, delivery: &Delivery) {
        self.inner.on_delivery(delivery); // a model of the path may lower the window
    }
    fn on_restart(&mut self, now: Instant) {
        self.inner.on_restart(now);
    }
    fn marks_application_limited(&self) -> bool {
        self.inner.marks_application_limited()
    }
    fn reduces_proportionally(&self) -> bool {
        self.inner.reduces_proportionally()
    }
    fn pacing_rate(&self) -> Option<u64> {
        self.inner.pacing_rate()
    }
    fn send_quantum(&self) -> Option<u32> {
        self.inner.send_quantum()
    }
}

/// At most one reduction per loss episode: an episode lasts from a reduction until all that was sent before it is
/// acknowledged (RFC 6582 §3.2, RFC 9438 §4.6, RFC 3168 §6.1.2), or until it turns out to have been a mistake.
#[derive(Clone, Default, Debug)]
pub struct Episodes {
    /// The controller works by rates: its window may fall at any time.
    by_rates: bool,
    /// The number after the last octet that was sent before the reduction.
    open: Option<SeqNum>,
    pub reductions: u64,
    pub spurious: u64,
    pub violations: Vec<String>,
}

impl Episodes {
    /// Those of this controller. Here alone it counts whether it works by rates.
    pub fn of<C: Controller>(controller: &C) -> Self {
        Self { by_rates: controller.works_by_rates(), ..Self::default() }
    }

    /// `una` is SND.UNA after the event that told, `high` SND.NXT before it.
    pub fn told(&mut self, told: &[Told], una: SeqNum, high: SeqNum) {
        for told in told {
            match *told {
                Told::Spurious => {
                    self.spurious += 1;
                    self.open = None;
                }
                Told::Fell { .. } if self.by_rates => {}
                Told::Fell { before, after, now } => {
                    self.violations.push(format!("{now}: the window fell from {before} to {after} without a signal"));
                }
                Told::Congestion { signal, now, before, after } => {
                    let last = self.open.filter(|last| una.before(*last));
                    match (signal, last) {
                        // A timeout is a signal of its own (RFC 5681 §3.1): it may end a recovery that failed.
                        (Signal::Timeout | Signal::TimeoutAgain, _) | (_, None) => {
                            self.reductions += 1;
                        }
                        (_, Some(last)) => self.violations.push(format!(
                            "{now}: {signal:?} reduces the window from {before} to {after}, but the last reduction's \
                             episode lasts until {last}, and only {una} is acknowledged"
                        )),
                    }
                    self.open = Some(high);
                }
            }
        }
    }
}
