//! Loss recovery, seen from outside: a sender and hand-written acknowledgments in virtual time, with ISS at the places
//! where numbers wrap. Examples named after an RFC are that RFC's; the others are ours.

#[path = "recovery/bench.rs"]
mod bench;
#[path = "recovery/delayed_ack.rs"]
mod delayed_ack;
#[path = "recovery/duplicates.rs"]
mod duplicates;
#[path = "recovery/fin.rs"]
mod fin;
#[path = "recovery/growth.rs"]
mod growth;
#[path = "recovery/link.rs"]
mod link;
#[path = "recovery/old_acks.rs"]
mod old_acks;
#[path = "recovery/pacing.rs"]
mod pacing;
#[path = "recovery/peer.rs"]
mod peer;
#[path = "recovery/prr.rs"]
mod prr;
#[path = "recovery/rack.rs"]
mod rack;
#[path = "recovery/records.rs"]
mod records;
#[path = "recovery/reports.rs"]
mod reports;
#[path = "recovery/retraction.rs"]
mod retraction;
#[path = "recovery/spurious.rs"]
mod spurious;
#[path = "recovery/tail.rs"]
mod tail;
#[path = "recovery/timeout.rs"]
mod timeout;
