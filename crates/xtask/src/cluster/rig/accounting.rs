//! The kernel's process accounting, acct(5): a record for each process of a node that has ended, whoever started it and however it began.
//!
//! Nothing is wrapped and nothing traced, so what is counted is what happens: an exec, a fork without one, a process that lived for a
//! millisecond. Threads are no processes and have no record.

use std::fs;
use std::io;
use std::path::Path;

/// A process that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Its number in the node.
    pub(crate) pid: u32,
    /// Its parent at the end.
    pub(crate) parent: u32,
    /// The name of its program, cut to 15 bytes.
    pub(crate) name: String,
}

/// The size of a record of version 3, the one that carries process numbers.
const RECORD: usize = 64;

/// The records in a node's file from a place on.
pub(crate) fn ended(file: &Path, from: usize) -> io::Result<Vec<Ended>> {
    let bytes = fs::read(file)?;
    let records = bytes.get(from..).unwrap_or_default().as_chunks::<RECORD>().0;
    records.iter().map(parse).collect()
}

fn parse(record: &[u8; RECORD]) -> io::Result<Ended> {
    if record[1] & 0x0f != 3 {
        return Err(io::Error::other(
            "this kernel's process accounting is not of version 3, CONFIG_BSD_PROCESS_ACCT_V3",
        ));
    }
    let number = |at: usize| u32::from_ne_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]]);
    let name = record[48..].split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(Ended { pid: number(16), parent: number(20), name: String::from_utf8_lossy(name).into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read() {
        let mut record = [0; RECORD];
        record[1] = 3;
        record[16..20].copy_from_slice(&7_u32.to_ne_bytes());
        record[20..24].copy_from_slice(&5_u32.to_ne_bytes());
        record[48..52].copy_from_slice(b"true");
        assert_eq!(parse(&record).unwrap(), Ended { pid: 7, parent: 5, name: "true".to_owned() });
        record[1] = 2;
        assert!(parse(&record).is_err());
    }
}
