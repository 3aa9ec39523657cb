//! The plan for one device group: devices, target groups, states, LUNs, in the order the kernel asks for.
//!
//! Three facts of the kernel rule the order (`scst_tg.c`, `scst_vdisk.c`):
//! * A target group without a remote port acts on *our* devices. So a peer's group gets its ports before its state, and
//!   new ports before the old ones go.
//! * Deleting a device group sets all its target groups to active first. So it goes last, and only when empty.
//! * A device that is still blocked may hang the kernel when it is deleted, and one that is still exported vanishes under
//!   its hosts. So blocks are released first, then LUNs go and are seen gone, then devices.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::{Plan, Step};
use crate::scst::alua::AluaState;
use crate::scst::device::Owed;
use crate::scst::names::{DeviceName, Driver, GroupName, HandlerName, NodeName, TargetName};
use crate::scst::target::LunTable;
use crate::scst::values::{AttributeValue, ParameterValue};
use crate::state::{Device, DeviceGroup, LunAddress, Member, Storage, TargetGroup};

/// What a plan needs to know besides the two states.
#[derive(Debug, Clone)]
pub struct Scope {
    /// The device group.
    pub group: GroupName,
    /// This node: the name of the local target group.
    pub local: NodeName,
    /// The driver whose initiator groups we map into.
    pub driver: Driver,
    /// Whether a device whose settings differ is deleted and added again although it is a member of the group or mapped. Not under a
    /// running instance.
    pub recreate: bool,
    /// The relative target ids that the local ports have; a port that is not named here is taken to have its own.
    pub port_ids: BTreeMap<TargetName, u32>,
    /// The parameters each handler's `add_device` knows; nothing for a handler that does not tell.
    pub parameters: BTreeMap<HandlerName, Vec<String>>,
}

/// Settings in which a device of an older agent may differ without being added again at start: they are named, and take
/// effect when it is.
const LEFT_ALONE: [&str; 2] = ["bind_alua_state", "write_through"];

/// A difference that is named and for which no device is added again. The kernel takes `thin_provisioned` back where the
/// store cannot give space back: adding the device again would bring the same.
fn left_alone(difference: &Difference) -> bool {
    LEFT_ALONE.contains(&difference.what) || (difference.what == "thin_provisioned" && difference.wanted == "1")
}

/// What a device that shares its reservations is called where it shares them: written with the device, and never again.
const FROZEN: &str = "t10_dev_id";

/// Parameters that every SCST knows, whatever its usage text says.
const ALWAYS_KNOWN: [&str; 2] = ["filename", "read_only"];

/// The steps that turn `found` into `wanted`. A `wanted` without a group and devices is a stop.
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
        plan.steps.extend(foreign.map(|device| leave(scope, device)));
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

/// Leaving service: hosts are told that the path is gone before anything goes.
fn close(scope: &Scope, found: &Storage, steps: &mut Vec<Step>) {
    let local = found.group.as_ref().and_then(|group| group.target_groups.get(&scope.local));
    if local.is_some_and(|local| local.state != AluaState::Unavailable) {
        steps.push(set_state(scope, &scope.local, AluaState::Unavailable));
    }
}

/// The same steps with one command for each LUN table of which all LUNs go; `tables` says which LUNs are in a table, whosever
/// they are.
pub fn clear_tables(steps: Vec<Step>, tables: &BTreeMap<LunTable, BTreeSet<u32>>) -> Vec<Step> {
    let mut going: BTreeMap<LunTable, BTreeMap<u32, DeviceName>> = BTreeMap::new();
    for step in &steps {
        if let Step::DelLun { at, device } = step {
            going.entry(at.table.clone()).or_default().insert(at.lun, device.clone());
        }
    }
    going.retain(|table, luns| tables.get(table).is_some_and(|there| there.iter().eq(luns.keys())));
    let whole: BTreeSet<LunTable> = going.keys().cloned().collect();
    let shorter = steps.into_iter().filter_map(|step| match step {
        Step::DelLun { at, .. } if whole.contains(&at.table) => {
            let luns = going.remove(&at.table)?;
            Some(Step::ClearTable { table: at.table, luns })
        }
        step => Some(step),
    });
    shorter.collect()
}

/// The steps that give back what is owed: one per device that is blocked more often than it was by others.
pub fn release(found: &Storage, owed: &BTreeMap<DeviceName, Owed>) -> Vec<Step> {
    owed.iter()
        .filter(|(device, owed)| found.devices.get(*device).is_some_and(|found| found.block.count > owed.before))
        .map(|(device, owed)| unblock(device, *owed))
        .collect()
}

fn unblock(device: &DeviceName, owed: Owed) -> Step {
    Step::Unblock { device: device.clone(), before: owed.before, returning: owed.returning }
}

/// The steps that take an active group out of service without failing a write: hold commands back, let those in flight
/// end, then change the state. It ends in `end`, which is `standby` or, for hosts that are to wait for another node, `transitioning`.
///
/// The kernel does not ask for this order: it changes the state, and closes the stores, at once, also while a block waits for commands in
/// flight (`scst_tg.c`). That is why the drain comes first all the same: a command that is in a store which was closed under it, and
/// which another node may open by now, fails or writes behind that node's back.
///
/// What a device is blocked by while one of our blocks is still owed says nothing about others: the count before the first of ours does.
pub fn demote(scope: &Scope, found: &Storage, end: AluaState) -> Vec<Step> {
    let nothing = |device: &Device| Owed { before: device.block.count, returning: false };
    let blocks = || found.devices.iter().map(|(name, device)| (name, device.owed.unwrap_or_else(|| nothing(device))));
    let mut steps: Vec<Step> =
        blocks().map(|(device, owed)| Step::Block { device: device.clone(), before: owed.before }).collect();
    steps.extend(found.devices.keys().map(|device| Step::AwaitDrained { device: device.clone() }));
    steps.push(set_state(scope, &scope.local, AluaState::Transitioning));
    if end != AluaState::Transitioning {
        steps.push(set_state(scope, &scope.local, end));
    }
    steps.extend(blocks().map(|(device, owed)| unblock(device, owed)));
    steps
}

/// The steps that turn only the states: for notifications, promotion, and repairs by a monitor. A peer's group without a
/// remote port is left alone, because its state would act on our devices.
pub fn states(scope: &Scope, found: &DeviceGroup, wanted: &BTreeMap<NodeName, AluaState>) -> Plan {
    let mut plan = Plan::default();
    for (node, state) in wanted.iter().filter(|(node, _)| **node != scope.local) {
        match found.target_groups.get(node) {
            None => plan.warnings.push(format!("there is no target group {node}: its state {state} is not published")),
            Some(group) => peer_state(scope, node, group, *state, &mut plan),
        }
    }
    if let Some(state) = wanted.get(&scope.local)
        && found.target_groups.get(&scope.local).is_none_or(|group| group.state != *state)
    {
        plan.steps.push(set_state(scope, &scope.local, *state));
    }
    plan
}

fn peer_state(scope: &Scope, node: &NodeName, group: &TargetGroup, state: AluaState, plan: &mut Plan) {
    if group.state == state {
        return;
    }
    if group.has_remote() {
        let (group, node) = (scope.group.clone(), node.clone());
        plan.steps.push(Step::SetPeerState { group, node, state });
    } else {
        plan.warnings.push(format!(
            "target group {node} has no remote port: its state {state} is not published, because it would act on the local devices"
        ));
    }
}

/// The steps that add local ports again which were added before they existed: the kernel keeps such a port remote for good.
pub fn adopt_ports(scope: &Scope, group: &DeviceGroup, present: &BTreeSet<TargetName>) -> Vec<Step> {
    let Some(local) = group.target_groups.get(&scope.local) else { return Vec::new() };
    let strays = local.members.iter().filter(|(port, member)| !member.local && present.contains(*port));
    strays
        .flat_map(|(port, _)| {
            let (group, node, port) = (scope.group.clone(), scope.local.clone(), port.clone());
            [
                Step::DelMember { group: group.clone(), node: node.clone(), port: port.clone() },
                Step::AddMember { group, node, port },
            ]
        })
        .collect()
}

fn set_state(scope: &Scope, node: &NodeName, state: AluaState) -> Step {
    Step::SetState { group: scope.group.clone(), node: node.clone(), state }
}

fn leave(scope: &Scope, device: &DeviceName) -> Step {
    Step::Leave { group: scope.group.clone(), device: device.clone() }
}

/// Which devices stay, go, and come.
struct DevicePlan<'a> {
    /// Devices that a host may see, by a LUN of whomever.
    mapped: BTreeSet<&'a DeviceName>,
    /// Devices that are there and stay as they are.
    kept: BTreeMap<&'a DeviceName, &'a Device>,
    /// Devices that go: not wanted any more, or to be added anew.
    removed: BTreeSet<&'a DeviceName>,
}

impl<'a> DevicePlan<'a> {
    fn new(scope: &Scope, found: &'a Storage, wanted: &Storage, warnings: &mut Vec<String>) -> Self {
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
    fn remove(&self, scope: &Scope, found: &Storage, wanted: &Storage, plan: &mut Plan) {
        for (at, lun) in &found.luns {
            let goes = if found.devices.get(&lun.device).is_some_and(|device| device.handler.is_none()) {
                false
            } else if self.removed.contains(&lun.device) {
                true
            } else {
                let right = wanted.luns.get(at).is_some_and(|w| w.device == lun.device)
                    && self.kept.get(&lun.device).is_none_or(|device| device.read_only() == lun.read_only);
                !right && ours(scope, at)
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
    fn add(&self, scope: &Scope, found: &Storage, wanted: &Storage, plan: &mut Plan) {
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
                        if added_closed(scope, handler) && !in_service(scope, wanted) {
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
            let wrong = device.identity.iter().filter(|(attribute, _)| !(frozen && **attribute == FROZEN));
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
    fn join(&self, scope: &Scope, found: &DeviceGroup, wanted: &DeviceGroup, steps: &mut Vec<Step>) {
        let stays = |device: &DeviceName| !self.removed.contains(device);
        let leaving = found.devices.iter().filter(|device| stays(device) && !wanted.devices.contains(*device));
        steps.extend(leaving.map(|device| leave(scope, device)));
        let joining = wanted.devices.iter().filter(|device| !stays(device) || !found.devices.contains(*device));
        steps.extend(joining.map(|device| Step::Join { group: scope.group.clone(), device: device.clone() }));
    }

    /// What hosts are told of a store's size follows the store upwards. Downwards nothing is done: what lies behind the new end
    /// is lost to hosts that trust the old one.
    fn sizes(&self, wanted: &Storage, plan: &mut Plan) {
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
    fn open(&self, scope: &Scope, wanted: &Storage, steps: &mut Vec<Step>) {
        if !in_service(scope, wanted) {
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
    fn close(&self, scope: &Scope, found: &Storage, wanted: &Storage, steps: &mut Vec<Step>) {
        let state = |storage: &Storage| Some(storage.group.as_ref()?.target_groups.get(&scope.local)?.state);
        let (Some(now), Some(then)) = (state(found), state(wanted)) else { return };
        if now != then || now.is_open() {
            return;
        }
        let open = |name: &DeviceName, device: &Device| match self.kept.get(name) {
            None => device.handler.is_some_and(|handler| handler.has_backing() && !added_closed(scope, handler)),
            // One that follows the state and is open all the same was left so by a run that died.
            Some(there) => {
                there.active == Some(true) && there.settings.get("bind_alua_state").is_some_and(|on| on == "1")
            }
        };
        let left_open = wanted.devices.iter().filter(|(name, device)| open(name, device));
        steps.extend(left_open.map(|(name, _)| Step::Close { device: name.clone() }));
    }

    fn map(&self, scope: &Scope, found: &Storage, wanted: &Storage, steps: &mut Vec<Step>) {
        for (at, lun) in &wanted.luns {
            let unchanged = found.luns.get(at).is_some_and(|there| {
                there.device == lun.device
                    && self.kept.get(&lun.device).is_some_and(|device| device.read_only() == there.read_only)
            });
            if !unchanged && ours(scope, at) {
                steps.push(Step::AddLun { at: at.clone(), device: lun.device.clone() });
            }
        }
    }
}

/// Devices of this handler are added without opening their store, as far as this kernel can do that. A file is not: SCST crashes
/// when a command meets a closed one outside of a group, or in a group that serves (`fileio_exec_read`).
fn added_closed(scope: &Scope, handler: HandlerName) -> bool {
    let listed = scope.parameters.get(&handler);
    handler == HandlerName::VdiskBlockio && listed.is_some_and(|listed| listed.iter().any(|known| known == "active"))
}

/// The group will serve hosts of this node when the plan has been carried out.
fn in_service(scope: &Scope, wanted: &Storage) -> bool {
    let own = wanted.group.as_ref().and_then(|group| group.target_groups.get(&scope.local));
    own.is_some_and(|own| own.state.is_open())
}

/// Tells hosts that a device has that many bytes, a multiple of its block size; nothing for none. Of a disk that is not open, the kernel
/// keeps it when it opens, unless that is the first time.
pub fn set_size(device: &DeviceName, bytes: u64) -> Option<Step> {
    let value = AttributeValue::parse(&bytes.to_string()).ok().filter(|_| bytes > 0)?;
    Some(Step::SetAttribute { device: device.clone(), attribute: "size", value })
}

/// What is said of a store that has less than hosts were told.
pub fn shrunk(device: &DeviceName, told: u64, has: u64) -> String {
    format!("device {device}: its store has {has} bytes, hosts were told {told}")
}

/// We map into initiator groups of our driver; other LUNs of our devices are an operator's own.
fn ours(scope: &Scope, at: &LunAddress) -> bool {
    at.table.group.is_some() && at.table.driver.as_str() == scope.driver.dir()
}

/// The parameters of `add_device`: what this kernel's handler knows of what is wanted.
///
/// # Errors
///
/// Why it cannot be added: the handler does not know block sizes, and hosts would see another disk than the one that was asked
/// for; or a parameter cannot be said in the kernel's grammar, which is possible only in what was found, and is to be put back.
fn parameters(
    scope: &Scope,
    handler: HandlerName,
    device: &Device,
) -> Result<Vec<(&'static str, ParameterValue)>, String> {
    let listed = scope.parameters.get(&handler);
    let knows = |name: &str| match listed {
        _ if ALWAYS_KNOWN.contains(&name) => true,
        Some(listed) => listed.iter().any(|known| known == name),
        // A handler that does not tell is an old one.
        None => !LEFT_ALONE.contains(&name),
    };
    let filename = device.filename.iter().map(|filename| ("filename", filename));
    let settings = device.settings.iter().map(|(name, value)| (*name, value));
    // What the kernel does by itself need not be said, and an older kernel may not know the word.
    let said = settings.filter(|(name, value)| !is_default(name, value));
    let (taken, unknown): (Vec<_>, Vec<_>) = said.partition(|(name, _)| knows(name));
    if let Some((name, _)) = unknown.iter().find(|(name, _)| matches!(*name, "blocksize" | "cluster_mode")) {
        return Err(not_known(handler, name));
    }
    // It cannot be changed any more once the device shares its reservations, in a lockspace of that name.
    let t10 = device.identity.get(FROZEN).filter(|_| device.is_shared());
    if t10.is_some() && !knows(FROZEN) {
        return Err(not_known(handler, FROZEN));
    }
    let value =
        |name: &str, value: &str| ParameterValue::parse(value).map_err(|_| format!("its {name} cannot be written"));
    filename
        .chain(t10.map(|t10| (FROZEN, t10)))
        .chain(taken)
        .map(|(name, text)| Ok((name, value(name, text)?)))
        .collect()
}

/// Why a device is not added whose handler does not know one of its parameters.
pub fn not_known(handler: HandlerName, parameter: &str) -> String {
    format!("{handler} of this kernel does not know {parameter}")
}

/// Whether the kernel gives a fresh device this value by itself. `write_through` and `bind_alua_state` are always said:
/// somebody decided them.
fn is_default(name: &str, value: &str) -> bool {
    match name {
        "read_only" | "removable" | "nv_cache" | "dummy" | "cluster_mode" => value == "0",
        "rotational" => value == "1",
        "blocksize" => value == "512",
        _ => false,
    }
}

struct Difference {
    what: &'static str,
    found: String,
    wanted: String,
}

/// In what a device differs that only adding it anew could change. Attributes this kernel does not have do not count.
fn differences(found: &Device, wanted: &Device) -> Vec<Difference> {
    let mut differences = Vec::new();
    if found.handler != wanted.handler {
        let name = |handler: Option<HandlerName>| handler.map_or("another one".to_owned(), |h| h.to_string());
        differences.push(Difference { what: "handler", found: name(found.handler), wanted: name(wanted.handler) });
    }
    if found.filename != wanted.filename {
        let name = |filename: &Option<String>| filename.clone().unwrap_or_else(|| "none".into());
        differences.push(Difference { what: "filename", found: name(&found.filename), wanted: name(&wanted.filename) });
    }
    differences.extend(text_differences(&found.settings, &wanted.settings));
    differences
}

fn identity_differences(found: &Device, wanted: &Device) -> Vec<Difference> {
    text_differences(&found.identity, &wanted.identity)
}

fn text_differences(
    found: &BTreeMap<&'static str, String>,
    wanted: &BTreeMap<&'static str, String>,
) -> Vec<Difference> {
    let pairs = wanted.iter().filter_map(|(what, wanted)| found.get(what).map(|found| (*what, found, wanted)));
    pairs
        .filter(|(_, found, wanted)| found != wanted)
        .map(|(what, found, wanted)| Difference { what, found: found.clone(), wanted: wanted.clone() })
        .collect()
}

/// Target groups: what belongs to a peer is complete, its state included, before the next one is begun; ours comes last.
fn target_groups(scope: &Scope, found: &DeviceGroup, wanted: &DeviceGroup, plan: &mut Plan) {
    let peers = wanted.target_groups.iter().filter(|(node, _)| **node != scope.local);
    for (node, want) in peers {
        ports(scope, found, wanted, node, want, plan);
        let there = found.target_groups.get(node);
        let members = want.members.iter().map(|(port, member)| {
            let there = there.and_then(|there| there.members.get(port));
            (port.clone(), *there.unwrap_or(member))
        });
        let state = there.map_or(AluaState::Active, |there| there.state);
        let now = TargetGroup { group_id: want.group_id, state, members: members.collect() };
        peer_state(scope, node, &now, want.state, plan);
    }
    let gone = found.target_groups.keys().filter(|node| !wanted.target_groups.contains_key(*node));
    let remove = |node: &NodeName| Step::DelTargetGroup { group: scope.group.clone(), node: node.clone() };
    let Some(own) = wanted.target_groups.get(&scope.local) else {
        plan.steps.extend(gone.map(remove));
        return;
    };
    ports(scope, found, wanted, &scope.local, own, plan);
    plan.steps.extend(gone.map(remove));
    let now = found.target_groups.get(&scope.local).map_or(AluaState::Active, |there| there.state);
    if now != own.state {
        plan.steps.push(set_state(scope, &scope.local, own.state));
    }
}

/// One target group up to its state: create, id, new ports with their ids, and only then what goes.
fn ports(
    scope: &Scope,
    found: &DeviceGroup,
    wanted: &DeviceGroup,
    node: &NodeName,
    want: &TargetGroup,
    plan: &mut Plan,
) {
    let fresh = TargetGroup::fresh();
    let (group, node) = (|| scope.group.clone(), || node.clone());
    let there = found.target_groups.get(&node()).unwrap_or_else(|| {
        plan.steps.push(Step::CreateTargetGroup { group: group(), node: node() });
        &fresh
    });
    if there.group_id != want.group_id {
        plan.steps.push(Step::SetGroupId { group: group(), node: node(), id: want.group_id });
    }
    for (port, member) in &want.members {
        let now = there.members.get(port).filter(|now| now.local || !member.local);
        if now.is_none() {
            // A port is in one target group of a device group only: it leaves the old one just before it joins.
            let holder = found.target_groups.iter().find(|(_, tg)| tg.members.contains_key(port));
            if let Some((old, _)) = holder {
                plan.steps.push(Step::DelMember { group: group(), node: old.clone(), port: port.clone() });
            }
            plan.steps.push(Step::AddMember { group: group(), node: node(), port: port.clone() });
        }
        if member.local {
            local_id(scope, port, now, *member, plan);
        } else if now.is_some_and(|now| now.local) {
            plan.warnings.push(format!("port {port} of node {} is a port of this node as well", node()));
        } else if now.is_none_or(|now| now.rel_tgt_id != member.rel_tgt_id) {
            let (port, id) = (port.clone(), member.rel_tgt_id);
            plan.steps.push(Step::SetMemberId { group: group(), node: node(), port, id });
        }
    }
    let moved = |port: &TargetName| wanted.target_groups.values().any(|tg| tg.members.contains_key(port));
    let gone = there.members.keys().filter(|port| !want.members.contains_key(*port) && !moved(port));
    plan.steps.extend(gone.map(|port| Step::DelMember { group: group(), node: node(), port: port.clone() }));
}

/// A local port brings its own id; it has none only when no target agent gave it one.
fn local_id(scope: &Scope, port: &TargetName, now: Option<&Member>, wanted: Member, plan: &mut Plan) {
    let own = scope.port_ids.get(port).copied();
    let id = now.map(|now| now.rel_tgt_id).or(own).unwrap_or(wanted.rel_tgt_id);
    if id == 0 {
        plan.steps.push(Step::SetPortId { driver: scope.driver, port: port.clone(), id: wanted.rel_tgt_id });
    } else if id != wanted.rel_tgt_id {
        plan.warnings
            .push(format!("port {port} has relative target id {id}, other nodes expect {}", wanted.rel_tgt_id));
    }
}
