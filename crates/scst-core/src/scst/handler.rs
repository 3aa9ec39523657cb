//! The type [`HandlerName`]: the handlers of virtual disks that the agents know (`scst_vdisk.c`).

use super::name_grammar::{NameError, shown_by_directory};

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

    /// The handler of this name.
    ///
    /// # Errors
    ///
    /// No handler that the agents know has this name.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        Self::ALL
            .into_iter()
            .find(|handler| handler.dir() == text)
            .ok_or(NameError::Form("one of vdisk_blockio, vdisk_fileio, vdisk_nullio"))
    }

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

shown_by_directory!(HandlerName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handlers_read_back_as_themselves() {
        for handler in HandlerName::ALL {
            assert_eq!(HandlerName::parse(handler.as_ref()), Ok(handler));
        }
        assert!(HandlerName::parse("vcdrom").is_err());
    }
}
