//! Properties of the plans, on small random states: what is equal needs no step, every plan reaches its aim, and no step on the
//! way does what the kernel punishes.
//!
//! The interpreter below is the least that the steps mean; how the kernel answers them is the simulator's business.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::{btree_map, btree_set};
use proptest::prelude::*;
use proptest::sample::select;
use scst_core::plan::storage::{Scope, clear_tables, converge, demote, release};
use scst_core::plan::{Plan, Step, ports};
use scst_core::scst::alua::AluaState;
use scst_core::scst::device::{Block, Owed};
use scst_core::scst::names::{
    DeviceName, Driver, GroupName, HandlerName, InitiatorGroup, InitiatorName, NodeName, TargetName,
};
use scst_core::scst::target::LunTable;
use scst_core::scst::values::AttributeValue;
use scst_core::state::{Device, DeviceGroup, IniGroup, Lun, LunAddress, Member, Port, Ports, Storage, TargetGroup};

const LOCAL: [&str; 2] = ["21:00:00:00:00:00:00:01", "21:00:00:00:00:00:00:02"];
const BETA: [&str; 2] = ["21:00:00:00:00:00:00:11", "21:00:00:00:00:00:00:12"];
const GAMMA: [&str; 1] = ["21:00:00:00:00:00:00:21"];

fn port(name: &str) -> TargetName {
    TargetName::seen(name).unwrap()
}

fn node(name: &str) -> NodeName {
    NodeName::parse(name).unwrap()
}

fn scope(recreate: bool) -> Scope {
    Scope {
        group: GroupName::parse("g").unwrap(),
        local: Some(node("alpha")),
        driver: Driver::Qla2x00t,
        recreate,
        port_ids: BTreeMap::new(),
        parameters: HandlerName::ALL.map(|handler| (handler, listed(handler))).into(),
    }
}

/// What a handler's usage text lists.
fn listed(handler: HandlerName) -> Vec<String> {
    let own: &[&str] = if handler.has_backing() { &["active", "bind_alua_state", "nv_cache"] } else { &["dummy"] };
    let all = ["filename", "read_only", "removable", "rotational"].iter().chain(own);
    all.map(|name| (*name).to_owned()).collect()
}

// ---- random states -------------------------------------------------------------------------------------------------

fn device() -> impl Strategy<Value = Device> {
    let handler = select(HandlerName::ALL.to_vec());
    (handler, select(vec!["/dev/a", "/dev/b"]), any::<(bool, bool)>(), select(vec!["SCST", "x"])).prop_map(
        |(handler, filename, (read_only, rotational), prod_id)| {
            let flag = |on: bool| String::from(if on { "1" } else { "0" });
            Device {
                handler: Some(handler),
                filename: handler.has_backing().then(|| filename.to_owned()),
                settings: [("read_only", flag(read_only)), ("rotational", flag(rotational))].into(),
                identity: [("prod_id", prod_id.to_owned())].into(),
                ..Device::default()
            }
        },
    )
}

fn devices() -> impl Strategy<Value = BTreeMap<DeviceName, Device>> {
    btree_map(select(vec!["g_a", "g_b", "g_c"]).prop_map(|name| DeviceName::seen(name).unwrap()), device(), 0..=3)
}

fn luns(devices: &BTreeMap<DeviceName, Device>) -> impl Strategy<Value = BTreeMap<LunAddress, Lun>> + use<> {
    let devices = devices.clone();
    let names: Vec<DeviceName> = devices.keys().cloned().collect();
    let address = (select(LOCAL.to_vec()), select(vec!["esx1", "esx2"]), 0..4u32).prop_map(|(at, group, lun)| {
        let group = InitiatorGroup::seen(group).unwrap();
        LunAddress { table: LunTable::of_group(Driver::Qla2x00t, &port(at), &group).unwrap(), lun }
    });
    let most = if names.is_empty() { 0 } else { 6 };
    let names = if names.is_empty() { vec![DeviceName::seen("g_none").unwrap()] } else { names };
    btree_map(address, select(names), 0..=most).prop_map(move |luns| {
        let lun = |device: DeviceName| {
            let read_only = devices[&device].read_only();
            Lun { device, read_only }
        };
        luns.into_iter().map(|(at, device)| (at, lun(device))).collect()
    })
}

fn state() -> impl Strategy<Value = AluaState> {
    select(AluaState::ALL.to_vec())
}

/// The target group of a node whose ports are any of `ports`.
fn target_group(ports: &'static [&'static str], base: u32, local: bool) -> impl Strategy<Value = TargetGroup> {
    (btree_set(0..ports.len(), 1..=ports.len()), state()).prop_map(move |(members, state)| {
        let member = |index: usize| {
            let rel_tgt_id = base * 100 + u32::try_from(index).unwrap() + 1;
            (port(ports[index]), Member { local, rel_tgt_id })
        };
        TargetGroup { group_id: base, state, members: members.into_iter().map(member).collect() }
    })
}

fn groups() -> impl Strategy<Value = BTreeMap<NodeName, TargetGroup>> {
    let peers =
        (proptest::option::of(target_group(&BETA, 2, false)), proptest::option::of(target_group(&GAMMA, 7, false)));
    (target_group(&LOCAL, 1, true), peers).prop_map(|(own, (beta, gamma))| {
        let peers =
            [("beta", beta), ("gamma", gamma)].into_iter().filter_map(|(name, group)| Some((node(name), group?)));
        peers.chain([(node("alpha"), own)]).collect()
    })
}

/// A state that a configuration can ask for.
fn wanted() -> impl Strategy<Value = Storage> {
    devices().prop_flat_map(|devices| (Just(devices.clone()), luns(&devices), groups())).prop_map(
        |(devices, luns, target_groups)| {
            let members = devices.keys().cloned().collect();
            Storage { devices, luns, group: Some(DeviceGroup { devices: members, target_groups }) }
        },
    )
}

/// A state that a life can leave: half of something, ids and members missing, blocks, members of others.
fn found() -> impl Strategy<Value = Storage> {
    let damage = (any::<bool>(), any::<[bool; 6]>(), 0..3u32);
    prop_oneof![
        Just(Storage::default()),
        (wanted(), damage, any::<[bool; 3]>()).prop_map(|(mut storage, (gone, dents, blocks), open)| {
            for (device, open) in storage.devices.values_mut().zip(open) {
                device.block = Block { count: blocks, pending: false };
                device.active = device.handler.is_some_and(HandlerName::has_backing).then_some(open);
            }
            let group = storage.group.as_mut().unwrap();
            if dents[0] {
                group.devices.pop_first();
            }
            if dents[1] {
                group.devices.insert(DeviceName::seen("foreign").unwrap());
            }
            for target_group in group.target_groups.values_mut() {
                if dents[2] {
                    target_group.group_id = 0;
                }
                if dents[3] {
                    target_group.members.pop_first();
                }
                if dents[4] {
                    target_group.members.values_mut().for_each(|member| member.rel_tgt_id = 0);
                }
                if dents[5] {
                    target_group.members.values_mut().for_each(|member| member.local = false);
                }
            }
            if gone {
                storage.group = None;
            }
            storage
        })
    ]
}

// ---- what steps mean -----------------------------------------------------------------------------------------------

/// The group is in service on this node.
fn serves(storage: &Storage) -> bool {
    let own = storage.group.as_ref().and_then(|group| group.target_groups.get(&node("alpha")));
    // A group that was just made has no state yet that a host could ask for: nothing is mapped before it has one.
    own.is_some_and(|own| own.state.is_open() && !own.members.is_empty())
}

/// Carries a step out, and panics where the kernel would refuse, hang, or open a device behind our back.
fn carry_out(storage: &mut Storage, step: &Step) {
    let group = |storage: &mut Storage| storage.group.clone().expect("the group is there");
    match step {
        Step::AddDevice { handler, device, parameters } => {
            let filename = parameters.iter().find(|(name, _)| *name == "filename").map(|(_, value)| value.to_string());
            let mut settings = BTreeMap::from([("read_only", "0".to_owned()), ("rotational", "1".to_owned())]);
            let said = parameters.iter().filter(|(name, _)| !["filename", "active"].contains(name));
            settings.extend(said.map(|(name, value)| (*name, value.to_string())));
            let closed = parameters.iter().any(|(name, value)| *name == "active" && value.to_string() == "0");
            let active = handler.has_backing().then_some(!closed);
            assert!(
                !(closed && *handler == HandlerName::VdiskFileio),
                "a command that meets a closed file crashes the kernel"
            );
            let added = Device { handler: Some(*handler), filename, settings, active, ..Device::default() };
            assert!(storage.devices.insert(device.clone(), added).is_none(), "EEXIST");
        }
        Step::DelDevice { device, .. } => {
            assert!(storage.luns.values().all(|lun| lun.device != *device), "{device} is deleted while exported");
            storage.devices.remove(device).expect("EINVAL");
            if let Some(group) = &mut storage.group {
                group.devices.remove(device);
            }
        }
        Step::Open { device } => storage.devices.get_mut(device).unwrap().active = Some(true),
        Step::Close { device } => {
            let file = storage.devices[device].handler == Some(HandlerName::VdiskFileio);
            assert!(!(file && serves(storage)), "a command that meets a closed file crashes the kernel");
            storage.devices.get_mut(device).unwrap().active = Some(false);
        }
        Step::SetAttribute { attribute: "active", .. } => panic!("{step}: a store has steps of its own"),
        Step::ResyncSize { device } => {
            let device = storage.devices.get_mut(device).unwrap();
            assert_ne!(device.active, Some(false), "EMEDIUMTYPE");
            // What the store has is what is wanted; a plan cannot know another size.
            device.size = None;
        }
        Step::SetAttribute { device, attribute: "size", value } => {
            let device = storage.devices.get_mut(device).unwrap();
            let closed = device.active == Some(false);
            assert!(
                device.handler == Some(HandlerName::VdiskBlockio) && closed,
                "EACCES, or a size that nobody serves"
            );
            let bytes = value.to_string().parse().unwrap();
            assert_eq!(device.whole_blocks(bytes), bytes, "EINVAL");
            assert!(device.size.is_none_or(|told| told < bytes), "less than hosts were told");
            device.size = Some(bytes);
        }
        Step::SetAttribute { device, attribute, value } => {
            storage.devices.get_mut(device).unwrap().identity.insert(attribute, value.to_string());
        }
        Step::CreateGroup { .. } => assert!(storage.group.replace(DeviceGroup::default()).is_none(), "EEXIST"),
        Step::DelGroup { .. } => {
            assert!(group(storage).devices.is_empty(), "devices would be opened");
            storage.group = None;
        }
        Step::Join { device, .. } => {
            let read = storage.devices.contains_key(device);
            assert!(read && storage.group.as_mut().unwrap().devices.insert(device.clone()), "EINVAL or EEXIST");
        }
        Step::Leave { device, .. } => assert!(storage.group.as_mut().unwrap().devices.remove(device), "EINVAL"),
        Step::AddLun { at, device } => {
            let read_only = storage.devices[device].read_only();
            let lun = Lun { device: device.clone(), read_only };
            assert!(storage.luns.insert(at.clone(), lun).is_none(), "EEXIST");
        }
        Step::DelLun { at, .. } => assert!(storage.luns.remove(at).is_some(), "EINVAL"),
        Step::ClearTable { table, .. } => storage.luns.retain(|at, _| at.table != *table),
        Step::AwaitUnmapped { device } => assert!(storage.luns.values().all(|lun| lun.device != *device), "never ends"),
        Step::SetState { node: ours, state, .. } if *ours == node("alpha") => {
            let group = storage.group.as_mut().expect("the group is there");
            let own = group.target_groups.get_mut(ours).unwrap();
            // A change, and only a change, opens or closes the stores of the members.
            if std::mem::replace(&mut own.state, *state) != *state {
                let members = storage.devices.iter_mut().filter(|(name, _)| group.devices.contains(*name));
                members.for_each(|(_, device)| device.active = device.active.map(|_| state.is_open()));
            }
        }
        other => in_target_groups(&mut storage.group.as_mut().expect("the group is there").target_groups, other),
    }
}

fn in_target_groups(groups: &mut BTreeMap<NodeName, TargetGroup>, step: &Step) {
    match step {
        Step::CreateTargetGroup { node, .. } => {
            assert!(groups.insert(node.clone(), TargetGroup::fresh()).is_none(), "EEXIST");
        }
        Step::DelTargetGroup { node, .. } => assert!(groups.remove(node).is_some(), "EINVAL"),
        Step::SetGroupId { node, id, .. } => groups.get_mut(node).unwrap().group_id = *id,
        Step::AddMember { node, port, .. } => {
            assert!(groups.values().all(|group| !group.members.contains_key(port)), "EEXIST");
            let local = LOCAL.contains(&port.as_str());
            let rel_tgt_id = if local { 100 + 1 + u32::from(port.as_str() == LOCAL[1]) } else { 0 };
            groups.get_mut(node).unwrap().members.insert(port.clone(), Member { local, rel_tgt_id });
        }
        Step::DelMember { node, port, .. } => {
            let group = groups.get_mut(node).unwrap();
            assert!(group.members.remove(port).is_some(), "EINVAL");
        }
        Step::SetMemberId { node, port, id, .. } => {
            groups.get_mut(node).unwrap().members.get_mut(port).unwrap().rel_tgt_id = *id;
        }
        Step::SetPeerState { node, state, .. } => {
            let group = groups.get_mut(node).unwrap();
            assert!(group.has_remote(), "the state of {node} would act on our devices");
            group.state = *state;
        }
        Step::SetPortId { port, id, .. } => {
            for member in groups.values_mut().filter_map(|group| group.members.get_mut(port)) {
                member.rel_tgt_id = *id;
            }
        }
        other => panic!("{other} is not a step of a convergence"),
    }
}

fn after(found: &Storage, steps: &[Step]) -> Storage {
    let mut storage = found.clone();
    for step in steps {
        carry_out(&mut storage, step);
    }
    storage
}

// ---- properties ----------------------------------------------------------------------------------------------------------

/// The kernel shows more than its grammar takes back, and a start that is undone puts back what was there.
#[test]
fn a_device_that_cannot_be_said_again_is_left_out_with_everything_of_it() {
    let device = |filename: &str| Device {
        handler: Some(HandlerName::VdiskFileio),
        filename: Some(filename.to_owned()),
        identity: [("t10_dev_id", "a disk".to_owned()), ("usn", "1\t2".to_owned())].into(),
        ..Device::default()
    };
    for filename in ["/a b", "/a;read_only=1", "/a\u{e0}", "/a\nb", ""] {
        let names = ["g_a", "g_b"].map(|name| DeviceName::seen(name).unwrap());
        let at = |lun| {
            let group = InitiatorGroup::seen("esx1").unwrap();
            LunAddress { table: LunTable::of_group(Driver::Qla2x00t, &port(LOCAL[0]), &group).unwrap(), lun }
        };
        let lun = |name: &DeviceName| Lun { device: name.clone(), read_only: false };
        let before = Storage {
            devices: [(names[0].clone(), device(filename)), (names[1].clone(), device("/b"))].into(),
            luns: [(at(0), lun(&names[0])), (at(1), lun(&names[1]))].into(),
            group: Some(DeviceGroup { devices: names.clone().into(), ..DeviceGroup::default() }),
        };
        let plan = converge(&scope(false), &Storage::default(), &before);
        let sentences: Vec<String> = plan.steps.iter().map(ToString::to_string).collect();
        assert_eq!(
            sentences,
            [
                "add device g_b with filename=/b through vdisk_fileio",
                "set t10_dev_id a disk on device g_b",
                "create device group g",
                "put device g_b into device group g",
                "map device g_b as LUN 1 of initiator group esx1 of port 21:00:00:00:00:00:00:01",
            ]
        );
        assert_eq!(plan.warnings.len(), 2, "{:?}", plan.warnings);
        assert_eq!(plan.warnings[0], "device g_a is left out: its filename cannot be written");
        assert!(plan.warnings[1].starts_with("device g_b: usn stays as it is: "), "{:?}", plan.warnings);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_as_wanted_needs_no_step(storage in wanted(), recreate: bool) {
        prop_assert_eq!(converge(&scope(recreate), &storage, &storage), Plan::default());
    }

    #[test]
    fn a_plan_reaches_its_aim_from_anywhere_and_is_then_empty(found in found(), wanted in wanted()) {
        let scope = scope(true);
        let reached = after(&found, &converge(&scope, &found, &wanted).steps);
        prop_assert_eq!(&reached.luns, &wanted.luns);
        prop_assert_eq!(&reached.group, &wanted.group);
        prop_assert!(reached.devices.keys().eq(wanted.devices.keys()));
        prop_assert_eq!(converge(&scope, &reached, &wanted), Plan::default());
    }

    #[test]
    fn a_running_device_is_never_deleted_while_it_is_wanted(found in found(), wanted in wanted()) {
        let plan = converge(&scope(false), &found, &wanted);
        // One that no host sees and that is no member does not run.
        let runs = |device: &DeviceName| {
            found.luns.values().any(|lun| lun.device == *device)
                || found.group.as_ref().is_some_and(|group| group.devices.contains(device))
        };
        let kept = |step: &Step| match step {
            Step::DelDevice { device, .. } => !(wanted.devices.contains_key(device) && runs(device)),
            _ => true,
        };
        prop_assert!(plan.steps.iter().all(kept));
        after(&found, &plan.steps);
    }

    #[test]
    fn a_store_is_opened_and_closed_by_the_state_alone(found in found(), wanted in wanted(), recreate: bool) {
        let reached = after(&found, &converge(&scope(recreate), &found, &wanted).steps);
        let open = |device: &Device| device.active == Some(true);
        for (name, device) in &reached.devices {
            let kept = found.devices.get(name).is_some_and(|found| found.handler == device.handler && found.filename == device.filename);
            if serves(&reached) {
                prop_assert!(device.active.is_none() || open(device), "{} is not open", name);
            } else if !kept && device.handler == Some(HandlerName::VdiskBlockio) {
                prop_assert!(!open(device), "{} is open", name);
            }
        }
    }

    #[test]
    fn neither_a_demotion_nor_a_release_touches_a_store(found in found(), taken in btree_map(select(vec!["g_a", "g_b"]), 0..3u32, 0..=2)) {
        let taken: BTreeMap<_, _> = taken.into_iter().map(|(name, before)| (DeviceName::seen(name).unwrap(), Owed { before, returning: false })).collect();
        let steps = demote(&scope(false), &found.blocks(), AluaState::Standby).into_iter().chain(release(&found.blocks(), &taken));
        for step in steps {
            let touches = matches!(step, Step::Open { .. } | Step::Close { .. } | Step::SetAttribute { .. } | Step::ResyncSize { .. });
            prop_assert!(!touches, "{}", step);
        }
    }

    #[test]
    fn a_size_follows_its_store_upwards_only(wanted in wanted(), told in any::<[Option<u16>; 3]>(), has in any::<[Option<u16>; 3]>(), open in any::<[bool; 3]>()) {
        let (mut found, mut wanted) = (wanted.clone(), wanted);
        let bytes = |blocks: u16| u64::from(blocks) * 256;
        for ((device, told), open) in found.devices.values_mut().zip(told).zip(open) {
            if device.handler.is_some_and(HandlerName::has_backing) {
                (device.size, device.active) = (told.map(bytes), Some(open));
            }
        }
        for (device, has) in wanted.devices.values_mut().zip(has) {
            device.size = has.map(bytes);
        }
        let plan = converge(&scope(false), &found, &wanted);
        let reached = after(&found, &plan.steps);
        for (name, device) in &found.devices {
            let (Some(told), Some(has)) = (device.size, wanted.devices[name].size) else { continue };
            let (old, new) = (device.whole_blocks(told), device.whole_blocks(has));
            let now = reached.devices[name].size;
            let named = plan.errors.iter().any(|error| error.contains(name.as_str()) && error.contains(&told.to_string()) && error.contains(&has.to_string()));
            prop_assert_eq!(named, new < old);
            // The length of a closed file cannot be told.
            let kept = new <= old || (device.active == Some(false) && device.handler == Some(HandlerName::VdiskFileio));
            prop_assert_eq!(now == Some(told), kept);
        }
    }

    #[test]
    fn a_stop_leaves_nothing_of_ours(found in found()) {
        let left = after(&found, &converge(&scope(false), &found, &Storage::default()).steps);
        prop_assert_eq!(left, Storage::default());
    }

    #[test]
    fn a_table_is_cleared_only_when_everything_in_it_goes(found in found(), wanted in wanted(), foreign in btree_set(0..4u32, 0..2)) {
        let mut tables: BTreeMap<LunTable, BTreeSet<u32>> = BTreeMap::new();
        for at in found.luns.keys() {
            tables.entry(at.table.clone()).or_default().insert(at.lun);
        }
        if let Some(table) = tables.values_mut().next() {
            table.extend(foreign.iter().map(|lun| lun + 100));
        }
        let others = tables.keys().next().cloned().filter(|_| !foreign.is_empty());
        for wanted in [wanted, Storage::default()] {
            let steps = converge(&scope(true), &found, &wanted).steps;
            let shorter = clear_tables(steps.clone(), &tables);
            prop_assert_eq!(after(&found, &shorter), after(&found, &steps));
            for step in &shorter {
                if let Step::ClearTable { table, .. } = step {
                    prop_assert!(others.as_ref() != Some(table), "somebody else's LUN is in {}", table);
                    let again = |other: &Step| matches!(other, Step::DelLun { at, .. } if at.table == *table);
                    prop_assert!(!shorter.iter().any(again));
                }
            }
            if wanted.group.is_none() && others.is_none() {
                let unmaps = |step: &Step| matches!(step, Step::DelLun { .. });
                prop_assert!(!shorter.iter().any(unmaps));
            }
        }
    }

    #[test]
    fn hosts_see_a_lun_only_when_the_state_is_settled(wanted in wanted()) {
        let steps = converge(&scope(true), &Storage::default(), &wanted).steps;
        let is_lun = |step: &Step| matches!(step, Step::AddLun { .. });
        let first_lun = steps.iter().position(is_lun).unwrap_or(steps.len());
        prop_assert!(steps[first_lun..].iter().all(is_lun));
    }

    #[test]
    fn a_device_is_named_before_its_first_lun_also_where_its_addition_died(wanted in wanted()) {
        let mut found = wanted.clone();
        found.luns.clear();
        for device in found.devices.values_mut() {
            device.identity.values_mut().for_each(|value| value.push_str(" of the kernel"));
        }
        let steps = converge(&scope(false), &found, &wanted).steps;
        let first_lun = steps.iter().position(|step| matches!(step, Step::AddLun { .. })).unwrap_or(steps.len());
        steps[..first_lun].iter().for_each(|step| carry_out(&mut found, step));
        for (name, device) in &wanted.devices {
            prop_assert_eq!(&found.devices[name].identity, &device.identity);
        }
        for step in &steps[first_lun..] {
            let Step::AddLun { device, .. } = step else { continue };
            let value = AttributeValue::parse("SCST").unwrap();
            let unnamed = Step::SetAttribute { device: device.clone(), attribute: "prod_id", value };
            prop_assert!(step.needs(&unnamed));
        }
    }

    #[test]
    fn only_our_own_blocks_are_given_back(found in found(), taken in btree_map(select(vec!["g_a", "g_b"]), 0..3u32, 0..=2)) {
        let taken: BTreeMap<_, _> = taken.into_iter().map(|(name, before)| (DeviceName::seen(name).unwrap(), Owed { before, returning: false })).collect();
        let steps = release(&found.blocks(), &taken);
        let devices: BTreeSet<_> = steps.iter().map(|step| match step {
            Step::Unblock { device, before, .. } => {
                assert!(found.devices[device].block.count > *before);
                device.clone()
            }
            other => panic!("{other}"),
        }).collect();
        prop_assert_eq!(devices.len(), steps.len(), "one each");
    }

    #[test]
    fn a_demotion_gives_back_every_block_it_takes_and_changes_the_state_between(found in found()) {
        let steps = demote(&scope(false), &found.blocks(), AluaState::Standby);
        let blocked: Vec<_> = steps.iter().filter_map(|step| match step {
            Step::Block { device, .. } => Some(device),
            _ => None,
        }).collect();
        let unblocked: Vec<_> = steps.iter().filter_map(|step| match step {
            Step::Unblock { device, .. } => Some(device),
            _ => None,
        }).collect();
        prop_assert_eq!(&blocked, &unblocked);
        let at = |wanted: &dyn Fn(&Step) -> bool| steps.iter().position(wanted);
        let state = at(&|step| matches!(step, Step::SetState { .. }));
        let last_wait = steps.iter().rposition(|step| matches!(step, Step::AwaitDrained { .. }));
        let first_unblock = at(&|step| matches!(step, Step::Unblock { .. }));
        prop_assert!(last_wait < state && (first_unblock.is_none() || state < first_unblock));
    }
}

// ---- ports ---------------------------------------------------------------------------------------------------------

fn some_ports() -> impl Strategy<Value = Ports> {
    let initiators = btree_set(select(vec!["50:00:00:00:00:00:00:01", "50:00:00:00:00:00:00:02"]), 0..=2);
    let group = (select(vec!["auto", "101", "102"]), initiators).prop_map(|(io_grouping, initiators)| IniGroup {
        io_grouping: io_grouping.to_owned(),
        initiators: initiators.into_iter().map(|name| InitiatorName::seen(name).unwrap()).collect(),
        has_luns: false,
    });
    let groups =
        btree_map(select(vec!["esx1", "esx2"]).prop_map(|name| InitiatorGroup::seen(name).unwrap()), group, 0..=2);
    let one = (any::<bool>(), 0..4u32, groups).prop_map(|(enabled, rel_tgt_id, groups)| Port {
        enabled,
        rel_tgt_id,
        groups,
        ..Port::default()
    });
    (one.clone(), one).prop_map(|(a, b)| [(port(LOCAL[0]), a), (port(LOCAL[1]), b)].into())
}

fn carry_out_on_ports(ports: &mut Ports, step: &Step) {
    match step {
        Step::CreateIniGroup { port, group, .. } => {
            let fresh = IniGroup { io_grouping: "auto".into(), ..IniGroup::default() };
            assert!(ports.get_mut(port).unwrap().groups.insert(group.clone(), fresh).is_none(), "EEXIST");
        }
        Step::DelIniGroup { port, group, .. } => {
            let gone = ports.get_mut(port).unwrap().groups.remove(group).expect("EINVAL");
            assert!(gone.initiators.is_empty(), "EBUSY: its sessions are still in it");
        }
        Step::SetIoGrouping { port, group, number, .. } => {
            ports.get_mut(port).unwrap().groups.get_mut(group).unwrap().io_grouping = number.to_string();
        }
        Step::AddInitiator { port, group, initiator, .. } => {
            let group = ports.get_mut(port).unwrap().groups.get_mut(group).unwrap();
            assert!(group.initiators.insert(initiator.clone()), "EEXIST");
        }
        Step::DelInitiator { port, group, initiator, .. } => {
            let group = ports.get_mut(port).unwrap().groups.get_mut(group).unwrap();
            assert!(group.initiators.remove(initiator), "EINVAL");
        }
        Step::ClearInitiators { port, group, .. } => {
            ports.get_mut(port).unwrap().groups.get_mut(group).unwrap().initiators.clear();
        }
        Step::SetPortId { port, id, .. } => {
            let port = ports.get_mut(port).unwrap();
            assert!(!port.enabled, "an enabled port's id must differ from all others");
            port.rel_tgt_id = *id;
        }
        Step::Enable { port, .. } => {
            let port = ports.get_mut(port).unwrap();
            assert!(!port.enabled, "EINVAL with the 32 Gb driver");
            port.enabled = true;
        }
        Step::Disable { port, .. } => {
            let port = ports.get_mut(port).unwrap();
            assert!(port.enabled, "EINVAL with the 32 Gb driver");
            port.enabled = false;
        }
        other => panic!("{other} is not a step of ports"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn ports_that_are_as_wanted_need_no_step(ports in some_ports()) {
        prop_assert_eq!(ports::plan(Driver::Qla2x00t, &ports, &ports), vec![]);
    }

    #[test]
    fn a_plan_of_ports_reaches_its_aim_from_anywhere(found in some_ports(), wanted in some_ports()) {
        let mut reached = found.clone();
        for step in ports::plan(Driver::Qla2x00t, &found, &wanted) {
            carry_out_on_ports(&mut reached, &step);
        }
        prop_assert_eq!(reached, wanted);
    }
}
