//! A third party with one segment, against every state of an end that the search meets: without knowledge of the numbers,
//! and so lucky that it hits the window. The end's state stays the same, its user hears nothing, and one answer leaves at
//! the most. And a host that calls before any timer is due.

use bytes::Bytes;
use segue::{Action, Event, Flags, IcmpKind, Instant, Segment, SeqNum, State, Timer, Timestamps};

use crate::end::{End, clock};
use crate::laws::{Law, require};

/// Far from every number in use.
const FAR: u32 = 1 << 30;
const ANY_ACK: &str = "an ACK of any number";
const NEAR_RESET: &str = "a reset in the window";
const NEAR_SYN: &str = "a SYN in the window";
/// The one forgery that nobody answers (RFC 5961 §3.2).
const FAR_RESET: &str = "a reset of any number";

/// The timestamps of a segment: the freshest possible, where they are in use.
fn stamped(segment: Segment, end: &End, value: u32, now: Instant) -> Segment {
    let mut segment = segment;
    if end.first_stamp.is_some() {
        segment.options.update(|options| options.timestamps = Some(Timestamps { value, echo: clock(now) }));
    }
    segment
}

/// Forged segments that must change nothing, with the names of the attacks.
pub(crate) fn forgeries(end: &End, now: Instant) -> Vec<(&'static str, Segment)> {
    let mut list = Vec::new();
    let numbers = &end.numbers;
    let mut forge = |name, seq: SeqNum, ack: SeqNum, flags: Flags, octets: usize| {
        let payload = Bytes::from_static(&[b'!'; 4]).slice(..octets);
        let segment = Segment { seq, ack, flags, window: 9999, payload, ..Segment::default() };
        list.push((name, stamped(segment, end, clock(now), now)));
    };
    let (ack, far, far_ack) = (Flags::ACK, numbers.rcv_nxt + FAR, numbers.nxt + FAR);
    forge(FAR_RESET, far, far_ack, Flags::RST, 0);
    if numbers.state != State::Closed {
        forge(ANY_ACK, far, far_ack, ack, 0);
        forge("a FIN of any number", far, far_ack, ack | Flags::FIN, 0);
        forge("text of any number", far, far_ack, ack | Flags::PSH, 4);
    }
    match numbers.state {
        State::Closed => {}
        State::Listen => forge("text in LISTEN", far, far_ack, Flags::PSH, 4),
        State::SynSent => {
            forge("a SYN,ACK of any number", far, far_ack, ack | Flags::SYN, 0);
            forge("a reset that acknowledges any number", far, far_ack, ack | Flags::RST, 0);
            forge("text without ACK", far, far_ack, Flags::PSH, 4);
        }
        _ => strong(end, &mut forge),
    }
    list.extend(old(end, now));
    list
}

/// Those that are steps of the search: one for each throttle, and two that share one.
pub(crate) fn steps(end: &End, now: Instant) -> Vec<(&'static str, Segment)> {
    let mut list = forgeries(end, now);
    list.retain(|(name, _)| [ANY_ACK, NEAR_RESET, NEAR_SYN].contains(name));
    list
}

/// ICMP errors that quote a number which is not in flight (RFC 5927 §4.1).
fn errors(end: &End) -> impl Iterator<Item = (&'static str, Event)> {
    let quoted_seq = end.numbers.nxt + FAR;
    let kinds = [
        ("an ICMP error of a port, of any number", IcmpKind::PortUnreachable, 0),
        ("an ICMP error of a host, of any number", IcmpKind::Unreachable, 0),
        ("an ICMP error of a small link, of any number", IcmpKind::PacketTooBig, 600),
    ];
    kinds.into_iter().map(move |(name, kind, mtu)| (name, Event::Icmp { kind, quoted_seq, mtu }))
}

/// What an earlier connection or an earlier cycle of the numbers left behind.
fn old(end: &End, now: Instant) -> Option<(&'static str, Segment)> {
    let numbers = &end.numbers;
    let before = end.first_stamp.map_or(0, |first| first.wrapping_sub(1));
    let (seq, ack, window) = (numbers.rcv_nxt, numbers.nxt, 9999);
    if numbers.state == State::TimeWait {
        let syn = Segment { seq: seq - 5, flags: Flags::SYN, window, ..Segment::default() };
        return Some(("a SYN of an earlier connection", stamped(syn, end, before, now)));
    }
    if end.first_stamp.is_none() || !numbers.is_live() {
        return None;
    }
    let payload = Bytes::from_static(b"!"); // all is right but the timestamp (PAWS)
    let text = Segment { seq, ack, flags: Flags::ACK, window, payload, ..Segment::default() };
    Some(("text of an earlier cycle of the numbers", stamped(text, end, before, now)))
}

/// The attacker hits the window, or knows one of the two numbers (RFC 5961).
fn strong(end: &End, forge: &mut impl FnMut(&'static str, SeqNum, SeqNum, Flags, usize)) {
    let numbers = &end.numbers;
    let (nxt, ack, far_ack) = (numbers.rcv_nxt, Flags::ACK, numbers.nxt + FAR);
    let inside = nxt + numbers.rcv_wnd / 2;
    if numbers.rcv_wnd > 1 {
        forge(NEAR_RESET, inside, far_ack, Flags::RST, 0);
        forge("a reset with ACK in the window", inside, numbers.nxt, Flags::RST | ack, 0);
    }
    if numbers.state != State::TimeWait {
        forge(NEAR_SYN, inside, far_ack, Flags::SYN, 0);
        forge("a SYN at RCV.NXT", nxt, far_ack, Flags::SYN, 0);
    }
    forge("a SYN,ACK in the window", inside, far_ack, Flags::SYN | ack, 0);
    forge("text with an ACK of what was never sent", nxt, numbers.nxt + 1, ack | Flags::PSH, 4);
    forge("a FIN with an ACK of what was never sent", nxt, numbers.nxt + 1, ack | Flags::FIN, 0);
    forge("text without ACK", nxt, far_ack, Flags::PSH, 4);
    if numbers.state.is_synchronized() {
        forge("text with an ACK that is too old", nxt, numbers.una - FAR, ack | Flags::PSH, 4);
    }
}

impl End {
    /// One forged segment changes nothing that RFC 5961 says it must not: tried with all of `forgeries`.
    pub(crate) fn attacker_changes_nothing(&self, now: Instant) -> Law {
        if self.user.cut {
            return Ok(()); // any event goes on with a burst that was cut
        }
        let before = self.connection.canonical(now);
        let segments = forgeries(self, now).into_iter().map(|(name, segment)| (name, Event::Segment(segment)));
        for (name, event) in segments.chain(errors(self)) {
            let mut connection = self.connection.clone();
            let mut actions = Vec::new();
            let text = format!("{event:?}");
            let handled = connection.handle(event, now, &mut actions);
            let answers = actions.iter().filter(|action| matches!(action, Action::Transmit(_))).count();
            let most = usize::from(name != FAR_RESET);
            let mute =
                |action: &Action| matches!(action, Action::Transmit(_) | Action::Discarded(_) | Action::SetTimer(..));
            let same =
                handled.is_ok() && answers <= most && actions.iter().all(mute) && connection.canonical(now) == before;
            require(same, "attacker_changes_nothing", || {
                format!("in {}, {name}: {text} leads to {}, {actions:?}", self.numbers.state, connection.state())
            })?;
        }
        Ok(())
    }

    /// A host that calls before a timer is due only hears when it is.
    pub(crate) fn early_timer_changes_nothing(&self, now: Instant) -> Law {
        if self.user.cut || self.connection.next_deadline().is_none_or(|(_, at)| at <= now) {
            return Ok(());
        }
        let mut connection = self.connection.clone();
        let actions = connection.handle_timer(Timer::Retransmit, now);
        let mute = actions.iter().all(|action| matches!(action, Action::SetTimer(..)));
        let same = mute && connection.canonical(now) == self.connection.canonical(now);
        require(same, "early_timer_changes_nothing", || format!("in {}: {actions:?}", self.numbers.state))
    }
}
