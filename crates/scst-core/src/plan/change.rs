//! One change of a target beside its groups and numbers: what only some drivers have, or what is made and deleted by command.

use crate::scst::iscsi::{Portal, Secret, UserKind, UserName};
use crate::scst::names::{Driver, EntryName, TargetName};
use crate::scst::values::AttributeValue;
use crate::scst::{attribute, iscsi, target};

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // The fields are the nouns of the sentence that documents the variant.
pub enum Change {
    /// Make the target.
    Add,
    /// Delete the target. The daemon of iSCSI refuses while a session is there.
    Delete,
    /// Log everybody out and see them gone.
    CloseSessions,
    /// Write an attribute.
    SetAttribute { attribute: &'static str, value: AttributeValue },
    /// Let the target be reached by an address.
    AddPortal { portal: Portal },
    /// Take an address away; sessions by it stay.
    DelPortal { portal: Portal },
    /// Add a user.
    AddUser { kind: UserKind, user: UserName, secret: Secret },
    /// Write the file of a user that is there: another name or secret. The one way to change an outgoing user.
    SetUser { kind: UserKind, file: EntryName, user: UserName, secret: Secret },
    /// Delete a user.
    DelUser { kind: UserKind, user: UserName },
}

impl Change {
    /// The path (below the sysfs root) and the text of the one write, or `None` for what is more than one.
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

    /// What no message may show of the text.
    pub(super) fn secret(&self) -> Option<&Secret> {
        match self {
            Self::AddUser { secret, .. } | Self::SetUser { secret, .. } => Some(secret),
            _ => None,
        }
    }

    /// The driver's daemon is asked before the kernel answers.
    pub(super) fn asks_daemon(&self) -> bool {
        match self {
            Self::CloseSessions => false,
            Self::SetAttribute { attribute, .. } => attribute::find(attribute).is_some_and(|attribute| attribute.iscsi),
            _ => true,
        }
    }

    /// It concerns a user.
    pub fn is_of_a_user(&self) -> bool {
        matches!(self, Self::AddUser { .. } | Self::SetUser { .. } | Self::DelUser { .. })
    }

    /// It concerns what hosts see when they log in the next time; who is logged in keeps what he has.
    pub fn holds_for_next_login(&self) -> bool {
        !matches!(self, Self::Add | Self::Delete | Self::CloseSessions)
    }
}
