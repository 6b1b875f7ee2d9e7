//! The Data Sender (RFC 9768 §3.2): it decodes what the peer's acknowledgments say, and knows when not to believe it.

use super::{FIRST_CEP, Octets, is_valid_transition};
use crate::stream::Position;
use crate::{AccEcn, Ecn};

/// The share of acknowledgments of late that cover eight packets or more, in units of a 1024th, up to which one
/// of them is taken for a loss of acknowledgments, and not for receive offload or an ACK filter at work. One such
/// acknowledgment keeps the share above this for the next seven.
const THINNED: u32 = 40;
/// All of them.
const ALL: u32 = 1 << 10;
/// Rounds at the start of which every packet is said to be marked: then it is not the network that marks (§3.2.2.3).
const CONTINUOUS: u8 = 4;

/// Marks that an acknowledgment tells of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Marks {
    pub(crate) packets: u32,
    pub(crate) octets: u32,
}

/// An acknowledgment, as far as it matters here. It is not superseded: it acknowledges or reports something new, or has a
/// later timestamp (App. A.1).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    pub(crate) ace: u8,
    pub(crate) option: Option<AccEcn>,
    /// Packets and octets newly acknowledged or reported.
    pub(crate) packets: u32,
    pub(crate) octets: u32,
    pub(crate) mss: u32,
    /// SND.UNA after it, and SND.NXT.
    pub(crate) una: Position,
    pub(crate) nxt: Position,
}

/// What the peer's options are worth (§3.2.3.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum Options {
    /// None came where one ought to: the ACE field is all there is, until one comes (§3.2.3.2.3).
    Unavailable,
    Available,
    /// The first had a counter that was zeroed on the way: they are ignored (§3.2.3.2.4).
    Ignored,
}

/// What else happened since the last option.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Since {
    /// Marked packets counted, and packets acknowledged.
    marked: u64,
    packets: u32,
    /// Marked octets that were only estimated: the next option tells of them again.
    estimated: u64,
}

/// The codepoint of the text that is counted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum Sent {
    /// ECT(0), or ECT(1) of a controller that was exchanged since.
    Ect0,
    /// ECT(1), and before this position perhaps another; or no option has told since what was counted before.
    Changing(Position),
    /// ECT(1) alone.
    Ect1,
}

/// s.cep, s.e0b, s.ceb, s.e1b, and what is made of them.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct DataSender {
    cep: u64,
    octets: Octets,
    /// Marked octets, by options and by estimate.
    marked: u64,
    sent: Sent,
    /// ECT may be set.
    ect: bool,
    /// Feedback is heeded.
    heeds: bool,
    /// The first counter after the handshake has come (§3.2.2.4).
    tested: bool,
    options: Options,
    since: Since,
    /// Acknowledgments of late that cover eight packets or more, and the marked fraction of packets, in units of a 1024th: moving
    /// averages.
    stretched: u32,
    fraction: u32,
    /// Rounds in which every packet was marked, until one is not: then no more.
    continuous: Option<u8>,
    /// Where the round ends.
    round: Position,
}

impl DataSender {
    /// §3.2.1.
    pub(crate) const fn new() -> Self {
        Self {
            cep: FIRST_CEP,
            octets: Octets::new(),
            marked: 0,
            sent: Sent::Ect0,
            ect: true,
            heeds: true,
            tested: false,
            options: Options::Unavailable,
            since: Since { marked: 0, packets: 0, estimated: 0 },
            stretched: 0,
            fraction: 0,
            continuous: Some(0),
            round: Position::ISS,
        }
    }

    /// Marks that the peer told of: packets and octets.
    pub(crate) const fn counted(&self) -> (u64, u64) {
        (self.cep.wrapping_sub(FIRST_CEP), self.marked)
    }

    /// Octets with ECT(0) and ECT(1) that the peer told of.
    pub(crate) const fn unmarked(&self) -> (u64, u64) {
        let (e0b, _, e1b) = self.octets.counted();
        (e0b, e1b)
    }

    /// Whether data may be sent as ECN-capable.
    pub(crate) const fn sets_ect(&self) -> bool {
        self.ect
    }

    /// From `nxt` on, text is sent as ECT(1) or not.
    pub(crate) fn on_codepoint(&mut self, codepoint: Ecn, nxt: Position) {
        self.sent = if codepoint == Ecn::Ect1 { Sent::Changing(nxt) } else { Sent::Ect0 };
    }

    /// Whether the peer's options are used.
    pub(crate) const fn has_options(&self) -> bool {
        matches!(self.options, Options::Available)
    }

    /// Testing for mangling of the IP-ECN field (§3.2.2.3): what we sent as `sent` arrived so. Returns whether it was
    /// marked. After a change that the network may not make nothing is sent as ECN-capable, but marks are heeded.
    pub(crate) fn test_for_mangling(&mut self, sent: Ecn, arrived: Ecn) -> bool {
        self.ect &= is_valid_transition(sent, arrived);
        arrived == Ecn::Ce
    }

    /// The server: the ACE field on the pure ACK of the SYN,ACK (Table 4). Returns whether the SYN,ACK was marked.
    pub(crate) fn on_handshake_ack(&mut self, ace: u8, arrived: Option<Ecn>) -> bool {
        if ace == 0 {
            self.distrust(); // note 1
        }
        let marked = arrived.is_some_and(|arrived| self.test_for_mangling(Ecn::NotEct, arrived));
        self.cep = self.cep.wrapping_add(marked.into());
        marked
    }

    /// Testing for absence and zeroing of the option (§3.2.3.2.3, §3.2.3.2.4): what the SYN,ACK had, or the first segment that
    /// acknowledges ours. A number is only tested for zero (§3.2.3.2.4), as later variants may begin elsewhere.
    pub(crate) fn on_first_option(&mut self, option: Option<AccEcn>) {
        self.options = match option {
            None => Options::Unavailable,
            Some(option) if option.e0b() == Some(0) || option.e1b() == Some(0) => Options::Ignored,
            Some(_) => Options::Available,
        };
        // Nothing of ours has been counted yet: whatever its numbers are, they are the initial ones.
        if let Some(option) = option.filter(|_| self.options != Options::Ignored) {
            let Octets { e0b, ceb, e1b } = self.octets;
            let first = |field: Option<u32>, counter| field.map_or(counter, u64::from);
            self.octets =
                Octets { e0b: first(option.e0b(), e0b), ceb: first(option.ceb(), ceb), e1b: first(option.e1b(), e1b) };
        }
    }

    /// Nothing is sent as ECN-capable any more, and marks are not heeded. What arrives is counted and fed back on.
    fn distrust(&mut self) {
        (self.ect, self.heeds) = (false, false);
    }

    /// An acknowledgment that is not superseded, with SYN clear, after the handshake.
    pub(crate) fn on_ack(&mut self, told: &Told) -> Marks {
        self.test_for_zeroing(told);
        let least = self.decode_ace(told.ace);
        let option = told.option.filter(|_| self.options != Options::Ignored);
        let octets = option.map(|option| self.decode_option(option, told.una));
        let packets = match octets {
            Some(octets) => self.reconcile(least, octets, told),
            None => self.deem_cycled(least, told.packets),
        };
        self.cep = self.cep.wrapping_add(packets.into());
        self.since.marked = self.since.marked.saturating_add(packets.into());
        self.since.packets = self.since.packets.saturating_add(told.packets);
        let marked = match octets {
            Some(octets) => self.take_octets(octets),
            None => self.estimate_octets(packets, told),
        };
        self.marked = self.marked.wrapping_add(marked.into());
        self.average_over(if octets.is_some() { packets } else { least }, told.packets);
        self.test_for_continuous_marking(packets, told);
        if self.heeds { Marks { packets, octets: marked } } else { Marks::default() }
    }

    /// Testing for zeroing of the ACE field (§3.2.2.4), where too few packets are acknowledged for it to have come to
    /// zero by counting.
    fn test_for_zeroing(&mut self, told: &Told) {
        if !core::mem::replace(&mut self.tested, true) {
            let to_zero = 8 - (self.cep & 7);
            if told.ace == 0 && u64::from(told.packets) < to_zero {
                self.distrust();
            }
        }
    }

    /// The minimum positive increment (§3.2.2.2).
    fn decode_ace(&self, ace: u8) -> u32 {
        u32::from(ace.wrapping_sub(u8::try_from(self.cep & 7).unwrap_or(0)) & 7)
    }

    /// Without an option: whether the ACE field has cycled (§3.2.2.5.2). "The safest likely case under the prevailing
    /// conditions": where acknowledgments cover few packets, a long jump is one of lost acknowledgments, and as many
    /// packets are marked as can be (App. A.2.1). Where long ones come again and again, that would be all of them for ever, so the
    /// marked fraction of late decides. The counter is right where it says more than there were packets: it counts control packets,
    /// too.
    fn deem_cycled(&self, least: u32, packets: u32) -> u32 {
        if packets < least || (least == 0 && self.fraction == 0) {
            return least;
        }
        let safest = packets - ((packets - least) & 7);
        let all_so_far = self.continuous.is_some(); // the field stands still at multiples of eight
        if self.stretched <= THINNED || all_so_far {
            return safest;
        }
        let likely = packets.saturating_mul(self.fraction).div_ceil(ALL);
        at_least(least, if likely > 7 { likely } else { 0 }).min(safest)
    }

    /// With an option: the counter counts at least as many packets as the marked octets take (App. A.2.2 has a looser
    /// rule), as long as at least that number was acknowledged.
    fn reconcile(&self, least: u32, octets: u32, told: &Told) -> u32 {
        let taken = u64::from(octets.div_ceil(told.mss.max(1))).saturating_sub(self.since.marked);
        let packets = at_least(least, u32::try_from(taken).unwrap_or(u32::MAX));
        if packets > self.since.packets.saturating_add(told.packets) { least } else { packets }
    }

    /// Decodes the fields (App. A.1), in an acknowledgment of what is before `una`. Returns the marked octets since the last
    /// option.
    fn decode_option(&mut self, option: AccEcn, una: Position) -> u32 {
        self.options = Options::Available;
        let Octets { e0b, ceb, e1b } = &mut self.octets;
        let of_ect_0 = increment(*e0b, option.e0b());
        *e0b = e0b.wrapping_add(of_ect_0.into());
        *e1b = e1b.wrapping_add(increment(*e1b, option.e1b()).into());
        match self.sent {
            // ECT(1) may not become ECT(0) (§3.2.2.3): a queue further on would take the text for that of a classic sender.
            Sent::Ect1 => self.ect &= of_ect_0 == 0,
            Sent::Changing(until) if una >= until => self.sent = Sent::Ect1,
            Sent::Changing(_) | Sent::Ect0 => {}
        }
        let marked = increment(*ceb, option.ceb());
        *ceb = ceb.wrapping_add(marked.into());
        marked
    }

    /// Marked octets of which no estimate has told before. Consistency between the fields (§3.2.3.2.5): octets without a
    /// packet, when too few were acknowledged for the ACE field to have cycled, come of mangled feedback.
    fn take_octets(&mut self, octets: u32) -> u32 {
        let Since { marked, packets, estimated } = self.since;
        if octets > 0 && marked == 0 && packets < 8 {
            self.ect = false;
        }
        self.since = Since { marked: 0, packets: 0, estimated: estimated.saturating_sub(octets.into()) };
        octets.saturating_sub(u32::try_from(estimated).unwrap_or(u32::MAX))
    }

    /// Marked octets from marked packets (App. A.3).
    fn estimate_octets(&mut self, packets: u32, told: &Told) -> u32 {
        let size = told.octets / told.packets.max(1);
        let octets = packets.saturating_mul(size).min(told.octets);
        self.since.estimated = self.since.estimated.saturating_add(octets.into());
        octets
    }

    /// The prevailing conditions. The fraction counts what is certain, so that nothing that was deemed can prove itself.
    fn average_over(&mut self, certain: u32, packets: u32) {
        if packets == 0 {
            return;
        }
        let packets = packets.min(1 << 10);
        let may_have_cycled = packets >= 8;
        self.stretched = self.stretched - self.stretched.div_ceil(16) + if may_have_cycled { ALL / 16 } else { 0 };
        let sample = certain.min(packets) * ALL / packets;
        self.fraction = self.fraction - self.fraction.div_ceil(8) + sample / 8;
    }

    /// Testing for continuous marking (§3.2.2.3): every packet of the first rounds.
    fn test_for_continuous_marking(&mut self, packets: u32, told: &Told) {
        let Some(rounds) = self.continuous.filter(|_| told.packets > 0) else { return };
        self.continuous = match () {
            () if packets < told.packets => None,
            () if told.una <= self.round => Some(rounds),
            () if rounds.saturating_add(1) < CONTINUOUS => {
                self.round = told.nxt;
                Some(rounds + 1)
            }
            () => {
                self.distrust();
                None
            }
        };
    }

    pub(super) fn rebase(&mut self) {
        let Self {
            cep,
            octets,
            marked,
            sent: _,
            ect: _,
            heeds: _,
            tested: _,
            options: _,
            since: _,
            stretched: _,
            fraction: _,
            continuous: _,
            round: _,
        } = self;
        *cep %= 8;
        *marked = 0;
        octets.rebase();
    }
}

/// The smallest number that is `least` modulo 8 and not less than `floor`.
const fn at_least(least: u32, floor: u32) -> u32 {
    least.saturating_add(floor.saturating_sub(least).div_ceil(8).saturating_mul(8))
}

/// The minimum non-negative increment of a counter by a field of 24 bits; one of half the circle or more is a step back.
fn increment(counter: u64, field: Option<u32>) -> u32 {
    let Some(field) = field else { return 0 };
    let low = u32::try_from(counter % u64::from(AccEcn::MODULUS)).unwrap_or(0);
    let ahead = field.wrapping_sub(low) & (AccEcn::MODULUS - 1);
    if ahead < AccEcn::MODULUS / 2 { ahead } else { 0 }
}

#[cfg(test)]
mod thinned;

#[cfg(test)]
mod tests {
    use super::*;

    fn told(ace: u8, packets: u32) -> Told {
        let (una, nxt) = (Position::ISS + 1, Position::ISS + 1);
        Told { ace, option: None, packets, octets: packets * 1460, mss: 1460, una, nxt }
    }

    /// App. A.2.1: nine or ten packets are acknowledged, and the field has moved by two.
    #[test]
    fn rfc_9768_a_2_1_examples() {
        for (packets, marked) in [(9, 2), (10, 10), (1, 2), (17, 10), (18, 18)] {
            assert_eq!(DataSender::new().on_ack(&told(7, packets)).packets, marked, "{packets}");
        }
    }

    /// App. A.1: a counter beyond 2^24 and a field.
    #[test]
    fn rfc_9768_a_1_example() {
        assert_eq!(increment(33_554_433, Some(1461)), 1460);
        assert_eq!((increment(u64::from(u32::MAX), Some(0)), increment(u64::from(u32::MAX) + 1, Some(5))), (1, 5));
        assert_eq!((increment(7, None), increment(7, Some(6)), increment(7, Some(7))), (0, 0, 0));
    }

    /// Whatever is said: a mark is a packet, and octets are no more than were acknowledged where they are estimated.
    #[test]
    fn estimates_are_bounded() {
        for ace in 0..8 {
            for packets in 0..100 {
                let mut sender = DataSender::new();
                (0..9).for_each(|_| _ = sender.on_ack(&told(5, 2)));
                let marks = sender.on_ack(&told(ace, packets));
                assert!(marks.packets <= packets.max(7) && marks.octets <= packets * 1460);
                assert_eq!(marks.packets % 8, u32::from((ace + 3) % 8), "the field is right modulo 8");
            }
        }
    }
}
