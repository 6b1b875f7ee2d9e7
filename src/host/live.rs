//! What an endpoint keeps for a connection beside the connection, and how it takes the actions.

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::flow::Flow;
use super::listener::Ticket;
use super::signal::{Id, Pending, Signal};
use crate::connection::Open;
use crate::features::SHORTCUTS;
use crate::{Action, Arc, CloseReason, Config, Connection, Controller, Segment, SeqNum, Sink, TimeWait};

/// The key of a listener in an endpoint.
pub(super) type Port = u32;

/// The most pieces that are as they came: a host that receives and does not flush keeps no more frames.
const MOST_FRESH: usize = 16;

/// Who owns a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Owner {
    /// The handshake of a passive open is not complete.
    HalfOpen(Port, Ticket),
    /// It waits for the user to accept it.
    Ready(Port, Ticket),
    /// A user.
    User,
    /// Nobody: the user released or aborted it.
    Nobody,
}

/// What a handshake came to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Opening {
    Nothing,
    /// Something about Fast Open.
    #[cfg(feature = "fast-open")]
    News,
    /// The user may send.
    Connected,
}

/// A connection in the table.
#[derive(Clone, Debug)]
pub(super) struct Live<C: Controller> {
    pub(super) connection: Connection<C>,
    /// The batch of this turn, when it has begun.
    pub(super) open: Option<Open>,
    pub(super) side: Side,
}

impl<C: Controller> Live<C> {
    /// For a part of the batch of this turn, which begins with the first one.
    /// `is_dirty`: whether its place is in the queue of those whose batch has begun, which it `joins`.
    pub(super) fn begin(
        &mut self,
        is_dirty: &mut bool,
        joins: impl FnOnce(),
    ) -> (&mut Connection<C>, &mut Open, &mut Side) {
        let Self { connection, open, side } = self;
        let open = open.get_or_insert_with(|| {
            if !core::mem::replace(is_dirty, true) {
                joins();
            }
            connection.open_batch(SHORTCUTS)
        });
        (connection, open, side)
    }
}

/// The host's side of a connection.
#[derive(Clone, Debug)]
pub(super) struct Side {
    pub(super) flow: Flow,
    pub(super) owner: Owner,
    pub(super) config: Arc<Config>,
    /// Delivered text that the user has not read, and its octets.
    pub(super) inbox: VecDeque<Bytes>,
    pub(super) unread: usize,
    /// Pieces at the end of the inbox that are as they came: who reads in the turn gets them without a copy.
    pub(super) fresh: usize,
    /// Octets delivered since the window was last let grow.
    pub(super) delivered: usize,
    pub(super) pending: Pending,
    /// Whether the id is in the queue of those with signals.
    pub(super) queued: bool,
    /// Whether text that arrives is news, once this number of octets wait.
    pub(super) watches: bool,
    pub(super) low_water: usize,
    /// The user waits until this number of octets is acknowledged; 0: all, a SYN and a FIN as well.
    pub(super) wants_flushed: Option<usize>,
    /// A write took less than it was given because the send buffer was full.
    pub(super) wants_room: bool,
    pub(super) peer_closed: bool,
    /// A write took less than it was given because the budget was used up: the number among those that wait for it.
    pub(super) starved: Option<u64>,
    /// What the handshake came to, since the last look.
    pub(super) opening: Opening,
    /// What Fast Open did since then, and the listener where the connection counts as pending.
    #[cfg(feature = "fast-open")]
    pub(super) fast_open: super::fast_open::News,
    #[cfg(feature = "fast-open")]
    pub(super) pending_at: Option<Port>,
    /// Octets that the peer acknowledged, since the last look.
    pub(super) acked: usize,
    /// The end, since the last look.
    pub(super) closed: Option<CloseReason>,
    /// A SYN that may open the next connection of the flow.
    pub(super) successor: Option<(Box<Segment>, SeqNum)>,
    /// What the budget holds for the receive window, and for text to send.
    pub(super) window: usize,
    pub(super) sending: usize,
    /// What the user lets the receive window grow to.
    pub(super) receive_limit: u32,
}

impl Side {
    pub(super) fn new(flow: Flow, owner: Owner, config: Arc<Config>) -> Self {
        Self {
            receive_limit: config.receive_buffer(),
            flow,
            owner,
            config,
            inbox: VecDeque::new(),
            unread: 0,
            fresh: 0,
            delivered: 0,
            pending: Pending::default(),
            queued: false,
            watches: true,
            low_water: 1,
            wants_flushed: None,
            wants_room: false,
            peer_closed: false,
            starved: None,
            opening: Opening::Nothing,
            #[cfg(feature = "fast-open")]
            fast_open: super::fast_open::News::default(),
            #[cfg(feature = "fast-open")]
            pending_at: None,
            acked: 0,
            closed: None,
            successor: None,
            window: 0,
            sending: 0,
        }
    }

    /// Whether signals wait that the queue does not know of, and there is a user for them.
    pub(super) fn has_news(&self) -> bool {
        !self.queued && !self.pending.is_empty() && self.owner == Owner::User
    }

    /// The user has read this number of octets; where fewer than the mark are left, the next text is news.
    pub(super) fn on_read(&mut self, octets: usize) {
        self.unread = self.unread.saturating_sub(octets);
        if self.unread < self.low_water {
            self.watches = true;
        }
        if self.unread == 0 {
            self.pending.drop_readable();
            self.inbox.shrink_to(4);
        }
    }

    /// The user writes no more.
    pub(super) fn stop_writing(&mut self) {
        self.wants_room = false;
        self.pending.drop_writable();
    }

    /// The receive window grows no further than this; it may become smaller.
    pub(super) fn set_receive_limit(&mut self, octets: u32) {
        self.receive_limit = octets;
        self.set_low_water(self.low_water);
    }

    /// The user wants to hear of this number of octets. Half of the receive buffer stays open beyond it, which is never less
    /// than at first, unless the user wants it smaller: so the peer can always send what is missing (RFC 9293 §3.8.6.2.1).
    pub(super) fn set_low_water(&mut self, octets: usize) -> usize {
        let buffer = self.config.receive_buffer_initial().min(self.config.receive_buffer()).min(self.receive_limit);
        self.low_water = octets.min(usize::try_from(buffer / 2).unwrap_or(usize::MAX)).max(1);
        self.watches |= self.unread < self.low_water;
        self.tell_readable(if self.peer_closed { 1 } else { self.low_water });
        self.low_water
    }

    /// Text that waits is news from this number of octets on.
    fn tell_readable(&mut self, mark: usize) {
        if self.watches && self.unread >= mark {
            self.watches = false;
            self.pending.add(Signal::Readable);
        }
    }

    /// What the user left of the text of this turn waits without the frames that it came in.
    pub(super) fn keep_fresh(&mut self) {
        let fresh = core::mem::take(&mut self.fresh).min(self.inbox.len());
        if fresh > 0 {
            let pieces = self.inbox.split_off(self.inbox.len() - fresh);
            pieces.into_iter().for_each(|text| self.keep(text));
        }
    }

    /// Nobody will read.
    pub(super) fn drop_inbox(&mut self) {
        self.inbox = VecDeque::new();
        self.unread = 0;
    }

    /// Text that waits for the user, without the frames that it came in: pieces pin no more than twice their size, and two
    /// that touch hold `copy_below` octets at least. So a peer that sends octet by octet fills no more than the window.
    fn keep(&mut self, text: Bytes) {
        let copy_below = usize::from(self.config.copy_below());
        if let Some(last) = self.inbox.back_mut().filter(|last| last.len() + text.len() < copy_below) {
            let mut both = BytesMut::with_capacity(last.len() + text.len());
            both.extend_from_slice(last);
            both.extend_from_slice(&text);
            *last = both.freeze();
            return;
        }
        let frame = usize::try_from(self.config.frame_size()).unwrap_or(usize::MAX);
        let pins = text.len() < copy_below || frame > text.len().saturating_mul(2);
        self.inbox.push_back(if pins { Bytes::copy_from_slice(&text) } else { text });
    }

    /// Some of what the user waits for is acknowledged.
    fn on_acked(&mut self, octets: usize) {
        match self.wants_flushed {
            Some(left) if left > octets => self.wants_flushed = Some(left - octets),
            Some(left) if left > 0 => {
                self.wants_flushed = None;
                self.pending.add(Signal::Flushed);
            }
            Some(_) | None => {}
        }
    }

    /// One action of the connection. A segment goes to `transmit`.
    fn take(&mut self, action: Action, transmit: &mut dyn FnMut(&Flow, Segment)) {
        match action {
            Action::Transmit(segment) => transmit(&self.flow, segment),
            Action::Deliver(_) if self.owner == Owner::Nobody => {} // nobody reads it
            Action::Deliver(text) => {
                self.unread += text.len();
                self.delivered = self.delivered.saturating_add(text.len());
                self.inbox.push_back(text);
                self.fresh += 1;
                if self.fresh == MOST_FRESH {
                    self.keep_fresh();
                }
                self.tell_readable(self.low_water);
            }
            Action::PeerClosed => {
                self.peer_closed = true;
                self.tell_readable(1); // the rest
                self.pending.add(Signal::PeerClosed);
            }
            Action::Connected => self.opening = Opening::Connected,
            Action::Acked(octets) => {
                self.acked += octets;
                self.on_acked(octets);
            }
            Action::Writable => {
                if core::mem::take(&mut self.wants_room) {
                    self.pending.add(Signal::Writable);
                }
            }
            Action::Flushed => {
                if self.wants_flushed.take().is_some() {
                    self.pending.add(Signal::Flushed);
                }
            }
            Action::Successor { syn, iss_after } => self.successor = Some((syn, iss_after)),
            Action::Report(report) => {
                #[cfg(feature = "fast-open")]
                if self.fast_open.note(&report) {
                    self.opening = self.opening.max(Opening::News);
                }
                self.pending.add(Signal::Report(report));
            }
            Action::Closed(reason) => self.closed = Some(reason),
            // The deadline is asked for at the end; a burst that was cut goes on by its timer; urgent text is text.
            Action::SetTimer(..)
            | Action::MorePending
            | Action::Urgent { .. }
            | Action::ReturnedToListen
            | Action::Discarded(_) => {}
        }
    }
}

/// The sink of a connection in the table.
pub(super) struct Taker<'a> {
    pub(super) side: &'a mut Side,
    pub(super) transmit: &'a mut dyn FnMut(&Flow, Segment),
}

impl Sink for Taker<'_> {
    fn push(&mut self, action: Action) {
        self.side.take(action, self.transmit);
    }
}

/// A connection in TIME-WAIT.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) value: TimeWait,
    pub(super) flow: Flow,
    pub(super) config: Arc<Config>,
}

// The state of TCP in 64 octets, and who it is: two addresses of IPv6, two ports, the configuration.
const _: () = assert!(size_of::<Waiting>() <= 112);

/// The previous incarnation of a connection, in TIME-WAIT.
#[derive(Clone, Copy, Debug)]
pub(super) struct Previous {
    pub(super) id: Id,
    /// The last number that it used, which the ISS has to pass (MAY-2).
    pub(super) last: SeqNum,
}

/// A SYN that a gate holds.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) flow: Flow,
    pub(super) syn: Segment,
    /// In TIME-WAIT until the SYN is admitted; its flow is not in the table meanwhile.
    pub(super) previous: Option<Previous>,
    pub(super) port: Port,
    pub(super) ticket: Ticket,
    /// The number among those that nobody was told of.
    pub(super) untold: Option<u64>,
}
