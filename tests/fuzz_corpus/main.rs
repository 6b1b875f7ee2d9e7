//! Replays the committed fuzz corpus through the harnesses, without a fuzzer. The seeds of `events` are scripts: they are
//! written down in `seeds.rs` with what each must lead to, and the files are shown to be those scripts.
//!
//! After a change of the scripts or of their format: `SEGUE_WRITE_SEEDS=1 cargo test -p segue-fuzz-corpus`.

mod drawn;
#[path = "../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, dead_code, reason = "a library of its own, of which this test uses the harnesses")]
mod fuzz;
mod seeds;

use std::fs;
use std::panic;
use std::path::{Path, PathBuf};

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target)
}

/// Runs the harness over every file; names the files that make it panic.
fn replay(target: &str, harness: fn(&[u8])) {
    let mut files: Vec<PathBuf> =
        fs::read_dir(corpus(target)).expect("a committed corpus").map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "no seeds for {target}");
    let failed: Vec<_> = files
        .iter()
        .filter(|file| {
            let data = fs::read(file).unwrap();
            panic::catch_unwind(|| harness(&data)).is_err()
        })
        .collect();
    assert!(failed.is_empty(), "{target} fails on {failed:#?}");
}

#[test]
fn codec() {
    replay("codec", fuzz::codec::run);
}

#[test]
fn events() {
    replay("events", fuzz::events::run);
}

#[test]
fn table() {
    replay("table", fuzz::table::run);
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
