//! The picture of a tree, and how it is compared.

use std::fmt::{self, Debug, Formatter};

use snapbox::assert::{Assert, DEFAULT_ACTION_ENV};
use snapbox::data::Inline;

/// The picture of SCST's tree at one moment.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Tree(String);

impl Tree {
    pub(super) fn new(picture: String) -> Self {
        Self(picture)
    }

    /// Compares with a picture in the test, which `SNAPSHOTS=overwrite` rewrites.
    #[track_caller]
    pub(crate) fn eq(&self, expected: Inline) {
        Assert::new().action_env(DEFAULT_ACTION_ENV).eq(self.0.clone(), expected);
    }

    /// The part from the first line that begins with this.
    pub(crate) fn from(&self, beginning: &str) -> Self {
        let mut at = 0;
        for line in self.0.split_inclusive('\n') {
            if line.starts_with(beginning) {
                break;
            }
            at += line.len();
        }
        Self(self.0[at..].to_owned())
    }

    /// The lines that begin with this, without their indentation.
    pub(crate) fn lines(&self, beginning: &str) -> Vec<&str> {
        self.0.lines().map(str::trim_start).filter(|line| line.starts_with(beginning)).collect()
    }
}

impl Debug for Tree {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "\n{}", self.0)
    }
}
