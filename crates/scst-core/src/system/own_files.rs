//! Reading, replacing and locking the files that the agents keep for themselves below `/run` and `/var/lib/scst`, for
//! [`super::Machine`].
//!
//! The directory is open to everybody (mode 1755 or a distribution's 1777), so nothing follows a link, and a link in the place of the
//! directory itself is followed only if root has made it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

use super::{Lock, Locked};

/// More than any of these files needs: 256 devices, 99 groups and all peers are some 20 KiB.
const LIMIT: u64 = 1 << 20;

impl Lock for Flock<File> {}

pub(super) fn read(path: &Path) -> io::Result<String> {
    // Non-blocking, because a FIFO in its place must not hold an action up.
    let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits();
    let mut text = String::new();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    file.take(LIMIT).read_to_string(&mut text)?;
    Ok(text)
}

pub(super) fn read_head(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    file.take(most as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes a new file and renames it into place, so that a reader or a crash never sees half of one. `lasting`: nor one after a power
/// loss.
pub(super) fn replace(path: &Path, text: &str, lasting: bool) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    make_directory(directory)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = directory.join(format!(".{name}.{}.new", std::process::id()));
    let _ = fs::remove_file(&new);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).custom_flags(OFlag::O_NOFOLLOW.bits());
    let written = options.open(&new).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        if lasting { file.sync_all() } else { Ok(()) }
    });
    let renamed = written.and_then(|()| {
        // Whatever else has this name is replaced by the rename; a directory is not ours to delete.
        if fs::symlink_metadata(path).is_ok_and(|found| found.is_dir()) {
            fs::rename(path, new.with_extension("old"))?;
        }
        fs::rename(&new, path)
    });
    if renamed.is_err() {
        let _ = fs::remove_file(&new);
    }
    renamed
}

pub(super) fn remove(path: &Path) -> io::Result<()> {
    refuse_link(path.parent().unwrap_or(Path::new("/")))?;
    fs::remove_file(path)
}

pub(super) fn list(directory: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(directory)?.map(|file| Ok(file?.path())).collect()
}

pub(super) fn lock(path: &Path, make: bool) -> io::Result<Locked> {
    let mut options = OpenOptions::new();
    options.write(true).custom_flags(OFlag::O_NOFOLLOW.bits());
    if make {
        make_directory(path.parent().unwrap_or(Path::new("/")))?;
        options.create(true).truncate(false).mode(0o600);
    }
    match Flock::lock(options.open(path)?, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Locked::Taken(Box::new(lock))),
        Err((_, Errno::EWOULDBLOCK | Errno::EINTR)) => Ok(Locked::ByAnother),
        Err((_, errno)) => Err(errno.into()),
    }
}

/// Refuses a link in the place of the directory that another user than root has made: it leads to that user's files.
fn refuse_link(directory: &Path) -> io::Result<()> {
    match fs::symlink_metadata(directory) {
        // One that root has made is where this machine keeps them.
        Ok(found) if found.is_symlink() && found.uid() != 0 => Err(Errno::ELOOP.into()),
        _ => Ok(()),
    }
}

fn make_directory(directory: &Path) -> io::Result<()> {
    refuse_link(directory)?;
    if directory.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(directory)?;
    // As the distribution makes it; creating it with this mode would be at the mercy of the umask.
    fs::set_permissions(directory, fs::Permissions::from_mode(0o1755))
}
