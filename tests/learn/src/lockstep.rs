//! Two subjects in lockstep: the same words to both, and the answers side by side.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use segue_kit::Rng;

use crate::differences::{Row, Signature};
use crate::segue::Segue;
use crate::subject::Subject;
use crate::tester::Tester;
use crate::word::{Word, text, words};

/// After an answer that may count against an allowance, so much time passes.
const PAUSE: Duration = Duration::from_millis(1100);
/// The words of a run.
const LENGTH: usize = 24;

/// Words that lead on, drawn as often as all others.
const USUAL: &str = "SYN SYN,ACK ACK DATA FIN SEND CLOSE";
const ALL: &str = "SYN SYN@next SYN@gap SYN,ACK SYN,ACK^iss SYN,ACK^beyond SYN,ACK@next SYN,FIN SYN,FIN,ACK ACK ACK^iss ACK^syn \
    ACK^text ACK^beyond ACK@left ACK@gap ACK@far ACK@old DATA DATA^syn DATA^beyond DATA@left DATA@old DATA@gap DATA@far \
    DATA,NOACK FIN FIN^text FIN@left FIN@gap FIN@far FIN,NOACK DATA,FIN DATA,FIN@gap RST RST@left RST@gap RST@far \
    RST@old RST,ACK RST,ACK^beyond SEND CLOSE ABORT RTO 2MSL";

/// A subject beside segue.
pub struct Pairing<S> {
    pub make: fn() -> S,
    /// The calls that open a connection.
    pub opens: &'static str,
    pub rows: Vec<Row>,
}

/// What differs although no row knows it.
#[derive(Clone, Debug)]
pub struct Unknown {
    pub signature: Signature,
    pub words: Vec<Word>,
}

impl<S: Subject> Pairing<S> {
    /// Words for a seed: both users open at the beginning, and at times again.
    pub fn draw(&self, seed: u64) -> Vec<Word> {
        let mut rng = Rng::new(seed);
        let all = |text| words(text).expect("words");
        let (opens, usual, any) = (all(self.opens), all(USUAL), all(ALL));
        let mut drawn = vec![rng.pick(&opens)];
        drawn.extend((1..LENGTH).map(|_| match rng.below(16) {
            0 => rng.pick(&opens),
            1..8 => rng.pick(&usual),
            _ => rng.pick(&any),
        }));
        drawn
    }

    /// A word that brings a known difference is taken out, and the run begins anew without it: so all other words are
    /// compared. Counts the rows that were needed, and the words that were equal.
    pub fn run(&self, words: &mut Vec<Word>, counts: &mut Counts) -> Result<(), Unknown> {
        while let Some((at, signature)) = self.first_difference(words) {
            let Some(row) = self.rows.iter().find(|row| row.matches(&signature)) else {
                return Err(Unknown { signature, words: words[..=at].to_vec() });
            };
            *counts.rows.entry(row.line).or_default() += 1;
            *counts.signatures.entry((row.line, signature)).or_default() += 1;
            words.remove(at);
        }
        counts.words += words.len();
        Ok(())
    }

    fn testers(&self) -> (Tester<Segue>, Tester<S>) {
        (Tester::new(Segue::beside_others(), false, false), Tester::new((self.make)(), false, false))
    }

    fn first_difference(&self, words: &[Word]) -> Option<(usize, Signature)> {
        let (mut one, mut two) = self.testers();
        words.iter().enumerate().find_map(|(at, &word)| {
            let state = one.subject.state().map_or("", segue::State::name).to_owned();
            let [segue, other] = step(&mut one, &mut two, word);
            (segue != other).then(|| (at, Signature { state, word: word.to_string(), segue, other }))
        })
    }

    /// The fewest words that end with this difference.
    pub fn shrink(&self, unknown: &Unknown) -> Unknown {
        let mut best = unknown.clone();
        let mut at = 0;
        while at + 1 < best.words.len() {
            let mut words = best.words.clone();
            words.remove(at);
            match self.first_difference(&words) {
                Some((last, signature)) if last + 1 == words.len() && signature == best.signature => {
                    best.words = words;
                    at = 0;
                }
                _ => at += 1,
            }
        }
        best
    }

    /// What both did, for people.
    pub fn ladder(&self, words: &[Word]) -> String {
        let (mut one, mut two) = self.testers();
        (one.ladder, two.ladder) = (Some(Vec::new()), Some(Vec::new()));
        for &word in words {
            step(&mut one, &mut two, word);
        }
        let mut lines = String::new();
        for (name, ladder) in [("segue", one.ladder), ("the other", two.ladder)] {
            writeln!(lines, "{name}:").expect("memory");
            ladder.iter().flatten().for_each(|line| writeln!(lines, "  {line}").expect("memory"));
        }
        lines
    }
}

/// What the runs had to do with.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// How often each row was needed, by its line.
    pub rows: BTreeMap<usize, usize>,
    /// The same for each signature.
    pub signatures: BTreeMap<(usize, Signature), usize>,
    pub words: usize,
}

/// One word to both; then time, if an answer may count against an allowance. When something is sent again of itself is not
/// compared here.
fn step<A: Subject, B: Subject>(one: &mut Tester<A>, two: &mut Tester<B>, word: Word) -> [String; 2] {
    let mut answers = [one.step(word), two.step(word)];
    if answers.iter().any(|answer| answer.contains("ACK")) {
        let [a, b] = answers;
        answers = [join(a, &one.pass(PAUSE)), join(b, &two.pass(PAUSE))];
    }
    // Equal words that lead to different states are no equal answers.
    if let (Some(a), Some(b)) = (one.subject.state(), two.subject.state())
        && a != b
    {
        answers[0] += &format!(" ({})", a.name());
        answers[1] += &format!(" ({})", b.name());
    }
    answers
}

fn join(answer: String, later: &str) -> String {
    let later: Vec<&str> = later.split(" + ").filter(|word| *word != "-" && !word.starts_with("again")).collect();
    if later.is_empty() { answer } else { format!("{answer}, then {}", later.join(" + ")) }
}

/// The report of an unknown difference.
pub fn report<S: Subject>(name: &str, seed: u64, pairing: &Pairing<S>, unknown: &Unknown) -> String {
    let short = pairing.shrink(unknown);
    format!(
        "segue and {name} differ, and no row of tests/learn/{name}.txt knows it (seed {seed}):\n  {}\nthe fewest words:\n  \
         {}\n{}",
        short.signature,
        text(&short.words),
        pairing.ladder(&short.words)
    )
}
