//! TCPs seen from outside. A word of an alphabet ([`word`]) stands for a segment, a user call or a deadline. The tester
//! ([`tester`]) knows what a peer and a user can know, makes the real segment of the word, and puts what comes back into
//! words again. What it speaks to is a [`subject`]: a segue connection, the reference table, smoltcp, vtcp, the kernel.

pub mod alphabet;
pub mod arguments;
pub mod datagram;
pub mod differences;
pub mod document;
#[cfg(target_os = "linux")]
pub mod kernel;
pub mod lockstep;
pub mod product;
pub mod segue;
pub mod smoltcp;
pub mod subject;
pub mod table;
pub mod tester;
pub mod vtcp;
pub mod word;
