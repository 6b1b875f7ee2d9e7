//! The command of the lockstep: other TCPs beside segue; `--help` tells what it does.

use std::collections::BTreeMap;
use std::process::ExitCode;

use segue_learn::arguments::Arguments;
use segue_learn::differences::parse;
use segue_learn::lockstep::{Counts, Pairing, Unknown, report};
use segue_learn::smoltcp::Smoltcp;
use segue_learn::subject::Subject;
use segue_learn::vtcp::Vtcp;
use segue_learn::word::words;

const HELP: &str = "\
segue-lockstep COMMAND

  smoltcp [--runs N] [--seed N]   the same words to segue and to smoltcp, each run with a seed of its own
  vtcp [--runs N] [--seed N]      the same with pktkit's vtcp
  survey smoltcp|vtcp [...]       counts the differences that no row knows, and goes on
  detail smoltcp|vtcp [...]       what each row stands for
  show smoltcp|vtcp WORD...       one sequence of words, with the segments

A word that brings a difference which a row of tests/learn/NAME.txt knows is taken out; any other difference ends the run.
";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("segue-lockstep: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let Arguments { words: said, runs, seed } =
        Arguments::read(5000).map_err(|error| format!("{error}; --help tells more"))?;
    let args: Vec<&str> = said.iter().map(String::as_str).collect();
    let smoltcp = || -> Result<_, String> {
        let rows = parse(include_str!("../smoltcp.txt")).map_err(|why| format!("smoltcp.txt: {why}"))?;
        Ok(Pairing { make: Smoltcp::default, opens: "CONNECT LISTEN", rows })
    };
    let vtcp = || -> Result<_, String> {
        let rows = parse(include_str!("../vtcp.txt")).map_err(|why| format!("vtcp.txt: {why}"))?;
        Ok(Pairing { make: Vtcp::default, opens: "CONNECT ACCEPT", rows })
    };
    let all = seed..seed + runs;
    match args[..] {
        ["smoltcp"] => lockstep("smoltcp", &smoltcp()?, all),
        ["vtcp"] => lockstep("vtcp", &vtcp()?, all),
        ["detail", "smoltcp"] => detail(&smoltcp()?, all),
        ["detail", "vtcp"] => detail(&vtcp()?, all),
        ["survey", "smoltcp"] => survey(smoltcp()?, all),
        ["survey", "vtcp"] => survey(vtcp()?, all),
        ["show", "smoltcp", ..] => show(&smoltcp()?, &args[2..].join(" ")),
        ["show", "vtcp", ..] => show(&vtcp()?, &args[2..].join(" ")),
        [] => {
            print!("{HELP}");
            Ok(())
        }
        _ => Err(format!("this is no command; the commands are:\n\n{HELP}")),
    }
}

fn lockstep<S: Subject>(name: &str, pairing: &Pairing<S>, seeds: std::ops::Range<u64>) -> Result<(), String> {
    let (mut counts, runs) = (Counts::default(), seeds.end - seeds.start);
    for seed in seeds {
        pairing.run(&mut pairing.draw(seed), &mut counts).map_err(|unknown| report(name, seed, pairing, &unknown))?;
    }
    println!("{name}: {runs} runs, {} words with equal answers; known differences:", counts.words);
    for row in &pairing.rows {
        let count = counts.rows.get(&row.line).copied().unwrap_or(0);
        println!("{count:>8}  line {}: {}", row.line, row.columns[6]);
    }
    let unseen: Vec<String> = pairing
        .rows
        .iter()
        .filter(|row| !counts.rows.contains_key(&row.line))
        .map(|row| row.line.to_string())
        .collect();
    if !unseen.is_empty() && runs >= 5000 {
        return Err(format!("no run needed the rows of tests/learn/{name}.txt in the lines {}", unseen.join(", ")));
    }
    Ok(())
}

fn survey<S: Subject>(mut pairing: Pairing<S>, seeds: std::ops::Range<u64>) -> Result<(), String> {
    let mut found: BTreeMap<String, (usize, Unknown)> = BTreeMap::new();
    for seed in seeds {
        let mut words = pairing.draw(seed);
        while let Err(unknown) = pairing.run(&mut words, &mut Counts::default()) {
            let signature = unknown.signature.to_string();
            words.remove(unknown.words.len() - 1);
            found.entry(signature).or_insert((0, unknown)).0 += 1;
        }
    }
    pairing.rows.clear();
    for (signature, (count, unknown)) in &found {
        println!("{count:>6} {signature}    [{}]", segue_learn::word::text(&pairing.shrink(unknown).words));
    }
    Ok(())
}

fn detail<S: Subject>(pairing: &Pairing<S>, seeds: std::ops::Range<u64>) -> Result<(), String> {
    let mut counts = Counts::default();
    for seed in seeds {
        drop(pairing.run(&mut pairing.draw(seed), &mut counts));
    }
    for ((line, signature), count) in &counts.signatures {
        println!("line {line:>3} {count:>6} {signature}");
    }
    Ok(())
}

fn show<S: Subject>(pairing: &Pairing<S>, line: &str) -> Result<(), String> {
    print!("{}", pairing.ladder(&words(line)?));
    Ok(())
}
