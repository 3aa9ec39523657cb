//! The plan for one device group: devices, target groups, states, LUNs, in the order the kernel asks for.
//!
//! Three facts of the kernel rule the order (`scst_tg.c`, `scst_vdisk.c`):
//! * A target group without a remote port acts on *our* devices. So a peer's group gets its ports before its state, and
//!   new ports before the old ones go.
//! * Deleting a device group sets all its target groups to active first. So it goes last, and only when empty.
//! * A device that is still blocked may hang the kernel when it is deleted, and one that is still exported vanishes under
//!   its hosts. So blocks are released first, then LUNs go and are seen gone, then devices.

mod demotion;
mod devices;
mod differences;
mod parameters;
mod scope;
mod sizes;
mod states;
mod tables;
mod target_groups;

pub use self::demotion::{demote, release};
use self::devices::DevicePlan;
pub use self::parameters::not_known;
pub use self::scope::Scope;
pub use self::sizes::{set_size, shrunk};
pub use self::states::states;
pub use self::tables::clear_tables;
pub use self::target_groups::adopt_ports;
use self::target_groups::target_groups;
use super::{Plan, Step};
use crate::scst::alua::AluaState;
use crate::scst::names::DeviceName;
use crate::state::{DeviceGroup, Storage};

/// The plan that turns `found` into `wanted`. A `wanted` without a group and devices is a stop.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use scst_core::plan::storage::{Scope, converge};
/// use scst_core::scst::names::{DeviceName, Driver, GroupName, HandlerName, NodeName};
/// use scst_core::state::{Device, DeviceGroup, Storage};
///
/// let group = GroupName::parse("dg").unwrap();
/// let disk = DeviceName::parse(&group, "vm1").unwrap();
/// let device = Device { handler: Some(HandlerName::VdiskNullio), ..Device::default() };
/// let wanted = Storage {
///     devices: [(disk.clone(), device)].into(),
///     group: Some(DeviceGroup { devices: [disk].into(), ..DeviceGroup::default() }),
///     ..Storage::default()
/// };
/// let scope = Scope {
///     group,
///     local: NodeName::parse("alpha").ok(),
///     driver: Driver::Qla2x00t,
///     recreate: true,
///     port_ids: BTreeMap::new(),
///     parameters: BTreeMap::new(),
/// };
///
/// let plan = converge(&scope, &Storage::default(), &wanted);
/// let steps: Vec<String> = plan.steps.iter().map(ToString::to_string).collect();
/// assert_eq!(
///     steps,
///     [
///         "add device dg_vm1 through vdisk_nullio",
///         "create device group dg",
///         "put device dg_vm1 into device group dg",
///     ]
/// );
/// assert!(converge(&scope, &wanted, &wanted).steps.is_empty(), "a second run writes nothing");
/// ```
pub fn converge(scope: &Scope, found: &Storage, wanted: &Storage) -> Plan {
    let mut plan = Plan::default();
    let devices = DevicePlan::new(scope, found, wanted, &mut plan.warnings);
    if wanted.group.is_none() {
        close(scope, found, &mut plan.steps);
    }
    devices.remove(scope, found, wanted, &mut plan);
    if let Some(group) = found.group.as_ref().filter(|_| wanted.group.is_none()) {
        let ours = |device: &DeviceName| found.devices.get(device).is_some_and(|device| device.handler.is_some());
        let foreign = group.devices.iter().filter(|device| !ours(device));
        plan.steps.extend(foreign.map(|device| scope.leave(device)));
        plan.steps.push(Step::DelGroup { group: scope.group.clone() });
    }
    devices.add(scope, found, wanted, &mut plan);
    devices.sizes(wanted, &mut plan);
    if let Some(wanted_group) = &wanted.group {
        let created = found.group.is_none().then(DeviceGroup::default);
        if created.is_some() {
            plan.steps.push(Step::CreateGroup { group: scope.group.clone() });
        }
        let found_group = found.group.as_ref().or(created.as_ref()).expect("one of the two is there");
        devices.open(scope, wanted, &mut plan.steps);
        devices.join(scope, found_group, wanted_group, &mut plan.steps);
        devices.close(scope, found, wanted, &mut plan.steps);
        target_groups(scope, found_group, wanted_group, &mut plan);
    }
    devices.map(scope, found, wanted, &mut plan.steps);
    let left_out = &plan.left_out;
    plan.steps.retain(|step| match step {
        Step::Join { device, .. } | Step::Open { device } | Step::Close { device } | Step::AddLun { device, .. } => {
            !left_out.contains_key(device)
        }
        _ => true,
    });
    plan
}

/// The steps that leave service: hosts are told that the path is gone before any object is removed.
fn close(scope: &Scope, found: &Storage, steps: &mut Vec<Step>) {
    if let Some((local, own)) = found.group.as_ref().and_then(|group| scope.own(group))
        && own.state != AluaState::Unavailable
    {
        steps.push(scope.set_state(local, AluaState::Unavailable));
    }
}
