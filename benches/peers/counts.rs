//! The rows of all peers under callgrind. `cargo run --release --bin performance` makes the document of them.

use gungraun::prelude::*;
use gungraun::{Callgrind, EntryPoint};
use segue_peers::{Row, rows};

#[library_benchmark]
#[benches::row(iter = rows())]
fn instructions(row: Row) -> u32 {
    (row.run)()
}

library_benchmark_group!(name = counts, benchmarks = instructions);

main!(
    config = LibraryBenchmarkConfig::default()
        // Callgrind counts each octet of `rep movsb` as an instruction; other copies come in words of the processor.
        .env("GLIBC_TUNABLES", "glibc.cpu.x86_rep_movsb_threshold=1000000000")
        .tool(Callgrind::with_args(["--cache-sim=no"]).entry_point(EntryPoint::Custom("*counted*".to_owned()))),
    library_benchmark_groups = counts
);
