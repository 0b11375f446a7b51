#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| picovd_sim::fuzz::settings_flash(data));
