//! Access to kernel files: reading, writing, listing and reading links below one root. Every look ([`crate::observe`])
//! and every step ([`crate::apply`]) comes through here.
//!
//! Sysfs has rules of its own that this module keeps for its callers:
//!
//! * One `write(2)` is one command. It is made once and never repeated: after EINTR, or when nobody waits for it any
//!   more, the kernel carries the command out all the same (`scst_sysfs.c` hands it to a thread of its own).
//! * A command may be answered EAGAIN because it takes over 15 s: it is *queued*, and only its effect shows whether it
//!   succeeds. That is [`Answer::Queued`].
//! * Any operation may sleep in the kernel without an end. Each is begun, and waited for until the deadline, so that
//!   the run ends in time; one that hangs is left behind.
//!
//! Architecture invariant: no other module reaches below the root, and this module knows no name of SCST's tree.

mod operation;
mod wait;

use std::path::PathBuf;
use std::sync::Arc;

use nix::errno::Errno;

pub use self::operation::Answer;
use self::operation::{answer, run, start, wait};
pub use self::wait::wait_until;
use crate::deadline::Deadline;
use crate::error::{Error, Verb};
use crate::system::{Operation, Output, System};

pub use crate::system::{Entry, EntryKind};

/// The kernel files below one root (`/sys`, or a mounted simulator in tests), as one run reads and writes them.
///
/// Paths are relative to the root, without a leading slash; [`crate::scst`] makes them. Every operation is waited for
/// until the deadline that comes with it, and fails with one of three errors:
///
/// * [`Error::Kernel`]: the kernel's errno (EIO where the operation could not even be begun);
/// * [`Error::Hung`]: no answer when the deadline passed. One that begins later is waited for 100 ms;
/// * [`Error::Cancelled`]: SIGTERM came while it was waited for.
#[derive(Debug)]
pub struct Sysfs {
    system: Arc<dyn System>,
    root: PathBuf,
    apart: bool,
}

impl Sysfs {
    /// The tree below `root`.
    pub fn new(system: Arc<dyn System>, root: impl Into<PathBuf>) -> Self {
        Self { system, root: root.into(), apart: false }
    }

    /// The same tree, whose attributes a helper process reads and writes. No signal of ours reaches that process, and
    /// it is left behind when the deadline passes. It is for files that a daemon must answer before the kernel does,
    /// and for writes that may sleep where not even SIGKILL ends them: a thread of our own there would keep this
    /// process from ending.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self { system: Arc::clone(&self.system), root: self.root.clone(), apart: true }
    }

    /// The full path of `path`, for messages.
    pub fn full(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    fn text(&self, verb: Verb, path: &str, deadline: &Deadline) -> Result<String, Error> {
        match run(&*self.system, self.operation(verb, path), deadline)? {
            Output::Text(text) => Ok(text),
            _ => Ok(String::new()),
        }
    }

    /// The whole text of an attribute, at most one page (4096 bytes).
    ///
    /// # Errors
    ///
    /// [`Error::Kernel`] with the errno of the open or the read, ENOENT where there is no such attribute;
    /// [`Error::Hung`] and [`Error::Cancelled`] as for every operation ([`Sysfs`]).
    pub fn read(&self, path: &str, deadline: &Deadline) -> Result<String, Error> {
        self.text(Verb::Read, path, deadline)
    }

    /// Like [`Sysfs::read`], with `None` for an attribute that is not there.
    ///
    /// # Errors
    ///
    /// As for [`Sysfs::read`], but ENOENT only where the attribute's directory lists it all the same.
    pub fn optional_read(&self, path: &str, deadline: &Deadline) -> Result<Option<String>, Error> {
        self.optional(path, deadline, || self.read(path, deadline))
    }

    /// The first line of an attribute, without its newline: the value, before any `[key]`.
    ///
    /// # Errors
    ///
    /// As for [`Sysfs::read`].
    pub fn value(&self, path: &str, deadline: &Deadline) -> Result<String, Error> {
        let text = self.read(path, deadline)?;
        Ok(text.split('\n').next().unwrap_or_default().to_owned())
    }

    /// Like [`Sysfs::value`], with `None` for an attribute that is not there.
    ///
    /// # Errors
    ///
    /// As for [`Sysfs::optional_read`].
    pub fn optional_value(&self, path: &str, deadline: &Deadline) -> Result<Option<String>, Error> {
        self.optional(path, deadline, || self.value(path, deadline))
    }

    /// The names in a directory, sorted. Names that are not UTF-8 are left out: no command of ours could carry them.
    ///
    /// # Errors
    ///
    /// [`Error::Kernel`] with the errno of the open or the read of the directory, ENOENT where there is none; else as
    /// for every operation ([`Sysfs`]).
    pub fn list(&self, path: &str, deadline: &Deadline) -> Result<Vec<Entry>, Error> {
        match run(&*self.system, self.operation(Verb::List, path), deadline)? {
            Output::Entries(entries) => Ok(entries),
            _ => Ok(Vec::new()),
        }
    }

    /// Like [`Sysfs::list`], with `None` for a directory that is not there.
    ///
    /// # Errors
    ///
    /// As for [`Sysfs::list`], but ENOENT only where the directory above lists this one all the same.
    pub fn optional_list(&self, path: &str, deadline: &Deadline) -> Result<Option<Vec<Entry>>, Error> {
        self.optional(path, deadline, || self.list(path, deadline))
    }

    /// The text of a symbolic link.
    ///
    /// # Errors
    ///
    /// [`Error::Kernel`] with the errno of readlink(2), ENOENT where nothing is there, EINVAL where it is no link; else
    /// as for every operation ([`Sysfs`]).
    pub fn link(&self, path: &str, deadline: &Deadline) -> Result<String, Error> {
        self.text(Verb::Link, path, deadline)
    }

    /// Like [`Sysfs::link`], with `None` where there is no such link.
    ///
    /// # Errors
    ///
    /// As for [`Sysfs::link`], but ENOENT only where the directory lists the link all the same.
    pub fn optional_link(&self, path: &str, deadline: &Deadline) -> Result<Option<String>, Error> {
        self.optional(path, deadline, || self.link(path, deadline))
    }

    /// What `look` finds at a path, or `None` where nothing is.
    ///
    /// ENOENT counts as absence only when the directory above does not list the object either: a plan that takes an
    /// object for absent skips it, and calls that success. An object that the directory does list is looked at again,
    /// three times in all.
    fn optional<T>(
        &self,
        path: &str,
        deadline: &Deadline,
        look: impl Fn() -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        for _ in 0..2 {
            match look() {
                Err(error) if error.is_absent() => {}
                result => return result.map(Some),
            }
            if self.is_absent(path, deadline)? {
                return Ok(None);
            }
        }
        look().map(Some)
    }

    /// Whether nothing is at a path: the nearest directory above it that exists lists neither it nor a directory on the
    /// way to it.
    ///
    /// # Errors
    ///
    /// A directory on the way to `path` is there and cannot be listed.
    pub fn is_absent(&self, path: &str, deadline: &Deadline) -> Result<bool, Error> {
        let mut path = path;
        loop {
            let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
            match self.list(parent, deadline) {
                Ok(entries) => return Ok(entries.iter().all(|entry| entry.name != name)),
                Err(error) if error.is_absent() && !parent.is_empty() => path = parent,
                Err(error) if error.is_absent() => return Ok(true),
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes one command or value, once. A newline is added to `value`.
    ///
    /// # Errors
    ///
    /// [`Error::Kernel`] with the errno by which the kernel refused the command; EAGAIN and EINTR are
    /// [`Answer::Queued`] instead. After [`Error::Hung`] or [`Error::Cancelled`] the kernel may still carry the command
    /// out.
    pub fn write(&self, path: &str, value: &str, deadline: &Deadline) -> Result<Answer, Error> {
        self.write_secret(path, value, None, deadline)
    }

    /// The same where no message may show `secret`, which is a part of `value`.
    ///
    /// # Errors
    ///
    /// As for [`Sysfs::write`], with `***` in the place of the secret.
    pub fn write_secret(
        &self,
        path: &str,
        value: &str,
        secret: Option<&str>,
        deadline: &Deadline,
    ) -> Result<Answer, Error> {
        answer(run(&*self.system, self.writing(path, value, secret), deadline))
    }

    /// Writes several commands (path, value) at the same moment, each from a thread of its own, and gives every answer
    /// in their order. All are begun, even after the deadline, and each is waited for until the deadline, or for 100 ms
    /// from its beginning where that is later.
    pub fn write_together(&self, writes: &[(String, String)], deadline: &Deadline) -> Vec<Result<Answer, Error>> {
        let started: Vec<_> =
            writes.iter().map(|(path, value)| start(&*self.system, self.writing(path, value, None))).collect();
        started.into_iter().map(|started| answer(started.and_then(|s| wait(&*self.system, s, deadline)))).collect()
    }

    /// Has a helper process write a value, and does not wait for it.
    ///
    /// # Errors
    ///
    /// [`Error::Kernel`] where the process could not be started or does not take the request (EINVAL: a path that is
    /// not UTF-8, or a newline in the value). What the kernel answers to the write is never known.
    pub fn write_apart(&self, path: &str, value: &str) -> Result<(), Error> {
        let apart = self.apart();
        start(&*apart.system, apart.writing(path, value, None)).map(drop)
    }

    fn operation(&self, verb: Verb, path: &str) -> Operation {
        Operation { apart: self.apart, ..Operation::new(verb, self.full(path)) }
    }

    fn writing(&self, path: &str, value: &str, secret: Option<&str>) -> Operation {
        let (data, secret) = (Some(value.to_owned()), secret.map(str::to_owned));
        Operation { data, secret, ..self.operation(Verb::Write, path) }
    }

    /// The result of the last queued command that the kernel has finished, whoever wrote it: after [`Answer::Queued`] a
    /// hint, and no more. `None` while any command is still being carried out, and where the file at `path` cannot be
    /// read.
    pub fn last_result(&self, path: &str, deadline: &Deadline) -> Option<Result<(), Errno>> {
        let text = self.value(path, deadline).ok()?;
        let number: i32 = text.trim().parse().ok()?;
        Some(if number == 0 { Ok(()) } else { Err(Errno::from_raw(-number)) })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    use crate::system::Machine;

    use super::*;

    fn soon() -> Deadline {
        Deadline::within(Machine::system(), Duration::from_millis(100), Arc::default())
    }

    #[test]
    fn a_value_is_the_first_line_and_absence_is_an_answer() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("rel_tgt_id"), "101\n[key]\n").unwrap();
        let sysfs = Sysfs::new(Machine::system(), dir.path());
        assert_eq!(sysfs.value("rel_tgt_id", &soon()).unwrap(), "101");
        assert_eq!(sysfs.optional_value("enabled", &soon()).unwrap(), None);
        assert!(sysfs.value("enabled", &soon()).unwrap_err().to_string().starts_with("ENOENT reading "));
    }

    #[test]
    fn a_listing_tells_kinds_and_an_empty_directory_from_none() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("luns")).unwrap();
        fs::write(dir.path().join("state"), "").unwrap();
        std::os::unix::fs::symlink("luns", dir.path().join("device")).unwrap();
        let sysfs = Sysfs::new(Machine::system(), dir.path());
        let entry = |name: &str, kind| Entry { name: name.to_owned(), kind };
        let expected =
            [entry("device", EntryKind::Link), entry("luns", EntryKind::Dir), entry("state", EntryKind::File)];
        assert_eq!(sysfs.list("", &soon()).unwrap(), expected);
        assert_eq!(sysfs.list("luns", &soon()).unwrap(), []);
        assert_eq!(sysfs.list("state", &soon()).unwrap_err().errno(), Some(Errno::ENOTDIR));
        assert_eq!(sysfs.list("gone", &soon()).unwrap_err().errno(), Some(Errno::ENOENT));
    }

    #[test]
    fn absence_is_told_by_the_directory_above() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("devices")).unwrap();
        // Named by its directory, and ENOENT for whoever opens it.
        std::os::unix::fs::symlink("nowhere", dir.path().join("devices/state")).unwrap();
        let sysfs = Sysfs::new(Machine::system(), dir.path());
        let error = sysfs.optional_value("devices/state", &soon()).unwrap_err();
        assert_eq!(error.errno(), Some(Errno::ENOENT));
        assert_eq!(sysfs.optional_value("devices/block", &soon()), Ok(None));
        assert_eq!(sysfs.optional_list("groups/ssd/devices", &soon()).unwrap(), None);
        assert_eq!(
            Sysfs::new(Machine::system(), dir.path().join("gone")).optional_list("module", &soon()).unwrap(),
            None
        );
    }

    #[test]
    fn a_write_that_hangs_ends_with_the_deadline() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("block");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let error = Sysfs::new(Machine::system(), dir.path()).write("block", "1", &soon()).unwrap_err();
        assert!(matches!(error, Error::Hung { .. }), "{error}");
        assert!(error.to_string().contains("\"1\""), "{error}");
    }

    #[test]
    fn a_cancelled_run_does_not_wait() {
        let dir = tempfile::tempdir().unwrap();
        nix::unistd::mkfifo(&dir.path().join("block"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let deadline = Deadline::within(Machine::system(), Duration::from_mins(1), Arc::new(AtomicBool::new(true)));
        let error = Sysfs::new(Machine::system(), dir.path()).write("block", "1", &deadline).unwrap_err();
        assert!(matches!(error, Error::Cancelled { .. }), "{error}");
    }

    #[test]
    fn writes_made_together_are_all_answered() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "").unwrap();
        let writes = [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "1".to_owned())];
        let answers = Sysfs::new(Machine::system(), dir.path()).write_together(&writes, &soon());
        assert_eq!(answers[0], Ok(Answer::Done));
        assert_eq!(answers[1].as_ref().unwrap_err().errno(), Some(Errno::ENOENT));
    }
}
