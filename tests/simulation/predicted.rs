//! How much of a bulk transfer takes the shortcut before the eight steps.

use segue_sim::link::{MILLISECOND, SECOND};
use segue_sim::measure::run;
use segue_sim::rows::{Load, all};

/// Where nothing is lost nearly every segment is the one that was expected: text at the receiver, acknowledgments at the
/// sender. The exceptions are the handshake, the FIN, and window updates that acknowledge nothing.
#[test]
fn in_bulk_ninety_nine_of_a_hundred_segments_are_predicted() {
    let rows = all();
    for (name, duration) in [("10m", 4 * SECOND), ("100m", SECOND), ("10g-1ms", 20 * MILLISECOND), ("1g", SECOND)] {
        let mut row = rows.iter().find(|row| row.name == name).expect("the row").clone();
        // A window for which the queue has room: where it overflows, the ACKs of a recovery report and are not predicted.
        let window = u32::try_from(row.path.product() * 3 / 2).expect("a buffer").max(32_768);
        row.ends[1].config = row.ends[1].config.receive_buffer(window);
        row.load = Load::Greedy(duration);
        let outcome = run(&row, 1, None);
        let [acks, text] = outcome.predicted;
        assert!(acks >= 0.99 && text >= 0.99, "{name}: {acks} of the ACKs, {text} of the text; {}", outcome.notes);
    }
}
