//! Scripts can fail: each expected packet and result of each script, changed, fails there.

use segue_packetdrill::call::Value;
use segue_packetdrill::script::{Action, Flags, Packet, Script, Time};
use segue_packetdrill::segue_host::Segue;
use segue_packetdrill::setup::Setup;
use segue_packetdrill::{check_script, parser};

use crate::common::{all, directory};

/// The changes of a packet that a correct stack never sends in its place.
fn changed(packet: &Packet) -> Vec<(&'static str, Packet)> {
    let with = |change: fn(&mut Packet)| {
        let mut packet = packet.clone();
        change(&mut packet);
        packet
    };
    let mut changed = vec![
        ("sequence number", with(|packet| packet.seq = packet.seq.wrapping_add(1))),
        ("flags", with(|packet| packet.flags = Flags(packet.flags.0 ^ 8))),
        ("length", with(|packet| packet.len += 1)),
    ];
    if packet.flags.contains(Flags::ACK) {
        changed.push(("acknowledgment", with(|packet| packet.ack = packet.ack.wrapping_add(1))));
    }
    if packet.window.is_some() {
        changed.push(("window", with(|packet| packet.window = packet.window.map(|window| window ^ 1))));
    }
    if packet.options.is_some() {
        changed.push((
            "options",
            with(|packet| {
                packet
                    .options
                    .iter_mut()
                    .for_each(|options| options.push(segue_packetdrill::script::TcpOption::Mss(1)));
            }),
        ));
    }
    changed
}

/// The line in which a changed script fails; none: it holds.
fn fails_at(name: &str, script: &Script) -> Option<usize> {
    let make: segue_packetdrill::Make<'_> = &|setup| Box::new(Segue::new(setup));
    check_script(script, Setup::default(), Some(&directory(name)), make).err().map(|failure| failure.line)
}

#[test]
fn every_changed_packet_and_result_is_noticed_in_its_line() {
    let (mut survivors, mut mutants) = (Vec::new(), 0);
    for (name, text) in all() {
        let script = parser::parse(&text).expect("a script of the suite");
        for (place, event) in script.events.iter().enumerate() {
            let mut try_with = |what: &str, action: Action| {
                let mut mutant = script.clone();
                mutant.events[place].action = action;
                mutants += 1;
                if fails_at(&name, &mutant) != Some(event.line) {
                    survivors.push(format!("{name}:{}: another {what}", event.line));
                }
            };
            match &event.action {
                Action::Outbound(packet) => {
                    changed(packet).into_iter().for_each(|(what, packet)| try_with(what, Action::Outbound(packet)));
                }
                Action::Call { call, ends } => {
                    let makes_descriptor = ["socket", "accept", "accept4"].contains(&call.name.as_str());
                    let Some(number) = call.result.number().filter(|_| !makes_descriptor) else { continue };
                    let mut call = call.clone();
                    call.result = Value::Number(number + 1);
                    try_with("result", Action::Call { call, ends: *ends });
                }
                _ => {}
            }
        }
    }
    assert!(mutants > 2_000, "{mutants} mutants are few");
    assert!(
        survivors.is_empty(),
        "{} of {mutants} changes are not noticed:\n{}",
        survivors.len(),
        survivors.join("\n")
    );
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
