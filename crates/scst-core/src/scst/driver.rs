//! The type [`Driver`]: the target drivers that the agents know, how each names its targets, and in what they differ.

use super::name_forms::{hex_groups, iscsi_name, wwpn};
use super::name_grammar::{NameError, named_by_directory};

/// A target driver of SCST that the agents know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Driver {
    /// Fibre Channel through `QLogic` adapters.
    Qla2x00t,
    /// iSCSI.
    Iscsi,
    /// SRP over `InfiniBand`.
    IbSrpt,
    /// Targets seen by the machine itself.
    ScstLocal,
    /// Fibre Channel over Ethernet.
    Fcst,
}

impl Driver {
    /// Every driver, in the order of the documentation.
    pub const ALL: [Self; 5] = [Self::Qla2x00t, Self::Iscsi, Self::IbSrpt, Self::ScstLocal, Self::Fcst];

    /// The directory below `targets`.
    pub fn dir(self) -> &'static str {
        match self {
            Self::Qla2x00t => "qla2x00t",
            Self::Iscsi => "iscsi",
            Self::IbSrpt => "ib_srpt",
            Self::ScstLocal => "scst_local",
            Self::Fcst => "fcst",
        }
    }

    /// The name of the driver's module, for modprobe.
    pub fn module(self) -> &'static str {
        match self {
            Self::Qla2x00t => "qla2x00tgt",
            Self::Iscsi => "iscsi-scst",
            Self::IbSrpt => "ib_srpt",
            Self::ScstLocal => "scst_local",
            Self::Fcst => "fcst",
        }
    }

    /// The directory of that module below `/sys/module`, where a dash is an underscore.
    pub fn module_dir(self) -> &'static str {
        match self {
            Self::Iscsi => "iscsi_scst",
            other => other.module(),
        }
    }

    /// A target's name as this driver spells it in sysfs, from a text in one of the usual spellings of such a name: Fibre Channel
    /// and `InfiniBand` names are in lower case, the others keep their spelling.
    ///
    /// # Errors
    ///
    /// Says which form a name of this driver has.
    pub fn spelled(self, text: &str) -> Result<String, NameError> {
        let lower = || text.to_ascii_lowercase();
        let (name, form) = match self {
            Self::Qla2x00t => (wwpn(&lower()), "a WWPN of eight pairs of hex digits joined by colons"),
            Self::IbSrpt => (
                (hex_groups(text, 4, 4) || hex_groups(text, 8, 4)).then(lower),
                "a GUID or GID of four or eight groups of four hex digits",
            ),
            Self::Iscsi => (iscsi_name(text).then(|| text.to_owned()), "an iSCSI name of the form iqn., eui. or naa."),
            Self::ScstLocal | Self::Fcst => (Some(text.to_owned()), "a name"),
        };
        name.ok_or(NameError::Form(form))
    }

    /// Whether its targets' names have a form that distinguishes them from those of other drivers.
    pub fn has_form(self) -> bool {
        !matches!(self, Self::ScstLocal | Self::Fcst)
    }

    /// Whether a name that could be one of its targets is meant to be: one in the form of another driver is that driver's. Targets of
    /// `fcst` are named as those of Fibre Channel, so on one node the two cannot be told apart.
    pub fn takes(self, name: &str) -> bool {
        let others = Self::ALL.into_iter().filter(|other| other.has_form() && *other != self);
        let mut theirs = others.filter(|other| other.spelled(name).is_ok());
        self.has_form() || theirs.all(|other| self == Self::Fcst && other == Self::Qla2x00t)
    }

    /// Whether its targets are made and deleted by command; those of the others appear with their hardware.
    pub fn makes_targets(self) -> bool {
        matches!(self, Self::Iscsi | Self::ScstLocal)
    }

    /// Whether a daemon holds its targets, which the kernel asks before it answers for some files.
    pub fn has_daemon(self) -> bool {
        self == Self::Iscsi
    }

    /// Whether this driver's targets have no `enabled` attribute and always count as enabled.
    pub fn always_enabled(self) -> bool {
        self == Self::ScstLocal
    }
}

named_by_directory!(Driver, "one of qla2x00t, iscsi, ib_srpt, scst_local, fcst");

#[cfg(test)]
mod tests {
    use super::super::handler::HandlerName;
    use super::*;

    #[test]
    fn drivers_and_handlers_read_back_as_themselves() {
        for handler in HandlerName::ALL {
            assert_eq!(HandlerName::parse(handler.as_ref()), Ok(handler));
        }
        assert!(HandlerName::parse("vcdrom").is_err());
        for driver in Driver::ALL {
            assert_eq!(Driver::parse(driver.as_ref()), Ok(driver));
        }
        assert!(Driver::parse("copy_manager").is_err());
        assert_eq!((Driver::Iscsi.module(), Driver::Iscsi.module_dir()), ("iscsi-scst", "iscsi_scst"));
    }
}
