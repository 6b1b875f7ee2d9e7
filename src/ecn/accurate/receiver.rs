//! The Data Receiver (RFC 9768 §3.2): it counts what arrives with each codepoint, and feeds the counters back.

use super::{FIRST_CEP, Octets, ace};
use crate::ecn::reflected;
use crate::{AccEcn, Ecn, Flags, Options};

/// CE marks after which an acknowledgment is due, while octets of the peer are unacknowledged, and while none are
/// (§3.2.2.5.1: 2 and 3 are SHOULDs, less than 3 in the latter case is forbidden, more than 7 in both).
const MARKS_WITH_DATA: u8 = 2;
const MARKS_WITHOUT_DATA: u8 = 3;

/// How often acknowledged octets come again, each time after no more than `FEW` acknowledgments with an option, until the
/// options are to blame.
const ALWAYS: u8 = 3;
const FEW: u8 = 16;

/// What an arriving packet asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Due {
    Nothing,
    /// An acknowledgment at once.
    Ack,
    /// The same, although nothing is to be acknowledged: it carries no SACK blocks.
    AckOfAcks,
}

/// A packet that passed the checks of RFC 9293 and RFC 5961: "Acceptable" (§1.3).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet {
    pub(crate) arrived: Ecn,
    /// More than one where the host merged segments (GRO).
    pub(crate) packets: u16,
    /// Of payload.
    pub(crate) octets: u32,
    /// Payload of the peer is unacknowledged, this one's included.
    pub(crate) unacknowledged: bool,
}

/// Which packets test whether options get through (§3.2.3.2.1), and whether they do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Sending {
    /// No option any more: one was on a SYN,ACK that seems to be lost (§3.2.3.2.2).
    off: bool,
    /// The first acknowledgment, and the first data segment, have one whatever the counters say.
    first_ack: bool,
    first_text: bool,
    /// Acknowledgments with an option since octets that one acknowledged came again, and how often that was the fate of
    /// one.
    acks: u8,
    reappeared: u8,
}

/// r.cep, r.e0b, r.ceb, r.e1b, and what was said of them.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct DataReceiver {
    cep: u64,
    octets: Octets,
    /// The counters as they were in the last option.
    told: Octets,
    /// Which octet counters have changed at any time: E0B, CEB, E1B.
    ever: [bool; 3],
    /// The codepoint of the last packet.
    last: Ecn,
    /// CE marks since the last acknowledgment.
    since_ack: u8,
    /// A SYN,ACK with CE was counted: once is enough (§3.2.2.2).
    counted_syn_ack: bool,
    /// The codepoint of a SYN,ACK that the next pure ACK feeds back (§3.2.2.1).
    handshake: Option<Ecn>,
    /// The acknowledgment that is owed is one of acknowledgments only.
    acks_acks: bool,
    /// A SYN,ACK was sent.
    syn_ack_sent: bool,
    options: Sending,
}

impl DataReceiver {
    /// §3.2.1.
    pub(crate) const fn new() -> Self {
        Self {
            cep: FIRST_CEP,
            octets: Octets::new(),
            told: Octets::new(),
            ever: [false; 3],
            last: Ecn::NotEct,
            since_ack: 0,
            counted_syn_ack: false,
            handshake: None,
            acks_acks: false,
            syn_ack_sent: false,
            options: Sending { off: false, first_ack: false, first_text: false, acks: 0, reappeared: 0 },
        }
    }

    /// A receiver whose ACE field is this, and to which nothing more happens.
    pub(crate) fn ended(ace: u8) -> Self {
        Self { cep: ace.into(), ..Self::new() }
    }

    /// Marks counted: packets, and octets with ECT(0), CE, ECT(1).
    pub(crate) const fn counted(&self) -> (u64, (u64, u64, u64)) {
        (self.cep.wrapping_sub(FIRST_CEP), self.octets.counted())
    }

    /// A SYN,ACK arrived that agrees: a mark counts, once however many come (§3.2.2.2). Octets on it count.
    pub(crate) fn on_syn_ack(&mut self, arrived: Ecn, octets: u32) {
        if arrived == Ecn::Ce && !self.counted_syn_ack {
            self.cep = self.cep.wrapping_add(1);
            self.counted_syn_ack = true;
        }
        self.count_octets(arrived, octets);
        self.last = arrived;
    }

    /// The client: the next pure ACK tells how the SYN,ACK arrived (§3.2.2.1).
    pub(crate) fn feed_back(&mut self, arrived: Ecn) {
        self.handshake = Some(arrived);
    }

    /// The answer to a SYN,ACK has left.
    pub(crate) fn fed_back(&mut self) {
        self.handshake = None;
    }

    /// The handshake of a client is over: these test whether options get through (§3.2.3.2.1).
    pub(crate) fn test_options(&mut self) {
        (self.options.first_ack, self.options.first_text) = (true, true);
    }

    /// An acceptable packet other than a SYN or SYN,ACK arrived (§3.2).
    pub(crate) fn on_packet(&mut self, packet: &Packet) -> Due {
        let ce = packet.arrived == Ecn::Ce;
        if ce {
            self.cep = self.cep.wrapping_add(packet.packets.into());
            self.since_ack = self.since_ack.saturating_add(u8::try_from(packet.packets).unwrap_or(u8::MAX));
        }
        self.count_octets(packet.arrived, packet.octets);
        let was = core::mem::replace(&mut self.last, packet.arrived);
        if self.is_change_triggered(packet, was) {
            return Due::Ack;
        }
        self.increment_triggered(packet)
    }

    fn count_octets(&mut self, arrived: Ecn, octets: u32) {
        let Octets { e0b, ceb, e1b } = &mut self.octets;
        let (counter, changed) = match (arrived, &mut self.ever) {
            (Ecn::NotEct, _) => return,
            (Ecn::Ect0, [changed, _, _]) => (e0b, changed),
            (Ecn::Ce, [_, changed, _]) => (ceb, changed),
            (Ecn::Ect1, [_, _, changed]) => (e1b, changed),
        };
        *counter = counter.wrapping_add(octets.into());
        *changed |= octets > 0;
    }

    /// §3.2.2.5.1: data with CE after a packet without.
    fn is_change_triggered(&self, packet: &Packet, was: Ecn) -> bool {
        packet.arrived == Ecn::Ce && packet.octets > 0 && was != Ecn::Ce
    }

    /// §3.2.2.5.1: the marks since the last acknowledgment make one due.
    fn increment_triggered(&mut self, packet: &Packet) -> Due {
        if packet.arrived != Ecn::Ce {
            return Due::Nothing;
        }
        match packet.unacknowledged {
            true if self.since_ack >= MARKS_WITH_DATA => Due::Ack,
            false if self.since_ack >= MARKS_WITHOUT_DATA => {
                self.acks_acks = true;
                Due::AckOfAcks
            }
            true | false => Due::Nothing,
        }
    }

    /// The acknowledgment that is owed answers nothing but acknowledgments: "these ACKs of ACKs MUST NOT contain any SACK
    /// blocks" (§3.2.2.5.1).
    pub(crate) const fn acks_acks(&self) -> bool {
        self.acks_acks
    }

    /// Something is to be acknowledged, too.
    pub(crate) fn acks_text(&mut self) {
        self.acks_acks = false;
    }

    /// The three bits of a segment: the counter, or on a `pure` ACK, without SACK blocks, what became of a SYN,ACK.
    pub(crate) fn flags(&self, pure: bool) -> Flags {
        self.handshake.filter(|_| pure).map_or(ace(self.cep), reflected)
    }

    /// A segment left that carries an acknowledgment, `pure` or not; with an option if it `told` of the counters.
    pub(crate) fn on_sent(&mut self, pure: bool, on_text: bool, told: bool) {
        self.since_ack = 0;
        self.acks_acks = false;
        if pure {
            self.handshake = None;
            self.options.first_ack = false;
        }
        if on_text {
            self.options.first_text = false;
        }
        if told {
            self.told = self.octets;
            self.options.acks = self.options.acks.saturating_add(1);
        }
    }

    /// Octets came again that were acknowledged. Where that happens each time that an acknowledgment has an option, a
    /// middlebox drops those: no other is to meet it (§3.2.3.2.2).
    pub(crate) fn on_reappeared(&mut self) {
        let Sending { off, acks, reappeared, .. } = &mut self.options;
        *reappeared = match *acks {
            0 => return,
            1..=FEW => reappeared.saturating_add(1),
            _ => 1,
        };
        *off |= *reappeared >= ALWAYS;
        *acks = 0;
    }

    /// Our SYN,ACK leaves: it has an option, as long as there is `room` for. One that goes again has none: the first may have
    /// met a middlebox that drops it, and then no other packet is to meet it (§3.2.3.2.2).
    pub(crate) fn add_syn_ack_option(&mut self, options: &mut Options, room: usize) {
        if core::mem::replace(&mut self.syn_ack_sent, true) {
            self.options.off = true;
            return;
        }
        let lengths = [[true; 3], [true, false, false], [false; 3]]; // the empty one tests the path, too
        let with = lengths.map(|wanted| Options { acc_ecn: self.fields(wanted), ..*options });
        if let Some(with) = with.into_iter().find(|with| with.wire_len() <= room) {
            *options = with;
        }
    }

    /// Whether an option is due on a segment: a counter changed since the last one, or it is to test the path.
    fn is_due(&self, on_text: bool) -> bool {
        let tests = if on_text { self.options.first_text } else { self.options.first_ack };
        !self.options.off && (tests || self.octets != self.told)
    }

    /// Adds the option that is due, if there is `room` for it. The first two SACK blocks come before it, those after it
    /// give way (§3.2.3.3). It has a field for each counter that has ever changed, or at least for those that changed
    /// since the last one, or it is left out.
    pub(crate) fn add_option(&self, options: &mut Options, on_text: bool, room: usize) {
        if !self.is_due(on_text) {
            return;
        }
        let (Octets { e0b, ceb, e1b }, told) = (self.octets, self.told);
        let since = [e0b != told.e0b, ceb != told.ceb, e1b != told.e1b];
        let all = if self.options.first_ack && !on_text { [true; 3] } else { self.ever };
        for wanted in [all, since] {
            for blocks in (options.sack.len().min(2)..=options.sack.len()).rev() {
                let mut with = *options;
                with.sack.truncate(blocks);
                with.acc_ecn = self.fields(wanted);
                if with.wire_len() <= room {
                    *options = with;
                    return;
                }
            }
        }
    }

    /// The shortest option with the counters that are `wanted`.
    fn fields(&self, wanted: [bool; 3]) -> Option<AccEcn> {
        let Octets { e0b, ceb, e1b } = self.octets;
        let low = |counter: u64| u32::try_from(counter % u64::from(AccEcn::MODULUS)).unwrap_or(0);
        let order_0 = [low(e0b), low(ceb), low(e1b)];
        let [first, middle, last] = order_0;
        let order_1 = [last, middle, first];
        let [e0b, ceb, e1b] = wanted;
        let (order, fields) = match (e0b, ceb, e1b) {
            (false, false, false) => (false, order_0.get(..0)),
            (true, false, false) => (false, order_0.get(..1)),
            (_, true, false) => (false, order_0.get(..2)),
            (false, false, true) => (true, order_1.get(..1)),
            (false, true, true) => (true, order_1.get(..2)),
            (true, _, true) => (false, order_0.get(..3)),
        };
        AccEcn::new(order, fields.unwrap_or(&[]))
    }

    pub(super) fn rebase(&mut self) {
        let Self {
            cep,
            octets,
            told,
            ever: _,
            last: _,
            since_ack: _,
            counted_syn_ack: _,
            handshake: _,
            acks_acks: _,
            syn_ack_sent: _,
            options: _,
        } = self;
        *cep %= 8;
        octets.rebase();
        told.rebase();
    }
}
