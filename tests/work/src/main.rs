//! Counts the instructions of each event of hostile conversations, and holds them to a formula. `--help` tells how.

mod attacks;
mod end;
#[path = "../../../fuzz/src/lib.rs"]
#[expect(
    unreachable_pub,
    dead_code,
    unused_imports,
    reason = "a library of its own, of which this program uses the harnesses"
)]
mod fuzz;
mod fuzzed;
mod steady;
mod way;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use end::Facts;
use fuzzed::FUZZED;
use steady::{FEW, MANY};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
Runs hostile conversations with each congestion controller, and events of every kind from the corpora of the fuzzers, under
callgrind, and holds the instructions of each event to the formula of docs/architecture.md, and those of an acknowledgment to the
same number whatever is in flight.

    cargo run --release --manifest-path tests/work/Cargo.toml [-- OPTIONS]

    --all     all events, not only the worst of each conversation and the ten worst kinds of the corpora
    --help    this text

Exits with 0 if all events keep to the formula, 1 if one does not, 2 after a mistake, and 3 without valgrind.
";

/// The most instructions of an event: a share for the call, one for each segment that comes in and each action that goes out,
/// and for each record in flight and each range held, which an event may have to look at; octets are copied.
const CALL: u64 = 5_000;
const SEGMENT: u64 = 4_000;
const ACTION: u64 = 2_600;
/// More for each action of a connection that paces.
const PACED: u64 = 400;
const RECORD: u64 = 400;
const RANGE: u64 = 600;

/// The most instructions of an ACK with twelve times as much in flight, in hundredths: what is searched, is searched in halves.
const GROWTH: u64 = 150;

const fn formula(facts: &Facts) -> u64 {
    let action = if facts.paced { ACTION + PACED } else { ACTION };
    CALL + SEGMENT * facts.segments
        + action * facts.actions
        + RECORD * facts.records
        + RANGE * facts.ranges
        + facts.octets
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--events", cases] => {
            attacks::run();
            steady::run();
            ended(fuzzed::run(Path::new(cases)).map(|()| true))
        }
        ["--help" | "-h"] => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        [] | ["--all"] => ended(check(!arguments.is_empty())),
        _ => {
            eprintln!("work: no such options; --help tells them");
            ExitCode::from(2)
        }
    }
}

fn ended(outcome: Outcome<bool>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("work: {error}");
            ExitCode::from(2)
        }
    }
}

fn check(all: bool) -> Outcome<bool> {
    if !Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
        eprintln!("work: not run: no valgrind here (Debian: apt-get install valgrind)");
        std::process::exit(3);
    }
    let folder = std::env::current_exe()?.with_file_name("work");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let cases = folder.join("cases");
    let (chosen, of) = fuzzed::write(&cases)?;
    println!("{chosen} of {of} events of the corpora, one of each kind");
    let (events, counts) = measure(&folder, &cases)?;
    if events.len() != counts.len() || events.is_empty() {
        return Err(format!("{} events, {} counts", events.len(), counts.len()).into());
    }
    let rows: Vec<(Facts, u64)> = events.into_iter().zip(counts).collect();
    println!(
        "{:30} {:>12} {:>12} {:>8}  segments actions records ranges octets paced",
        "conversation", "instructions", "formula", "share"
    );
    for (facts, count) in shown(&rows, all) {
        println!(
            "{:30} {count:>12} {:>12} {:>6} %  {:>8} {:>7} {:>7} {:>6} {:>6} {}",
            facts.name,
            formula(facts),
            share(facts, *count),
            facts.segments,
            facts.actions,
            facts.records,
            facts.ranges,
            facts.octets,
            if facts.paced { "yes" } else { "" }
        );
    }
    let worst = rows.iter().map(|(facts, count)| share(facts, *count)).max().unwrap_or(0);
    println!("{} events, the worst takes {worst} % of the formula", rows.len());
    let growth = growth(&rows)?;
    println!("with twelve times as much in flight an ACK takes at most {growth} % of the instructions");
    Ok(worst <= 100 && growth <= GROWTH)
}

/// The medians of the kinds of acknowledgments in `steady`: with much in flight, in hundredths of those with little; the worst.
fn growth(rows: &[(Facts, u64)]) -> Outcome<u64> {
    let median = |name: String| {
        let mut counts: Vec<u64> =
            rows.iter().filter(|(facts, _)| facts.name == name).map(|(_, count)| *count).collect();
        counts.sort_unstable();
        counts.get(counts.len() / 2).copied().ok_or(format!("no event is called {name}"))
    };
    let kinds: BTreeSet<&str> = rows.iter().filter_map(|(facts, _)| facts.name.strip_prefix(MANY)).collect();
    let mut worst = 0;
    for kind in kinds {
        let (few, many) = (median(format!("{FEW}{kind}"))?, median(format!("{MANY}{kind}"))?);
        println!("{kind:30} {few:>12} {many:>12} {:>8} %", 100 * many / few);
        worst = worst.max(100 * many / few);
    }
    if worst == 0 { Err("no acknowledgment with much in flight".into()) } else { Ok(worst) }
}

/// All rows, or the worst of each conversation and the worst of the corpora, each kind once.
fn shown(rows: &[(Facts, u64)], all: bool) -> Vec<&(Facts, u64)> {
    if all {
        return rows.iter().collect();
    }
    let mut worst: BTreeMap<&str, &(Facts, u64)> = BTreeMap::new();
    for row in rows.iter().filter(|(facts, _)| !facts.name.starts_with(FEW) && !facts.name.starts_with(MANY)) {
        let known = worst.entry(&row.0.name).or_insert(row);
        if share(&row.0, row.1) > share(&known.0, known.1) {
            *known = row;
        }
    }
    let (mut fuzzed, mut shown): (Vec<_>, Vec<_>) =
        worst.into_values().partition(|(facts, _)| facts.name.starts_with(FUZZED));
    fuzzed.sort_by_key(|(facts, count)| std::cmp::Reverse(share(facts, *count)));
    shown.extend(fuzzed.into_iter().take(10));
    shown
}

const fn share(facts: &Facts, count: u64) -> u64 {
    100 * count / formula(facts)
}

/// What each event met, and its instructions: callgrind writes a file whenever an event ends.
fn measure(folder: &Path, cases: &Path) -> Outcome<(Vec<Facts>, Vec<u64>)> {
    let program = std::env::current_exe()?;
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--quiet", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=*counted_event*"]);
    valgrind.arg("--dump-after=segue_work::end::counted_event"); // it takes no pattern
    valgrind.arg(format!("--callgrind-out-file={}/event", folder.display())).arg(&program).arg("--events").arg(cases);
    let output = valgrind.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err("the conversations did not run to their end".into());
    }
    let events = String::from_utf8(output.stdout)?.lines().map(str::parse).collect::<Result<_, _>>()?;
    let total = |path: &Path| -> Outcome<u64> {
        let text = fs::read_to_string(path)?;
        let line = text.lines().rev().find_map(|line| line.strip_prefix("totals: "));
        Ok(line.ok_or("a profile without totals")?.trim().parse()?)
    };
    let mut counts = Vec::new();
    for n in 1.. {
        let path = folder.join(format!("event.{n}"));
        if !path.exists() {
            break;
        }
        counts.push(total(&path)?);
    }
    Ok((events, counts))
}
