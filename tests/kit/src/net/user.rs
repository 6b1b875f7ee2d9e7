//! A user: writes what its plan says, reads as fast as its plan allows, closes when its plan tells it to.

use bytes::Bytes;
use segue::{Action, CloseReason, Error, Instant};

use super::{Closing, End, Input, Opening, Reading, Reply, Side, is_text, text};

/// The user of one end and everything it was told.
#[derive(Clone, Debug)]
pub struct User {
    side: Side,
    start: Instant,
    /// The user opened actively: it may send before the connection is established.
    active: bool,
    pub connected: bool,
    /// Octets that SEND took, and that the machine said are acknowledged.
    pub written: u64,
    pub acked: u64,
    /// Octets delivered, and delivered and not consumed.
    pub delivered: u64,
    pub unread: u64,
    /// When text came last.
    last_text: Instant,
    pub peer_closed: Option<Instant>,
    pub close_called: bool,
    pub closed: Option<CloseReason>,
    /// The user aborted or left.
    pub gone: bool,
    blocked: bool,
    next_write: Instant,
    next_read: Instant,
    paused: bool,
    /// When the user's one long pause in reading was over.
    pub rested: Instant,
}

impl User {
    pub fn new(side: Side, opening: Opening, start: Instant) -> Self {
        Self {
            side,
            start,
            active: side == Side::Client || opening == Opening::Simultaneous,
            connected: false,
            written: 0,
            acked: 0,
            delivered: 0,
            unread: 0,
            last_text: start,
            peer_closed: None,
            close_called: false,
            closed: None,
            gone: false,
            blocked: false,
            next_write: start,
            next_read: start,
            paused: false,
            rested: start,
        }
    }

    /// What the machine tells the user. Delivered text must be the peer's, in order, between `Connected` and
    /// `PeerClosed`.
    pub fn told(&mut self, action: &Action, now: Instant) {
        let answers = matches!(action, Action::Transmit(_) | Action::Discarded(_)); // as any TCP without a connection
        assert!(self.closed.is_none() || answers, "{action:?} after Closed");
        match action {
            Action::Connected => {
                assert!(!self.connected, "Connected a second time");
                self.connected = true;
            }
            Action::Deliver(octets) => {
                assert!(self.connected, "text delivered before Connected");
                assert!(self.peer_closed.is_none(), "text delivered after PeerClosed");
                assert!(!octets.is_empty(), "an empty delivery");
                assert!(
                    is_text(self.side.other(), self.delivered, octets),
                    "octets {}.. delivered are not those that were sent: {octets:?}",
                    self.delivered
                );
                self.delivered += octets.len() as u64;
                self.unread += octets.len() as u64;
                self.last_text = now;
            }
            Action::PeerClosed => {
                assert!(self.connected, "PeerClosed before Connected");
                assert!(self.peer_closed.replace(now).is_none(), "PeerClosed a second time");
            }
            Action::Acked(octets) => {
                self.acked += *octets as u64;
                assert!(*octets > 0 && self.acked <= self.written, "more acknowledged than written");
            }
            Action::Flushed => assert_eq!(self.acked, self.written, "Flushed although text is not acknowledged"),
            Action::Writable => self.blocked = false,
            Action::Closed(reason) => self.closed = Some(*reason),
            Action::ReturnedToListen => self.connected = false,
            _ => {}
        }
    }

    /// The user's next call at this time, if there is one.
    pub fn poll(&mut self, end: &End, now: Instant) -> Option<Input> {
        if self.closed.is_some() || self.gone {
            return None;
        }
        match end.closing {
            Closing::Abort(after) if now >= self.start + after => {
                self.gone = true;
                return Some(Input::Abort);
            }
            Closing::Release(after) if now >= self.start + after => {
                self.gone = true;
                self.close_called = true;
                return Some(Input::Release);
            }
            _ => {}
        }
        if let Some(octets) = self.reads(end, now) {
            self.unread -= octets;
            return Some(Input::Consume(octets as usize));
        }
        if self.may_write(end) && now >= self.write_time(end) {
            self.next_write = now + end.pause;
            let len = u64::from(end.chunk).min(self.due(end, now) - self.written);
            let octets = text(self.side, self.written, len as usize);
            return Some(if end.urgent { Input::SendUrgent(octets) } else { Input::Send(octets) });
        }
        if self.close_time(end).is_some_and(|at| now >= at) {
            self.close_called = true;
            return Some(Input::Close);
        }
        None
    }

    /// The user learns what became of its SEND: so much was taken, the rest was refused.
    pub fn sent(&mut self, octets: usize, reply: &Reply) {
        let taken = octets - reply.rest;
        match reply.error {
            None => assert!(taken > 0, "a SEND that took nothing and gave no error"),
            Some(Error::NoRoom { room }) => assert!(room < octets && taken == 0, "NoRoom although there is room"),
            Some(error) => panic!("SEND refused: {error}"),
        }
        self.written += taken as u64;
        self.blocked = reply.rest > 0;
    }

    /// When the user will want to do something, if only time keeps it from doing so.
    pub fn next_tick(&self, end: &End) -> Option<Instant> {
        if self.closed.is_some() || self.gone {
            return None;
        }
        let leave = match end.closing {
            Closing::Abort(after) | Closing::Release(after) => Some(self.start + after),
            _ => None,
        };
        let read = (self.unread > 0).then_some(self.next_read);
        let write = self.may_write(end).then(|| self.write_time(end));
        [leave, read, write, self.close_time(end)].into_iter().flatten().min()
    }

    fn may_write(&self, end: &End) -> bool {
        let speaks = (self.connected || self.active) && self.delivered >= end.answers;
        speaks && !self.blocked && !self.close_called && self.written < end.octets
    }

    /// The text that goes with the SYN, if the user has any to write by then.
    pub fn opens_with(&mut self, end: &End, now: Instant) -> Bytes {
        let due = if end.answers == 0 && !end.urgent { self.due(end, now) } else { 0 };
        let octets = due.min(end.chunk.into()).min(end.config.send_buffer().into());
        let text = text(self.side, 0, octets as usize);
        self.written = text.len() as u64;
        if !text.is_empty() {
            self.next_write = now + end.pause;
        }
        text
    }

    /// Octets that are to be written by now.
    fn due(&self, end: &End, now: Instant) -> u64 {
        if end.pieces.is_empty() {
            return end.octets;
        }
        let due = end.pieces.iter().filter(|(at, _)| self.start + *at <= now);
        due.map(|(_, octets)| u64::from(*octets)).sum::<u64>().min(end.octets)
    }

    /// When the user writes next; it has something to write.
    fn write_time(&self, end: &End) -> Instant {
        let mut times: Vec<Instant> = end.pieces.iter().map(|(at, _)| self.start + *at).collect();
        times.sort();
        let due = times.into_iter().find(|at| self.due(end, *at) > self.written);
        due.map_or(self.next_write, |due| due.max(self.next_write))
    }

    fn reads(&mut self, end: &End, now: Instant) -> Option<u64> {
        if self.unread == 0 || now < self.next_read {
            return None;
        }
        match end.reading {
            Reading::Eager => Some(self.unread),
            Reading::Pause { at, length } => {
                if !self.paused && self.delivered >= u64::from(at) {
                    self.paused = true;
                    self.next_read = now + length;
                    self.rested = self.next_read;
                    return None;
                }
                Some(self.unread)
            }
            Reading::Late(until) => {
                self.next_read = self.next_read.max(self.start + until);
                (now >= self.next_read).then_some(self.unread)
            }
            Reading::Sips { octets, every } => {
                self.next_read = now + every;
                Some(self.unread.min(u64::from(octets)))
            }
        }
    }

    fn close_time(&self, end: &End) -> Option<Instant> {
        if self.close_called || !self.connected || self.written < end.octets {
            return None;
        }
        match end.closing {
            Closing::WhenWritten => Some(self.start),
            Closing::AfterPeer(pause) => self.peer_closed.map(|at| at + pause),
            Closing::AfterText(octets, pause) => (self.delivered >= octets).then(|| self.last_text + pause),
            Closing::At(after) => Some(self.start + after),
            Closing::Abort(_) | Closing::Release(_) | Closing::Never => None,
        }
    }
}
