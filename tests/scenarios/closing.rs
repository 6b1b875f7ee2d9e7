//! Closing a connection (RFC 9293 §3.6).

use std::time::Duration;

use segue::State::{Closed, Established, FinWait1, TimeWait};
use segue::Timer::{self, DelayedAck, Retransmit};

use super::world::{A, B, World, everywhere};

/// 2 MSL.
const TWO_MSL: Duration = Duration::from_secs(240);

/// A has been in TIME-WAIT for 2 MSL.
fn two_msl_pass(w: &mut World) {
    w.fire(A, Timer::TimeWait);
    w.states(Closed, Closed);
}

/// RFC 9293 Figure 12.
#[test]
fn figure_12_normal_close_sequence() {
    everywhere(|w| {
        w.establish(100, 300);
        w.close(A);
        w.states(FinWait1, Established);
        w.play(
            "2.  FIN-WAIT-1  --> <SEQ=100><ACK=300><CTL=FIN,ACK>  --> CLOSE-WAIT
             3.  FIN-WAIT-2  <-- <SEQ=300><ACK=101><CTL=ACK>      <-- CLOSE-WAIT",
        );
        w.told(B, "PeerClosed");
        w.close(B);
        w.play(
            "4.  TIME-WAIT   <-- <SEQ=300><ACK=101><CTL=FIN,ACK>  <-- LAST-ACK
             5.  TIME-WAIT   --> <SEQ=101><ACK=301><CTL=ACK>      --> CLOSED",
        );
        w.told(A, "PeerClosed");
        w.told(B, "Closed(Finished)");
        assert_eq!(w.deadline(A, Timer::TimeWait), Some(TWO_MSL));
        two_msl_pass(w);
        w.told(A, "Closed(Finished)");
    });
}

/// RFC 9293 Figure 13.
#[test]
fn figure_13_simultaneous_close_sequence() {
    everywhere(|w| {
        w.establish(100, 300);
        w.close(A);
        w.close(B);
        w.play(
            "2.  FIN-WAIT-1  --> <SEQ=100><ACK=300><CTL=FIN,ACK>  ... FIN-WAIT-1
                 CLOSING     <-- <SEQ=300><ACK=100><CTL=FIN,ACK>  <-- FIN-WAIT-1
                             ... <SEQ=100><ACK=300><CTL=FIN,ACK>  --> CLOSING
             3.  CLOSING     --> <SEQ=101><ACK=301><CTL=ACK>      ... CLOSING
                 TIME-WAIT   <-- <SEQ=301><ACK=101><CTL=ACK>      <-- CLOSING
                             ... <SEQ=101><ACK=301><CTL=ACK>      --> TIME-WAIT",
        );
        w.told(A, "PeerClosed");
        w.told(B, "PeerClosed");
        w.fire(A, Timer::TimeWait);
        w.fire(B, Timer::TimeWait);
        w.states(Closed, Closed);
        w.told(A, "Closed(Finished)");
        w.told(B, "Closed(Finished)");
    });
}

/// The textbooks' four segments: FIN u; ACK u + 1 at v; text of the side that has not closed, v to w; FIN w; ACK w + 1.
#[test]
fn four_way_close_with_text_still_flowing_from_the_other_side() {
    everywhere(|w| {
        w.establish(1000, 2000);
        w.close(A);
        w.play(
            "FIN-WAIT-1  --> <SEQ=1000><ACK=2000><CTL=FIN,ACK>       --> CLOSE-WAIT
             FIN-WAIT-2  <-- <SEQ=2000><ACK=1001><CTL=ACK>           <-- CLOSE-WAIT",
        );
        w.send(B, 500);
        w.play("FIN-WAIT-2  <-- <SEQ=2000><ACK=1001><DATA=500><CTL=ACK> <-- CLOSE-WAIT");
        w.told(A, "Deliver 500");
        w.fire(A, DelayedAck);
        w.play("FIN-WAIT-2  --> <SEQ=1001><ACK=2500><CTL=ACK>           --> CLOSE-WAIT");
        w.close(B);
        w.play(
            "TIME-WAIT   <-- <SEQ=2500><ACK=1001><CTL=FIN,ACK>       <-- LAST-ACK
             TIME-WAIT   --> <SEQ=1001><ACK=2501><CTL=ACK>           --> CLOSED",
        );
        w.told(A, "PeerClosed");
        w.told(B, "PeerClosed; Closed(Finished)");
        two_msl_pass(w);
    });
}

#[test]
fn fin_wait_1_lost_ack_of_fin_brings_the_fin_again() {
    everywhere(|w| {
        w.establish(1000, 2000);
        w.close(A);
        w.play(
            "FIN-WAIT-1  --> <SEQ=1000><ACK=2000><CTL=FIN,ACK>  --> CLOSE-WAIT
                         X   <SEQ=2000><ACK=1001><CTL=ACK>      <-- CLOSE-WAIT",
        );
        w.fire(A, Retransmit);
        w.play(
            "FIN-WAIT-1  --> <SEQ=1000><ACK=2000><CTL=FIN,ACK>  --> CLOSE-WAIT
             FIN-WAIT-2  <-- <SEQ=2000><ACK=1001><CTL=ACK>      <-- CLOSE-WAIT",
        );
        w.told(B, "PeerClosed; Discarded(Duplicate)");
    });
}

#[test]
fn fin_wait_1_lost_fin_comes_again() {
    everywhere(|w| {
        w.establish(1000, 2000);
        w.close(A);
        w.play("FIN-WAIT-1  --> <SEQ=1000><ACK=2000><CTL=FIN,ACK>  X");
        w.fire(A, Retransmit);
        w.play(
            "FIN-WAIT-1  --> <SEQ=1000><ACK=2000><CTL=FIN,ACK>  --> CLOSE-WAIT
             FIN-WAIT-2  <-- <SEQ=2000><ACK=1001><CTL=ACK>      <-- CLOSE-WAIT",
        );
    });
}

/// The FIN comes again, is acknowledged again, and 2 MSL begin anew.
#[test]
fn time_wait_lost_last_ack_restarts_2_msl() {
    everywhere(|w| {
        w.establish(1000, 2000);
        w.close(A);
        w.play(
            "FIN-WAIT-1  --> <SEQ=1000><ACK=2000><CTL=FIN,ACK>  --> CLOSE-WAIT
             FIN-WAIT-2  <-- <SEQ=2000><ACK=1001><CTL=ACK>      <-- CLOSE-WAIT",
        );
        w.close(B);
        w.play(
            "TIME-WAIT   <-- <SEQ=2000><ACK=1001><CTL=FIN,ACK>  <-- LAST-ACK
             TIME-WAIT   --> <SEQ=1001><ACK=2001><CTL=ACK>      X",
        );
        assert_eq!(w.deadline(A, Timer::TimeWait), Some(TWO_MSL));
        w.fire(B, Retransmit);
        assert_eq!(w.deadline(A, Timer::TimeWait), Some(TWO_MSL - Duration::from_secs(1)));
        w.play("TIME-WAIT   <-- <SEQ=2000><ACK=1001><CTL=FIN,ACK>  <-- LAST-ACK");
        assert_eq!(w.deadline(A, Timer::TimeWait), Some(TWO_MSL));
        w.play("TIME-WAIT   --> <SEQ=1001><ACK=2001><CTL=ACK>      --> CLOSED");
        w.told(B, "PeerClosed; Closed(Finished)");
        two_msl_pass(w);
    });
}

/// FIN and ACK of our FIN in one segment: no FIN-WAIT-2 (§3.10.7.4, eighth).
#[test]
fn fin_wait_1_fin_with_ack_of_fin_enters_time_wait() {
    everywhere(|w| {
        w.establish(1000, 2000);
        w.close(A);
        w.play(
            "FIN-WAIT-1  --> <SEQ=1000><ACK=2000><CTL=FIN,ACK>  --> CLOSE-WAIT
                         X   <SEQ=2000><ACK=1001><CTL=ACK>      <-- CLOSE-WAIT",
        );
        w.close(B);
        w.states(FinWait1, segue::State::LastAck);
        w.play(
            "TIME-WAIT   <-- <SEQ=2000><ACK=1001><CTL=FIN,ACK>  <-- LAST-ACK
             TIME-WAIT   --> <SEQ=1001><ACK=2001><CTL=ACK>      --> CLOSED",
        );
        two_msl_pass(w);
    });
}

/// Text, the ACK of our FIN and the peer's FIN all in one.
#[test]
fn fin_wait_1_text_with_fin_and_ack_of_fin_is_delivered_and_enters_time_wait() {
    everywhere(|w| {
        w.establish(1000, 2000);
        w.close(A);
        w.play(
            "FIN-WAIT-1  --> <SEQ=1000><ACK=2000><CTL=FIN,ACK>           X
             (duplicate) TIME-WAIT <-- <SEQ=2000><ACK=1001><DATA=5><CTL=FIN,ACK> ...",
        );
        w.told(A, "Deliver 5; PeerClosed");
        w.play("TIME-WAIT   --> <SEQ=1001><ACK=2006><CTL=ACK> X");
        assert_eq!(w.deadline(A, Timer::TimeWait), Some(TWO_MSL));
    });
}

#[test]
fn closing_lost_ack_is_made_up_in_time_wait() {
    everywhere(|w| {
        w.establish(100, 300);
        w.close(A);
        w.close(B);
        w.play(
            "FIN-WAIT-1  --> <SEQ=100><ACK=300><CTL=FIN,ACK>  ... FIN-WAIT-1
             CLOSING     <-- <SEQ=300><ACK=100><CTL=FIN,ACK>  <-- FIN-WAIT-1
                         ... <SEQ=100><ACK=300><CTL=FIN,ACK>  --> CLOSING
             CLOSING     --> <SEQ=101><ACK=301><CTL=ACK>      X
             TIME-WAIT   <-- <SEQ=301><ACK=101><CTL=ACK>      <-- CLOSING",
        );
        w.fire(B, Retransmit);
        w.play(
            "TIME-WAIT   <-- <SEQ=300><ACK=101><CTL=FIN,ACK>  <-- CLOSING
             TIME-WAIT   --> <SEQ=101><ACK=301><CTL=ACK>      --> TIME-WAIT",
        );
    });
}

/// Simultaneous close with one FIN lost: the other side's FIN does not acknowledge it.
#[test]
fn closing_lost_fin_comes_again() {
    everywhere(|w| {
        w.establish(100, 300);
        w.close(A);
        w.close(B);
        w.play(
            "FIN-WAIT-1  --> <SEQ=100><ACK=300><CTL=FIN,ACK>  X
             CLOSING     <-- <SEQ=300><ACK=100><CTL=FIN,ACK>  <-- FIN-WAIT-1
             CLOSING     --> <SEQ=101><ACK=301><CTL=ACK>      --> FIN-WAIT-2",
        );
        w.fire(A, Retransmit);
        w.play(
            "CLOSING     --> <SEQ=100><ACK=301><CTL=FIN,ACK>  --> TIME-WAIT
             TIME-WAIT   <-- <SEQ=301><ACK=101><CTL=ACK>      <-- TIME-WAIT",
        );
    });
}

/// CLOSE means "no more": what was sent before it comes first, and the FIN with the last of it.
#[test]
fn established_close_behind_queued_text_sends_the_fin_with_the_last() {
    everywhere(|w| {
        w.establish(100, 300);
        w.send(A, 3000);
        w.close(A);
        w.play(
            "FIN-WAIT-1  --> <SEQ=100><ACK=300><DATA=1460><CTL=ACK>       --> ESTABLISHED
             FIN-WAIT-1  --> <SEQ=1560><ACK=300><DATA=1460><CTL=ACK>      --> ESTABLISHED
             FIN-WAIT-1  <-- <SEQ=300><ACK=3020><CTL=ACK>                 <-- ESTABLISHED
             FIN-WAIT-1  --> <SEQ=3020><ACK=300><DATA=80><CTL=FIN,PSH,ACK> --> CLOSE-WAIT
             FIN-WAIT-2  <-- <SEQ=300><ACK=3101><CTL=ACK>                 <-- CLOSE-WAIT",
        );
        w.told(B, "Deliver 1460; Deliver 1460; Deliver 80; PeerClosed");
    });
}

/// The FIN overtakes the text: it is held, and counts when the text is there.
#[test]
fn established_fin_before_text_waits_for_it() {
    everywhere(|w| {
        w.establish(100, 300);
        w.send(A, 10);
        w.close(A);
        w.play(
            "FIN-WAIT-1  --> <SEQ=100><ACK=300><DATA=10><CTL=ACK> ... ESTABLISHED
             FIN-WAIT-1  --> <SEQ=110><ACK=300><CTL=FIN,ACK>      --> ESTABLISHED
             FIN-WAIT-1  <-- <SEQ=300><ACK=100><CTL=ACK>          <-- ESTABLISHED
                         ... <SEQ=100><ACK=300><DATA=10><CTL=ACK> --> CLOSE-WAIT
             FIN-WAIT-2  <-- <SEQ=300><ACK=111><CTL=ACK>          <-- CLOSE-WAIT",
        );
        w.told(B, "Deliver 10; PeerClosed");
    });
}

/// TIME-WAIT is left by nothing but time: a reset does not end it (RFC 1337), nor the one that an answer to an old ACK
/// brings; an acceptable ACK is not answered.
#[test]
fn time_wait_ignores_resets_and_answers_old_acks() {
    everywhere(|w| {
        w.establish(100, 300);
        w.close(A);
        w.play(
            "FIN-WAIT-1  --> <SEQ=100><ACK=300><CTL=FIN,ACK>  --> CLOSE-WAIT
             FIN-WAIT-2  <-- <SEQ=300><ACK=101><CTL=ACK>      <-- CLOSE-WAIT",
        );
        w.close(B);
        w.play(
            "TIME-WAIT   <-- <SEQ=300><ACK=101><CTL=FIN,ACK>  <-- LAST-ACK
             TIME-WAIT   --> <SEQ=101><ACK=301><CTL=ACK>      --> CLOSED",
        );
        w.told(A, "PeerClosed");
        w.play(
            "(duplicate) TIME-WAIT <-- <SEQ=301><CTL=RST>          ...
             (duplicate) TIME-WAIT <-- <SEQ=301><ACK=101><CTL=ACK> ...",
        );
        w.told(A, "Discarded(TimeWait); Discarded(TimeWait)");
        w.play(
            "(duplicate) TIME-WAIT <-- <SEQ=300><ACK=101><CTL=ACK> ...
                         TIME-WAIT --> <SEQ=101><ACK=301><CTL=ACK> --> CLOSED
                         TIME-WAIT <-- <SEQ=301><CTL=RST>          <-- CLOSED",
        );
        w.told(A, "Discarded(TimeWait); Discarded(TimeWait)");
        w.told(B, "PeerClosed; Closed(Finished); Discarded(NoConnection)");
        w.states(TimeWait, Closed);
    });
}

/// A SYN above the last number may open the next incarnation (MAY-2), one below it is an old duplicate and is not answered.
#[test]
fn time_wait_syn_is_a_successor_or_old() {
    everywhere(|w| {
        w.establish(100, 300);
        w.close(A);
        w.play(
            "FIN-WAIT-1  --> <SEQ=100><ACK=300><CTL=FIN,ACK>  --> CLOSE-WAIT
             FIN-WAIT-2  <-- <SEQ=300><ACK=101><CTL=ACK>      <-- CLOSE-WAIT",
        );
        w.close(B);
        w.play(
            "TIME-WAIT   <-- <SEQ=300><ACK=101><CTL=FIN,ACK>  <-- LAST-ACK
             TIME-WAIT   --> <SEQ=101><ACK=301><CTL=ACK>      --> CLOSED",
        );
        w.told(A, "PeerClosed");
        w.play("(duplicate) TIME-WAIT <-- <SEQ=290><CTL=SYN> ...");
        w.told(A, "Discarded(TimeWait)");
        w.connect(B, 900);
        w.play("TIME-WAIT   <-- <SEQ=900><CTL=SYN>               <-- SYN-SENT");
        w.told(A, "Successor");
        w.accept(A, 500, "<SEQ=900><CTL=SYN>");
        w.play(
            "SYN-RECEIVED --> <SEQ=500><ACK=901><CTL=SYN,ACK> --> ESTABLISHED
             ESTABLISHED  <-- <SEQ=901><ACK=501><CTL=ACK>     <-- ESTABLISHED",
        );
    });
}

/// After a normal close nothing is left: what still arrives is answered by a reset (§3.10.7.1).
#[test]
fn closed_text_after_the_close_is_answered_by_a_reset() {
    everywhere(|w| {
        w.play(
            "(duplicate) ... <SEQ=100><ACK=300><DATA=10><CTL=ACK> --> CLOSED
             CLOSED      <-- <SEQ=300><CTL=RST>                   <-- CLOSED",
        );
        w.told(A, "Discarded(NoConnection)");
    });
}

/// The user is gone and the peer still sends: it must learn that nobody reads (SHLD-3).
#[test]
fn fin_wait_2_text_for_a_released_user_is_answered_by_a_reset() {
    everywhere(|w| {
        w.establish(100, 300);
        w.release(A);
        w.play(
            "FIN-WAIT-1  --> <SEQ=100><ACK=300><CTL=FIN,ACK>      --> CLOSE-WAIT
             FIN-WAIT-2  <-- <SEQ=300><ACK=101><CTL=ACK>          <-- CLOSE-WAIT",
        );
        w.send(B, 10);
        w.play(
            "CLOSED      <-- <SEQ=300><ACK=101><DATA=10><CTL=ACK> <-- CLOSE-WAIT
             CLOSED      --> <SEQ=101><CTL=RST>                   --> CLOSED",
        );
        w.told(A, "Closed(Unread)");
        w.told(B, "PeerClosed; Closed(Reset)");
    });
}
