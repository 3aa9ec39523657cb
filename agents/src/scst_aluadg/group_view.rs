//! The type [`GroupView`]: a device group with no more than a promotion or a demotion needs of it.

use scst_core::scst::alua::AluaState;
use scst_core::scst::names::{DeviceName, NodeName};
use scst_core::state::{Blocks, DeviceGroup, Storage};

/// The target groups of a device group and the blocks on its devices. A promotion and a demotion must be quick, and
/// need neither the settings of devices nor their LUNs.
#[derive(Debug, Clone, Default)]
pub(super) struct GroupView {
    /// The group with its target groups, if it is there.
    pub(super) group: Option<DeviceGroup>,
    /// How often devices are blocked.
    pub(super) blocks: Blocks,
}

impl GroupView {
    /// The state of this node's target group.
    pub(super) fn state(&self, local: &NodeName) -> Option<AluaState> {
        self.group.as_ref()?.state(local)
    }
}

impl From<&Storage> for GroupView {
    fn from(found: &Storage) -> Self {
        let mut blocks = found.blocks();
        // A device of another handler is not blocked for us.
        let is_ours = |name: &DeviceName| found.devices.get(name).is_some_and(|device| device.handler.is_some());
        blocks.retain(|name, held| held.owed.is_some() || is_ours(name));
        Self { group: found.group.clone(), blocks }
    }
}
