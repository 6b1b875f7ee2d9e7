//! The text that the users exchange: the octet at every position of a stream is known, so that what arrives can be
//! checked against its position and nothing need be remembered.

use std::sync::OnceLock;

use bytes::Bytes;

use super::Side;

/// Octets of a line such as `client 00000042\n`.
const LINE: usize = 16;
/// Lines until the text repeats: a prime, so that no power of two is a period.
const LINES: usize = 4093;
/// Octets until the text repeats.
const PERIOD: usize = LINE * LINES;

/// Two periods of each side's text: every slice of up to one period is contiguous.
fn table(side: Side) -> &'static Bytes {
    static TABLES: OnceLock<[Bytes; 2]> = OnceLock::new();
    let tables = TABLES.get_or_init(|| {
        Side::BOTH.map(|side| {
            let lines: Vec<String> = (0..LINES).map(|n| format!("{:6} {n:08}\n", side.name())).collect();
            Bytes::from(lines.concat().repeat(2))
        })
    });
    &tables[side.index()]
}

/// At most `len` octets of the text that `side` sends, from `position` on; fewer only when `len` is very large.
pub fn text(side: Side, position: u64, len: usize) -> Bytes {
    let start = (position % PERIOD as u64) as usize;
    table(side).slice(start..start + len.min(PERIOD))
}

/// Whether these are the octets that `side` sends from `position` on.
pub fn is_text(side: Side, position: u64, octets: &[u8]) -> bool {
    let starts = (0..octets.len()).step_by(PERIOD);
    starts.into_iter().all(|i| {
        let piece = &octets[i..octets.len().min(i + PERIOD)];
        text(side, position + i as u64, piece.len()) == piece
    })
}
