//! One connection and a peer that means harm (`segue_kit::swarm::hostile`).

use std::time::Duration;

use segue::{Config, Options, Path, Timestamps};
use segue_kit::swarm::hostile::{self, Move, Script};

use super::runner;

/// Whatever a peer does, memory, work and repetition keep to their bounds, and the user gets exactly its text.
#[test]
fn hostile_peers_cost_no_more_than_stated() {
    super::pairs::count_heap();
    runner::run("hostile_peers_cost_no_more_than_stated", 300, |seed| hostile::judge(seed, runner::shrink_budget()));
}

/// With a peer that scales its windows and reports, and this configuration.
fn scripted(config: segue::ConfigBuilder, syn: Options, moves: Vec<Move>) {
    super::pairs::count_heap();
    let config = config.build().expect("a valid configuration");
    let (path, gap) = (Path::ipv4(1500), Duration::from_micros(50));
    let script = Script { config, path, syn, window: 65_535, irs: 5000, gap, busy: false, moves };
    if let Err((problem, log)) = hostile::play(&script) {
        panic!("{}", hostile::report(0, &problem, &script, &log));
    }
}

fn every_option(shift: u8) -> Options {
    Options {
        mss: Some(1460),
        window_scale: Some(shift),
        sack_permitted: true,
        timestamps: Some(Timestamps { value: 1000, echo: 0 }),
        ..Options::default()
    }
}

/// The peer closes its window, answers a probe, and opens it again octet by octet: retransmissions go in full segments,
/// and there are not more records than `Config` allows.
#[test]
fn a_window_that_opens_octet_by_octet_keeps_the_records_few() {
    for shift in [0, 1, 7, 14] {
        for sack in [true, false] {
            let syn = Options { sack_permitted: sack, ..every_option(shift) };
            let small = Config::builder().receive_buffer(1000).send_buffer(14_600);
            let open = Move::Ack { octets: 0, window: 1, grow: 1, times: 2000 };
            let close = Move::Ack { octets: 0, window: 0, grow: 0, times: 1 };
            for timers in 0..3 {
                let mut moves = vec![Move::Send(14_600), close];
                moves.extend((0..timers).map(|_| Move::Timer));
                moves.push(open);
                scripted(small, syn, moves);
            }
        }
    }
}

/// A blind sender of bare duplicate ACKs: with SACK, and RACK off, they report nothing and start no fast retransmit.
#[test]
fn blind_duplicates_do_nothing_without_rack() {
    for reported in [false, true] {
        let report = Move::Duplicates { times: 2, block: Some((1448, 1448)) };
        let mut moves = vec![Move::Send(100_000), Move::Duplicates { times: 2000, block: None }];
        if reported {
            moves.insert(1, report);
        }
        scripted(Config::builder().rack(false), every_option(7), moves);
    }
}

/// Every other octet of a block is held, then those between come, from left to right or back, block after block: pieces merge
/// with both neighbours; at last the missing octet releases all of it.
#[test]
fn combs_of_single_octets_are_merged() {
    for back in [false, true] {
        for ranges in [0, 1, 4, 300] {
            let comb = Move::Comb { teeth: 250, back };
            let last = Move::Text { offset: 0, len: 1, stride: 1, times: 1, down: false };
            let config = Config::builder().max_ranges(ranges).receive_buffer(20_000);
            scripted(config, every_option(7), vec![comb, comb, comb, comb, last]);
        }
    }
}
