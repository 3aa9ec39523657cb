//! The Debian in which a rig runs: this machine's own, or another release's below a directory.
//!
//! Another release lies in `cluster-debian-N` of the target directory, made once by debootstrap(8). The rig's first process makes it its root, with this
//! repository and the target directory at their own places in it; from there on there is no difference. The programs of this workspace run in
//! both: they need no library but the C library, and of that no version newer than the older release has, if they were built there.

use std::env::set_current_dir;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, umount2};
use nix::unistd::pivot_root;

use super::enclose::mount_at;
use crate::{debian, workspace};

/// Where another release lies; `None` for the one that this machine runs.
fn place(number: &str) -> Result<Option<PathBuf>, Box<dyn Error>> {
    if debian::codename(number)? == debian::own_codename()? {
        return Ok(None);
    }
    Ok(Some(workspace::target_directory()?.join(format!("cluster-debian-{number}"))))
}

/// Makes that release with these packages, unless it is there or is this machine's own. Only root can.
pub(crate) fn provide(number: &str, packages: &[&str]) -> Result<(), Box<dyn Error>> {
    match place(number)? {
        Some(root) => debian::system(&root, debian::codename(number)?, packages),
        None => Ok(()),
    }
}

/// Makes that release the root of this process, which must be the first of a mount namespace of its own.
pub(crate) fn enter(number: &str) -> Result<(), Box<dyn Error>> {
    let Some(root) = place(number)? else { return Ok(()) };
    let bind = |from: &Path, to: &Path, recursive: MsFlags| -> Result<(), Box<dyn Error>> {
        fs::create_dir_all(to)?;
        mount_at(from.to_str(), to, None, MsFlags::MS_BIND | recursive, None)
    };
    let inside = |path: &Path| root.join(path.strip_prefix("/").unwrap_or(path));
    let own = [workspace::root(), workspace::target_directory()?];
    bind(&root, &root, MsFlags::empty())?;
    for path in ["/dev", "/proc", "/sys"] {
        bind(Path::new(path), &inside(Path::new(path)), MsFlags::MS_REC)?;
    }
    for path in own {
        // Not with what is mounted below: the new root itself may be among it.
        bind(&path, &inside(&path), MsFlags::empty())?;
    }
    set_current_dir(&root)?;
    // pivot_root(2): the old root lies on the new one, and is taken away.
    pivot_root(".", ".")?;
    umount2(".", MntFlags::MNT_DETACH)?;
    Ok(set_current_dir("/")?)
}
