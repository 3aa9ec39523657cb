//! The type [`Discovery`]: what `discover` has found, as data.

use scst_core::observe::fc_hosts::FcHost;
use serde::Serialize;

use crate::scst_ha::ports::Port;

/// What was found.
#[derive(Debug, Default, Serialize)]
pub(super) struct Discovery {
    /// This node, if its name is known.
    pub(super) node: Option<String>,
    /// The driver asked for.
    pub(super) driver: &'static str,
    /// The driver is loaded; otherwise nobody knows which ports can be targets.
    pub(super) loaded: bool,
    /// When the HBA's driver lets its ports be initiators.
    pub(super) qlini_mode: Option<String>,
    /// The ports that can be targets.
    pub(super) ports: Vec<Port>,
    /// The addresses by which targets of iSCSI can be reached.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) portals: Vec<String>,
    /// Fibre Channel ports that cannot, as far as is known.
    pub(super) not_targets: Vec<FcHost>,
    /// What the attribute is; nothing when it is not set, or the cluster could not be asked.
    pub(super) is: Option<String>,
    /// What it should be; nothing when that is not known.
    pub(super) should_be: Option<String>,
    /// The numbers that follow, by place, if this node's id is known.
    pub(super) numbers: Vec<Number>,
    /// Entries of it that keep their place although this machine has no such target port.
    pub(super) missing: Vec<String>,
    /// Why no start would succeed on this node, as far as the attributes tell.
    pub(super) refused: Option<String>,
    /// What it is and what it should be differ.
    pub(super) differs: bool,
    /// It was set to what it should be.
    pub(super) set: bool,
    /// Why the cluster says nothing.
    pub(super) cluster: Option<String>,
    /// What else is to be known.
    pub(super) remarks: Vec<String>,
}

/// One place of the attribute.
#[derive(Debug, Serialize)]
pub(super) struct Number {
    pub(super) place: usize,
    pub(super) rel_tgt_id: Option<u32>,
    pub(super) is: Option<String>,
    pub(super) should_be: Option<String>,
}
