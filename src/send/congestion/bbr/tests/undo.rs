//! Mistakes: what a loss saves, and what comes back (§5.5.11, §5.6.4.4).

use super::*;
use crate::send::congestion::bbr::Bbr;
use crate::send::congestion::bbr::model::{NO_RATE, NO_VOLUME, Undo, UndoState};
use crate::send::congestion::{Congestion, Controller, Delivery, RateSample, Signal};
use alloc::boxed::Box;
use core::time::Duration;

fn delivery(lost: u32, recovering: bool) -> Delivery {
    let rate =
        RateSample { prior_delivered: 900_000, tx_in_flight: 100_000, ..RateSample::new(100_000, Duration::from(RTT)) };
    Delivery {
        octets: MSS,
        lost,
        delivered: 1_000_000,
        inflight: 150_000,
        rate: Some(rate),
        recovering,
        ..Delivery::new(now())
    }
}

fn probing() -> Bbr {
    Bbr(Box::new(Model { is_bw_probe_sample: true, ..in_state(BbrState::ProbeBwUp) }))
}

fn congestion(signal: Signal) -> Congestion {
    Congestion { inflight: 30_000, ..Congestion::new(signal, 150_000, now()) }
}

/// One event: `losses` segments are lost, and that begins an episode.
fn losses_begin(bbr: &mut Bbr, losses: u32, signal: Signal) {
    (0..losses).for_each(|_| bbr.on_lost(&Lost { delivered: 1_000_000, ..much_lost() }));
    if signal == Signal::Loss {
        bbr.on_delivery(&delivery(losses * MSS, false));
    }
    bbr.on_congestion(&congestion(signal));
}

/// The trap: entering recovery saves, too, after the loss has ended the state; so does each segment more.
#[test]
fn the_state_that_a_loss_ends_is_remembered_beyond_recovery_entry() {
    for signal in [Signal::Loss, Signal::Timeout] {
        for losses in [1, 2, 5] {
            let mut bbr = probing();
            losses_begin(&mut bbr, losses, signal);
            assert_eq!(
                (bbr.0.state, bbr.0.undo.state),
                (BbrState::ProbeBwDown, Some(UndoState::ProbeBwUp)),
                "{losses}"
            );
            assert_eq!((bbr.0.undo.inflight_longterm, bbr.0.inflight_longterm), (NO_VOLUME, 149_000));
            bbr.on_spurious(now());
            assert_eq!(
                (bbr.0.state, bbr.0.inflight_longterm, bbr.0.cwnd),
                (BbrState::ProbeBwRefill, NO_VOLUME, 2 * BDP)
            );
            assert_eq!(bbr.0.undo.state, None);
        }
    }
}

/// One mistake is one episode: what is found lost later in it saves nothing over what is saved.
#[test]
fn a_later_loss_of_an_episode_saves_nothing() {
    let mut bbr = probing();
    losses_begin(&mut bbr, 1, Signal::Loss);
    bbr.on_delivery(&delivery(0, true));
    bbr.on_lost(&much_lost());
    bbr.on_delivery(&delivery(MSS, true));
    bbr.on_spurious(now());
    assert_eq!((bbr.0.state, bbr.0.inflight_longterm), (BbrState::ProbeBwRefill, NO_VOLUME));
}

/// The next episode saves anew, also if the acknowledgment that ended one begins it.
#[test]
fn each_episode_saves_anew() {
    for told in [true, false] {
        let mut bbr = probing();
        losses_begin(&mut bbr, 1, Signal::Loss);
        bbr.on_delivery(&delivery(0, true));
        if told {
            bbr.on_recovered(150_000, now());
        } else {
            bbr.on_delivery(&delivery(0, false));
        }
        (bbr.0.state, bbr.0.is_bw_probe_sample, bbr.0.bw_shortterm) = (BbrState::ProbeBwUp, true, 800_000);
        losses_begin(&mut bbr, 1, Signal::Loss);
        let Undo { state, bw_shortterm, inflight_shortterm, inflight_longterm } = bbr.0.undo;
        assert_eq!(
            (state, bw_shortterm, inflight_shortterm, inflight_longterm),
            (Some(UndoState::ProbeBwUp), 800_000, NO_VOLUME, 149_000)
        );
    }
}

/// A loss that is not heeded begins an episode all the same.
#[test]
fn recovery_entry_saves_where_no_loss_did() {
    let mut bbr = Bbr(Box::new(Model { inflight_longterm: 120_000, ..in_state(BbrState::ProbeBwCruise) }));
    bbr.on_lost(&Lost { delivered: 1_000_000, ..Lost::new(MSS, BDP, now()) });
    assert!(!bbr.0.is_loss_in_round && !bbr.0.saved);
    bbr.on_delivery(&delivery(MSS, false));
    bbr.on_congestion(&congestion(Signal::Loss));
    assert_eq!((bbr.0.undo.inflight_longterm, bbr.0.in_recovery, bbr.0.fast), (120_000, true, true));
}

/// HandleSpuriousLossDetection: each bound is the larger one, saved or present.
#[test]
fn a_mistake_restores_each_bound_that_was_larger() {
    let saved = Undo { state: None, bw_shortterm: 5, inflight_shortterm: 50, inflight_longterm: 500 };
    let present = Undo { state: None, bw_shortterm: 4, inflight_shortterm: 40, inflight_longterm: 400 };
    let infinite =
        Undo { state: None, bw_shortterm: NO_RATE, inflight_shortterm: NO_VOLUME, inflight_longterm: NO_VOLUME };
    for (saved, present, restored) in [(saved, present, saved), (present, saved, saved), (infinite, saved, infinite)] {
        for bound in 0..3 {
            let of = |from: Undo, other: Undo| Undo {
                state: None,
                bw_shortterm: if bound == 0 { from.bw_shortterm } else { other.bw_shortterm },
                inflight_shortterm: if bound == 1 { from.inflight_shortterm } else { other.inflight_shortterm },
                inflight_longterm: if bound == 2 { from.inflight_longterm } else { other.inflight_longterm },
            };
            let now = of(present, saved);
            let mut model = Model {
                bw_shortterm: now.bw_shortterm,
                inflight_shortterm: now.inflight_shortterm,
                inflight_longterm: now.inflight_longterm,
                undo: saved,
                ..in_state(BbrState::ProbeBwCruise)
            };
            model.handle_spurious_loss_detection();
            let after = (model.bw_shortterm, model.inflight_shortterm, model.inflight_longterm);
            let all = of(restored, saved);
            assert_eq!(after, (all.bw_shortterm, all.inflight_shortterm, all.inflight_longterm), "bound {bound}");
        }
    }
}

#[test]
fn a_mistake_resets_the_round_of_losses_and_the_full_pipe() {
    let lossy = Model { is_loss_in_round: true, full_bw: BW, full_bw_count: 3, ..in_state(BbrState::ProbeBwCruise) };
    let mut model = Model { full_bw_now: true, cwnd: 4000, prior_cwnd: 150_000, ..lossy };
    model.handle_spurious_loss_detection();
    assert_eq!((model.is_loss_in_round, model.cwnd), (false, 150_000));
    assert_eq!((model.full_bw, model.full_bw_count, model.full_bw_now, model.full_bw_reached), (0, 0, false, true));
}

/// ProbeRTT goes on, but Startup follows it.
#[test]
fn a_mistake_in_probe_rtt_leads_to_startup_after_it() {
    let mut model = in_state(BbrState::ProbeRtt);
    model.undo.state = Some(UndoState::Startup);
    model.handle_spurious_loss_detection();
    assert_eq!((model.state, model.full_bw_reached, model.undo.state), (BbrState::ProbeRtt, false, None));
}

/// A Startup that losses ended, and which was none of their doing.
#[test]
fn a_startup_that_a_mistake_ended_goes_on() {
    let mut bbr = Bbr(Box::new(in_state(BbrState::Startup)));
    (0..6).for_each(|_| bbr.on_lost(&Lost { delivered: 1_000_000, ..much_lost() }));
    bbr.on_delivery(&delivery(6 * MSS, false));
    bbr.on_congestion(&congestion(Signal::Loss));
    let mut round = delivery(0, true);
    let rate = round.rate.expect("a sample");
    round.rate = Some(RateSample { prior_delivered: 1_000_000, lost: 15_000, ..rate });
    bbr.on_delivery(&round);
    assert_eq!((bbr.0.state, bbr.0.undo.state), (BbrState::Drain, Some(UndoState::Startup)));
    bbr.on_spurious(now());
    assert_eq!((bbr.0.state, bbr.0.full_bw_reached, bbr.0.inflight_longterm), (BbrState::Startup, false, NO_VOLUME));
}

/// OnEnterRTO: what is in flight, and a segment. What it was comes back when the repair is done.
#[test]
fn a_timeout_leaves_a_segment_until_it_is_repaired() {
    let mut bbr = Bbr(Box::new(in_state(BbrState::ProbeBwCruise)));
    bbr.on_congestion(&congestion(Signal::Timeout));
    assert_eq!((bbr.window(), bbr.0.prior_cwnd, bbr.0.fast), (31_000, 2 * BDP, false));
    bbr.on_congestion(&Congestion { inflight: 0, ..congestion(Signal::TimeoutAgain) });
    assert_eq!((bbr.window(), bbr.0.prior_cwnd), (1000, 2 * BDP));
    bbr.on_delivery(&delivery(0, true));
    assert_eq!(bbr.window(), 4000);
    bbr.on_delivery(&delivery(0, false));
    assert_eq!((bbr.window(), bbr.0.in_recovery), (2 * BDP + MSS, false)); // extra_acked is a segment
}

/// SaveCwnd: in recovery and in ProbeRTT the window is modulated, so the larger one counts.
#[test]
fn a_modulated_window_is_not_saved_over_a_larger_one() {
    let saved = |state, in_recovery| {
        let mut model = Model { cwnd: 5000, prior_cwnd: 9000, in_recovery, ..in_state(state) };
        model.save_cwnd();
        model.prior_cwnd
    };
    assert_eq!((saved(BbrState::ProbeBwUp, false), saved(BbrState::ProbeBwUp, true)), (5000, 9000));
    assert_eq!(saved(BbrState::ProbeRtt, false), 9000);
}
