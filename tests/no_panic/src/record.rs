//! The verdicts, and those that are recorded in `proved.csv`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::Outcome;
use crate::build::Build;

/// The better first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Verdict {
    Proved,
    Apart,
    Overflow,
    Open,
}

impl Verdict {
    const ALL: [Self; 4] = [Self::Proved, Self::Apart, Self::Overflow, Self::Open];

    const fn name(self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::Apart => "apart",
            Self::Overflow => "overflow",
            Self::Open => "open",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// For each entry point the verdict for release, and with overflow checks.
#[derive(Default)]
pub(crate) struct Record(BTreeMap<String, [Option<Verdict>; 2]>);

const HEAD: &str = "entry,release,checked";

impl Record {
    fn path() -> PathBuf {
        [env!("CARGO_MANIFEST_DIR"), "proved.csv"].iter().collect()
    }

    pub(crate) fn read() -> Outcome<Self> {
        let mut record = Self::default();
        let text = std::fs::read_to_string(Self::path()).unwrap_or_default();
        for line in text.lines().filter(|line| *line != HEAD) {
            let [entry, verdicts @ ..] = &line.split(',').collect::<Vec<_>>()[..] else { continue };
            for (build, name) in Build::ALL.into_iter().zip(verdicts) {
                let verdict = Verdict::ALL.into_iter().find(|verdict| verdict.name() == *name);
                record.set(entry, build, verdict.ok_or(format!("proved.csv: {name} is no verdict"))?);
            }
        }
        Ok(record)
    }

    pub(crate) fn set(&mut self, entry: &str, build: Build, verdict: Verdict) {
        let [release, checked] = self.0.entry(entry.to_owned()).or_default();
        *(if build == Build::Release { release } else { checked }) = Some(verdict);
    }

    /// What got worse: entry, verdict of then, verdict of now.
    fn losses<'a>(&'a self, now: &'a Self) -> impl Iterator<Item = String> + 'a {
        self.0.iter().flat_map(move |(entry, then)| {
            let now = now.0.get(entry).copied().unwrap_or_default();
            let pairs = then.iter().zip(now).zip(Build::ALL);
            pairs.filter_map(move |((then, now), build)| {
                let (then, now) =
                    ((*then)?, now.map_or("gone", |now| if now > (*then).unwrap_or(now) { now.name() } else { "" }));
                (!now.is_empty()).then(|| format!("{entry}, {}: {then} is recorded, now it is {now}", build.name()))
            })
        })
    }

    /// Whether nothing got worse, and nothing is better or new without being recorded.
    pub(crate) fn agrees(&self, now: &Self) -> bool {
        let losses: Vec<_> = self.losses(now).collect();
        for loss in &losses {
            println!("WORSE: {loss}");
        }
        if !losses.is_empty() {
            println!(
                "`cargo run --manifest-path tests/no_panic/Cargo.toml -- --why ENTRY` tells where the panics stand."
            );
            return false;
        }
        if self.0 != now.0 {
            println!(
                "Better than recorded. Record it: cargo run --manifest-path tests/no_panic/Cargo.toml -- --record"
            );
        }
        self.0 == now.0
    }

    /// Records the verdicts of now, unless one got worse.
    pub(crate) fn replace(&self, now: &Self) -> Outcome<()> {
        if let Some(loss) = self.losses(now).next() {
            return Err(format!("not recorded: {loss}").into());
        }
        let lines = now.0.iter().map(|(entry, verdicts)| {
            let [release, checked] = verdicts.map(|verdict| verdict.map_or("", Verdict::name));
            format!("{entry},{release},{checked}\n")
        });
        std::fs::write(Self::path(), format!("{HEAD}\n{}", lines.collect::<String>()))?;
        Ok(())
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:36} {:9} with overflow checks", "entry point", "release")?;
        for (entry, verdicts) in &self.0 {
            let [release, checked] = verdicts.map(|verdict| verdict.map_or("", Verdict::name));
            writeln!(f, "{:36} {release:9} {checked}", entry.trim_start_matches("entry_"))?;
        }
        Ok(())
    }
}
