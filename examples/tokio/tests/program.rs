//! The example keeps what its help promises.

use crate::demo::{HELP, Options, parse, run};

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
