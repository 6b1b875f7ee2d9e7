//! The header is that of the sources.

use std::fs;
use std::path::Path;

use cbindgen::{Builder, Config};

/// In the order of the header.
const SOURCES: [&str; 5] = ["code.rs", "values.rs", "handle.rs", "endpoint.rs", "socket.rs"];

#[test]
fn header_is_that_of_the_sources() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = Config::from_file(package.join("cbindgen.toml")).expect("its configuration");
    let sources = SOURCES.iter().fold(Builder::new().with_config(config), |all, file| all.with_src(package.join(file)));
    let mut wanted = Vec::new();
    sources.generate().expect("cbindgen understands the sources").write(&mut wanted);
    let (path, wanted) = (package.join("include/segue.h"), String::from_utf8(wanted).expect("text"));
    if std::env::var_os("SEGUE_BLESS").is_some() {
        fs::write(&path, &wanted).expect("a folder that can be written");
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    let differs = there.lines().zip(wanted.lines()).find(|(a, b)| a != b);
    assert!(
        there == wanted,
        "include/segue.h is stale, at {differs:?}: run `SEGUE_BLESS=1 cargo test -p segue-ffi header` and commit it"
    );
}
