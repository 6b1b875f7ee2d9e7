//! Configurations, numbers, options.

use segue::{Config, ConfigBuilder, ConfigError, Instant, Options, SackBlock, SackBlocks, Segment, SeqNum};

#[unsafe(no_mangle)]
pub fn entry_config_build(builder: ConfigBuilder) -> Result<Config, ConfigError> {
    builder.build()
}

#[unsafe(no_mangle)]
pub fn entry_seq_num_arithmetic(a: SeqNum, b: SeqNum, n: u32) -> (SeqNum, SeqNum, u32) {
    (a + n, a - n, a - b)
}

#[unsafe(no_mangle)]
pub fn entry_instant_arithmetic(a: Instant, n: core::time::Duration) -> Instant {
    a + n
}

#[unsafe(no_mangle)]
pub fn entry_segment_ends(segment: &Segment) -> (u32, SeqNum, Option<SeqNum>) {
    (segment.len(), segment.end(), segment.urgent_end())
}

#[unsafe(no_mangle)]
pub fn entry_options_wire_len(options: &Options) -> usize {
    options.wire_len()
}

#[unsafe(no_mangle)]
pub fn entry_sack_blocks_push(blocks: &mut SackBlocks, block: SackBlock) -> bool {
    blocks.push(block)
}
