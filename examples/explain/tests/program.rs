//! The program as its users run it.

use std::path::PathBuf;
use std::process::{Command, Output};

use segue_explain::args::HELP;

/// The program, which cargo builds beside its tests.
fn explain(args: &[&str]) -> Output {
    let tests = std::env::current_exe().expect("this program");
    let folder: PathBuf = tests.ancestors().nth(2).expect("the folder of the profile").join("examples");
    Command::new(folder.join("explain"))
        .args(args)
        .output()
        .expect("`cargo test` builds it, unless `--test` or a name selects; `cargo build --example explain` does, too")
}

#[test]
fn the_help_is_told_and_ends_with_0() {
    for help in ["--help", "-h"] {
        let told = explain(&[help]);
        assert!(told.status.success() && told.stderr.is_empty());
        assert_eq!(String::from_utf8_lossy(&told.stdout), HELP);
    }
}

#[test]
fn a_wrong_option_is_named_and_ends_with_2() {
    for (args, named) in [(&["--seeds", "1"][..], "--seeds"), (&[], "name a capture file"), (&["a", "b"], "\"b\"")] {
        let wrong = explain(args);
        assert_eq!(wrong.status.code(), Some(2), "{args:?}");
        let said = String::from_utf8_lossy(&wrong.stderr);
        assert!(
            said.starts_with("explain: ") && said.contains(named) && said.trim_end().ends_with(HELP.trim_end()),
            "{said}"
        );
        assert!(wrong.stdout.is_empty());
    }
}

/// The file `name` of the repository.
fn file(name: &str) -> String {
    format!("{}/../../{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_capture_is_explained_as_text_and_as_a_picture() {
    let capture = file("tests/data/kernel.pcap");
    let picture = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("explain.svg");
    let told = explain(&[&capture, "--svg", picture.to_str().expect("a name in UTF-8")]);
    let (text, said) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    assert!(told.status.success(), "{said}");
    let drawn = std::fs::read_to_string(&picture).expect("the picture");
    for cause in ["the SYN,ACK acknowledges our SYN (RFC 9293 §3.10.7.3 fourth)", "the user closed (RFC 9293 §3.10.4)"]
    {
        assert!(text.contains(cause) && drawn.contains(cause), "{cause} in\n{text}");
    }
    assert!(text.ends_with("In its place segue would have answered otherwise 0 times.\n"), "{text}");
    let list = explain(&["--list", &capture]);
    assert_eq!(String::from_utf8_lossy(&list.stdout).lines().count(), 4);
}

#[test]
fn a_file_that_is_no_capture_ends_with_1() {
    for (name, why) in [("Cargo.toml", "no pcap file"), ("nowhere.pcap", "nowhere.pcap: ")] {
        let refused = explain(&[&file(name)]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&refused.stderr).contains(why));
    }
}
