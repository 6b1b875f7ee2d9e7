//! The example keeps what its help promises.

use std::path::PathBuf;
use std::process::{Command, Output};

use crate::demo::{HELP, Options, parse, run};

/// The program, which cargo builds beside its tests.
fn tokio(args: &[&str]) -> Output {
    let tests = std::env::current_exe().expect("this program");
    let folder: PathBuf = tests.ancestors().nth(2).expect("the folder of the profile").join("examples");
    Command::new(folder.join("tokio"))
        .args(args)
        .output()
        .expect("`cargo test` builds it, unless `--test` or a name selects; `cargo build --example tokio` does, too")
}

#[test]
fn the_program_tells_its_help_and_ends_with_0() {
    let told = tokio(&["--help"]);
    assert!(told.status.success() && told.stderr.is_empty());
    assert_eq!(String::from_utf8_lossy(&told.stdout), HELP);
}

#[test]
fn a_wrong_option_is_named_and_ends_with_2() {
    let wrong = tokio(&["--seeds", "1"]);
    assert_eq!(wrong.status.code(), Some(2));
    let said = String::from_utf8_lossy(&wrong.stderr);
    assert!(
        said.starts_with("tokio: ") && said.contains("--seeds") && said.trim_end().ends_with(HELP.trim_end()),
        "{said}"
    );
    assert!(wrong.stdout.is_empty());
}

#[test]
fn the_help_tells_of_every_option_and_its_default() {
    assert_eq!(parse(["--help"]), Ok(None));
    assert_eq!(parse(["-h"]), Ok(None));
    let none: [&str; 0] = [];
    assert_eq!(parse(none), Ok(Some(Options::default())));
    let told = ["--requests", "100", "--size", "20000", "--delay", "20", "--seed", "1"];
    for option in told.chunks(2) {
        let default = format!("[default: {}]", option[1]);
        assert!(HELP.lines().any(|line| line.contains(option[0]) && line.contains(&default)), "{option:?}");
    }
    assert_eq!(parse(told), Ok(Some(Options::default())));
}

#[test]
fn what_is_wrong_is_named() {
    let errors = [
        (&["--lost"][..], "--lost: a number from 0 to 200 is missing"),
        (&["--lost", "201"], "--lost: '201' is not a number from 0 to 200"),
        (&["--requests", "many"], "--requests: 'many' is not a number from 1 to 10000"),
        (&["--speed", "9"], "invalid option '--speed'"),
        (&["here"], "unexpected argument \"here\""),
    ];
    for (args, error) in errors {
        assert_eq!(parse(args), Err(error.to_string()));
    }
}

#[test]
fn the_table_has_a_line_for_each_loss_and_is_the_same_each_time() {
    let options = Options { requests: 20, ..Options::default() };
    let tables = [(), ()].map(|()| {
        let mut table = String::new();
        run(&options, |text| table += text).expect("it runs");
        table
    });
    assert_eq!(tables[0], tables[1]);
    let seconds: Vec<f64> =
        tables[0].lines().skip(3).map(|line| line.split_whitespace().nth(2).unwrap().parse().unwrap()).collect();
    assert_eq!(seconds.len(), 4, "{}", tables[0]);
    assert!(seconds[0] > 0.1 && seconds[0] < seconds[3], "{seconds:?}"); // 2 round trips and more
}
