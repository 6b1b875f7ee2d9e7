//! What a wild run must have come to.

use std::fmt::Write;
use std::time::Duration;

use crate::net::{Ideal, Ladder, Outcome, Plan, Side, calm_by_plan, reading_time};
use segue::{CloseReason, Instant, State};

use super::wild::Family;
use crate::settings;

/// Records that a report shows.
const SHOWN: usize = 120;

/// The law of liveness.
pub fn judge(family: Family, outcome: &Outcome) -> Result<(), String> {
    if let Some(failure) = &outcome.failure {
        return Err(failure.clone());
    }
    match family {
        Family::Patient => all_arrives(outcome).and_then(|()| in_time(outcome)),
        Family::Impatient => accounted(outcome),
    }
}

/// Nobody gives up: all was delivered and acknowledged, and both ends are over.
fn all_arrives(outcome: &Outcome) -> Result<(), String> {
    for side in Side::BOTH {
        let (host, peer) = (outcome.host(side), outcome.host(side.other()));
        let (user, octets) = (&host.user, host.end.octets);
        if user.written != octets || peer.user.delivered != octets {
            let state = host.state();
            let (written, delivered, why) = (user.written, peer.user.delivered, user.closed);
            return Err(format!(
                "the {} is stuck in {state}: of {octets} octets {written} written, {delivered} delivered ({why:?})",
                side.name()
            ));
        }
        if user.peer_closed.is_none() {
            return Err(format!("the {} never heard of the other's close, in {}", side.name(), host.state()));
        }
        let reset = user.closed == Some(CloseReason::Reset) && may_end_by_reset(outcome, side);
        if user.closed != Some(CloseReason::Finished) && !reset {
            return Err(format!("the {} did not finish: {:?} in {}", side.name(), user.closed, host.state()));
        }
    }
    Ok(())
}

/// Whether a reset may end this side after both have closed: its peer has finished, and was in TIME-WAIT for 2 MSL before. Or
/// the reset ends a TIME-WAIT (RFC 1337).
fn may_end_by_reset(outcome: &Outcome, side: Side) -> bool {
    let (host, peer) = (outcome.host(side), outcome.host(side.other()));
    let until = peer.over.map(|began| began + 2 * peer.end.config.msl());
    let waited = until.is_some_and(|until| host.over.is_some_and(|over| over >= until));
    peer.user.closed == Some(CloseReason::Finished) && (waited || !host.end.config.rfc1337())
}

/// When the faults stopped: network, hosts and users are calm from then on.
fn calm(outcome: &Outcome) -> Instant {
    let start = Instant::from_micros(outcome.plan.start);
    let rested = Side::BOTH.map(|side| outcome.host(side).user.rested);
    outcome.calm.max(start + calm_by_plan(&outcome.plan)).max(rested[0]).max(rested[1])
}

/// The time it took after the faults stopped is one that stop-and-wait would need, some times over.
fn in_time(outcome: &Outcome) -> Result<(), String> {
    let plan = &outcome.plan;
    let start = Instant::from_micros(plan.start);
    let calm = calm(outcome);
    let over = Side::BOTH.iter().filter_map(|side| outcome.host(*side).over).max().unwrap_or(outcome.end);
    let took = over.saturating_since(calm);
    let most = enough(outcome, calm.saturating_since(start));
    if took > most {
        let calm = calm.saturating_since(start);
        return Err(format!("livelock: it took {took:?} after the faults stopped (at {calm:?}), {most:?} are enough"));
    }
    Ok(())
}

/// The time in which all arrives from when all is calm, `calm` after the start.
fn enough(outcome: &Outcome, calm: Duration) -> Duration {
    let plan = &outcome.plan;
    let reading = reading_time(plan, Side::Client) + reading_time(plan, Side::Server);
    Ideal::of(plan).most_time(plan, calm) + 4 * reading + silenced(outcome)
}

/// How long an end may keep silent that has used up its challenge ACKs (RFC 5961 §7): a SYN,ACK that comes again, since
/// the ACK of the handshake was lost, is answered with one of them.
fn silenced(outcome: &Outcome) -> Duration {
    let one = |side: Side| {
        let host = outcome.host(side);
        let sent = host.connection.as_ref().map_or(0, |connection| connection.info().counters.challenge_acks);
        let used_up = sent >= u64::from(host.end.config.challenge_limit());
        if used_up { host.end.config.challenge_window() } else { Duration::ZERO }
    };
    one(Side::Client) + one(Side::Server)
}

/// Either end may give up, but only for a reason that is true; `Finished` is true as well.
fn accounted(outcome: &Outcome) -> Result<(), String> {
    let reasons = Side::BOTH.map(|side| outcome.reason(side));
    let gave_up = |reason: Option<CloseReason>| {
        !matches!(reason, None | Some(CloseReason::Finished | CloseReason::Reset | CloseReason::Refused))
    };
    for side in Side::BOTH {
        let (host, peer) = (outcome.host(side), outcome.host(side.other()));
        match reasons[side.index()] {
            Some(CloseReason::Finished) => {
                if peer.user.delivered != host.user.written || host.user.delivered != peer.user.written {
                    return Err(format!("the {} finished, but not all was delivered", side.name()));
                }
            }
            Some(CloseReason::Reset | CloseReason::Refused) => {
                if reasons[side.other().index()].is_none() {
                    return Err(format!("the {} was reset by a peer that is in {}", side.name(), peer.state()));
                }
            }
            Some(CloseReason::UserTimeout | CloseReason::ConnectTimeout | CloseReason::KeepAliveTimeout) => {
                not_in_vain(outcome, side)?;
            }
            Some(reason) => return Err(format!("the {} closed for {reason:?}", side.name())),
            None if gave_up(reasons[side.other().index()]) => {} // its reset was lost, or there is none
            None if host.connection.is_none() || host.state() == State::Listen => {}
            None => return Err(format!("all is silent and the {} is still in {}", side.name(), host.state())),
        }
    }
    Ok(())
}

/// Who gave up did so because of faults or of a peer that was gone, and not long after the faults had stopped.
fn not_in_vain(outcome: &Outcome, side: Side) -> Result<(), String> {
    let plan = &outcome.plan;
    let start = Instant::from_micros(plan.start);
    let (host, peer) = (outcome.host(side), outcome.host(side.other()));
    let at = host.over.unwrap_or(outcome.end);
    let gone = peer.over.is_some_and(|over| over < at) || peer.connection.is_none();
    let calm = calm(outcome);
    if gone || at < calm {
        return Ok(());
    }
    let after = at.saturating_since(calm);
    let most = enough(outcome, calm.saturating_since(start));
    if after > most {
        let reason = host.user.closed;
        return Err(format!(
            "the {} closed with {reason:?} {after:?} after the faults had stopped; all could have arrived in {most:?}",
            side.name()
        ));
    }
    Ok(())
}

/// For a person: what went wrong, how to see it again, what the plan differs in from the default, what happened at last.
pub fn report(seed: u64, family: Family, problem: &str, outcome: &Outcome) -> String {
    let mut report = format!("seed {seed} ({family:?}): {problem}\n\n{}\n", show(&outcome.plan));
    let forgotten = outcome.trace.forgotten + outcome.trace.records.len().saturating_sub(SHOWN) as u64;
    writeln!(report, "({forgotten} records before these; the last at {})", outcome.end).expect("a String takes all");
    write!(report, "{}", Ladder::of_last(SHOWN, &outcome.plan, &outcome.trace)).expect("a String takes all");
    report
}

/// A plan as the statements that make it of the default one.
fn show(plan: &Plan) -> String {
    let mut lines = vec!["let mut plan = Plan::default();".to_string()];
    let plain = Plan::default();
    macro_rules! differ {
        ($name:expr, $now:expr, $plain:expr, $($field:ident)*) => {$(
            if $now.$field != $plain.$field {
                lines.push(format!("{}.{} = {:?};", $name, stringify!($field), $now.$field));
            }
        )*};
    }
    differ!("plan", plan, plain, seed start opening links faults outage narrow also_narrow spells strict encode);
    for (i, end) in plan.ends.iter().enumerate() {
        let name = format!("plan.ends[{i}]");
        differ!(name, end, plain.ends[i], iss ts_offset path control octets chunk pause pieces urgent answers closing reading);
        differ!(name, end, plain.ends[i], driver merges fidgets sleep orders frame form);
        let settings = settings::show(&end.config);
        if !settings.is_empty() {
            lines.push(format!("{name}.config = Config::builder(){settings}.build()?;"));
        }
    }
    lines.join("\n")
}
