//! The requirements of RFC 9293 that fall on the machine, by their numbers: each is shown with exact values.
//! `docs/conformance.md` says which test shows which, and names the tests elsewhere that show the rest.

mod acknowledgment;
mod arrives;
mod challenges;
mod closing;
mod decisions;
mod icmp;
mod interface;
mod keep_alive;
mod opening;
mod options;
mod retransmission;
mod segmentation;
mod settings;
mod timestamps;
mod urgent;
mod user_timeout;
mod window;
