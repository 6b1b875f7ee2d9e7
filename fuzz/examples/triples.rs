//! Counts the distinct triples of state, class of event and class of action that corpora show, and lists what they never do:
//! `fuzz/triples fuzz/corpus/events`.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::Path;

use segue_fuzz::triples::{Triple, never_played, never_seen, seen_in};
use segue_fuzz::{Harness, TARGETS, WITH_TRIPLES};

const HELP: &str = "usage: triples [--count] DIR...
Each directory is a corpus with the name of its target: attacker, events, pair, records or table.
Prints how many triples of state, class of event and class of action each shows, and all together; then the classes of events
that no input played in a state, and the triples that none showed though each two parts of them were seen together.
--count: the counts alone";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.is_empty() || arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        println!("{HELP}");
        return Ok(());
    }
    let mut all: BTreeSet<Triple> = BTreeSet::new();
    for directory in arguments.iter().filter(|argument| *argument != "--count") {
        let (name, harness) = target(directory)?;
        let files = fs::read_dir(directory).map_err(|error| format!("{directory}: {error}"))?;
        let inputs: Vec<Vec<u8>> = files.map(|entry| fs::read(entry?.path())).collect::<Result<_, _>>()?;
        let count = inputs.len();
        let seen = seen_in(inputs, harness);
        println!("{name}: {} triples in {count} inputs", seen.len());
        all.extend(seen);
    }
    println!("together: {} triples", all.len());
    if arguments.iter().any(|argument| argument == "--count") {
        return Ok(());
    }
    println!("\nnever played, by state:");
    for (state, inputs) in never_played(&all) {
        println!("  {state}: {}", inputs.join(", "));
    }
    let never = never_seen(&all);
    println!("\nnever seen, {} triples of which each two parts were seen together:", never.len());
    for (state, input, output) in never {
        println!("  {state}: {input} -> {output}");
    }
    Ok(())
}

/// The target whose corpus this is, by the name of the directory.
fn target(directory: &str) -> Result<(&'static str, Harness), String> {
    let name = Path::new(directory).file_name().unwrap_or_default();
    let known = TARGETS.iter().find(|(target, _)| name == *target && WITH_TRIPLES.contains(target));
    known.copied().ok_or_else(|| format!("{directory}: no corpus of {}\n{HELP}", WITH_TRIPLES.join(", ")))
}
