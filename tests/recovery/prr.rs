//! Proportional rate reduction (RFC 9937; the examples are those of RFC 6937 §3.1).

use super::bench::{Bench, everywhere, sack, without_rack};

/// Twenty segments in flight, the next at hand: ACK `n` of the example reports segment `n`, and those before it from
/// `lost` on. What each lets go.
fn play(iss: u32, rack: bool, lost: u32) -> Vec<String> {
    let mut bench = Bench::with_window_20(iss, if rack { sack() } else { without_rack() });
    bench.send(100);
    bench.wait(100);
    let sent = (lost..20).map(|n| bench.sack(20, &[(20 + lost, 20 + n + 1)])).collect();
    assert_eq!((bench.windows().1, bench.episodes()), (10_000, (1, 0, 0)));
    sent
}

/// RFC 6937 §3.1, first figure: one loss of twenty. PRR's row is "N N R . N . N . N …", one for every second ACK. It
/// counts in segments and rounds up; segue counts in octets and sends whole segments, so each new segment after the
/// retransmission waits for the ACK that completes it: one later. The last one is ssthresh less the flight ("s" in the
/// figure).
#[test]
fn rfc_6937_a_single_loss() {
    everywhere(|iss| {
        for rack in [true, false] {
            let sent = play(iss, rack, 1);
            assert_eq!(sent[..3], ["40", "41", "20"], "RACK {rack}");
            let every_second = ["", "", "42", "", "43", "", "44", "", "45", "", "46", "", "47", "", "", "48"];
            assert_eq!(sent[3..], every_second, "RACK {rack}");
        }
    });
}

/// RFC 6937 §3.1, second figure: fifteen losses. The row of PRR-CRB: RFC 9937 adds a segment for slow start only to an
/// acknowledgment that advances SND.UNA.
#[test]
fn rfc_6937_a_burst_of_losses() {
    everywhere(|iss| {
        for rack in [true, false] {
            assert_eq!(play(iss, rack, 15), ["40", "41", "20", "21", "22"], "RACK {rack}");
        }
    });
}

/// RFC 9937 §5: SafeACK. Below ssthresh, an acknowledgment that advances and shows no more loss adds a segment.
#[test]
fn slow_start_in_recovery_follows_safe_acknowledgments() {
    everywhere(|iss| {
        let mut bench = Bench::with_window_20(iss, sack());
        bench.send(100);
        bench.wait(100);
        for n in 15..20 {
            bench.sack(20, &[(35, 20 + n + 1)]);
        }
        bench.wait(100); // three retransmissions and two new segments arrive
        assert_eq!(bench.sack(21, &[(35, 40)]), "23 24");
        assert_eq!(bench.sack(22, &[(35, 40)]), "25 26");
        assert_eq!(bench.sack(23, &[(35, 40)]), "27 28");
        assert_eq!(bench.sack(23, &[(35, 41)]), "29"); // it does not advance
        assert_eq!(bench.info().counters.fast_retransmits, 1);
    });
}

/// The first retransmission goes at once, though the reduction alone would not allow it.
#[test]
fn the_fast_retransmit_is_forced() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, without_rack());
        bench.send_octets(4000); // ssthresh is two segments, three are in flight after the third report
        bench.at(100);
        assert_eq!(bench.octets(0, &[(1000, 2000), (3000, 4000)], None), "");
        bench.send_octets(300);
        bench.at(110);
        assert_eq!(bench.octets(0, &[(1000, 2000), (3000, 4100)], None), "");
        assert_eq!(bench.octets(0, &[(1000, 2000), (3000, 4300)], None), "0");
    });
}

/// However many are lost, transmission in recovery is in proportion to delivery, while more than ssthresh is in
/// flight.
#[test]
fn what_leaves_is_half_of_what_arrives() {
    everywhere(|iss| {
        for lost in [1, 3, 5] {
            let mut bench = Bench::with_window_20(iss, sack());
            bench.send(200);
            bench.wait(100);
            bench.log.clear();
            for n in lost..20 {
                bench.sack(20, &[(20 + lost, 20 + n + 1)]);
            }
            let out = bench.log.len() as u32;
            let most = 2 + (20 - lost).div_ceil(2); // two by limited transmit
            assert!((most - 2..=most).contains(&out), "{lost} lost, {out} sent: {:?}", bench.log);
        }
    });
}
