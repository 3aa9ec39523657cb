//! The plan of the largest configuration that the agents number: nothing in it is left out, and nothing is done twice.

use std::collections::{BTreeMap, BTreeSet};

use scst_core::plan::Step;
use scst_core::plan::storage::{Scope, converge};
use scst_core::scst::alua::AluaState;
use scst_core::scst::names::{DeviceName, Driver, GroupName, HandlerName, InitiatorGroup, NodeName, TargetName};
use scst_core::scst::target::LunTable;
use scst_core::state::{Device, DeviceGroup, Lun, LunAddress, Member, Storage, TargetGroup};

const DEVICES: u32 = 256;
const PORTS: u32 = 8;
const GROUPS: u32 = 99;

/// Every device in every initiator group of every port.
fn largest() -> Storage {
    let group = GroupName::parse("many").unwrap();
    let device = Device { handler: Some(HandlerName::VdiskNullio), ..Device::default() };
    let devices: BTreeMap<DeviceName, Device> = (0..DEVICES)
        .map(|number| (DeviceName::parse(&group, &format!("lu{number}")).unwrap(), device.clone()))
        .collect();
    let ports: Vec<TargetName> =
        (0..PORTS).map(|port| TargetName::seen(&format!("21:00:00:00:00:00:00:{port:02x}")).unwrap()).collect();
    let mut luns = BTreeMap::new();
    for port in &ports {
        for hosts in 0..GROUPS {
            let hosts = InitiatorGroup::parse(&format!("esx{hosts}")).unwrap();
            let table = LunTable::of_group(Driver::Qla2x00t, port, &hosts).unwrap();
            for (device, lun) in devices.keys().zip(0..) {
                let at = LunAddress { table: table.clone(), lun };
                luns.insert(at, Lun { device: device.clone(), read_only: false });
            }
        }
    }
    let members = ports.into_iter().zip(101..).map(|(port, id)| (port, Member { local: true, rel_tgt_id: id }));
    let own = TargetGroup { group_id: 1, state: AluaState::Standby, members: members.collect() };
    let target_groups = BTreeMap::from([(NodeName::parse("alpha").unwrap(), own)]);
    let group = DeviceGroup { devices: devices.keys().cloned().collect(), target_groups };
    Storage { devices, luns, group: Some(group) }
}

#[test]
fn the_largest_configuration_is_planned_once() {
    let wanted = largest();
    let scope = Scope {
        group: GroupName::parse("many").unwrap(),
        local: NodeName::parse("alpha").ok(),
        driver: Driver::Qla2x00t,
        recreate: true,
        port_ids: BTreeMap::new(),
        parameters: BTreeMap::new(),
    };
    let plan = converge(&scope, &Storage::default(), &wanted);
    let mut mapped = BTreeSet::new();
    for step in &plan.steps {
        if let Step::AddLun { at, .. } = step {
            assert!(mapped.insert(at), "{step} comes twice");
        }
    }
    assert_eq!(mapped.len(), 202_752);
    assert!(mapped.into_iter().eq(wanted.luns.keys()));
    // Each device is added and joins; besides there are the group, its target group with id, ports and state.
    assert_eq!(plan.steps.len() - wanted.luns.len(), 2 * DEVICES as usize + 1 + 3 + PORTS as usize);
    assert_eq!(plan.warnings, [""; 0]);
    assert_eq!(converge(&scope, &wanted, &wanted), scst_core::plan::Plan::default());
}
