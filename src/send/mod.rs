//! The sending side: SND.* and what moves it.

pub mod congestion;
