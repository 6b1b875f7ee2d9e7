//! The places that refer to panics, counted by kind and function, and the counts that are recorded in `places.csv`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::Outcome;
use crate::apart::kind;
use crate::build::{Build, compiler};
use crate::graph::{Graph, Panic};

/// How many places refer to a panic, or call a function of another crate that reaches one by itself. The key is a row of
/// `places.csv` without the count.
#[derive(Default, PartialEq, Eq)]
pub(crate) struct Places {
    compiler: String,
    counts: BTreeMap<String, usize>,
}

const HEAD: &str = "build,kind,function,source,through,places";

impl Places {
    fn path() -> PathBuf {
        [env!("CARGO_MANIFEST_DIR"), "places.csv"].iter().collect()
    }

    /// Without places, as this compiler makes them.
    pub(crate) fn none() -> Self {
        Self { compiler: compiler(), counts: BTreeMap::new() }
    }

    pub(crate) fn read() -> Outcome<Self> {
        let mut places = Self::default();
        let text = std::fs::read_to_string(Self::path()).map_err(|error| format!("places.csv: {error}"))?;
        for line in text.lines().filter(|line| *line != HEAD) {
            if let Some(compiler) = line.strip_prefix("# ") {
                compiler.clone_into(&mut places.compiler);
                continue;
            }
            let (key, count) = line.rsplit_once(',').ok_or_else(|| format!("places.csv: no row: {line}"))?;
            if places.counts.insert(key.to_owned(), count.parse()?).is_some() {
                return Err(format!("places.csv: twice: {key}").into());
            }
        }
        if places.compiler.is_empty() {
            return Err("places.csv names no compiler".into());
        }
        Ok(places)
    }

    pub(crate) fn write(&self) -> Outcome<()> {
        let lines: String = self.counts.iter().map(|(key, count)| format!("{key},{count}\n")).collect();
        Ok(std::fs::write(Self::path(), format!("# {}\n{HEAD}\n{lines}", self.compiler))?)
    }

    /// Counts what any of the entry points reaches.
    pub(crate) fn count(&mut self, build: Build, graph: &Graph) {
        let entries = graph.entries();
        let panics: BTreeSet<Panic> = entries.iter().flat_map(|entry| graph.panics_of(entry)).collect();
        for panic in &panics {
            self.add(build, kind(panic), panic, "");
        }
        for (call, panics) in graph.calls() {
            let kinds: BTreeSet<&str> = panics.iter().map(kind).collect();
            for kind in kinds {
                self.add(build, kind, &call, &call.panic);
            }
        }
    }

    fn add(&mut self, build: Build, kind: &str, panic: &Panic, through: &str) {
        let key = format!("{},{kind},\"{}\",{},\"{through}\"", build.profile(), panic.function, panic.source());
        *self.counts.entry(key).or_default() += 1;
    }

    /// The sum of the places of a kind.
    pub(crate) fn of(&self, build: Build, kind: &str) -> usize {
        let begin = format!("{},{kind},", build.profile());
        self.counts.iter().filter(|(key, _)| key.starts_with(&begin)).map(|(_, count)| count).sum()
    }

    /// Whether all is as recorded. Another compiler makes other places, so that nothing can be compared.
    pub(crate) fn agrees(&self, now: &Self) -> bool {
        if self.compiler != now.compiler {
            println!("places.csv is of {}; this is {}: the verdicts alone are compared.", self.compiler, now.compiler);
            return true;
        }
        let keys: BTreeSet<&String> = self.counts.keys().chain(now.counts.keys()).collect();
        let count = |places: &Self, key: &String| places.counts.get(key).copied().unwrap_or(0);
        for key in keys {
            let (then, now) = (count(self, key), count(now, key));
            if then != now {
                println!("{}: {key}: {then} recorded, now {now}", if now > then { "MORE" } else { "FEWER" });
            }
        }
        if self.counts != now.counts {
            println!(
                "These places may panic, or do so no more. See whether the reason why each kind is set apart holds for them \
                 (`-- --why ENTRY` tells the lines), then record them: cargo run --manifest-path tests/no_panic/Cargo.toml -- --record"
            );
        }
        self.counts == now.counts
    }
}
