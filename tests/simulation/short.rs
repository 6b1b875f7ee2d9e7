//! Short flows in which one packet is lost: none waits for a timeout, wherever it was.

use segue_sim::loss::Loss;
use segue_sim::measure::run;
use segue_sim::rows::{Load, Row, all};
use segue_sim::user::Ending;

/// The time in milliseconds of a flow of `octets` of which the packets of text with these numbers are lost.
fn completion(row: &Row, octets: u64, lost: Vec<u64>, ending: Ending) -> f64 {
    let mut row = row.clone();
    row.load = Load::Flows { count: 1, octets, ending };
    row.path.loss = Loss::Texts(lost);
    let outcome = run(&row, 1, None);
    assert!(outcome.violations.is_empty(), "{:?}", outcome.violations);
    outcome.values[1]
}

/// The round trip takes 40 ms, and a segment 1.2 ms. A hole that later text, with or without a FIN, reports is found
/// after a round trip and the reordering window of a quarter, and repaired in half of one more; with nothing behind it
/// a probe goes after two, and after the delay of a lone segment's acknowledgment besides (RFC 8985 §7.2).
#[test]
fn one_lost_packet_costs_a_round_trip_or_a_probe() {
    let rows = all();
    let row = rows.iter().find(|row| row.name == "tail").expect("the row");
    for segments in [2, 5, 20] {
        for rest in [0, 88] {
            let octets = segments * 1448 + rest;
            let packets = segments + u64::from(rest > 0);
            for ending in [Ending::Stay, Ending::Close] {
                let clean = completion(row, octets, Vec::new(), ending);
                for lost in 1..=packets {
                    let time = completion(row, octets, vec![lost], ending);
                    let most = if lost < packets { 40.0 + 10.0 + 15.0 } else { 2.0 * 50.0 + 40.0 + 40.0 + 20.0 };
                    assert!(time <= clean + most, "{octets} {ending:?}, {lost} lost: {time} ms, clean {clean}");
                }
            }
        }
    }
}
