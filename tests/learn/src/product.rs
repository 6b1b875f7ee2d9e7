//! Automata, written out: the projection of the reference table to an alphabet, and what a learner found.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::rc::Rc;

use segue_kit::table::rows::Table;

use crate::alphabet::Alphabet;
use crate::differences::Signature;
use crate::subject::Subject;
use crate::table::Model;
use crate::tester::Tester;
use crate::word::{Word, text};

/// A Mealy machine; it starts in state 0.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Mealy {
    pub words: Vec<String>,
    /// For each state and word, in this order: the answer and the next state.
    pub rows: Vec<Vec<(String, usize)>>,
    /// What people call the states.
    pub names: Vec<String>,
}

/// The tester at the start of an alphabet.
pub fn tester<S: Subject>(subject: S, alphabet: &Alphabet, asides: bool) -> Tester<S> {
    let mut tester = Tester::new(subject, alphabet.timestamps, asides);
    for word in alphabet.start() {
        tester.step(word);
    }
    tester
}

/// The reference table's automaton, and the lines of the table that decided in it.
pub fn projection(table: &Rc<Table>, alphabet: &Alphabet) -> Result<(Mealy, BTreeSet<usize>), String> {
    explore(Model::new(Rc::clone(table), alphabet.timestamps), alphabet, true)
}

/// The same without what only some subjects tell, for a host that gives new secrets at once.
pub fn projection_beside_others(table: &Rc<Table>, alphabet: &Alphabet) -> Result<Mealy, String> {
    let mut model = Model::new(Rc::clone(table), alphabet.timestamps);
    model.rearms = true;
    Ok(explore(model, alphabet, false)?.0)
}

fn explore(model: Model, alphabet: &Alphabet, asides: bool) -> Result<(Mealy, BTreeSet<usize>), String> {
    let words = alphabet.words();
    let start = tester(model, alphabet, asides);
    let mut mealy = Mealy { words: words.iter().map(ToString::to_string).collect(), ..Mealy::default() };
    let mut states = HashMap::from([(key(&start), 0)]);
    let (mut found, mut next) = (vec![start], 0);
    let mut lines = BTreeSet::new();
    while let Some(from) = found.get(next).cloned() {
        let mut row = Vec::new();
        for &word in &words {
            let mut after = from.clone();
            let answer = after.step(word);
            lines.extend(after.subject.lines.iter().copied());
            let known = states.len();
            let state = *states.entry(key(&after)).or_insert(known);
            if state == known {
                found.push(after);
            } else {
                alike(&found[state], &after, &words)?;
            }
            row.push((answer, state));
        }
        mealy.rows.push(row);
        mealy.names.push(from.subject.key());
        next += 1;
    }
    Ok((mealy, lines))
}

fn key(tester: &Tester<Model>) -> String {
    format!("{} | {}", tester.subject.key(), tester.key())
}

/// Two ways to one state: whatever comes next has the same answer and leads to the same state.
fn alike(one: &Tester<Model>, other: &Tester<Model>, words: &[Word]) -> Result<(), String> {
    for &word in words {
        let (mut one, mut other) = (one.clone(), other.clone());
        let answers = [one.step(word), other.step(word)];
        if answers[0] != answers[1] || key(&one) != key(&other) {
            return Err(format!("{} is two states: {word} brings {} and {}", key(&one), answers[0], answers[1]));
        }
    }
    Ok(())
}

/// A state's answers and the classes that follow.
type View<'a> = Vec<(&'a str, usize)>;

impl Mealy {
    /// Reads lines of `state TAB word TAB answer TAB next state`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut mealy = Self::default();
        for (number, line) in (1..).zip(text.lines().filter(|line| !line.is_empty())) {
            let wrong = |what: &str| format!("line {number}: {what}: {line}");
            let [state, word, answer, next] = line.split('\t').collect::<Vec<_>>()[..] else {
                return Err(wrong("four columns are wanted"));
            };
            let parse = |text: &str| text.parse::<usize>().map_err(|_| wrong("not a number"));
            let (state, next) = (parse(state)?, parse(next)?);
            if state == mealy.rows.len() {
                mealy.rows.push(Vec::new());
                mealy.names.push(format!("q{state}"));
            }
            let row = mealy.rows.get_mut(state).filter(|_| state + 1 == mealy.names.len());
            row.ok_or_else(|| wrong("states come in order"))?.push((answer.to_owned(), next));
            if state == 0 {
                mealy.words.push(word.to_owned());
            }
        }
        let complete = mealy.rows.iter().all(|row| row.len() == mealy.words.len());
        let inside = mealy.rows.iter().flatten().all(|(_, next)| *next < mealy.rows.len());
        if mealy.rows.is_empty() || !complete || !inside {
            return Err("each state needs each word, and leads to a state".to_owned());
        }
        Ok(mealy)
    }

    /// The number of states that some word tells apart: the partition is refined until it stays.
    pub fn classes(&self) -> Vec<usize> {
        let mut class = vec![0; self.rows.len()];
        let mut count = 1;
        loop {
            let mut seen: HashMap<(usize, View<'_>), usize> = HashMap::new();
            let refined: Vec<usize> = (0..self.rows.len())
                .map(|state| {
                    let row = self.rows[state].iter().map(|(answer, next)| (answer.as_str(), class[*next])).collect();
                    let known = seen.len();
                    *seen.entry((class[state], row)).or_insert(known)
                })
                .collect();
            let now = seen.len();
            if now == count {
                return refined;
            }
            (class, count) = (refined, now);
        }
    }

    pub fn minimal_states(&self) -> usize {
        self.classes().into_iter().collect::<BTreeSet<_>>().len()
    }

    /// The machine without states that nothing tells apart.
    pub fn minimal(&self) -> Self {
        let classes = self.classes();
        let mut order: Vec<usize> = Vec::new();
        let mut queue = VecDeque::from([0]);
        let mut seen = BTreeSet::from([classes[0]]);
        while let Some(state) = queue.pop_front() {
            order.push(state);
            queue.extend(self.rows[state].iter().map(|(_, next)| *next).filter(|next| seen.insert(classes[*next])));
        }
        let place = |state: usize| order.iter().position(|&kept| classes[kept] == classes[state]).unwrap_or(0);
        let row =
            |&state: &usize| self.rows[state].iter().map(|(answer, next)| (answer.clone(), place(*next))).collect();
        Self {
            words: self.words.clone(),
            rows: order.iter().map(row).collect(),
            names: order.iter().map(|&state| self.names[state].clone()).collect(),
        }
    }

    /// Walks both at once; the shortest words after which they differ, and both answers.
    pub fn difference(&self, other: &Self) -> Option<(Vec<String>, [String; 2])> {
        let mut seen = BTreeSet::from([(0, 0)]);
        let mut queue = VecDeque::from([(0, 0, Vec::new())]);
        while let Some((one, two, way)) = queue.pop_front() {
            for (at, word) in self.words.iter().enumerate() {
                let Some(beside) = other.words.iter().position(|known| known == word) else {
                    return Some((vec![word.clone()], ["a word".to_owned(), "no word".to_owned()]));
                };
                let ((a, next_a), (b, next_b)) = (&self.rows[one][at], &other.rows[two][beside]);
                let mut way: Vec<String> = way.clone();
                way.push(word.clone());
                if a != b {
                    return Some((way, [a.clone(), b.clone()]));
                }
                if seen.insert((*next_a, *next_b)) {
                    queue.push_back((*next_a, *next_b, way));
                }
            }
        }
        None
    }

    /// Every difference of the two, and the shortest words to it. What a word leads to where the answers differ is not
    /// followed.
    pub fn differences(&self, other: &Self) -> Vec<(Signature, Vec<String>)> {
        let mut found: Vec<(Signature, Vec<String>)> = Vec::new();
        let mut seen = BTreeSet::from([(0, 0)]);
        let mut queue = VecDeque::from([(0, 0, Vec::new())]);
        while let Some((one, two, way)) = queue.pop_front() {
            for (word, ((a, next_a), (b, next_b))) in self.words.iter().zip(self.rows[one].iter().zip(&other.rows[two]))
            {
                let way: Vec<String> = way.iter().chain([word]).cloned().collect();
                if a != b {
                    let state = self.names[one].split(['/', ' ']).next().unwrap_or_default().to_owned();
                    let signature = Signature { state, word: word.clone(), segue: a.clone(), other: b.clone() };
                    if !found.iter().any(|(known, _)| *known == signature) {
                        found.push((signature, way));
                    }
                } else if seen.insert((*next_a, *next_b)) {
                    queue.push_back((*next_a, *next_b, way));
                }
            }
        }
        found
    }

    /// Words that take each transition, followed by each word of a set that tells states apart: whatever goes elsewhere
    /// shows.
    pub fn suite(&self) -> Vec<Vec<String>> {
        let mut ways: Vec<Option<Vec<String>>> = vec![None; self.rows.len()];
        ways[0] = Some(Vec::new());
        let mut queue = VecDeque::from([0]);
        while let Some(state) = queue.pop_front() {
            for (word, (_, next)) in self.words.iter().zip(&self.rows[state]) {
                if ways[*next].is_none() {
                    ways[*next] = ways[state].as_ref().map(|way| way.iter().chain([word]).cloned().collect());
                    queue.push_back(*next);
                }
            }
        }
        let telling = self.telling();
        let each = |way: Vec<String>| {
            let one = self.words.iter().map(move |word| way.iter().chain([word]).cloned().collect::<Vec<_>>());
            one.flat_map(|way| {
                telling.iter().map(move |&last| way.iter().chain([&self.words[last]]).cloned().collect())
            })
        };
        ways.into_iter().flatten().flat_map(each).collect()
    }

    /// Words whose answers tell most states apart, the fewest that a greedy choice finds.
    fn telling(&self) -> Vec<usize> {
        let classes = |set: &[usize]| {
            let answers = self.rows.iter().map(|row| set.iter().map(|&word| row[word].0.as_str()).collect::<Vec<_>>());
            answers.collect::<BTreeSet<_>>().len()
        };
        let mut set: Vec<usize> = Vec::new();
        loop {
            let with = |word: usize| set.iter().copied().chain([word]).collect::<Vec<_>>();
            let best = (0..self.words.len()).max_by_key(|&word| (classes(&with(word)), usize::MAX - word));
            match best {
                Some(word) if classes(&with(word)) > classes(&set) => set.push(word),
                _ => return set,
            }
        }
    }

    /// What leads from one state to another, with all words that do.
    fn ways(&self, state: usize) -> Vec<(usize, Vec<String>)> {
        let mut ways: Vec<(usize, Vec<String>)> = Vec::new();
        for (word, (answer, next)) in self.words.iter().zip(&self.rows[state]).filter(|(_, (_, next))| *next != state) {
            let label = format!("{word} / {answer}");
            match ways.iter_mut().find(|(to, _)| to == next) {
                Some((_, labels)) => labels.push(label),
                None => ways.push((*next, vec![label])),
            }
        }
        ways
    }

    fn name(&self, state: usize) -> &str {
        self.names[state].split(' ').next().unwrap_or_default()
    }

    /// For graphviz; what a word does not change is left out.
    pub fn dot(&self, title: &str) -> String {
        let mut lines = vec![format!("digraph \"{title}\" {{"), "  node [shape=box]; rankdir=LR;".to_owned()];
        lines.extend((0..self.rows.len()).map(|state| format!("  {state} [label=\"{}\"];", self.name(state))));
        for state in 0..self.rows.len() {
            let ways = self.ways(state);
            lines
                .extend(ways.iter().map(|(to, words)| format!("  {state} -> {to} [label=\"{}\"];", words.join("\\n"))));
        }
        lines.push("}\n".to_owned());
        lines.join("\n")
    }

    /// The same for Mermaid.
    pub fn mermaid(&self) -> String {
        let mut lines = vec!["```mermaid".to_owned(), "stateDiagram-v2".to_owned()];
        lines.extend((0..self.rows.len()).map(|state| format!("  s{state}: {}", self.name(state))));
        lines.push("  [*] --> s0".to_owned());
        for state in 0..self.rows.len() {
            let ways = self.ways(state);
            lines.extend(ways.iter().map(|(to, words)| format!("  s{state} --> s{to}: {}", words.join("<br/>"))));
        }
        lines.push("```\n".to_owned());
        lines.join("\n")
    }
}

/// Both subjects get the same words; the words up to the first different answer, and both answers.
pub fn walk<A: Subject, B: Subject>(
    one: &mut Tester<A>,
    two: &mut Tester<B>,
    words: impl IntoIterator<Item = Word>,
) -> Result<(), String> {
    let mut way = Vec::new();
    for word in words {
        way.push(word);
        let (a, b) = (one.step(word), two.step(word));
        if a != b {
            return Err(format!("after {}:\n    {a}\n    {b}", text(&way)));
        }
    }
    Ok(())
}
