//! Small changes of written values.

use super::super::reader::Reader;

/// Numbers that a reader may not expect.
const NUMBERS: [u64; 16] = [
    0,
    1,
    2,
    3,
    0x7F,
    0xFF,
    0xFFFF,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_FFFF,
    1 << 32,
    1 << 58,
    i64::MAX as u64,
    1 << 63,
    u64::MAX - 1,
    u64::MAX,
];

/// Each change takes eight octets.
pub(super) fn all(changes: &[u8], text: bool, mut octets: Vec<u8>) -> Vec<u8> {
    for change in changes.chunks(8) {
        let mut input = Reader::new(change);
        let (how, place, value) = (input.u8(), usize::from(input.u16()), input.u8());
        if octets.is_empty() {
            break;
        }
        if text && how & 3 != 0 {
            number(&mut octets, place, value, input.u32());
            continue;
        }
        let at = place % octets.len();
        match how >> 2 & 7 {
            0 | 1 => octets[at] = value,
            2 => octets[at] = octets[at].wrapping_add(1),
            3 => octets[at] ^= 1 << (value & 7),
            4 => octets.insert(at, value),
            5 => drop(octets.remove(at)),
            6 => octets.truncate(at),
            _ => {
                // A number in the variable length of postcard.
                let long = NUMBERS[usize::from(value & 15)];
                let written = postcard::to_allocvec(&long).expect("a number");
                let end = octets[at..].iter().position(|octet| octet & 0x80 == 0).map_or(octets.len(), |n| at + n + 1);
                octets.splice(at..end, written);
            }
        }
    }
    octets
}

/// The number at this place among all in a text becomes another.
fn number(octets: &mut Vec<u8>, place: usize, value: u8, raw: u32) {
    let starts = |i: usize| octets[i].is_ascii_digit() && (i == 0 || !octets[i - 1].is_ascii_digit());
    let places: Vec<usize> = (0..octets.len()).filter(|i| starts(*i)).collect();
    let Some(start) = place.checked_rem(places.len()).and_then(|n| places.get(n)).copied() else { return };
    let end = octets[start..].iter().position(|octet| !octet.is_ascii_digit()).map_or(octets.len(), |n| start + n);
    let old: u64 = core::str::from_utf8(&octets[start..end]).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let new = match value >> 4 & 3 {
        0 => NUMBERS[usize::from(value & 15)],
        1 => old.wrapping_add(1 + u64::from(value & 15)),
        2 => old.wrapping_sub(1 + u64::from(value & 15)),
        _ => u64::from(raw),
    };
    octets.splice(start..end, new.to_string().into_bytes());
}
