//! Replays the committed fuzz corpora through the harnesses, without a fuzzer. The seeds of `events` are scripts: they are
//! written down in `seeds.rs` with what each must lead to, and the files are shown to be those scripts.
//!
//! After a change of the scripts or of their format: `SEGUE_WRITE_SEEDS=1 cargo test -p segue-fuzz-corpus`. After the corpora
//! have grown: `SEGUE_BLESS=1` in its place records how many triples they show.

mod drawn;
#[path = "../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, dead_code, reason = "a library of its own, of which this test uses the harnesses")]
mod fuzz;
mod seeds;

use std::collections::BTreeSet;
use std::fs;
use std::panic;
use std::path::{Path, PathBuf};

use fuzz::triples::{Triple, seen_in};

/// More files than this in a corpus replay for too long.
const MOST: usize = 150;

fn fuzz_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn corpus(target: &str) -> PathBuf {
    fuzz_dir().join("corpus").join(target)
}

/// Runs the harness over every file, and names the files that make it panic. Returns the triples that the others show.
fn replay(target: &str) -> BTreeSet<Triple> {
    let (_, harness) = fuzz::TARGETS.into_iter().find(|(name, _)| *name == target).expect("a target");
    let mut files: Vec<PathBuf> =
        fs::read_dir(corpus(target)).expect("a committed corpus").map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!((1..=MOST).contains(&files.len()), "{} files for {target}", files.len());
    let (mut failed, mut seen) = (Vec::new(), BTreeSet::new());
    for file in &files {
        let data = fs::read(file).unwrap();
        match panic::catch_unwind(|| seen_in([data], harness)) {
            Ok(triples) => seen.extend(triples),
            Err(_) => failed.push(file),
        }
    }
    assert!(failed.is_empty(), "{target} fails on {failed:#?}");
    seen
}

#[test]
fn codec() {
    replay("codec");
}

#[test]
fn endpoint() {
    replay("endpoint");
}

#[test]
fn listener() {
    replay("listener");
}

#[test]
fn records() {
    replay("records");
}

#[test]
fn table() {
    replay("table");
}

/// Of the targets that drive a connection, the corpora show as many triples of state, event and action as recorded.
#[test]
fn attacker_events_pair() {
    let threads = fuzz::WITH_TRIPLES.map(|target| std::thread::spawn(move || (target, replay(target).len())));
    let counts = threads.map(|thread| thread.join().expect("a corpus without failures"));
    let lines = counts.map(|(target, count)| format!("{target},{count}\n"));
    let (file, now) = (fuzz_dir().join("triples.csv"), format!("target,triples\n{}", lines.concat()));
    if std::env::var_os("SEGUE_BLESS").is_some() {
        fs::write(&file, &now).unwrap();
    }
    let recorded = fs::read_to_string(&file).expect("the record");
    for (target, count) in counts {
        let line = recorded.lines().find_map(|line| line.strip_prefix(target)?.strip_prefix(','));
        let least: usize = line.and_then(|count| count.parse().ok()).expect("a count in the record");
        assert!(count >= least, "{target} shows {count} triples, {least} are recorded; SEGUE_BLESS=1 records anew");
    }
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
