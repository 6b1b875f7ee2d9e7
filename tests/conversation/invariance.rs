//! Runs that must be equal: the same one twice, the same one replayed, in the other form of the calls, with other initial
//! sequence numbers, at another time.

use std::time::Duration;

use super::generate::{Family, plan};
use segue::{Arc, Connection, Instant};
use segue_kit::STARTS;
use segue_kit::net::{
    Bases, Driver, Form, Input, Opening, Outcome, Plan, Rates, Reading, Reply, Side, Sim, Step, apply,
};

const GENTLE: Family = Family { octets: 20_000, rough: false, hosts: false };

fn recorded(plan: &Plan) -> Outcome {
    let outcome = Sim::new(plan, true).finish();
    assert!(outcome.failure.is_none(), "{}", outcome.report(outcome.failure.as_deref().unwrap_or_default()));
    outcome
}

/// Plans of many kinds: lossless, with faults, starved, simultaneous.
fn plans() -> Vec<Plan> {
    let faults = Rates { lose: 100, duplicate: 50, hold: 100, ..Rates::default() };
    let mut plans = vec![
        Plan::exchange(10_000, 5000),
        Plan::exchange(30_000, 30_000).with_faults(3, faults, 100),
        Plan::exchange(10_000, 10_000).with_faults(4, faults, 100).with(|plan| plan.opening = Opening::Simultaneous),
        Plan::exchange(20_000, 0).with_config(|config| config.receive_buffer(3000)).with(|plan| {
            plan.ends[1].reading = Reading::Pause { at: 2000, length: Duration::from_secs(5) };
        }),
    ];
    plans.extend((0..40).map(|seed| plan(GENTLE, seed)));
    plans
}

/// A step without what depends on ISS, clock and start.
fn relative(bases: &Bases, side: Side, step: &Step) -> Step {
    let input = step.input.clone().map(|input| match input {
        Input::Segment(segment) => Input::Segment(bases.segment(side.other(), &segment)),
        Input::TooBig { quoted_seq, mtu } => Input::TooBig { quoted_seq: bases.seq(side, quoted_seq), mtu },
        Input::Rearm(_) => Input::Continue, // only secrets are in it
        other => other,
    });
    let actions = step.reply.actions.iter().map(|action| bases.action(side, action)).collect();
    let reply = Reply { actions, ..step.reply.clone() };
    Step { at: bases.time(step.at), input, reply, hash: 0, canonical: step.canonical }
}

#[track_caller]
fn assert_same_but_for_the_bases(one: &Outcome, other: &Outcome) {
    let bases = [one, other].map(|outcome| Bases::of(&outcome.plan));
    for side in Side::BOTH {
        for (i, (a, b)) in one.log(side).iter().zip(other.log(side)).enumerate() {
            let (a, b) = (relative(&bases[0], side, a), relative(&bases[1], side, b));
            assert!(
                a == b,
                "step {i} of the {} differs\n{a:?}\n{b:?}\n{}",
                side.name(),
                other.report("the second run")
            );
        }
        assert_eq!(one.log(side).len(), other.log(side).len(), "one run is longer");
    }
}

/// Same inputs, same actions, equal values and hashes.
#[test]
fn the_same_plan_twice_is_the_same_run() {
    for plan in plans() {
        let (one, other) = (recorded(&plan), recorded(&plan));
        for side in Side::BOTH {
            assert_eq!(one.log(side), other.log(side));
            assert_eq!(one.host(side).connection, other.host(side).connection);
        }
    }
}

/// The recorded calls, given to a new value, bring the same actions and values.
#[test]
fn a_recorded_run_replays() {
    for plan in plans() {
        let outcome = recorded(&plan);
        for side in Side::BOTH {
            let end = outcome.host(side).end.clone();
            let active = side == Side::Client || plan.opening == Opening::Simultaneous;
            let start = Instant::from_micros(plan.start);
            let (config, secrets) = (Arc::new(end.config), end.secrets());
            let mut log = outcome.log(side).iter();
            let mut connection = if active {
                let (connection, actions) = Connection::connect(config, end.path, secrets, start);
                assert_eq!(log.next().expect("it was opened").reply.actions, actions);
                connection
            } else if plan.opening == Opening::Accept {
                let Some(Input::Segment(syn)) = log.next().and_then(|step| step.input.clone()) else { continue };
                Connection::accept(config, end.path, secrets, syn, outcome.log(side)[0].at).0
            } else {
                log.next().expect("it was opened");
                Connection::listen(config, end.path, secrets)
            };
            for step in log {
                let input = step.input.clone().expect("constructed once");
                assert_eq!(apply(&mut connection, end.form, input, step.at), step.reply);
            }
            assert_eq!(Some(&connection), outcome.host(side).connection.as_ref());
        }
    }
}

/// `handle_segment` and its sisters, and `handle` with a sink.
#[test]
fn the_vec_form_and_the_sink_form_give_the_same_actions() {
    for plan in plans() {
        let with = |form| plan.clone().with(|plan| plan.ends.iter_mut().for_each(|end| end.form = form));
        let (calls, events) = (recorded(&with(Form::Calls)), recorded(&with(Form::Events)));
        for side in Side::BOTH {
            for (call, event) in calls.log(side).iter().zip(events.log(side)) {
                assert_eq!(call, event);
            }
            assert_eq!(calls.log(side).len(), events.log(side).len());
        }
    }
}

/// Shifting both ISS by anything shifts the numbers and nothing else: no comparison of sequence numbers is wrong at any
/// place of the circle.
#[test]
fn the_initial_sequence_numbers_do_not_matter() {
    for (i, plan) in plans().into_iter().enumerate() {
        let zero = plan.with(|plan| plan.ends.iter_mut().for_each(|end| end.iss = 1 << 20));
        let expected = recorded(&zero);
        let mut shifts: Vec<[u32; 2]> =
            STARTS.iter().enumerate().map(|(j, edge)| [*edge, STARTS[(i + j) % STARTS.len()]]).collect();
        shifts.push([0x1234_5678 ^ (i as u32).wrapping_mul(0x9E37_79B9), 0xFEDC_BA98_u32.wrapping_mul(i as u32 + 1)]);
        for iss in shifts {
            let shifted = zero.clone().with(|plan| {
                plan.ends[0].iss = iss[0];
                plan.ends[1].iss = iss[1];
            });
            assert_same_but_for_the_bases(&expected, &recorded(&shifted));
        }
    }
}

/// Beginning later by whole milliseconds changes nothing but the times.
#[test]
fn the_time_of_the_start_does_not_matter() {
    for plan in plans() {
        let early = plan.with(|plan| plan.start = 0);
        let expected = recorded(&early);
        for shift in [1000, 777_000, 4_294_967_290_000, 4_294_967_296_000, 1 << 50] {
            let later = early.clone().with(|plan| plan.start = shift / 1000 * 1000);
            assert_same_but_for_the_bases(&expected, &recorded(&later));
        }
    }
}

/// A host that obeys only `SetTimer` sees the same segments at the same times as one that asks for deadlines.
#[test]
fn announced_timers_and_deadlines_give_the_same_segments() {
    for plan in plans() {
        let plan = plan.with_config(|config| config.max_burst(0)); // the one takes up a burst by `Continue`, the other does not
        let with = |driver| plan.clone().with(|plan| plan.ends.iter_mut().for_each(|end| end.driver = driver));
        let (asked, told) = (recorded(&with(Driver::Deadlines)), recorded(&with(Driver::Announced)));
        for side in Side::BOTH {
            assert!(
                asked.trace.departures(side).eq(told.trace.departures(side)),
                "the {} sent other segments\n{}\n{}",
                side.name(),
                asked.report("asking for deadlines"),
                told.report("obeying SetTimer")
            );
        }
    }
}
