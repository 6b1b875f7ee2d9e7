//! What the machine promises to its host, and what it does where the RFCs conflict or leave a choice: every promise and
//! every choice as a test with the exact actions.

mod batch;
mod bursts;
mod calls;
mod canonical;
mod clock;
mod controllers;
mod decisions;
mod extremes;
mod knobs;
mod late;
mod opening;
mod order;
mod prediction;
mod samples;
mod sleeps;
mod steady;
mod tail_losses;
mod takeover;
mod time_wait;
mod timeouts;
mod window_limit;
mod windows;
mod words;
mod writable;
