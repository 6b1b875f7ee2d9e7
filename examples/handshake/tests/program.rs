//! The program as its users run it.

use std::path::PathBuf;
use std::process::{Command, Output};

use segue_handshake::args::HELP;

/// The program, which cargo builds beside its tests.
fn handshake(args: &[&str]) -> Output {
    let tests = std::env::current_exe().expect("this program");
    let folder: PathBuf = tests.ancestors().nth(2).expect("the folder of the profile").join("examples");
    Command::new(folder.join("handshake")).args(args).output().expect(
        "`cargo test` builds it, unless `--test` or a name selects; `cargo build --example handshake` does, too",
    )
}

#[test]
fn the_help_is_told_and_ends_with_0() {
    for help in ["--help", "-h"] {
        let told = handshake(&[help]);
        assert!(told.status.success() && told.stderr.is_empty());
        assert_eq!(String::from_utf8_lossy(&told.stdout), HELP);
    }
}

#[test]
fn a_wrong_option_is_named_and_ends_with_2() {
    for (args, named) in [(&["--seeds", "1"][..], "--seeds"), (&["--loss", "51"], "--loss"), (&["file"], "\"file\"")] {
        let wrong = handshake(args);
        assert_eq!(wrong.status.code(), Some(2), "{args:?}");
        let said = String::from_utf8_lossy(&wrong.stderr);
        assert!(
            said.starts_with("handshake: ") && said.contains(named) && said.trim_end().ends_with(HELP.trim_end()),
            "{said}"
        );
        assert!(wrong.stdout.is_empty());
    }
}

#[test]
fn the_default_run_is_told_with_causes() {
    let told = handshake(&[]);
    let text = String::from_utf8_lossy(&told.stdout);
    assert!(told.status.success() && told.stderr.is_empty());
    assert!(text.contains("2 MSL are over (RFC 9293 §3.10.8)"), "{text}");
}

#[test]
fn a_file_that_cannot_be_written_ends_with_1() {
    let refused = handshake(&["--pcap", "/nowhere/x.pcap"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("cannot write /nowhere/x.pcap"));
}
