//! Random octets and random packets, through the harness that the fuzzer runs.

use quickcheck::{Arbitrary, Gen, QuickCheck};

use super::support::{octets, sealed, v4};

/// An input of the harness: pure noise, a packet to build, or a segment with a few octets changed.
#[derive(Clone, Debug)]
struct Input(Vec<u8>);

impl Arbitrary for Input {
    fn arbitrary(g: &mut Gen) -> Self {
        let mode = u8::arbitrary(g);
        let mut data = vec![mode];
        match *g.choose(&[0, 1, 2]).unwrap() {
            0 => data.extend(Vec::<u8>::arbitrary(g)),
            _ if mode & 4 != 0 => data.extend((0..90).map(|_| u8::arbitrary(g))),
            _ => {
                let mut segment = sealed(v4(), octets(u16::arbitrary(g) & 0x1FF, &options(g), &Vec::arbitrary(g)));
                for _ in 0..u8::arbitrary(g) % 3 {
                    let at = usize::arbitrary(g) % segment.len();
                    segment[at] = u8::arbitrary(g);
                }
                data.extend(segment);
            }
        }
        Self(data)
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        Box::new(self.0.shrink().map(Self))
    }
}

/// Up to 40 octets of options, most of them known and in the right form.
fn options(g: &mut Gen) -> Vec<u8> {
    let mut area = Vec::new();
    while area.len() < 40 && u8::arbitrary(g) % 8 != 0 {
        let lengths: [(u8, u8); 17] = [
            (172, 8),
            (174, 11),
            (172 + u8::arbitrary(g) % 2 * 2, 2 + u8::arbitrary(g) % 12),
            (0, 0),
            (1, 0),
            (1, 0),
            (2, 4),
            (3, 3),
            (4, 2),
            (5, 10),
            (5, 18),
            (5, 26),
            (8, 10),
            (28, 4),
            (34, 2),
            (34, 10),
            (u8::arbitrary(g), u8::arbitrary(g) % 12),
        ];
        let &(kind, len) = g.choose(&lengths).unwrap();
        area.push(kind);
        if kind > 1 {
            area.push(len);
            area.extend((2..len).map(|_| u8::arbitrary(g)));
        }
    }
    area.truncate(40);
    area
}

const SEED: u64 = 0x5E90E;

#[test]
fn the_fuzz_harness_holds_for_random_inputs() {
    fn holds(input: Input) -> bool {
        super::fuzz::run(&input.0);
        true
    }
    println!("quickcheck seed {SEED:#x}");
    let rng = Gen::from_size_and_seed(120, SEED);
    let tests = 50_000;
    let run = QuickCheck::new().rng(rng).tests(tests).max_tests(tests).quicktest(holds as fn(Input) -> bool);
    assert_eq!(run.map_err(|failure| format!("{failure:?}")), Ok(tests));
}
