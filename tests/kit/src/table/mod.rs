//! The reference transition table: its file, what it says, and real connections beside it.

pub mod calls;
pub mod cell;
pub mod diagram;
pub mod document;
pub mod drive;
pub mod drive_calls;
pub mod fixture;
pub mod mutate;
pub mod observe;
pub mod outcome;
pub mod parse;
pub mod probe;
pub mod rows;
