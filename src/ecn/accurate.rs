//! Accurate ECN feedback (RFC 9768 §3.2): the counters of both half-connections.

pub(crate) mod receiver;
pub(crate) mod sender;

use crate::{AccurateEcn, Ecn, Flags};
use receiver::DataReceiver;
use sender::DataSender;

/// What a connection in AccECN mode has beside any other.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Accurate {
    /// What the peer sends: what arrived how.
    pub(crate) receiver: DataReceiver,
    /// What we send: what the peer says of it.
    pub(crate) sender: DataSender,
}

impl Accurate {
    /// The host enters AccECN mode (§3.2.1).
    pub(crate) const fn new() -> Self {
        Self { receiver: DataReceiver::new(), sender: DataSender::new() }
    }

    /// A connection in TIME-WAIT: what it sends has this ACE field, and nothing more is counted.
    pub(crate) fn ended(ace: u8) -> Self {
        Self { receiver: DataReceiver::ended(ace), sender: DataSender::new() }
    }

    /// What the user may know of it.
    pub(crate) fn info(&self) -> AccurateEcn {
        let (ce_packets_in, (ect_0_octets_in, ce_octets_in, ect_1_octets_in)) = self.receiver.counted();
        let (ce_packets_out, ce_octets_out) = self.sender.counted();
        AccurateEcn {
            ce_packets_in,
            ce_octets_in,
            ect_0_octets_in,
            ect_1_octets_in,
            ce_packets_out,
            ce_octets_out,
            ect_octets_out: self.sender.unmarked(),
            options: self.sender.has_options(),
        }
    }

    /// Only what is left of the counters on the wire.
    pub(crate) fn rebase(&mut self) {
        let Self { receiver, sender } = self;
        receiver.rebase();
        sender.rebase();
    }
}

/// The initial values of the packet counter, and of those of octets with ECT (§3.2.1).
const FIRST_CEP: u64 = 5;
const FIRST_ECT: u64 = 1;

/// The counters of one half-connection, as the receiver has them, and as the sender knows them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Octets {
    pub(crate) e0b: u64,
    pub(crate) ceb: u64,
    pub(crate) e1b: u64,
}

impl Octets {
    const fn new() -> Self {
        Self { e0b: FIRST_ECT, ceb: 0, e1b: FIRST_ECT }
    }

    /// Without the initial values.
    pub(crate) const fn counted(&self) -> (u64, u64, u64) {
        (self.e0b.wrapping_sub(FIRST_ECT), self.ceb, self.e1b.wrapping_sub(FIRST_ECT))
    }

    fn rebase(&mut self) {
        for counter in [&mut self.e0b, &mut self.ceb, &mut self.e1b] {
            *counter %= u64::from(crate::AccEcn::MODULUS);
        }
    }
}

/// The ACE field of a packet counter: its low three bits (§3.2.2).
pub(crate) const fn ace(cep: u64) -> Flags {
    let mut flags = Flags::empty();
    if cep & 4 != 0 {
        flags = flags.union(Flags::AE);
    }
    if cep & 2 != 0 {
        flags = flags.union(Flags::CWR);
    }
    if cep & 1 != 0 {
        flags = flags.union(Flags::ECE);
    }
    flags
}

/// The number in the ACE field.
pub(crate) const fn ace_of(flags: Flags) -> u8 {
    4 * (flags.contains(Flags::AE) as u8) + 2 * (flags.contains(Flags::CWR) as u8) + flags.contains(Flags::ECE) as u8
}

/// Whether the network may have changed `sent` to `arrived` (§3.2.2.3): ECT to CE, and nothing else.
pub(crate) fn is_valid_transition(sent: Ecn, arrived: Ecn) -> bool {
    sent == arrived || (arrived == Ecn::Ce && sent != Ecn::NotEct)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ace_field_is_three_bits_with_ece_the_lowest() {
        assert_eq!(ace(5), Flags::AE | Flags::ECE);
        for cep in 0..24u64 {
            assert_eq!(u64::from(ace_of(ace(cep) | Flags::ACK | Flags::PSH)), cep % 8);
        }
    }

    /// RFC 3168 §18: Not-ECT changes, ECT becomes Not-ECT, CE changes; and one ECT may not become the other.
    #[test]
    fn the_network_may_only_mark() {
        let all = [Ecn::NotEct, Ecn::Ect1, Ecn::Ect0, Ecn::Ce];
        for sent in all {
            for arrived in all {
                let marks = matches!((sent, arrived), (Ecn::Ect0 | Ecn::Ect1, Ecn::Ce));
                assert_eq!(is_valid_transition(sent, arrived), sent == arrived || marks, "{sent:?} {arrived:?}");
            }
        }
    }
}
