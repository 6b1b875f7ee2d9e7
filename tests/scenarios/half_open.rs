//! Half-open connections and other anomalies (RFC 9293 §3.5.1), and the reset.

use segue::State::{Closed, Listen};
use segue::Timer::Retransmit;

use super::world::{A, B, everywhere};

/// RFC 9293 Figure 9: A has forgotten the connection and opens it anew.
#[test]
fn figure_9_half_open_connection_discovery() {
    everywhere(|w| {
        w.establish(100, 300);
        w.reboot(A);
        w.connect(A, 400);
        w.play(
            "3.  SYN-SENT --> <SEQ=400><CTL=SYN>              --> ESTABLISHED
             4.  SYN-SENT <-- <SEQ=300><ACK=100><CTL=ACK>     <-- ESTABLISHED
             5.  SYN-SENT --> <SEQ=100><CTL=RST>              --> CLOSED",
        );
        w.told(B, "Discarded(SynChallenged); Closed(Reset)");
        w.listen(B, 700);
        w.fire(A, Retransmit);
        w.play(
            "7.  SYN-SENT    --> <SEQ=400><CTL=SYN>              --> SYN-RECEIVED
             8.  ESTABLISHED <-- <SEQ=700><ACK=401><CTL=SYN,ACK> <-- SYN-RECEIVED
             9.  ESTABLISHED --> <SEQ=401><ACK=701><CTL=ACK>     --> ESTABLISHED",
        );
    });
}

/// The same when the new SYN lies outside the window of the forgotten connection.
#[test]
fn half_open_connection_is_discovered_by_a_syn_outside_the_window() {
    everywhere(|w| {
        w.establish(100_100, 300);
        w.reboot(A);
        w.connect(A, 400);
        w.play(
            "SYN-SENT --> <SEQ=400><CTL=SYN>              --> ESTABLISHED
             SYN-SENT <-- <SEQ=300><ACK=100100><CTL=ACK>  <-- ESTABLISHED
             SYN-SENT --> <SEQ=100100><CTL=RST>           --> CLOSED",
        );
        w.told(B, "Discarded(SynChallenged); Closed(Reset)");
    });
}

/// RFC 9293 Figure 10: the side that still believes in the connection sends.
#[test]
fn figure_10_active_side_causes_half_open_connection_discovery() {
    everywhere(|w| {
        w.establish(100, 300);
        w.reboot(A);
        w.send(B, 10);
        w.play(
            "2.  (??)    <-- <SEQ=300><ACK=100><DATA=10><CTL=ACK> <-- ESTABLISHED
             3.          --> <SEQ=100><CTL=RST>                   --> CLOSED",
        );
        w.told(B, "Closed(Reset)");
    });
}

/// RFC 9293 Figure 11, with Z = 90 and X = 300.
#[test]
fn figure_11_old_duplicate_syn_initiates_a_reset_on_two_passive_sockets() {
    everywhere(|w| {
        w.listen(A, 100);
        w.listen(B, 300);
        w.play(
            "2.  (duplicate) ... <SEQ=90><CTL=SYN>              --> SYN-RECEIVED
             3.  LISTEN      <-- <SEQ=300><ACK=91><CTL=SYN,ACK> <-- SYN-RECEIVED
             4.  LISTEN      --> <SEQ=91><CTL=RST>              --> LISTEN",
        );
        w.told(B, "ReturnedToListen");
        w.states(Listen, Listen);
    });
}

/// The same when the host of A has no connection at all.
#[test]
fn old_duplicate_syn_of_a_closed_port_returns_the_server_to_listen() {
    everywhere(|w| {
        w.listen(B, 300);
        w.play(
            "(duplicate) ... <SEQ=90><CTL=SYN>              --> SYN-RECEIVED
             CLOSED      <-- <SEQ=300><ACK=91><CTL=SYN,ACK> <-- SYN-RECEIVED
             CLOSED      --> <SEQ=91><CTL=RST>              --> LISTEN",
        );
        w.told(B, "ReturnedToListen");
    });
}

/// ABORT: `<SEQ=SND.NXT><CTL=RST>`, and the other user learns it (MUST-12).
#[test]
fn established_abort_resets_the_peer() {
    everywhere(|w| {
        w.establish(100, 300);
        w.abort(A);
        w.play("CLOSED --> <SEQ=100><CTL=RST> --> CLOSED");
        w.told(A, "Closed(Aborted)");
        w.told(B, "Closed(Reset)");
    });
}

/// SND.NXT is the highest number sent, also while older text is unacknowledged.
#[test]
fn established_abort_with_text_in_flight_uses_snd_nxt() {
    everywhere(|w| {
        w.establish(100, 300);
        w.send(A, 10);
        w.play("ESTABLISHED --> <SEQ=100><ACK=300><DATA=10><CTL=ACK> --> ESTABLISHED");
        w.abort(A);
        w.play("CLOSED --> <SEQ=110><CTL=RST> --> CLOSED");
        w.told(B, "Deliver 10; Closed(Reset)");
    });
}

/// The text before the reset is lost: the reset lies in the window but not at RCV.NXT (RFC 5961 §3). The challenge brings
/// one that is exact.
#[test]
fn established_reset_behind_lost_text_is_challenged_and_repeated() {
    everywhere(|w| {
        w.establish(100, 300);
        w.send(A, 10);
        w.play("ESTABLISHED --> <SEQ=100><ACK=300><DATA=10><CTL=ACK> X");
        w.abort(A);
        w.play(
            "CLOSED --> <SEQ=110><CTL=RST>                  --> ESTABLISHED
             CLOSED <-- <SEQ=300><ACK=100><CTL=ACK>         <-- ESTABLISHED
             CLOSED --> <SEQ=100><CTL=RST>                  --> CLOSED",
        );
        w.told(B, "Discarded(ResetChallenged); Closed(Reset)");
    });
}

/// The reset is lost: whatever the peer sends next is answered by another.
#[test]
fn established_lost_reset_is_made_up_by_the_answer_to_text() {
    everywhere(|w| {
        w.establish(100, 300);
        w.abort(A);
        w.play("CLOSED --> <SEQ=100><CTL=RST> X");
        w.send(B, 10);
        w.play(
            "CLOSED <-- <SEQ=300><ACK=100><DATA=10><CTL=ACK> <-- ESTABLISHED
             CLOSED --> <SEQ=100><CTL=RST>                   --> CLOSED",
        );
        w.told(B, "Closed(Reset)");
        w.states(Closed, Closed);
    });
}

#[test]
fn syn_received_abort_resets_the_client() {
    everywhere(|w| {
        w.listen(B, 300);
        w.connect(A, 100);
        w.play(
            "SYN-SENT    --> <SEQ=100><CTL=SYN>              --> SYN-RECEIVED
             ESTABLISHED <-- <SEQ=300><ACK=101><CTL=SYN,ACK> <-- SYN-RECEIVED
             ESTABLISHED --> <SEQ=101><ACK=301><CTL=ACK>     ...",
        );
        w.abort(B);
        w.play(
            "CLOSED      <-- <SEQ=301><CTL=RST>              <-- CLOSED
                         ... <SEQ=101><ACK=301><CTL=ACK>     --> CLOSED
             CLOSED      <-- <SEQ=301><CTL=RST>              <-- CLOSED",
        );
        w.told(A, "Connected; Closed(Reset); Discarded(NoConnection)");
    });
}
