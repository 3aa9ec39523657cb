//! The parameter `initiators`, from its text to the commands for a port.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::initiators(data));
