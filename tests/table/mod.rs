//! The reference transition table: its file, what it says, and real connections beside it.

pub(crate) mod calls;
pub(crate) mod cell;
pub(crate) mod diagram;
pub(crate) mod document;
pub(crate) mod drive;
pub(crate) mod drive_calls;
pub(crate) mod fixture;
pub(crate) mod mutate;
pub(crate) mod observe;
pub(crate) mod outcome;
pub(crate) mod parse;
pub(crate) mod probe;
pub(crate) mod rows;
