//! A file of scstadmin, from its text to the commands of the agents that are configured with it.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::scst_conf(data));
