//! How the values of the crate are written as data, where `derive` does not say it.

use alloc::borrow::ToOwned;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::{AccEcn, FastOpenCookie, SackBlock, SackBlocks};

/// Payload: hexadecimal text in formats for people, octets in others.
pub(crate) mod octets {
    use alloc::string::String;
    use alloc::vec::Vec;
    use core::fmt;

    use bytes::Bytes;
    use serde::de::{Error, SeqAccess, Visitor};
    use serde::{Deserializer, Serializer};

    const DIGITS: &[u8; 16] = b"0123456789abcdef";

    pub(crate) fn serialize<S: Serializer>(octets: &[u8], to: S) -> Result<S::Ok, S::Error> {
        if !to.is_human_readable() {
            return to.serialize_bytes(octets);
        }
        let digit = |d: u8| DIGITS.get(usize::from(d)).map_or('?', |&d| char::from(d));
        let text: String = octets.iter().flat_map(|octet| [digit(octet >> 4), digit(octet & 15)]).collect();
        to.serialize_str(&text)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
        if from.is_human_readable() { from.deserialize_str(Octets) } else { from.deserialize_byte_buf(Octets) }
    }

    struct Octets;

    impl<'de> Visitor<'de> for Octets {
        type Value = Bytes;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("octets, or two hexadecimal digits for each")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Bytes, E> {
            let digit = |d: u8| char::from(d).to_digit(16).and_then(|d| u8::try_from(d).ok());
            text.as_bytes()
                .chunks(2)
                .map(|pair| match *pair {
                    [high, low] => Some(digit(high)? << 4 | digit(low)?),
                    _ => None,
                })
                .collect::<Option<Vec<u8>>>()
                .map(Bytes::from)
                .ok_or_else(|| E::custom("payload is two hexadecimal digits for each octet"))
        }

        fn visit_bytes<E: Error>(self, octets: &[u8]) -> Result<Bytes, E> {
            Ok(Bytes::copy_from_slice(octets))
        }

        fn visit_byte_buf<E: Error>(self, octets: Vec<u8>) -> Result<Bytes, E> {
            Ok(octets.into())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Bytes, A::Error> {
            let mut octets = Vec::new(); // grows by what is there, not by what the input announces
            while let Some(octet) = seq.next_element()? {
                octets.push(octet);
            }
            Ok(octets.into())
        }
    }
}

/// SACK blocks as a list.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Blocks(Vec<SackBlock>);

impl From<SackBlocks> for Blocks {
    fn from(blocks: SackBlocks) -> Self {
        Self(blocks.as_slice().to_owned())
    }
}

impl TryFrom<Blocks> for SackBlocks {
    type Error = &'static str;

    fn try_from(list: Blocks) -> Result<Self, Self::Error> {
        let mut blocks = Self::new();
        let fits = list.0.into_iter().all(|block| blocks.push(block));
        fits.then_some(blocks).ok_or("a segment has up to 4 SACK blocks")
    }
}

/// A cookie as octets.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Octets(#[serde(with = "octets")] bytes::Bytes);

impl From<FastOpenCookie> for Octets {
    fn from(cookie: FastOpenCookie) -> Self {
        Self(bytes::Bytes::copy_from_slice(cookie.as_slice()))
    }
}

impl TryFrom<Octets> for FastOpenCookie {
    type Error = &'static str;

    fn try_from(octets: Octets) -> Result<Self, Self::Error> {
        Self::new(&octets.0).ok_or("a Fast Open cookie has no octet, or an even number from 4 to 16")
    }
}

/// An AccECN option: whether its kind is 174, and its fields.
#[derive(Serialize, Deserialize)]
pub(crate) struct Counters(bool, Vec<u32>);

impl From<AccEcn> for Counters {
    fn from(option: AccEcn) -> Self {
        Self(option.is_order_1(), option.fields().to_owned())
    }
}

impl TryFrom<Counters> for AccEcn {
    type Error = &'static str;

    fn try_from(Counters(order_1, fields): Counters) -> Result<Self, Self::Error> {
        Self::new(order_1, &fields).ok_or("an AccECN option has up to 3 numbers of 24 bits")
    }
}
