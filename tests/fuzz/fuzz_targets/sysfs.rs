//! What the kernel shows: names, links and values of a whole tree, from its files to the commands of a start and a stop.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::sysfs(data));
