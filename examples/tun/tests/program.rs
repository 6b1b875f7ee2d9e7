//! The program as its users run it; `tests/kernel` has conversations with the kernel.
#![cfg(target_os = "linux")]

use std::path::PathBuf;
use std::process::{Command, Output};

/// The program, which cargo builds beside its tests.
fn tun(args: &[&str]) -> Output {
    let tests = std::env::current_exe().expect("this program");
    let folder: PathBuf = tests.ancestors().nth(2).expect("the folder of the profile").join("examples");
    Command::new(folder.join("tun"))
        .args(args)
        .output()
        .expect("`cargo test` builds it, unless `--test` or a name selects; `cargo build --example tun` does, too")
}

#[test]
fn the_help_is_told_and_ends_with_0() {
    for help in ["--help", "-h"] {
        let told = tun(&[help]);
        assert!(told.status.success() && told.stderr.is_empty());
        let said = String::from_utf8_lossy(&told.stdout);
        assert!(said.contains("usage: tun [OPTIONS] echo [--port N]") && said.contains("--msl SECONDS"), "{said}");
    }
}

#[test]
fn a_wrong_option_is_named_and_ends_with_2() {
    for (args, named) in
        [(&["--seeds", "1"][..], "--seeds"), (&[], "say `echo`"), (&["--mtu", "1000", "echo"], "--mtu")]
    {
        let wrong = tun(args);
        assert_eq!(wrong.status.code(), Some(2), "{args:?}");
        let said = String::from_utf8_lossy(&wrong.stderr);
        assert!(
            said.starts_with("tun: ")
                && said.contains(named)
                && said.trim_end().ends_with("needs root (CAP_NET_ADMIN)."),
            "{said}"
        );
        assert!(wrong.stdout.is_empty());
    }
}
