//! Plays a plan: the queue of events in virtual time.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use std::time::Duration;

use segue::{Action, CloseReason, Ecn, Flags, Instant, Segment, SeqNum, State, Timer, codec};

use super::laws::{Ideal, Repeats};
use super::occasion::Occasion;
use super::{Driver, FaultKind, Host, Input, Magic, Order, Plan, Reply, Side, Step, Trace, What, Which, wire};
use crate::Rng;

/// More events than any finite conversation here needs: beyond them, the ends do not fall silent.
const EVENTS: u64 = 200_000;

/// More events for each octet that arrives: text that goes octet by octet, in probes of a window that the scale rounds to 0,
/// needs no more.
const EVENTS_PER_OCTET: u64 = 16;

/// Something that will happen at a side.
#[derive(Clone, Debug)]
enum Pending {
    Arrive {
        id: u32,
        segment: Segment,
        copy: bool,
    },
    /// The host hands over what it kept.
    Batch,
    /// The host calls timers.
    Wake,
    /// The user wants to do something.
    Tick,
    /// A router could not pass on the segment with this number.
    TooBig {
        quoted_seq: SeqNum,
        mtu: u16,
    },
    /// The host tells its connection something.
    Order(Order),
    /// The host takes up a burst that `max_burst` cut.
    Continue,
}

/// An event of the queue: the earliest first; at one time timers come last, the others in the order in which they were
/// planned. So it does not matter when a host asked to be woken.
struct Due {
    at: Instant,
    order: u64,
    side: Side,
    what: Pending,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let key = |due: &Self| (due.at, matches!(due.what, Pending::Wake), due.order);
        key(self).cmp(&key(other))
    }
}

/// A run in progress.
pub struct Sim {
    plan: Plan,
    pub now: Instant,
    queue: BinaryHeap<Reverse<Due>>,
    order: u64,
    events: u64,
    rng: Rng,
    pub hosts: [Host; 2],
    /// When the next wake of a host is planned, and for which announced instant.
    wakes: [Option<(Instant, Instant)>; 2],
    ticks: [Option<Instant>; 2],
    /// Until when each link is busy with what it was given.
    busy: [Instant; 2],
    faults: BTreeMap<(Side, u32), Vec<FaultKind>>,
    /// The number after the last octet each side sent.
    furthest: [Option<SeqNum>; 2],
    segments: u32,
    /// The last time at which the network did something to a segment.
    calm: Instant,
    ideal: Ideal,
    repeats: [Repeats; 2],
    trace: Trace,
}

/// What a run came to.
pub struct Outcome {
    pub plan: Plan,
    pub trace: Trace,
    pub hosts: [Host; 2],
    pub end: Instant,
    /// Segments that left, both sides together.
    pub segments: u32,
    /// The last time at which the network did something to a segment.
    pub calm: Instant,
    /// The panic or failed check that ended it, if one did.
    pub failure: Option<String>,
}

/// Plays a plan to its end: until nothing is left to happen, or something fails.
pub fn run(plan: &Plan) -> Outcome {
    Sim::new(plan, false).finish()
}

impl Sim {
    /// The run of this plan, about to begin; `record` keeps every call of either side.
    pub fn new(plan: &Plan, record: bool) -> Self {
        let mut faults: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for fault in &plan.faults {
            faults.entry((fault.from, fault.nth)).or_default().push(fault.kind);
        }
        let start = Instant::from_micros(plan.start);
        Self {
            plan: plan.clone(),
            now: start,
            queue: BinaryHeap::new(),
            order: 0,
            events: 0,
            rng: Rng::new(plan.seed),
            hosts: Side::BOTH.map(|side| Host::new(side, plan, record)),
            wakes: [None; 2],
            ticks: [None; 2],
            busy: [start; 2],
            faults,
            furthest: [None; 2],
            segments: 0,
            calm: start,
            ideal: Ideal::of(plan),
            repeats: Default::default(),
            trace: Trace::new(20_000),
        }
    }

    /// The same, and every record of the trace is kept, however many there are.
    pub fn with_whole_trace(mut self) -> Self {
        self.trace = Trace::new(usize::MAX);
        self
    }

    /// Runs to the end. A panic, be it the machine's or a check's, becomes the outcome's failure.
    pub fn finish(mut self) -> Outcome {
        let played = caught(|| {
            self.open();
            while self.step() {}
        });
        let failure = played.err().map(|panic| panic.message);
        let Self { plan, trace, hosts, now, segments, calm, .. } = self;
        Outcome { plan, trace, hosts, end: now, segments, calm, failure }
    }

    /// The users open. The server first: it listens when the SYN comes.
    fn open(&mut self) {
        for side in [Side::Server, Side::Client] {
            let before = self.hosts[side.index()].state();
            let Some(reply) = self.hosts[side.index()].open(self.now) else { continue };
            let listens = self.hosts[side.index()].state() == State::Listen;
            self.note(side, What::Call(if listens { "listen" } else { "connect" }.into()));
            self.carry_out(side, before, &Occasion::Open, reply);
            self.user_calls(side);
            self.plan_wake(side);
        }
        for side in Side::BOTH {
            for (at, order) in self.plan.ends[side.index()].orders.clone() {
                self.plan(side, self.now + at, Pending::Order(order));
            }
        }
    }

    /// Lets the next thing happen; false when there is none.
    fn step(&mut self) -> bool {
        let Some(Reverse(due)) = self.queue.pop() else { return false };
        self.events += 1;
        if self.events >= EVENTS {
            let delivered: u64 = self.hosts.iter().map(|host| host.user.delivered).sum();
            let most = EVENTS + EVENTS_PER_OCTET * delivered;
            assert!(self.events < most, "after {most} events the ends have not fallen silent");
        }
        self.now = due.at;
        let side = due.side;
        let Some(due) = self.unless_asleep(due) else { return true };
        match due.what {
            Pending::Arrive { id, segment, copy } => self.arrive(side, id, segment, copy),
            Pending::Batch => {
                let host = &mut self.hosts[side.index()];
                let segments = std::mem::take(&mut host.inbox);
                let segments = if host.end.merges { wire::merge(segments) } else { segments };
                self.call(side, Input::Segments(segments));
            }
            Pending::Wake if self.wakes[side.index()].is_some_and(|(at, _)| at == due.at) => {
                self.wakes[side.index()] = None;
                while let Some(timer) = self.hosts[side.index()].take_due_timer(self.now) {
                    self.call(side, Input::Timer(timer));
                }
            }
            Pending::Tick if self.ticks[side.index()] == Some(due.at) => self.ticks[side.index()] = None,
            Pending::TooBig { quoted_seq, mtu } => self.call(side, Input::TooBig { quoted_seq, mtu }),
            Pending::Continue if self.hosts[side.index()].state() != State::Closed => {
                self.call(side, Input::Continue);
            }
            Pending::Order(order) if self.hosts[side.index()].state() != State::Closed => match order {
                Order::Mtu(mtu) => self.call(side, Input::Mtu(mtu)),
                Order::Set(knob) => self.call(side, Input::Set(knob)),
            },
            Pending::Wake | Pending::Tick | Pending::Continue | Pending::Order(_) => return true, // replaced by another, or too late
        }
        self.user_calls(side);
        self.fidget(side);
        self.plan_wake(side);
        true
    }

    /// What happens to a sleeping host happens when it wakes up; what arrives may be lost.
    fn unless_asleep(&mut self, due: Due) -> Option<Due> {
        let start = Instant::from_micros(self.plan.start);
        let sleep = self.plan.ends[due.side.index()].sleep;
        let Some(sleep) = sleep.filter(|sleep| start + sleep.since <= due.at && due.at < start + sleep.until) else {
            return Some(due);
        };
        let until = start + sleep.until;
        match due.what {
            Pending::Arrive { .. } | Pending::TooBig { .. } if sleep.deaf => return None,
            Pending::Wake => match &mut self.wakes[due.side.index()] {
                Some((at, _)) if *at == due.at => *at = until,
                _ => return None,
            },
            Pending::Tick => match &mut self.ticks[due.side.index()] {
                Some(at) if *at == due.at => *at = until,
                _ => return None,
            },
            _ => {}
        }
        self.plan(due.side, until, due.what);
        None
    }

    /// A needless call.
    fn fidget(&mut self, side: Side) {
        let Host { end, connection, .. } = &self.hosts[side.index()];
        let closed = self.hosts[side.index()].state() == State::Closed;
        let fidgets = end.fidgets;
        if fidgets == 0 || connection.is_none() || closed || !self.rng.chance(fidgets) {
            return;
        }
        let input = match self.rng.below(4) {
            0 => Input::Consume(0),
            1 => Input::Continue,
            _ => Input::Timer(self.rng.pick(&Timer::ALL)),
        };
        self.call(side, input);
    }

    fn arrive(&mut self, side: Side, id: u32, segment: Segment, copy: bool) {
        self.note(side, What::Arrive { id, segment: segment.clone(), copy });
        let host = &mut self.hosts[side.index()];
        host.promised.arrived(&segment);
        if host.awaits_syn() {
            if segment.flags & (Flags::SYN | Flags::ACK | Flags::RST) == Flags::SYN {
                let reply = host.accept(segment, self.now);
                self.carry_out(side, State::Closed, &Occasion::Accept, reply);
            } else if host.connection.is_some() {
                self.call(side, Input::Segment(segment)); // as any TCP without a connection answers
            }
            return;
        }
        if let Driver::Sloppy { batch, .. } = host.end.driver {
            host.inbox.push(segment);
            if host.inbox.len() == 1 {
                let wait = self.up_to(batch);
                self.plan(side, self.now + wait, Pending::Batch);
            }
            return;
        }
        self.call(side, Input::Segment(segment));
    }

    /// One call, and all that it asks for.
    fn call(&mut self, side: Side, input: Input) {
        let host = &mut self.hosts[side.index()];
        let before = host.state();
        let note = match &input {
            Input::Timer(timer) => {
                let at = host.connection.as_ref().and_then(|connection| connection.deadline(*timer));
                at.filter(|at| *at <= self.now).map(|_| What::Timer(*timer))
            }
            Input::Send(octets) => Some(What::Call(format!("send {}", octets.len()))),
            Input::SendUrgent(octets) => Some(What::Call(format!("send {} urgent", octets.len()))),
            Input::Close => Some(What::Call("close".into())),
            Input::Release => Some(What::Call("release".into())),
            Input::Abort => Some(What::Call("abort".into())),
            Input::Segment(_) | Input::Segments(_) | Input::Consume(_) => None,
            Input::Continue | Input::Rearm(_) => None,
            Input::Mtu(mtu) => Some(What::Call(format!("the MTU is {mtu}"))),
            Input::Set(knob) => Some(What::Call(format!("set {knob:?}"))),
            Input::TooBig { mtu, .. } => Some(What::Call(format!("ICMP: the next link takes {mtu} octets"))),
        };
        let offered = match &input {
            Input::Send(octets) | Input::SendUrgent(octets) => Some(octets.len()),
            _ => None,
        };
        let occasion = Occasion::of(&input);
        let reply = host.call(input, self.now);
        if let Some(octets) = offered {
            host.user.sent(octets, &reply);
        } else if let Some(error) = reply.error {
            panic!("{} was refused: {error}", self.hosts[side.index()].side.name());
        }
        if let Some(what) = note {
            self.note(side, what);
        }
        self.carry_out(side, before, &occasion, reply);
    }

    /// Does what the machine asks for, in order.
    fn carry_out(&mut self, side: Side, before: State, occasion: &Occasion, reply: Reply) {
        let after = self.hosts[side.index()].state();
        if after != before {
            self.note(side, What::State(after, occasion.cause(before, after)));
        }
        for action in reply.actions {
            self.hosts[side.index()].user.told(&action, self.now);
            match action {
                Action::Transmit(segment) => codec::split(segment).for_each(|piece| self.transmit(side, piece)),
                Action::MorePending if self.hosts[side.index()].end.driver == Driver::Deadlines => {
                    self.plan(side, self.now + Duration::from_micros(50), Pending::Continue);
                }
                Action::Urgent { ahead } => {
                    let (delivered, written) =
                        (self.hosts[side.index()].user.delivered, self.hosts[side.other().index()].user.written);
                    assert!(ahead > 0 && delivered + u64::from(ahead) <= written, "urgent data that nobody sent");
                }
                Action::ReturnedToListen => {
                    self.note(side, What::Told(Action::ReturnedToListen));
                    let secrets = self.hosts[side.index()].secrets();
                    self.call(side, Input::Rearm(secrets));
                }
                Action::Closed(_) | Action::PeerClosed | Action::Discarded(_) | Action::Report(_) => {
                    self.note(side, What::Told(action));
                }
                _ => {}
            }
        }
    }

    /// A segment enters the network.
    fn transmit(&mut self, side: Side, segment: Segment) {
        let host = &mut self.hosts[side.index()];
        host.promised.departs(&segment);
        let nth = host.sent;
        host.sent += 1;
        self.segments += 1;
        let id = self.segments;
        let again = self.is_again(side, &segment);
        if self.plan.strict {
            self.judge_departure(side, &segment, again);
        }
        let kinds = self.faults.get(&(side, nth)).cloned().unwrap_or_default();
        let carried = wire::carry(side, &segment, self.plan.encode, &kinds);
        let passed = self.pass_link(side, &segment);
        let lost = if self.plan.outage.is_some_and(|outage| outage.covers(self.plan.start, self.now)) {
            Some("outage")
        } else if self.spelled(side, &segment, Magic::Lose).is_some() {
            Some("lost by a spell")
        } else if kinds.contains(&FaultKind::Lose) {
            Some("lost")
        } else if carried.is_none() {
            Some("damaged")
        } else if passed.is_none() {
            Some("queue full")
        } else if self.is_too_big(side, &segment) {
            Some("too big")
        } else {
            None
        };
        if !kinds.is_empty() || lost.is_some_and(|why| why != "too big") {
            self.calm = self.now;
        }
        let shuffled = self.shuffled(side, &segment);
        let (held, doubled) = (self.spelled(side, &segment, Magic::Hold), self.spelled(side, &segment, Magic::Double));
        self.note(side, What::Depart { id, segment, lost, again });
        let (Some(mut at), Some(mut segment), None) = (passed, carried, lost) else { return };
        if kinds.contains(&FaultKind::Mark) && segment.ecn != Ecn::NotEct {
            segment.ecn = Ecn::Ce;
        }
        for kind in &kinds {
            if let FaultKind::Hold(extra) = kind {
                at += Duration::from_micros(u64::from(*extra));
            }
        }
        at = held.map_or(at, |until| at.max(until));
        if let Some((late, twice)) = shuffled {
            if let Some(after) = twice {
                let copy = Pending::Arrive { id, segment: segment.clone(), copy: true };
                self.plan(side.other(), at + after, copy);
            }
            at += late;
        }
        for kind in &kinds {
            if let FaultKind::Duplicate(after) = kind {
                let again_at = at + Duration::from_micros(u64::from(*after));
                let copy = Pending::Arrive { id, segment: segment.clone(), copy: true };
                self.plan(side.other(), again_at, copy);
                self.calm = self.calm.max(again_at);
            }
        }
        if let Some(until) = doubled {
            let copy = Pending::Arrive { id, segment: segment.clone(), copy: true };
            self.plan(side.other(), at.max(until), copy);
        }
        if !kinds.is_empty() {
            self.calm = self.calm.max(at);
        }
        self.plan(side.other(), at, Pending::Arrive { id, segment, copy: false });
    }

    /// Until when a spell of this kind lasts that falls on a segment, if one does.
    fn spelled(&self, side: Side, segment: &Segment, magic: Magic) -> Option<Instant> {
        let start = Instant::from_micros(self.plan.start);
        let falls = |which| match which {
            Which::All => true,
            Which::Text => !segment.is_empty(),
            Which::Bare => segment.is_empty(),
        };
        let spells = self.plan.spells.iter().filter(|spell| spell.from == side && spell.magic == magic);
        let spells = spells.filter(|spell| falls(spell.which) && start + spell.since <= self.now);
        spells.map(|spell| start + spell.until).filter(|until| self.now < *until).max()
    }

    /// How late a segment is by spells that shuffle, and whether it comes twice.
    fn shuffled(&mut self, side: Side, segment: &Segment) -> Option<(Duration, Option<Duration>)> {
        let longest = self.plan.spells.iter().find_map(|spell| match spell.magic {
            Magic::Shuffle(longest) if self.spelled(side, segment, spell.magic).is_some() => Some(longest),
            _ => None,
        })?;
        let late = self.up_to(longest);
        let twice = self.rng.chance(500).then(|| self.up_to(longest));
        Some((late, twice))
    }

    /// The laws of a segment that leaves: the ends do not talk for ever, nor send the same again and again.
    fn judge_departure(&mut self, side: Side, segment: &Segment, again: bool) {
        let elapsed = self.now.saturating_since(Instant::from_micros(self.plan.start));
        let most = self.ideal.most_segments(&self.plan, elapsed);
        assert!(u64::from(self.segments) <= most, "{most} segments and no end");
        if let Some(connection) = self.hosts[side.index()].connection.as_ref().filter(|_| again) {
            let info = connection.info();
            self.repeats[side.index()].again(&self.plan, side, &info, segment, self.now);
        }
    }

    /// Whether a router on the way drops this segment for its size; then it says so.
    fn is_too_big(&mut self, side: Side, segment: &Segment) -> bool {
        let start = Instant::from_micros(self.plan.start);
        let narrows = [self.plan.narrow, self.plan.also_narrow].into_iter().flatten();
        let narrows = narrows.filter(|narrow| narrow.from == side && self.now >= start + narrow.at);
        let Some(narrow) = narrows.min_by_key(|narrow| narrow.mtu) else { return false };
        let path = self.plan.ends[side.index()].path;
        let mtu = narrow.mtu.max(path.ip.min_mtu()); // no link may take less
        if wire::packet_len(path.ip, segment) + usize::from(path.ip_options) <= usize::from(mtu) {
            return false;
        }
        if !narrow.silent {
            let at = self.now + self.plan.links[side.index()].delay;
            self.plan(side, at, Pending::TooBig { quoted_seq: segment.seq, mtu });
        }
        true
    }

    /// Whether all sequence numbers of this segment were sent before.
    fn is_again(&mut self, side: Side, segment: &Segment) -> bool {
        let furthest = &mut self.furthest[side.index()];
        let again = !segment.is_empty() && furthest.is_some_and(|number| segment.end().at_or_before(number));
        if !segment.is_empty() {
            let new_life = segment.flags.contains(Flags::SYN) && !again;
            *furthest = Some(furthest.filter(|_| !new_life).map_or(segment.end(), |old| old.max(segment.end())));
        }
        again
    }

    /// When the link from `side` has carried it to the other end; `None` when its queue is full.
    fn pass_link(&mut self, side: Side, segment: &Segment) -> Option<Instant> {
        let link = self.plan.links[side.index()];
        if link.rate == 0 {
            return Some(self.now + link.delay);
        }
        let octets = wire::packet_len(self.plan.ends[side.index()].path.ip, segment) as u64;
        let busy = &mut self.busy[side.index()];
        let begins = self.now.max(*busy);
        let waiting = begins.saturating_since(self.now).as_micros() as u64 * u64::from(link.rate) / 1000;
        if link.queue > 0 && waiting > u64::from(link.queue) {
            return None;
        }
        *busy = begins + Duration::from_micros(octets * 1000 / u64::from(link.rate));
        Some(*busy + link.delay)
    }

    /// The user does all it wants to do now, and says when it will want more.
    fn user_calls(&mut self, side: Side) {
        loop {
            let Host { user, end, connection, .. } = &mut self.hosts[side.index()];
            if connection.is_none() {
                break;
            }
            let Some(input) = user.poll(end, self.now) else { break };
            self.call(side, input);
        }
        let Host { user, end, .. } = &self.hosts[side.index()];
        let tick = user.next_tick(end).filter(|at| *at > self.now);
        if let Some(at) = tick.filter(|_| self.ticks[side.index()] != tick) {
            self.ticks[side.index()] = tick;
            self.plan(side, at, Pending::Tick);
        }
    }

    fn plan_wake(&mut self, side: Side) {
        let Some(wanted) = self.hosts[side.index()].next_wake() else {
            self.wakes[side.index()] = None;
            return;
        };
        if self.wakes[side.index()].is_some_and(|(_, planned_for)| planned_for == wanted) {
            return;
        }
        let late = match self.hosts[side.index()].end.driver {
            Driver::Sloppy { late, .. } => self.up_to(late),
            Driver::Deadlines | Driver::Announced => Duration::ZERO,
        };
        let at = wanted.max(self.now) + late;
        self.wakes[side.index()] = Some((at, wanted));
        self.plan(side, at, Pending::Wake);
    }

    fn plan(&mut self, side: Side, at: Instant, what: Pending) {
        self.order += 1;
        self.queue.push(Reverse(Due { at, order: self.order, side, what }));
    }

    fn up_to(&mut self, most: Duration) -> Duration {
        Duration::from_micros(u64::from(self.rng.below(most.as_micros() as u32 + 1)))
    }

    fn note(&mut self, side: Side, what: What) {
        self.trace.push(self.now, side, what);
    }
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// A panic that was caught.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caught {
    pub message: String,
    /// The file and the line.
    pub place: String,
}

/// Runs something and catches its panic without a word on stderr.
pub fn caught<T>(run: impl FnOnce() -> T) -> Result<T, Caught> {
    let mut result = None;
    let panic = match quietly(|| result = Some(run())) {
        Ok(()) => return Ok(result.expect("it ran")),
        Err(panic) => panic,
    };
    let text = panic.downcast_ref::<String>().cloned();
    let message = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default();
    Err(Caught { message, place: PLACE.take() })
}

/// Runs something that catches its panics itself, without a word on stderr.
pub fn in_silence<T>(run: impl FnOnce() -> T) -> T {
    let mut result = None;
    match quietly(|| result = Some(run())) {
        Ok(()) => result.expect("it ran"),
        Err(panic) => panic::resume_unwind(panic),
    }
}

/// Catches a panic without a word on stderr: the outcome tells it, once, after quickcheck has shrunk the plan.
fn quietly(run: impl FnOnce()) -> Result<(), Box<dyn Any + Send>> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if QUIET.get() {
                PLACE.set(info.location().map(ToString::to_string).unwrap_or_default());
            } else {
                loud(info);
            }
        }));
    });
    QUIET.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(run));
    QUIET.set(false);
    result
}

impl Outcome {
    pub const fn host(&self, side: Side) -> &Host {
        &self.hosts[side as usize]
    }

    pub fn reason(&self, side: Side) -> Option<CloseReason> {
        self.host(side).user.closed
    }

    /// The recorded calls of a side.
    pub fn log(&self, side: Side) -> &[Step] {
        self.host(side).log.as_deref().unwrap_or_default()
    }
}
