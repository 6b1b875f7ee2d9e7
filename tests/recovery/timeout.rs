//! The retransmission timer (RFC 6298), its estimate (RFC 7323 App. G), and what happens when nothing arrives for long.

use quickcheck::quickcheck;
use segue::Timer;

use super::bench::{Bench, everywhere, ms, sack, without_rack, without_sack};

/// RFC 6298 (5.1) to (5.6).
#[test]
fn rfc_6298_the_timer() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, without_sack().min_rto(ms(1)));
        bench.send(2);
        assert_eq!(bench.until(Timer::Retransmit), Some(300)); // (5.1), (2.2): 100 + 4 * 50
        bench.at(50);
        bench.send(1);
        assert_eq!(bench.until(Timer::Retransmit), Some(250)); // (5.1): it runs already
        bench.at(100);
        bench.ack(1);
        let rto = bench.info().rto.as_millis() as u64;
        assert_eq!(bench.until(Timer::Retransmit), Some(rto)); // (5.3)
        bench.ack(3);
        assert_eq!(bench.until(Timer::Retransmit), None); // (5.2)
        bench.at(200);
        bench.send(3);
        let rto = bench.info().rto;
        assert_eq!(bench.until(Timer::Retransmit), Some(rto.as_millis() as u64));
        bench.pass(rto.as_millis() as u64 + 1);
        assert_eq!(bench.log.last().unwrap().1, "3"); // (5.4): the earliest
        assert_eq!(bench.info().rto, 2 * rto); // (5.5)
        assert_eq!(bench.until(Timer::Retransmit), Some(2 * rto.as_millis() as u64 - 1)); // (5.6)
    });
}

/// RFC 6298 (2.4) says 1 s; the default is 200 ms beyond SRTT, with RACK and without, and `min_rto` sets it.
#[test]
fn the_floor_of_the_rto() {
    everywhere(|iss| {
        for (config, floor) in [(sack(), 200), (without_sack(), 200), (sack().min_rto(ms(1000)), 1000)] {
            let mut bench = Bench::new(iss, config);
            for n in 1..100 {
                bench.send(1);
                bench.wait(1);
                bench.ack(n);
            }
            assert_eq!(bench.info().rto, ms(1 + floor));
        }
    });
}

/// RFC 7323 App. G: with more samples in a round trip each counts for less. Ten segments in flight: five samples are
/// expected.
#[test]
fn rfc_7323_app_g_many_samples() {
    everywhere(|iss| {
        for config in [without_rack(), sack().timestamps(true)] {
            let mut bench = Bench::new(iss, config.min_rto(ms(1)));
            bench.send(10);
            bench.pass(180); // no probe yet
            let (mut srtt, mut rttvar) = (100.0_f64, 50.0_f64);
            for n in 1..=5_u32 {
                let samples = f64::from((11 - n).div_ceil(2));
                rttvar += (f64::abs(srtt - 180.0) - rttvar) / (4.0 * samples);
                srtt += (180.0 - srtt) / (8.0 * samples);
                bench.ack_echo(n, 0);
                let info = bench.info();
                let millis = |d: Option<std::time::Duration>| d.unwrap().as_secs_f64() * 1000.0;
                assert!((millis(info.srtt) - srtt).abs() < 0.02, "{n}: {:?}, {srtt}", info.srtt);
                assert!((millis(info.rttvar) - rttvar).abs() < 0.02, "{n}: {:?}, {rttvar}", info.rttvar);
            }
        }
    });
}

/// Minutes without an answer: one segment for each doubling of the RTO, then one a minute. What follows the first answer is
/// slow start.
#[test]
fn a_long_outage_brings_no_storm() {
    everywhere(|iss| {
        for config in [sack(), without_rack(), without_sack(), sack().timestamps(true)] {
            let mut bench = Bench::with_window_20(iss, config.user_timeout(None).black_hole_timeouts(0));
            bench.send(500);
            assert_eq!(bench.info().flight, 20_000);
            let rto = bench.info().rto.as_secs_f64();
            bench.log.clear();
            bench.pass(600_000);
            let doublings = (60.0 / rto).log2().ceil() as usize;
            let most = doublings + 10 + 2; // one a minute, and a tail-loss probe
            assert!(bench.log.len() <= most, "{} segments: {:?}", bench.log.len(), bench.log);
            assert!(bench.log.len() > 9, "it goes on: {:?}", bench.log);
            bench.log.clear();
            let echo = bench.clock() as u32;
            bench.ack_echo(21, echo);
            assert!(bench.log.len() <= 2, "{:?}", bench.log);
            let mut acked = 21;
            for round in 0..4 {
                let sent = bench.log.len() as u32;
                bench.log.clear();
                bench.wait(100);
                let echo = bench.clock() as u32;
                for _ in 0..sent {
                    acked += 1;
                    bench.ack_echo(acked, echo);
                }
                assert!(bench.log.len() as u32 <= 2 * sent, "round {round}: {} after {sent}", bench.log.len());
            }
        }
    });
}

/// A FIN goes again as text does: by the timeout, with the text before it, and behind the lost text.
#[test]
fn a_fin_goes_again_by_the_same_path() {
    everywhere(|iss| {
        let mut bench = Bench::new(iss, without_sack());
        assert_eq!(bench.close(), "F");
        assert_eq!(bench.fire(Timer::Retransmit, 300), "F");
        assert_eq!(bench.fire(Timer::Retransmit, 900), "F");

        // 1 and 2 are lost, the FIN of its own was reported
        let mut bench = Bench::new(iss, sack());
        bench.send(3);
        bench.at(50);
        assert_eq!(bench.close(), "F");
        bench.at(150);
        assert_eq!(bench.octets(1000, &[(3000, 3001)], None), "1");
        bench.at(250);
        assert_eq!(bench.octets(2000, &[(3000, 3001)], None), "2F");
        bench.at(350);
        bench.octets(3001, &[], None);
        assert_eq!((bench.info().flight, bench.info().counters.timeouts), (0, 0));

        // the FIN is lost with the last segment: both in one
        let mut bench = Bench::new(iss, without_sack());
        bench.send(3);
        bench.at(50);
        bench.close();
        bench.at(100);
        bench.ack(2);
        bench.pass(300);
        assert_eq!(bench.log.last().unwrap().1, "2F");
    });
}

/// What can happen to a sender: time, text, and acknowledgments of any sense.
fn play(bench: &mut Bench, steps: &[(u8, u8, u16)], mut check: impl FnMut(&Bench)) {
    for &(kind, share, value) in steps {
        let place = |octets: u32| octets * u32::from(share) / 255;
        let una = bench.info().snd_una - bench.seq(0);
        match kind % 8 {
            0 | 1 => drop(bench.send_octets(u32::from(value) % 5000)),
            2 | 3 => bench.pass(u64::from(value) % 700),
            4 => bench.pass(u64::from(value)),
            5 => drop(bench.octets(una + place(bench.info().flight), &[], Some(bench.clock() as u32))),
            6 => {
                let left = una + place(bench.info().flight);
                bench.octets(una, &[(left, left + u32::from(value) % 4000)], Some(bench.clock() as u32));
            }
            _ => drop(bench.octets(una, &[], None)),
        }
        check(bench);
    }
}

quickcheck! {
    /// RFC 6298 (2.4), (2.5), and never a timer of the past.
    fn the_rto_stays_between_its_limits(steps: Vec<(u8, u8, u16)>, rack: bool, stamps: bool, floor: u8) -> bool {
        let floor = ms(u64::from(floor) * 10 + 1);
        let config = sack().rack(rack).timestamps(stamps).min_rto(floor).user_timeout(None);
        let mut bench = Bench::new(u32::MAX - 5000, config);
        play(&mut bench, &steps, |bench| {
            let rto = bench.info().rto;
            assert!(rto >= floor && rto <= ms(60_000), "{rto:?}");
        });
        true
    }

    /// With pacing nothing starves: while something may go, a timer runs, and it is not of the past.
    fn pacing_never_starves(steps: Vec<(u8, u8, u16)>, burst: u8, gso: u16) -> bool {
        let config = sack().pacing(true).pacing_burst(u16::from(burst) + 1).max_transmit(gso % 20_000).user_timeout(None);
        let mut bench = Bench::new(u32::MAX - 5000, config);
        play(&mut bench, &steps, |bench| {
            let info = bench.info();
            assert!(info.send_queue == 0 || bench.connection().next_deadline().is_some());
        });
        // whatever happened: honest acknowledgments bring everything home
        for _ in 0..1000 {
            let (info, clock) = (bench.info(), bench.clock() as u32);
            let nxt = info.snd_nxt - bench.seq(0);
            bench.octets(nxt, &[], Some(clock));
            if bench.info().send_queue == 0 {
                return true;
            }
            bench.pass(1000);
        }
        false
    }
}
