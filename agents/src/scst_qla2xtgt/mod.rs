//! `ocf:onesty:scst_qla2xtgt`: brings up this node's Fibre Channel target ports, with initiator groups and I/O grouping.

pub mod table;

use scst_core::scst::names::Driver;

use crate::target::TargetAgent;

/// The agent.
pub const AGENT: TargetAgent = TargetAgent { table: table::TABLE, driver: Some(Driver::Qla2x00t) };
