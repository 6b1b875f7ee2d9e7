//! What must hold of one call, or of one segment.

use bytes::Bytes;
use segue::{
    Action, Arc, Config, Connection, Discard, Error, Event, Flags, Info, Instant, Knob, SackBlock, Segment, SeqNum,
    State, Timer,
};
use segue_kit::audit::is_control;

use super::show;

/// The octet of the peer's stream at this number.
pub(crate) fn peer_text(seq: SeqNum) -> u8 {
    seq.value().wrapping_mul(0x9E37_79B1).to_be_bytes()[0]
}

/// The octet of our stream at this offset.
pub(crate) fn our_text(offset: u32) -> u8 {
    offset.wrapping_mul(0x85EB_CA6B).to_be_bytes()[0]
}

pub(crate) fn is_text(text: &Bytes, octet: impl Fn(u32) -> u8) {
    let wrong = (0..).zip(text).find(|&(i, &found)| found != octet(i));
    assert!(wrong.is_none(), "wrong text: offset and octet {wrong:?}");
}

/// The `Vec` forms give what `handle` gives, and the same value.
pub(crate) fn forms_agree(
    mut before: Connection,
    event: &Event,
    now: Instant,
    after: &Connection,
    actions: &[Action],
    result: Result<(), Error>,
) {
    let given = match event.clone() {
        Event::Segment(segment) => before.handle_segment(segment, now),
        Event::Timer(timer) => before.handle_timer(timer, now),
        Event::Consume(octets) => before.consume(octets, now),
        Event::Release => before.release(now),
        Event::Abort => before.abort(now),
        Event::Close => {
            let given = before.close(now);
            assert_eq!(given.as_ref().err(), result.as_ref().err());
            given.unwrap_or_default()
        }
        Event::Send(mut text) if result.is_ok() => {
            let given = before.send(&mut text, now).expect("it fits");
            assert!(text.is_empty(), "all of it fits");
            given
        }
        _ => return,
    };
    assert!(given == actions, "two forms of {}: {}", show::event(event), show::difference(&given, &actions));
    assert!(&before == after, "two forms of {}: {}", show::event(event), show::difference(&before, after));
}

/// Whether a segment was thrown away as a whole, for a reason that lets nothing of it count.
pub(crate) fn thrown_away_whole(actions: &[Action]) -> bool {
    actions.iter().any(|action| {
        let Action::Discarded(reason) = action else { return false };
        matches!(
            reason,
            Discard::NoConnection
                | Discard::NotSyn
                | Discard::AckInListen
                | Discard::NotArmed
                | Discard::SynFin
                | Discard::BadHandshakeAck
                | Discard::BlindReset
                | Discard::ResetOutOfWindow
                | Discard::ResetChallenged
                | Discard::SynChallenged
                | Discard::NoAck
                | Discard::AckOutOfRange
                | Discard::Paws
                | Discard::MissingTimestamp
                | Discard::OutOfWindow
                | Discard::TimeWait
        )
    })
}

/// The settings after this event, with buffers as large as they ever were: what was queued or promised then stays.
pub(crate) fn widened(before: &Config, after: &Config, event: &Event) -> Arc<Config> {
    let wanted = if let Event::Set(Knob::ReceiveBuffer(octets)) = event { *octets } else { 0 };
    let receive = before.receive_buffer().max(wanted.min((1 << 30) - 1));
    let builder = after.to_builder().send_buffer(before.send_buffer().max(after.send_buffer()));
    Arc::new(builder.receive_buffer(receive).build().expect("larger buffers are as good"))
}

/// How much one event may cause.
pub(crate) fn bounds(before: &Connection, event: &Event, actions: &[Action], config: &Config) {
    let transmitted = || actions.iter().filter_map(|a| if let Action::Transmit(s) = a { Some(s) } else { None });
    if let Event::Segment(segment) = event {
        let control = transmitted().filter(|s| is_control(s)).count();
        let burst = before.deadline(Timer::Continue).is_some(); // what it cut comes now, a SYN,ACK even
        assert!(control <= 1 || burst, "{control} control segments answer one segment: {}", show::actions(actions));
        if segment.flags.contains(Flags::RST) {
            assert!(
                transmitted().all(|s| !s.flags.contains(Flags::RST)),
                "a reset answers a reset: {}",
                show::actions(actions)
            );
        }
    }
    let burst = usize::from(config.max_burst());
    if burst > 0 {
        // An answer to a discarded segment is not part of the burst.
        assert!(transmitted().count() <= burst + 1, "more than max_burst: {}", show::actions(actions));
    }
    // How many of them are `Deliver` or `Transmit` is bounded by `metered`.
    let others = actions.iter().filter(|a| !matches!(a, Action::Deliver(_) | Action::Transmit(_))).count();
    assert!(others <= 64, "{others} actions beside Deliver and Transmit");
}

/// Edges that never move back.
pub(crate) fn edges(before: &Info, after: &Info) {
    let unsynchronized = |state| matches!(state, State::Closed | State::Listen | State::SynSent);
    if unsynchronized(before.state) || unsynchronized(after.state) {
        return;
    }
    assert!(before.snd_una.at_or_before(after.snd_una), "SND.UNA moved back");
    assert!(before.snd_nxt.at_or_before(after.snd_nxt), "SND.NXT moved back");
    assert!(after.snd_una.at_or_before(after.snd_nxt), "SND.UNA is beyond SND.NXT");
    assert!(before.rcv_nxt.at_or_before(after.rcv_nxt), "RCV.NXT moved back");
    let edge = |info: &Info| info.rcv_nxt + info.rcv_wnd;
    assert!(edge(before).at_or_before(edge(after)), "the right edge of our window moved left");
}

/// Bounded memory.
pub(crate) fn memory(info: &Info, config: &Config) {
    let buffer = usize::try_from(config.receive_buffer()).expect("64 bits");
    assert!(info.unconsumed <= buffer.max(65_535), "{} octets delivered and not consumed", info.unconsumed);
    assert!(info.held <= usize::try_from(info.rcv_wnd).expect("64 bits"), "{} octets held", info.held);
    let ranges = match config.max_ranges() {
        0 => (buffer / 1024).max(64),
        most => usize::from(most),
    };
    assert!(info.held_ranges <= ranges + 1, "{} ranges held", info.held_ranges);
    assert!(info.send_queue <= usize::try_from(config.send_buffer()).expect("64 bits"), "{} queued", info.send_queue);
}

/// While something is outstanding, or text waits, a timer runs: nothing can be stuck.
pub(crate) fn owes_a_timer(connection: &Connection, now: Instant) {
    let info = connection.info();
    if connection.state() == State::Closed {
        assert_eq!(connection.next_deadline(), None, "a timer survives Closed");
        return;
    }
    let outstanding = info.snd_una != info.snd_nxt;
    let waiting = info.send_queue > 0 && info.state.is_synchronized();
    let armed = [Timer::Retransmit, Timer::Persist].iter().any(|&timer| connection.deadline(timer).is_some());
    if outstanding && info.state != State::Listen {
        assert!(armed, "{} to {} is outstanding at {now}, no timer", info.snd_una, info.snd_nxt);
    }
    if waiting {
        assert!(connection.next_deadline().is_some(), "{} octets are queued at {now}, no timer", info.send_queue);
    }
}

/// A segment that may leave.
pub(crate) fn well_formed(segment: &Segment, info: &Info, config: &Config, probe: usize) {
    let control = Flags::SYN | Flags::RST;
    let options = segment.options.wire_len() + segue_kit::reserved_options(config);
    assert!(options <= 40, "options do not fit: {segment}");
    assert!(!segment.flags.contains(control), "{segment}");
    if let Some(ts) = segment.options.timestamps().filter(|_| !segment.flags.contains(Flags::ACK)) {
        // RFC 7323 §3.2, and §5.2 for a reset that answers a segment.
        let answers = segment.flags.contains(Flags::RST) && ts.value == 0;
        assert!(ts.echo == 0 || answers, "an echo without ACK: {segment}");
    }
    if segment.flags.contains(Flags::RST) {
        assert!(segment.payload.is_empty() && !segment.flags.contains(Flags::FIN), "{segment}");
    }
    if !segment.flags.intersects(control) {
        assert!(segment.flags.contains(Flags::ACK), "no ACK on {segment}");
        let options = &segment.options;
        assert!(options.mss().is_none() && options.window_scale().is_none() && !options.sack_permitted(), "{segment}");
    }
    if segment.segment_size > 0 {
        assert!(!segment.flags.intersects(control | Flags::URG), "{segment}");
        assert!(segment.payload.len() > usize::from(segment.segment_size), "{segment}");
        assert!(segment.segment_size <= info.eff_snd_mss, "{segment} beyond the MSS {}", info.eff_snd_mss);
        assert!(segment.payload.len() <= usize::from(config.max_transmit()), "{segment} beyond max_transmit");
    } else if info.state != State::Closed {
        assert!(
            segment.payload.len() <= usize::from(info.eff_snd_mss).max(probe),
            "{segment} beyond the MSS {}",
            info.eff_snd_mss
        );
    }
    let edge = (info.state != State::Closed).then(|| info.rcv_nxt + info.rcv_wnd);
    let blocks = segment.options.sack();
    // The first block may report what arrived twice (RFC 2883 §4): below the ACK, or inside the second.
    let twice = blocks.first().is_some_and(|first| {
        let inside = |second: &SackBlock| !first.left.before(second.left) && !first.right.after(second.right);
        first.right.at_or_before(segment.ack) || blocks.get(1).is_some_and(inside)
    });
    for (i, block) in blocks.iter().enumerate() {
        assert!(block.left.before(block.right), "{segment}");
        assert!(block.left.after(segment.ack) || (i == 0 && twice), "{segment}");
        assert!(edge.is_none_or(|edge| block.right.at_or_before(edge)), "{segment}, the window ends at {edge:?}");
    }
}
