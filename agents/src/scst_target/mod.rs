//! `ocf:onesty:scst_target`: brings up this node's targets of any driver of SCST, with initiator groups and, for iSCSI, users, portals
//! and attributes.

pub mod table;

use crate::target::TargetAgent;

/// The agent.
pub const AGENT: TargetAgent = TargetAgent { table: table::TABLE, driver: None };
