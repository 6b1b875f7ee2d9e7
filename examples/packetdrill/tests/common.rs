//! What the tests share.

use std::path::{Path, PathBuf};

use segue_packetdrill::report::{Failure, Ladder};
use segue_packetdrill::segue_host::Segue;
use segue_packetdrill::setup::Setup;
use segue_packetdrill::{check, files};

/// tests/packetdrill.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/packetdrill")
}

/// Every script: its path below tests/packetdrill, and its text.
pub(crate) fn all() -> Vec<(String, String)> {
    let root = root();
    let found = files::scripts(&root);
    assert_eq!(found.problems, [""; 0]);
    let read = |file: PathBuf| {
        let name = file.strip_prefix(&root).expect("below the root").display().to_string();
        (name, std::fs::read_to_string(&file).expect("a script can be read"))
    };
    found.scripts.into_iter().map(read).collect()
}

/// The directory of a script of the suite.
pub(crate) fn directory(name: &str) -> PathBuf {
    root().join(name).parent().expect("a directory").to_path_buf()
}

/// Runs a text against segue.
pub(crate) fn run(text: &str) -> Result<Ladder, Failure> {
    check(text, Setup::default(), None, &|setup| Box::new(Segue::new(setup)))
}

/// A connection whose peer sends no option but an MSS of 1000, established at 0.1 s; its descriptor is 4.
pub(crate) const ESTABLISHED: &str = "\
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 10000 <mss 1000>
+0 > S. 0:0(0) ack 1 <mss 1460>
+.1 < . 1:1(0) ack 1 win 10000
+0 accept(3, ..., ...) = 4
";
