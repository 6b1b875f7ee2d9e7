//! A violation as a ladder: A at the left, B at the right, numbers that count from each ISS.

use segue::Segment;
use segue_kit::notation::{Origin, notation};

use crate::end::iss;
use crate::search::Found;
use crate::setting::Setting;
use crate::world::{Line, START, World};

/// Columns for what happens between the two ends.
const MIDDLE: usize = 78;
/// A schedule that does not end is cut.
const LINES: usize = 100;

fn shown(from: usize, segment: &Segment) -> String {
    let origin = Origin { seq: iss(from, 0), ack: iss(1 - from, 0) };
    let stamps = segment.options.timestamps().map(|stamps| format!("<TS={},{}>", stamps.value, stamps.echo));
    let origin_of = |number| number - origin.ack;
    let sack = segment.options.sack().iter();
    let sack: String = sack.map(|b| format!("<SACK={}:{}>", origin_of(b.left), origin_of(b.right))).collect();
    format!("{}<WIN={}>{sack}{}", notation(segment, origin), segment.window, stamps.unwrap_or_default())
}

/// A segment that an end gets.
pub(crate) fn arrives(to: usize, segment: &Segment, how: &str) -> String {
    let text = shown(1 - to, segment);
    let line = if to == 0 { format!("<-- {text} {how}") } else { format!("{how} {text} -->") };
    if to == 0 { line } else { format!("{line:>MIDDLE$}") }
}

/// A segment that an end sends.
pub(crate) fn sent(from: usize, segment: &Segment, lost: bool) -> String {
    let lost = if lost { " (lost: the channel is full)" } else { "" };
    let line = format!("sends {}{lost}", shown(from, segment));
    if from == 0 { format!("    {line}") } else { format!("{line:>MIDDLE$}") }
}

/// What happens at an end.
pub(crate) fn at(side: usize, what: &str) -> String {
    if side == 0 { what.to_string() } else { format!("{what:>MIDDLE$}") }
}

/// The run that leads to the violation, step by step; with the fair schedule after it where that law does not hold.
pub(crate) fn ladder(setting: &Setting, found: &Found) -> String {
    let mut text = format!("{:>10}  {:<14}{:<MIDDLE$}  {}\n", "seconds", "A", "", "B");
    let Ok(mut world) = World::new(setting, Some(Vec::new())) else { return text };
    for &step in &found.steps {
        if world.caught_step(step).is_err() {
            break;
        }
    }
    if found.in_schedule {
        let _ = world.caught_fair(); // it ends as it did
    }
    let told = world.told.unwrap_or_default();
    text.extend(told.iter().take(LINES).map(row));
    if told.len() > LINES {
        text += &format!("{:>10}  and {} lines more\n", "", told.len() - LINES);
    }
    text
}

fn row(line: &Line) -> String {
    let Line { at, what, states: [a, b] } = line;
    let seconds = at.saturating_since(START).as_secs_f64();
    format!("{seconds:>10.3}  {:<14}{what:<MIDDLE$}  {b}\n", a.name())
}
