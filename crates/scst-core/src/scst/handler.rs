//! The type [`HandlerName`]: the handlers of virtual disks that the agents know (`scst_vdisk.c`).

use super::name_grammar::{NameError, named_by_directory};

/// A handler of virtual disks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum HandlerName {
    /// A block device, used past the page cache.
    #[default]
    VdiskBlockio,
    /// A file, through the page cache.
    VdiskFileio,
    /// No store: reads give zeros, writes vanish.
    VdiskNullio,
}

impl HandlerName {
    /// Every handler of the agents.
    pub const ALL: [Self; 3] = [Self::VdiskBlockio, Self::VdiskFileio, Self::VdiskNullio];

    /// The directory below `handlers`.
    pub fn dir(self) -> &'static str {
        match self {
            Self::VdiskBlockio => "vdisk_blockio",
            Self::VdiskFileio => "vdisk_fileio",
            Self::VdiskNullio => "vdisk_nullio",
        }
    }

    /// Whether its devices stand on a file or block device that must exist.
    pub fn has_backing(self) -> bool {
        self != Self::VdiskNullio
    }
}

named_by_directory!(HandlerName, "one of vdisk_blockio, vdisk_fileio, vdisk_nullio");
