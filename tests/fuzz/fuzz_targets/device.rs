//! The parameters of a device group, from their text to the commands of a start and a stop.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::device(data));
