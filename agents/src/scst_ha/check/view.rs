//! The type [`View`]: everything that the checks look at.

use super::places::Places;
use crate::scst_ha::cib::Cib;
use crate::scst_ha::node::Node;
use crate::scst_ha::status::Status;

/// What is looked at.
pub(super) struct View<'a> {
    pub(super) node: &'a Node,
    pub(super) status: Status,
    /// The cluster's configuration, if it could be asked.
    pub(super) cib: Option<Cib>,
    pub(super) places: Places<'a>,
}
