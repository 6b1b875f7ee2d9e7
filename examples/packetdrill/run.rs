//! Runs a script against a stack in virtual time.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use crate::assertion::{self, Problem};
use crate::call::Call;
use crate::compare::{differences, result, window};
use crate::flows::Flows;
use crate::icmp;
use crate::posix::{Context, Outcome, Progress, Sockets};
use crate::report::{Failure, Kind, Ladder, What, seconds};
use crate::script::{Action, Event, Flags, Icmp, Packet, Script, Time};
use crate::setup::{self, Owner, Setup};
use crate::stack::Stack;
use crate::wire::{IcmpError, Wire};

/// A packet that left and that no line took yet.
struct Left {
    at: Duration,
    packet: Packet,
    ports: (u16, u16),
    /// Its row of the ladder.
    row: usize,
}

impl Left {
    /// Whether a device that cuts a large segment makes these two of it: every field of the header is the same but what
    /// follows from the cut. CWR stays on the first segment, FIN and PSH come with the last, and the urgent pointer of
    /// both names one octet.
    fn goes_on_in(&self, next: &Self) -> bool {
        let (a, b) = (&self.packet, &next.packet);
        let flags = a.flags.0 & !Flags::CWR.0 == b.flags.0 & !(Flags::FIN.0 | Flags::PSH.0);
        let urgent = match a.flags.contains(Flags::URG) {
            true => a.seq.wrapping_add(a.urgent.into()) == b.seq.wrapping_add(b.urgent.into()),
            false => a.urgent == b.urgent,
        };
        (self.at, self.ports, a.tos, a.ack, a.window, &a.options)
            == (next.at, next.ports, b.tos, b.ack, b.window, &b.options)
            && b.seq == a.seq.wrapping_add(u32::from(a.len))
            && (a.len > 0 && b.len > 0)
            && (flags && urgent)
    }
}

/// A call that waits.
struct Pending {
    call: Call,
    line: usize,
    progress: Progress,
    ends: Duration,
}

/// A run of a script.
pub struct Run<'a> {
    setup: &'a Setup,
    /// Where `.sh` files of commands lie.
    directory: Option<&'a Path>,
    stack: &'a mut dyn Stack,
    sockets: Sockets,
    flows: Flows,
    /// When the last event happened.
    now: Duration,
    queue: VecDeque<Left>,
    pending: Option<Pending>,
    ladder: Ladder,
    line: usize,
}

/// How long the search for a packet that comes too late goes on.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// Timers that run at one instant, at most; a stack that wants more does not come to rest.
const RESTLESS: usize = 10_000;

/// Packets that wait for a line, at most: a stack that repeats one for years must not fill the memory.
const FLOOD: usize = 10_000;

type Step = Result<(), Failure>;

/// Runs all events.
///
/// # Errors
/// The first line that does not hold.
pub fn run(script: &Script, setup: &Setup, directory: Option<&Path>, stack: &mut dyn Stack) -> Result<Ladder, Failure> {
    let mut run = Run {
        setup,
        directory,
        stack,
        sockets: Sockets::default(),
        flows: Flows::new(setup.shift),
        now: Duration::ZERO,
        queue: VecDeque::new(),
        pending: None,
        ladder: Ladder::default(),
        line: 1,
    };
    for (place, event) in script.events.iter().enumerate() {
        run.line = event.line;
        run.event(event, &script.events[place + 1..])?;
    }
    run.end()?;
    Ok(run.ladder)
}

impl Run<'_> {
    fn fail<T>(&self, kind: Kind, problem: impl Into<String>, expected: String, seen: String) -> Result<T, Failure> {
        let (line, problem, ladder) = (self.line, problem.into(), self.ladder.clone());
        Err(Failure { kind, line, problem, expected, seen, ladder })
    }

    fn bad_script<T>(&self, problem: impl Into<String>) -> Result<T, Failure> {
        self.fail(Kind::Script, problem, String::new(), String::new())
    }

    fn event(&mut self, event: &Event, later: &[Event]) -> Step {
        if let Action::Outbound(packet) = &event.action {
            return self.outbound(packet, event.time);
        }
        let Some((at, _)) = window(event.time, self.now) else { return self.bad_script("* is for outbound packets") };
        if at < self.now {
            let (at, now) = (seconds(at), seconds(self.now));
            return self.bad_script(format!("time goes backward: the event at {at} follows one at {now}"));
        }
        self.settle(at)?;
        self.nothing_is_overdue(later)?;
        match &event.action {
            Action::Inbound(packet) => self.inbound(packet),
            Action::Icmp(icmp) => self.icmp(icmp),
            Action::Call { call, ends } => self.call(call, *ends, event.time),
            Action::Command(command) => self.command(command),
            Action::Code(code) => self.assertions(code),
            Action::Outbound(_) => Ok(()),
        }
    }

    /// Runs the timers up to this time.
    fn settle(&mut self, until: Duration) -> Step {
        let mut same = 0;
        while let Some(deadline) = self.stack.next_deadline().filter(|deadline| *deadline <= until) {
            same = if deadline > self.now { 0 } else { same + 1 };
            if same > RESTLESS {
                return self.fail(
                    Kind::Octets,
                    "the stack asks for the same timer for ever",
                    String::new(),
                    String::new(),
                );
            }
            self.now = self.now.max(deadline);
            self.stack.run_timers(self.now);
            self.collect()?;
        }
        self.now = self.now.max(until);
        Ok(())
    }

    /// Takes what left, and asks again for a call that waits.
    fn collect(&mut self) -> Step {
        loop {
            self.proceed()?;
            let sent = self.stack.take_sent();
            if sent.is_empty() {
                return Ok(());
            }
            sent.iter().try_for_each(|datagram| self.left(datagram))?;
        }
    }

    fn left(&mut self, datagram: &[u8]) -> Step {
        let wire = match Wire::decode(datagram) {
            Ok(wire) => wire,
            Err(problem) => {
                return self.fail(Kind::Octets, "the stack sent a malformed datagram", String::new(), problem);
            }
        };
        let ports = (wire.source.port(), wire.destination.port());
        let flow = self.flows.of_leaving(self.setup, ports.0, ports.1);
        let (packet, written) = flow.leaving(&wire);
        let addresses = (flow.local.ip(), flow.remote.ip());
        self.ladder.push(self.now, What::Left, packet.to_string());
        if (wire.source.ip(), wire.destination.ip()) != addresses {
            let seen = format!("{} to {}", wire.source, wire.destination);
            return self.fail(Kind::Octets, "a packet left with other addresses", format!("{addresses:?}"), seen);
        }
        if !written {
            let problem = "the payload that left is not what the user wrote at this place of the stream";
            return self.fail(Kind::Octets, problem, String::new(), packet.to_string());
        }
        let row = self.ladder.rows.len() - 1;
        self.queue.push_back(Left { at: self.now, packet, ports, row });
        if self.queue.len() > FLOOD {
            let problem = format!("{FLOOD} packets left that no line expects");
            return self.fail(Kind::Unexpected, problem, String::new(), String::new());
        }
        Ok(())
    }

    /// A packet that no line can take any more fails here, not at the end.
    fn nothing_is_overdue(&mut self, later: &[Event]) -> Step {
        let next = later.iter().find(|event| matches!(event.action, Action::Outbound(_)));
        let may_wait = next.is_some_and(|event| match event.time {
            Time::Any => true,
            Time::Absolute(at) | Time::AbsoluteRange(at, _) => Duration::from_micros(at) <= self.now,
            Time::Relative(_) | Time::RelativeRange(..) => false,
        });
        match self.queue.front() {
            Some(left) if !may_wait && left.at + self.setup.tolerance < self.now => {
                let seen = format!("{}  > {}", seconds(left.at), left.packet);
                self.fail(Kind::Unexpected, "before this line, a packet left that no line expects", String::new(), seen)
            }
            _ => Ok(()),
        }
    }

    fn outbound(&mut self, expected: &Packet, time: Time) -> Step {
        let due = window(time, self.now);
        let line = match due {
            None => format!("* > {expected}"),
            Some((first, last)) if first == last => format!("{}  > {expected}", seconds(first)),
            Some((first, last)) => format!("{}~{}  > {expected}", seconds(first), seconds(last)),
        };
        let limit = due.map_or(self.now + PATIENCE, |(_, last)| last + self.setup.tolerance);
        self.await_packet(limit)?;
        let Some(mut left) = self.take_left(expected) else {
            self.now = if due.is_some() { self.now.max(limit) } else { self.now };
            return self.nothing_left(line);
        };
        self.now = self.now.max(left.at);
        self.belongs(expected, &left)?;
        if self.flows.of_leaving(self.setup, left.ports.0, left.ports.1).set_clock(expected, &mut left.packet) {
            self.ladder.rows[left.row].text = left.packet.to_string();
        }
        let differences = differences(expected, &left.packet, self.setup);
        let seen = format!("{}  > {}", seconds(left.at), left.packet);
        if !differences.is_empty() {
            let problem = format!("the packet has another {}", differences.join(", "));
            return self.fail(Kind::Packet, problem, line, seen);
        }
        let (first, last) = due.unwrap_or((left.at, left.at));
        let tolerance = self.setup.tolerance;
        let problem = if left.at + tolerance < first {
            format!("the packet left {} s too early", seconds(first - left.at))
        } else if left.at > last + tolerance {
            format!("the packet left {} s too late", seconds(left.at - last))
        } else {
            return Ok(());
        };
        self.fail(Kind::Timing, problem, line, seen)
    }

    /// No packet left in time; what comes later may tell why.
    fn nothing_left(&mut self, line: String) -> Step {
        let waited = seconds(self.now);
        self.await_packet(self.now + PATIENCE)?;
        let seen = match self.queue.front() {
            Some(left) => format!("nothing until {waited}; then, at {}, > {}", seconds(left.at), left.packet),
            None => "nothing, and no timer runs that would send anything".into(),
        };
        self.fail(Kind::Nothing, "no packet left in time", line, seen)
    }

    /// The next packet that left. Several segments of one instant count as one packet where the line names as many octets, as
    /// a device that cuts large segments sees them.
    fn take_left(&mut self, expected: &Packet) -> Option<Left> {
        let mut left = self.queue.pop_front()?;
        while left.packet.len < expected.len && self.queue.front().is_some_and(|next| left.goes_on_in(next)) {
            let next = self.queue.pop_front()?;
            left.packet.len = left.packet.len.checked_add(next.packet.len)?;
            left.packet.flags = Flags(left.packet.flags.0 | next.packet.flags.0);
        }
        Some(left)
    }

    /// Runs timers until something left, up to this time.
    fn await_packet(&mut self, limit: Duration) -> Step {
        while self.queue.is_empty() {
            match self.stack.next_deadline().filter(|deadline| *deadline <= limit) {
                Some(deadline) => self.settle(deadline.max(self.now))?,
                None => break,
            }
        }
        Ok(())
    }

    /// A packet belongs to the connection under test, or to the one whose ports the line names.
    fn belongs(&mut self, expected: &Packet, left: &Left) -> Step {
        let current = self.flows.current().map(|flow| (flow.local.port(), flow.remote.port()));
        let wanted = expected.ports.or(current);
        if wanted.is_none_or(|ports| ports == left.ports) {
            return Ok(());
        }
        let seen = format!("{} > {} {}", left.ports.0, left.ports.1, left.packet);
        self.fail(Kind::Packet, "the packet belongs to another connection", expected.to_string(), seen)
    }

    fn inbound(&mut self, packet: &Packet) -> Step {
        let wire = self.flows.of_arriving(self.setup, packet.ports).arriving(packet);
        self.ladder.push(self.now, What::Arrived, packet.to_string());
        match wire.encode() {
            Ok(mut datagram) => {
                let header = if wire.source.is_ipv4() { 20 } else { 40 };
                datagram[header + 16] ^= u8::from(packet.bad_checksum); // the checksum of TCP
                self.stack.receive_datagram(&datagram, self.now);
            }
            Err(problem) => return self.bad_script(problem),
        }
        self.collect()
    }

    fn icmp(&mut self, icmp: &Icmp) -> Step {
        let remote = self.setup.remote;
        let Some(flow) = self.flows.current() else {
            return self.bad_script("an ICMP error quotes a packet of a connection, and there is none yet");
        };
        let (seq, len) = icmp.quoted.unzip();
        let quoted = flow.quoted(seq);
        let datagram = icmp::header(icmp, self.setup.remote.is_ipv4())
            .and_then(|header| IcmpError { header, from: remote, quoted, quoted_len: len.unwrap_or(0) }.encode());
        let mtu = icmp.mtu.map_or(String::new(), |mtu| format!(" mtu {mtu}"));
        let text = format!("icmp {} {}{mtu}", icmp.kind, icmp.code.as_deref().unwrap_or(""));
        self.ladder.push(self.now, What::Arrived, text);
        match datagram {
            Ok(datagram) => self.stack.receive_datagram(&datagram, self.now),
            Err(problem) => return self.bad_script(problem),
        }
        self.collect()
    }

    fn call(&mut self, call: &Call, ends: Option<u64>, time: Time) -> Step {
        self.proceed()?;
        if let Some(pending) = &self.pending {
            let seen = format!("{} of line {} still waits", pending.call.name, pending.line);
            return self.fail(Kind::Blocking, "a call begins while another waits", String::new(), seen);
        }
        self.ladder.push(self.now, What::User, call.to_string());
        let mut progress = Progress::default();
        let outcome = self.step(call, &mut progress);
        // What the call sent left after it began; its result shows whether it waits.
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(problem) => {
                let kind = if problem.starts_with("the stack") { Kind::Octets } else { Kind::Script };
                return self.fail(kind, problem, String::new(), String::new());
            }
        };
        let ends = ends.map(|ends| match time {
            Time::Relative(begins) => self.now + Duration::from_micros(ends.saturating_sub(begins)),
            _ => Duration::from_micros(ends),
        });
        match (outcome, ends) {
            (Outcome::Done(returned), None) => self.compare(call, &returned)?,
            (Outcome::Done(returned), Some(ends)) => {
                self.compare(call, &returned)?;
                self.ended(call, ends)?;
            }
            (Outcome::Blocks, None) => {
                return self.fail(Kind::Blocking, "the call waits", call.to_string(), "it does not return".into());
            }
            (Outcome::Blocks, Some(ends)) => {
                self.pending = Some(Pending { call: call.clone(), line: self.line, progress, ends });
            }
        }
        self.collect()
    }

    fn step(&mut self, call: &Call, progress: &mut Progress) -> Result<Outcome, String> {
        let (setup, now) = (self.setup, self.now);
        let mut cx = Context { stack: &mut *self.stack, setup, flows: &mut self.flows, now };
        self.sockets.step(call, progress, &mut cx)
    }

    fn compare(&self, call: &Call, returned: &crate::posix::Returned) -> Step {
        match result(call, returned) {
            None => Ok(()),
            Some(seen) => {
                self.fail(Kind::Result, format!("{} returned another result", call.name), call.to_string(), seen)
            }
        }
    }

    /// A call that waits returned now.
    fn ended(&self, call: &Call, ends: Duration) -> Step {
        let tolerance = self.setup.tolerance;
        if self.now + tolerance >= ends && self.now <= ends + tolerance {
            return Ok(());
        }
        let (expected, seen) = (format!("return at {}", seconds(ends)), seconds(self.now));
        self.fail(Kind::Blocking, format!("{} returned at another time", call.name), expected, seen)
    }

    /// Takes up the call that waits.
    fn proceed(&mut self) -> Step {
        let Some(mut pending) = self.pending.take() else { return Ok(()) };
        match self.step(&pending.call, &mut pending.progress) {
            Ok(Outcome::Blocks) => {
                if self.now > pending.ends + self.setup.tolerance {
                    self.line = pending.line;
                    let seen = format!("it still waits at {}", seconds(self.now));
                    let expected = format!("return at {}", seconds(pending.ends));
                    return self.fail(Kind::Blocking, format!("{} does not return", pending.call.name), expected, seen);
                }
                self.pending = Some(pending);
                Ok(())
            }
            Ok(Outcome::Done(returned)) => {
                let line = std::mem::replace(&mut self.line, pending.line);
                self.ladder.push(self.now, What::User, format!("{} returns", pending.call.name));
                self.compare(&pending.call, &returned)?;
                self.ended(&pending.call, pending.ends)?;
                self.line = line;
                Ok(())
            }
            Err(problem) => self.bad_script(problem),
        }
    }

    fn command(&mut self, command: &str) -> Step {
        let settings = match setup::settings(command, self.directory) {
            Ok(settings) => settings,
            Err(problem) => return self.bad_script(problem),
        };
        for (name, value) in settings {
            match setup::owner(&name, self.stack.name()) {
                Some(Owner::Stack) => {}
                Some(Owner::Other) => continue,
                None => return self.bad_script(setup::unknown_variable(&name)),
            }
            if let Err(problem) = self.stack.sysctl(&name, &value) {
                return self.bad_script(problem);
            }
        }
        Ok(())
    }

    fn assertions(&mut self, code: &str) -> Step {
        let Some(handle) = self.sockets.last() else {
            return self
                .bad_script("an assertion is about the connection that a call named last, and there is none yet");
        };
        match assertion::check(code, &self.stack.info(handle)) {
            Ok(()) => Ok(()),
            Err(Problem::Unreadable(problem)) => self.bad_script(problem),
            Err(Problem::False { text, values }) => {
                let values: Vec<String> = values.iter().map(|(name, value)| format!("{name} = {value}")).collect();
                self.fail(Kind::Assertion, "the assertion is false", text, values.join(", "))
            }
        }
    }

    /// After the last event nothing may be left over.
    fn end(&mut self) -> Step {
        if let Some(ends) = self.pending.as_ref().map(|pending| pending.ends) {
            self.settle(ends.max(self.now))?;
            self.proceed()?;
        }
        if let Some(pending) = self.pending.take() {
            self.line = pending.line;
            return self.fail(Kind::Blocking, "the call never returns", pending.call.to_string(), "it waits".into());
        }
        match self.queue.front() {
            None => Ok(()),
            Some(left) => {
                let seen = format!("{}  > {}", seconds(left.at), left.packet);
                self.fail(
                    Kind::Unexpected,
                    "the script ends, and a packet left that no line expects",
                    String::new(),
                    seen,
                )
            }
        }
    }
}
