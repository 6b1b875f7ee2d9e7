//! Links each entry point of segue beside a panic handler that nobody defines. `--help` tells the options.

mod apart;
mod build;
mod graph;
mod places;
mod record;

use std::process::ExitCode;

use apart::Apart;
use build::{Build, Library};
use graph::{Graph, Panic};
use places::Places;
use record::{Record, Verdict};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
Proves that no panic can be reached from the entry points of segue. Each of them is linked by itself, beside a panic handler
that calls a function which nobody defines: where any panic can be reached, the linker fails.

    cargo run --manifest-path tests/no_panic/Cargo.toml [-- OPTIONS]

    --record      write tests/no_panic/proved.csv and places.csv; a verdict never gets worse
    --why [WORD]  what stands in the way of the entry points whose names contain the word, and what is set apart
    --help        this text

Without options it compares with the verdicts in tests/no_panic/proved.csv, and with the number of places that may panic in
tests/no_panic/places.csv, by kind and function. The latter depend on the compiler: with another one than the file names, only
verdicts are compared. The verdicts:

    proved    links
    apart     links once the panics are set apart that the command lists with their reasons
    overflow  with overflow checks: only arithmetic overflow stands in the way, beside what is set apart
    open      anything else does

It exits with 0 if all is as recorded, 1 if not, 2 after a mistake, and 3 where there is no C compiler, linker or ELF.
";

#[derive(Default)]
struct Arguments {
    record: bool,
    why: Option<String>,
}

fn arguments() -> Outcome<Option<Arguments>> {
    use lexopt::prelude::*;
    let mut arguments = Arguments::default();
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("record") => arguments.record = true,
            Long("why") => arguments.why = Some(String::new()),
            Long("help") | Short('h') => return Ok(None),
            Value(word) if arguments.why.as_deref() == Some("") => arguments.why = Some(word.string()?),
            _ => return Err(format!("{}; --help tells the options", argument.unexpected()).into()),
        }
    }
    Ok(Some(arguments))
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) if error.is::<build::Missing>() => {
            eprintln!("no_panic: not run: {error}");
            ExitCode::from(3)
        }
        Err(error) => {
            eprintln!("no_panic: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Outcome<bool> {
    let Some(arguments) = arguments()? else {
        print!("{HELP}");
        return Ok(true);
    };
    build::check_tools()?;
    let (mut now, mut places) = (Record::default(), Places::none());
    for build in Build::ALL {
        eprintln!("building {} and linking its entry points", build.name());
        let library = Library::build(build)?;
        let graph = Graph::read(&library)?;
        check_controls(build, &library, &graph)?;
        if let Some(word) = &arguments.why {
            explain(build, &graph, word);
            continue;
        }
        for entry in graph.entries() {
            now.set(&entry, build, judge(build, &library, &graph, &entry)?);
        }
        places.count(build, &graph);
    }
    if arguments.why.is_some() {
        return Ok(true);
    }
    print!("{now}");
    println!("\nSet apart, and at how many places:");
    for apart in apart::ALL {
        println!("- {apart} ({} places)", places.of(Build::Release, apart.name));
    }
    println!("With overflow checks, {} more may overflow.", places.of(Build::Checked, "overflow"));
    let recorded = Record::read()?;
    if arguments.record {
        recorded.replace(&now)?;
        return places.write().map(|()| true);
    }
    let verdicts = recorded.agrees(&now);
    Ok(Places::read()?.agrees(&places) && verdicts)
}

/// The least that has to be set apart so that the entry links.
fn judge(build: Build, library: &Library, graph: &Graph, entry: &str) -> Outcome<Verdict> {
    if library.links(entry, &graph.object)? {
        return Ok(Verdict::Proved);
    }
    if library.links(entry, &graph.without(Apart::is_apart))? {
        return Ok(Verdict::Apart);
    }
    let arithmetic = build == Build::Checked
        && library.links(entry, &graph.without(|panic| Apart::is_apart(panic) || apart::is_overflow(panic)))?;
    Ok(if arithmetic { Verdict::Overflow } else { Verdict::Open })
}

/// That the proof can fail, and can succeed.
fn check_controls(build: Build, library: &Library, graph: &Graph) -> Outcome<()> {
    let release = build == Build::Release;
    let controls = [
        ("control_never_panics", Verdict::Proved),
        ("control_indexes", Verdict::Open),
        ("control_indexes_behind_a_pointer", Verdict::Open),
        ("control_adds", if release { Verdict::Proved } else { Verdict::Overflow }),
        ("control_grows", Verdict::Apart),
    ];
    for (control, expected) in controls {
        let verdict = judge(build, library, graph, control)?;
        if verdict != expected {
            return Err(format!("{control} is {verdict}, but has to be {expected}: nothing is proved here").into());
        }
    }
    Ok(())
}

/// Each reference to a panic that the entries can reach, with its place in the sources.
fn explain(build: Build, graph: &Graph, word: &str) {
    for entry in graph.entries().into_iter().filter(|entry| entry.contains(word)) {
        println!("\n{entry}, {}", build.name());
        for panic in graph.panics_of(&entry) {
            let (kind, Panic { function, panic, lines, .. }) = (apart::kind(&panic), &panic);
            println!("  {kind:10} {function} -> {panic}\n             {}", lines.join(" < "));
        }
    }
}
