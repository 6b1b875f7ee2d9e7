//! A network of its own for each test: the test binary runs itself again under `unshare --net`, and the namespace goes
//! when that process goes. Where that cannot be done, the test says so and passes, unless it is required.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::process::{Command, exit};
use std::thread;
use std::time::Duration;

/// With this variable set to 1, a missing tool is a failure: CI cannot skip silently.
pub(crate) const REQUIRE: &str = "SEGUE_REQUIRE_KERNEL";

/// How a line begins that tells of something left out.
const SKIPPED: &str = "SKIPPED";

/// Names the test that the process is to run in the namespace it is in.
const INSIDE: &str = "SEGUE_KERNEL_TEST_INSIDE";

/// No scenario takes longer, and no wait inside one, even on a slow machine.
const LIMIT: Duration = Duration::from_secs(50);

/// Runs `body` for the test of this name in a fresh network namespace.
pub(crate) fn isolated(test: &str, body: impl FnOnce()) {
    if std::env::var(INSIDE).is_ok_and(|inside| inside == test) {
        watch(test.to_owned());
        body();
        return;
    }
    if let Err(missing) = prerequisites() {
        return skip(test, &missing);
    }
    let this = std::env::current_exe().expect("the path of the test binary");
    let mut inside = Command::new("unshare");
    inside.arg("--net").arg("--").arg(this).args([test, "--exact", "--nocapture"]).env(INSIDE, test);
    let output = inside.output().expect("`unshare` worked a moment ago");
    let errors = String::from_utf8_lossy(&output.stderr);
    print!("{}{errors}", String::from_utf8_lossy(&output.stdout));
    for skipped in errors.lines().filter(|line| line.starts_with(SKIPPED)) {
        writeln!(io::stderr(), "{skipped}").expect("standard error");
    }
    assert!(output.status.success(), "{test} failed in its namespace ({}): see above", output.status);
}

/// Says on the terminal (past the capture of test output) that something was not tested, and why.
pub(crate) fn skip(what: &str, missing: &str) {
    let required = std::env::var(REQUIRE).is_ok_and(|value| value == "1");
    assert!(!required, "{what} cannot be tested: {missing} ({REQUIRE}=1 makes that a failure)");
    say_skipped(what, missing);
}

/// The same for what no system can be required to have.
pub(crate) fn say_skipped(what: &str, missing: &str) {
    writeln!(io::stderr(), "{SKIPPED} {what}: {missing}").expect("standard error");
}

/// What the tests need of the machine; the error names what they lack and how to get it.
fn prerequisites() -> Result<(), String> {
    let status = fs::read_to_string("/proc/self/status").map_err(|error| format!("/proc cannot be read: {error}"))?;
    let root = status.lines().any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(2) == Some("0"));
    if !root {
        return Err("a TUN device and a network namespace need root: run the tests with sudo".to_owned());
    }
    File::options().read(true).write(true).open("/dev/net/tun").map_err(|error| {
        format!("/dev/net/tun cannot be opened ({error}): load the module `tun`, or give the container the device")
    })?;
    match Command::new("unshare").args(["--net", "--", "true"]).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!(
            "a network namespace cannot be made (CAP_SYS_ADMIN is needed): {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(error) => Err(format!("`unshare` (package util-linux) cannot be run: {error}")),
    }
}

/// Ends the process when the scenario hangs in a place that has no time limit of its own.
fn watch(test: String) {
    thread::spawn(move || {
        thread::sleep(LIMIT);
        eprintln!("{test} is not through after {LIMIT:?}: something hangs outside the waits that have limits");
        exit(1);
    });
}
