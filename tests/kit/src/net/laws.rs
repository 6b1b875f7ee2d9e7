//! Laws of runs that are `strict`: bounds on the memory that a connection holds, on the work of one event, on
//! retransmissions, on segments and time; and who closes names a limit that was truly reached.

use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use segue::{Action, CloseReason, Config, Flags, Info, Instant, Knob, Segment, SeqNum, State};

use super::{Closing, Driver, End, Input, Narrow, Order, Plan, Reading, Reply, Side};
use crate::bounds;

/// What a piece of code did to the heap.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heap {
    /// Octets that it took and did not give back.
    pub octets: i64,
    /// How often it allocated.
    pub allocations: u64,
}

/// A counting allocator, for the program that has one.
#[derive(Clone, Copy, Debug)]
pub struct Meter {
    /// Runs code and tells what it did to the heap.
    pub measure: fn(&mut dyn FnMut()) -> Heap,
    /// Inside of `measure`: runs code that does not count.
    pub apart: fn(&mut dyn FnMut()),
}

static METER: OnceLock<Meter> = OnceLock::new();

/// From now on every call to a connection is measured.
pub fn meter(meter: Meter) {
    METER.get_or_init(|| meter);
}

/// Makes one call. Where the program has a meter, the octets that the connection takes or gives back are added to `heap`: the
/// segments of the call come in buffers that count from now on, and what the call gives is copied and does not count.
pub(crate) fn metered(
    heap: &mut Heap,
    frame: u32,
    input: Option<Input>,
    call: impl FnOnce(Option<Input>) -> Reply,
) -> Reply {
    let Some(meter) = METER.get() else { return call(input) };
    let (mut call, mut input) = (Some(call), Some(input));
    let mut reply = Reply::default();
    let mut failed = None;
    let change = (meter.measure)(&mut || {
        let (Some(call), Some(input)) = (call.take(), input.take()) else { return };
        // caught in here: an unwinding would leave the meter running
        let result = panic::catch_unwind(AssertUnwindSafe(|| {
            let given = call(input.map(|input| in_frames(input, frame)));
            (meter.apart)(&mut || reply = copied(&given));
        }));
        failed = result.err();
    });
    if let Some(panic) = failed {
        panic::resume_unwind(panic);
    }
    heap.octets += change.octets;
    heap.allocations = change.allocations;
    reply
}

/// The same call, each text in a buffer of its own.
fn in_frames(input: Input, frame: u32) -> Input {
    let framed = |segment: Segment| {
        if segment.payload.is_empty() {
            return Segment { payload: Bytes::new(), ..segment };
        }
        let len = segment.payload.len();
        let mut buffer = vec![0; len.max(frame as usize)];
        buffer[..len].copy_from_slice(&segment.payload);
        Segment { payload: Bytes::from(buffer).slice(..len), ..segment }
    };
    match input {
        Input::Segment(segment) => Input::Segment(framed(segment)),
        Input::Segments(segments) => Input::Segments(segments.into_iter().map(framed).collect()),
        other => other,
    }
}

/// What a call gave, apart from the buffers it came in.
fn copied(reply: &Reply) -> Reply {
    let own = |segment: &Segment| Segment { payload: Bytes::copy_from_slice(&segment.payload), ..segment.clone() };
    let action = |action: &Action| match action {
        Action::Transmit(segment) => Action::Transmit(own(segment)),
        Action::Deliver(text) => Action::Deliver(Bytes::copy_from_slice(text)),
        Action::Successor { syn, iss_after } => Action::Successor { syn: own(syn).into(), iss_after: *iss_after },
        other => other.clone(),
    };
    Reply { actions: reply.actions.iter().map(action).collect(), ..reply.clone() }
}

/// What one event may hold and cost. `before`: what was known before it.
pub(crate) fn one_event(
    config: &Config,
    before: &Info,
    after: &Info,
    input: Option<&Input>,
    reply: &Reply,
    heap: Heap,
) {
    let segments = match input {
        Some(Input::Segments(segments)) => segments.len() as u64,
        _ => 1,
    };
    let count = |wanted: fn(&Action) -> bool| reply.actions.iter().filter(|action| wanted(action)).count() as u64;
    let delivers = count(|action| matches!(action, Action::Deliver(_)));
    let most = bounds::deliveries(config, before, after, segments);
    assert!(delivers <= most, "{delivers} Delivers in one event, {most} are allowed");
    let transmits = count(|action| matches!(action, Action::Transmit(_)));
    let mss = before.eff_snd_mss.min(after.eff_snd_mss);
    let queued = if before.send_queue > after.send_queue { before } else { after };
    let most = bounds::transmissions(config, queued, mss, segments);
    assert!(transmits <= most, "{transmits} Transmits in one event, {most} are allowed");
    let most = bounds::records(config, mss);
    let records = after.flight_segments as u64;
    assert!(records <= most, "{records} records of segments in flight, {most} are allowed: {after:?}");
    if METER.get().is_some() && after.state != State::Closed {
        let most = bounds::heap(config, after);
        assert!(heap.octets <= most as i64, "{} octets of heap, {most} are allowed: {after:?}", heap.octets);
        let most = bounds::allocations(before, reply.actions.len() as u64, segments);
        // `check_invariants` allocates too, where debug assertions are on
        assert!(cfg!(debug_assertions) || heap.allocations <= most, "{} allocations in one event", heap.allocations);
    }
}

/// How long an end has waited for its peer, and what it did meanwhile.
#[derive(Clone, Debug, Default)]
pub struct Patience {
    last: Option<Info>,
    /// Since when something waits for an acknowledgment, without progress.
    since: Option<Instant>,
    /// Retransmissions and probes since then.
    asked: u32,
    /// When a segment arrived last, and keep-alives sent since.
    heard: Option<Instant>,
    kept_alive: u32,
    /// The user has closed: in CLOSE-WAIT the FIN may wait for a window, and `Info` does not show it.
    closed: bool,
}

impl Patience {
    pub fn last(&self) -> Option<&Info> {
        self.last.as_ref()
    }

    /// After each call.
    pub fn check(&mut self, config: &Config, info: Info, input: Option<&Input>, actions: &[Action], now: Instant) {
        let thrown_away = actions.iter().any(|action| matches!(action, Action::Discarded(_)));
        if matches!(input, Some(Input::Segment(_) | Input::Segments(_)) | None) && !thrown_away {
            (self.heard, self.kept_alive) = (Some(now), 0);
        }
        self.count(actions, input);
        for action in actions {
            if let Action::Closed(reason) = action {
                self.limit_was_reached(*reason, config, now);
            }
        }
        self.closed |= matches!(input, Some(Input::Close | Input::Release));
        let waits = info.snd_una != info.snd_nxt
            || info.send_queue > 0
            || (self.closed && info.state == State::CloseWait)
            || matches!(info.state, State::FinWait1 | State::Closing | State::LastAck);
        let progress = self.last.as_ref().is_none_or(|last| last.snd_una != info.snd_una || last.iss != info.iss);
        if !waits || matches!(info.state, State::Closed | State::Listen) {
            (self.since, self.asked) = (None, 0);
        } else if progress || self.since.is_none() {
            (self.since, self.asked) = (Some(now), 0);
        }
        self.last = Some(info);
    }

    fn count(&mut self, actions: &[Action], input: Option<&Input>) {
        let Some(last) = &self.last else { return };
        for action in actions {
            let Action::Transmit(segment) = action else { continue };
            if segment.is_empty() {
                let timer = matches!(input, Some(Input::Timer(_)));
                self.kept_alive += u32::from(timer && segment.seq.before(last.snd_nxt));
            } else if segment.seq.before(last.snd_nxt) || last.snd_wnd == 0 {
                self.asked += 1;
                self.kept_alive += u32::from(segment.seq.before(last.snd_una));
            }
        }
    }

    /// Who gives up names a limit that was truly reached, and asked before.
    fn limit_was_reached(&self, reason: CloseReason, config: &Config, now: Instant) {
        let waited = self.since.map(|since| now.saturating_since(since));
        let over = |limit: Option<Duration>| limit.is_some_and(|limit| waited.is_some_and(|waited| waited >= limit));
        let tried = |limit: u8| limit > 0 && self.asked >= u32::from(limit);
        let asked = self.asked;
        // Where the retransmission timeout is longer than all patience, there is nothing to wait for.
        let rto = self.last.as_ref().map_or(Duration::MAX, |last| last.rto);
        let may_end = |limit: Option<Duration>| over(limit) && (asked > 0 || limit.is_some_and(|limit| rto >= limit));
        match reason {
            CloseReason::UserTimeout => {
                let limit = self.last.as_ref().and_then(|last| last.user_timeout);
                assert!(
                    may_end(limit) || tried(config.data_retries()),
                    "UserTimeout after {waited:?} (the limit is {limit:?}) and {asked} retransmissions"
                );
            }
            CloseReason::ConnectTimeout => assert!(
                may_end(config.connect_timeout()) || tried(config.syn_retries()),
                "ConnectTimeout after {waited:?} and {asked} retransmissions"
            ),
            CloseReason::KeepAliveTimeout => {
                let probes = u32::from(config.keep_alive_probes());
                let silent = self.heard.map(|heard| now.saturating_since(heard)).unwrap_or_default();
                let least = config.keep_alive_interval() * probes;
                assert!(
                    self.kept_alive >= probes && silent >= least,
                    "KeepAliveTimeout after {silent:?} and {} probes",
                    self.kept_alive
                );
            }
            _ => {}
        }
    }
}

/// What a side sent again in the last round trip.
#[derive(Clone, Debug, Default)]
pub struct Repeats {
    since: Instant,
    octets: u64,
    flight: u64,
    una: SeqNum,
    /// How often what begins at this number.
    each: BTreeMap<u32, u64>,
}

impl Repeats {
    /// A segment is sent again. In one round trip that is no more than what was in flight, and each segment once; a few times
    /// over where the timeouts are shorter than the round trip, or where several round trips fit the time that is looked at.
    pub fn again(&mut self, plan: &Plan, side: Side, info: &Info, segment: &Segment, now: Instant) {
        let way: Duration = plan.links.iter().map(|link| link.delay).sum();
        let round = way.max(Duration::from_millis(1));
        if now >= self.since + round {
            *self = Self { since: now, una: info.snd_una, ..Self::default() };
        }
        let config = &plan.ends[side.index()].config;
        let rto = config.min_rto().min(config.initial_rto());
        let doublings = u64::from((round.as_micros() / rto.as_micros().max(1)).max(1).ilog2());
        let rounds = (round.as_micros() / way.as_micros().max(50)) as u64;
        let times = 3 + doublings + rounds;
        self.octets += segment.payload.len() as u64;
        self.flight = self.flight.max(u64::from(info.flight) + u64::from(info.eff_snd_mss));
        // a peer that acknowledges sooner than its link allows makes the round trips shorter
        let acked = u64::from(info.snd_una - self.una);
        let most = times * self.flight + 2 * acked + 8 * u64::from(info.eff_snd_mss);
        let (octets, flight) = (self.octets, self.flight);
        assert!(octets <= most, "{octets} octets sent again in one round trip of {round:?}, {flight} were in flight");
        if segment.flags.contains(Flags::SYN) {
            return; // each of the peer's SYNs is answered, and a host that slept may find many
        }
        let each = self.each.entry(segment.seq.value()).or_default();
        *each += 1;
        assert!(
            *each <= times + 2,
            "the segment at {} sent again {each} times in one round trip of {round:?}",
            segment.seq
        );
    }
}

/// What a run would need if each segment took a round trip by itself.
#[derive(Clone, Copy, Debug)]
pub struct Ideal {
    /// Segments of either side.
    pub segments: [u64; 2],
    /// The time of one, with all that may delay it.
    pub exchange: Duration,
    /// How long users read and write by themselves.
    pub users: Duration,
}

impl Ideal {
    pub fn of(plan: &Plan) -> Self {
        let segments = Side::BOTH.map(|side| {
            let (end, writes) = (&plan.ends[side.index()], plan.ends[side.index()].pieces.len() as u64);
            end.octets / unit(plan, side) + end.octets / u64::from(end.chunk.max(1)) + writes + 4
        });
        let ends = plan.ends.iter();
        let late: Duration = ends.clone().map(lateness).sum();
        let waits =
            ends.clone().map(|end| end.config.delayed_ack() + end.config.sws_override() + end.config.max_ack_delay());
        let delays: Duration = plan.links.iter().map(|link| link.delay).sum();
        let sent: Duration = plan
            .links
            .iter()
            .filter(|link| link.rate > 0)
            .map(|link| Duration::from_micros(2 * 1_000 * 1600 / u64::from(link.rate)))
            .sum();
        let exchange = delays + sent + waits.sum::<Duration>() + 3 * late + Duration::from_millis(2);
        Self { segments, exchange, users: ends.map(by_itself).sum() }
    }

    pub fn total(&self) -> u64 {
        self.segments.iter().sum()
    }

    /// The most segments of a run that has lasted so long.
    pub fn most_segments(&self, plan: &Plan, elapsed: Duration) -> u64 {
        let faults = plan.faults.len() as u64 + 8 * plan.spells.len() as u64;
        let slow =
            plan.ends.iter().map(|end| elapsed.as_micros() / keep_alive(end).min(Duration::from_secs(60)).as_micros());
        let fidgets: u64 = plan.ends.iter().map(|end| u64::from(end.fidgets > 0)).sum();
        let tiny: u64 = Side::BOTH.iter().map(|side| in_tiny_segments(plan, *side)).sum();
        let rounded: u64 = plan.ends.iter().map(|end| rounded_away(&end.config)).sum();
        1000 + 2 * rounded + (24 + 8 * fidgets) * self.total() + 3 * tiny + 40 * faults + 4 * slow.sum::<u128>() as u64
    }

    /// The most time from when the network and the users are calm, `calm` after the start, until everything has arrived.
    pub fn most_time(&self, plan: &Plan, calm: Duration) -> Duration {
        let rto = plan.ends.iter().map(|end| end.config.min_rto().max(end.config.initial_rto())).max();
        let longest = plan.ends.iter().map(|end| end.config.max_rto()).max().unwrap_or_default();
        let rto = rto.unwrap_or_default() + 4 * self.exchange;
        let backed_off = (2 * calm + 4 * rto).min(longest + 4 * self.exchange);
        let narrows = [plan.narrow, plan.also_narrow].into_iter().flatten();
        let searching: Duration = narrows.map(|narrow| in_a_hole(plan, narrow, rto, longest)).sum();
        let octets: u64 = plan.ends.iter().map(|end| end.octets).sum();
        let carried = plan
            .links
            .iter()
            .filter(|link| link.rate > 0)
            .map(|link| Duration::from_micros((octets * 12 + 100_000) * 1000 / u64::from(link.rate)));
        3 * backed_off
            + 8 * u32::try_from(self.total()).unwrap_or(u32::MAX).min(1 << 20) * self.exchange
            + 4 * self.users
            + searching
            + carried.sum::<Duration>()
    }
}

/// Octets that the window of this end's SYN promises, which is not scaled, and those in units do not: a sender that knows
/// only these learns of each by a probe.
fn rounded_away(config: &Config) -> u64 {
    let least = (0..=14).find(|shift| 0xFFFF << shift >= config.receive_buffer()).unwrap_or(14);
    let unit = 1 << config.window_shift().unwrap_or(least);
    u64::from(config.receive_buffer().min(0xFFFF) % unit)
}

/// The time between two keep-alives of this end, if it may send any.
fn keep_alive(end: &End) -> Duration {
    let set = |wanted: fn(&Knob) -> bool| {
        end.orders.iter().any(|(_, order)| matches!(order, Order::Set(knob) if wanted(knob)))
    };
    if !end.config.keep_alive() && !set(|knob| matches!(knob, Knob::KeepAlive(true))) {
        return Duration::MAX;
    }
    let ordered = set(|knob| matches!(knob, Knob::KeepAliveIdle(_))); // to any value
    let idle = if ordered { Duration::from_secs(1) } else { end.config.keep_alive_idle() };
    end.config.keep_alive_interval().min(idle)
}

/// Segments of the text that a side sends while it searches for the MTU of a path on which packets vanish, for their size
/// or by chance: all of it may be sent before the search comes to a size that passes, in segments of the least.
fn in_tiny_segments(plan: &Plan, side: Side) -> u64 {
    let end = &plan.ends[side.index()];
    let mut narrows = [plan.narrow, plan.also_narrow].into_iter().flatten();
    let hole = narrows.any(|narrow| narrow.silent && narrow.from == side);
    let timeouts = usize::from(end.config.black_hole_timeouts());
    let lost = plan.faults.len() >= timeouts || !plan.spells.is_empty() || plan.outage.is_some();
    let falls = timeouts > 0 && (hole || lost);
    if falls { end.octets / unit_of_mtu(plan, side, end.config.min_mtu()) } else { 0 }
}

/// The time in which timeouts find out that a link is a black hole, of eight sizes at the most, or confirm the error that
/// a router sent.
fn in_a_hole(plan: &Plan, narrow: Narrow, rto: Duration, longest: Duration) -> Duration {
    let config = &plan.ends[narrow.from.index()].config;
    let (timeouts, sizes) = if narrow.silent {
        (u32::from(config.black_hole_timeouts()) + 1, 8)
    } else {
        (config.too_big_timeouts().into(), 1)
    };
    let backed_off = |timeouts: u32| {
        let all =
            (0..timeouts.min(40)).fold((Duration::ZERO, rto), |(sum, rto), _| (sum + rto, (2 * rto).min(longest)));
        all.0 + longest * timeouts.saturating_sub(40)
    };
    // Without timestamps no retransmission measures a round trip, and the back-off grows from size to size (RFC 6298 §3,
    // §5). The sizes are five; the first that works is tried twice, and the second time those above it go before.
    let measures = plan.ends.iter().all(|end| end.config.timestamps());
    if narrow.silent && !measures { backed_off(timeouts + 5 + 2 + 6) } else { sizes * backed_off(timeouts) }
}

/// Octets that one segment of this side carries, at the least, and that windows let through at once.
fn unit(plan: &Plan, side: Side) -> u64 {
    let config = &plan.ends[side.index()].config;
    // timeouts may lower the MTU, at first to this, and without a search upward to the least
    let fallen = if config.mtu_probing() { config.black_hole_mtu().max(config.min_mtu()) } else { config.min_mtu() };
    unit_of_mtu(plan, side, if config.black_hole_timeouts() > 0 { fallen } else { u16::MAX })
}

/// The same where timeouts have lowered the MTU to `fallen`.
fn unit_of_mtu(plan: &Plan, side: Side, fallen: u16) -> u64 {
    let (sender, receiver) = (&plan.ends[side.index()], &plan.ends[side.other().index()]);
    let overhead = u64::from(sender.path.ip.header() + sender.path.ip_options) + 20 + 40;
    let narrows = [plan.narrow, plan.also_narrow].into_iter().flatten().filter(|narrow| narrow.from == side);
    // what the receiver knows by its SYN is the MSS that it announces
    let orders = sender.orders.iter().chain(&receiver.orders);
    let told = orders.filter_map(|(_, order)| if let Order::Mtu(mtu) = order { Some(*mtu) } else { None });
    let told = told.chain([fallen]);
    let mtus = narrows.map(|narrow| narrow.mtu).chain(told).chain([sender.path.mtu, receiver.path.mtu]);
    let mtu = mtus.map(|mtu| mtu.max(sender.path.ip.min_mtu())).min().map_or(68, u64::from);
    let limits = [sender.config.max_mss(), sender.config.max_sent_mss(), receiver.config.max_mss()]
        .map(|mss| u64::from(mss).saturating_sub(40));
    let mss = mtu.saturating_sub(overhead).min(limits[0]).min(limits[1]).max(1);
    let first = u64::from(receiver.config.receive_buffer_initial()).max(10 * mss);
    let window = (u64::from(receiver.config.receive_buffer()).min(first) / 2).max(1);
    mss.min(window).min((u64::from(sender.config.send_buffer()) / 2).max(1))
}

fn lateness(end: &End) -> Duration {
    match end.driver {
        Driver::Sloppy { late, batch } => late + batch,
        Driver::Deadlines | Driver::Announced => Duration::ZERO,
    }
}

/// How long the user takes for reading and writing, apart from what a plan says of pauses.
fn by_itself(end: &End) -> Duration {
    let steps = |octets: u64, each: u64| u32::try_from(octets / each.max(1) + 1).unwrap_or(u32::MAX);
    let closing = match end.closing {
        Closing::AfterPeer(pause) | Closing::AfterText(_, pause) | Closing::At(pause) => pause,
        _ => Duration::ZERO,
    };
    closing + end.pause * steps(end.octets, u64::from(end.chunk))
}

/// How long the reader of `side`'s text takes for it.
pub fn reading_time(plan: &Plan, side: Side) -> Duration {
    match plan.ends[side.other().index()].reading {
        Reading::Sips { octets, every } => {
            every * u32::try_from(plan.ends[side.index()].octets / u64::from(octets.max(1)) + 1).unwrap_or(u32::MAX)
        }
        _ => Duration::ZERO,
    }
}

/// When all is calm that a plan says beforehand: spells, outages, sleeping hosts, writing users.
pub fn calm_by_plan(plan: &Plan) -> Duration {
    let spells = plan.spells.iter().map(|spell| spell.until);
    let outage = plan.outage.map(|outage| outage.until);
    let narrows = [plan.narrow, plan.also_narrow].into_iter().flatten().map(|narrow| narrow.at);
    let ends = plan.ends.iter().flat_map(|end| {
        let late = if let Reading::Late(until) = end.reading { Some(until) } else { None };
        let at = if let Closing::At(at) = end.closing { Some(at) } else { None };
        let pieces = end.pieces.iter().map(|(at, _)| *at);
        let orders = end.orders.iter().map(|(at, _)| *at);
        pieces.chain(late).chain(at).chain(orders).chain(end.sleep.map(|sleep| sleep.until))
    });
    spells.chain(outage).chain(narrows).chain(ends).max().unwrap_or_default()
}
