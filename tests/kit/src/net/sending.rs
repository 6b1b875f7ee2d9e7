//! What must hold of the sending side from call to call: one reduction in an episode of loss, no more in flight than the
//! window and a probe, the RTO between its limits.

use segue::{Action, Config, Info, SeqNum, State};

use super::Input;

/// The memory of a connection between two calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sending {
    last: Option<Info>,
    /// The last episode ends when this is acknowledged, unless it turns out to have been none.
    until: Option<SeqNum>,
    /// The peer has shown that something was lost or came out of order, so that SND.NXT - SND.UNA is not the
    /// flight; or the path became narrower.
    disordered: bool,
    /// The most that the congestion window and a segment ever were.
    cwnd: u32,
    mss: u32,
    /// The largest packet that a SYN may have been.
    early: u32,
    /// There was text on the SYN.
    syn_text: bool,
}

impl Sending {
    /// After each call.
    pub(crate) fn check(&mut self, info: Info, config: &Config, input: Option<&Input>, actions: &[Action]) {
        let returned = actions.iter().any(|action| matches!(action, Action::ReturnedToListen));
        if matches!(info.state, State::Closed | State::Listen) || returned {
            *self = Self::default();
            return;
        }
        assert!(info.rto >= config.min_rto() && info.rto <= config.max_rto(), "the RTO is {:?}", info.rto);
        self.one_reduction(&info, input);
        self.no_more_than_allowed(&info, input);
        self.last = Some(info);
    }

    /// RFC 5681 §3.2, RFC 6582 §3.2, RFC 6675 §5: fast recovery begins once for what was in flight, and not for what was
    /// in flight at a timeout.
    fn one_reduction(&mut self, info: &Info, input: Option<&Input>) {
        let Some(last) = self.last.as_ref() else { return };
        let (now, before) = (&info.counters, &last.counters);
        if now.spurious_recoveries > before.spurious_recoveries {
            self.until = None;
        }
        let batch = matches!(input, Some(Input::Segments(_))); // each of them may end an episode
        let fast = now.fast_retransmits - before.fast_retransmits;
        if fast > 0 && !batch {
            let past = self.until.is_none_or(|until| info.snd_una.at_or_after(until));
            assert!(fast == 1 && past, "reduced again before {:?} was acknowledged: {info:?}", self.until);
        }
        if fast > 0 || now.timeouts > before.timeouts {
            // The timeout of a SYN is over with its acknowledgment: text that left with it goes again in a new flight.
            let opens = matches!(last.state, State::SynSent | State::SynReceived);
            self.until = Some(if opens { info.iss + 1 } else { last.snd_nxt });
        }
    }

    /// While everything arrives in order, all that is not acknowledged is in flight: no more than the window, and one
    /// segment that probes for a lost tail (RFC 8985 §7.3), one octet that probes the peer's window, a SYN or a FIN.
    fn no_more_than_allowed(&mut self, info: &Info, input: Option<&Input>) {
        let reports = match input {
            Some(Input::Segment(segment)) => !segment.options.sack().is_empty(),
            Some(Input::Segments(segments)) => segments.iter().any(|s| !s.options.sack().is_empty()),
            _ => false,
        };
        let counters = &info.counters;
        let narrower = self.last.as_ref().is_some_and(|last| info.eff_snd_mss < last.eff_snd_mss);
        self.disordered |= reports || narrower || counters.retransmissions > 0 || counters.duplicate_acks > 0;
        self.cwnd = self.cwnd.max(info.cwnd);
        self.mss = self.mss.max(u32::from(info.eff_snd_mss));
        let probes = u32::from(counters.tail_probes > 0) * self.mss + u32::from(counters.probes > 0) + 2;
        // Text on the SYN that the peer did not take is below SND.NXT, and not in flight.
        let opened =
            self.last.as_ref().is_some_and(|last| last.state == State::SynSent) && info.state != State::SynSent;
        self.disordered |= opened && info.flight > 0 && self.syn_text;
        self.syn_text |= info.state == State::SynSent && info.flight > 1;
        if info.state == State::SynSent {
            self.early = self.early.max(u32::from(info.path_mtu)); // text on the SYN
        }
        let early = if matches!(info.state, State::SynSent | State::SynReceived) { self.early } else { 0 };
        let most = self.cwnd.max(self.mss).max(early) + probes;
        assert!(
            self.disordered || info.flight <= most,
            "{} octets in flight, {most} are allowed: {info:?}",
            info.flight
        );
    }
}
