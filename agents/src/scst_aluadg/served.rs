//! The last size that this node served of a store which a standby does not have: kept where reboots keep it, because a host may
//! look at the disk before the node serves again.
//!
//! One file per device below `/var/lib/scst/sizes`: bytes and path, so that what stands on another store since is not believed.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use scst_core::scst::names::DeviceName;

use crate::host::Host;

/// The directory below `/var/lib/scst`.
const DIRECTORY: &str = "sizes";

/// More than a size and a path need.
const LIMIT: u64 = 8192;

fn directory(host: &Host<'_>) -> PathBuf {
    host.context.env.var_lib().join(DIRECTORY)
}

/// The size in bytes that was served last of `device` on the store at `path`; nothing where none is known.
pub(super) fn recall(host: &Host<'_>, device: &DeviceName, path: &str) -> Option<u64> {
    read(&directory(host).join(device.as_str()), path)
}

/// Remembers a size in bytes. That it could not be kept is worth a warning: a host that looks too early sees a disk without blocks.
pub(super) fn remember(host: &Host<'_>, device: &DeviceName, path: &str, bytes: u64) {
    if host.dry_run() || recall(host, device, path) == Some(bytes) {
        return;
    }
    let directory = directory(host);
    if let Err(error) = write(&directory, device.as_str(), path, bytes) {
        tracing::warn!("device {device}: its size is not kept below {}: {error}", directory.display());
    }
}

fn read(file: &Path, path: &str) -> Option<u64> {
    let found = fs::symlink_metadata(file).ok().filter(|found| found.is_file() && found.len() <= LIMIT)?;
    let text = fs::read_to_string(file).ok().filter(|_| found.len() > 0)?;
    let (bytes, of) = text.trim_end_matches('\n').split_once(' ')?;
    bytes.parse().ok().filter(|_| of == path)
}

/// A new file, renamed into place: whoever reads, also after a power loss, sees a whole one.
fn write(directory: &Path, name: &str, path: &str, bytes: u64) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let new = directory.join(format!(".{name}.{}.new", std::process::id()));
    let _ = fs::remove_file(&new);
    let written = fs::OpenOptions::new().write(true).create_new(true).open(&new).and_then(|mut file| {
        file.write_all(format!("{bytes} {path}\n").as_bytes())?;
        file.sync_all()
    });
    let renamed = written.and_then(|()| fs::rename(&new, directory.join(name)));
    if renamed.is_err() {
        let _ = fs::remove_file(&new);
    }
    renamed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_believed_of_the_same_store_only() {
        let dir = tempfile::tempdir().unwrap();
        let sizes = dir.path().join("sizes");
        write(&sizes, "dg_a", "/dev/vg/a", 1 << 30).unwrap();
        write(&sizes, "dg_a", "/dev/vg/a", 2 << 30).unwrap();
        assert_eq!(read(&sizes.join("dg_a"), "/dev/vg/a"), Some(2 << 30));
        assert_eq!(read(&sizes.join("dg_a"), "/dev/vg/b"), None);
        assert_eq!(read(&sizes.join("dg_b"), "/dev/vg/a"), None);
        for damaged in ["", "x /dev/vg/a\n", "1", "-1 /dev/vg/a\n"] {
            fs::write(sizes.join("dg_a"), damaged).unwrap();
            assert_eq!(read(&sizes.join("dg_a"), "/dev/vg/a"), None, "{damaged:?}");
        }
        assert_eq!(fs::read_dir(&sizes).unwrap().count(), 1);
    }
}
