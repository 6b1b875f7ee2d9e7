//! What arrives: packets and ICMP errors.

use super::Endpoint;
use super::open::bare;
use crate::codec::{Packet, PseudoHeader, opens, reset_for};
use crate::host::flow::Flow;
use crate::host::signal::{Gone, Received};
use crate::host::slots::Entry;
use crate::{Action, Controller, Event, Flags, IcmpKind, Instant, Segment, SeqNum};

impl<C: Controller> Endpoint<C> {
    /// A packet arrived between these addresses; its checksum is right ([`codec::decode`](crate::codec::decode)). All
    /// packets of a turn that belong to one connection share acknowledgments.
    ///
    /// Packets to other hosts are dropped if [`EndpointConfig::addresses`](crate::host::EndpointConfig::addresses) names
    /// this host's. No packet costs anything lasting unless it opens a connection within the limits.
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
            Entry::Held(_) => {
                self.held_arrives(index, packet.segment);
                Received::Connection(id)
            }
            Entry::Waiting(_) => self.waiting_arrives(index, flow, packet.segment, now),
            Entry::Live(_) => {
                let _ = self.part(index, Event::Segment(packet.segment), now);
                self.look(index, now);
                Received::Connection(id)
            }
        }
    }

    /// While a SYN waits at the gate: it may come again, or its sender gives up.
    fn held_arrives(&mut self, index: u32, segment: Segment) {
        let Some(Entry::Held(held)) = self.slots.get_mut(index) else { return };
        match segment.flags.intersection(Flags::SYN | Flags::ACK | Flags::RST) {
            // The same SYN again, with a later timestamp; another one may be forged, and the one that waits stays.
            Flags::SYN if segment.seq == held.syn.seq => held.syn = bare(segment),
            Flags::RST if segment.seq == held.syn.seq + 1 => self.turn_away(index, false),
            _ => {}
        }
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
        if let Some(((syn, iss_after), port)) = successor.zip(self.listener_for(flow.local())) {
            self.free(index);
            return self.syn_arrives((flow, port), *syn, Some(iss_after), now);
        }
        Received::TimeWait
    }

    /// A packet of a flow that is not in the table (RFC 9293 §3.10.7.1, §3.10.7.2).
    fn stranger(&mut self, flow: Flow, packet: Packet, now: Instant) -> Received {
        if let Some(port) = self.listener_for(flow.local()) {
            if opens(&packet) {
                return self.syn_arrives((flow, port), packet.segment, None, now);
            }
            if let Some(received) = self.cookie_arrives((flow, port), &packet.segment, now) {
                return received;
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
