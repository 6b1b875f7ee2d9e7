//! Loss recovery, seen from outside: a sender and hand-written acknowledgments in virtual time, with ISS at the places
//! where numbers wrap. Examples named after an RFC are that RFC's; the others are ours.

mod bench;
mod delayed_ack;
mod duplicates;
mod fin;
mod growth;
mod link;
mod old_acks;
mod pacing;
mod peer;
mod prr;
mod rack;
mod records;
mod reports;
mod retraction;
mod spurious;
mod tail;
mod timeout;
