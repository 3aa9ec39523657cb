//! What lies below the devices: files and block devices outside of sysfs, which are looked at and never changed.
//!
//! A file system whose server is gone, or a disk that does not answer, keeps whoever looks waiting. So every look runs in a thread
//! that can be left behind, all at the same moment, and ends for us when its time is over.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use scst_core::deadline::Deadline;
use scst_core::error::Error;
use scst_core::observe::Observer;

/// The longest that is waited for the looks of one run.
const PATIENCE: Duration = Duration::from_secs(5);

/// The stack of a thread that makes one system call.
const STACK: usize = 64 * 1024;

/// What was found at the path of a backing store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// Nothing.
    Missing,
    /// No answer in time.
    Silent,
    /// A store with that many bytes; `None` where nobody says how many.
    There(Option<u64>),
}

impl Store {
    /// Something is there, and answers.
    pub fn is_there(self) -> bool {
        matches!(self, Self::There(_))
    }

    /// Its size in bytes, as far as it is known.
    pub fn bytes(self) -> Option<u64> {
        match self {
            Self::There(bytes) => bytes,
            Self::Missing | Self::Silent => None,
        }
    }
}

/// What a path turned out to be.
#[derive(Debug, Clone, Copy)]
enum Kind {
    File(u64),
    Disk(u64),
    Other,
}

/// Looks at the stores at these paths, without opening them: a DRBD secondary can be looked at as well.
///
/// # Errors
///
/// When the kernel does not say how large a disk is.
pub fn look(paths: &[&str], observer: Observer<'_>) -> Result<Vec<Store>, Error> {
    let kinds = together(paths.iter().map(|path| ((*path).to_owned(), kind as fn(&str) -> _)), observer.deadline);
    let store = |kind: Option<io::Result<Kind>>| match kind {
        None => Ok(Store::Silent),
        Some(Err(_)) => Ok(Store::Missing),
        Some(Ok(Kind::File(bytes))) => Ok(Store::There(Some(bytes))),
        // The node of a disk that is gone stays where nobody takes it away.
        Some(Ok(Kind::Disk(number))) => {
            Ok(observer.block_device_size(number)?.map_or(Store::Missing, |bytes| Store::There(Some(bytes))))
        }
        Some(Ok(Kind::Other)) => Ok(Store::There(None)),
    };
    kinds.into_iter().map(store).collect()
}

/// The logical block sizes of those stores that are block devices, in bytes and in the order of the paths.
///
/// # Errors
///
/// When the kernel does not say how large a disk's blocks are.
pub fn block_sizes(paths: &[&str], observer: Observer<'_>) -> Result<Vec<Option<u64>>, Error> {
    let kinds = together(paths.iter().map(|path| ((*path).to_owned(), kind as fn(&str) -> _)), observer.deadline);
    let size = |kind: Option<io::Result<Kind>>| match kind {
        Some(Ok(Kind::Disk(number))) => observer.logical_block_size(number),
        _ => Ok(None),
    };
    kinds.into_iter().map(size).collect()
}

/// Opens every store and closes it again, as `vdisk_fileio` will open it, and answers what went wrong in the order of the paths:
/// nothing, or a reason.
pub fn try_to_open(paths: &[(&str, bool)], deadline: &Deadline) -> Vec<Option<String>> {
    let tries = paths.iter().map(|(path, read_only)| {
        ((*path).to_owned(), if *read_only { open_to_read as fn(&str) -> _ } else { open_to_write })
    });
    let refused = |opened: Option<io::Result<()>>| match opened {
        None => Some("no answer in time".to_owned()),
        Some(Err(error)) => Some(error.to_string()),
        Some(Ok(())) => None,
    };
    together(tries, deadline).into_iter().map(refused).collect()
}

/// Carries out one call per path, each in a thread of its own, and collects what was answered in time.
fn together<T: Send + 'static>(
    calls: impl Iterator<Item = (String, fn(&str) -> io::Result<T>)>,
    deadline: &Deadline,
) -> Vec<Option<io::Result<T>>> {
    let end = deadline.now() + PATIENCE.min(deadline.remaining() / 2);
    let begin = |(path, call): (String, fn(&str) -> io::Result<T>)| -> io::Result<Receiver<io::Result<T>>> {
        let (sender, answer) = mpsc::channel();
        let thread = thread::Builder::new().name("store".into()).stack_size(STACK);
        // Nobody listens to an answer that comes too late.
        thread.spawn(move || _ = sender.send(call(&path)))?;
        Ok(answer)
    };
    let threads: Vec<_> = calls.map(begin).collect();
    let answer = |thread: io::Result<Receiver<io::Result<T>>>| match thread {
        Ok(answer) => answer.recv_timeout(end.saturating_sub(deadline.now())).ok(),
        Err(error) => Some(Err(error)),
    };
    threads.into_iter().map(answer).collect()
}

fn kind(path: &str) -> io::Result<Kind> {
    let found = fs::metadata(path)?;
    Ok(match found.file_type() {
        kind if kind.is_block_device() => Kind::Disk(found.rdev()),
        kind if kind.is_file() => Kind::File(found.len()),
        _ => Kind::Other,
    })
}

fn open_to_read(path: &str) -> io::Result<()> {
    accepted(&fs::File::open(path)?)
}

fn open_to_write(path: &str) -> io::Result<()> {
    accepted(&fs::OpenOptions::new().read(true).write(true).open(path)?)
}

/// The kernel takes files and block devices only (`vdisk_get_file_size`).
fn accepted(file: &fs::File) -> io::Result<()> {
    let kind = file.metadata()?.file_type();
    if kind.is_file() || kind.is_block_device() {
        Ok(())
    } else {
        Err(io::Error::other("neither a file nor a block device"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use scst_core::sysfs::Sysfs;
    use scst_core::system::Machine;

    use super::*;

    #[test]
    fn a_store_is_looked_at_without_being_opened() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        fs::write(path("file"), [0; 1000]).unwrap();
        let sysfs = Sysfs::new(Machine::system(), dir.path());
        let deadline = Deadline::within(Machine::system(), Duration::from_secs(10), Arc::default());
        let observer = Observer { sysfs: &sysfs, deadline: &deadline };
        let (file, gone, this) = (path("file"), path("gone"), path(""));
        let seen = look(&[&file, &gone, &this], observer).unwrap();
        assert_eq!(seen, [Store::There(Some(1000)), Store::Missing, Store::There(None)]);
    }

    #[test]
    fn a_store_is_opened_as_the_kernel_will_and_a_hanging_one_is_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        let (file, gone, this, fifo) = (path("file"), path("gone"), path(""), path("fifo"));
        fs::write(&file, "").unwrap();
        nix::unistd::mkfifo(fifo.as_str(), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let deadline = Deadline::within(Machine::system(), Duration::from_millis(600), Arc::default());
        let tries = [(&*file, false), (&*file, true), (&*gone, false), (&*this, false), (&*this, true), (&*fifo, true)];
        let reasons: Vec<_> = try_to_open(&tries, &deadline).into_iter().map(Option::unwrap_or_default).collect();
        assert_eq!(reasons[..2], ["", ""]);
        assert!(reasons[2].starts_with("No such file"), "{reasons:?}");
        assert!(reasons[3].starts_with("Is a directory"), "{reasons:?}");
        assert_eq!(reasons[4..], ["neither a file nor a block device", "no answer in time"]);
    }
}
