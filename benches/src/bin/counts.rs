//! Instructions of every row under callgrind, as one table beside the recorded ones. `--help` tells the options.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use segue_benches::harness::{Outcome, compiler, count, is_row, profile};
use segue_benches::{Row, Run, rows};

const HELP: &str = "\
Counts the instructions of every row of the benchmarks under callgrind and prints them beside the recorded ones.

    cargo run --release --manifest-path benches/Cargo.toml --bin counts [-- OPTIONS] [WORD...]

    WORD             only rows whose name or form contains it (all words, if several)
    --check          fail if a row takes more than 3 % more instructions than recorded, or if a segment
                     out of order takes more than 4 times the instructions of one in order
    --record         write benches/counts.csv; a row up to 3 % slower keeps its figure,
                     so that small steps do not add up unseen
    --reason TEXT    with --record: why rows became slower; required for those that did
    --help           this text

Needs valgrind.
";

/// A row may take 3 % more than recorded, and one instruction for the small ones.
fn slower(recorded: f64, now: f64) -> bool {
    now > (recorded * 1.03).max(recorded + 1.0)
}

fn faster(recorded: f64, now: f64) -> bool {
    now < (recorded * 0.97).min(recorded - 1.0)
}

/// How many times as much as a segment in order one out of order may take, whatever the number of holes.
const OUT_OF_ORDER: f64 = 4.0;
const IN_ORDER: &str = "receive a segment in order, and half an ACK";

/// The rows of segments out of order, each with its multiple of the row of the same form in order.
fn out_of_order<'a>(table: &'a [Line<'_>]) -> impl Iterator<Item = (&'a Row, f64)> {
    table.iter().filter(|line| line.row.name.starts_with("receive out of order,")).filter_map(|line| {
        let in_order = table.iter().find(|other| other.row.name == IN_ORDER && other.row.form == line.row.form)?;
        Some((line.row, line.now / in_order.now))
    })
}

#[derive(Default)]
struct Arguments {
    check: bool,
    record: bool,
    reason: Option<String>,
    words: Vec<String>,
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("counts: {error}");
            ExitCode::from(2)
        }
    }
}

fn arguments() -> Outcome<Option<Arguments>> {
    use lexopt::prelude::*;
    let mut arguments = Arguments::default();
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("check") => arguments.check = true,
            Long("record") => arguments.record = true,
            Long("reason") => arguments.reason = Some(parser.value()?.string()?.replace(['"', '\n'], "'")),
            Long("help") | Short('h') => return Ok(None),
            Value(word) => arguments.words.push(word.string()?),
            _ => return Err(format!("{}; --help tells the options", argument.unexpected()).into()),
        }
    }
    if arguments.reason.is_some() && !arguments.record {
        return Err("--reason goes with --record".into());
    }
    Ok(Some(arguments))
}

fn run() -> Outcome<bool> {
    if is_row(|| rows().into_iter().map(|row| row.run).collect())? {
        return Ok(true);
    }
    let Some(arguments) = arguments()? else {
        print!("{HELP}");
        return Ok(true);
    };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("counts.csv");
    let mut recorded = Recorded::read(&file)?;
    let all = rows();
    let rows = chosen(&arguments.words)?;
    let runs: Vec<(usize, Run)> = rows.iter().map(|(number, row)| (*number, row.run.clone())).collect();
    let counted = rows.iter().zip(count(&runs)?);
    let table: Vec<Line<'_>> =
        counted.map(|((number, row), now)| Line { number: *number, row, was: recorded.figure(row), now }).collect();
    println!("{}", render(&table));
    if let Some((row, ratio)) = out_of_order(&table).max_by(|(_, a), (_, b)| a.total_cmp(b)) {
        println!("A segment out of order takes up to {ratio:.2} times the instructions of one in order: {row:?}.");
    }

    if arguments.record {
        return recorded.record(&table, arguments.reason.as_deref(), &all, &file);
    }
    Ok(!arguments.check || verdict(&table, &recorded))
}

/// One row of the table.
struct Line<'a> {
    number: usize,
    row: &'a Row,
    was: Option<f64>,
    now: f64,
}

fn figure(figure: f64) -> String {
    if figure < 100.0 { format!("{figure:.1}") } else { format!("{figure:.0}") }
}

fn render(table: &[Line<'_>]) -> String {
    let mut text = format!("{:64} {:16} {:>9} {:>9} {:>7}\n", "instructions", "", "recorded", "now", "ratio");
    for Line { row, was, now, .. } in table {
        let recorded = was.map_or("-".to_owned(), figure);
        let ratio = was.map_or("-".to_owned(), |was| format!("{:.3}", now / was));
        let mark = match was {
            Some(was) if slower(*was, *now) => "  slower",
            Some(was) if faster(*was, *now) => "  faster",
            _ => "",
        };
        let (name, form, now) = (&row.name, row.form.name(), figure(*now));
        writeln!(text, "{name:64} {form:16} {recorded:>9} {now:>9} {ratio:>7}{mark}").expect("a string");
    }
    text
}

/// Whether the table is as recorded; says what to do if not.
fn verdict(table: &[Line<'_>], recorded: &Recorded) -> bool {
    let slow: Vec<&Line<'_>> = table.iter().filter(|line| line.was.is_some_and(|was| slower(was, line.now))).collect();
    let new: Vec<&Row> = table.iter().filter(|line| line.was.is_none()).map(|line| line.row).collect();
    if table.iter().any(|line| line.was.is_some_and(|was| faster(was, line.now))) {
        println!(
            "Some rows are faster than recorded. To keep it so: run this with --record and commit benches/counts.csv."
        );
    }
    if !new.is_empty() {
        println!("FAILED: not recorded yet: {new:#?}. Run this with --record and commit benches/counts.csv.");
    }
    if !slow.is_empty() {
        println!("FAILED: more than 3 % slower than recorded; this shows where the instructions go:");
        for Line { number, row, .. } in &slow {
            println!("  {row:?}: callgrind_annotate --inclusive=yes {}", profile(*number).display());
        }
        println!(
            "If it must be so: run this with --record --reason \"WHY\" and commit benches/counts.csv with the change."
        );
        if recorded.compiler != compiler() {
            println!("The figures were recorded with {}; this is {}.", recorded.compiler, compiler());
        }
    }
    let dear: Vec<(&Row, f64)> = out_of_order(table).filter(|&(_, ratio)| ratio > OUT_OF_ORDER).collect();
    for (row, ratio) in &dear {
        println!("FAILED: {row:?}: {ratio:.2} times \"{IN_ORDER}\", and {OUT_OF_ORDER} times is the limit.");
    }
    slow.is_empty() && new.is_empty() && dear.is_empty()
}

/// `counts.csv`: a figure for each row and form, and why it became larger when it last did.
struct Recorded {
    compiler: String,
    figures: BTreeMap<(String, String), (f64, String)>,
}

impl Recorded {
    fn read(file: &Path) -> Outcome<Self> {
        let mut recorded = Self { compiler: "no compiler".to_owned(), figures: BTreeMap::new() };
        let Ok(text) = std::fs::read_to_string(file) else { return Ok(recorded) };
        for line in text.lines() {
            if let Some(compiler) = line.strip_prefix("# ") {
                recorded.compiler = compiler.to_owned();
                continue;
            }
            let mut quoted = line.split('"');
            let (Some(""), Some(name), Some(middle), reason) =
                (quoted.next(), quoted.next(), quoted.next(), quoted.next())
            else {
                continue; // the headline
            };
            let mut middle = middle.split(',').filter(|part| !part.is_empty());
            let (Some(form), Some(count)) = (middle.next(), middle.next()) else {
                return Err(format!("{}: not a row: {line}", file.display()).into());
            };
            let reason = reason.unwrap_or_default().to_owned();
            recorded.figures.insert((name.to_owned(), form.to_owned()), (count.parse()?, reason));
        }
        Ok(recorded)
    }

    fn figure(&self, row: &Row) -> Option<f64> {
        self.figures.get(&Self::key(row)).map(|&(figure, _)| figure)
    }

    fn key(row: &Row) -> (String, String) {
        (row.name.clone(), row.form.name().to_owned())
    }

    fn record(&mut self, table: &[Line<'_>], reason: Option<&str>, all: &[Row], file: &Path) -> Outcome<bool> {
        let slow: Vec<&Row> = table
            .iter()
            .filter(|line| line.was.is_some_and(|was| slower(was, line.now)))
            .map(|line| line.row)
            .collect();
        if reason.is_none() && !slow.is_empty() {
            println!("NOT RECORDED: more than 3 % slower: {slow:#?}");
            println!("Say why, for the column `reason`: --record --reason \"WHY\"");
            return Ok(false);
        }
        for Line { row, was, now, .. } in table {
            let entry = self.figures.entry(Self::key(row)).or_default();
            match was {
                Some(was) if slower(*was, *now) => *entry = (*now, reason.unwrap_or_default().to_owned()),
                Some(was) if *now >= *was => {} // within 3 %: small steps do not add up unseen
                _ => *entry = (*now, String::new()),
            }
        }
        let mut text = format!("# {}\n\"row\",form,instructions,reason\n", compiler()).replace("\"row\"", "row");
        for row in all {
            let key = Self::key(row);
            if let Some((count, reason)) = self.figures.get(&key) {
                let ((name, form), count) = (&key, figure(*count));
                writeln!(text, "\"{name}\",{form},{count},\"{reason}\"")?;
            }
        }
        std::fs::write(file, text)?;
        println!("recorded: {} of {} rows, in {}", table.len(), all.len(), file.display());
        Ok(true)
    }
}

/// The rows whose name and form contain all the words, with their numbers.
fn chosen(words: &[String]) -> Outcome<Vec<(usize, Row)>> {
    let mut chosen: Vec<_> = rows().into_iter().enumerate().collect();
    chosen.retain(|(_, row)| words.iter().all(|word| format!("{row:?}").contains(word)));
    if chosen.is_empty() {
        return Err(format!("no row is named like that; there are: {:#?}", rows()).into());
    }
    Ok(chosen)
}
