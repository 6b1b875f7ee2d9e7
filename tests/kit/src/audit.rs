//! The contract of a call, as far as its actions show it: their order, what a host that obeys only `SetTimer` needs, and what any
//! segment must be.

use segue::{Action, Connection, Flags, Instant, Segment, Timer};

/// The segments among the actions.
pub fn segments(actions: &[Action]) -> Vec<&Segment> {
    actions.iter().filter_map(|a| if let Action::Transmit(segment) = a { Some(segment) } else { None }).collect()
}

/// Neither text nor FIN: a SYN,ACK is control, a retransmitted FIN is not.
pub fn is_control(segment: &Segment) -> bool {
    segment.payload.is_empty() && !segment.flags.contains(Flags::FIN)
}

/// The order within one call. `Discarded`, `Report` and what announces another incarnation come where they fall, and so does
/// the answer to a discarded segment, next to its `Discarded`. In a batch the first four come segment by segment.
pub fn order(actions: &[Action], in_batch: bool) {
    let mut last = 0;
    for (i, action) in actions.iter().enumerate() {
        let rank = match action {
            Action::Connected => 1,
            Action::Urgent { .. } => 2,
            Action::Deliver(_) => 3,
            Action::PeerClosed => 4,
            Action::Acked(_) => 5,
            Action::Writable => 6,
            Action::Flushed => 7,
            Action::Transmit(_) if is_answer(actions, i) => 0,
            Action::Transmit(answer) if in_batch && is_control(answer) => 0,
            Action::Transmit(_) => 8,
            Action::MorePending => 9,
            Action::SetTimer(..) => 10,
            Action::Closed(_) => 11,
            _ => 0,
        };
        let rank = if in_batch && (1..=4).contains(&rank) { 1 } else { rank };
        assert!(last < 11, "Closed is not last: {actions:#?}");
        assert!(rank == 0 || rank >= last, "{action:?} is out of order: {actions:#?}");
        last = last.max(rank);
    }
}

/// Whether the action before or after this one is `Discarded`.
fn is_answer(actions: &[Action], i: usize) -> bool {
    let discarded =
        |i: Option<usize>| i.and_then(|i| actions.get(i)).is_some_and(|a| matches!(a, Action::Discarded(_)));
    discarded(i.checked_sub(1)) || discarded(i.checked_add(1))
}

/// RFC 7323 §3.2: without ACK there is no echo, but on a reset that answers a segment, whose own clock is 0 (§5.2).
pub fn echo(segment: &Segment) {
    if let Some(ts) = segment.options.timestamps().filter(|_| !segment.flags.contains(Flags::ACK)) {
        let answers = segment.flags.contains(Flags::RST) && ts.value == 0;
        assert!(ts.echo == 0 || answers, "an echo without ACK: {segment}");
    }
}

/// A host that knows of timers only what it was told.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Announced {
    wake: Option<(Timer, Instant)>,
}

impl Announced {
    /// The wake-up that `SetTimer` asked for.
    pub const fn wake(&self) -> Option<(Timer, Instant)> {
        self.wake
    }

    /// The host is about to call, whether its wake-up came or not: from now on it has none.
    pub fn fire(&mut self) {
        self.wake = None;
    }

    /// The actions of a call.
    pub fn note(&mut self, actions: &[Action]) {
        for action in actions {
            match *action {
                Action::SetTimer(timer, at) => {
                    let earlier = self.wake.replace((timer, at));
                    assert!(
                        earlier.is_none_or(|(_, earlier)| at < earlier),
                        "{timer:?} is announced for {at}, the host was to call for {earlier:?}"
                    );
                }
                Action::Closed(_) => self.wake = None,
                _ => {}
            }
        }
    }

    /// No deadline is missed by a host that does as it was told.
    pub fn check(&self, connection: &Connection) {
        let deadlines = Timer::ALL.map(|timer| (timer, connection.deadline(timer)));
        // min_by_key takes the first of equals: the order of Timer::ALL.
        let earliest = deadlines.into_iter().filter_map(|(timer, at)| Some((timer, at?))).min_by_key(|(_, at)| *at);
        assert_eq!(connection.next_deadline(), earliest, "next_deadline is not the earliest");
        if let Some((timer, deadline)) = earliest {
            assert!(
                self.wake.is_some_and(|(_, at)| at <= deadline),
                "{timer:?} is due at {deadline}, the host calls for {:?}",
                self.wake
            );
        }
    }
}
