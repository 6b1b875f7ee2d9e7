//! The command line, and the program on the suite.

use std::path::PathBuf;
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

/// A new directory for a test, with this name.
fn scratch(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("segue-packetdrill-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path); // a test that was stopped may have left it
    std::fs::create_dir_all(&path).expect("a directory");
    path
}

/// The exit code, what the program says, and its complaints.
fn outcome(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = program(arguments);
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_directory_without_scripts_is_a_mistake() {
    let directory = scratch("empty");
    std::fs::write(directory.join("notes.txt"), "no script").expect("a file");
    let (code, _, complaint) = outcome(&[&directory.display().to_string()]);
    std::fs::remove_dir_all(&directory).expect("the directory is there");
    assert_eq!(code, Some(2));
    assert!(complaint.contains("there is no .pkt file below") && complaint.contains("name a script"), "{complaint}");
}

#[test]
fn a_file_that_cannot_be_read_does_not_stop_the_others() {
    let directory = scratch("mixed");
    std::fs::write(directory.join("a.pkt"), [0xFF, 0xFE]).expect("a file");
    std::fs::write(directory.join("b.pkt"), "0 `true`\n").expect("a file");
    let (code, text, complaint) = outcome(&["/nowhere.pkt", &directory.display().to_string()]);
    std::fs::write(directory.join("b.pkt"), "0 < S 0:0(0)\n").expect("a file");
    let failing = outcome(&[&directory.display().to_string()]);
    std::fs::remove_dir_all(&directory).expect("the directory is there");
    assert_eq!(code, Some(2));
    assert!(text.contains("1 of 1 scripts hold"), "{text}");
    assert!(complaint.contains("no file /nowhere.pkt") && complaint.contains("a.pkt: stream did not"), "{complaint}");
    assert_eq!(failing.0, Some(2));
    assert!(failing.1.contains("0 of 1 scripts hold"), "{}", failing.1);
}

#[cfg(unix)]
#[test]
fn links_in_a_circle_and_devices_end() {
    let directory = scratch("links");
    std::fs::write(directory.join("a.pkt"), "0 `true`\n").expect("a file");
    for name in ["first", "second"] {
        std::os::unix::fs::symlink(".", directory.join(name)).expect("a link");
    }
    let (code, text, _) = outcome(&[&directory.display().to_string()]);
    assert!(code == Some(0) && text.contains("1 of 1 scripts hold"), "{text}");
    std::os::unix::fs::symlink("/dev/zero", directory.join("b.pkt")).expect("a link");
    for arguments in [&["/dev/zero"][..], &[&directory.display().to_string()]] {
        let (code, _, complaint) = outcome(arguments);
        assert!(code == Some(2) && complaint.contains("it is no regular file"), "{complaint}");
    }
    std::fs::remove_dir_all(&directory).expect("the directory is there");
}
