//! A device group as a promotion and a demotion see it.

use scst_core::scst::alua::AluaState;
use scst_core::scst::names::NodeName;
use scst_core::state::{Blocks, DeviceGroup, Storage};

/// What a promotion or a demotion looks at of an instance: it is in a hurry, and needs neither how devices are set nor where they
/// are mapped.
#[derive(Debug, Clone, Default)]
pub(super) struct Service {
    /// The group with its target groups, if it is there.
    pub(super) group: Option<DeviceGroup>,
    /// How often devices are blocked.
    pub(super) blocks: Blocks,
}

impl Service {
    /// The state of this node's target group.
    pub(super) fn state(&self, local: &NodeName) -> Option<AluaState> {
        self.group.as_ref()?.state(local)
    }
}

impl From<&Storage> for Service {
    fn from(found: &Storage) -> Self {
        Self { group: found.group.clone(), blocks: found.blocks() }
    }
}
