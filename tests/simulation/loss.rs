//! The models of loss keep their promises.

use segue_sim::loss::{Loss, Losses};

const COUNT: usize = 2_000_000;

fn lost(rule: Loss) -> Vec<bool> {
    let mut losses = Losses::new(rule, 3);
    (0..COUNT).map(|_| losses.next(true)).collect()
}

fn share(lost: &[bool]) -> f64 {
    lost.iter().filter(|lost| **lost).count() as f64 / lost.len() as f64
}

/// The lengths of the runs of lost packets.
fn runs(lost: &[bool]) -> Vec<usize> {
    lost.split(|lost| !lost).map(<[bool]>::len).filter(|len| *len > 0).collect()
}

fn mean(runs: &[usize]) -> f64 {
    runs.iter().sum::<usize>() as f64 / runs.len() as f64
}

fn near(value: f64, wanted: f64, tolerance: f64) -> bool {
    (value / wanted - 1.0).abs() < tolerance
}

#[test]
fn nothing_is_lost_without_a_rule() {
    assert_eq!(share(&lost(Loss::None)), 0.0);
}

#[test]
fn random_losses_have_their_share_and_do_not_depend_on_each_other() {
    for millionths in [1000, 10_000, 100_000] {
        let (lost, p) = (lost(Loss::Random(millionths)), f64::from(millionths) / 1e6);
        assert!(near(share(&lost), p, 0.05), "{} lost of {p}", share(&lost));
        assert!(near(mean(&runs(&lost)), 1.0 / (1.0 - p), 0.02), "runs of {} at {p}", mean(&runs(&lost)));
    }
}

#[test]
fn bursts_have_their_share_and_their_mean_length() {
    for (millionths, mean_burst) in [(5000, 10), (10_000, 10), (50_000, 4)] {
        let lost = lost(Loss::Bursts { share: millionths, mean: mean_burst });
        let (p, bursts) = (f64::from(millionths) / 1e6, runs(&lost));
        assert!(near(share(&lost), p, 0.05), "{} lost of {p}", share(&lost));
        assert!(near(mean(&bursts), f64::from(mean_burst), 0.05), "bursts of {}", mean(&bursts));
        // Geometric: the chance to go on is the same after any length.
        let longer = |n: usize| bursts.iter().filter(|len| **len > n).count() as f64;
        let go_on = 1.0 - 1.0 / f64::from(mean_burst);
        assert!(near(longer(6) / longer(3), go_on.powi(3), 0.05), "{}", longer(6) / longer(3));
    }
}

#[test]
fn numbered_texts_are_lost_and_packets_without_text_do_not_count() {
    let mut losses = Losses::new(Loss::Texts(vec![2, 4]), 1);
    let fates = [false, true, false, true, true, true, true].map(|has_text| losses.next(has_text));
    assert_eq!(fates, [false, false, false, true, false, true, false]);
}
