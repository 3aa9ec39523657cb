//! The type [`Change`]: one change of a target that is neither an initiator group nor a number. Only some drivers have
//! them: targets that are made and deleted by command, attributes, portals, users. It is the content of
//! [`Step::Target`](super::Step::Target).

use crate::scst::iscsi::{Portal, Secret, UserKind, UserName};
use crate::scst::names::{Driver, EntryName, TargetName};
use crate::scst::values::AttributeValue;
use crate::scst::{attribute, iscsi, target};

/// One change of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Make the target.
    Add,
    /// Delete the target. The daemon of iSCSI refuses while a session is there.
    Delete,
    /// Close all sessions, and wait until none is left.
    CloseSessions,
    /// Write an attribute.
    SetAttribute {
        /// The file in the target's directory.
        attribute: &'static str,
        /// Its new content.
        value: AttributeValue,
    },
    /// Let initiators reach the target by an address.
    AddPortal {
        /// The address, or a pattern of addresses.
        portal: Portal,
    },
    /// Take an address away; sessions by it stay.
    DelPortal {
        /// The address, or a pattern of addresses.
        portal: Portal,
    },
    /// Add a user of CHAP.
    AddUser {
        /// Who proves himself by it: initiators or the target.
        kind: UserKind,
        /// The user's name.
        user: UserName,
        /// The secret.
        secret: Secret,
    },
    /// Write the file of a user that is there: another name or secret. The one way to change an outgoing user.
    SetUser {
        /// Who proves himself by it: initiators or the target.
        kind: UserKind,
        /// The file that shows the user now.
        file: EntryName,
        /// The user's name from now on.
        user: UserName,
        /// The secret from now on.
        secret: Secret,
    },
    /// Delete a user.
    DelUser {
        /// Who proves himself by it: initiators or the target.
        kind: UserKind,
        /// The user's name.
        user: UserName,
    },
}

impl Change {
    /// The path (below the sysfs root) and the text of the one write; `None` for [`Change::CloseSessions`], which is a
    /// write per session.
    pub(super) fn command(&self, driver: Driver, port: &TargetName) -> Option<(String, String)> {
        let dir = target::port(driver, port);
        let mgmt = |text: String| Some((format!("{}/mgmt", target::driver(driver)), text));
        match self {
            Self::Add => mgmt(format!("add_target {port}")),
            Self::Delete => mgmt(format!("del_target {port}")),
            Self::CloseSessions => None,
            Self::SetAttribute { attribute, value } => Some((format!("{dir}/{attribute}"), value.to_string())),
            Self::AddPortal { portal } => mgmt(format!("add_target_attribute {port} {} {portal}", iscsi::PORTAL)),
            Self::DelPortal { portal } => mgmt(format!("del_target_attribute {port} {} {portal}", iscsi::PORTAL)),
            Self::AddUser { kind, user, secret } => {
                mgmt(format!("add_target_attribute {port} {} {user} {}", kind.word(), secret.reveal()))
            }
            Self::SetUser { file, user, secret, .. } => {
                Some((format!("{dir}/{file}"), format!("{user} {}", secret.reveal())))
            }
            Self::DelUser { kind, user } => mgmt(format!("del_target_attribute {port} {} {user}", kind.word())),
        }
    }

    /// The part of the text that no message may show.
    pub(super) fn secret(&self) -> Option<&Secret> {
        match self {
            Self::AddUser { secret, .. } | Self::SetUser { secret, .. } => Some(secret),
            _ => None,
        }
    }

    /// The kernel asks the driver's daemon before it answers.
    pub(super) fn asks_daemon(&self) -> bool {
        match self {
            Self::CloseSessions => false,
            Self::SetAttribute { attribute, .. } => attribute::find(attribute).is_some_and(|attribute| attribute.iscsi),
            _ => true,
        }
    }

    /// It adds, changes or deletes a user.
    pub fn is_of_a_user(&self) -> bool {
        matches!(self, Self::AddUser { .. } | Self::SetUser { .. } | Self::DelUser { .. })
    }

    /// It takes effect at the next login of a host; sessions that are there keep what they have.
    pub fn holds_for_next_login(&self) -> bool {
        match self {
            Self::Add | Self::Delete | Self::CloseSessions => false,
            Self::SetAttribute { attribute, .. } => attribute::find(attribute).is_some_and(|attribute| attribute.iscsi),
            _ => true,
        }
    }
}
