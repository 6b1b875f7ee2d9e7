//! Replays the committed fuzz corpora through the harnesses, without a fuzzer. The seeds of `events` are scripts: they are
//! written down in `seeds.rs` with what each must lead to, and the files are shown to be those scripts.
//!
//! After a change of the scripts or of their format: `SEGUE_WRITE_SEEDS=1 cargo test -p segue-fuzz-corpus`. After the corpora
//! have grown, or the machine does something else: `SEGUE_BLESS=1` in its place records how many triples they show, and what the
//! machine does.

mod drawn;
#[path = "../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, dead_code, reason = "a library of its own, of which this test uses the harnesses")]
mod fuzz;
mod seeds;

use std::collections::BTreeSet;
use std::fs;
use std::panic;
use std::path::{Path, PathBuf};

use fuzz::behaviour;
use fuzz::triples::{Triple, seen_in};

/// More files than this in a corpus replay for too long.
const MOST: usize = 150;

fn fuzz_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn corpus(target: &str) -> PathBuf {
    fuzz_dir().join("corpus").join(target)
}

/// What a corpus shows: the triples, and of each file, by its name, the number of what the machine did with it.
struct Shown {
    triples: BTreeSet<Triple>,
    behaviour: Vec<(String, u64)>,
}

/// Runs the harness over every file, and names the files that make it panic.
fn replay(target: &str) -> Shown {
    let (_, harness) = fuzz::TARGETS.into_iter().find(|(name, _)| *name == target).expect("a target");
    let mut files: Vec<PathBuf> =
        fs::read_dir(corpus(target)).expect("a committed corpus").map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!((1..=MOST).contains(&files.len()), "{} files for {target}", files.len());
    let (mut failed, mut shown) = (Vec::new(), Shown { triples: BTreeSet::new(), behaviour: Vec::new() });
    for file in &files {
        let data = fs::read(file).unwrap();
        match panic::catch_unwind(|| behaviour::of(|| seen_in([data], harness))) {
            Ok((triples, number)) => {
                shown.triples.extend(triples);
                shown.behaviour.push((file.file_name().unwrap().to_string_lossy().into_owned(), number));
            }
            Err(_) => failed.push(file),
        }
    }
    assert!(failed.is_empty(), "{target} fails on {failed:#?}");
    shown
}

/// What is recorded in this file; with `SEGUE_BLESS` first what is so now.
fn recorded(file: &str, now: &str) -> String {
    let path = fuzz_dir().join(file);
    if std::env::var_os("SEGUE_BLESS").is_some() {
        fs::write(&path, now).unwrap();
    }
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The corpora are replayed once, for both records.
#[test]
fn the_corpora_show_what_is_recorded() {
    let threads = fuzz::TARGETS.map(|(target, _)| (target, std::thread::spawn(move || replay(target))));
    let all = threads.map(|(target, thread)| (target, thread.join().expect("a corpus without failures")));
    no_triples_are_lost(&all);
    the_machine_does_the_same(&all);
}

/// Of the targets that show a connection event by event, the corpora have as many triples of state, event and action as recorded.
fn no_triples_are_lost(all: &[(&str, Shown)]) {
    let counts = all.iter().filter(|(target, _)| fuzz::WITH_TRIPLES.contains(target));
    let counts: Vec<(&str, usize)> = counts.map(|(target, shown)| (*target, shown.triples.len())).collect();
    let lines: String = counts.iter().map(|(target, count)| format!("{target},{count}\n")).collect();
    let record = recorded("triples.csv", &format!("target,triples\n{lines}"));
    for (target, count) in counts {
        let line = record.lines().find_map(|line| line.strip_prefix(target)?.strip_prefix(','));
        let least: usize = line.and_then(|count| count.parse().ok()).expect("a count in the record");
        assert!(count >= least, "{target} shows {count} triples, {least} are recorded; SEGUE_BLESS=1 records anew");
    }
}

/// With each input the machine does what is recorded.
fn the_machine_does_the_same(all: &[(&str, Shown)]) {
    let lines = |(target, shown): &(&str, Shown)| -> String {
        shown.behaviour.iter().map(|(file, number)| format!("{target},{file},{number:016x}\n")).collect()
    };
    let of_machine = all.iter().filter(|(target, _)| *target != "codec"); // it has no machine
    let now = format!("target,input,number\n{}", of_machine.map(lines).collect::<String>());
    let record = recorded("behaviour.csv", &now);
    // A budget counts the size of values, which is another one on machines of 32 bits, and records have numbers that those cannot
    // read.
    let counts = |line: &&str| {
        cfg!(target_pointer_width = "64") || !(line.starts_with("endpoint,") || line.starts_with("records,"))
    };
    let now: BTreeSet<&str> = now.lines().filter(counts).collect();
    let record: BTreeSet<&str> = record.lines().filter(counts).collect();
    let (new, gone): (Vec<_>, Vec<_>) = (now.difference(&record).collect(), record.difference(&now).collect());
    assert!(
        new.is_empty() && gone.is_empty(),
        "the machine does something else with {} inputs than is recorded, such as {:?}; {} lines of the record have no such input, \
         such as {:?}. If it should be so, SEGUE_BLESS=1 records it",
        new.len(),
        new.first(),
        gone.len(),
        gone.first()
    );
}

#[test]
fn each_target_has_a_corpus() {
    let names = |dir: PathBuf| {
        let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect::<BTreeSet<String>>()
    };
    let targets: BTreeSet<String> = fuzz::TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(fuzz_dir().join("corpus")), targets);
    assert_eq!(names(fuzz_dir().join("fuzz_targets")), targets);
}

#[test]
fn each_seed_of_events_leads_to_what_its_name_says() {
    let failed: Vec<_> = seeds::all()
        .into_iter()
        .filter(|seed| panic::catch_unwind(|| (seed.expect)(&fuzz::events::play(seed.script.octets()))).is_err())
        .map(|seed| seed.name)
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn the_committed_seeds_of_events_are_the_scripts() {
    let write = std::env::var_os("SEGUE_WRITE_SEEDS").is_some();
    for seed in seeds::all() {
        let file = corpus("events").join(seed.name);
        if write {
            fs::write(&file, seed.script.octets()).unwrap();
        }
        assert_eq!(fs::read(&file).unwrap_or_default(), seed.script.octets(), "{}", file.display());
    }
}
