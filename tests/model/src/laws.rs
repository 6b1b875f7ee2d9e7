//! The laws, each a function of its name. Those here hold for every event; `fair` and `attack` have the others.

use segue::{Action, CloseReason, Flags, Segment, SeqNum, State, Timer};

use crate::end::{End, Numbers, iss, text};
use crate::world::{START, World};

/// A law that does not hold, and how.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) law: &'static str,
    pub(crate) what: String,
}

pub(crate) type Law = Result<(), Violation>;

/// The law holds, or this is what happened instead.
pub(crate) fn require(holds: bool, law: &'static str, what: impl FnOnce() -> String) -> Law {
    if holds { Ok(()) } else { Err(Violation { law, what: what() }) }
}

pub(crate) const NAMES: [&str; 2] = ["A", "B"];

impl World<'_> {
    /// Each delivery is the next text that the peer sent: in order, each octet once.
    pub(crate) fn text_is_a_prefix(&self, side: usize, end: &End, delivered: &[u8]) -> Law {
        const LAW: &str = "text_is_a_prefix";
        let name = NAMES[side];
        let Some(incarnation) = self.peer_incarnation(side, end) else {
            return require(false, LAW, || format!("{name} gets text of nobody: {delivered:?}"));
        };
        let octets = u16::try_from(delivered.len()).unwrap_or(u16::MAX);
        let expected = text(1 - side, incarnation, end.user.received, octets);
        let peer = &self.ends[1 - side].user;
        let known = incarnation < peer.incarnation || end.user.received + octets <= peer.sent;
        require(known && delivered == expected, LAW, || {
            format!("{name} gets {delivered:?} where its peer sent {expected:?}, {} octets in all", peer.sent)
        })
    }

    /// The peer is reported to have closed after its last octet, and when it has closed.
    pub(crate) fn end_of_text_is_the_end(&self, side: usize, end: &End) -> Law {
        let (peer, received) = (&self.ends[1 - side].user, end.user.received);
        let current = self.peer_incarnation(side, end) == Some(peer.incarnation);
        require(!current || (peer.closed && received == peer.sent), "end_of_text_is_the_end", || {
            let closed = if peer.closed { "has closed" } else { "has not closed" };
            format!("PeerClosed at {} after {received} octets of {}; the peer {closed}", NAMES[side], peer.sent)
        })
    }

    /// A sequence number stands for one octet, whenever it is sent.
    pub(crate) fn one_octet_per_number(&self, side: usize, end: &End, segment: &Segment) -> Law {
        if segment.flags.contains(Flags::RST) {
            return Ok(());
        }
        let user = &end.user;
        let place = segment.seq - iss(side, user.incarnation);
        let (total, octets) = (u32::from(user.sent), u32::try_from(segment.payload.len()).unwrap_or(u32::MAX));
        let holds = if segment.flags.contains(Flags::SYN) {
            let early = u16::from(self.setting.roles[side].early);
            let is_text = |octets| octets <= early && segment.payload == text(side, user.incarnation, 0, octets);
            place == 0 && u16::try_from(octets).is_ok_and(is_text)
        } else if segment.is_empty() {
            place <= total + 1 + u32::from(user.closed)
        } else {
            let offset = place.wrapping_sub(1);
            let end = offset.saturating_add(octets);
            let fin = segment.flags.contains(Flags::FIN);
            let same = || {
                u16::try_from(offset).is_ok_and(|offset| {
                    segment.payload == text(side, user.incarnation, offset, u16::try_from(octets).unwrap_or(u16::MAX))
                })
            };
            end <= total && (!fin || (user.closed && end == total)) && same()
        };
        require(holds, "one_octet_per_number", || {
            format!(
                "{} sends {segment}: its text has {total} octets from {}",
                NAMES[side],
                iss(side, user.incarnation) + 1
            )
        })
    }

    /// Nothing is sent beyond what the peer ever promised, but one octet or FIN that probes: first when a timer of the
    /// sender is due, and then again as a retransmission. And what takes no sequence space is numbered where the peer
    /// accepts it (RFC 9293 App. A.2).
    pub(crate) fn inside_the_window(&self, side: usize, end: &End, segment: &Segment) -> Law {
        if segment.flags.intersects(Flags::RST | Flags::SYN) || !self.are_one_connection(side, end) {
            return Ok(());
        }
        let peer = &self.ends[1 - side].numbers;
        let before = &self.ends[side]; // `end` takes its place when all laws hold
        let again = segment.end().at_or_before(before.numbers.nxt);
        let probe = u32::from(segment.len() == 1 && (again || before.has_due(self.now)));
        let edge = peer.rcv_nxt + peer.rcv_wnd + probe;
        require(segment.end().at_or_before(edge), "inside_the_window", || {
            format!("{} sends {segment}, beyond its peer's edge {edge}", NAMES[side])
        })
    }

    /// SACK blocks report no more than the held octets; one block more may repeat some of it or name a duplicate.
    pub(crate) fn reports_what_is_held(&self, side: usize, end: &End, segment: &Segment) -> Law {
        let blocks = segment.options.sack();
        let duplicate = |first: &segue::SackBlock| {
            first.left.before(segment.ack)
                || blocks
                    .iter()
                    .skip(1)
                    .any(|block| block.left.at_or_before(first.left) && first.right.at_or_before(block.right))
        };
        let rest = if blocks.first().is_some_and(duplicate) { &blocks[1..] } else { blocks };
        let octets: u32 = rest.iter().map(|block| block.right - block.left).sum();
        let fin = usize::from(self.ends[1 - side].user.closed); // a FIN may be held, too
        require(octets as usize <= end.numbers.held + fin, "reports_what_is_held", || {
            format!("{segment} reports {octets} octets; {} are held", end.numbers.held)
        })
    }

    /// RCV.NXT counts the octets that the user got, and the FIN that it heard of.
    pub(crate) fn acknowledged_is_delivered(&self, end: &End) -> Law {
        let (numbers, user) = (&end.numbers, &end.user);
        if !numbers.state.is_synchronized() {
            return Ok(());
        }
        let octets = numbers.rcv_nxt - numbers.irs - 1 - u32::from(user.peer_closed);
        require(octets == u32::from(user.received), "acknowledged_is_delivered", || {
            format!("{octets} octets are acknowledged, the user got {}", user.received)
        })
    }

    /// The window and the text that waits for the user fit into the receive buffer together.
    pub(crate) fn promises_what_it_has(&self, side: usize, end: &End) -> Law {
        let (window, unread) = (end.numbers.rcv_wnd, u32::from(end.user.unread));
        let buffer = self.setting.configs[side].receive_buffer();
        require(!end.numbers.is_live() || window + unread <= buffer, "promises_what_it_has", || {
            format!("{} has {unread} octets unread, RCV.WND {window} and a buffer of {buffer}", NAMES[side])
        })
    }

    /// SND.UNA =< RCV.NXT =< SND.NXT, and no window reaches beyond the peer's promise: for both directions of one
    /// connection.
    pub(crate) fn agreed_numbers(&self) -> Law {
        if !self.are_one_connection(0, &self.ends[0]) {
            return Ok(());
        }
        for (side, other) in [(0, 1), (1, 0)] {
            let (snd, rcv) = (&self.ends[side].numbers, &self.ends[other].numbers);
            let numbers = snd.una.at_or_before(rcv.rcv_nxt) && rcv.rcv_nxt.at_or_before(snd.nxt);
            let window = (snd.una + snd.wnd).at_or_before(rcv.rcv_nxt + rcv.rcv_wnd);
            require(numbers && window, "agreed_numbers", || {
                let promise = rcv.rcv_nxt + rcv.rcv_wnd;
                format!(
                    "{} has SND.UNA {}, SND.NXT {}, SND.WND {}; its peer has RCV.NXT {} and promised up to {promise}",
                    NAMES[side], snd.una, snd.nxt, snd.wnd, rcv.rcv_nxt
                )
            })?;
        }
        Ok(())
    }

    /// SND.UNA and RCV.NXT never move left. Nor does the edge of the peer's window, since an end of this crate takes back
    /// none. But where a segment that is not older by SND.WL1 and SND.WL2 tells of a smaller window, RFC 9293 cannot know
    /// better: it may have overtaken another with the same numbers, or a retransmission.
    pub(crate) fn nothing_moves_left(
        &self,
        side: usize,
        old: &Numbers,
        new: &Numbers,
        at: Option<(SeqNum, SeqNum)>,
    ) -> Law {
        if !old.state.is_synchronized() || !new.state.is_synchronized() {
            return Ok(());
        }
        let edge = |numbers: &Numbers| numbers.una + numbers.wnd;
        let numbers = old.una.at_or_before(new.una) && old.rcv_nxt.at_or_before(new.rcv_nxt);
        let (wl1, wl2) = old.wl;
        let newer = |(seq, ack): (SeqNum, SeqNum)| wl1.before(seq) || (wl1 == seq && wl2.at_or_before(ack));
        let window = at.is_some_and(newer) || edge(old).at_or_before(edge(new) + self.setting.rounding);
        require(numbers && window, "nothing_moves_left", || {
            let text = |n: &Numbers| format!("SND.UNA {}, SND.WND {}, RCV.NXT {}", n.una, n.wnd, n.rcv_nxt);
            format!("{} had {} and now has {}", NAMES[side], text(old), text(new))
        })
    }

    /// RFC 9293 §3.10.7: a reset is never answered by one.
    pub(crate) fn no_reset_answers_a_reset(&self, is_reset: bool, actions: &[Action]) -> Law {
        let resets =
            |action: &Action| matches!(action, Action::Transmit(segment) if segment.flags.contains(Flags::RST));
        require(!is_reset || !actions.iter().any(resets), "no_reset_answers_a_reset", || format!("{actions:?}"))
    }

    /// RFC 5961 §7: within one `challenge_window`, each of the two throttles lets pass as many answers as it may.
    pub(crate) fn answers_are_throttled(&self, side: usize, end: &End) -> Law {
        let config = &self.setting.configs[side];
        let age = self.now.saturating_since(START);
        let most = 2 * u64::from(config.challenge_limit().min(10));
        let sent = end.numbers.challenge_acks;
        require(age >= config.challenge_window() || sent <= most, "answers_are_throttled", || {
            format!("{} sent {sent} challenge ACKs in {age:?}; {most} are the limit", NAMES[side])
        })
    }

    /// RFC 9293 §3.10.7.4, MUST-13: an end that enters TIME-WAIT has its deadline 2 MSL later. A segment moves that only
    /// to a later time, and the peer's FIN that comes again to 2 MSL from now. No connection is `Finished` before, unless
    /// the ACK of its FIN ends it in LAST-ACK.
    pub(crate) fn waits_for_two_msl(&self, side: usize, end: &End, actions: &[Action], fin: Option<SeqNum>) -> Law {
        let (before, now) = (&self.ends[side], self.now);
        let until = now + 2 * self.setting.configs[side].msl();
        let deadline = |end: &End| end.connection.deadline(Timer::TimeWait);
        let holds = match (before.numbers.state, end.numbers.state) {
            (State::TimeWait, State::TimeWait) if fin == Some(end.numbers.rcv_nxt) => deadline(end) == Some(until),
            (State::TimeWait, State::TimeWait) => deadline(end) >= deadline(before),
            (_, State::TimeWait) => deadline(end) == Some(until),
            _ if !actions.contains(&Action::Closed(CloseReason::Finished)) => true,
            (State::TimeWait, _) => before.has_waited(now),
            (state, _) => state == State::LastAck,
        };
        require(holds, "waits_for_two_msl", || {
            let (from, to) = (before.numbers.state, end.numbers.state);
            format!("{} goes from {from} to {to}, with the deadline {:?} at {now:?}", NAMES[side], deadline(end))
        })
    }

    /// A connection that was established ends when both sides have closed and all is acknowledged, unless somebody
    /// aborted, was gone, or lost its memory.
    pub(crate) fn ends_by_two_fins(&self, side: usize) -> Law {
        let user = &self.ends[side].user;
        let Some(reason) = user.over else { return Ok(()) };
        require(!user.connected || user.excused || self.has_finished(side), "ends_by_two_fins", || {
            format!("{} ended: {reason}", NAMES[side])
        })
    }

    /// Both sides have closed, and the end knows that all is acknowledged; or it was reset because its peer has waited
    /// for 2 MSL, and is without a connection or has another one.
    pub(crate) fn has_finished(&self, side: usize) -> bool {
        let (end, peer) = (&self.ends[side], &self.ends[1 - side].user);
        let reset = peer.waited || self.peer_incarnation(side, end) != Some(peer.incarnation);
        let user = &end.user;
        user.closed && user.peer_closed && (user.over == Some(CloseReason::Finished) || (user.over.is_some() && reset))
    }

    /// The states in which an end may rest for ever: without a connection, or in FIN-WAIT-2 when its peer is gone and its
    /// user, who called CLOSE and not RELEASE, still waits for text.
    pub(crate) fn is_at_rest(&self, side: usize) -> bool {
        let end = &self.ends[side];
        match end.numbers.state {
            State::Closed | State::Listen => true,
            State::FinWait2 => end.user.excused,
            _ => false,
        }
    }
}
