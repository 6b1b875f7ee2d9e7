//! The rows under callgrind, one process each. `cargo run --release --bin counts` makes the table of them.

use gungraun::prelude::*;
use gungraun::{Callgrind, EntryPoint};
use segue_benches::{Row, WORDS, rows};

#[library_benchmark]
#[benches::row(iter = rows())]
fn instructions(row: Row) -> u32 {
    (row.run)()
}

library_benchmark_group!(name = counts, benchmarks = instructions);

main!(
    config = LibraryBenchmarkConfig::default()
        .pass_through_env(WORDS)
        .tool(Callgrind::with_args(["--cache-sim=no"]).entry_point(EntryPoint::Custom("*counted*".to_owned()))),
    library_benchmark_groups = counts
);
