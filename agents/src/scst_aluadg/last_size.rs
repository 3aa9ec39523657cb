//! Keeps the last size that this node served of a store which only the serving node has (`absent_in_standby`): a host
//! may look at the disk on a standby that has rebooted, and must see its size. `stores` writes and reads it.
//!
//! One file per device below `/var/lib/scst/sizes`, with the bytes and the path: for a device that has another store by
//! now the size does not count.

use std::path::PathBuf;

use scst_core::scst::names::DeviceName;

use crate::host::Host;

/// The directory below `/var/lib/scst`.
const DIRECTORY: &str = "sizes";

fn directory(host: &Host<'_>) -> PathBuf {
    host.context.env.var_lib().join(DIRECTORY)
}

/// The size in bytes that was served last of `device` on the store at `path`; nothing where none is known.
pub(super) fn recall(host: &Host<'_>, device: &DeviceName, path: &str) -> Option<u64> {
    parse(&host.context.system.read_file(&directory(host).join(device.as_str())).ok()?, path)
}

/// Keeps a size in bytes. A failure is logged as a warning: a host that looks too early then sees a disk without
/// blocks.
pub(super) fn remember(host: &Host<'_>, device: &DeviceName, path: &str, bytes: u64) {
    if host.dry_run() || recall(host, device, path) == Some(bytes) {
        return;
    }
    let directory = directory(host);
    let file = directory.join(device.as_str());
    if let Err(error) = host.context.system.keep_file(&file, &format!("{bytes} {path}\n")) {
        tracing::warn!("device {device}: its size is not kept below {}: {error}", directory.display());
    }
}

/// What a file says of the store at `path`.
fn parse(text: &str, path: &str) -> Option<u64> {
    let (bytes, of) = text.trim_end_matches('\n').split_once(' ')?;
    bytes.parse().ok().filter(|_| of == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_believed_of_the_same_store_only() {
        assert_eq!(parse("2147483648 /dev/vg/a\n", "/dev/vg/a"), Some(2 << 30));
        assert_eq!(parse("2147483648 /dev/vg/a\n", "/dev/vg/b"), None);
        for damaged in ["", "x /dev/vg/a\n", "1", "-1 /dev/vg/a\n"] {
            assert_eq!(parse(damaged, "/dev/vg/a"), None, "{damaged:?}");
        }
    }
}
