//! Runs a benchmark target under gungraun and reads the counts.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::WORDS;
use crate::rows::Run;

pub type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// The compiler and the machine's kind, on which the counts depend.
pub fn compiler() -> String {
    let said = Command::new("rustc").arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    format!("{}, {}", String::from_utf8_lossy(&said).trim(), std::env::consts::ARCH)
}

/// Where cargo puts what it builds for these benchmarks.
pub fn target_dir() -> PathBuf {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(default, PathBuf::from)
}

/// The version of gungraun in the lock file: the runner must have the same.
fn harness_version() -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let entry = lock.split("[[package]]").find(|entry| entry.contains("name = \"gungraun\"\n"));
    entry.and_then(|entry| entry.split('"').nth(3)).expect("gungraun is locked")
}

/// The runner of the harness, installed when it is missing.
fn runner() -> Outcome<PathBuf> {
    if let Some(given) = std::env::var_os("GUNGRAUN_RUNNER") {
        return Ok(given.into());
    }
    let version = harness_version();
    let root = std::path::absolute(target_dir())?.join(format!("gungraun-runner-{version}"));
    let runner = root.join("bin/gungraun-runner");
    if !runner.exists() {
        eprintln!("installing gungraun-runner {version} into {}", root.display());
        let mut install = Command::new("cargo");
        // It starts valgrind and reads what that wrote: compiled without optimization, it is there in half the time.
        install.env("CARGO_PROFILE_DEV_DEBUG", "none");
        install.args(["install", "--locked", "--quiet", "--debug", "gungraun-runner", "--version", version, "--root"]);
        install.arg(&root);
        if !install.status()?.success() {
            return Err(format!("cargo install gungraun-runner --version {version} failed").into());
        }
    }
    Ok(runner)
}

/// Instructions for one operation of each row of the benchmark target `counts` of a package. The words choose the rows,
/// and these are what they do.
///
/// # Errors
///
/// What the run lacks, or what went wrong.
pub fn count(package: &str, runs: &[Run], words: &[String]) -> Outcome<Vec<f64>> {
    if !Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
        return Err("no valgrind here: install it (Debian: apt-get install valgrind)".into());
    }
    let mut command = Command::new("cargo");
    command.args(["bench", "--locked", "--quiet", "--bench", "counts", "--manifest-path"]);
    command.arg(Path::new(package).join("Cargo.toml"));
    if cfg!(feature = "host") {
        command.args(["--features", "host"]);
    }
    command.args(["--", "--output-format=json", "--parallel=2"]);
    command.env("GUNGRAUN_RUNNER", runner()?).env(WORDS, words.join("\n")).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let output = child.stdout.take().ok_or("no output")?;
    let mut counts = vec![None; runs.len()];
    for (done, line) in BufReader::new(output).lines().enumerate() {
        let summary: serde_json::Value = serde_json::from_str(&line?)?;
        let id = summary["id"].as_str().and_then(|id| id.strip_prefix("row_")).ok_or("a summary without a row")?;
        let n: usize = id.parse()?;
        let total = summary["profiles"][0]["data"]["total"]["metrics"]["Ir"]["values"]["new"].as_f64();
        let run = runs.get(n).ok_or("the benchmark has other rows")?;
        counts[n] = Some(total.ok_or("a summary without instructions")? / f64::from(run()));
        if (done + 1) % 10 == 0 || done + 1 == runs.len() {
            eprintln!("counted {} of {} rows", done + 1, runs.len());
        }
    }
    let counts: Option<Vec<f64>> = counts.into_iter().collect();
    counts
        .filter(|_| child.wait().is_ok_and(|status| status.success()))
        .ok_or_else(|| "the benchmarks did not run to their end; what they said stands above".into())
}
