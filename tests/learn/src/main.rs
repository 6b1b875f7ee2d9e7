//! The command of the learned automaton; `--help` tells what it does.

use std::collections::BTreeSet;
use std::io::{self, BufRead as _, Write as _};
use std::process::ExitCode;
use std::rc::Rc;

use segue_kit::Rng;
use segue_kit::table::parse::{TEXT, parse};
use segue_learn::alphabet::{ALL, Alphabet, KERNEL};
use segue_learn::arguments::Arguments;
use segue_learn::differences::parse as known;
#[cfg(target_os = "linux")]
use segue_learn::kernel::{self, Kernel};
use segue_learn::product::{Mealy, projection, projection_beside_others, tester, walk};
use segue_learn::segue::{Segue, config};
use segue_learn::subject::Subject;
use segue_learn::table::Model;
use segue_learn::tester::Tester;
use segue_learn::word::{Word, text, words};

const HELP: &str = "\
segue-learn COMMAND

  alphabets                       the names of the alphabets
  words ALPHABET                  the words of one
  talk ALPHABET                   a subject for a learner: lines `reset`, `step WORD` and `query WORD...` in, answers out
  check ALPHABET FILE             the automaton that a learner found beside the projection of the reference table
  talk-planted ALPHABET           the same with a fault in it
  talk-kernel ALPHABET            the same with the Linux kernel, as root in a network namespace of its own
  kernel-alphabets                the names of the alphabets for it
  suite ALPHABET                  words that take each transition of the table's automaton, for the kernel
  differences ALPHABET FILE       what of the kernel's automaton is not the table's
  rows                            how much of the table the alphabets have
  dot ALPHABET                    the projection for graphviz
  walk [--runs N] [--seed N]      random words of every alphabet: segue beside the table
  show ALPHABET WORD...           one sequence of words, with the segments
";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("segue-learn: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let Arguments { words: said, runs, seed } =
        Arguments::read(2000).map_err(|error| format!("{error}; --help tells more"))?;
    let args: Vec<&str> = said.iter().map(String::as_str).collect();
    match args[..] {
        ["alphabets"] => ALL.iter().for_each(|alphabet| println!("{}", alphabet.name)),
        ["words", name] => println!("{}", text(&Alphabet::named(name)?.words())),
        ["talk", name] => talk(Alphabet::named(name)?, &mut segue)?,
        ["talk-planted", name] => talk(Alphabet::named(name)?, &mut planted)?,
        #[cfg(target_os = "linux")]
        ["talk-kernel", name] => {
            let (device, mut port) = (kernel::device()?, 10_000);
            let mut make = |alphabet: &Alphabet| {
                port = if port == 60_000 { 10_000 } else { port + 1 };
                tester(Kernel::new(Rc::clone(&device), port), alphabet, false)
            };
            talk(Alphabet::named(name)?, &mut make)?;
        }
        ["suite", name] => {
            let table = Rc::new(parse(TEXT)?);
            let whole = projection_beside_others(&table, Alphabet::named(name)?)?;
            // Also states that answer alike here, for the kernel's may not; unless there are too many of them.
            let suite =
                Some(whole.suite()).filter(|suite| suite.len() < 2000).unwrap_or_else(|| whole.minimal().suite());
            suite.iter().for_each(|way| println!("{}", way.join(" ")));
        }
        ["differences", name, file] => differences(Alphabet::named(name)?, file)?,
        ["kernel-alphabets"] => KERNEL.iter().for_each(|alphabet| println!("{}", alphabet.name)),
        ["check", name, file] => check(Alphabet::named(name)?, file)?,
        ["dot", name] => print!("{}", table_automaton(Alphabet::named(name)?)?.minimal().dot(name)),
        ["rows"] => rows()?,
        ["walk"] => walks(runs, seed)?,
        ["show", name, ..] => show(Alphabet::named(name)?, &args[2..].join(" "))?,
        [] => print!("{HELP}"),
        _ => return Err(format!("this is no command; the commands are:\n\n{HELP}")),
    }
    Ok(())
}

fn segue(alphabet: &Alphabet) -> Tester<Segue> {
    tester(Segue::new(config(alphabet.timestamps).build().expect("valid")), alphabet, true)
}

/// segue with a fault: a reset ends TIME-WAIT (RFC 1337).
fn planted(alphabet: &Alphabet) -> Tester<Segue> {
    tester(Segue::new(config(alphabet.timestamps).rfc1337(false).build().expect("valid")), alphabet, true)
}

/// The rows of the table that decide in some alphabet.
fn rows() -> Result<(), String> {
    let table = Rc::new(parse(TEXT)?);
    let mut lines = BTreeSet::new();
    for alphabet in &ALL {
        let (mealy, found) = projection(&table, alphabet)?;
        println!("{}: {} rows, {} states: {}", alphabet.name, found.len(), mealy.minimal_states(), alphabet.about);
        lines.extend(found);
    }
    println!("{} of {} rows", lines.len(), table.segments.len() + table.calls.len());
    Ok(())
}

fn table_automaton(alphabet: &Alphabet) -> Result<Mealy, String> {
    Ok(projection(&Rc::new(parse(TEXT)?), alphabet)?.0)
}

/// Speaks to a learner until it has no more to ask.
fn talk<S: Subject>(alphabet: &Alphabet, make: &mut dyn FnMut(&Alphabet) -> Tester<S>) -> Result<(), String> {
    let mut subject = make(alphabet);
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = line.map_err(|error| error.to_string())?;
        let (command, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let answer = match command {
            "reset" => {
                drop(subject); // the kernel's sockets go first
                subject = make(alphabet);
                String::new()
            }
            "step" => subject.step(rest.parse()?),
            "query" => {
                drop(subject);
                subject = make(alphabet);
                words(rest)?.into_iter().map(|word| subject.step(word)).collect::<Vec<_>>().join("\t")
            }
            _ => return Err(format!("`{line}` is neither `reset` nor `step WORD` nor `query WORD...`")),
        };
        writeln!(out, "{answer}").and_then(|()| out.flush()).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn check(alphabet: &Alphabet, file: &str) -> Result<(), String> {
    let learned = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let learned = Mealy::parse(&learned).map_err(|why| format!("{file}: {why}"))?;
    let wanted = table_automaton(alphabet)?;
    if let Some((way, [seen, table])) = learned.difference(&wanted) {
        let words = way.join(" ");
        return Err(format!(
            "the learned automaton is not the table's. The shortest words that tell them apart:\n  {words}\n\
             learned  {seen}\ntable    {table}\n`segue-learn show {} {words}` shows the segments",
            alphabet.name
        ));
    }
    let minimal = wanted.minimal_states();
    if minimal != learned.rows.len() {
        return Err(format!("{} states were learned, the table has {minimal}", learned.rows.len()));
    }
    println!("{}: equal to the table: {minimal} states, {} words", alphabet.name, learned.words.len());
    Ok(())
}

/// What the kernel's automaton does otherwise than the table says, and whether the list of differences knows it.
fn differences(alphabet: &Alphabet, file: &str) -> Result<(), String> {
    let rows = known(include_str!("../kernel.txt")).map_err(|why| format!("kernel.txt: {why}"))?;
    let learned = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let learned = Mealy::parse(&learned).map_err(|why| format!("{file}: {why}"))?;
    let wanted = projection_beside_others(&Rc::new(parse(TEXT)?), alphabet)?;
    let found = wanted.differences(&learned);
    let mut unknown = 0;
    println!("{}: {} states, the table has {}", alphabet.name, learned.rows.len(), wanted.minimal_states());
    for (signature, way) in &found {
        let row = rows.iter().find(|row| row.matches(signature));
        let line = row.map_or_else(|| "UNKNOWN".to_owned(), |row| format!("line {}", row.line));
        unknown += usize::from(row.is_none());
        println!("  {line}: {signature}    [{}]", way.join(" "));
    }
    match unknown {
        0 => Ok(()),
        _ => Err(format!("{unknown} differences are not in tests/learn/kernel.txt")),
    }
}

fn walks(runs: u64, seed: u64) -> Result<(), String> {
    const LENGTH: usize = 60;
    let table = Rc::new(parse(TEXT)?);
    for alphabet in &ALL {
        let all = alphabet.words();
        for seed in seed..seed + runs {
            let mut rng = Rng::new(seed);
            let mut two = tester(Model::new(Rc::clone(&table), alphabet.timestamps), alphabet, true);
            let way: Vec<Word> = (0..LENGTH).map(|_| rng.pick(&all)).collect();
            walk(&mut segue(alphabet), &mut two, way)
                .map_err(|why| format!("{}, seed {seed}: segue and the table differ {why}", alphabet.name))?;
        }
        println!("{}: {runs} runs of {LENGTH} words: segue does what the table says", alphabet.name);
    }
    Ok(())
}

fn show(alphabet: &Alphabet, line: &str) -> Result<(), String> {
    fn print<S: Subject>(name: &str, mut tester: Tester<S>, words: &[Word]) {
        println!("{name}");
        tester.ladder = Some(Vec::new());
        for &word in words {
            tester.step(word);
        }
        tester.ladder.iter().flatten().for_each(|line| println!("  {line}"));
    }
    let words = words(line)?;
    print("segue", segue(alphabet), &words);
    let model = Model::new(Rc::new(parse(TEXT)?), alphabet.timestamps);
    print("the table", tester(model, alphabet, true), &words);
    Ok(())
}
