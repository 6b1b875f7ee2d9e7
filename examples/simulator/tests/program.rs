//! The program and its command line.

use std::path::PathBuf;
use std::process::{Command, Output};

use segue_simulator::args::{HELP, Options, parse};

/// The program, which cargo builds beside its tests.
fn simulator(args: &[&str]) -> Output {
    let tests = std::env::current_exe().expect("this program");
    let folder: PathBuf = tests.ancestors().nth(2).expect("the folder of the profile").join("examples");
    Command::new(folder.join("simulator")).args(args).output().expect(
        "`cargo test` builds it, unless `--test` or a name selects; `cargo build --example simulator` does, too",
    )
}

#[test]
fn the_program_prints_what_became_of_all_and_the_hash() {
    let args = ["--connections", "30", "--seed", "7"];
    let [first, second] = [simulator(&args), simulator(&args)];
    let (text, progress) = (String::from_utf8_lossy(&first.stdout), String::from_utf8_lossy(&first.stderr));
    assert!(first.status.success(), "{text}{progress}");
    assert!(text.starts_with("seed 7: 30 connections") && text.contains("hash of the trace: "), "{text}");
    assert!(progress.contains("30 of 30 connections are over"), "{progress}");
    assert_eq!(first.stdout, second.stdout);
}

#[test]
fn a_wrong_option_is_named_and_ends_with_2() {
    let wrong = simulator(&["--seeds", "1"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("--seeds"));
    assert!(wrong.stdout.is_empty());
}

#[test]
fn the_help_names_every_option_and_the_defaults() {
    let help = simulator(&["--help"]);
    assert!(help.status.success());
    assert_eq!(String::from_utf8_lossy(&help.stdout), HELP);
    let Options { connections, seed } = Options::default();
    for piece in ["--connections", "--seed", "--help", &format!("{connections}]"), &format!("[default: {seed}]")] {
        assert!(HELP.contains(piece), "{piece}");
    }
}

#[test]
fn arguments_are_understood_or_named() {
    assert_eq!(parse(["-h"]), Ok(None));
    assert_eq!(parse([""; 0]), Ok(Some(Options::default())));
    assert_eq!(parse(["--seed=3", "--connections", "5"]), Ok(Some(Options { connections: 5, seed: 3 })));
    for (args, problem) in [
        (&["--connections", "0"][..], "--connections: '0' is not a number from 1 to 1000000"),
        (&["--connections"], "--connections: a number from 1 to 1000000 is missing"),
        (&["--seed", "one"], "--seed: 'one' is not a whole number"),
        (&["file"], "unexpected argument \"file\""),
    ] {
        assert_eq!(parse(args).unwrap_err(), problem);
    }
}
