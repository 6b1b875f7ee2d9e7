//! The parts of a batch as data. A batch inside a batch is refused: a reader that called itself for each level would need as
//! much stack as a forged input has levels.

use alloc::vec::Vec;

use bytes::Bytes;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::{Event, IcmpKind, Timer};
use crate::{Knob, Secrets, Segment, SeqNum};

pub(super) fn parts<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Event>, D::Error> {
    Ok(Vec::<Part>::deserialize(from)?.into_iter().map(|part| part.0).collect())
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Part(#[serde(deserialize_with = "Variants::deserialize")] Event);

/// The variants of [`Event`], in its order: binary formats number them. `tests/journal` reads each inside a batch.
#[derive(Deserialize)]
#[serde(remote = "Event")]
enum Variants {
    Segment(Segment),
    Segments(Vec<Segment>),
    Batch(#[serde(deserialize_with = "nested")] Vec<Event>),
    Timer(Timer),
    Send(#[serde(with = "crate::segment::serial::octets")] Bytes),
    SendMore(#[serde(with = "crate::segment::serial::octets")] Bytes),
    SendUrgent(#[serde(with = "crate::segment::serial::octets")] Bytes),
    Consume(usize),
    Close,
    Release,
    Abort,
    Continue,
    Set(Knob),
    Mtu(u16),
    Icmp { kind: IcmpKind, quoted_seq: SeqNum, mtu: u16 },
    Rearm(Secrets),
}

fn nested<'de, D: Deserializer<'de>>(_: D) -> Result<Vec<Event>, D::Error> {
    Err(D::Error::custom("a batch inside a batch"))
}
