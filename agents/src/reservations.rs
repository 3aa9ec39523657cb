//! Looks whether SCST can read its files of persistent reservations: one per device below `/var/lib/scst/pr`, and `.1`
//! with the state before (`scst_pres.c`).
//!
//! The kernel reads the second file where it cannot read the first. Where it can read neither it refuses to add the
//! device, with EINVAL, which has other causes too. After such a refusal `host::carry_out` looks here, and names the
//! two files when they are the cause.

use std::io;
use std::path::{Path, PathBuf};

use scst_core::scst::names::DeviceName;
use scst_core::system::System;

/// What a file begins with: the kernel writes it last, as a number of its own byte order.
const SIGNATURE: u64 = 0xBBEE_EEAA_EEBB_DD77;

/// What stands behind it.
const VERSION: u64 = 1;

/// Signature, version, and four bytes about the reservation.
const HEAD: usize = 20;

/// The two files of a device, if the kernel can read neither.
pub fn damaged(system: &dyn System, var_lib: &Path, device: &DeviceName) -> Option<[PathBuf; 2]> {
    let dir = var_lib.join("pr");
    let files = [dir.join(device.as_str()), dir.join(format!("{device}.1"))];
    // Without the second file the kernel begins afresh, whatever is in the first.
    let second = readable(system, &files[1]).is_ok_and(|readable| !readable);
    let first = readable(system, &files[0]).is_ok_and(|readable| readable);
    (second && !first).then_some(files)
}

/// Whether a file is one that the kernel takes.
fn readable(system: &dyn System, path: &Path) -> io::Result<bool> {
    let Ok(head) = <[u8; HEAD]>::try_from(system.read_head(path, HEAD)?) else { return Ok(false) };
    let number = |at: usize| u64::from_ne_bytes(std::array::from_fn(|byte| head[at + byte]));
    Ok(number(0) == SIGNATURE && number(8) == VERSION)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn both_files_must_be_damaged() {
        let system = scst_core::system::Machine::system();
        let dir = tempfile::tempdir().unwrap();
        let device = DeviceName::seen("d_a").unwrap();
        fs::create_dir(dir.path().join("pr")).unwrap();
        let whole: Vec<u8> = [SIGNATURE.to_ne_bytes(), VERSION.to_ne_bytes(), [1; 8]].concat();
        // The kernel writes the signature last.
        let half: Vec<u8> = [0_u64.to_ne_bytes(), VERSION.to_ne_bytes(), [1; 8]].concat();
        let newer: Vec<u8> = [SIGNATURE.to_ne_bytes(), 2_u64.to_ne_bytes(), [1; 8]].concat();
        for (first, second, named) in [
            (None, None, false),
            (Some(&whole), Some(&whole), false),
            (Some(&half), Some(&whole), false),
            (Some(&whole), Some(&half), false),
            (Some(&half), None, false),
            (None, Some(&half), true),
            (Some(&half), Some(&newer), true),
            (Some(&b"rubbish".to_vec()), Some(&Vec::new()), true),
        ] {
            for (name, content) in [("d_a", first), ("d_a.1", second)] {
                let path = dir.path().join("pr").join(name);
                let _ = fs::remove_file(&path);
                if let Some(content) = content {
                    fs::write(path, content).unwrap();
                }
            }
            assert_eq!(damaged(&*system, dir.path(), &device).is_some(), named, "{first:?} {second:?}");
        }
    }
}
