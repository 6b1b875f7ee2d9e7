//! Prints what an input of a target does, step by step:
//! `cargo run --manifest-path fuzz/Cargo.toml --example explain -- [attacker|events|pair] FILE...`.

use std::error::Error;

const HELP: &str =
    "usage: explain [attacker|events|pair] FILE...: what the inputs of a target do; the default is events";

fn main() -> Result<(), Box<dyn Error>> {
    let mut explain: fn(&[u8]) = segue_fuzz::events::explain;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "events" => explain = segue_fuzz::events::explain,
            "attacker" => explain = segue_fuzz::attacker::explain,
            "pair" => explain = segue_fuzz::pair::explain,
            "--help" | "-h" => println!("{HELP}"),
            file => explain(&std::fs::read(file).map_err(|error| format!("{file}: {error}\n{HELP}"))?),
        }
    }
    Ok(())
}
