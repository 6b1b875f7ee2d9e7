//! What the options ask for.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::args::{Mode, Options};
use super::link::SECOND;
use super::measure::{self, Measured};
use super::progress::Progress;
use super::record::{self, Recorded};
use super::rows::{self, Row, Sender};
use super::{document, svg, table};

/// Plots have this many samples a second.
const SAMPLES: u64 = 200;

/// What was measured with a set of seeds.
struct Set {
    name: String,
    rows: Vec<Row>,
    measured: Vec<Measured>,
}

/// Why nothing came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Problem {
    /// A mistake in the options.
    Usage(String),
    /// A file that cannot be used.
    File(String),
}

impl From<String> for Problem {
    fn from(words: String) -> Self {
        Self::File(words)
    }
}

/// Whether all is well.
///
/// # Errors
/// See [`Problem`].
pub fn run(options: &Options) -> Result<bool, Problem> {
    let rows = chosen(options)?;
    match options.mode {
        Mode::List => {
            for row in &rows {
                say(&format!("{:<24} {}\n", row.id(), row.label));
            }
            Ok(true)
        }
        Mode::Record => Ok(record(&rows)?),
        Mode::Check => Ok(check(&rows, options.part)?),
        Mode::Show => show(&rows, options),
    }
}

/// Standard output; nobody reading on, as with `| head`, is no failure.
fn say(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

fn chosen(options: &Options) -> Result<Vec<Row>, Problem> {
    let mut rows = rows::all();
    for name in &options.rows {
        if !rows.iter().any(|row| row.name == *name) {
            return Err(Problem::Usage(format!("--row: there is no row '{name}'; --list shows them")));
        }
    }
    rows.retain(|row| options.rows.is_empty() || options.rows.contains(&row.name));
    let mut rows = rows::matrix(&rows, &options.senders);
    if matches!(options.mode, Mode::Check | Mode::Record) {
        rows.retain(record::is_of_the_record);
        if rows.is_empty() {
            return Err(Problem::Usage("of these rows with these senders, none belongs to the record".to_string()));
        }
    }
    Ok(rows)
}

fn seeds((first, last): (u64, u64)) -> Vec<u64> {
    (first..=last).collect()
}

/// Measures these rows, each with its set of seeds, as one task.
fn measured(tasks: Vec<(Vec<Row>, (u64, u64))>) -> Vec<Set> {
    let all = tasks.iter().map(|(rows, set)| measure::cost(rows, &seeds(*set))).sum();
    let progress = Progress::new(all);
    let set = |(rows, set): (Vec<Row>, (u64, u64))| {
        let measured = measure::measure(&rows, &seeds(set), |cost, row| progress.add(cost, &row.title()));
        Set { name: record::set_name(set), rows, measured }
    };
    tasks.into_iter().map(set).collect()
}

/// Those of the chosen rows that can be compared; says what is left out.
fn comparable(chosen: &[Row], recorded: &Recorded) -> Vec<Row> {
    let rows = recorded.known(chosen);
    for sender in Sender::recorded() {
        let of = |rows: &[Row]| rows.iter().any(|row| row.sender == sender);
        if of(chosen) && !of(&rows) {
            let (name, command) = (sender.name(), record::COMMAND);
            say(&format!(
                "Nothing is recorded with {name}, and nothing compared. To record: {command} --sender {name}\n"
            ));
        }
    }
    rows
}

/// The recorded sets of seeds, each with the rows that it is recorded for.
fn recorded_sets(rows: &[Row]) -> Vec<(Vec<Row>, (u64, u64))> {
    let of_set = |seeds| rows.iter().filter(|row| record::is_recorded(row, seeds)).cloned().collect();
    record::SETS.map(|seeds| (of_set(seeds), seeds)).into()
}

/// Says what broke a law; whether nothing did.
fn lawful(sets: &[Set]) -> bool {
    let lines = sets.iter().flat_map(|set| record::violations(&set.rows, &set.measured)).collect::<Vec<_>>();
    lines.iter().for_each(|line| say(&format!("VIOLATION: {line}\n")));
    lines.is_empty()
}

fn show(rows: &[Row], options: &Options) -> Result<bool, Problem> {
    let draw = draw(rows, options)?;
    let sets = measured(options.seeds.iter().map(|seeds| (rows.to_vec(), *seeds)).collect());
    if options.verbose {
        say(&each_run(&sets));
    }
    let columns = sets.iter().map(|set| (set.name.clone(), set.measured.iter().map(|m| m.medians.clone()).collect()));
    say(&table::table(rows, &columns.collect::<Vec<_>>()));
    if let Some(file) = &options.csv {
        write(file, &csv(&sets))?;
    }
    draw()?;
    Ok(lawful(&sets))
}

fn each_run(sets: &[Set]) -> String {
    let mut text = String::new();
    for (row, measured) in sets.iter().flat_map(|set| set.rows.iter().zip(&set.measured)) {
        for (seed, outcome) in &measured.runs {
            let values = row.figures.iter().zip(&outcome.values);
            let values = values.map(|(f, v)| format!("{} {}", f.name, table::value(f.unit, *v))).collect::<Vec<_>>();
            let _ = writeln!(text, "{} seed {seed}: {}; {}", row.id(), values.join(", "), outcome.notes);
        }
    }
    text
}

/// Every run's figures, and after them the medians.
fn csv(sets: &[Set]) -> String {
    let mut csv = "row,figure,seeds,value\n".to_string();
    for Set { name: set, rows, measured } in sets {
        for (row, measured) in rows.iter().zip(measured) {
            for (i, figure) in row.figures.iter().enumerate() {
                let name = figure.name.replace(',', "");
                for (seed, outcome) in &measured.runs {
                    let _ = writeln!(csv, "{},{name},{seed},{:.6}", row.id(), outcome.values[i]);
                }
                let _ = writeln!(csv, "{},{name},median {set},{:.6}", row.id(), measured.medians[i]);
            }
        }
    }
    csv
}

/// Checks where the plots go; what it returns makes them, from the first seed.
fn draw<'a>(rows: &'a [Row], options: &'a Options) -> Result<impl FnOnce() -> Result<(), String> + 'a, Problem> {
    let seed = options.seeds[0].0;
    let targets = [(&options.svg, "svg"), (&options.trace, "csv"), (&options.packets, "txt")];
    for (target, extension) in targets {
        let one = target.as_ref().filter(|path| path.extension().is_some_and(|e| e == extension));
        if let (Some(path), 2..) = (one, rows.len()) {
            let words = format!("{} is one file for {} rows: choose one with --row", path.display(), rows.len());
            return Err(Problem::Usage(words));
        }
    }
    Ok(move || {
        for row in rows.iter().filter(|_| targets.iter().any(|(target, _)| target.is_some())) {
            let outcome = measure::run(row, seed, Some(SECOND / SAMPLES));
            for (target, extension) in targets {
                let Some(target) = target else { continue };
                let text = match extension {
                    "svg" => svg::plot(&format!("{}, seed {seed}", row.title()), &outcome.tracks),
                    "txt" => outcome.packets.clone(),
                    _ => svg::numbers(&outcome.tracks),
                };
                write(&place(target, row, extension), &text)?;
            }
        }
        Ok(())
    })
}

/// A file of the right kind is taken as it is, anything else as a directory.
fn place(target: &Path, row: &Row, extension: &str) -> PathBuf {
    if target.extension().is_some_and(|e| e == extension) {
        target.to_path_buf()
    } else {
        target.join(format!("{}.{extension}", row.id()))
    }
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let made = folder.map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| std::fs::write(file, text))
        .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    say(&format!("written: {}\n", file.display()));
    Ok(())
}

/// Measures these rows and writes what is recorded of all.
fn record(rows: &[Row]) -> Result<bool, String> {
    let all = record::rows();
    let mut recorded = if rows.len() == all.len() { Recorded::default() } else { Recorded::read()? };
    let mut tasks = recorded_sets(rows);
    tasks.push((record::quick(rows), record::QUICK));
    tasks.push((record::brief(rows), record::BRIEF));
    let mut sets = measured(tasks);
    for (set, name) in sets.iter_mut().rev().zip([record::BRIEF_NAME, record::QUICK_NAME]) {
        set.name = name.to_string();
    }
    for set in &sets {
        recorded.put(&set.name, &set.rows, &set.measured);
    }
    let text = recorded.text(&all);
    write(&record::file(), &text)?;
    write(&record::document(), &document::markdown(&Recorded::parse(&text)?, &all))?;
    Ok(lawful(&sets))
}

fn check(rows: &[Row], part: bool) -> Result<bool, String> {
    let recorded = Recorded::read()?;
    let chosen = if part { record::part(rows) } else { rows.to_vec() };
    let brief = comparable(&if part { record::brief(rows) } else { Vec::new() }, &recorded);
    let rows = comparable(&chosen, &recorded);
    if rows.is_empty() && brief.is_empty() {
        return Err("nothing is compared".to_string());
    }
    let mut tasks = recorded_sets(&rows);
    tasks.push((brief, record::BRIEF));
    let mut sets = measured(tasks);
    if let Some(brief) = sets.last_mut() {
        brief.name = record::BRIEF_NAME.to_string();
    }
    let mut good = lawful(&sets);
    let mut changed = false;
    for set in &sets {
        let (lines, bad) = record::compare(&set.name, &set.rows, &set.measured, &recorded);
        lines.iter().for_each(|line| say(&format!("{line}\n")));
        changed |= !lines.is_empty();
        good &= !bad;
    }
    say(match (good, changed) {
        (true, false) => "All figures are as recorded.\n",
        (true, true) => "No figure is worse than recorded by more than 1 %.\n",
        (false, _) => "Something is worse.\n",
    });
    if changed {
        say(&format!("To record these figures: {}; some of them, with --row and --sender\n", record::COMMAND));
    }
    Ok(good)
}
