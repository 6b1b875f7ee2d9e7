//! The same seed gives the same packets at the same times: twice in one program, from every compiler, on every platform.

use std::fs;
use std::path::Path;

use segue::Instant;
use segue::codec::{Packet, PseudoHeader};
use segue_simulator::args::Options;
use segue_simulator::trace::Trace;
use segue_simulator::world::{Summary, run};

const OPTIONS: Options = Options { connections: 200, seed: 1 };

fn quietly(options: &Options) -> Summary {
    let mut over = 0;
    let summary = run(options, |more| over += more);
    assert_eq!(over, options.connections, "each connection is told of once");
    summary
}

/// Compares a hash with the one in a file. Whatever changes what segue sends changes it: then `SEGUE_BLESS=1` writes it anew.
fn compare(options: &Options, hash: u64, file: &str, anew: &str) {
    let (path, hash) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(file), format!("{hash:016x}\n"));
    println!("hash of {} connections with seed {}: {hash}", options.connections, options.seed);
    if std::env::var_os("SEGUE_BLESS").is_some() {
        fs::write(&path, &hash).expect("the sources can be written");
    }
    let recorded = fs::read_to_string(&path).expect("the recorded hash");
    assert_eq!(
        hash, recorded,
        "segue sends something else than recorded, or not the same everywhere. If a change of this checkout is meant to do \
         so: SEGUE_BLESS=1 {anew}"
    );
}

/// `examples/simulator/elsewhere` runs this on other platforms, against the same number.
#[test]
fn two_hundred_connections_give_the_recorded_hash_twice() {
    let first = quietly(&OPTIONS);
    assert_eq!(first, quietly(&OPTIONS));
    compare(&OPTIONS, first.hash, "hash.txt", "cargo test -p segue-simulator");
}

/// The default of the program, as its users build it.
#[test]
#[cfg_attr(debug_assertions, ignore = "takes too long with the twins of shortcuts; `cargo test --release` runs it")]
fn two_thousand_connections_give_the_recorded_hash() {
    let options = Options::default();
    assert_eq!(options, Options { connections: 2000, seed: 1 });
    compare(&options, quietly(&options).hash, "hash-2000.txt", "cargo test --release -p segue-simulator --test trace");
}

#[test]
fn users_are_served_and_the_rest_has_its_reasons() {
    let Summary { ends, served, octets, packets, lost, .. } = quietly(&OPTIONS);
    println!("{ends:?}");
    assert_eq!(ends.values().sum::<u32>(), OPTIONS.connections);
    assert!(
        served > 150 && ends.contains_key("connection refused") && ends.contains_key("the user gave up"),
        "{ends:?}"
    );
    assert!(octets > 1_000_000 && packets > 1000 && lost > 0, "{octets} octets, {packets} packets, {lost} lost");
}

#[test]
fn another_seed_gives_another_hash() {
    let other = Options { connections: 20, seed: 1 };
    assert_ne!(quietly(&other).hash, quietly(&Options { seed: 2, ..other }).hash);
}

/// One bit, one microsecond or the loss of one packet is another trace.
#[test]
fn the_hash_sees_time_text_and_loss() {
    let ends = PseudoHeader::new("192.0.2.1".parse().unwrap(), "198.51.100.1".parse().unwrap()).unwrap();
    let hash = |micros, payload: &'static str, lost| {
        let mut packet = Packet { src_port: 80, dst_port: 49_152, ..Packet::default() };
        packet.segment.payload = payload.into();
        let mut trace = Trace::default();
        trace.packet(Instant::from_micros(micros), ends, &packet, lost);
        trace.hash()
    };
    let hashes = [hash(1, "text", false), hash(2, "text", false), hash(1, "tex", false), hash(1, "text", true)];
    assert_eq!(hashes[0], hash(1, "text", false));
    assert!((1..4).all(|n| !hashes[..n].contains(&hashes[n])), "{hashes:x?}");
}
