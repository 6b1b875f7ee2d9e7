//! Faults planted in rules, for `tests/model`: does its search find them?
//!
//! They exist only in a build with `--cfg segue_planted`, and there one at a time, when `plant` says so. In any other
//! build `planted!` is the rule alone.

/// `planted!(name, rule, fault)`: the rule; in a build with planted faults, the fault while it is planted.
#[cfg(not(segue_planted))]
macro_rules! planted {
    ($name:ident, $rule:expr, $fault:expr) => {
        $rule
    };
}

#[cfg(segue_planted)]
macro_rules! planted {
    ($name:ident, $rule:expr, $fault:expr) => {
        if $crate::planted::Fault::$name.is_planted() { $fault } else { $rule }
    };
}

#[cfg(segue_planted)]
mod faults {
    use core::sync::atomic::{AtomicUsize, Ordering};

    /// The number of the planted fault, counted from 1.
    static PLANTED: AtomicUsize = AtomicUsize::new(0);

    macro_rules! faults {
        ($($name:ident: $clause:literal, $what:literal;)*) => {
            /// A fault.
            #[allow(non_camel_case_types)] // the names are those of `planted!`
            #[derive(Clone, Copy, PartialEq, Eq, Debug)]
            pub enum Fault {
                $(#[doc = $what] $name,)*
            }

            impl Fault {
                /// All of them, each with its name, the clause that it breaks, and what it does.
                pub const ALL: &'static [(Self, &'static str, &'static str, &'static str)] =
                    &[$((Self::$name, stringify!($name), $clause, $what),)*];
            }
        };
    }

    faults! {
        accept_any_reset: "RFC 5961 §3.2", "a reset anywhere in the window ends the connection";
        accept_far_resets: "RFC 9293 §3.10.7.4", "a reset outside the window is challenged";
        syn_resets: "RFC 5961 §4.2", "a SYN in the window ends the connection";
        syn_sent_takes_any_ack: "RFC 9293 §3.10.7.3", "in SYN-SENT any SEG.ACK is acceptable";
        handshake_takes_any_ack: "RFC 9293 §3.10.7.4", "in SYN-RECEIVED any SEG.ACK is acceptable";
        number_before_handshake_ack: "RFC 9293 §3.5.2", "in SYN-RECEIVED a number beyond the window counts before SEG.ACK";
        take_acks_of_the_unsent: "RFC 5961 §5.2", "the text of a segment counts whatever it acknowledges";
        forget_paws: "RFC 7323 §5.3", "an old timestamp is not looked at";
        answer_without_limit: "RFC 5961 §7", "challenge ACKs have no limit";
        answer_resets: "RFC 9293 §3.10.7.1", "a reset is answered by a reset";
        answer_acks: "RFC 9293 §3.5", "an ACK is answered by an ACK";
        run_timers_early: "RFC 9293 §3.10.8", "a timer runs up to a second before it is due";
        believe_any_error: "RFC 5927 §4.1", "an ICMP error counts whatever number it quotes";
        any_syn_is_a_successor: "RFC 6191 §2", "TIME-WAIT takes a SYN of any number for a successor's";
        no_time_wait: "RFC 9293 MUST-13", "TIME-WAIT is over at once";
        silent_time_wait: "RFC 9293 §3.10.7.4", "TIME-WAIT does not answer a FIN that comes again";
        skip_fin_check: "RFC 9293 §3.10.7.4", "a FIN counts before the text that precedes it has come";
        any_ack_is_of_the_fin: "RFC 9293 §3.10.7.4", "in FIN-WAIT-1 any ACK acknowledges the FIN";
        fin_before_text: "RFC 9293 §3.10.4", "the FIN goes with text, though more is queued";
        forget_wl1: "RFC 9293 §3.10.7.4", "an old segment updates the window";
        scale_the_window_of_a_syn: "RFC 7323 §2.2", "the window in a SYN,ACK is scaled";
        send_beyond_the_window: "RFC 9293 §3.8.6", "two octets more than the window are sent";
        probe_without_timer: "RFC 9293 §3.8.6.1", "an octet goes into a closed window before the persist timer asks for it";
        no_window_probe: "RFC 9293 MUST-36", "nothing asks whether a closed window is open again";
        number_acks_beyond_the_edge: "RFC 9293 App. A.2", "an ACK is numbered beyond the peer's edge";
        no_answer_before_rcv_nxt: "RFC 9293 §3.8.4", "a keep-alive, numbered RCV.NXT - 1, is not answered";
        forget_the_answer: "RFC 9293 §3.8.4", "a keep-alive that is answered counts as unanswered";
        no_retransmission: "RFC 6298 (5.4)", "the retransmission timer sends nothing again";
        no_timeout_of_the_fin: "RFC 6298 (5.1)", "a FIN that is in flight alone has no retransmission timer";
        deliver_twice: "RFC 9293 §3.10.7.4", "text before RCV.NXT is not trimmed";
        acknowledge_over_a_hole: "RFC 9293 §3.10.7.4", "text beyond a hole is delivered as if it were in order";
        report_too_much: "RFC 2018 §3", "a SACK block reports an octet that has not come";
        promise_what_is_unread: "RFC 9293 §3.8.6", "the window does not shrink by text that waits for the user";
    }

    impl Fault {
        /// Whether it is planted now.
        pub fn is_planted(self) -> bool {
            PLANTED.load(Ordering::Relaxed) == self as usize + 1
        }
    }

    /// Plants this fault and no other, or none.
    pub fn plant(fault: Option<Fault>) {
        PLANTED.store(fault.map_or(0, |fault| fault as usize + 1), Ordering::Relaxed);
    }
}

#[cfg(segue_planted)]
pub use faults::{Fault, plant};
