//! The largest of what was measured lately, in constant space (Kathleen Nichols' windowed maximum).

/// A value, and the round in which it was measured.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Measured {
    value: u32,
    round: u64,
}

/// The maximum over a window of rounds: the best, the second and the third best, each later than the one before it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct WindowedMax([Measured; 3]);

impl WindowedMax {
    pub(super) const fn get(&self) -> u32 {
        let [best, _, _] = &self.0;
        best.value
    }

    /// `value` is measured in `round`; what is older than `window` rounds is forgotten.
    pub(super) fn update(&mut self, value: u32, round: u64, window: u64) {
        let new = Measured { value, round };
        let [best, second, third] = &mut self.0;
        if value >= best.value || round.saturating_sub(third.round) > window {
            self.0 = [new; 3]; // a new maximum, or all of them are too old
            return;
        }
        if value >= second.value {
            (*second, *third) = (new, new);
        } else if value >= third.value {
            *third = new;
        }
        self.expire(new, window);
    }

    fn expire(&mut self, new: Measured, window: u64) {
        let [best, second, third] = &mut self.0;
        let age = |of: &Measured| new.round.saturating_sub(of.round);
        if age(best) > window {
            (*best, *second, *third) = (*second, *third, new);
            if age(best) > window {
                (*best, *second, *third) = (*second, *third, new);
            }
        } else if second.round == best.round && age(second) > window / 4 {
            (*second, *third) = (new, new); // a quarter of the window without a better second
        } else if third.round == second.round && age(third) > window / 2 {
            *third = new;
        }
    }

    /// Rounds count from `round` on.
    pub(super) fn rebase(&mut self, round: u64) {
        let Self(kept) = self;
        kept.iter_mut().for_each(|measured| measured.round = measured.round.wrapping_sub(round));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use quickcheck::quickcheck;

    quickcheck! {
        /// Never less than the newest, never more than the largest of the window, and after a window without anything
        /// near it the largest is forgotten.
        fn it_lies_between_the_newest_and_the_largest_of_the_window(values: Vec<(u32, u8)>, window: u8) -> bool {
            let (mut filter, mut round, mut seen, window) = (WindowedMax::default(), 0, Vec::new(), u64::from(window));
            values.into_iter().all(|(value, later)| {
                round += u64::from(later % 4);
                seen.push((value, round));
                filter.update(value, round, window);
                let kept = seen.iter().filter(|(_, at)| round - at <= window);
                let largest = kept.map(|(value, _)| *value).max().unwrap_or(0);
                (value..=largest).contains(&filter.get())
            })
        }
    }

    #[test]
    fn a_maximum_lasts_as_long_as_the_window() {
        let mut filter = WindowedMax::default();
        filter.update(100, 0, 10);
        for round in 1..=10 {
            filter.update(7, round, 10);
            assert_eq!(filter.get(), 100, "round {round}");
        }
        filter.update(7, 11, 10);
        assert_eq!(filter.get(), 7);
    }
}
