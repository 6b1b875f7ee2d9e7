//! The program as its users run it.

use std::path::PathBuf;
use std::process::{Command, Output};

use segue_sim::args::HELP;

/// The program, which cargo builds beside its tests.
fn sim(args: &[&str]) -> Output {
    let tests = std::env::current_exe().expect("this program");
    let folder: PathBuf = tests.ancestors().nth(2).expect("the folder of the profile").join("examples");
    Command::new(folder.join("sim"))
        .args(args)
        .output()
        .expect("`cargo test` builds it, unless `--test` or a name selects; `cargo build --example sim` does, too")
}

#[test]
fn the_help_is_told_and_ends_with_0() {
    for help in ["--help", "-h"] {
        let told = sim(&[help]);
        assert!(told.status.success() && told.stderr.is_empty());
        assert_eq!(String::from_utf8_lossy(&told.stdout), HELP);
    }
}

#[test]
fn a_wrong_option_is_named_and_ends_with_2() {
    for (args, named) in [
        (&["--seed", "1"][..], "--seed"),
        (&["--row", "none"], "no row 'none'"),
        (&["--svg", "x.svg"], "x.svg is one file"),
    ] {
        let wrong = sim(args);
        assert_eq!(wrong.status.code(), Some(2), "{args:?}");
        let said = String::from_utf8_lossy(&wrong.stderr);
        assert!(
            said.starts_with("sim: ") && said.contains(named) && said.trim_end().ends_with(HELP.trim_end()),
            "{said}"
        );
        assert!(wrong.stdout.is_empty());
    }
}

#[test]
fn the_rows_are_listed() {
    let told = sim(&["--list"]);
    assert!(told.status.success() && told.stderr.is_empty());
    assert!(String::from_utf8_lossy(&told.stdout).contains("two segue flows"));
}
