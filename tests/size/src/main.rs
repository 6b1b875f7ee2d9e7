//! The size of code of an echo host on a small device, beside the recorded one. `--help` tells the options.

mod build;
mod image;
mod record;

use std::process::ExitCode;

use build::{Features, Target, build};
use image::Image;
use record::Recorded;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
Builds an echo host for a device without operating system (thumbv7m-none-eabi, opt-level s, fat LTO) and prints the
octets of code and constants that the codec and the connection add to the program.

    cargo run --manifest-path tests/size/Cargo.toml [-- OPTIONS]

    --check          fail if a program is more than 3 % larger than recorded
    --record         write tests/size/sizes.csv
    --features       also what each feature costs: the default features without it
    --sources [least]    octets by source file: where the code goes
    --functions [least]  the 60 largest functions
    --help           this text

Without the target, and without rustup to install it, it measures a program for this machine instead and says so.
";

#[derive(Default)]
struct Arguments {
    check: bool,
    record: bool,
    features: bool,
    sources: bool,
    functions: bool,
    least: bool,
}

fn arguments() -> Outcome<Option<Arguments>> {
    use lexopt::prelude::*;
    let mut arguments = Arguments::default();
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("check") => arguments.check = true,
            Long("record") => arguments.record = true,
            Long("features") => arguments.features = true,
            Long("sources") => arguments.sources = true,
            Long("functions") => arguments.functions = true,
            Long("help") | Short('h') => return Ok(None),
            Value(word) if word == "least" => arguments.least = true,
            _ => return Err(format!("{}; --help tells the options", argument.unexpected()).into()),
        }
    }
    Ok(Some(arguments))
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("size: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Outcome<bool> {
    let Some(arguments) = arguments()? else {
        print!("{HELP}");
        return Ok(true);
    };
    let target = Target::choose()?;
    if arguments.sources || arguments.functions {
        let features = if arguments.least { Features::Least } else { Features::Default };
        let image = Image::read(build(&target, &features)?)?;
        if arguments.sources {
            print!("{}", table(&image.by_source()?));
        }
        if arguments.functions {
            print!("{}", table(&image.functions().into_iter().take(60).collect::<Vec<_>>()));
        }
        return Ok(true);
    }

    let bare = Image::read(build(&target, &Features::Bare)?)?.size();
    let size = |features: &Features| Outcome::Ok(Image::read(build(&target, features)?)?.size().saturating_sub(bare));
    let now = vec![(Features::Default, size(&Features::Default)?), (Features::Least, size(&Features::Least)?)];
    let mut recorded = Recorded::read()?;
    println!("{} octets of code and constants, {}", target.name, build::compiler());
    let ok = recorded.compare(&target, &now);
    if arguments.features {
        let whole = now.first().map_or(0, |(_, size)| *size);
        println!("\n{:24} {:>8}", "feature", "costs");
        for feature in build::features()? {
            let without = size(&Features::Without(feature.clone()))?;
            println!("{feature:24} {:>8}", whole.cast_signed() - without.cast_signed());
        }
    }
    if arguments.record {
        recorded.record(&target, &now)?;
        return Ok(true);
    }
    Ok(ok || !arguments.check)
}

fn table(rows: &[(String, u64)]) -> String {
    let total = rows.iter().map(|(_, octets)| octets).sum();
    let line = |(name, octets): (&str, u64)| format!("{octets:>8}  {name}\n");
    rows.iter().map(|(name, octets)| line((name, *octets))).chain([line(("in all", total))]).collect()
}
