//! The user of one end of a flow: it acts when it is told something, and at the times of its program.

use std::time::Duration;

use bytes::Bytes;
use segue::host::Signal;
use segue::{CloseReason, Instant};
use segue_kit::net::{Closing, Reading, Side, text};

use super::plan::Program;

/// What a user sees of a socket, segue's or another's.
pub(super) trait Socket {
    fn readable(&self) -> usize;
    /// Takes at most `most` octets and tells how many; 0: no more are there.
    fn read(&mut self, most: usize, sink: &mut dyn FnMut(&[u8])) -> usize;
    fn eof(&self) -> bool;
    /// How many octets were taken.
    fn write(&mut self, text: Bytes) -> Result<usize, String>;
    fn close(&mut self) -> Result<(), String>;
    fn notify_flushed(&mut self);
    fn set_low_water(&mut self, octets: usize) -> usize;
}

/// How it ended for the user.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Over {
    Closed(CloseReason),
    /// The user went away by itself.
    Left,
    /// The host was started anew.
    Rebooted,
}

/// What the user does at last, if it does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Leave {
    Abort,
    Release,
}

/// One user.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) flow: usize,
    pub(super) side: Side,
    pub(super) began: Instant,
    pub(super) connected: bool,
    pub(super) written: u64,
    pub(super) read: u64,
    /// It was told of text, of room, and has not found that there is none.
    may_read: bool,
    may_write: bool,
    pub(super) eof: bool,
    /// It was told of the peer's close, maybe before it has read all.
    pub(super) heard: bool,
    pub(super) closed: bool,
    pub(super) over: Option<Over>,
    asked: bool,
    pub(super) flushed: bool,
    mark: usize,
    next_write: Instant,
    next_read: Instant,
    paused: bool,
    last_read: Instant,
    peer_closed: Option<Instant>,
}

impl Task {
    pub(super) fn new(flow: usize, side: Side, now: Instant) -> Self {
        Self {
            flow,
            side,
            began: now,
            connected: side == Side::Server,
            written: 0,
            read: 0,
            may_read: false,
            may_write: true,
            eof: false,
            heard: false,
            closed: false,
            over: None,
            asked: false,
            flushed: false,
            mark: 0,
            next_write: now,
            next_read: now,
            paused: false,
            last_read: now,
            peer_closed: None,
        }
    }

    /// Is told something.
    pub(super) fn told(&mut self, signal: Signal) {
        assert!(self.over.is_none(), "{signal} after the end");
        match signal {
            Signal::Connected => {
                assert!(!self.connected, "connected a second time");
                self.connected = true;
            }
            Signal::Readable => self.may_read = true,
            Signal::PeerClosed => (self.may_read, self.heard) = (true, true),
            Signal::Writable => self.may_write = true,
            Signal::Flushed => {
                assert!(self.asked && !self.flushed, "flushed, and nobody asked");
                self.flushed = true;
            }
            Signal::Closed(reason) => self.over = Some(Over::Closed(reason)),
            _ => {}
        }
    }

    /// A socket that has no signals: there may be text and room at any time.
    pub(super) fn polls(&mut self) {
        (self.may_read, self.may_write) = (true, true);
    }

    /// Does all it wants to do now.
    pub(super) fn act(
        &mut self,
        program: &Program,
        socket: &mut dyn Socket,
        now: Instant,
    ) -> Result<Option<Leave>, String> {
        match program.closing {
            Closing::Abort(after) if now >= self.began + after => return Ok(Some(Leave::Abort)),
            Closing::Release(after) if now >= self.began + after => return Ok(Some(Leave::Release)),
            _ => {}
        }
        if program.low_water > 0 && self.mark == 0 {
            self.mark = socket.set_low_water(program.low_water as usize);
        }
        self.reads(program, socket, now)?;
        self.writes(program, socket, now)?;
        if program.flushed && !self.asked && self.written == program.octets && self.connected && !self.closed {
            self.asked = true;
            socket.notify_flushed();
        }
        if self.close_time(program).is_some_and(|at| now >= at) {
            self.closed = true;
            socket.close()?;
        }
        Ok(None)
    }

    /// The connection is over, and text may wait.
    pub(super) fn rest(&mut self, program: &Program, socket: &mut dyn Socket, now: Instant) -> Result<(), String> {
        self.may_read = true;
        self.reads(program, socket, now)
    }

    fn reads(&mut self, program: &Program, socket: &mut dyn Socket, now: Instant) -> Result<(), String> {
        while self.may_read && now >= self.next_read {
            let most = match program.reading {
                Reading::Eager => usize::MAX,
                Reading::Pause { at, length } => {
                    if !self.paused && self.read >= u64::from(at) {
                        self.paused = true;
                        self.next_read = now + length;
                        return Ok(());
                    }
                    usize::MAX
                }
                Reading::Late(until) => {
                    self.next_read = self.next_read.max(self.began + until);
                    if now < self.next_read {
                        return Ok(());
                    }
                    usize::MAX
                }
                Reading::Sips { octets, every } => {
                    self.next_read = now + every;
                    octets as usize
                }
            };
            let mut taken = 0;
            while taken < most {
                let mut checked = Ok(());
                let took = socket.read(most - taken, &mut |octets| checked = self.check(octets));
                checked?;
                if took == 0 {
                    break;
                }
                taken += took;
            }
            if taken > 0 {
                self.last_read = now;
            }
            self.may_read = socket.readable() > 0;
            self.eof |= socket.eof();
            if self.eof && self.peer_closed.is_none() {
                self.peer_closed = Some(now);
            }
            if !matches!(program.reading, Reading::Sips { .. }) && taken == 0 {
                break;
            }
        }
        Ok(())
    }

    /// The text is the peer's, and goes on where it stopped.
    fn check(&mut self, octets: &[u8]) -> Result<(), String> {
        let position = phase(self.flow) + self.read;
        if !segue_kit::net::is_text(self.side.other(), position, octets) {
            let (side, read) = (self.side.name(), self.read);
            return Err(format!("the {side} read octets that were not sent, from {read} on"));
        }
        self.read += octets.len() as u64;
        Ok(())
    }

    fn writes(&mut self, program: &Program, socket: &mut dyn Socket, now: Instant) -> Result<(), String> {
        while self.wants_to_write(program) && self.may_write && now >= self.next_write {
            let len = u64::from(program.chunk.max(1)).min(program.octets - self.written) as usize;
            let text = text(self.side, phase(self.flow) + self.written, len);
            let offered = text.len();
            let took = socket.write(text)?;
            self.written += took as u64;
            self.may_write = took == offered;
            self.next_write = now + program.pause;
        }
        Ok(())
    }

    const fn wants_to_write(&self, program: &Program) -> bool {
        !self.closed && self.written < program.octets && self.read >= program.answers
    }

    fn close_time(&self, program: &Program) -> Option<Instant> {
        if self.closed || !self.connected || self.written < program.octets {
            return None;
        }
        match program.closing {
            Closing::WhenWritten => Some(self.began),
            Closing::AfterPeer(pause) => self.peer_closed.map(|at| at + pause),
            Closing::AfterText(octets, pause) => (self.read >= octets).then(|| self.last_read + pause),
            Closing::At(after) => Some(self.began + after),
            Closing::Abort(_) | Closing::Release(_) | Closing::Never => None,
        }
    }

    /// When it wants to do something, if only time keeps it from that; a time that is past: it waits for something else.
    pub(super) fn ticks(&self, program: &Program) -> [Option<Instant>; 4] {
        let read = self.may_read.then_some(self.next_read);
        if self.over.is_some() {
            return [read, None, None, None];
        }
        let leave = match program.closing {
            Closing::Abort(after) | Closing::Release(after) => Some(self.began + after),
            _ => None,
        };
        let write = (self.wants_to_write(program) && self.may_write).then_some(self.next_write);
        [leave, read, write, self.close_time(program)]
    }

    /// The law of a flow that nothing has stopped.
    pub(super) fn is_complete(&self, program: &Program, peer: &Program) -> Result<(), String> {
        let side = self.side.name();
        let (written, read) = (self.written, self.read);
        if written != program.octets || read != peer.octets || !(self.eof || self.heard) {
            let (to_write, to_read) = (program.octets, peer.octets);
            let why = self.over;
            return Err(format!(
                "the {side} is stuck: {written} of {to_write} octets written, {read} of {to_read} read ({why:?})"
            ));
        }
        let finished = self.over == Some(Over::Closed(CloseReason::Finished));
        if finished && self.asked && !self.flushed {
            return Err(format!("the {side} was never told that all is acknowledged"));
        }
        Ok(())
    }
}

/// Where the text of a flow begins in the text of its side, so that those of two flows differ.
const fn phase(flow: usize) -> u64 {
    flow as u64 * 7919
}

/// The longest that a program takes by itself, with this window.
pub(super) fn by_itself(program: &Program, peer: &Program, window: u32) -> Duration {
    let steps = |octets: u64, each: u64| u32::try_from(octets / each.max(1) + 1).unwrap_or(u32::MAX);
    let sips = match program.reading {
        Reading::Sips { octets, every } => every * steps(peer.octets, octets.min(window / 2).into()),
        Reading::Pause { length, .. } => length,
        _ => Duration::ZERO,
    };
    let closing = match program.closing {
        Closing::AfterPeer(pause) | Closing::AfterText(_, pause) => pause,
        _ => Duration::ZERO,
    };
    closing + sips + program.pause * steps(program.octets, program.chunk.into())
}
