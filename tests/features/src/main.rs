//! Tries sets of features: none, each alone, and all but each. Each set is built, and its conversations run.

use std::collections::BTreeSet;
use std::process::{Command, ExitCode};

const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");

/// The default features, each with those that it needs.
fn features() -> Vec<(String, Vec<String>)> {
    let manifest = std::fs::read_to_string(MANIFEST).expect("segue's manifest");
    let quoted = |list: &str| list.split('"').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let of = |name: &str| {
        let (_, list) = manifest.split_once(&format!("\n{name} = [")).expect("a feature");
        quoted(list.split_once(']').expect("the end of a list").0)
    };
    of("default").into_iter().map(|name| (name.clone(), of(&name))).collect()
}

fn main() -> ExitCode {
    let all = features();
    let names = || all.iter().map(|(name, _)| name.clone());
    let alone =
        all.iter().map(|(name, needs)| (format!("{name} alone"), needs.iter().chain([name]).cloned().collect()));
    let without = names().map(|left_out| {
        let rest = all.iter().filter(|(name, needs)| *name != left_out && !needs.contains(&left_out));
        (format!("without {left_out}"), rest.map(|(name, _)| name.clone()).collect())
    });
    let sets: Vec<(String, BTreeSet<String>)> =
        [("none".to_owned(), BTreeSet::new())].into_iter().chain(alone).chain(without).collect();
    let mut failed = Vec::new();
    for (name, set) in &sets {
        eprintln!("{name}");
        let set: Vec<_> = set.iter().map(|feature| format!("small/{feature}")).collect();
        let mut cargo = Command::new("cargo");
        cargo.args([
            "test",
            "--locked",
            "--quiet",
            "--manifest-path",
            concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
        ]);
        cargo.args(["--test", "conversation", "--features", &set.join(",")]);
        if !cargo.status().is_ok_and(|status| status.success()) {
            failed.push(name);
        }
    }
    println!("{} sets of features, {} failed: {failed:?}", sets.len(), failed.len());
    ExitCode::from(u8::from(!failed.is_empty()))
}
