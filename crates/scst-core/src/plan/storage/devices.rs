//! The part of the plan for a device group (`storage`) that concerns devices and their LUNs: which stay, which are
//! removed, which are added.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::demotion::unblock;
use super::differences::{differences, identity_differences, left_alone};
use super::parameters::{added_closed, parameters};
use super::scope::Scope;
use super::sizes::{set_size, shrunk};
use crate::plan::{Plan, Step};
use crate::scst::device_attribute::T10_DEV_ID;
use crate::scst::names::{DeviceName, HandlerName};
use crate::scst::values::{AttributeValue, ParameterValue};
use crate::state::{Device, DeviceGroup, Storage};

/// Which devices stay, go, and come.
pub(super) struct DevicePlan<'a> {
    /// Devices that a host may see, by a LUN of whomever.
    mapped: BTreeSet<&'a DeviceName>,
    /// Devices that are there and stay as they are.
    kept: BTreeMap<&'a DeviceName, &'a Device>,
    /// Devices that are deleted: not wanted any more, or to be added again.
    removed: BTreeSet<&'a DeviceName>,
}

impl<'a> DevicePlan<'a> {
    pub(super) fn new(scope: &Scope, found: &'a Storage, wanted: &Storage, warnings: &mut Vec<String>) -> Self {
        let mapped = found.luns.values().map(|lun| &lun.device).collect();
        let mut plan = Self { mapped, kept: BTreeMap::new(), removed: BTreeSet::new() };
        for (name, device) in &found.devices {
            let Some(wanted) = wanted.devices.get(name) else {
                plan.removed.insert(name);
                continue;
            };
            let differences = differences(device, wanted);
            let member = found.group.as_ref().is_some_and(|group| group.devices.contains(name));
            // What no host sees and no group opens was left by a run that did not finish, perhaps on the store of a mistake.
            let may_go = scope.recreate || !(member || plan.mapped.contains(name));
            let anew = may_go && differences.iter().any(|d| !left_alone(d));
            if anew && device.handler.is_some() {
                plan.removed.insert(name);
                continue;
            }
            plan.kept.insert(name, device);
            let identity =
                if plan.can_be_named(scope, name) { Vec::new() } else { identity_differences(device, wanted) };
            warnings.extend(differences.iter().chain(&identity).map(|d| {
                format!(
                    "device {name}: {} is {}, configured is {}: it takes effect when the device is removed and added, or the resource restarted",
                    d.what, d.found, d.wanted
                )
            }));
        }
        plan
    }

    /// Whether a device can still be given what hosts know it by: where they see it, it keeps what it has. One that no host
    /// sees may be left from a run that died after adding it.
    fn can_be_named(&self, scope: &Scope, device: &DeviceName) -> bool {
        scope.recreate || !self.mapped.contains(device)
    }

    /// LUNs go first and are seen gone, then the devices.
    pub(super) fn remove(&self, scope: &Scope, found: &Storage, wanted: &Storage, plan: &mut Plan) {
        for (at, lun) in &found.luns {
            let goes = if found.devices.get(&lun.device).is_some_and(|device| device.handler.is_none()) {
                false
            } else if self.removed.contains(&lun.device) {
                true
            } else {
                let right = wanted.luns.get(at).is_some_and(|w| w.device == lun.device)
                    && self.kept.get(&lun.device).is_none_or(|device| device.read_only() == lun.read_only);
                !right && scope.maps(at)
            };
            if goes {
                plan.steps.push(Step::DelLun { at: at.clone(), device: lun.device.clone() });
            }
        }
        for name in &self.removed {
            let device = &found.devices[*name];
            let Some(handler) = device.handler else {
                plan.warnings.push(format!("device {name} belongs to a handler that is not ours and is left alone"));
                continue;
            };
            if self.mapped.contains(*name) {
                plan.steps.push(Step::AwaitUnmapped { device: (*name).clone() });
            }
            // A device that is still blocked hangs the kernel. A process that waits to give ours back may have been killed for nothing.
            if let Some(owed) = device.owed {
                plan.steps.extend([Step::AwaitDrained { device: (*name).clone() }, unblock(name, owed)]);
            }
            plan.steps.push(Step::DelDevice { handler, device: (*name).clone() });
        }
    }

    /// A device that cannot be added, or of which not everything can be said, is left out.
    pub(super) fn add(&self, scope: &Scope, found: &Storage, wanted: &Storage, plan: &mut Plan) {
        for (name, device) in &wanted.devices {
            let kept = self.kept.get(name);
            if kept.is_none()
                && let Some(handler) = device.handler
            {
                match device.refused.clone().map_or_else(|| parameters(scope, handler, device), Err) {
                    Ok(mut parameters) => {
                        // Its state alone opens it: a standby opens no store, neither DRBD's nor a disk that is shared.
                        parameters.extend(
                            ParameterValue::parse("0")
                                .ok()
                                .filter(|_| added_closed(scope, handler))
                                .map(|no| ("active", no)),
                        );
                        plan.steps.push(Step::AddDevice { handler, device: name.clone(), parameters });
                        // That of a device without a store comes with the first host that looks at it.
                        if device.is_shared() && handler.has_backing() {
                            plan.steps.push(Step::AwaitLockspace { device: name.clone() });
                        }
                        // A host that looks at a device of size 0 keeps that until it is told to look again.
                        if added_closed(scope, handler) && !scope.in_service(wanted) {
                            plan.steps.extend(device.size.and_then(|bytes| set_size(name, device.whole_blocks(bytes))));
                        }
                    }
                    Err(why) => {
                        plan.warnings.push(format!("device {name} is left out: {why}"));
                        plan.left_out.insert(name.clone(), why);
                        continue;
                    }
                }
            }
            let stands_on_a_store = device.handler.is_some_and(HandlerName::has_backing);
            if device.is_shared() && stands_on_a_store && kept.is_some_and(|kept| kept.joined == Some(false)) {
                plan.steps.push(Step::AwaitLockspace { device: name.clone() });
            }
            let writable = self.can_be_named(scope, name);
            let frozen = kept.map_or(device.is_shared(), |kept| kept.is_shared());
            // An attribute that a device does not show is one this kernel does not have.
            let right = |attribute: &str, value: &String| {
                kept.is_some() && found.devices[name].identity.get(attribute).is_none_or(|there| there == value)
            };
            let wrong = device.identity.iter().filter(|(attribute, _)| !(frozen && **attribute == T10_DEV_ID.name));
            let wrong = wrong.filter(|(attribute, value)| writable && !right(attribute, value));
            let there = |attribute: &str| kept.map(|device| device.tuning.get(attribute));
            let tuned = device.tuning.iter().filter(|(attribute, value)| match there(attribute) {
                Some(there) => there.is_some_and(|there| there != *value),
                None => true,
            });
            for (attribute, value) in wrong.chain(tuned) {
                match AttributeValue::parse(value) {
                    Ok(value) => plan.steps.push(Step::SetAttribute { device: name.clone(), attribute, value }),
                    Err(error) => plan.warnings.push(format!("device {name}: {attribute} stays as it is: {error}")),
                }
            }
        }
    }

    /// Members that are not ours leave before ours join.
    pub(super) fn join(&self, scope: &Scope, found: &DeviceGroup, wanted: &DeviceGroup, steps: &mut Vec<Step>) {
        let stays = |device: &DeviceName| !self.removed.contains(device);
        let leaving = found.devices.iter().filter(|device| stays(device) && !wanted.devices.contains(*device));
        steps.extend(leaving.map(|device| scope.leave(device)));
        let joining = wanted.devices.iter().filter(|device| !stays(device) || !found.devices.contains(*device));
        steps.extend(joining.map(|device| Step::Join { group: scope.group.clone(), device: device.clone() }));
    }

    /// Where a store has grown, hosts are told its new size. Where it has shrunk nothing is done but an error: hosts
    /// that trust the old size lose what lies behind the new end.
    pub(super) fn sizes(&self, wanted: &Storage, plan: &mut Plan) {
        for (name, there) in &self.kept {
            let Some(want) = wanted.devices.get(*name).filter(|want| want.filename == there.filename) else { continue };
            let (Some(told), Some(has)) = (there.size, want.size) else { continue };
            match there.whole_blocks(told).cmp(&there.whole_blocks(has)) {
                Ordering::Equal => {}
                Ordering::Greater => plan.errors.push(shrunk(name, told, has)),
                Ordering::Less if there.active != Some(false) => {
                    plan.steps.push(Step::ResyncSize { device: (*name).clone() });
                }
                Ordering::Less if there.handler == Some(HandlerName::VdiskBlockio) => {
                    plan.steps.extend(set_size(name, there.whole_blocks(has)));
                }
                // The size of a closed file cannot be written; it is looked at again when it was opened.
                Ordering::Less => plan.warnings.push(format!(
                    "device {name}: hosts are told {told} bytes, its store has {has}: they are told so when this node is promoted"
                )),
            }
        }
    }

    /// A device that was added closed is opened where the group serves: only a *change* of the state does so by itself, and
    /// joining does not. Before it joins, so that one that cannot be opened does not become a member.
    pub(super) fn open(&self, scope: &Scope, wanted: &Storage, steps: &mut Vec<Step>) {
        if !scope.in_service(wanted) {
            return;
        }
        let closed = |name: &DeviceName, device: &Device| match self.kept.get(name) {
            None => device.handler.is_some_and(|handler| added_closed(scope, handler)),
            Some(there) => there.active == Some(false),
        };
        let closed = wanted.devices.iter().filter(|(name, device)| closed(name, device));
        steps.extend(closed.map(|(name, _)| Step::Open { device: name.clone() }));
    }

    /// A file is added open, and only a *change* of the state closes it. Where the group is out of service already, and
    /// stays so, nothing else would: the file would keep its page cache, the disk would be held from the serving node.
    pub(super) fn close(&self, scope: &Scope, found: &Storage, wanted: &Storage, steps: &mut Vec<Step>) {
        let state = |storage: &Storage| Some(scope.own(storage.group.as_ref()?)?.1.state);
        let (Some(now), Some(then)) = (state(found), state(wanted)) else { return };
        if now != then || now.is_open() {
            return;
        }
        let open = |name: &DeviceName, device: &Device| match self.kept.get(name) {
            None => device.handler.is_some_and(|handler| handler.has_backing() && !added_closed(scope, handler)),
            // One that follows the state and is open all the same was left so by a run that died.
            Some(there) => there.active == Some(true) && there.follows_state(),
        };
        let left_open = wanted.devices.iter().filter(|(name, device)| open(name, device));
        steps.extend(left_open.map(|(name, _)| Step::Close { device: name.clone() }));
    }

    pub(super) fn map(&self, scope: &Scope, found: &Storage, wanted: &Storage, steps: &mut Vec<Step>) {
        for (at, lun) in &wanted.luns {
            let unchanged = found.luns.get(at).is_some_and(|there| {
                there.device == lun.device
                    && self.kept.get(&lun.device).is_some_and(|device| device.read_only() == there.read_only)
            });
            if !unchanged && scope.maps(at) {
                steps.push(Step::AddLun { at: at.clone(), device: lun.device.clone() });
            }
        }
    }
}
