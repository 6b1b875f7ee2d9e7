//! Where the two differ.

use std::fmt::Debug;
use std::hash::{Hash, Hasher};

use segue::{Connection, Controller};

/// Octets of text shown before and behind a difference.
const AROUND: usize = 300;

/// Records what is hashed, so that values of the two crates can be compared: these are of different types.
#[derive(Default)]
struct Tape(Vec<Mark>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Octets(u64),
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    Usize(usize),
    /// The discriminant of an enum.
    Isize(isize),
}

impl Hasher for Tape {
    fn finish(&self) -> u64 {
        0
    }

    fn write(&mut self, octets: &[u8]) {
        let mut hash = 0xCBF2_9CE4_8422_2325 ^ octets.len() as u64;
        for chunk in octets.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            hash = (hash.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x517C_C1B7_2722_0A95);
        }
        self.0.push(Mark::Octets(hash));
    }

    fn write_u8(&mut self, value: u8) {
        self.0.push(Mark::U8(value));
    }

    fn write_u16(&mut self, value: u16) {
        self.0.push(Mark::U16(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.0.push(Mark::U32(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.0.push(Mark::U64(value));
    }

    fn write_usize(&mut self, value: usize) {
        self.0.push(Mark::Usize(value));
    }

    fn write_isize(&mut self, value: isize) {
        self.0.push(Mark::Isize(value));
    }
}

fn tape(value: &impl Hash) -> Vec<Mark> {
    let mut tape = Tape::default();
    value.hash(&mut tape);
    tape.0
}

/// Whether two values are equal but for what only the shortcuts have: how many segments took them, and what they expect.
fn same_but_predictions(full: &[Mark], plain: &[Mark]) -> bool {
    let (mut counts, mut predictions) = (0, 0);
    full.len() == plain.len()
        && full.iter().zip(plain).all(|pair| {
            match pair {
                (Mark::U64(_), Mark::U64(0)) if pair.0 != pair.1 => counts += 1,
                (Mark::Isize(1 | 2), Mark::Isize(0)) => predictions += 1,
                (full, plain) => return full == plain,
            }
            counts <= 1 && predictions <= 1
        })
}

/// The text of a connection without the two.
fn without_predictions(text: &str) -> String {
    let (mut kept, mut rest) = (String::with_capacity(text.len()), text);
    for field in ["segments_predicted: ", "prediction: "] {
        if let Some((before, behind)) = rest.split_once(field) {
            kept.push_str(before);
            rest = &behind[behind.find([',', ' ']).unwrap_or(0)..];
        }
    }
    kept + rest
}

fn show(full: &str, plain: &str) -> String {
    let same = full.bytes().zip(plain.bytes()).take_while(|(full, plain)| full == plain).count();
    let part = |text: &str| {
        let octets = &text.as_bytes()[same.saturating_sub(AROUND)..text.len().min(same + AROUND)];
        String::from_utf8_lossy(octets).into_owned()
    };
    format!("with shortcuts:    …{}…\nwithout shortcuts: …{}…", part(full), part(plain))
}

/// Panics where these, of the two crates, are not the same.
pub(crate) fn compare(what: &str, full: &(impl Hash + Debug), plain: &(impl Hash + Debug)) {
    if tape(full) != tape(plain) {
        panic!("{what} differ:\n{}", show(&format!("{full:?}"), &format!("{plain:?}")));
    }
}

/// The same of two connections. The text is compared too if `thorough`: a field may have no part in the hash.
pub(crate) fn compare_connections<A: Controller, B: plain::Controller>(
    full: &Connection<A>,
    plain: &plain::Connection<B>,
    thorough: bool,
) {
    let same = same_but_predictions(&tape(full), &tape(plain));
    if same && !thorough {
        return;
    }
    let (full, plain) = (without_predictions(&format!("{full:?}")), without_predictions(&format!("{plain:?}")));
    if full != plain || !same {
        panic!("the connections differ:\n{}", show(&full, &plain));
    }
}
