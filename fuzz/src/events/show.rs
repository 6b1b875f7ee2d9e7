//! Events, actions and values as a reader of a failure wants to see them.

use core::fmt::Debug;

use segue::{Action, Event};

pub(crate) fn event(event: &Event) -> String {
    match event {
        Event::Segment(segment) => format!("Segment {segment}"),
        Event::Send(text) | Event::SendMore(text) | Event::SendUrgent(text) => format!("Send, {} octets", text.len()),
        other => format!("{other:?}"),
    }
}

pub(crate) fn action(action: &Action) -> String {
    match action {
        Action::Transmit(segment) => format!("Transmit {segment}"),
        Action::Deliver(text) => format!("Deliver {} octets", text.len()),
        other => format!("{other:?}"),
    }
}

pub(crate) fn actions(actions: &[Action]) -> String {
    actions.iter().map(|a| format!("\n  {}", action(a))).collect()
}

/// Where two values differ, line by line of what `Debug` prints.
pub(crate) fn difference(left: &impl Debug, right: &impl Debug) -> String {
    let (left, right) = (format!("{left:#?}"), format!("{right:#?}"));
    let lines = left.lines().zip(right.lines()).filter(|(a, b)| a != b);
    lines.map(|(a, b)| format!("\n  {} became {}", a.trim(), b.trim())).collect()
}
