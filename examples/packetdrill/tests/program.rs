//! The command line, and the program on the suite.

use std::process::{Command, Output};

use segue_packetdrill::args::{self, HELP, Options};

use crate::common::root;

fn parse(arguments: &[&str]) -> Result<Option<Options>, String> {
    args::parse(arguments.iter().map(Into::into))
}

fn program(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_packetdrill")).args(arguments).output().expect("the program runs")
}

#[test]
fn arguments() {
    let options = parse(&["--iss", "7", "--shift=9", "--repeat", "3", "--ladder", "a.pkt", "b"])
        .expect("right")
        .expect("no help");
    assert_eq!((options.iss, options.shift, options.repeat, options.ladder), (Some(7), 9, 3, true));
    assert_eq!((options.stack.as_str(), options.files.len()), ("segue", 2));
    assert_eq!(parse(&["--help"]), Ok(None));
    for (arguments, words) in [
        (&[][..], "name a script or a directory"),
        (&["--stack", "lwip", "a"], "there is no stack \"lwip\" in this build: name one of segue"),
        (&["--repeat", "many", "a"], "many"),
        (&["--colour", "a"], "--colour"),
    ] {
        assert!(parse(arguments).unwrap_err().contains(words), "{arguments:?}");
    }
}

#[test]
fn the_exit_code_tells_the_outcome() {
    let figure = root().join("rfc9293/figure_6_handshake.pkt").display().to_string();
    let good = program(&["--ladder", &figure]);
    let text = String::from_utf8_lossy(&good.stdout).into_owned();
    assert!(good.status.success() && text.contains("1 of 1 scripts hold with segue"), "{text}");
    assert!(text.contains("----> S 0:0(0)"), "the ladder is missing in {text}");

    let bad = std::env::temp_dir().join(format!("segue-packetdrill-{}.pkt", std::process::id()));
    std::fs::write(&bad, "0 < S 0:0(0)\n+0 > S. 0:0(0) ack 1\n").expect("a file");
    let outcome = program(&[&bad.display().to_string()]);
    std::fs::remove_file(&bad).expect("the file is there");
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert_eq!(outcome.status.code(), Some(1));
    assert!(text.contains(".pkt:2: the packet has another flags") && text.contains("0 of 1 scripts hold"), "{text}");

    let missing = program(&["/nowhere.pkt"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("there is no file /nowhere.pkt"));
    assert_eq!(program(&["--help"]).stdout, HELP.as_bytes());
}
