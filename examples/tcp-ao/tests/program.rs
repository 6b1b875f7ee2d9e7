//! The program: what it prints, and its mistakes.

use segue_tcp_ao::args::{Options, parse};
use segue_tcp_ao::{Algorithm, demo};

#[test]
fn the_demonstration_shows_signatures_forgeries_and_the_change_of_keys() {
    for algorithm in [Some(Algorithm::HmacSha1), Some(Algorithm::Aes128Cmac), None] {
        for seed in 0..5 {
            let options = Options { algorithm, size: 50_000, forge: 100, seed, ..Options::default() };
            let said = demo::run(&options).expect("it works");
            assert!(said.contains("forged   100 segments at the server"), "{said}");
            assert!(
                said.contains("answers: 0\n") && said.contains("server   read 50000 octets and is closed"),
                "{said}"
            );
            let changes = said.matches("has forgotten").count();
            assert_eq!(changes, if algorithm.is_some() { 2 } else { 0 }, "{said}");
        }
    }
}

#[test]
fn the_command_line_is_checked() {
    assert_eq!(parse(["--help"]), Ok(None));
    assert_eq!(parse(["--algorithm", "md5"]), Ok(Some(Options { algorithm: None, ..Options::default() })));
    for wrong in [&["--algorithm", "none"][..], &["--loss", "51"], &["--size", "x"], &["--forge"], &["more"]] {
        assert!(parse(wrong.iter().copied()).is_err(), "{wrong:?}");
    }
}
