//! `sizes.csv`: the sizes as recorded, and how the present ones compare.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use crate::Outcome;
use crate::build::{Features, Target, compiler};

pub(crate) struct Recorded {
    compiler: String,
    /// By target and features.
    sizes: BTreeMap<(String, String), u64>,
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("sizes.csv")
}

fn key(target: &Target, features: &Features) -> (String, String) {
    (target.name.clone(), features.name().to_owned())
}

impl Recorded {
    pub(crate) fn read() -> Outcome<Self> {
        let mut recorded = Self { compiler: "no compiler".to_owned(), sizes: BTreeMap::new() };
        let Ok(text) = std::fs::read_to_string(file()) else { return Ok(recorded) };
        for line in text.lines() {
            if let Some(compiler) = line.strip_prefix("# ") {
                recorded.compiler = compiler.to_owned();
                continue;
            }
            let [target, features, octets] = line.split(',').collect::<Vec<_>>()[..] else {
                return Err(format!("{}: not a row: {line}", file().display()).into());
            };
            if target != "target" {
                recorded.sizes.insert((target.to_owned(), features.to_owned()), octets.parse()?);
            }
        }
        Ok(recorded)
    }

    /// Prints the present sizes beside the recorded ones. Returns whether none is more than 3 % larger.
    pub(crate) fn compare(&self, target: &Target, now: &[(Features, u64)]) -> bool {
        println!("{:24} {:>8} {:>8}", "features", "recorded", "now");
        let mut ok = true;
        for (features, size) in now {
            let was = self.sizes.get(&key(target, features));
            let (mark, fits) = match was {
                Some(&was) if *size * 100 > was * 103 => ("  LARGER", false),
                Some(&was) if *size * 103 < was * 100 => ("  smaller: --record keeps it so", true),
                Some(_) => ("", true),
                None => ("  NOT RECORDED", false),
            };
            let recorded = was.map_or_else(|| "-".to_owned(), u64::to_string);
            println!("{:24} {recorded:>8} {size:>8}{mark}", features.name());
            ok &= fits;
        }
        if !ok {
            println!(
                "Where the code goes: --sources, --functions. If it must be so: --record, and the reason in the commit."
            );
            if self.compiler != compiler() {
                println!("The sizes were recorded with {}.", self.compiler);
            }
        }
        ok
    }

    pub(crate) fn record(&mut self, target: &Target, now: &[(Features, u64)]) -> Outcome<()> {
        for (features, size) in now {
            self.sizes.insert(key(target, features), *size);
        }
        let mut text = format!("# {}\ntarget,features,octets\n", compiler());
        for ((target, features), size) in &self.sizes {
            writeln!(text, "{target},{features},{size}")?;
        }
        std::fs::write(file(), text)?;
        println!("recorded in {}", file().display());
        Ok(())
    }
}
