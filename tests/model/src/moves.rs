//! The steps that the search can take from a state.

use segue::{Ecn, State};

use crate::attack;
use crate::ladder;
use crate::setting::{Bounds, Reads};
use crate::world::{SIDES, World};

/// What a user can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Call {
    Send,
    Consume,
    Close,
    Release,
    Abort,
    Continue,
    Rearm,
    /// Settings, and a path whose MTU the host learns.
    Cork,
    Uncork,
    Narrow,
    Widen,
}

/// One step. The first number is the end that it happens at, the second one the place in the channel to that end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Move {
    /// A segment arrives; at another place than 0 it overtakes those before it.
    Deliver(usize, u8),
    /// A segment arrives, and a copy of it stays under way.
    Repeat(usize, u8),
    /// All that is under way to an end arrives at once.
    Together(usize),
    Lose(usize, u8),
    /// The network marks a segment: CE.
    Mark(usize, u8),
    /// Time goes on to the next deadline of this end: its host calls in time. Where the other end has an earlier one,
    /// the other host is late.
    Timer(usize),
    /// The host of this end calls seconds after its deadline.
    Late(usize),
    Call(usize, Call),
    /// A third party hits the window: the forgery of this number.
    Forge(usize, u8),
    /// The host of this end forgets its connection.
    Reboot(usize),
    /// Active OPEN, when the last connection is over.
    Open(usize),
}

impl Bounds {
    /// A step takes from the bounds.
    pub(crate) fn pay(&mut self, step: Move) {
        let Some(left) = self.of(step) else { return };
        *left = left.saturating_sub(1);
    }

    /// All that is left.
    fn sum(&self) -> u32 {
        let Self { losses, repetitions, overtakings, marks, timers, late, aborts, forgeries, reboots, knobs, batches } =
            *self;
        [losses, repetitions, overtakings, marks, timers, late, aborts, forgeries, reboots, knobs, batches]
            .map(u32::from)
            .iter()
            .sum()
    }

    /// The bound on such a step, if there is any.
    fn of(&mut self, step: Move) -> Option<&mut u8> {
        Some(match step {
            Move::Deliver(_, 0) => return None,
            Move::Deliver(..) => &mut self.overtakings,
            Move::Repeat(..) => &mut self.repetitions,
            Move::Lose(..) => &mut self.losses,
            Move::Mark(..) => &mut self.marks,
            Move::Timer(_) => &mut self.timers,
            Move::Late(_) => &mut self.late,
            Move::Call(_, Call::Abort) => &mut self.aborts,
            Move::Call(_, Call::Cork | Call::Uncork | Call::Narrow | Call::Widen) => &mut self.knobs,
            Move::Together(_) => &mut self.batches,
            Move::Call(..) | Move::Open(_) => return None,
            Move::Forge(..) => &mut self.forgeries,
            Move::Reboot(_) => &mut self.reboots,
        })
    }
}

impl World<'_> {
    /// How many steps so far took from the bounds.
    pub(crate) fn faults(&self) -> u32 {
        self.setting.bounds.sum() - self.left.sum()
    }

    /// All the steps that may be possible here.
    pub(crate) fn moves(&self) -> Vec<Move> {
        let mut moves = Vec::with_capacity(16);
        for side in SIDES {
            let wire = &self.wires[side];
            let waiting = u8::try_from(wire.len()).unwrap_or(u8::MAX);
            for at in 0..waiting {
                moves.extend([Move::Deliver(side, at), Move::Repeat(side, at), Move::Lose(side, at)]);
                let ecn = wire[usize::from(at)].segment.ecn;
                moves.extend(matches!(ecn, Ecn::Ect0 | Ecn::Ect1).then_some(Move::Mark(side, at)));
            }
            if waiting > 1 && self.ends[side].numbers.is_live() {
                moves.push(Move::Together(side));
            }
            self.calls(side, &mut moves);
            if self.ends[side].connection.next_deadline().is_some() {
                moves.extend([Move::Timer(side), Move::Late(side)]);
            }
            if self.left.forgeries > 0 {
                let forged = attack::steps(&self.ends[side], self.now).len();
                moves.extend((0..u8::try_from(forged).unwrap_or(u8::MAX)).map(|which| Move::Forge(side, which)));
            }
            if self.ends[side].numbers.is_live() {
                moves.push(Move::Reboot(side));
            }
        }
        let mut left = self.left;
        moves.retain(|step| left.of(*step).is_none_or(|left| *left > 0));
        moves
    }

    fn calls(&self, side: usize, moves: &mut Vec<Move>) {
        let (end, role) = (&self.ends[side], &self.setting.roles[side]);
        let user = &end.user;
        let mut call = |call| moves.push(Move::Call(side, call));
        if user.over.is_none() && !matches!(end.numbers.state, State::Closed | State::Listen) {
            if self.can_send(side) {
                call(Call::Send);
            }
            if user.unread > 0 && role.reads != Reads::AtOnce {
                call(Call::Consume);
            }
            if role.closes && !user.closed {
                call(Call::Close);
            }
            if role.releases && !user.closed {
                call(Call::Release);
            }
            [Call::Abort, Call::Cork, Call::Uncork, Call::Narrow, Call::Widen].into_iter().for_each(&mut call);
            if user.cut {
                call(Call::Continue);
            }
        }
        if user.returned {
            call(Call::Rearm);
        }
        if user.over.is_some() && user.opens > 0 {
            moves.push(Move::Open(side));
        }
    }

    /// Whether the user has a piece of text left, and the queue has room for it.
    pub(crate) fn can_send(&self, side: usize) -> bool {
        let (end, script) = (&self.ends[side], &self.setting.roles[side].script);
        let piece = script.get(usize::from(end.user.pieces));
        let room = end.connection.send_room();
        !end.user.closed && piece.is_some_and(|&piece| usize::from(piece) <= room)
    }
}

impl Move {
    /// A line of the ladder.
    pub(crate) fn told(self, world: &World<'_>) -> String {
        let segment = |side: usize, at: u8| &*world.wires[side][usize::from(at)].segment;
        match self {
            Self::Deliver(side, at) => {
                let overtakes = if at == 0 { "" } else { ", overtaking" };
                ladder::arrives(side, segment(side, at), &format!("arrives{overtakes}"))
            }
            Self::Repeat(side, at) => ladder::arrives(side, segment(side, at), "arrives, and will again"),
            Self::Together(side) => ladder::at(side, "all of these arrive at once"),
            Self::Lose(side, at) => ladder::arrives(side, segment(side, at), "is lost"),
            Self::Mark(side, at) => ladder::arrives(side, segment(side, at), "is marked CE"),
            Self::Timer(side) | Self::Late(side) => {
                let late = if matches!(self, Self::Late(_)) { ", 3 s late" } else { "" };
                let timer = world.ends[side].connection.next_deadline().map(|(timer, _)| timer.to_string());
                ladder::at(side, &format!("{}{late}", timer.unwrap_or_default()))
            }
            Self::Call(side, call) => ladder::at(side, &format!("{call:?}").to_uppercase()),
            Self::Forge(side, which) => {
                let forged = attack::steps(&world.ends[side], world.now).into_iter().nth(which.into());
                forged.map_or_else(String::new, |(name, segment)| {
                    ladder::arrives(side, &segment, &format!("forged: {name}"))
                })
            }
            Self::Reboot(side) => ladder::at(side, "reboots"),
            Self::Open(side) => ladder::at(side, "OPEN"),
        }
    }
}
