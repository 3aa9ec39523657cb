//! The type [`Error`]: one operation on kernel files, or one wait, that failed: what was being done, to which path,
//! with which value, and what the kernel answered.
//!
//! An error says nothing of the cluster. [`crate::ocf::exit::Failure`] is made of it: the exit code, the reason and a
//! hint for the operator.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;

/// The operations on the kernel's tree, and on the stores below its devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Reading an attribute.
    Read,
    /// Writing an attribute or a command.
    Write,
    /// Listing a directory.
    List,
    /// Reading the target of a link.
    Link,
    /// Reading with stat(2) what is at a path, without opening it.
    Look,
    /// Opening a file to read, and closing it again.
    OpenToRead,
    /// Opening a file to read and write, and closing it again.
    OpenToWrite,
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "reading",
            Self::Write => "writing",
            Self::List => "listing",
            Self::Link => "reading link",
            Self::Look => "looking at",
            Self::OpenToRead | Self::OpenToWrite => "opening",
        })
    }
}

/// An operation on a kernel file, or a wait for one of its effects, that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The kernel answered with an errno.
    #[error("{} {}", .errno, operation(*.verb, .path, .value.as_deref()))]
    Kernel {
        /// What was being done.
        verb: Verb,
        /// The full path.
        path: PathBuf,
        /// The text written, without its newline; `None` for what is no write. A secret in it is `***`.
        value: Option<String>,
        /// The kernel's answer.
        errno: ErrnoName,
    },
    /// The kernel had not answered when the deadline passed. A write may still be carried out.
    #[error("no answer within {} ms {}", .waited.as_millis(), operation(*.verb, .path, .value.as_deref()))]
    Hung {
        /// What was being done.
        verb: Verb,
        /// The full path.
        path: PathBuf,
        /// The text written, without its newline; `None` for what is no write. A secret in it is `***`.
        value: Option<String>,
        /// How long the operation was waited for (shown in milliseconds).
        waited: Duration,
    },
    /// A state that should have come about had not done so when the deadline passed.
    #[error("{what} did not happen within {} ms", .waited.as_millis())]
    NotSeen {
        /// What was waited for, as a noun phrase.
        what: String,
        /// How long it was waited for (shown in milliseconds).
        waited: Duration,
    },
    /// An attribute holds a text that is none of its values.
    #[error("{} holds {text:?}, which is not {expected}", .path.display())]
    Content {
        /// The full path.
        path: PathBuf,
        /// What was read.
        text: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The kernel lists an object under a name that no command can carry, so no step can concern it.
    #[error("{} has a name that no command can carry", .path.display())]
    Name {
        /// The full path.
        path: PathBuf,
    },
    /// A step for a port of another machine was not written, because the kernel would have applied it to a port of this
    /// machine.
    #[error("{} is not a port of another machine, so this would act on the local devices", .path.display())]
    NotRemote {
        /// The full path of the target group, or of its member.
        path: PathBuf,
    },
    /// A device cannot be added, because neither of the two files that hold its persistent reservations can be read.
    #[error("persistent reservations damaged in {} and {}", .files[0].display(), .files[1].display())]
    Reservations {
        /// The file, and the one with the state before it.
        files: [PathBuf; 2],
    },
    /// The run was asked to end (SIGTERM).
    #[error("ended by a signal before {what}")]
    Cancelled {
        /// The step, or the wait, that was given up.
        what: String,
    },
}

impl Error {
    /// The errno, when the kernel answered with one.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Kernel { errno, .. } => Some(errno.0),
            _ => None,
        }
    }

    /// The object or one of its parents is not there.
    pub fn is_absent(&self) -> bool {
        matches!(self.errno(), Some(Errno::ENOENT | Errno::ENODEV | Errno::ENOTDIR))
    }
}

/// An errno that displays as its name, `EBUSY`: the word operators search for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ErrnoName(pub Errno);

impl fmt::Display for ErrnoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Debug for ErrnoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

fn operation(verb: Verb, path: &Path, value: Option<&str>) -> String {
    match value {
        Some(value) => format!("{verb} {value:?} to {}", path.display()),
        None => format!("{verb} {}", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_errno_verb_value_and_path() {
        let error = Error::Kernel {
            verb: Verb::Write,
            path: PathBuf::from("/sys/kernel/scst_tgt/targets/qla2x00t/p/enabled"),
            value: Some("1".into()),
            errno: ErrnoName(Errno::EBUSY),
        };
        assert_eq!(error.to_string(), r#"EBUSY writing "1" to /sys/kernel/scst_tgt/targets/qla2x00t/p/enabled"#);
    }
}
