//! The scripts of tests/packetdrill, and the runner itself.

mod broken;
mod common;
mod failures;
mod language;
mod mutants;
mod program;
mod scripts;
mod stacks;
