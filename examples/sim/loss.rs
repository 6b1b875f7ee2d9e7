//! Which packets are lost.

use segue_kit::Rng;

const BILLION: u32 = 1_000_000_000;

/// A rule, with probabilities in millionths.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Loss {
    /// None.
    #[default]
    None,
    /// Each packet with this probability, whatever happened to others.
    Random(u32),
    /// Gilbert's model: all packets of a bad period are lost and none of a good one. `share` of all packets are lost,
    /// `mean` in a row on average.
    Bursts { share: u32, mean: u32 },
    /// The packets with text that have these numbers, from 1.
    Texts(Vec<u64>),
}

/// A rule at work.
#[derive(Clone, Debug)]
pub struct Losses {
    rule: Loss,
    rng: Rng,
    bad: bool,
    texts: u64,
}

impl Losses {
    pub fn new(rule: Loss, seed: u64) -> Self {
        Self { rule, rng: Rng::new(seed), bad: false, texts: 0 }
    }

    /// Whether the next packet is lost.
    pub fn next(&mut self, has_text: bool) -> bool {
        self.texts += u64::from(has_text);
        match &self.rule {
            Loss::None => false,
            Loss::Random(share) => self.rng.below(1_000_000) < *share,
            Loss::Bursts { share, mean } => {
                let change = if self.bad { BILLION / mean } else { begins(*share, *mean) };
                if self.rng.below(BILLION) < change {
                    self.bad = !self.bad;
                }
                self.bad
            }
            Loss::Texts(numbers) => has_text && numbers.contains(&self.texts),
        }
    }
}

/// The probability, in billionths, that a bad period begins at a packet: with `b` for the probability that one ends, the
/// share of bad packets is `g / (g + b)`.
fn begins(share: u32, mean: u32) -> u32 {
    let (share, ends) = (u64::from(share), u64::from(BILLION / mean));
    u32::try_from(ends * share / (1_000_000 - share)).expect("less than half of the packets are lost")
}
