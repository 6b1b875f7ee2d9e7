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
        // Callgrind counts each octet of `rep movsb` as an instruction; other copies come in words of the processor.
        // The heap neither merges its small free blocks nor gives memory back: when it does depends on where it starts, and
        // so on the length of the program's path.
        .env(
            "GLIBC_TUNABLES",
            "glibc.cpu.x86_rep_movsb_threshold=1000000000:glibc.malloc.mxfast=0:glibc.malloc.trim_threshold=1000000000",
        )
        .pass_through_env(WORDS)
        .tool(Callgrind::with_args(["--cache-sim=no"]).entry_point(EntryPoint::Custom("*counted*".to_owned()))),
    library_benchmark_groups = counts
);
