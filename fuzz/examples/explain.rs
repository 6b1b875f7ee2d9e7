//! Prints what an input of the target `events` does, step by step:
//! `cargo run --manifest-path fuzz/Cargo.toml --example explain -- FILE`.

fn main() -> std::io::Result<()> {
    for file in std::env::args_os().skip(1) {
        segue_fuzz::events::explain(&std::fs::read(file)?);
    }
    Ok(())
}
