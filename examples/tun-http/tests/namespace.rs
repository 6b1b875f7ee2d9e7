//! A network of its own for each test: the test binary runs itself again under `unshare --net`, as in `tests/kernel`.
//! Where that cannot be done, the test says so and passes, unless `SEGUE_REQUIRE_KERNEL=1`.

use std::fs::File;
use std::io::{self, Write};
use std::process::Command;

/// Names the test that the process is to run in the namespace it is in.
const INSIDE: &str = "SEGUE_TUN_HTTP_INSIDE";

/// Runs `body` for the test of this name (`module::function`) in a fresh network namespace.
pub(crate) fn isolated(test: &str, body: impl FnOnce()) {
    if std::env::var(INSIDE).is_ok_and(|inside| inside == test) {
        assert!(run("ip", &["link", "set", "lo", "up"]).is_ok(), "the loopback of the namespace");
        return body();
    }
    if let Err(missing) = prerequisites() {
        let required = std::env::var("SEGUE_REQUIRE_KERNEL").is_ok_and(|value| value == "1");
        assert!(!required, "{test} cannot be tested: {missing}");
        return writeln!(io::stderr(), "SKIPPED {test}: {missing}").expect("standard error");
    }
    let this = std::env::current_exe().expect("the path of the test binary");
    let mut inside = Command::new("unshare");
    inside.args(["--net", "--"]).arg(this).args([test, "--exact", "--nocapture"]).env(INSIDE, test);
    let output = inside.output().expect("`unshare` worked a moment ago");
    print!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{test} failed in its namespace ({}): see above", output.status);
}

/// What the tests need of the machine; the error names what they lack.
fn prerequisites() -> Result<(), String> {
    File::options().read(true).write(true).open("/dev/net/tun").map_err(|error| {
        format!("/dev/net/tun cannot be opened ({error}): load the module `tun`, or give the container the device")
    })?;
    run("ip", &["-V"]).map_err(|why| format!("`ip` (package iproute2) cannot be run: {why}"))?;
    run("unshare", &["--net", "--", "true"])
        .map_err(|why| format!("a network namespace cannot be made, run the tests as root: {why}"))
}

fn run(program: &str, args: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(args).output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()) }
}
