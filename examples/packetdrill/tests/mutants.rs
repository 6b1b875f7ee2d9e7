//! Scripts can fail: each expectation of each script, changed, fails in its line. An expectation is a field of a packet, its
//! time unless that is `*`, what a call returns, writes and how long it waits, and a comparison of an assertion.

use segue_packetdrill::call::{Call, Value};
use segue_packetdrill::script::{Action, Event, Flags, Packet, Script, TcpOption, Time, Tos};
use segue_packetdrill::segue_host::Segue;
use segue_packetdrill::setup::Setup;
use segue_packetdrill::{check_script, parser};

use crate::common::{all, directory};

/// The changes of a packet that a correct stack never sends in its place.
fn packets(packet: &Packet) -> Vec<(&'static str, Packet)> {
    let with = |change: fn(&mut Packet)| {
        let mut packet = packet.clone();
        change(&mut packet);
        packet
    };
    let mut changed = vec![
        ("sequence number", with(|packet| packet.seq = packet.seq.wrapping_add(1))),
        ("flags", with(|packet| packet.flags = Flags(packet.flags.0 ^ 8))),
        ("length", with(|packet| packet.len += 1)),
        ("urgent pointer", with(|packet| packet.urgent ^= 1)),
    ];
    if packet.flags.contains(Flags::ACK) {
        changed.push(("acknowledgment", with(|packet| packet.ack = packet.ack.wrapping_add(1))));
    }
    if packet.window.is_some() {
        changed.push(("window", with(|packet| packet.window = packet.window.map(|window| window ^ 1))));
    }
    if packet.ports.is_some() {
        let other = |(source, destination): (u16, u16)| (source, destination ^ 1);
        changed.push(("port", Packet { ports: packet.ports.map(other), ..packet.clone() }));
    }
    if packet.options.is_some() {
        changed.push(("options", with(|packet| packet.options.iter_mut().for_each(|all| all.push(TcpOption::Mss(1))))));
    }
    let tos = match packet.tos {
        Tos::Unchecked => return changed,
        Tos::Ecn(bits) => Tos::Ecn(bits ^ 1),
        Tos::Ect => Tos::Ecn(0),
        Tos::All(all) => Tos::All(all ^ 1),
    };
    changed.push(("traffic class", Packet { tos, ..packet.clone() }));
    changed
}

/// A time later than the one that is expected, by more than any script tolerates.
fn later(time: Time) -> Option<Time> {
    const MORE: u64 = 100_000;
    Some(match time {
        Time::Absolute(at) => Time::Absolute(at + MORE),
        Time::Relative(at) => Time::Relative(at + MORE),
        Time::AbsoluteRange(_, last) => Time::AbsoluteRange(last + MORE, last + 2 * MORE),
        Time::RelativeRange(_, last) => Time::RelativeRange(last + MORE, last + 2 * MORE),
        Time::Any => return None,
    })
}

/// Another value in the place of what a call writes: `[10]`, or `revents` of each descriptor.
fn written(call: &Call) -> Option<(&'static str, Call)> {
    let place = match call.name.as_str() {
        "poll" => 0,
        "ioctl" => 2,
        "getsockopt" => 3,
        _ => return None,
    };
    let mut changed = call.clone();
    let Some(Value::List(values)) = changed.arguments.get_mut(place) else { return None };
    for value in values {
        match value {
            Value::Struct(fields) => {
                let revents = value_of(fields, "revents") ^ 1;
                fields.retain(|(name, _)| name != "revents");
                fields.push(("revents".into(), Value::Number(revents)));
            }
            other => *other = Value::Number(other.number().unwrap_or(0) + 1),
        }
    }
    Some(("value that it writes", changed))
}

fn value_of(fields: &[(String, Value)], name: &str) -> i64 {
    fields.iter().find(|(own, _)| own == name).and_then(|(_, value)| value.number()).unwrap_or(0)
}

/// The changes of what is expected of a call.
fn calls(call: &Call) -> Vec<(&'static str, Call)> {
    let mut changed: Vec<_> = written(call).into_iter().collect();
    let makes_descriptor = ["socket", "accept", "accept4"].contains(&call.name.as_str());
    if let Some(number) = call.result.number().filter(|number| *number < 0 || !makes_descriptor) {
        changed.push(("result", Call { result: Value::Number(number + 1), ..call.clone() }));
    }
    if let Some(errno) = &call.errno {
        let other = if errno == "EPROTO" { "EBADF" } else { "EPROTO" };
        changed.push(("errno", Call { errno: Some(other.into()), ..call.clone() }));
    }
    changed
}

/// The assertions of a block, each comparison turned into its opposite, and each number behind `==` into the next.
fn assertions(code: &str) -> Vec<(&'static str, String)> {
    const OPPOSITES: [(&str, &str); 6] =
        [("==", "!="), ("!=", "=="), ("<=", ">"), (">=", "<"), ("<", ">="), (">", "<=")];
    let mut changed = Vec::new();
    let mut at = 0;
    while at < code.len() {
        let (before, rest) = code.split_at(at);
        let found = OPPOSITES.iter().find(|(operator, _)| rest.starts_with(operator));
        let shift = rest.starts_with("<<") || rest.starts_with(">>");
        let Some((operator, opposite)) = found.filter(|_| !shift) else {
            let step = rest.chars().next().map_or(1, char::len_utf8);
            at += if shift { 2 } else { step };
            continue;
        };
        let behind = &rest[operator.len()..];
        changed.push(("comparison", format!("{before}{opposite}{behind}")));
        let value = behind.trim_start();
        let digits = &value[..value.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(value.len())];
        if let (&"==", Ok(number)) = (operator, digits.parse::<i64>()) {
            changed.push(("number", format!("{before}== {}{}", number + 1, &value[digits.len()..])));
        }
        at += operator.len();
    }
    changed
}

/// The changes of an event: each makes one of its expectations false.
fn changed(event: &Event) -> Vec<(&'static str, Event)> {
    let with = |action: Action| Event { action, ..event.clone() };
    let mut changed: Vec<(&'static str, Event)> = match &event.action {
        Action::Outbound(packet) => {
            packets(packet).into_iter().map(|(what, packet)| (what, with(Action::Outbound(packet)))).collect()
        }
        Action::Call { call, ends } => {
            calls(call).into_iter().map(|(what, call)| (what, with(Action::Call { call, ends: *ends }))).collect()
        }
        Action::Code(code) => {
            assertions(code).into_iter().map(|(what, code)| (what, with(Action::Code(code)))).collect()
        }
        _ => Vec::new(),
    };
    match &event.action {
        Action::Outbound(_) => changed.extend(later(event.time).map(|time| ("time", Event { time, ..event.clone() }))),
        Action::Call { call, ends: Some(ends) } => {
            let ends = Some(ends + 100_000);
            changed.push(("time of its end", with(Action::Call { call: call.clone(), ends })));
        }
        _ => {}
    }
    changed
}

/// The line in which a changed script fails; none: it holds.
fn fails_at(name: &str, script: &Script) -> Option<usize> {
    let make: segue_packetdrill::Make<'_> = &|setup| Box::new(Segue::new(setup));
    check_script(script, Setup::default(), Some(&directory(name)), make).err().map(|failure| failure.line)
}

#[test]
fn every_changed_expectation_is_noticed_in_its_line() {
    let (mut survivors, mut mutants) = (Vec::new(), std::collections::BTreeMap::new());
    for (name, text) in all() {
        let script = parser::parse(&text).expect("a script of the suite");
        for (place, event) in script.events.iter().enumerate() {
            for (what, changed) in changed(event) {
                let mut mutant = script.clone();
                mutant.events[place] = changed;
                *mutants.entry(what).or_insert(0_u32) += 1;
                if fails_at(&name, &mutant) != Some(event.line) {
                    survivors.push(format!("{name}:{}: another {what}", event.line));
                }
            }
        }
    }
    let all: u32 = mutants.values().sum();
    assert!(all > 15_000, "{all} mutants are few: {mutants:?}");
    assert_eq!(mutants.len(), 16, "of each kind there is one at least: {mutants:?}");
    assert!(survivors.is_empty(), "{} of {all} changes are not noticed:\n{}", survivors.len(), survivors.join("\n"));
}

/// A packet that no line expects fails: each line that expects one is replaced by nothing at the same time. What a line
/// with `*` expects decides when the others come, so those lines stay.
#[test]
fn every_packet_that_no_line_expects_is_noticed() {
    for (name, text) in all() {
        let script = parser::parse(&text).expect("a script of the suite");
        for (place, event) in script.events.iter().enumerate() {
            let time = match event.time {
                Time::RelativeRange(_, last) => Time::Relative(last),
                Time::AbsoluteRange(_, last) => Time::Absolute(last),
                Time::Any => continue,
                exact => exact,
            };
            if matches!(event.action, Action::Outbound(_)) {
                let mut mutant = script.clone();
                (mutant.events[place].time, mutant.events[place].action) = (time, Action::Command("true".into()));
                assert!(fails_at(&name, &mutant).is_some(), "{name} holds without its line {}", event.line);
            }
        }
    }
}
