//! The kernel side of a mount: requests out of `/dev/fuse`, answers back into it.
//!
//! The protocol is spoken here rather than by a library because of one request, `FUSE_INTERRUPT`. A writer that waits in
//! SCST's queue and gets a signal must be answered EINTR at once while its command goes on; a library that answers
//! interrupts with ENOSYS leaves a killed process stuck until the command ends, and one that owns the reading loop
//! leaves no place to keep a request open. What remains is small: some twenty requests in the fixed layout of
//! `include/uapi/linux/fuse.h`, of which sysfs needs no caching, no locking and no creation.
//!
//! [`wire`] knows the layout, [`device`] the file descriptor and the mount point. Neither knows what is served.

pub(crate) mod device;
pub(crate) mod wire;
