//! What must hold after every call, seen from outside the machine.

use segue::{Action, Connection, Discard, Flags, Info, Instant, IpVersion, Options, Segment, SeqNum, State};

use super::{Host, Input, Reply};
use crate::{audit, reserved_options};

/// How far the peer has let this end send, gathered from the segments that arrived.
#[derive(Clone, Debug, Default)]
pub struct Promised {
    /// The furthest right edge ever offered.
    edge: Option<SeqNum>,
    /// The shift counts that the two SYNs offered, own and peer's.
    own: Option<u8>,
    peer: Option<u8>,
    /// The number after our SYN.
    first: Option<SeqNum>,
    /// The window of a SYN that came before ours left.
    syn: Option<u16>,
}

impl Promised {
    /// A segment of the peer is about to be handed over.
    pub fn arrived(&mut self, segment: &Segment) {
        let syn = segment.flags.contains(Flags::SYN);
        if syn {
            self.peer = segment.options.window_scale();
        }
        if syn && !segment.flags.intersects(Flags::ACK | Flags::RST) {
            // of two SYNs that cross, either promises a window from the start
            let edge = self.first.map(|first| first + u32::from(segment.window));
            self.syn = Some(segment.window);
            self.edge = match (self.edge, edge) {
                (Some(old), Some(new)) => Some(old.max(new)),
                (old, new) => old.or(new),
            };
        }
        if !segment.flags.contains(Flags::ACK) || segment.flags.contains(Flags::RST) {
            return;
        }
        let shift = match (self.own, self.peer) {
            (Some(_), Some(peer)) if !syn => peer.min(14),
            _ => 0,
        };
        let edge = segment.ack + (u32::from(segment.window) << shift);
        self.edge = Some(self.edge.map_or(edge, |old| old.max(edge)));
    }

    /// A segment of this end is about to leave: nothing beyond the peer's window but one octet that probes it.
    pub fn departs(&mut self, segment: &Segment) {
        if segment.flags.contains(Flags::SYN) {
            self.own = segment.options.window_scale();
            if self.first != Some(segment.seq + 1) {
                let first = segment.seq + 1;
                let edge = self.syn.take().map(|window| first + u32::from(window));
                (self.first, self.edge) = (Some(first), edge); // a new incarnation
            }
            return;
        }
        let Some(edge) = self.edge else { return };
        let probe = segment.len() == 1;
        assert!(
            segment.flags.contains(Flags::RST) || segment.is_empty() || probe || segment.end().at_or_before(edge),
            "sent beyond the peer's window, whose edge is {edge}: {segment}"
        );
    }
}

/// After every call: the machine's own invariants, and what can be seen from outside.
pub(crate) fn after_call(host: &Host, connection: &Connection, input: Option<&Input>, reply: &Reply, now: Instant) {
    connection.check_invariants();
    audit::order(&reply.actions, matches!(input, Some(Input::Segments(_))));
    if let Some(Input::Segment(segment)) = input {
        answers(segment, &reply.actions);
    }
    if let (Some(Input::Timer(_)), Some((timer, at))) = (input, connection.next_deadline()) {
        assert!(at > now, "after handle_timer at {now} the {timer:?} timer is due at {at}");
    }
    if reply.error.is_some() {
        assert!(reply.actions.is_empty(), "an error and actions: {reply:?}");
    }
    for action in &reply.actions {
        if let Action::Transmit(segment) = action {
            fits_path(host, segment);
            audit::echo(segment);
        }
    }
    closed_is_last(connection, &reply.actions);
    host.announced.check(connection);
    bounded(host, &connection.info());
}

/// Whether a segment was thrown away whole, which must change nothing but statistics. Where only its text was, its
/// acknowledgment counted; and a SYN that brings our SYN,ACK again makes its round trip ambiguous (Karn).
pub(crate) fn throws_away(actions: &[Action]) -> bool {
    use Discard::{AfterFin, Duplicate, ReassemblyFull, SynRepeated, ZeroWindow};
    actions.iter().any(|action| match action {
        Action::Discarded(reason) => {
            !matches!(reason, AfterFin | Duplicate | ReassemblyFull | SynRepeated | ZeroWindow)
        }
        _ => false,
    })
}

/// At most one control segment answers one segment, and no reset answers a reset.
fn answers(segment: &Segment, actions: &[Action]) {
    let sent = audit::segments(actions);
    let control = sent.iter().filter(|sent| audit::is_control(sent)).count();
    assert!(control <= 1, "{control} control segments answer {segment}: {actions:#?}");
    if segment.flags.contains(Flags::RST) {
        assert!(sent.iter().all(|sent| !sent.flags.contains(Flags::RST)), "a reset answers a reset");
    }
}

/// No packet is larger than the path's MTU (MUST-16).
fn fits_path(host: &Host, segment: &Segment) {
    let path = &host.end.path;
    let text = if segment.segment_size == 0 { segment.payload.len() } else { usize::from(segment.segment_size) };
    let config = &host.end.config;
    let reserved = u16::try_from(reserved_options(config)).expect("40 at the most");
    let options = segment.options.wire_len() + usize::from(reserved);
    assert!(options <= Options::MAX_WIRE_LEN, "{options} octets of options, the host's included: {segment}");
    let packet = usize::from(path.ip.header() + path.ip_options) + 20 + options + text;
    let probed = if config.mtu_probing() { config.mtu_probe_max() } else { 0 }; // RFC 4821 §7: larger ones find out what passes
    let least = path.ip.min_mtu() + if path.ip == IpVersion::V4 { reserved } else { 0 }; // `Path::ip_options`: IP cuts it there
    let mtu = usize::from(path.mtu.max(least).max(probed));
    assert!(packet <= mtu, "a packet of {packet} octets on a path with an MTU of {mtu}: {segment}");
}

/// `Closed` comes last, once, in the state CLOSED, with all timers stopped.
fn closed_is_last(connection: &Connection, actions: &[Action]) {
    let closed = actions.iter().filter(|action| matches!(action, Action::Closed(_))).count();
    if closed > 0 {
        assert!(closed == 1 && matches!(actions.last(), Some(Action::Closed(_))), "Closed is not last: {actions:#?}");
        assert_eq!(connection.state(), State::Closed);
    }
    if connection.state() == State::Closed {
        assert_eq!(connection.next_deadline(), None, "a timer survives in CLOSED");
    }
}

/// Memory stays within its bounds, the windows are in order, and whatever is outstanding has a timer.
fn bounded(host: &Host, info: &Info) {
    let config = &host.end.config;
    assert!(info.unconsumed + info.held <= config.receive_buffer() as usize, "received more than the buffer: {info:?}");
    let most = match config.max_ranges() {
        0 => (config.receive_buffer() as usize / 1024).max(64),
        most => usize::from(most),
    };
    assert!(info.held_ranges <= most, "too many ranges: {info:?}");
    assert!(info.send_queue <= config.send_buffer() as usize, "queued more than the buffer: {info:?}");
    assert!(info.snd_una.at_or_before(info.snd_nxt), "SND.UNA > SND.NXT: {info:?}");
    let outstanding = info.snd_una != info.snd_nxt || (info.state.is_synchronized() && info.send_queue > 0);
    let armed = host.connection.as_ref().and_then(Connection::next_deadline).is_some();
    assert!(armed || !outstanding, "something is outstanding and no timer is armed: {info:?}");
}
