//! What arrives: packets and ICMP errors.

use super::Endpoint;
use super::open::bare;
use crate::codec::{Packet, PseudoHeader, opens, reset_for};
use crate::host::flow::Flow;
use crate::host::live::{Owner, Previous};
use crate::host::signal::{Gone, Received};
use crate::host::slots::Entry;
use crate::{Action, Connection, Controller, Event, Flags, IcmpKind, Instant, Segment, SeqNum};

/// Whether a segment for a half-open connection acknowledges something else than its SYN,ACK.
fn acknowledges_another<C: Controller>(connection: &Connection<C>, segment: &Segment) -> bool {
    let flags = segment.flags.intersection(Flags::SYN | Flags::ACK | Flags::RST);
    flags == Flags::ACK && !connection.is_news(segment.ack)
}

impl<C: Controller> Endpoint<C> {
    /// Whether there is a connection for this flow, in TIME-WAIT perhaps, or a SYN that waits at a gate.
    ///
    /// ```
    /// use segue::host::{Endpoint, EndpointConfig, Flow, Keys};
    /// let endpoint = Endpoint::new(Keys::new([7; 16]), EndpointConfig::default());
    /// let flow = Flow::new("192.0.2.1:80".parse()?, "198.51.100.7:49152".parse()?).expect("unicast");
    /// assert!(!endpoint.knows(&flow));
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    pub fn knows(&self, flow: &Flow) -> bool {
        self.find(flow).is_some()
    }

    /// A packet arrived between these addresses; its checksum is right ([`codec::decode`](crate::codec::decode)). All
    /// packets of a turn that belong to one connection share acknowledgments.
    ///
    /// Packets to other hosts are dropped if [`EndpointConfig::addresses`](crate::host::EndpointConfig::addresses) names
    /// this host's. No packet costs anything lasting unless it opens a connection within the limits.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys};
    /// # let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
    /// use segue::codec::{Packet, PseudoHeader};
    /// use segue::host::{Listen, Received};
    /// use segue::{Flags, Segment};
    /// tcp.listen(Listen::port(80))?;
    /// let addresses = PseudoHeader::new("198.51.100.7".parse()?, "192.0.2.1".parse()?).expect("one version");
    /// let syn = Segment { flags: Flags::SYN, window: 65535, ..Segment::default() };
    /// let received = tcp.receive(addresses, Packet { src_port: 49152, dst_port: 80, segment: syn }, now);
    /// assert!(matches!(received, Received::Opened(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn receive(&mut self, addresses: PseudoHeader, packet: Packet, now: Instant) -> Received {
        let Some(flow) = Flow::of_received(addresses, &packet) else { return Received::Unusable };
        if !self.config.is_own(addresses.dst()) {
            return Received::Foreign;
        }
        match self.find(&flow) {
            Some(index) => self.arrives(index, flow, packet, now),
            None => self.stranger(flow, packet, now),
        }
    }

    /// A packet of a flow in the table.
    fn arrives(&mut self, index: u32, flow: Flow, packet: Packet, now: Instant) -> Received {
        let id = self.slots.id(index);
        match self.slots.get(index) {
            Entry::Free | Entry::Over(_) => Received::Stray, // not in the table
            Entry::Held(_) => self.held_arrives(index, flow, packet.segment, now),
            Entry::Waiting(_) => self.waiting_arrives(index, flow, packet.segment, now),
            Entry::Live(live) => {
                if let Owner::HalfOpen(port, _) = live.side.owner {
                    let is_other = acknowledges_another(&live.connection, &packet.segment);
                    let by_cookie = is_other.then(|| self.cookie_arrives((flow, port), &packet.segment, now)).flatten();
                    if let Some(received) = by_cookie {
                        return received;
                    }
                }
                let _ = self.part(index, Event::Segment(packet.segment), now);
                self.look(index, now);
                Received::Connection(id)
            }
        }
    }

    /// While a SYN waits at the gate: it may come again, or its sender gives up. The rest is for the previous incarnation.
    fn held_arrives(&mut self, index: u32, flow: Flow, segment: Segment, now: Instant) -> Received {
        let id = self.slots.id(index);
        let Some(Entry::Held(held)) = self.slots.get_mut(index) else { return Received::Stray };
        let (syn, previous) = (held.syn.seq, held.previous);
        let flags = segment.flags.intersection(Flags::SYN | Flags::ACK | Flags::RST);
        if flags == Flags::SYN {
            // The same SYN again, with a later timestamp; another one may be forged, and the one that waits stays.
            if segment.seq == syn {
                held.syn = bare(segment);
            }
        } else if flags == Flags::RST && segment.seq == syn + 1 {
            self.turn_away(index, false);
        } else if let Some(previous) = previous.and_then(|previous| self.slots.index(previous.id)) {
            return self.waiting_arrives(previous, flow, segment, now);
        }
        Received::Connection(id)
    }

    fn waiting_arrives(&mut self, index: u32, flow: Flow, segment: Segment, now: Instant) -> Received {
        let Self { slots, answers, deadlines, .. } = self;
        let Some(Entry::Waiting(waiting)) = slots.get_mut(index) else { return Received::Stray };
        let (mut successor, mut over) = (None, false);
        let config = waiting.config.clone();
        waiting.value.handle_segments([segment], now, &config, &mut |action: Action| {
            if let Action::Transmit(segment) = action {
                answers.push(&flow, segment);
            } else if let Action::Successor { syn, iss_after } = action {
                successor = Some((syn, iss_after));
            } else if let Action::Closed(_) = action {
                over = true;
            }
        });
        deadlines.set(index, waiting.value.next_deadline().map(|(_, at)| at));
        if over {
            self.free(index);
        }
        if let Some(((syn, last), port)) = successor.zip(self.listener_for(flow.local())) {
            let previous = Previous { id: self.slots.id(index), last };
            return self.syn_arrives((flow, port), *syn, Some(previous), now);
        }
        Received::TimeWait
    }

    /// A packet of a flow that is not in the table (RFC 9293 §3.10.7.1, §3.10.7.2).
    fn stranger(&mut self, flow: Flow, packet: Packet, now: Instant) -> Received {
        if flow.local() == flow.remote() {
            return Received::Unusable; // forged: nobody here talks to itself by the network
        }
        if let Some(port) = self.listener_for(flow.local()) {
            if opens(&packet) {
                return self.syn_arrives((flow, port), packet.segment, None, now);
            }
            if let Some(received) = self.cookie_arrives((flow, port), &packet.segment, now) {
                return received;
            }
            if !packet.segment.flags.contains(Flags::ACK) {
                return Received::Stray; // LISTEN drops it (RFC 9293 §3.10.7.2 fourth); CLOSED would answer
            }
        }
        self.answer_stray(&flow, &packet.segment);
        Received::Stray
    }

    /// The answer of a TCP without connection.
    pub(super) fn answer_stray(&mut self, flow: &Flow, segment: &Segment) {
        if let Some(reset) = reset_for(segment) {
            self.answers.push(flow, reset);
        }
    }

    /// An ICMP error that quotes a segment that we sent: `flow` is that of the quoted packet seen from us,
    /// [`Flow::new`] of its source and its destination. The connection judges it (RFC 5927). `mtu`: the next-hop MTU of
    /// [`IcmpKind::PacketTooBig`], 0 when the message names none.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::host::{Endpoint, EndpointConfig, Keys};
    /// # let (mut tcp, now) = (Endpoint::new(Keys::new(*b"drawn at startup"), EndpointConfig::default()), Instant::ZERO);
    /// # use segue::host::Flow;
    /// # let flow = Flow::new("192.0.2.1:49152".parse()?, "198.51.100.7:80".parse()?).expect("unicast");
    /// use segue::host::Signal;
    /// use segue::{CloseReason, IcmpKind, SeqNum};
    /// let (id, mut syn) = (tcp.connect_from(flow, now)?, SeqNum::default());
    /// tcp.flush(now, |_, packet| syn = packet.segment.seq);
    /// tcp.icmp(&flow, (IcmpKind::PortUnreachable, 0), syn, now)?; // it quotes the SYN
    /// let reason = CloseReason::Unreachable(IcmpKind::PortUnreachable);
    /// assert_eq!(tcp.poll_signal(), Some((id, Signal::Closed(reason))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Gone`]: there is no such connection; drop the message.
    pub fn icmp(
        &mut self,
        flow: &Flow,
        (kind, mtu): (IcmpKind, u16),
        quoted_seq: SeqNum,
        now: Instant,
    ) -> Result<(), Gone> {
        let index = self.find(flow).ok_or(Gone)?;
        self.part(index, Event::Icmp { kind, quoted_seq, mtu }, now).map_err(|_| Gone)?;
        self.look(index, now);
        Ok(())
    }
}
