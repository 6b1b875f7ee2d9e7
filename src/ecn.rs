//! Explicit Congestion Notification (RFC 3168): what the two SYNs agree on, and the echo of the receiver. What the
//! sender does about it is in `send::ecn`.

use crate::Flags;
use crate::config::EcnMode;
use crate::features::ECN;

/// ECN-setup SYN (RFC 3168 §6.1.1).
const SETUP: Flags = Flags::ECE.union(Flags::CWR);

/// Which kinds of SYN or SYN,ACK one end has sent in this handshake: a repeated one may be of the other kind.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Said {
    /// At least one ECN-setup SYN or SYN,ACK.
    setup: bool,
    /// At least one that is not.
    plain: bool,
}

impl Said {
    fn note(&mut self, setup: bool) {
        self.setup |= setup;
        self.plain |= !setup;
    }
}

/// The negotiation (RFC 3168 §6.1.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Handshake {
    ours: Said,
    theirs: Said,
}

impl Handshake {
    /// ECE and CWR of our SYN, which is about to leave. Only the first asks for ECN: one that was refused, or lost on a
    /// path that drops such SYNs, is repeated without (§6.1.1.1).
    pub(crate) fn syn_flags(&mut self, mode: EcnMode) -> Flags {
        let setup = mode == EcnMode::Active && self.ours == Said::default();
        self.ours.note(setup);
        if setup { SETUP } else { Flags::empty() }
    }

    /// ECE of our SYN,ACK, which is about to leave. It accepts only what every SYN so far has asked for.
    pub(crate) fn syn_ack_flags(&mut self, mode: EcnMode) -> Flags {
        let setup = mode != EcnMode::Off && self.theirs.setup && !self.theirs.plain && !self.ours.plain;
        self.ours.note(setup);
        if setup { Flags::ECE } else { Flags::empty() }
    }

    /// The peer's SYN or SYN,ACK. ECE and CWR together on a SYN,ACK are our own bits, reflected by a peer that does not
    /// know them (§6.1.1.2).
    pub(crate) fn heard(&mut self, flags: Flags) {
        let asked = flags.intersection(SETUP);
        self.theirs.note(if flags.contains(Flags::ACK) { asked == Flags::ECE } else { asked == SETUP });
    }

    /// Whether our SYN asks for ECN, and no other one has left yet: after a refusal it may be sent without.
    pub(crate) const fn may_fall_back(&self) -> bool {
        ECN && self.ours.setup && !self.ours.plain
    }

    /// Whether ECT may be set on data.
    pub(crate) const fn is_capable(&self) -> bool {
        self.echoes() && !self.ours.plain
    }

    /// Whether marks on the peer's data must be echoed: also where a later SYN of ours did not ask for ECN any more,
    /// because the peer may have gone by the first.
    pub(crate) const fn echoes(&self) -> bool {
        ECN && self.ours.setup && self.theirs.setup && !self.theirs.plain
    }
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
            (EcnMode::Passive, SYN | Flags::ECE, Flags::empty()),
            (EcnMode::Passive, SYN | Flags::CWR, Flags::empty()),
            (EcnMode::Passive, SYN, Flags::empty()),
        ] {
            let mut server = Handshake::default();
            server.heard(syn);
            assert_eq!(server.syn_ack_flags(mode), answer, "{mode:?}, {syn:?}");
            assert_eq!((server.is_capable(), server.echoes()), (!answer.is_empty(), !answer.is_empty()));
        }
    }

    #[test]
    fn only_ece_alone_on_a_syn_ack_agrees() {
        for (answer, agreed) in [(Flags::ECE, true), (SETUP, false), (Flags::CWR, false), (Flags::empty(), false)] {
            let mut client = Handshake::default();
            client.syn_flags(EcnMode::Active);
            client.heard(SYN_ACK | answer);
            assert_eq!((client.is_capable(), client.echoes()), (agreed, agreed), "{answer:?}");
        }
        let mut passive = Handshake::default();
        passive.syn_flags(EcnMode::Passive);
        passive.heard(SYN_ACK | Flags::ECE); // to a SYN that did not ask
        assert!(!passive.is_capable() && !passive.echoes());
    }

    /// The scenario of §6.1.1.1: neither end may set ECT, but a mark would still be echoed by the one that asked first.
    #[test]
    fn after_a_plain_syn_nobody_sets_ect() {
        let (mut client, mut server) = (Handshake::default(), Handshake::default());
        server.heard(SYN | client.syn_flags(EcnMode::Active));
        let lost = server.syn_ack_flags(EcnMode::Passive);
        assert_eq!(lost, Flags::ECE);
        server.heard(SYN | client.syn_flags(EcnMode::Active));
        assert_eq!(server.syn_ack_flags(EcnMode::Passive), Flags::empty());
        assert!(!server.is_capable());
        client.heard(SYN_ACK | lost); // it was late, not lost
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
