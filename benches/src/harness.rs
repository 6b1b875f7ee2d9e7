//! Runs rows under callgrind, a process for each, and reads the counts.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, thread};

use crate::Run;

pub type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// With a number after it, a program of benchmarks does the work of that row and nothing else.
const ROW: &str = "--row";

/// The compiler and the machine's kind, on which the counts depend.
pub fn compiler() -> String {
    let said = Command::new("rustc").arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    format!("{}, {}", String::from_utf8_lossy(&said).trim(), env::consts::ARCH)
}

/// Where cargo puts what it builds for these benchmarks.
fn target_dir() -> PathBuf {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    env::var_os("CARGO_TARGET_DIR").map_or_else(default, PathBuf::from)
}

/// The profile of the row with this number, as the last [`count`] left it: `callgrind_annotate` reads it.
pub fn profile(row: usize) -> PathBuf {
    target_dir().join("callgrind").join(row.to_string())
}

/// In a process that [`count`] started: does the work of its row. A program calls it before all else, and ends when it says
/// `true`.
///
/// # Errors
///
/// A number that no row has.
pub fn is_row(runs: impl FnOnce() -> Vec<Run>) -> Outcome<bool> {
    let mut arguments = env::args().skip(1);
    if arguments.next().as_deref() != Some(ROW) {
        return Ok(false);
    }
    let number: usize = arguments.next().ok_or("--row needs a number")?.parse()?;
    let run = runs().get(number).cloned().ok_or("there is no such row")?;
    run();
    Ok(true)
}

/// Instructions for one operation of each of these rows of this program, which calls [`is_row`]: their numbers, and what
/// they do.
///
/// # Errors
///
/// What the run lacks, or what went wrong.
pub fn count(rows: &[(usize, Run)]) -> Outcome<Vec<f64>> {
    if !Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
        return Err("no valgrind here: install it (Debian: apt-get install valgrind)".into());
    }
    fs::create_dir_all(target_dir().join("callgrind"))?;
    let numbers: Vec<usize> = rows.iter().map(|(number, _)| *number).collect();
    let per_operation = |(total, (_, run)): (u64, &(usize, Run))| total as f64 / f64::from(run());
    Ok(totals(&numbers)?.into_iter().zip(rows).map(per_operation).collect())
}

/// The instructions of rows, on all cores.
fn totals(rows: &[usize]) -> Outcome<Vec<u64>> {
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let worker = || {
        let mut found = Vec::new();
        while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
            found.push((*row, callgrind(*row).map_err(|error| format!("row {row}: {error}"))?));
            let done = 1 + done.fetch_add(1, Ordering::Relaxed);
            if done % 10 == 0 || done == rows.len() {
                eprintln!("counted {done} of {} rows", rows.len());
            }
        }
        Ok(found)
    };
    let cores = thread::available_parallelism()?.get();
    let found: Vec<Result<Vec<_>, String>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| Err("it panicked".to_owned()))).collect()
    });
    let found: Vec<(usize, u64)> = found.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
    let total = |row: &usize| found.iter().find(|(number, _)| number == row).map(|(_, total)| *total);
    rows.iter().map(total).collect::<Option<_>>().ok_or_else(|| "a row without a count".into())
}

/// The instructions of one row: those inside of [`counted`](crate::counted).
fn callgrind(row: usize) -> Outcome<u64> {
    let profile = profile(row);
    let mut valgrind = Command::new("valgrind");
    // Nothing of the user's environment: its size moves the stack.
    valgrind.env_clear().envs(env::var_os("PATH").map(|path| ("PATH", path)));
    // Callgrind counts each octet of `rep movsb` as an instruction; other copies come in words of the processor. The heap
    // neither merges its small free blocks nor gives memory back: when it does depends on where it starts, and so on the
    // length of the program's path.
    valgrind.env(
        "GLIBC_TUNABLES",
        "glibc.cpu.x86_rep_movsb_threshold=1000000000:glibc.malloc.mxfast=0:glibc.malloc.trim_threshold=1000000000",
    );
    valgrind.args(["--quiet", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=*counted*"]);
    valgrind.arg(format!("--callgrind-out-file={}", profile.display()));
    valgrind.arg(env::current_exe()?).args([ROW, &row.to_string()]);
    let output = valgrind.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        return Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr)).into());
    }
    let text = fs::read_to_string(&profile)?;
    let totals = text.lines().rev().find_map(|line| line.strip_prefix("totals: ")).ok_or("a profile without totals")?;
    Ok(totals.trim().parse()?)
}
