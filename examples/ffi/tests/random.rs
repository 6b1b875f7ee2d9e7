//! Random calls, with ids that are right, void or made up, and times that jump: no panic, and the endpoint goes on.
#![allow(clippy::multiple_unsafe_ops_per_block, reason = "a list of calls")]

use std::ptr::null_mut;

use segue_ffi::*;

use crate::world::{End, Kept, flow, terms};

/// Numbers as random as a test needs (splitmix64).
struct Rng(u64);

impl Rng {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ z >> 31) % limit
    }
}

/// One call on an endpoint.
fn call(rng: &mut Rng, end: &End, ids: &mut Vec<u64>, now: u64) -> Code {
    let id = match rng.below(8) {
        0 => rng.below(u64::MAX),
        1 => 1 << 32 | rng.below(8),
        _ => ids.get(rng.below(ids.len() as u64 + 1) as usize).copied().unwrap_or(0),
    };
    let mut text = [7; 3000];
    let (mut octets, len) = (0, rng.below(3000) as usize);
    let taken = |result: Result<u64, Code>, ids: &mut Vec<u64>| match result {
        Ok(id) => {
            ids.push(id);
            Code::Ok
        }
        Err(code) => code,
    };
    // SAFETY: the endpoint lives; each pointer has the room that goes with it, or is NULL where that is permitted.
    unsafe {
        match rng.below(18) {
            0 => taken(end.connect(&flow(7)), ids),
            1 => taken(end.accept(rng.below(3) as u32), ids),
            2 => segue_read(end.0, id, now, text.as_mut_ptr(), len, &raw mut octets),
            3..=5 => segue_write(end.0, id, now, text.as_ptr(), len, &raw mut octets),
            6 => segue_close(end.0, id, now),
            7 => segue_release(end.0, id, now),
            8 => segue_abort(end.0, id, now),
            9 => segue_notify_flushed(end.0, id, now),
            10 => segue_readable(end.0, id, &raw mut octets),
            11 => segue_writable(end.0, id, &raw mut octets),
            12 => segue_admit(end.0, id, now),
            13 => segue_icmp(end.0, &raw const FROM, rng.below(9) as i32, 600, rng.below(1 << 32) as u32, now),
            14 => segue_timers(end.0, now),
            15 => segue_set_congestion(end.0, id, now, rng.below(6) as i32, null_mut()),
            16 => {
                let opened = end.connect_fast_open(&flow(7), &text[..len]);
                taken(opened.map(|(id, _)| id), ids)
            }
            _ => {
                while end.signal().is_some() {}
                segue_ends(end.0, id, null_mut())
            }
        }
    }
}

static FROM: Flow = Flow {
    local: Address { version: 4, octets: [198, 51, 100, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] },
    remote: Address { version: 4, octets: [192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] },
    local_port: 5000,
    remote_port: 7,
};

#[test]
fn random_calls_never_panic() {
    let mut rng = Rng(1);
    let (ends, mut ids) = ([End::new(None), End::new(None)], [vec![], vec![]]);
    ends[1].listen(&Listen { fast_open: 9, ..terms(7) }).expect("nobody listens there");
    let (mut now, mut done) = (0_u64, 0);
    for _ in 0..30_000 {
        let which = rng.below(2) as usize;
        now = match rng.below(2000) {
            0 => u64::MAX,
            1 => 0,
            2..=20 => now.saturating_add(rng.below(100_000_000)) % (1 << 50),
            _ => now.saturating_add(rng.below(1000)),
        };
        let code = call(&mut rng, &ends[which], &mut ids[which], now);
        assert!(code != Code::Panic && code != Code::Busy, "{code:?}");
        done += usize::from(code == Code::Ok);
        if rng.below(4) == 0 {
            for mut kept in ends[which].flush() {
                if rng.below(50) == 0 {
                    let place = rng.below(kept.octets.len() as u64) as usize;
                    kept.octets[place] ^= 1 << rng.below(8);
                }
                let answer = ends[1 - which].receive(&kept);
                assert!(!matches!(answer, Err(Code::Panic | Code::Busy)), "{answer:?}");
            }
            if rng.below(20) == 0 {
                let octets = (0..rng.below(60)).map(|_| rng.below(256) as u8).collect();
                let garbage = Kept { src: FROM.remote, dst: FROM.local, octets };
                assert!(ends[which].receive(&garbage).is_err(), "its checksum is wrong");
            }
        }
        let old = ids[which].len().saturating_sub(20);
        ids[which].drain(..old);
    }
    assert!(done > 5000, "{done} calls did something");
}
