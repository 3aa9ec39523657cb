//! The type [`Status`]: what `status` shows, as data, and the verdict that follows from it.

use scst_core::ocf::exit::Failure;
use serde::Serialize;

use super::group::Group;
use crate::scst_ha::plan::State;
use crate::scst_ha::ports::Port;
use crate::scst_ha::verdict::Verdict;

/// Everything that is shown.
#[derive(Debug, Default, Serialize)]
pub(in crate::scst_ha) struct Status {
    /// This node's name in the cluster, if the cluster said it.
    pub(in crate::scst_ha) node: Option<String>,
    /// SCST's release; nothing when it is not loaded.
    pub(in crate::scst_ha) scst: Option<String>,
    /// Why the cluster says nothing.
    pub(in crate::scst_ha) cluster: Option<String>,
    /// All ports that are targets.
    pub(in crate::scst_ha) ports: Vec<Port>,
    /// The resources of the ports' agent.
    pub(in crate::scst_ha) port_resources: Vec<PortResource>,
    /// All device groups that are here or configured.
    pub(in crate::scst_ha) groups: Vec<Group>,
    /// What could not be read.
    pub(in crate::scst_ha) unread: Vec<String>,
    /// What else is to be known.
    pub(in crate::scst_ha) remarks: Vec<String>,
    /// What a plan needs of the node. Only for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<State>,
}

/// A resource that brings ports up.
#[derive(Debug, Serialize)]
pub(in crate::scst_ha) struct PortResource {
    pub(in crate::scst_ha) id: String,
    /// Something of it is here.
    pub(in crate::scst_ha) running: bool,
    /// What a start would do.
    pub(in crate::scst_ha) differences: Vec<String>,
    /// Something that is configured was left out; the remarks name it.
    pub(in crate::scst_ha) left_out: bool,
    /// What else is to be known.
    pub(in crate::scst_ha) remarks: Vec<String>,
}

impl Status {
    pub(super) fn verdict(&self) -> Verdict {
        let wrong = |group: &Group| !group.faults.is_empty() || !group.differences.is_empty() || group.left_out;
        let differs = |resource: &PortResource| !resource.differences.is_empty() || resource.left_out;
        if !self.unread.is_empty() {
            Verdict::Failed
        } else if self.groups.iter().any(wrong) || self.port_resources.iter().any(differs) {
            Verdict::Differs
        } else {
            Verdict::Right
        }
    }

    pub(super) fn unread(&mut self, what: &str, failure: &Failure) {
        self.unread.push(format!("{what}: {failure}"));
    }
}
