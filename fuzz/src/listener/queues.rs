//! The queues of a listener against lists.

use core::time::Duration;

use segue::Instant;
use segue::host::{Admit, Backlog, Full, Listener, Ticket};

use super::super::behaviour;
use super::super::reader::Reader;
use super::MAX_STEPS;

/// Cookies are redeemed so long after the last one left.
const COOKIES_LAST: Duration = Duration::from_secs(128);

/// What a listener should hold: connections in the order in which they came.
struct Model {
    backlog: Backlog,
    half_open: Vec<(Ticket, u16)>,
    ready: Vec<(Ticket, u16)>,
    /// Tickets that the listener has given out and that are void.
    void: Vec<Ticket>,
    cookies: Option<Instant>,
}

impl Model {
    fn has_room(&self) -> bool {
        self.ready.len() < self.backlog.ready.max(1)
    }

    fn evict(&mut self) -> Option<u16> {
        if self.half_open.is_empty() {
            return None;
        }
        let (ticket, key) = self.half_open.remove(0);
        self.void.push(ticket);
        Some(key)
    }

    fn on_syn(&mut self, now: Instant) -> Admit<u16> {
        let full = self.backlog.full;
        match (self.has_room(), full) {
            (false, Full::Reset) => Admit::Reset,
            (false, _) => Admit::Drop,
            (true, _) if self.half_open.len() < self.backlog.half_open => Admit::Open,
            (true, Full::Cookies) => {
                self.cookies = self.cookies.max(Some(now));
                Admit::Cookie
            }
            (true, Full::EvictOldest) => self.evict().map_or(Admit::Drop, Admit::Evict),
            (true, Full::Reset) => Admit::Reset,
            (true, _) => Admit::Drop,
        }
    }

    fn on_cookie(&mut self) -> Admit<u16> {
        let places = self.backlog.half_open + self.backlog.ready.max(1);
        if self.half_open.len() + self.ready.len() < places {
            return Admit::Open;
        }
        self.evict().map_or(Admit::Reset, Admit::Evict)
    }

    /// Any ticket that was given out, if there is one.
    fn ticket(&self, n: u8) -> Option<Ticket> {
        let known = self.half_open.iter().chain(&self.ready).map(|(ticket, _)| *ticket);
        let all: Vec<Ticket> = known.chain(self.void.iter().copied()).collect();
        all.get(usize::from(n).checked_rem(all.len())?).copied()
    }
}

pub(super) fn play(form: u8, input: &mut Reader<'_>) {
    let full = [Full::Cookies, Full::EvictOldest, Full::Drop, Full::Reset][usize::from(form & 3)];
    let backlog = Backlog { half_open: usize::from(form >> 2 & 7), ready: usize::from(form >> 5), full };
    let mut listener = Listener::new(backlog);
    let mut model = Model { backlog, half_open: Vec::new(), ready: Vec::new(), void: Vec::new(), cookies: None };
    let (mut now, mut keys) = (Instant::ZERO, 0);
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        let (first, key) = (input.u8(), keys);
        keys += 1;
        match first & 7 {
            0 | 1 => syn(&mut listener, &mut model, key, now, first & 8 == 0),
            2 => cookie(&mut listener, &mut model, key, first & 8 == 0),
            3 => {
                let Some(ticket) = model.ticket(first >> 3) else { continue };
                let place = model.half_open.iter().position(|(known, _)| *known == ticket);
                let ready = listener.established(ticket);
                assert_eq!(ready.is_some(), place.is_some(), "{ticket:?} is half-open");
                if let (Some(place), Some(ready)) = (place, ready) {
                    let (old, key) = model.half_open.remove(place);
                    model.void.push(old);
                    model.ready.push((ready, key));
                }
            }
            4 => {
                let Some(ticket) = model.ticket(first >> 3) else { continue };
                listener.gone(ticket);
                let mut lists = [&mut model.half_open, &mut model.ready];
                lists.iter_mut().for_each(|list| list.retain(|(known, _)| *known != ticket));
            }
            5 => {
                let expected = (!model.ready.is_empty()).then(|| model.ready.remove(0).1);
                assert_eq!(listener.accept(), expected, "first come, first served");
            }
            6 => now += Duration::from_secs(u64::from(first >> 3) * 8),
            _ if first & 8 == 0 => assert_eq!(listener.evict(), model.evict(), "the oldest"),
            _ => {
                let all = model.half_open.drain(..).chain(model.ready.drain(..));
                let mut expected: Vec<u16> = all.map(|(_, key)| key).collect();
                let mut drained: Vec<u16> = listener.drain().collect();
                expected.sort_unstable();
                drained.sort_unstable();
                assert_eq!(drained, expected, "all of them");
            }
        }
        compare(&listener, &model, now);
    }
}

/// A SYN arrives; the host does as it is told, or forgets to.
fn syn(listener: &mut Listener<u16>, model: &mut Model, key: u16, now: Instant, obeys: bool) {
    let admit = listener.on_syn(now);
    assert_eq!(admit, model.on_syn(now), "a SYN");
    if obeys && matches!(admit, Admit::Open | Admit::Evict(_)) {
        model.half_open.push((listener.opened(key), key));
    }
}

fn cookie(listener: &mut Listener<u16>, model: &mut Model, key: u16, obeys: bool) {
    let admit = listener.on_cookie();
    assert_eq!(admit, model.on_cookie(), "a cookie");
    if obeys && matches!(admit, Admit::Open | Admit::Evict(_)) {
        model.ready.push((listener.ready(key), key));
    }
}

fn compare(listener: &Listener<u16>, model: &Model, now: Instant) {
    let lengths = (model.half_open.len(), model.ready.len());
    behaviour::note(|| (lengths, listener.has_room(), listener.expects_cookies(now)));
    assert_eq!((listener.len(), listener.is_empty()), (lengths, lengths == (0, 0)));
    assert_eq!(listener.has_room(), model.has_room());
    let expected = model.cookies.is_some_and(|last| now.saturating_since(last) <= COOKIES_LAST);
    assert_eq!(listener.expects_cookies(now), expected, "cookies {:?} at {now}", model.cookies);
}
