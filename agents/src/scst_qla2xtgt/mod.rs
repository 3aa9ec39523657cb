//! `ocf:onesty:scst_qla2xtgt`: brings up this node's Fibre Channel target ports, with initiator groups and I/O grouping.

pub mod agent;
pub mod difference;
pub mod ours;
pub mod params;
pub mod table;
pub mod wanted;

pub use agent::Qla2xtgt;
