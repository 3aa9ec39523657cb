//! Mounting where nobody else sees it.

use std::error::Error;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::workspace;

/// Mounts from here on are this process's own, so that they end with it, however it ends.
pub(crate) fn hide() -> Result<(), Box<dyn Error>> {
    // Asked before, for later the kernel may tell its place in the old namespace.
    workspace::own_binary()?;
    let private = unshare(CloneFlags::CLONE_NEWNS)
        .and_then(|()| mount(None::<&str>, "/", None::<&str>, MsFlags::MS_PRIVATE | MsFlags::MS_REC, None::<&str>));
    private.map_err(|errno| {
        format!(
            "no mount namespace of its own: {errno}: mounting needs CAP_SYS_ADMIN, which this container may not have"
        )
    })?;
    Ok(())
}
