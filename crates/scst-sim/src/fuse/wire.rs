//! The layout of FUSE messages, version 7.31: `include/uapi/linux/fuse.h`, native byte order.
//!
//! Times to live are zero everywhere, so that the kernel asks anew for each look at the tree, as sysfs would.

use nix::errno::Errno;

/// The protocol version spoken here; a newer kernel falls back to it.
pub(crate) const MAJOR: u32 = 7;
const MINOR: u32 = 31;
/// The oldest minor version whose answer to INIT has today's length.
const OLDEST_MINOR: u32 = 23;

/// Longest write the kernel may hand over in one message. It only has to exceed what sysfs takes of one `write(2)`, a
/// page: were it a page itself, the kernel would split a longer write into several commands.
pub(crate) const MAX_WRITE: u32 = 64 * 1024;

const ASYNC_READ: u32 = 1;
const BIG_WRITES: u32 = 1 << 5;
const PARALLEL_DIROPS: u32 = 1 << 18;

const DIRECT_IO: u32 = 1;

const SETATTR_MODE: u32 = 1;
const SETATTR_OWNER: u32 = 1 << 1 | 1 << 2;

/// `struct fuse_in_header` without its length: who asks, about which node, and the number the answer must carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// Number of the request.
    pub(crate) unique: u64,
    /// The node it is about.
    pub(crate) node: u64,
    /// Thread id of the caller; 0 when it lives in another process namespace.
    pub(crate) tid: u32,
}

/// What the kernel asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ask<'a> {
    /// First message of a connection.
    Init { major: u32, minor: u32, readahead: u32, flags: u32 },
    /// One path component.
    Lookup { name: &'a [u8] },
    /// The kernel has dropped references to nodes: node, count.
    Forget(Vec<(u64, u64)>),
    /// `stat(2)`.
    Getattr,
    /// `chmod(2)`, `truncate(2)`, `utimensat(2)`, `chown(2)`.
    Setattr { mode: Option<u32>, owner: bool },
    /// `readlink(2)`.
    Readlink,
    /// `open(2)`.
    Open { flags: u32 },
    /// `read(2)`.
    Read { handle: u64, offset: u64, size: u32 },
    /// `write(2)`; sysfs does not look at the offset.
    Write { handle: u64, data: &'a [u8] },
    /// Last `close(2)`.
    Release { handle: u64 },
    /// `opendir(3)`.
    Opendir,
    /// `getdents(2)`.
    Readdir { handle: u64, offset: u64, size: u32 },
    /// Last `close(2)` of a directory.
    Releasedir { handle: u64 },
    /// `statfs(2)`.
    Statfs,
    /// The caller of that request got a signal.
    Interrupt { unique: u64 },
    /// `open(2)` with `O_CREAT` of something that does not exist.
    Create,
    /// Any other change of the tree: mkdir, unlink, rename, ...
    Alter,
    /// `ioctl(2)`.
    Ioctl,
    /// The connection is about to end.
    Destroy,
    /// Optional requests this file system does without.
    Other,
}

/// Takes fields off a message, front to back.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_ne_bytes(self.bytes(4)?.try_into().ok()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_ne_bytes(self.bytes(8)?.try_into().ok()?))
    }

    fn name(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let name = self.bytes(end)?;
        self.bytes(1)?;
        Some(name)
    }
}

/// Decodes one message. `None` means that it is shorter than its kind must be, which only a broken kernel would send.
pub(crate) fn decode(message: &[u8]) -> Option<(Head, Ask<'_>)> {
    let mut fields = Fields(message);
    let _length = fields.u32()?;
    let opcode = fields.u32()?;
    let (unique, node) = (fields.u64()?, fields.u64()?);
    let (_uid, _gid, tid, _extensions) = (fields.u32()?, fields.u32()?, fields.u32()?, fields.u32()?);
    let ask = decode_body(opcode, node, &mut fields)?;
    Some((Head { unique, node, tid }, ask))
}

fn decode_body<'a>(opcode: u32, node: u64, fields: &mut Fields<'a>) -> Option<Ask<'a>> {
    Some(match opcode {
        1 => Ask::Lookup { name: fields.name()? },
        2 => Ask::Forget(vec![(node, fields.u64()?)]),
        3 => Ask::Getattr,
        4 => {
            let valid = fields.u32()?;
            let _before_mode = fields.bytes(64)?;
            let mode = fields.u32()?;
            Ask::Setattr { mode: (valid & SETATTR_MODE != 0).then_some(mode), owner: valid & SETATTR_OWNER != 0 }
        }
        5 => Ask::Readlink,
        // SYMLINK, MKNOD, MKDIR, UNLINK, RMDIR, RENAME, LINK, RENAME2, TMPFILE
        6 | 8..=13 | 45 | 51 => Ask::Alter,
        14 => Ask::Open { flags: fields.u32()? },
        15 => Ask::Read { handle: fields.u64()?, offset: fields.u64()?, size: fields.u32()? },
        16 => {
            let (handle, _offset, size) = (fields.u64()?, fields.u64()?, fields.u32()?);
            let _flags_and_lock_owner = fields.bytes(20)?;
            Ask::Write { handle, data: fields.bytes(usize::try_from(size).ok()?)? }
        }
        17 => Ask::Statfs,
        18 => Ask::Release { handle: fields.u64()? },
        26 => Ask::Init { major: fields.u32()?, minor: fields.u32()?, readahead: fields.u32()?, flags: fields.u32()? },
        27 => Ask::Opendir,
        28 => Ask::Readdir { handle: fields.u64()?, offset: fields.u64()?, size: fields.u32()? },
        29 => Ask::Releasedir { handle: fields.u64()? },
        35 => Ask::Create,
        36 => Ask::Interrupt { unique: fields.u64()? },
        38 => Ask::Destroy,
        39 => Ask::Ioctl,
        42 => {
            let (count, _padding) = (fields.u32()?, fields.u32()?);
            let pairs = (0..count).map(|_| Some((fields.u64()?, fields.u64()?)));
            Ask::Forget(pairs.collect::<Option<_>>()?)
        }
        _ => Ask::Other,
    })
}

/// One message to the kernel: the answer to request `unique`.
pub(crate) fn encode(unique: u64, answer: &Result<Vec<u8>, Errno>) -> Vec<u8> {
    let (error, body) = match answer {
        Ok(body) => (0, body.as_slice()),
        Err(errno) => (-(*errno as i32), &[][..]),
    };
    let length = u32::try_from(16 + body.len()).expect("answers are at most a few hundred kilobytes");
    let mut message = Vec::with_capacity(16 + body.len());
    message.extend(length.to_ne_bytes());
    message.extend(error.to_ne_bytes());
    message.extend(unique.to_ne_bytes());
    message.extend(body);
    message
}

/// Attributes of a node as `struct fuse_attr` has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Inode {
    /// `st_ino`.
    pub(crate) number: u64,
    /// Type and permission bits.
    pub(crate) mode: u32,
    /// `st_nlink`: 0 for an object that is gone.
    pub(crate) links: u32,
    /// `st_size`.
    pub(crate) size: u64,
    /// Modification time in seconds since 1970.
    pub(crate) time: u64,
}

impl Inode {
    fn append_to(&self, body: &mut Vec<u8>) {
        for wide in [self.number, self.size, 0, self.time, self.time, self.time] {
            body.extend(wide.to_ne_bytes());
        }
        let nanoseconds = [0; 3];
        let [owner, group, device, flags] = [0; 4];
        let block_size = 4096;
        for narrow in nanoseconds.into_iter().chain([self.mode, self.links, owner, group, device, block_size, flags]) {
            body.extend(u32::to_ne_bytes(narrow));
        }
    }
}

/// Answer to INIT, or the reason why this kernel cannot be served.
pub(crate) fn init(major: u32, minor: u32, readahead: u32, flags: u32) -> Result<Vec<u8>, Errno> {
    if major < MAJOR || (major == MAJOR && minor < OLDEST_MINOR) {
        return Err(Errno::EPROTO);
    }
    let wanted = ASYNC_READ | BIG_WRITES | PARALLEL_DIROPS;
    let mut body = Vec::with_capacity(64);
    for field in [MAJOR, MINOR.min(minor), readahead, flags & wanted] {
        body.extend(field.to_ne_bytes());
    }
    let (background, congested): (u16, u16) = (64, 48);
    body.extend(background.to_ne_bytes());
    body.extend(congested.to_ne_bytes());
    body.extend(MAX_WRITE.to_ne_bytes());
    let time_granularity: u32 = 1;
    body.extend(time_granularity.to_ne_bytes());
    body.resize(64, 0);
    Ok(body)
}

/// Answer to LOOKUP.
pub(crate) fn entry(node: u64, inode: &Inode) -> Vec<u8> {
    let mut body = Vec::with_capacity(128);
    body.extend(node.to_ne_bytes());
    let (generation, times_to_live) = ([0; 8], [0; 24]);
    body.extend(generation);
    body.extend(times_to_live);
    inode.append_to(&mut body);
    body
}

/// Answer to GETATTR and SETATTR.
pub(crate) fn attributes(inode: &Inode) -> Vec<u8> {
    let mut body = Vec::with_capacity(104);
    let time_to_live = [0; 16];
    body.extend(time_to_live);
    inode.append_to(&mut body);
    body
}

/// Answer to OPEN and OPENDIR. Attributes bypass the page cache, so that each `read(2)` and `write(2)` arrives here as one
/// request with the caller's own size.
pub(crate) fn opened(handle: u64, direct: bool) -> Vec<u8> {
    let flags = if direct { DIRECT_IO } else { 0 };
    let mut body = Vec::with_capacity(16);
    body.extend(handle.to_ne_bytes());
    body.extend(flags.to_ne_bytes());
    body.extend([0; 4]);
    body
}

/// Answer to WRITE: how many bytes were taken.
pub(crate) fn written(count: usize) -> Vec<u8> {
    let count = u32::try_from(count).expect("a write is at most a page");
    let mut body = count.to_ne_bytes().to_vec();
    body.extend([0; 4]);
    body
}

/// Answer to STATFS: a file system without blocks whose names have up to 255 bytes.
pub(crate) fn statistics() -> Vec<u8> {
    let mut body = vec![0; 40];
    for field in [4096_u32, 255, 4096] {
        body.extend(field.to_ne_bytes());
    }
    body.resize(80, 0);
    body
}

/// What READDIR calls an entry's number when nobody knows it; `stat(2)` has the real one.
const UNKNOWN_NUMBER: u64 = 0xffff_ffff;

/// Appends one directory entry to an answer to READDIR, unless it would exceed `room`. `next` is the offset that continues
/// after it, `kind` the type bits of `st_mode`.
pub(crate) fn push_entry(body: &mut Vec<u8>, room: usize, next: u64, kind: u32, name: &[u8]) -> bool {
    let length = (24 + name.len()).next_multiple_of(8);
    if body.len() + length > room {
        return false;
    }
    let end = body.len() + length;
    body.extend(UNKNOWN_NUMBER.to_ne_bytes());
    body.extend(next.to_ne_bytes());
    body.extend(u32::try_from(name.len()).unwrap_or(u32::MAX).to_ne_bytes());
    body.extend((kind >> 12).to_ne_bytes());
    body.extend(name);
    body.resize(end, 0);
    true
}

#[cfg(test)]
mod tests;
