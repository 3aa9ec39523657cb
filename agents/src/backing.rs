//! Looks at the backing stores of devices, files and block devices outside of sysfs: whether they are there, how large
//! they are, whether they can be opened. Nothing is changed.
//!
//! A file system whose server is gone, or a disk that does not answer, keeps a look at it waiting. So all looks begin
//! at the same moment, and after 5 s, or half of the time that the run has left, those without an answer are left
//! behind.

use std::io;
use std::time::Duration;

use nix::errno::Errno;
use scst_core::deadline::Deadline;
use scst_core::error::{Error, Verb};
use scst_core::observe::Observer;
use scst_core::system::{Operation, Output, Pending, StoreKind};

/// The longest that is waited for the looks of one run.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was found at the path of a backing store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// Nothing.
    Missing,
    /// No answer in time.
    Silent,
    /// The kernel answered an error that does not say that nothing is there: a disk or a file server that fails.
    Failing(Errno),
    /// There is one, and it answers.
    There {
        /// Its size in bytes; `None` where it is not known.
        bytes: Option<u64>,
        /// Its number (`st_rdev` of stat(2)), where it is a block device.
        disk: Option<u64>,
    },
}

impl Store {
    /// What keeps it from being used, as the end of a sentence that begins with its path; `None` where it is there.
    pub fn unusable(self) -> Option<String> {
        Some(match self {
            Self::Missing => "does not exist".to_owned(),
            Self::Silent => "does not answer".to_owned(),
            Self::Failing(errno) => format!("cannot be looked at: {errno:?}"),
            Self::There { .. } => return None,
        })
    }

    /// Something is there, and answers.
    pub fn is_there(self) -> bool {
        matches!(self, Self::There { .. })
    }

    /// Its size in bytes, as far as it is known.
    pub fn bytes(self) -> Option<u64> {
        match self {
            Self::There { bytes, .. } => bytes,
            Self::Missing | Self::Silent | Self::Failing(_) => None,
        }
    }

    /// Its logical block size in bytes, where it is a block device.
    ///
    /// # Errors
    ///
    /// When the kernel does not say how large its blocks are.
    pub fn block_size(self, observer: Observer<'_>) -> Result<Option<u64>, Error> {
        match self {
            Self::There { disk: Some(number), .. } => observer.logical_block_size(number),
            _ => Ok(None),
        }
    }
}

/// Looks at the stores at these paths, without opening them: a DRBD secondary can be looked at as well.
///
/// # Errors
///
/// When the kernel does not say how large a disk is.
pub fn look(paths: &[&str], observer: Observer<'_>) -> Result<Vec<Store>, Error> {
    let store = |answer: Option<io::Result<StoreKind>>| match answer {
        None => Ok(Store::Silent),
        Some(Err(error)) => Ok(match error.raw_os_error().map_or(Errno::EIO, Errno::from_raw) {
            Errno::ENOENT | Errno::ENOTDIR | Errno::ENXIO | Errno::ENODEV => Store::Missing,
            errno => Store::Failing(errno),
        }),
        Some(Ok(StoreKind::File(bytes))) => Ok(Store::There { bytes: Some(bytes), disk: None }),
        // The node of a disk that is gone stays where nobody takes it away.
        Some(Ok(StoreKind::Disk(number))) => {
            let there = |bytes| Store::There { bytes: Some(bytes), disk: Some(number) };
            Ok(observer.block_device_size(number)?.map_or(Store::Missing, there))
        }
        Some(Ok(StoreKind::Other)) => Ok(Store::There { bytes: None, disk: None }),
    };
    together(paths.iter().map(|path| (*path, Verb::Look)), observer.deadline).into_iter().map(store).collect()
}

/// Opens every store and closes it again, as `vdisk_fileio` will open it, and answers what went wrong in the order of the paths:
/// nothing, or a reason.
pub fn try_to_open(paths: &[(&str, bool)], deadline: &Deadline) -> Vec<Option<String>> {
    let tries =
        paths.iter().map(|(path, read_only)| (*path, if *read_only { Verb::OpenToRead } else { Verb::OpenToWrite }));
    let refused = |opened: Option<io::Result<StoreKind>>| match opened {
        None => Some("no answer in time".to_owned()),
        Some(Err(error)) => Some(error.to_string()),
        // The kernel takes files and block devices only (`vdisk_get_file_size`).
        Some(Ok(StoreKind::Other)) => Some("neither a file nor a block device".to_owned()),
        Some(Ok(StoreKind::File(_) | StoreKind::Disk(_))) => None,
    };
    together(tries, deadline).into_iter().map(refused).collect()
}

/// Carries out one operation per path, all at the same moment, and collects what was answered in time.
fn together<'p>(
    operations: impl Iterator<Item = (&'p str, Verb)>,
    deadline: &Deadline,
) -> Vec<Option<io::Result<StoreKind>>> {
    let end = deadline.now() + PATIENCE.min(deadline.remaining() / 2);
    let begun: Vec<_> = operations.map(|(path, verb)| deadline.system().begin(Operation::new(verb, path))).collect();
    let answer = |begun: io::Result<Box<dyn Pending>>| match begun {
        Err(error) => Some(Err(error)),
        Ok(mut pending) => pending.answer(end.saturating_sub(deadline.now())).map(|answer| {
            answer.map(|output| match output {
                Output::Store(kind) => kind,
                _ => StoreKind::Other,
            })
        }),
    };
    begun.into_iter().map(answer).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
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
        let there = |bytes| Store::There { bytes, disk: None };
        assert_eq!(seen, [there(Some(1000)), Store::Missing, there(None)]);
    }

    #[test]
    fn a_disk_that_was_looked_at_is_not_looked_at_again_for_its_block_size() {
        let dir = tempfile::tempdir().unwrap();
        let queue = dir.path().join("dev/block/8:16/queue");
        fs::create_dir_all(&queue).unwrap();
        fs::write(queue.join("logical_block_size"), "4096\n").unwrap();
        let sysfs = Sysfs::new(Machine::system(), dir.path());
        let deadline = Deadline::within(Machine::system(), Duration::from_secs(10), Arc::default());
        let observer = Observer { sysfs: &sysfs, deadline: &deadline };
        let disk = Some(nix::sys::stat::makedev(8, 16));
        assert_eq!(Store::There { bytes: None, disk }.block_size(observer), Ok(Some(4096)));
        assert_eq!(Store::There { bytes: Some(1000), disk: None }.block_size(observer), Ok(None));
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
