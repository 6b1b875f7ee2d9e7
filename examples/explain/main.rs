//! Explains a capture: the ladder of a connection with the cause and clause of each transition and discard.
//!
//! ```sh
//! cargo run -p segue-explain --example explain -- tests/data/kernel.pcap
//! ```

use std::fs::File;
use std::io::{BufWriter, Error, Write, stdout};
use std::path::Path;
use std::process::ExitCode;

use segue_explain::args::{self, Options};
use segue_explain::capture;
use segue_explain::flows::{Flow, flows};
use segue_explain::ladder::{Explained, MIDDLE, NAMES, explain};
use segue_explain::progress::Progress;
use segue_explain::svg;

fn main() -> ExitCode {
    let options = match args::parse(std::env::args_os().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{}", args::HELP);
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("explain: {problem}\n\n{}", args::HELP);
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("explain: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    let mut progress = Progress::new("packets read");
    let capture = capture::read(&options.file, |packets| progress.at(packets))?;
    progress.over();
    let flows = flows(&capture);
    if options.list {
        list(&flows);
        return Ok(());
    }
    let chosen = match options.flow {
        Some(number) => flows.get(number.wrapping_sub(1)),
        None => flows.iter().filter(|flow| flow.has_syn()).max_by_key(|flow| flow.segments.len()),
    };
    let Some(flow) = chosen else {
        return Err(match flows.len() {
            0 => "the capture holds no TCP segment".to_string(),
            n => format!("there is no such connection with a SYN among the {n} of the capture: see --list"),
        });
    };
    if !flow.has_syn() {
        return Err("the capture begins after the SYN of this connection: choose another, see --list".into());
    }
    let mut progress = Progress::new("segments explained");
    let explained = explain(flow, options.at, |segments| progress.at(segments));
    progress.over();
    let shown = show(flow, &explained, options.lines);
    if shown.is_err() {
        return Ok(()); // nobody reads on, as with `| head`
    }
    if let Some(file) = &options.svg {
        let title = format!("{} to {}", flow.client, flow.server);
        let picture = svg::draw(&explained.rows, &title).map_err(|error| error.to_string())?;
        std::fs::write(file, picture).map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    if let Some(prefix) = &options.journal {
        write_journals(&explained, prefix)?;
    }
    Ok(())
}

fn list(flows: &[Flow]) {
    for (number, flow) in (1..).zip(flows) {
        let note = if flow.has_syn() { "" } else { "  (without its SYN)" };
        println!("{number:>5}  {} to {}, {} segments{note}", flow.client, flow.server, flow.segments.len());
    }
}

fn show(flow: &Flow, explained: &Explained, lines: usize) -> Result<(), Error> {
    let mut out = BufWriter::new(stdout().lock());
    writeln!(out, "{} to {}, {} segments\n", flow.client, flow.server, flow.segments.len())?;
    writeln!(out, "{:>12} {:>12} │{:MIDDLE$}│ {}", "ms", NAMES[0], "", NAMES[1])?;
    let most = if lines == 0 { explained.rows.len() } else { lines };
    for row in explained.rows.iter().take(most) {
        writeln!(out, "{row}")?;
    }
    if explained.rows.len() > most {
        writeln!(out, "… {} lines more: --lines 0 shows all", explained.rows.len() - most)?;
    }
    let (name, differences) = (NAMES[explained.near].to_lowercase(), &explained.differences);
    writeln!(
        out,
        "\nThe capture was taken at the {name}. In its place segue would have answered otherwise {} times.",
        differences.len()
    )?;
    for difference in differences {
        writeln!(out, "{difference}")?;
    }
    out.flush()
}

fn write_journals(explained: &Explained, prefix: &Path) -> Result<(), String> {
    for (replica, end) in explained.replicas.iter().zip(["client", "server"]) {
        let mut name = prefix.as_os_str().to_owned();
        name.push(".");
        name.push(end);
        let write = || -> Result<(), Error> {
            let mut to = BufWriter::new(File::create(&name)?);
            for line in &replica.lines {
                serde_json::to_writer(&mut to, line)?;
                to.write_all(b"\n")?;
            }
            to.flush()
        };
        write().map_err(|error| format!("cannot write {}: {error}", Path::new(&name).display()))?;
    }
    Ok(())
}
