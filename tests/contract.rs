//! What the machine promises to its host, and what it does where the RFCs conflict or leave a choice: every promise and
//! every choice as a test with the exact actions.

#[path = "contract/bursts.rs"]
mod bursts;
#[path = "contract/calls.rs"]
mod calls;
#[path = "contract/canonical.rs"]
mod canonical;
#[path = "contract/clock.rs"]
mod clock;
#[path = "contract/decisions.rs"]
mod decisions;
#[path = "contract/extremes.rs"]
mod extremes;
#[path = "contract/late.rs"]
mod late;
#[path = "contract/opening.rs"]
mod opening;
#[path = "contract/order.rs"]
mod order;
#[path = "contract/prediction.rs"]
mod prediction;
#[path = "contract/steady.rs"]
mod steady;
#[path = "contract/time_wait.rs"]
mod time_wait;
#[path = "contract/timeouts.rs"]
mod timeouts;
#[path = "contract/windows.rs"]
mod windows;
#[path = "contract/words.rs"]
mod words;
#[path = "contract/writable.rs"]
mod writable;
