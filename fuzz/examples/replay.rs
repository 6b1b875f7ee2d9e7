//! Runs the harness of a target over all files of directories, without a fuzzer: what `fuzz/coverage` measures.

use std::error::Error;
use std::fs;

const HELP: &str = "usage: replay TARGET DIR...: runs the target over all files of the directories";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let target = arguments.next().filter(|target| !target.starts_with('-'));
    let known = segue_fuzz::TARGETS.iter().find(|(name, _)| target.as_deref() == Some(name));
    let Some((name, harness)) = known else {
        let names = segue_fuzz::TARGETS.map(|(name, _)| name).join(", ");
        eprintln!("{HELP}\ntargets: {names}");
        std::process::exit(2);
    };
    let mut count = 0;
    for directory in arguments {
        for entry in fs::read_dir(&directory).map_err(|error| format!("{directory}: {error}"))? {
            harness(&fs::read(entry?.path())?);
            count += 1;
        }
    }
    println!("{name}: {count} inputs");
    Ok(())
}
