//! Scripts in packetdrill's language, run in virtual time against any TCP.
//!
//! `docs/packetdrill.md` has the language, and tells how to put another stack under test: it is a [`Stack`](stack::Stack).
//!
//! | module | for |
//! |---|---|
//! | [`cursor`], [`parser`], `packet_parser` | text to a [`Script`](script::Script) |
//! | [`files`], [`setup`] | the files of scripts; options and commands |
//! | [`run`](mod@run), [`compare`], [`assertion`] | the schedule, expected against seen |
//! | [`posix`], `socket_options` | socket calls |
//! | [`flow`], [`flows`], [`wire`], [`icmp`] | packets: numbers of the script, octets of the wire |
//! | [`report`], [`notation`] | what a failure shows |
//! | [`stack`] | the trait; [`segue_host`] (twice) and `smoltcp_host` implement it |

pub mod args;
pub mod assertion;
pub mod call;
pub mod compare;
pub mod cursor;
pub mod files;
pub mod flow;
pub mod flows;
pub mod icmp;
pub mod notation;
mod packet_parser;
pub mod parser;
pub mod posix;
pub mod report;
pub mod run;
pub mod script;
pub mod segue_host;
pub mod setup;
#[cfg(feature = "smoltcp")]
pub mod smoltcp_host;
mod socket_options;
pub mod stack;
pub mod wire;

use std::path::Path;

use report::{Failure, Kind, Ladder};
use script::Script;
use setup::Setup;
use stack::Stack;

/// Makes the stack under test for one script.
pub type Make<'a> = &'a dyn Fn(&Setup) -> Box<dyn Stack>;

/// Reads and runs the text of a script. `directory` is where the `.sh` files of its commands lie, `setup` what its options
/// change.
///
/// # Errors
/// The first line that does not hold.
pub fn check(text: &str, setup: Setup, directory: Option<&Path>, make: Make<'_>) -> Result<Ladder, Failure> {
    let script = parser::parse(text).map_err(unreadable)?;
    check_script(&script, setup, directory, make)
}

/// Runs a script that was read.
///
/// # Errors
/// The first line that does not hold.
pub fn check_script(
    script: &Script,
    setup: Setup,
    directory: Option<&Path>,
    make: Make<'_>,
) -> Result<Ladder, Failure> {
    let setup = setup.with_options_of(script).map_err(unreadable)?;
    let mut stack = make(&setup);
    run::run(script, &setup, directory, stack.as_mut())
}

fn unreadable(error: cursor::ParseError) -> Failure {
    let (expected, seen, ladder) = (String::new(), String::new(), Ladder::default());
    Failure { kind: Kind::Script, line: error.line, problem: error.problem, expected, seen, ladder }
}
