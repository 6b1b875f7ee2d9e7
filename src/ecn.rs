//! Explicit Congestion Notification: what the two SYNs agree on (RFC 3168 §6.1.1, RFC 9768 §3.1), and the echo of a
//! receiver with classic feedback. What the sender does about it is in `send::ecn`, accurate feedback in
//! `ecn::accurate`.

pub(crate) mod accurate;

use crate::config::EcnMode;
use crate::features::{ACCURATE_ECN, ECN};
use crate::{Ecn, Flags};

/// ECN-setup SYN (RFC 3168 §6.1.1).
const SETUP: Flags = Flags::ECE.union(Flags::CWR);
/// The SYN that asks for AccECN, and the three bits that are the ACE field later (RFC 9768 §3.1.1).
pub(crate) const ACCURATE: Flags = SETUP.union(Flags::AE);

/// Which kinds of SYN and of SYN,ACK one end has sent in this handshake: a repeated one may be of another kind.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Said(u8);

impl Said {
    /// At least one ECN-setup SYN or SYN,ACK.
    const SETUP: u8 = 1;
    /// At least one that is neither that nor of AccECN.
    const PLAIN: u8 = 2;
    /// At least one of AccECN.
    const ACCURATE: u8 = 4;
    /// The same of SYN,ACKs.
    const OF_SYN_ACK: u8 = 3; // bits further
    /// The SYN of AccECN has had its second attempt.
    const AGAIN: u8 = 64;
    const SYNS: u8 = Self::SETUP | Self::PLAIN | Self::ACCURATE;

    /// This kind of SYN, or of SYN,ACK.
    fn note(&mut self, kind: u8, syn_ack: bool) {
        self.0 |= if syn_ack { kind << Self::OF_SYN_ACK } else { kind };
    }

    const fn has(self, kinds: u8) -> bool {
        self.0 & kinds != 0
    }

    /// A SYN or SYN,ACK of this kind.
    const fn either(self, kind: u8) -> bool {
        self.has(kind | kind << Self::OF_SYN_ACK)
    }
}

/// The feedback mode. The first SYN fixes it at a server, the first SYN,ACK at a client, and nothing changes it (RFC
/// 9768 §3.1.5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum Mode {
    #[default]
    Undecided,
    NotEcn,
    Classic,
    /// AccECN, in the role of the client.
    Client,
    /// AccECN, in the role of the server: it cannot know whether the client is in the same mode.
    Server,
}

/// The negotiation (RFC 3168 §6.1.1, RFC 9768 §3.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Handshake {
    ours: Said,
    theirs: Said,
    mode: Mode,
    /// The codepoint of the latest SYN or SYN,ACK of the peer (RFC 9768 §3.1.5: the latest is fed back).
    arrived: Ecn,
}

impl Handshake {
    /// A connection in AccECN mode of which nothing else is remembered.
    pub(crate) fn accurate() -> Self {
        Self { mode: Mode::Server, ..Self::default() }
    }

    /// The three bits of our SYN, which is about to leave. Classic ECN is asked for by the first only: one that was
    /// refused, or lost on a path that drops such SYNs, is repeated without (RFC 3168 §6.1.1.1). AccECN is asked for
    /// once more (RFC 9768 §3.1.4.1).
    pub(crate) fn syn_flags(&mut self, mode: EcnMode) -> Flags {
        let first = !self.ours.has(Said::SYNS);
        let second = self.ours.has(Said::ACCURATE) && !self.ours.has(Said::AGAIN | Said::PLAIN);
        let (kind, flags) = match mode {
            EcnMode::Active if first => (Said::SETUP, SETUP),
            EcnMode::Accurate if first && !ACCURATE_ECN => (Said::SETUP, SETUP), // the feature is left out
            EcnMode::Accurate if first => (Said::ACCURATE, ACCURATE),
            EcnMode::Accurate if second => (Said::ACCURATE | Said::AGAIN, ACCURATE),
            EcnMode::Off | EcnMode::Passive | EcnMode::Active | EcnMode::Accurate => (Said::PLAIN, Flags::empty()),
        };
        self.ours.note(kind, false);
        flags
    }

    /// The three bits of our SYN,ACK, which is about to leave, `timeouts` of another one after. Classic ECN is accepted
    /// only where every SYN so far has asked for it.
    pub(crate) fn syn_ack_flags(&mut self, mode: EcnMode, timeouts: u8) -> Flags {
        let asked = self.theirs.either(Said::SETUP) && !self.theirs.either(Said::PLAIN);
        let (kind, flags) = match self.mode {
            // RFC 9768 §3.2.3.2.2: the second that times out may have met a middlebox that blocks it.
            Mode::Client | Mode::Server if timeouts < 2 => (Said::ACCURATE, reflected(self.arrived)),
            Mode::Undecided | Mode::NotEcn | Mode::Classic
                if mode != EcnMode::Off && asked && !self.ours.either(Said::PLAIN) =>
            {
                (Said::SETUP, Flags::ECE)
            }
            Mode::Undecided | Mode::NotEcn | Mode::Classic | Mode::Client | Mode::Server => {
                (Said::PLAIN, Flags::empty())
            }
        };
        self.ours.note(kind, true);
        flags
    }

    /// The peer's SYN or SYN,ACK: it fixes the mode if it is the first.
    pub(crate) fn heard(&mut self, flags: Flags, arrived: Ecn, mode: EcnMode) {
        let syn_ack = flags.contains(Flags::ACK);
        let kind = match (self.understands_accurate(mode), syn_ack) {
            (true, false) => kind_of_syn(flags),
            (true, true) if self.ours.has(Said::ACCURATE) => kind_of_syn_ack(flags),
            // ECE and CWR together on a SYN,ACK are our own bits, reflected by a peer that does not know them (RFC 3168
            // §6.1.1.2).
            (_, true) if flags.intersection(SETUP) == Flags::ECE => Said::SETUP,
            (false, false) if flags.contains(SETUP) => Said::SETUP,
            (true | false, true) | (false, false) => Said::PLAIN,
        };
        self.theirs.note(kind, syn_ack);
        self.arrived = arrived;
        if self.mode == Mode::Undecided {
            self.mode = match kind {
                Said::ACCURATE if syn_ack => Mode::Client,
                Said::ACCURATE => Mode::Server,
                Said::SETUP if mode != EcnMode::Off => Mode::Classic,
                _ => Mode::NotEcn,
            };
        }
    }

    /// Whether this end speaks AccECN. Who has sent another SYN than that of AccECN does not (§3.1.2, simultaneous open).
    fn understands_accurate(&self, mode: EcnMode) -> bool {
        let enabled = match mode {
            EcnMode::Passive | EcnMode::Accurate => ACCURATE_ECN,
            EcnMode::Off | EcnMode::Active => false,
        };
        enabled && (!self.ours.has(Said::SYNS) || self.ours.has(Said::ACCURATE))
    }

    /// Whether the peer asked for, or agreed to, both kinds of feedback: the connection is reset (RFC 9768 §3.1.5).
    pub(crate) const fn mixes_kinds(&self) -> bool {
        if !ACCURATE_ECN {
            return false;
        }
        let (syns, syn_acks) = (Said::SETUP | Said::ACCURATE, (Said::SETUP | Said::ACCURATE) << Said::OF_SYN_ACK);
        self.theirs.0 & syns == syns || self.theirs.0 & syn_acks == syn_acks
    }

    /// Whether our SYN asks for ECN, and no other one has left yet: after a refusal it may be sent without.
    pub(crate) const fn may_fall_back(&self) -> bool {
        ECN && self.ours.has(Said::SETUP | Said::ACCURATE) && !self.ours.has(Said::PLAIN)
    }

    /// Our SYN was refused: the next asks for nothing.
    pub(crate) fn refused(&mut self) {
        self.ours.note(Said::AGAIN, false);
    }

    /// Whether both half-connections are in AccECN mode.
    #[inline]
    pub(crate) const fn is_accurate(&self) -> bool {
        ACCURATE_ECN && matches!(self.mode, Mode::Client | Mode::Server)
    }

    /// Whether this end is the client of an AccECN connection.
    pub(crate) const fn is_accurate_client(&self) -> bool {
        ACCURATE_ECN && matches!(self.mode, Mode::Client)
    }

    /// Whether ECT may be set on data. A server in AccECN mode that has sent or received a SYN or SYN,ACK without ECN
    /// must not (RFC 9768 §3.1.5).
    pub(crate) const fn is_capable(&self) -> bool {
        let plain = self.ours.either(Said::PLAIN) || self.theirs.either(Said::PLAIN);
        match self.mode {
            Mode::Undecided | Mode::NotEcn => false,
            Mode::Classic => self.echoes() && !plain,
            Mode::Client => ACCURATE_ECN,
            Mode::Server => ACCURATE_ECN && !plain,
        }
    }

    /// Whether marks on the peer's data must be echoed: also where a later SYN of ours did not ask for ECN any more,
    /// because the peer may have gone by the first.
    pub(crate) const fn echoes(&self) -> bool {
        let asked = self.ours.either(Said::SETUP) || self.ours.has(Said::ACCURATE);
        ECN && matches!(self.mode, Mode::Classic) && asked && self.theirs.either(Said::SETUP)
    }
}

/// The kind of a SYN at a server that speaks AccECN: combinations that nobody uses yet ask for AccECN (RFC 9768 §3.1.3).
fn kind_of_syn(flags: Flags) -> u8 {
    match flags.intersection(ACCURATE) {
        plain if plain.is_empty() => Said::PLAIN,
        SETUP => Said::SETUP,
        _ => Said::ACCURATE,
    }
}

/// The kind of a SYN,ACK at a client that asked for AccECN (RFC 9768 §3.1.2, Table 2). The combination 101 is reserved, and
/// agrees (§3.1.3); 111 are our own bits, reflected.
fn kind_of_syn_ack(flags: Flags) -> u8 {
    match flags.intersection(ACCURATE) {
        Flags::ECE => Said::SETUP,
        none_or_all if none_or_all.is_empty() || none_or_all == ACCURATE => Said::PLAIN,
        _ => Said::ACCURATE,
    }
}

/// Whether a server in this mode answers the SYN with AccECN.
#[cfg(feature = "host")]
pub(crate) fn asks_accurate(syn: Flags, mode: EcnMode) -> bool {
    Handshake::default().understands_accurate(mode) && kind_of_syn(syn) == Said::ACCURATE
}

/// Whether the ACK of a SYN cookie shows that AccECN was agreed on: 2 to 7 in its ACE field (RFC 9768 §5.1).
#[cfg(feature = "host")]
pub(crate) const fn agreed_accurate(ack: Flags) -> bool {
    ACCURATE_ECN && ack.intersects(Flags::AE.union(Flags::CWR))
}

/// The encoding of a codepoint on a SYN,ACK (RFC 9768 Table 2), and on the pure ACK of one (Table 3).
pub(crate) const fn reflected(arrived: Ecn) -> Flags {
    match arrived {
        Ecn::NotEct => Flags::CWR,
        Ecn::Ect1 => Flags::CWR.union(Flags::ECE),
        Ecn::Ect0 => Flags::AE,
        Ecn::Ce => Flags::AE.union(Flags::CWR),
    }
}

/// The codepoint that such an encoding tells of; `None`: nothing changed, or it is none.
pub(crate) fn told(flags: Flags) -> Option<Ecn> {
    let bits = flags.intersection(ACCURATE);
    [Ecn::NotEct, Ecn::Ect1, Ecn::Ect0, Ecn::Ce].into_iter().find(|&codepoint| reflected(codepoint) == bits)
}

/// The receiver's part (§6.1.3): once a mark came, every acknowledgment echoes it until the sender says that it has
/// reduced its window.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Echo {
    /// ECN is in use on what the peer sends.
    enabled: bool,
    /// ECE is set on what we send.
    on: bool,
}

impl Echo {
    pub(crate) const fn new(enabled: bool) -> Self {
        Self { enabled, on: false }
    }

    /// ECE of a segment that carries an acknowledgment.
    pub(crate) const fn flags(&self) -> Flags {
        if ECN && self.on { Flags::ECE } else { Flags::empty() }
    }

    /// Text inside of the window came, with CWR or not, marked by the network or not. Returns whether the echo changed:
    /// then the peer should hear it now.
    pub(crate) fn on_text(&mut self, cwr: bool, ce: bool) -> bool {
        if !ECN {
            return false;
        }
        let was = self.on;
        self.on = self.enabled && (ce || (was && !cwr));
        self.on != was || (cwr && was) // a sender that has reduced to one segment waits for this acknowledgment
    }

    /// Whether a mark on text counts.
    pub(crate) const fn is_enabled(&self) -> bool {
        ECN && self.enabled
    }
}

#[cfg(feature = "ecn")]
#[cfg(test)]
mod tests {
    use super::*;

    const SYN: Flags = Flags::SYN;
    const SYN_ACK: Flags = Flags::SYN.union(Flags::ACK);

    #[test]
    fn only_the_first_syn_of_an_active_open_asks() {
        let mut active = Handshake::default();
        assert_eq!(active.syn_flags(EcnMode::Active), SETUP);
        assert!(active.may_fall_back());
        assert_eq!(active.syn_flags(EcnMode::Active), Flags::empty());
        assert!(!active.may_fall_back());
        for mode in [EcnMode::Passive, EcnMode::Off] {
            assert_eq!(Handshake::default().syn_flags(mode), Flags::empty());
        }
    }

    #[test]
    fn a_syn_ack_accepts_what_the_syn_asked_for() {
        for (mode, syn, answer) in [
            (EcnMode::Passive, SYN | SETUP, Flags::ECE),
            (EcnMode::Active, SYN | SETUP, Flags::ECE),
            (EcnMode::Active, SYN | SETUP | Flags::AE, Flags::ECE), // RFC 9768 §3.1.2: a classic server's answer
            (EcnMode::Off, SYN | SETUP, Flags::empty()),
            (EcnMode::Active, SYN | Flags::ECE, Flags::empty()),
            (EcnMode::Active, SYN | Flags::CWR, Flags::empty()),
            (EcnMode::Passive, SYN, Flags::empty()),
        ] {
            let mut server = Handshake::default();
            server.heard(syn, Ecn::NotEct, mode);
            assert_eq!(server.syn_ack_flags(mode, 0), answer, "{mode:?}, {syn:?}");
            assert_eq!((server.is_capable(), server.echoes()), (!answer.is_empty(), !answer.is_empty()));
        }
    }

    #[test]
    fn only_ece_alone_on_a_syn_ack_agrees() {
        for (answer, agreed) in [(Flags::ECE, true), (SETUP, false), (Flags::CWR, false), (Flags::empty(), false)] {
            let mut client = Handshake::default();
            client.syn_flags(EcnMode::Active);
            client.heard(SYN_ACK | answer, Ecn::NotEct, EcnMode::Active);
            assert_eq!((client.is_capable(), client.echoes()), (agreed, agreed), "{answer:?}");
        }
        let mut passive = Handshake::default();
        passive.syn_flags(EcnMode::Passive);
        passive.heard(SYN_ACK | Flags::ECE, Ecn::NotEct, EcnMode::Passive); // to a SYN that did not ask
        assert!(!passive.is_capable() && !passive.echoes());
    }

    /// The scenario of §6.1.1.1: neither end may set ECT, but a mark would still be echoed by the one that asked first.
    #[test]
    fn after_a_plain_syn_nobody_sets_ect() {
        let (mut client, mut server) = (Handshake::default(), Handshake::default());
        server.heard(SYN | client.syn_flags(EcnMode::Active), Ecn::NotEct, EcnMode::Passive);
        let lost = server.syn_ack_flags(EcnMode::Passive, 0);
        assert_eq!(lost, Flags::ECE);
        server.heard(SYN | client.syn_flags(EcnMode::Active), Ecn::NotEct, EcnMode::Passive);
        assert_eq!(server.syn_ack_flags(EcnMode::Passive, 0), Flags::empty());
        assert!(!server.is_capable());
        client.heard(SYN_ACK | lost, Ecn::NotEct, EcnMode::Active); // it was late, not lost
        assert!(!client.is_capable() && client.echoes());
    }

    #[test]
    fn a_mark_is_echoed_until_cwr_and_a_new_one_starts_again() {
        let mut echo = Echo::new(true);
        assert!(!echo.on_text(false, false));
        assert!(echo.on_text(false, true));
        assert_eq!(echo.flags(), Flags::ECE);
        assert!(!echo.on_text(false, false) && !echo.on_text(false, true));
        assert_eq!(echo.flags(), Flags::ECE);
        assert!(echo.on_text(true, true)); // the segment with CWR is itself marked
        assert_eq!(echo.flags(), Flags::ECE);
        assert!(echo.on_text(true, false));
        assert_eq!(echo.flags(), Flags::empty());
        assert!(!Echo::default().on_text(false, true));
    }
}
