//! The checks that all names for SCST's commands have in common, and the type [`NameError`]. `names`, `values` and
//! `iscsi` build on them.

use thiserror::Error;

/// The longest path component a file system opens, in bytes; SCST accepts longer names, and such an object can never be
/// read again.
pub(super) const MAX_COMPONENT: usize = 255;

/// The entry that the kernel keeps beside initiator groups, initiators, groups and members: a name equal to it answers EEXIST.
pub(super) const MGMT: &str = "mgmt";

/// Why a text is not a name of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameError {
    /// Nothing is left to be a name.
    #[error("empty name")]
    Empty,
    /// More bytes than the kernel or the agents' grammar allow.
    #[error("{length} characters, at most {limit} are possible")]
    TooLong {
        /// Bytes given.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// A character outside the grammar of this kind of name.
    #[error("character {0:?} is not possible here")]
    Character(char),
    /// A path component with a meaning of its own, or the name of an attribute that stands in the same directory.
    #[error("the name is reserved by the kernel")]
    Reserved,
    /// The text does not have the form that was expected.
    #[error("not {0}")]
    Form(&'static str),
}

/// Checks that a text has no character that is `bad`, and at most `limit` bytes.
pub(super) fn without(text: &str, limit: usize, bad: impl Fn(char) -> bool) -> Result<&str, NameError> {
    match text.chars().find(|c| bad(*c)) {
        Some(bad) => Err(NameError::Character(bad)),
        None if text.len() > limit => Err(NameError::TooLong { length: text.len(), limit }),
        None => Ok(text),
    }
}

/// The same for a text that must not be empty.
pub(super) fn some_without(text: &str, limit: usize, bad: impl Fn(char) -> bool) -> Result<&str, NameError> {
    if text.is_empty() { Err(NameError::Empty) } else { without(text, limit, bad) }
}

/// Checks one word of a mgmt command that is also one path component.
pub(super) fn word(text: &str, limit: usize) -> Result<&str, NameError> {
    let text = some_without(text, limit, |c| !c.is_ascii_graphic() || matches!(c, '/' | '=' | ';'))?;
    if text == "." || text == ".." || text == MGMT {
        return Err(NameError::Reserved);
    }
    Ok(text)
}

/// Checks a part of a device's name: letters, digits and `also`, 1 to `limit`. No dot: SCST refuses a device with one.
pub(super) fn part<'t>(text: &'t str, limit: usize, also: &[char]) -> Result<&'t str, NameError> {
    without(word(text, MAX_COMPONENT)?, limit, |c| !c.is_ascii_alphanumeric() && !also.contains(&c))
}

/// Gives newtypes over `String` their reading half: text out, never in.
macro_rules! readable {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl $name {
            /// The text as it is written to the kernel.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    )*};
}

/// Reads and shows what has a directory of its own by the name of that directory, `dir`. `$one_of` lists all names.
macro_rules! named_by_directory {
    ($name:ident, $one_of:literal) => {
        impl $name {
            /// The one whose directory has this name.
            ///
            /// # Errors
            ///
            /// None that the agents know has this directory.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                Self::ALL.into_iter().find(|known| known.dir() == text).ok_or(NameError::Form($one_of))
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.dir())
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.dir()
            }
        }
    };
}

pub(super) use {named_by_directory, readable};
