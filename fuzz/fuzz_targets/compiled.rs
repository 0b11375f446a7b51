#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| picovd_sim::fuzz::compiled(data));
