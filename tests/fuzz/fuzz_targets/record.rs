//! The state file, from its bytes to the commands of a stop.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::record(data));
