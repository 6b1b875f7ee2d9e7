//! What `arbitrary` draws of the public values.

use std::collections::BTreeSet;

use arbitrary::{Arbitrary, Unstructured};
use segue::{Config, Event, FastOpenCookie, Flags, Knob, Path, SackBlocks, Timer};

/// Octets for `arbitrary`, by a xorshift.
fn octets(mut seed: u64, len: usize) -> Vec<u8> {
    (0..len)
        .map(|_| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed.to_le_bytes()[3]
        })
        .collect()
}

fn draw<T: for<'a> Arbitrary<'a>>(seed: u64) -> T {
    T::arbitrary(&mut Unstructured::new(&octets(seed, 4096))).expect("enough octets")
}

/// Whatever is drawn could have been made by hand: a configuration passes its own checks, a segment fits its header.
#[test]
fn what_is_drawn_at_random_is_valid() {
    let (mut settings, mut events, mut cookies) = (0, BTreeSet::new(), [false; 2]);
    for seed in 1..2000 {
        let config: Config = draw(seed);
        assert_eq!(config.to_builder().build(), Ok(config));
        settings += u32::from(config != Config::default());
        let path: Path = draw(seed);
        assert!(path.mtu >= 68 && path.ip_options <= 40);
        let blocks: SackBlocks = draw(seed);
        assert!(blocks.len() <= 4);
        let cookie: FastOpenCookie = draw(seed);
        assert!([0, 4, 6, 8, 10, 12, 14, 16].contains(&cookie.as_slice().len()));
        cookies[usize::from(cookie.as_slice().is_empty())] = true;
        let flags: Flags = draw(seed);
        assert_eq!(flags, Flags::from_bits_truncate(flags.bits()));
        let event: Event = draw(seed);
        events.insert(match event {
            Event::Segment(segment) => {
                assert_eq!(segment.len(), segment.end() - segment.seq);
                "segment"
            }
            Event::Timer(timer) => {
                assert!(Timer::ALL.contains(&timer));
                "timer"
            }
            Event::Send(_) | Event::SendMore(_) | Event::SendUrgent(_) => "text",
            Event::Set(Knob::KeepAliveIdle(_) | Knob::UserTimeout(_)) => "time",
            _ => "other",
        });
    }
    assert_eq!((settings, cookies), (1999, [true; 2]));
    assert_eq!(events.len(), 5, "{events:?}");
}
