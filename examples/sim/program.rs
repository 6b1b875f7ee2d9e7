//! What the options ask for.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::args::{Mode, Options};
use super::link::SECOND;
use super::measure::{self, Measured};
use super::record::{self, Recorded};
use super::rows::{self, Row};
use super::{progress, svg, table};

/// Plots have so many samples a second.
const SAMPLES: u64 = 200;

type Sets = Vec<(String, Vec<Measured>)>;

/// Whether all is well; an error is a mistake in the options, or a file that cannot be used.
pub(crate) fn run(options: &Options) -> Result<bool, String> {
    let rows = chosen(options)?;
    match options.mode {
        Mode::List => {
            for row in &rows {
                say(&format!("{:<14} {}\n", row.name, row.label));
            }
            Ok(true)
        }
        Mode::Record => record(&rows),
        Mode::Check => check(&rows),
        Mode::Show => show(&rows, options),
    }
}

/// Standard output; nobody reading on, as with `| head`, is no failure.
fn say(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

fn chosen(options: &Options) -> Result<Vec<Row>, String> {
    let mut rows = rows::all();
    for name in &options.rows {
        if !rows.iter().any(|row| row.name == name) {
            return Err(format!("--row: there is no row '{name}'; --list shows them"));
        }
    }
    rows.retain(|row| options.rows.is_empty() || options.rows.iter().any(|name| name == row.name));
    Ok(rows)
}

fn measured(rows: &[Row], (first, last): (u64, u64)) -> Vec<Measured> {
    let seeds = (first..=last).collect::<Vec<_>>();
    measure::measure(rows, &seeds, |done, all, row| progress::show(done, all, row.label))
}

fn sets(rows: &[Row], seeds: &[(u64, u64)]) -> Sets {
    seeds.iter().map(|set| (record::set_name(*set), measured(rows, *set))).collect()
}

fn table(rows: &[Row], sets: &Sets) -> String {
    let medians = |measured: &[Measured]| measured.iter().map(|m| m.medians.clone()).collect();
    let sets = sets.iter().map(|(name, measured)| (name.clone(), medians(measured))).collect::<Vec<_>>();
    table::table(rows, &sets)
}

/// Says what broke a law; whether nothing did.
fn lawful(rows: &[Row], sets: &Sets) -> bool {
    let lines = sets.iter().flat_map(|(_, measured)| record::violations(rows, measured)).collect::<Vec<_>>();
    lines.iter().for_each(|line| say(&format!("VIOLATION: {line}\n")));
    lines.is_empty()
}

fn show(rows: &[Row], options: &Options) -> Result<bool, String> {
    let draw = draw(rows, options)?;
    let sets = sets(rows, &options.seeds);
    if options.verbose {
        say(&each_run(rows, &sets));
    }
    say(&table(rows, &sets));
    if let Some(file) = &options.csv {
        write(file, &csv(rows, &sets))?;
    }
    draw()?;
    Ok(lawful(rows, &sets))
}

fn each_run(rows: &[Row], sets: &Sets) -> String {
    let mut text = String::new();
    for (row, measured) in sets.iter().flat_map(|(_, measured)| rows.iter().zip(measured)) {
        for (seed, outcome) in &measured.runs {
            let values = row.figures.iter().zip(&outcome.values);
            let values = values.map(|(f, v)| format!("{} {}", f.name, table::value(f.unit, *v))).collect::<Vec<_>>();
            let _ = writeln!(text, "{} seed {seed}: {}; {}", row.name, values.join(", "), outcome.notes);
        }
    }
    text
}

/// Every run's figures, and after them the medians.
fn csv(rows: &[Row], sets: &Sets) -> String {
    let mut csv = "row,figure,seeds,value\n".to_string();
    for (set, measured) in sets {
        for (row, measured) in rows.iter().zip(measured) {
            for (i, figure) in row.figures.iter().enumerate() {
                let name = figure.name.replace(',', "");
                for (seed, outcome) in &measured.runs {
                    let _ = writeln!(csv, "{},{name},{seed},{:.6}", row.name, outcome.values[i]);
                }
                let _ = writeln!(csv, "{},{name},median {set},{:.6}", row.name, measured.medians[i]);
            }
        }
    }
    csv
}

/// Checks where the plots go; what it returns makes them, from the first seed.
fn draw<'a>(rows: &'a [Row], options: &'a Options) -> Result<impl FnOnce() -> Result<(), String> + 'a, String> {
    let seed = options.seeds[0].0;
    let targets = [(&options.svg, "svg"), (&options.trace, "csv")];
    for (target, extension) in targets {
        let one = target.as_ref().filter(|path| path.extension().is_some_and(|e| e == extension));
        if let (Some(path), 2..) = (one, rows.len()) {
            return Err(format!("{} is one file for {} rows: choose one with --row", path.display(), rows.len()));
        }
    }
    Ok(move || {
        for row in rows.iter().filter(|_| options.svg.is_some() || options.trace.is_some()) {
            let outcome = measure::run(row, seed, Some(SECOND / SAMPLES));
            for (target, extension) in targets {
                let Some(target) = target else { continue };
                let text = match extension {
                    "svg" => svg::plot(&format!("{}, seed {seed}", row.label), &outcome.samples),
                    _ => svg::numbers(&outcome.samples),
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
        target.join(format!("{}.{extension}", row.name))
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

fn record(rows: &[Row]) -> Result<bool, String> {
    let mut recorded = Recorded::default();
    let sets = sets(rows, &record::SETS);
    for (name, measured) in &sets {
        recorded.put(name, rows, measured);
    }
    let quick = record::quick(rows.to_vec());
    recorded.put(record::QUICK_NAME, &quick, &measured(&quick, record::QUICK));
    say(&table(rows, &sets));
    write(&record::file(), &recorded.text(rows))?;
    write(&record::document(), &recorded.markdown(rows))?;
    Ok(lawful(rows, &sets))
}

fn check(rows: &[Row]) -> Result<bool, String> {
    let recorded = Recorded::read()?;
    let sets = sets(rows, &record::SETS);
    say(&table(rows, &sets));
    let mut good = lawful(rows, &sets);
    let mut changed = false;
    for (name, measured) in &sets {
        let (lines, bad) = record::compare(name, rows, measured, &recorded);
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
        say(&format!("To record these figures: {}\n", record::COMMAND));
    }
    Ok(good)
}
