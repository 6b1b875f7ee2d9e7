//! Text on its way: loss, acknowledgment, windows (RFC 9293 §3.8).

use std::time::Duration;

use segue::Config;
use segue::Timer::{DelayedAck, KeepAlive, Override, Persist, Retransmit};

use super::world::{A, B, everywhere, everywhere_with, plain};

/// A plain configuration whose receive buffer holds two segments.
fn two_segments() -> Config {
    plain().to_builder().receive_buffer(2920).build().expect("valid")
}

#[test]
fn established_lost_text_comes_again_after_the_rto() {
    everywhere(|w| {
        w.establish(100, 300);
        w.send(A, 10);
        w.play("ESTABLISHED --> <SEQ=100><ACK=300><DATA=10><CTL=ACK> X");
        assert_eq!(w.deadline(A, Retransmit), Some(Duration::from_secs(1)));
        w.fire(A, Retransmit);
        assert_eq!(w.deadline(A, Retransmit), Some(Duration::from_secs(2))); // RFC 6298 (5.5)
        w.play("ESTABLISHED --> <SEQ=100><ACK=300><DATA=10><CTL=ACK> --> ESTABLISHED");
        w.told(B, "Deliver 10");
        w.fire(B, DelayedAck);
        w.play("ESTABLISHED <-- <SEQ=300><ACK=110><CTL=ACK> <-- ESTABLISHED");
        assert_eq!(w.deadline(A, Retransmit), None);
    });
}

/// The text came, its acknowledgment did not: the copy is acknowledged and not delivered again.
#[test]
fn established_lost_ack_brings_the_text_again_and_only_its_ack() {
    everywhere(|w| {
        w.establish(100, 300);
        w.send(A, 10);
        w.play("ESTABLISHED --> <SEQ=100><ACK=300><DATA=10><CTL=ACK> --> ESTABLISHED");
        w.fire(B, DelayedAck);
        w.play("            X   <SEQ=300><ACK=110><CTL=ACK>          <-- ESTABLISHED");
        w.fire(A, Retransmit);
        w.play(
            "ESTABLISHED --> <SEQ=100><ACK=300><DATA=10><CTL=ACK> --> ESTABLISHED
             ESTABLISHED <-- <SEQ=300><ACK=110><CTL=ACK>          <-- ESTABLISHED",
        );
        w.told(B, "Deliver 10; Discarded(Duplicate)");
    });
}

/// RFC 5681 §3.2: three duplicate ACKs, and the lost segment comes again long before its timer.
#[test]
fn established_three_duplicate_acks_bring_the_lost_segment() {
    everywhere(|w| {
        w.establish(100, 300);
        w.send(A, 6 * 1460);
        w.play(
            "ESTABLISHED --> <SEQ=100><ACK=300><DATA=1460><CTL=ACK>  --> ESTABLISHED
             ESTABLISHED --> <SEQ=1560><ACK=300><DATA=1460><CTL=ACK> X
             ESTABLISHED --> <SEQ=3020><ACK=300><DATA=1460><CTL=ACK> --> ESTABLISHED
             ESTABLISHED --> <SEQ=4480><ACK=300><DATA=1460><CTL=ACK> --> ESTABLISHED
             ESTABLISHED --> <SEQ=5940><ACK=300><DATA=1460><CTL=ACK> --> ESTABLISHED
             ESTABLISHED --> <SEQ=7400><ACK=300><DATA=1460><CTL=ACK> --> ESTABLISHED",
        );
        w.told(B, "Deliver 1460");
        w.play(
            "ESTABLISHED <-- <SEQ=300><ACK=1560><CTL=ACK>            <-- ESTABLISHED
             ESTABLISHED <-- <SEQ=300><ACK=1560><CTL=ACK>            <-- ESTABLISHED
             ESTABLISHED <-- <SEQ=300><ACK=1560><CTL=ACK>            <-- ESTABLISHED
             ESTABLISHED <-- <SEQ=300><ACK=1560><CTL=ACK>            <-- ESTABLISHED
             ESTABLISHED --> <SEQ=1560><ACK=300><DATA=1460><CTL=ACK> --> ESTABLISHED
             ESTABLISHED <-- <SEQ=300><ACK=8860><CTL=ACK>            <-- ESTABLISHED",
        );
        w.told(B, &["Deliver 1460"; 5].join("; "));
    });
}

/// One segment may wait for company, the second may not (SHLD-18, SHLD-19, MUST-40).
#[test]
fn established_every_second_segment_is_acknowledged_at_once() {
    everywhere(|w| {
        w.establish(100, 300);
        w.send(A, 2 * 1460);
        w.play("ESTABLISHED --> <SEQ=100><ACK=300><DATA=1460><CTL=ACK>  --> ESTABLISHED");
        assert_eq!(w.deadline(B, DelayedAck), Some(Duration::from_millis(40)));
        w.play(
            "ESTABLISHED --> <SEQ=1560><ACK=300><DATA=1460><CTL=ACK> --> ESTABLISHED
             ESTABLISHED <-- <SEQ=300><ACK=3020><CTL=ACK>            <-- ESTABLISHED",
        );
        assert_eq!(w.deadline(B, DelayedAck), None);
    });
}

/// The acknowledgment rides on the text that goes the other way.
#[test]
fn established_answer_carries_the_delayed_ack() {
    everywhere(|w| {
        w.establish(100, 300);
        w.send(A, 10);
        w.play("ESTABLISHED --> <SEQ=100><ACK=300><DATA=10><CTL=ACK>  --> ESTABLISHED");
        w.send(B, 20);
        w.play("ESTABLISHED <-- <SEQ=300><ACK=110><DATA=20><CTL=ACK>  <-- ESTABLISHED");
        assert_eq!(w.deadline(B, DelayedAck), None);
    });
}

/// The window closes; one octet probes it; the user reads; the update lets the rest go (MUST-35, MUST-36).
#[test]
fn established_zero_window_is_probed_until_it_opens() {
    everywhere_with([plain(), two_segments()], |w| {
        w.establish(100, 300);
        w.send(A, 4000);
        w.play(
            "ESTABLISHED --> <SEQ=100><ACK=300><DATA=1460><CTL=ACK>     --> ESTABLISHED
             ESTABLISHED --> <SEQ=1560><ACK=300><DATA=1460><CTL=ACK>    --> ESTABLISHED
             ESTABLISHED <-- <SEQ=300><ACK=3020><CTL=ACK><WIN=0>        <-- ESTABLISHED",
        );
        assert_eq!(w.deadline(A, Retransmit), None);
        for _ in 0..3 {
            w.fire(A, Persist);
            w.play(
                "ESTABLISHED --> <SEQ=3020><ACK=300><DATA=1><CTL=ACK>   --> ESTABLISHED
                 ESTABLISHED <-- <SEQ=300><ACK=3020><CTL=ACK><WIN=0>    <-- ESTABLISHED",
            );
        }
        w.consume(B, 2920);
        w.play(
            "ESTABLISHED <-- <SEQ=300><ACK=3020><CTL=ACK><WIN=2920>     <-- ESTABLISHED
             ESTABLISHED --> <SEQ=3020><ACK=300><DATA=1080><CTL=ACK>    --> ESTABLISHED",
        );
        let refused = "Discarded(ZeroWindow); ".repeat(3);
        w.told(B, &format!("Deliver 1460; Deliver 1460; {refused}Deliver 1080"));
    });
}

/// The window update is lost: the next probe finds the window open.
#[test]
fn established_lost_window_update_is_found_by_a_probe() {
    everywhere_with([plain(), two_segments()], |w| {
        w.establish(100, 300);
        w.send(A, 4000);
        w.play(
            "ESTABLISHED --> <SEQ=100><ACK=300><DATA=1460><CTL=ACK>     --> ESTABLISHED
             ESTABLISHED --> <SEQ=1560><ACK=300><DATA=1460><CTL=ACK>    --> ESTABLISHED
             ESTABLISHED <-- <SEQ=300><ACK=3020><CTL=ACK><WIN=0>        <-- ESTABLISHED",
        );
        w.consume(B, 2920);
        w.play("            X   <SEQ=300><ACK=3020><CTL=ACK><WIN=2920>      <-- ESTABLISHED");
        w.fire(A, Persist);
        w.play("ESTABLISHED --> <SEQ=3020><ACK=300><DATA=1><CTL=ACK>        --> ESTABLISHED");
        w.fire(B, DelayedAck);
        w.play(
            "ESTABLISHED <-- <SEQ=300><ACK=3021><CTL=ACK>               <-- ESTABLISHED
             ESTABLISHED --> <SEQ=3021><ACK=300><DATA=1079><CTL=ACK>    --> ESTABLISHED",
        );
    });
}

/// A FIN that the window keeps out is probed for like text.
#[test]
fn fin_wait_1_fin_at_a_zero_window_is_probed() {
    everywhere_with([plain(), two_segments()], |w| {
        w.establish(100, 300);
        w.send(A, 2920);
        w.play(
            "ESTABLISHED --> <SEQ=100><ACK=300><DATA=1460><CTL=ACK>     --> ESTABLISHED
             ESTABLISHED --> <SEQ=1560><ACK=300><DATA=1460><CTL=ACK>    --> ESTABLISHED
             ESTABLISHED <-- <SEQ=300><ACK=3020><CTL=ACK><WIN=0>        <-- ESTABLISHED",
        );
        w.close(A);
        w.quiet();
        w.fire(A, Persist);
        w.play("FIN-WAIT-1  --> <SEQ=3020><ACK=300><CTL=FIN,ACK>            X");
        w.consume(B, 2920);
        w.play("            X   <SEQ=300><ACK=3020><CTL=ACK><WIN=2920>     <-- ESTABLISHED");
        w.fire(A, Persist);
        w.play(
            "FIN-WAIT-1  --> <SEQ=3020><ACK=300><CTL=FIN,ACK>           --> CLOSE-WAIT
             FIN-WAIT-2  <-- <SEQ=300><ACK=3021><CTL=ACK>               <-- CLOSE-WAIT",
        );
    });
}

/// Both windows are closed, and the probes cross: each is answered once, and no answer is answered. Then one window opens.
#[test]
fn established_probes_that_cross_are_answered_once() {
    everywhere_with([two_segments(), two_segments()], |w| {
        w.establish(100, 300);
        w.send(A, 4000);
        w.play(
            "ESTABLISHED --> <SEQ=100><ACK=300><DATA=1460><CTL=ACK>          --> ESTABLISHED
             ESTABLISHED --> <SEQ=1560><ACK=300><DATA=1460><CTL=ACK>         --> ESTABLISHED
             ESTABLISHED <-- <SEQ=300><ACK=3020><CTL=ACK><WIN=0>             <-- ESTABLISHED",
        );
        w.send(B, 4000);
        w.play(
            "ESTABLISHED <-- <SEQ=300><ACK=3020><DATA=1460><CTL=ACK><WIN=0>  <-- ESTABLISHED
             ESTABLISHED <-- <SEQ=1760><ACK=3020><DATA=1460><CTL=ACK><WIN=0> <-- ESTABLISHED
             ESTABLISHED --> <SEQ=3020><ACK=3220><CTL=ACK><WIN=0>            --> ESTABLISHED",
        );
        w.fire(A, Persist);
        w.fire(B, Persist);
        w.play(
            "ESTABLISHED --> <SEQ=3020><ACK=3220><DATA=1><CTL=ACK><WIN=0>    ... ESTABLISHED
             ESTABLISHED <-- <SEQ=3220><ACK=3020><DATA=1><CTL=ACK><WIN=0>    <-- ESTABLISHED
                         ... <SEQ=3020><ACK=3220><DATA=1><CTL=ACK><WIN=0>    --> ESTABLISHED
             ESTABLISHED --> <SEQ=3020><ACK=3220><CTL=ACK><WIN=0>            --> ESTABLISHED
             ESTABLISHED <-- <SEQ=3220><ACK=3020><CTL=ACK><WIN=0>            <-- ESTABLISHED",
        );
        w.quiet();
        w.consume(B, 2920);
        w.play(
            "ESTABLISHED <-- <SEQ=3220><ACK=3020><CTL=ACK><WIN=2920>         <-- ESTABLISHED
             ESTABLISHED --> <SEQ=3020><ACK=3220><DATA=1080><CTL=ACK><WIN=0> --> ESTABLISHED",
        );
        w.fire(B, DelayedAck);
        w.play("ESTABLISHED <-- <SEQ=3220><ACK=4100><CTL=ACK><WIN=1840>         <-- ESTABLISHED");
    });
}

/// SND.WL1: an old segment that arrives late does not bring back the window of its time. What the small window lets through
/// waits for the override timeout (§3.8.6.2.1).
#[test]
fn established_late_segment_does_not_update_the_window() {
    everywhere(|w| {
        w.establish(100, 300);
        w.play(
            "(duplicate) ESTABLISHED <-- <SEQ=310><ACK=100><DATA=10><CTL=ACK><WIN=500>  ...
             (duplicate) ESTABLISHED <-- <SEQ=300><ACK=100><DATA=10><CTL=ACK><WIN=1000> ...",
        );
        w.told(A, "Deliver 20"); // merged: small pieces are copied together
        w.play(
            "ESTABLISHED --> <SEQ=100><ACK=300><CTL=ACK> X
             ESTABLISHED --> <SEQ=100><ACK=320><CTL=ACK> X",
        );
        w.send(A, 800);
        w.quiet();
        w.fire(A, Override);
        w.play("ESTABLISHED --> <SEQ=100><ACK=320><DATA=500><CTL=ACK> X");
    });
}

fn keeps_alive() -> Config {
    plain().to_builder().keep_alive(true).build().expect("valid")
}

/// RFC 9293 §3.8.4: the probe repeats the last number and asks for an ACK. Two hours pass before the first (MUST-28).
#[test]
fn established_idle_connection_is_kept_alive() {
    everywhere_with([keeps_alive(), plain()], |w| {
        w.establish(100, 300);
        for _ in 0..3 {
            assert_eq!(w.deadline(A, KeepAlive), Some(Duration::from_secs(7200)));
            w.fire(A, KeepAlive);
            w.play(
                "ESTABLISHED --> <SEQ=99><ACK=300><CTL=ACK>  --> ESTABLISHED
                 ESTABLISHED <-- <SEQ=300><ACK=100><CTL=ACK> <-- ESTABLISHED",
            );
        }
    });
}

/// One probe without an answer is no proof (MUST-29), nine are.
#[test]
fn established_keep_alives_without_answer_end_the_connection() {
    everywhere_with([keeps_alive(), plain()], |w| {
        w.establish(100, 300);
        for _ in 0..9 {
            w.fire(A, KeepAlive);
            w.play("ESTABLISHED --> <SEQ=99><ACK=300><CTL=ACK>  X");
            assert_eq!(w.deadline(A, KeepAlive), Some(Duration::from_secs(75)));
        }
        w.fire(A, KeepAlive);
        w.told(A, "Closed(KeepAliveTimeout)");
    });
}

/// The peer has forgotten the connection: the probe brings its reset.
#[test]
fn established_keep_alive_discovers_a_reboot() {
    everywhere_with([keeps_alive(), plain()], |w| {
        w.establish(100, 300);
        w.reboot(B);
        w.fire(A, KeepAlive);
        w.play(
            "ESTABLISHED --> <SEQ=99><ACK=300><CTL=ACK>  --> CLOSED
             CLOSED      <-- <SEQ=300><CTL=RST>          <-- CLOSED",
        );
        w.told(A, "Closed(Reset)");
    });
}
