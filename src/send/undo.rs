//! Whether the last reduction was a mistake: Eifel (RFC 3522), DSACK (RFC 3708), F-RTO (RFC 5682).

use super::rack::whole_millis;
use crate::Instant;
use crate::features::UNDO;
use crate::invariant::Broken;
use crate::ranges::Ranges;
use crate::stream::Position;

/// Forward RTO recovery (RFC 5682 §2.1, §3.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum Frto {
    Off,
    /// Step 1: the first segment goes again; up to where, once it has.
    FirstAgain(Option<Position>),
    /// Step 2: new text is sent rather than more again.
    SendsNew,
}

/// The memory of the last reduction.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Reduction {
    /// It began with a timeout.
    timeout: bool,
    /// What was sent again first and when, until an acknowledgment has told what it was for.
    first_again: Option<(Position, Instant)>,
    /// What was sent again, and what of it the peer reported as duplicates.
    again: Ranges<Position>,
    duplicates: Ranges<Position>,
    /// Something was sent again more than once: a duplicate does not tell that none was lost (RFC 3708 §3 (A.3)).
    twice: bool,
    /// The episode is past when this is acknowledged; not known while recovery goes on.
    until: Option<Position>,
}

/// The last episode of loss, while it may turn out to have been none.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Undo {
    reduction: Option<Reduction>,
    frto: Frto,
}

/// What an acknowledgment tells of an reduction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Evidence {
    /// SND.UNA before it, and now.
    pub(crate) before: Position,
    pub(crate) una: Position,
    pub(crate) nxt: Position,
    /// SND.UNA advanced; or it is a duplicate ACK.
    pub(crate) advanced: bool,
    pub(crate) duplicate: bool,
    /// SACK is in use.
    pub(crate) sack: bool,
    /// When our clock showed the timestamp that came back.
    pub(crate) echoed: Option<Instant>,
    /// The range reported as a duplicate: from where to where; and whether nothing was reported before.
    pub(crate) dsack: Option<(Position, Position)>,
    pub(crate) unreported: bool,
    /// The peer has reported a duplicate at some time: it knows how.
    pub(crate) dsack_seen: bool,
    /// It acknowledges or reports text of before the timeout that was sent once; or text of after it.
    pub(crate) original: bool,
    pub(crate) beyond: bool,
    /// RecoveryPoint.
    pub(crate) recover: Position,
}

/// What kind of reduction was a mistake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Spurious {
    FastRetransmit,
    Timeout,
}

impl Undo {
    pub(crate) fn check_invariants(&self) -> Result<(), Broken> {
        self.reduction.iter().try_for_each(|reduction| {
            reduction.again.check_invariants()?;
            reduction.duplicates.check_invariants()
        })
    }

    /// No reduction may turn out to have been a mistake.
    pub(crate) const IDLE: Self = Self { reduction: None, frto: Frto::Off };

    /// The window was reduced. F-RTO judges a timeout that is not itself part of a recovery.
    pub(crate) fn begin(&mut self, timeout: bool) {
        if !UNDO {
            return;
        }
        let (again, duplicates) = (Ranges::default(), Ranges::default());
        self.reduction = Some(Reduction { timeout, first_again: None, again, duplicates, twice: false, until: None });
        self.frto = if timeout { Frto::FirstAgain(None) } else { Frto::Off };
    }

    /// The episode went on with another timeout: nothing of it can be a mistake any more.
    pub(crate) fn give_up(&mut self) {
        self.reduction = None;
        self.frto = Frto::Off;
    }

    /// This was sent again; `before`: some of it not for the first time, as after a tail-loss probe.
    pub(crate) fn on_again(&mut self, again: core::ops::Range<Position>, before: bool, now: Instant) {
        if !UNDO {
            return;
        }
        let (start, end) = (again.start, again.end);
        self.frto = match self.frto {
            Frto::FirstAgain(first) => Frto::FirstAgain(first.or(Some(end))),
            Frto::SendsNew | Frto::Off => Frto::Off, // (2b): there is not enough new text
        };
        if let Some(reduction) = &mut self.reduction {
            if reduction.again.last().is_none() {
                reduction.first_again = Some((start, now));
            }
            reduction.twice |= before;
            reduction.again.insert(start, end);
        }
    }

    /// Recovery is over; reports of duplicates may still come until `nxt` is acknowledged.
    pub(crate) fn on_recovered(&mut self, nxt: Position) {
        self.frto = Frto::Off;
        if let Some(reduction) = &mut self.reduction {
            reduction.until = Some(nxt);
        }
    }

    /// No reduction may turn out to have been a mistake.
    pub(crate) fn is_idle(&self) -> bool {
        self.reduction.is_none() && self.frto == Frto::Off
    }

    /// F-RTO asks for new text instead of retransmissions.
    pub(crate) fn prefers_new(&self) -> bool {
        UNDO && self.frto == Frto::SendsNew
    }

    /// Judges an acknowledgment.
    pub(crate) fn on_ack(&mut self, evidence: &Evidence) -> Option<Spurious> {
        let reduction = self.reduction.as_mut()?;
        let kind = if reduction.timeout { Spurious::Timeout } else { Spurious::FastRetransmit };
        let eifel = evidence.advanced && reduction.is_original(evidence);
        let all_duplicates = reduction.all_arrived_twice(evidence);
        let past = reduction.until.is_some_and(|until| evidence.una >= until);
        let proven = evidence.advanced && evidence.echoed.is_some(); // the timestamps decided, one way or the other
        if eifel || all_duplicates || self.frto_decides(evidence, proven) {
            self.give_up();
            return Some(kind);
        }
        if past {
            self.give_up();
        }
        None
    }

    /// Steps 2 and 3 of RFC 5682 §2.1 and §3.1; where timestamps tell, F-RTO need not ask. Other than new and duplicate
    /// acknowledgments do not count.
    fn frto_decides(&mut self, evidence: &Evidence, proven: bool) -> bool {
        if !evidence.advanced && !evidence.duplicate {
            return false;
        }
        match self.frto {
            Frto::Off => false,
            Frto::FirstAgain(first) => {
                let whole = first.is_some_and(|end| evidence.una >= end);
                let conventional = evidence.una >= evidence.recover || !whole || proven;
                self.frto = match () {
                    () if !evidence.advanced && evidence.sack => return false, // §3.1 (2): wait for a new one
                    () if conventional => Frto::Off,
                    () => Frto::SendsNew,
                };
                false
            }
            Frto::SendsNew => {
                self.frto = Frto::Off;
                let answers_new = evidence.sack && evidence.beyond; // §3.1 (3a)
                evidence.original && !answers_new
            }
        }
    }
}

impl Reduction {
    /// RFC 3708 §3: all that was sent again, and it was sent again once, is reported as duplicates. Of what was not
    /// sent again the network made the copy (A.4); and a duplicate at SND.UNA, before which nothing was reported, comes
    /// also where a window of acknowledgments was lost (A.1).
    fn all_arrived_twice(&mut self, evidence: &Evidence) -> bool {
        let Some((start, end)) = evidence.dsack else { return false };
        let acks_lost = evidence.unreported && start == evidence.before;
        if acks_lost || self.again.first_gap(start, end).is_some() {
            return false;
        }
        self.duplicates.insert(start, end);
        !self.twice && self.duplicates == self.again
    }

    /// Steps 4 and 5 of RFC 3522 §3.2: the acknowledgment is for what was sent before the first retransmission. It
    /// tells so only when that segment was the first outstanding one: else it may be for another.
    fn is_original(&mut self, evidence: &Evidence) -> bool {
        let Some((echoed, (start, at))) = evidence.echoed.zip(self.first_again) else { return false };
        if evidence.una <= start {
            return false;
        }
        self.first_again = None; // the first acceptable ACK decides
        let sooner = evidence.before == start && echoed < whole_millis(at);
        sooner && evidence.dsack.is_none() && (evidence.dsack_seen || evidence.una < evidence.nxt)
    }
}

impl Undo {
    pub(crate) fn rebase(&mut self, ago: impl Fn(Instant) -> Instant) {
        let Self { reduction: _, frto: _ } = self; // a field that is added has to be looked at here
        if let Some(reduction) = &mut self.reduction {
            reduction.first_again = reduction.first_again.map(|(start, at)| (start, ago(at)));
        }
    }
}
