//! The cluster's answers: nodes, `targetports` and roles, from XML to the commands for target groups.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::cluster(data));
