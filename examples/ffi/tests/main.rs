//! The header, programs in C and in Python, and what the calls answer to mistakes.

mod calls;
mod choices;
mod header;
mod mistakes;
mod programs;
mod random;
mod world;
