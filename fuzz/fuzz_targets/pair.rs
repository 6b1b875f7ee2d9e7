#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| segue_fuzz::pair::run(data));
