//! One FUSE connection: `/dev/fuse`, `mount(2)`, `umount2(2)`.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::Mode;
use nix::unistd::{read, write};

use super::wire;

/// Why a directory could not be mounted.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// No FUSE on this machine.
    #[error("cannot open /dev/fuse: {0}: the kernel's fuse module is missing here or hidden by the container")]
    NoDevice(Errno),
    /// Not allowed to use FUSE.
    #[error("cannot open /dev/fuse: {0}: mounting needs root")]
    NotAllowed(Errno),
    /// Any other failure of the device.
    #[error("cannot open /dev/fuse: {0}")]
    Device(Errno),
    /// The directory cannot be a mount point.
    #[error("cannot mount on {dir}: {errno}{hint}")]
    Mount {
        /// The directory.
        dir: PathBuf,
        /// What `mount(2)` or the path look-up answered.
        errno: Errno,
        /// What to do about it, when that is known.
        hint: &'static str,
    },
    /// The thread or descriptor that serves the mount could not be made.
    #[error("cannot serve {dir}: {errno}")]
    Serve {
        /// The directory.
        dir: PathBuf,
        /// What the system answered.
        errno: Errno,
    },
}

/// An open connection with its mount point. Dropping it makes the kernel answer ECONNABORTED to all who still wait.
pub(crate) struct Connection {
    fd: OwnedFd,
}

impl Connection {
    /// Mounts on `dir`, which must be canonical. The kernel's first request can be received at once.
    pub(crate) fn mount(dir: &Path) -> Result<Self, MountError> {
        let flags = OFlag::O_RDWR | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let fd = open("/dev/fuse", flags, Mode::empty()).map_err(|errno| match errno {
            Errno::ENOENT | Errno::ENODEV | Errno::ENXIO => MountError::NoDevice(errno),
            Errno::EACCES | Errno::EPERM => MountError::NotAllowed(errno),
            _ => MountError::Device(errno),
        })?;
        // The kernel itself checks modes against users (default_permissions); what it would let root do against the
        // mode, the model refuses at open.
        let options = format!(
            "fd={},rootmode=40755,user_id=0,group_id=0,allow_other,default_permissions",
            std::os::fd::AsRawFd::as_raw_fd(&fd)
        );
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        mount(Some("scst-sim"), dir, Some("fuse.scst-sim"), flags, Some(options.as_str())).map_err(|errno| {
            let hint = match errno {
                Errno::EPERM | Errno::EACCES => ": mounting needs root (CAP_SYS_ADMIN)",
                Errno::ENODEV => ": the kernel has no fuse file system",
                _ => "",
            };
            MountError::Mount { dir: dir.to_owned(), errno, hint }
        })?;
        Ok(Self { fd })
    }

    /// One message, or `None` when there is none now. ENODEV means that the mount is gone.
    pub(crate) fn receive<'b>(&self, buffer: &'b mut [u8]) -> Result<Option<&'b [u8]>, Errno> {
        loop {
            match read(&self.fd, buffer) {
                Ok(length) => return Ok(Some(&buffer[..length])),
                // ENOENT: the request was withdrawn between being announced and being read.
                Err(Errno::EINTR | Errno::ENOENT) => {}
                Err(Errno::EAGAIN) => return Ok(None),
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Answers one request. ENOENT (nobody waits for it any more) is no failure.
    pub(crate) fn answer(&self, unique: u64, answer: &Result<Vec<u8>, Errno>) -> Result<(), Errno> {
        match write(&self.fd, &wire::encode(unique, answer)) {
            Ok(_) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    /// The descriptor, to wait on.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A buffer that any message fits in.
pub(crate) fn buffer() -> Vec<u8> {
    vec![0; usize::try_from(wire::MAX_WRITE).expect("64 kilobytes fit") + 4096]
}

/// Takes the mount away from `dir`; while somebody still uses it, at least from everybody's sight. Being gone already is
/// no failure.
pub(crate) fn unmount(dir: &Path) -> Result<(), Errno> {
    match umount2(dir, MntFlags::UMOUNT_NOFOLLOW) {
        Err(Errno::EBUSY) => umount2(dir, MntFlags::UMOUNT_NOFOLLOW | MntFlags::MNT_DETACH),
        Err(Errno::EINVAL | Errno::ENOENT | Errno::ENOTCONN) => Ok(()),
        other => other,
    }
}
