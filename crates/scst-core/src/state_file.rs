//! State files: what an instance of an agent remembers between two actions, in a file below `/run` that every action
//! reads and most write. Beside it the lock of a device group or of the ports, and the time of a promotion that failed.
//!
//! A state file is a memory aid: it says what was ours and what a killed run may have left blocked, never whether
//! something runs. An **empty** file was made by the shell agents this project replaces: its contents are unknown, not
//! wrong. A file that cannot be understood counts as empty as well, because acting on half of it could touch what is
//! not ours.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `format` | the text of a state file |
//! | `find` | which file belongs to an instance |
//! | `adopt` | the file under another name that an instance takes for its own, and those of other resources |
//! | `write` | replacing and removing it |
//! | `lock` | one action at a time |
//! | `failure` | when the last promotion failed, which outlives a stop |

mod adopt;
mod failure;
mod find;
mod format;
mod lock;
mod write;

use std::path::PathBuf;
use std::sync::Arc;

use crate::system::System;

pub use self::find::file_name;
pub use self::format::StateFile;

/// What is remembered of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "a run has one or two of these, and nearly always the large one")]
pub enum Remembered {
    /// There is none.
    Nothing,
    /// There is one that says nothing: made by the shell agents, or damaged.
    Unknown,
    /// One of ours.
    Known(StateFile),
}

impl Remembered {
    /// The state file, if its contents are known.
    pub fn known(&self) -> Option<&StateFile> {
        match self {
            Self::Known(file) => Some(file),
            _ => None,
        }
    }
}

/// The instance of a run by hand that names none. No resource has this id: the first resource that acts on what such a
/// run has started takes it over.
const NOBODY: &str = "default";

/// The state files and locks of one agent, as one of its instances sees them.
#[derive(Debug, Clone)]
pub struct StateFiles {
    system: Arc<dyn System>,
    dir: PathBuf,
    agent: &'static str,
    /// The agent whose name the locks carry.
    locks_of: &'static str,
    instance: String,
    of_resource: bool,
}
