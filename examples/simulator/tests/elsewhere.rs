//! The script that runs the tests on other platforms, with stand-ins for the tools: what does not run is named.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/elsewhere");

/// A folder of tools: a Rust that has these targets, a compiler for each CPU, and a cargo whose tests end so.
fn tools(name: &str, targets: &[&str], tests: i32) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder); // of a run before
    for target in targets {
        fs::create_dir_all(folder.join("lib/rustlib").join(target)).expect("a folder");
    }
    fs::create_dir_all(&folder).expect("a folder");
    let sysroot = format!("echo '{}'", folder.display());
    let cargo = format!("exit {tests}");
    for (tool, does) in [
        ("rustc", &*sysroot),
        ("rustup", "exit 1"),
        ("cargo", &cargo),
        ("uname", "echo x86_64"),
        ("i686-linux-gnu-gcc", ""),
        ("s390x-linux-gnu-gcc", ""),
        ("qemu-s390x", ""),
    ] {
        let path = folder.join(tool);
        fs::write(&path, format!("#!/bin/sh\n{does}\n")).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a program");
    }
    folder
}

fn elsewhere(tools: &Path, args: &[&str]) -> (Output, String) {
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap_or_default());
    let output = Command::new("bash").arg(SCRIPT).args(args).env("PATH", path).output().expect("bash");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, said)
}

const BOTH: [&str; 2] = ["i686-unknown-linux-gnu", "s390x-unknown-linux-gnu"];

#[test]
fn both_platforms_that_agree_end_with_0_and_one_that_does_not_with_1() {
    let (output, said) = elsewhere(&tools("both", &BOTH, 0), &[]);
    assert_eq!((output.status.code(), &*said), (Some(0), ""));
    let (output, _) = elsewhere(&tools("differs", &BOTH, 101), &[]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_platform_that_did_not_run_is_named_and_ends_with_3() {
    for (name, targets, missing) in
        [("one", &BOTH[..1], "s390x\n"), ("other", &BOTH[1..], "i686\n"), ("none", &[], "i686 s390x\n")]
    {
        let (output, said) = elsewhere(&tools(name, targets, 0), &[]);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.ends_with(&format!("not run, so not compared: {missing}")), "{said}");
    }
}

#[test]
fn its_help_ends_with_0_and_a_wrong_option_with_2() {
    let tools = tools("options", &[], 0);
    let (output, _) = elsewhere(&tools, &["--help"]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("--install"));
    let (output, said) = elsewhere(&tools, &["--targets"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("'--targets'"), "{said}");
}
