//! User calls (RFC 9293 §3.10.1 to §3.10.6): what each does in each state.

use core::ops::ControlFlow::{Break, Continue};

use super::icmp::{Verdict, judge};
use super::state::{LiveState, Origin, Step, Stop};
use super::syn_sent::SynSent;
use super::tcb::{Cx, Tcb};
use super::{Connection, Phase};
use crate::send::Fin;
use crate::time::Micros;
use crate::{Action, CloseReason, Controller, Error, Event, IcmpKind, Instant, Report, Secrets, SeqNum, Timer};
use alloc::vec::Vec;
use bytes::Bytes;

impl<C: Controller> Connection<C> {
    /// SEND: takes the octets from the front of `data` that fit the send buffer and leaves the rest there.
    ///
    /// # Errors
    /// [`Error::NoRoom`] when nothing fits (wait for [`Action::Writable`]), [`Error::RemoteUnspecified`] in LISTEN,
    /// [`Error::Closing`] after CLOSE, [`Error::NotConnected`] in CLOSED. `data` is unchanged then.
    ///
    /// ```
    /// # use segue::{Action, Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// # let of = |a: &Action| if let Action::Transmit(segment) = a { Some(segment.clone()) } else { None };
    /// # let sent = |actions: &[Action]| actions.iter().find_map(of).expect("a segment");
    /// # let (mut client, syn) = Connection::connect(config.clone(), path, secrets(100), now);
    /// # let (mut server, syn_ack) = Connection::accept(config.clone(), path, secrets(300), sent(&syn), now);
    /// # let ack = client.handle_segment(sent(&syn_ack), now);
    /// # server.handle_segment(sent(&ack), now);
    /// let mut text = "GET /".into();
    /// let actions = client.send(&mut text, now)?;
    /// assert!(text.is_empty()); // all of it fitted
    /// assert_eq!(&sent(&actions).payload[..], b"GET /");
    /// # Ok::<(), segue::Error>(())
    /// ```
    pub fn send(&mut self, data: &mut Bytes, now: Instant) -> Result<Vec<Action>, Error> {
        let fits = data.len().min(self.send_room());
        if fits == 0 && !data.is_empty() {
            self.check_call(&Event::Send(data.clone()))?;
        }
        self.check_call(&Event::Send(Bytes::new()))?;
        let mut actions = Vec::new();
        self.handle(Event::Send(data.split_to(fits)), now, &mut actions)?;
        Ok(actions)
    }

    /// RECEIVE's effect on the receive window: the user took this number of delivered octets. A larger number counts as
    /// all of them.
    ///
    /// ```
    /// # use segue::{Action, Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// # let of = |a: &Action| if let Action::Transmit(segment) = a { Some(segment.clone()) } else { None };
    /// # let sent = |actions: &[Action]| actions.iter().find_map(of).expect("a segment");
    /// # let (mut client, syn) = Connection::connect(config.clone(), path, secrets(100), now);
    /// # let (mut server, syn_ack) = Connection::accept(config.clone(), path, secrets(300), sent(&syn), now);
    /// # let ack = client.handle_segment(sent(&syn_ack), now);
    /// # server.handle_segment(sent(&ack), now);
    /// let request = sent(&client.send(&mut "GET /".into(), now)?);
    /// server.handle_segment(request, now); // delivers it
    /// assert_eq!(server.info().unconsumed, 5);
    /// server.consume(5, now);
    /// assert_eq!(server.info().unconsumed, 0);
    /// # Ok::<(), segue::Error>(())
    /// ```
    pub fn consume(&mut self, octets: usize, now: Instant) -> Vec<Action> {
        self.actions_of(Event::Consume(octets), now)
    }

    /// CLOSE: a FIN follows the queued data. Receiving goes on until the peer closes. In SYN-SENT it deletes the connection
    /// and the data that waits for it (§3.10.4).
    ///
    /// # Errors
    /// [`Error::Closing`] when CLOSE was already called, [`Error::NotConnected`] in CLOSED.
    ///
    /// ```
    /// # use segue::{Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// # let of = |a: &Action| if let Action::Transmit(segment) = a { Some(segment.clone()) } else { None };
    /// # let sent = |actions: &[Action]| actions.iter().find_map(of).expect("a segment");
    /// # let (mut client, syn) = Connection::connect(config.clone(), path, secrets(100), now);
    /// # let (mut server, syn_ack) = Connection::accept(config.clone(), path, secrets(300), sent(&syn), now);
    /// # let ack = client.handle_segment(sent(&syn_ack), now);
    /// # server.handle_segment(sent(&ack), now);
    /// use segue::{Action, Error, Flags, State};
    /// let fin = sent(&client.close(now)?);
    /// assert!(fin.flags.contains(Flags::FIN) && client.state() == State::FinWait1);
    /// assert_eq!(client.close(now), Err(Error::Closing));
    /// assert!(server.handle_segment(fin, now).contains(&Action::PeerClosed));
    /// # Ok::<(), segue::Error>(())
    /// ```
    pub fn close(&mut self, now: Instant) -> Result<Vec<Action>, Error> {
        let mut actions = Vec::new();
        self.handle(Event::Close, now, &mut actions)?;
        Ok(actions)
    }

    /// The user is gone: CLOSE, but unread data draws a reset (SHLD-3), and FIN-WAIT-2 has a time limit.
    ///
    /// ```
    /// # use segue::{Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// # let of = |a: &Action| if let Action::Transmit(segment) = a { Some(segment.clone()) } else { None };
    /// # let sent = |actions: &[Action]| actions.iter().find_map(of).expect("a segment");
    /// # let (mut client, syn) = Connection::connect(config.clone(), path, secrets(100), now);
    /// # let (mut server, syn_ack) = Connection::accept(config.clone(), path, secrets(300), sent(&syn), now);
    /// # let ack = client.handle_segment(sent(&syn_ack), now);
    /// # server.handle_segment(sent(&ack), now);
    /// use segue::{Action, CloseReason, Flags};
    /// let request = sent(&client.send(&mut "GET /".into(), now)?);
    /// server.handle_segment(request, now);
    /// let actions = server.release(now); // nobody has read the request, and nobody will
    /// assert!(sent(&actions).flags.contains(Flags::RST));
    /// assert_eq!(actions.last(), Some(&Action::Closed(CloseReason::Unread)));
    /// # Ok::<(), segue::Error>(())
    /// ```
    pub fn release(&mut self, now: Instant) -> Vec<Action> {
        self.actions_of(Event::Release, now)
    }

    /// ABORT: a reset where the peer may still have a connection; nothing in CLOSED.
    ///
    /// ```
    /// # use segue::{Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// # let of = |a: &Action| if let Action::Transmit(segment) = a { Some(segment.clone()) } else { None };
    /// # let sent = |actions: &[Action]| actions.iter().find_map(of).expect("a segment");
    /// # let (mut client, syn) = Connection::connect(config.clone(), path, secrets(100), now);
    /// # let (mut server, syn_ack) = Connection::accept(config.clone(), path, secrets(300), sent(&syn), now);
    /// # let ack = client.handle_segment(sent(&syn_ack), now);
    /// # server.handle_segment(sent(&ack), now);
    /// use segue::{Action, CloseReason};
    /// let reset = sent(&client.abort(now));
    /// let actions = server.handle_segment(reset, now);
    /// assert_eq!(actions.last(), Some(&Action::Closed(CloseReason::Reset)));
    /// ```
    pub fn abort(&mut self, now: Instant) -> Vec<Action> {
        self.actions_of(Event::Abort, now)
    }

    /// Octets that SEND would take now; 0: the send buffer is full, and [`Action::Writable`] tells when it has room.
    ///
    /// # Errors
    /// The error of SEND: [`Error::RemoteUnspecified`] in LISTEN, [`Error::Closing`] after CLOSE,
    /// [`Error::NotConnected`] in CLOSED.
    ///
    /// ```
    /// # use segue::{Action, Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// # let of = |a: &Action| if let Action::Transmit(segment) = a { Some(segment.clone()) } else { None };
    /// # let sent = |actions: &[Action]| actions.iter().find_map(of).expect("a segment");
    /// # let (mut client, syn) = Connection::connect(config.clone(), path, secrets(100), now);
    /// # let (mut server, syn_ack) = Connection::accept(config.clone(), path, secrets(300), sent(&syn), now);
    /// # let ack = client.handle_segment(sent(&syn_ack), now);
    /// # server.handle_segment(sent(&ack), now);
    /// let room = client.writable()?;
    /// let mut text = vec![0; room + 1].into();
    /// client.send(&mut text, now)?;
    /// assert_eq!((client.writable()?, text.len()), (0, 1)); // the rest waits for `Action::Writable`
    /// # Ok::<(), segue::Error>(())
    /// ```
    pub fn writable(&self) -> Result<usize, Error> {
        self.check_call(&Event::Send(Bytes::new()))?;
        Ok(self.send_room())
    }

    /// Octets that SEND would take now: 0 where SEND is an error.
    ///
    /// ```
    /// # use segue::{Action, Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// # let of = |a: &Action| if let Action::Transmit(segment) = a { Some(segment.clone()) } else { None };
    /// # let sent = |actions: &[Action]| actions.iter().find_map(of).expect("a segment");
    /// # let (mut client, syn) = Connection::connect(config.clone(), path, secrets(100), now);
    /// # let (mut server, syn_ack) = Connection::accept(config.clone(), path, secrets(300), sent(&syn), now);
    /// # let ack = client.handle_segment(sent(&syn_ack), now);
    /// # server.handle_segment(sent(&ack), now);
    /// use segue::Error;
    /// assert_eq!(Ok(client.send_room()), client.writable());
    /// client.close(now)?;
    /// assert_eq!((client.send_room(), client.writable()), (0, Err(Error::Closing)));
    /// # Ok::<(), segue::Error>(())
    /// ```
    pub fn send_room(&self) -> usize {
        match self.phase.sender().filter(|snd| snd.fin == Fin::None) {
            Some(snd) => usize::try_from(snd.room(&self.config)).unwrap_or(usize::MAX),
            None => 0,
        }
    }

    /// The errors of SEND (§3.10.2).
    #[inline]
    pub(super) fn check_send(&self, octets: usize) -> Result<(), Error> {
        match &self.phase {
            Phase::Closed => return Err(Error::NotConnected),
            Phase::Listen(_) => return Err(Error::RemoteUnspecified),
            Phase::SynSent(_) | Phase::Live(_) => {}
        }
        if self.phase.sender().is_some_and(|snd| snd.fin != Fin::None) {
            return Err(Error::Closing);
        }
        let room = self.send_room();
        if octets > room { Err(Error::NoRoom { room }) } else { Ok(()) }
    }

    /// The errors of §3.10.2, §3.10.4: before anything changes.
    #[inline]
    pub(crate) fn check_call(&self, event: &Event) -> Result<(), Error> {
        match event {
            Event::Send(text) | Event::SendMore(text) | Event::SendUrgent(text) => self.check_send(text.len()),
            Event::Close | Event::Rearm(_) | Event::Set(_) => self.check_rare_call(event),
            Event::Segment(_)
            | Event::Segments(_)
            | Event::Batch(_)
            | Event::Timer(_)
            | Event::Consume(_)
            | Event::Release
            | Event::Abort
            | Event::Continue
            | Event::Mtu(_)
            | Event::Icmp { .. } => Ok(()),
        }
    }

    /// The errors of calls that a connection sees seldom: apart, so that the others have a short way.
    #[inline(never)]
    fn check_rare_call(&self, event: &Event) -> Result<(), Error> {
        match event {
            Event::Close => match &self.phase {
                Phase::Closed => Err(Error::NotConnected),
                Phase::Listen(_) | Phase::SynSent(_) => Ok(()),
                Phase::Live(tcb) => {
                    if tcb.snd.fin == Fin::None {
                        Ok(())
                    } else {
                        Err(Error::Closing)
                    }
                }
            },
            Event::Rearm(_) => match &self.phase {
                Phase::Listen(listen) if listen.secrets.is_none() => Ok(()),
                Phase::Closed | Phase::Listen(_) | Phase::SynSent(_) | Phase::Live(_) => Err(Error::NotWaiting),
            },
            Event::Set(knob) => self.check_knob(*knob).map_err(|_| Error::InvalidSetting),
            Event::Segment(_)
            | Event::Segments(_)
            | Event::Batch(_)
            | Event::Timer(_)
            | Event::Send(_)
            | Event::SendMore(_)
            | Event::SendUrgent(_)
            | Event::Consume(_)
            | Event::Release
            | Event::Abort
            | Event::Continue
            | Event::Mtu(_)
            | Event::Icmp { .. } => Ok(()),
        }
    }
}

impl<C: Controller> Phase<C> {
    /// SEND, pushed or not: the text waits for the flush. Urgent text ends where it ends: SND.UP (RFC 6093).
    pub(super) fn queue_text(&mut self, text: Bytes, push: bool, urgent: bool, cx: &Cx<'_, '_>) {
        let (snd, ack) = match self {
            Self::Closed | Self::Listen(_) => return,
            Self::SynSent(opening) => (&mut opening.snd, None),
            Self::Live(tcb) => (&mut tcb.snd, Some(&mut tcb.ack)),
        };
        let urgent = urgent && !text.is_empty(); // at least one octet of data (U-19)
        snd.queue(text, push, cx.config);
        if urgent {
            snd.urge();
            if let Some(ack) = ack.filter(|_| snd.wnd == 0 && !snd.syn) {
                ack.at_once(); // the pointer goes ahead of text that a closed window holds back (RFC 9293 §3.8.5)
            }
        }
    }

    /// RECEIVE: the user took text. Whether that makes a window update due.
    pub(super) fn take_text(&mut self, octets: usize) -> bool {
        let Self::Live(tcb) = self else { return false };
        tcb.rcv.consume(octets);
        let due = tcb.state.receives() && tcb.rcv.owes_update(tcb.eff_snd_mss);
        if due {
            tcb.ack.at_once();
        }
        due
    }

    pub(super) fn close_call(&mut self, cx: &mut Cx<'_, '_>) {
        match self {
            Self::Closed => {}
            Self::Listen(_) | Self::SynSent(_) => self.stop(Stop::Delete(CloseReason::Cancelled), cx),
            Self::Live(tcb) => tcb.close_call(),
        }
    }

    pub(super) fn release_call(&mut self, cx: &mut Cx<'_, '_>) {
        let step = match self {
            Self::Closed => Continue(()),
            Self::Listen(_) | Self::SynSent(_) => Break(Stop::Delete(CloseReason::Cancelled)),
            Self::Live(tcb) => tcb.release_call(cx),
        };
        if let Break(stop) = step {
            self.stop(stop, cx);
        }
    }

    pub(super) fn abort_call(&mut self, cx: &mut Cx<'_, '_>) {
        match self {
            Self::Closed => return,
            Self::Live(tcb) if tcb.abort_sends_reset() => tcb.transmit_reset(cx),
            Self::Listen(_) | Self::SynSent(_) | Self::Live(_) => {}
        }
        self.stop(Stop::Delete(CloseReason::Aborted), cx);
    }

    /// The host says what the MTU of the path is.
    pub(super) fn mtu(&mut self, mtu: u16, cx: &mut Cx<'_, '_>) {
        let mtu = mtu.max(cx.path.ip.min_mtu());
        match self {
            Self::Closed | Self::Listen(_) | Self::SynSent(_) => cx.path.mtu = mtu,
            Self::Live(tcb) => {
                let policy = tcb.mtu_policy(cx.config, cx.path);
                tcb.snd.path_mtu.on_told(mtu, cx.path.mtu, &policy, cx.now);
                tcb.set_mtu(mtu, cx.config, cx.path);
            }
        }
    }

    pub(super) fn icmp(&mut self, (kind, quoted_seq, mtu): (IcmpKind, SeqNum, u16), cx: &mut Cx<'_, '_>) {
        let Some(snd) = self.sender() else { return };
        let verdict = judge(snd, cx.path, kind, quoted_seq, mtu);
        #[cfg(feature = "fast-open")]
        if let (Self::SynSent(opening), true) = (&mut *self, !matches!(verdict, Verdict::Ignore)) {
            opening.doubt_fast_open(kind, cx);
        }
        match verdict {
            Verdict::Ignore => {}
            Verdict::Soft => cx.out.push(Action::Report(Report::Icmp(kind))), // MUST-47, SHLD-25
            Verdict::TooBig(claimed) => match self {
                Self::Closed | Self::Listen(_) | Self::SynSent(_) => {} // a SYN without text fits every link
                Self::Live(tcb) => tcb.too_big(quoted_seq, claimed, cx),
            },
            Verdict::Hard => self.stop(self.unreachable(kind), cx),
        }
    }

    /// A hard error while opening: the value that listens goes back to LISTEN, others end.
    fn unreachable(&self, kind: IcmpKind) -> Stop {
        match self {
            Self::Live(tcb) if tcb.origin == Origin::Listen => tcb.return_to_listen(CloseReason::Unreachable(kind)),
            Self::Closed | Self::Listen(_) | Self::SynSent(_) | Self::Live(_) => {
                Stop::Delete(CloseReason::Unreachable(kind))
            }
        }
    }

    pub(super) fn rearm(&mut self, secrets: Secrets) {
        if let Self::Listen(listen) = self {
            listen.secrets = Some(secrets);
        }
    }
}

impl<C: Controller> SynSent<C> {
    /// The timeouts of SYN-SENT: the SYN again, or the end of patience (MUST-22, MUST-23).
    pub(super) fn timeout(&mut self, (timer, late): (Timer, Micros), cx: &mut Cx<'_, '_>) -> Step {
        match timer {
            Timer::UserTimeout => return Break(Stop::Delete(CloseReason::ConnectTimeout)),
            Timer::Retransmit => {
                self.pending_since += late; // the host slept: that is no silence of the peer's
                cx.timers.clear(Timer::UserTimeout); // the flush sets it again
                let limit = u32::from(cx.config.syn_retries());
                if limit > 0 && u32::from(self.snd.repeats) >= limit {
                    return Break(Stop::Delete(CloseReason::ConnectTimeout)); // R2 as a count
                }
                self.snd.on_timeout(cx.out.counters, cx.now);
                #[cfg(feature = "fast-open")]
                self.refuse_fast_open(crate::FastOpenRefusal::Timeout, cx);
                if self.snd.repeats == cx.config.r1().into() {
                    cx.out.push(Action::Report(Report::Unresponsive { retransmissions: self.snd.repeats.into() }));
                }
            }
            Timer::TimeWait
            | Timer::FinWait2
            | Timer::Reorder
            | Timer::TailLossProbe
            | Timer::Persist
            | Timer::Override
            | Timer::KeepAlive
            | Timer::DelayedAck
            | Timer::Pace
            | Timer::Continue
            | Timer::Idle => {}
        }
        Continue(())
    }
}

impl<C: Controller> Tcb<C> {
    /// CLOSE: the FIN is queued behind the text (§3.10.4).
    fn close_call(&mut self) {
        self.snd.fin = Fin::Queued;
        if self.state == LiveState::Established {
            self.state = LiveState::FinWait1; // "In any case, enter FIN-WAIT-1 state"
        } // SYN-RECEIVED: the FIN waits for ESTABLISHED; CLOSE-WAIT: LAST-ACK when the FIN is sent
    }

    /// The user is gone. Text that it did not read is lost, and the peer is told (SHLD-3) as long as it waits for
    /// anything: in TIME-WAIT it has our ACK of all it sent, and a reset would only end our 2 MSL (MUST-13).
    fn release_call(&mut self, cx: &mut Cx<'_, '_>) -> Step {
        self.released = true;
        if self.rcv.user() > 0 && self.state != LiveState::TimeWait {
            return self.reset_unread(cx);
        }
        if self.snd.fin == Fin::None {
            self.close_call();
        }
        Continue(())
    }
}
