//! The ideal, computed by hand; and that no sender without a kept window does better.

use segue_sim::ideal::Ideal;
use segue_sim::link::{MILLISECOND, SECOND};
use segue_sim::measure::run;
use segue_sim::rows::{Theme, all};

/// Packets of 1500 octets at 12 Mbit/s: 1 ms each, and no time for headers alone.
const PATH: Ideal = Ideal {
    rate: 12_000_000,
    round_trip: 100 * MILLISECOND,
    header: 0,
    mss: 1500,
    initial: 10,
    window: 1 << 20,
    wait: 0,
    read: 0,
};

fn near(value: f64, wanted: f64) -> bool {
    (value - wanted).abs() < wanted * 1e-9
}

/// The window is 14 600 octets, then 29 200, 58 400, 116 800, and then the path is full with 101 ms of 1500 octets each.
#[test]
fn a_window_doubles_until_the_path_is_full() {
    let text = |millis| PATH.delivered(millis * MILLISECOND);
    assert_eq!(text(150), 0.0);
    assert!(near(text(155), 5.0 * 1500.0));
    assert!(near(text(251), 14_600.0));
    assert!(near(text(352), 14_600.0 + 29_200.0));
    assert!(near(text(1000), 14_600.0 + 29_200.0 + 58_400.0 + 116_800.0 + 1500.0 * (1000.0 - 150.0 - 4.0 * 101.0)));
}

#[test]
fn the_peers_window_is_a_limit() {
    let path = Ideal { window: 16_400, ..PATH }; // ten segments of it can be used
    assert!(near(path.delivered(10 * SECOND), 14_600.0 + 97.0 * 15_000.0));
    let late = Ideal { read: 99 * MILLISECOND, ..path };
    assert!(near(
        late.delivered(150 * MILLISECOND + 101 * MILLISECOND + 2 * 200 * MILLISECOND),
        14_600.0 + 2.0 * 15_000.0
    ));
    let batches = Ideal { wait: 99 * MILLISECOND, ..path };
    assert!(near(batches.delivered(150 * MILLISECOND + 2 * 200 * MILLISECOND), 14_600.0 + 15_000.0));
    let wide = Ideal { window: 1 << 30, ..PATH };
    assert!(near(Ideal { read: SECOND, ..wide }.delivered(SECOND), wide.delivered(SECOND)));
}

#[test]
fn a_transfer_takes_the_handshake_and_its_rounds() {
    assert!(near(PATH.completion(1500), 0.151));
    assert!(near(PATH.completion(14_600 + 1500), 0.150 + 0.101 + 0.001));
    assert!(near(PATH.exchange(1500, 1500), 2.0 * 0.051));
}

/// One connection that begins cold cannot do better than the ideal.
#[test]
fn nothing_is_better_than_what_is_possible() {
    for row in all().iter().filter(|row| !row.is_random() && row.packets() < 4000.0 && row.theme != Theme::Turns) {
        let outcome = run(row, 1, None);
        let ratio = row.ratio(|figure| {
            let at = row.figures.iter().position(|other| other.name == figure.name).expect("its own figure");
            outcome.values[at]
        });
        assert!(ratio < 1.005, "{}: {ratio} of what is possible", row.name);
    }
}
