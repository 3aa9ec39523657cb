//! What must hold for every input from outside, however hostile: nothing panics, and no accepted value makes a command or a
//! path that has other words than were meant.
//!
//! Each function takes any bytes, reads them as one kind of input, makes the plans an agent would make of them and looks at
//! every command in them the way the kernel does. The fuzz targets feed them; `tests/properties.rs` has them hold in every test
//! run for generated texts.

#![allow(unreachable_pub, reason = "this is a library to the fuzz targets and a module to the tests")]

mod conf;
mod kernel;
mod tree;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use agents::scst_aluadg::params::Params as GroupParams;
use agents::scst_aluadg::wanted::{self as group_wanted, LocalPorts, States};
use agents::scst_qla2xtgt::AGENT as PORTS;
use agents::target::params::Params as PortParams;
use agents::target::wanted as ports_wanted;
use scst_core::cluster::{Topology, parse_configuration, parse_nodes, parse_roles};
use scst_core::ocf::env::Env;
use scst_core::ocf::param::{Finding, Severity};
use scst_core::plan::storage::{Scope, converge, demote, release};
use scst_core::plan::{Step, ports};
use scst_core::scst::alua::AluaState;
use scst_core::scst::names::{Driver, GroupName, InitiatorGroup, NodeName, TargetName};
use scst_core::state::{IniGroup, Port, Ports, Storage};
use scst_core::state_file::StateFile;

pub use self::conf::scst_conf;
use self::kernel::check;
pub use self::kernel::commands_seen;

const PORT: &str = "21:00:00:24:ff:60:d0:10";

fn port() -> TargetName {
    TargetName::seen(PORT).expect("a port's name")
}

fn node() -> NodeName {
    NodeName::parse("alpha").expect("a node's name")
}

fn group() -> GroupName {
    GroupName::parse("dg").expect("a group's name")
}

fn scope(group: GroupName, driver: Driver, recreate: bool) -> Scope {
    Scope { group, local: Some(node()), driver, recreate, port_ids: BTreeMap::new(), parameters: BTreeMap::new() }
}

/// Two nodes with a port each, and the local one's ports with two initiator groups.
fn surroundings(driver: Driver) -> Option<(Topology, LocalPorts)> {
    let ports = match driver {
        Driver::IbSrpt => ["fe80:0000:0000:0001", "fe80:0000:0000:0002"],
        Driver::Iscsi => ["iqn.2020-01.org.example:a", "iqn.2020-01.org.example:b"],
        _ => [PORT, "21:00:00:24:ff:60:d0:11"],
    };
    let node = |n: usize| {
        format!(
            r#"<node id="{}" uname="{}"><instance_attributes><nvpair name="targetports" value="{}"/></instance_attributes></node>"#,
            n + 1,
            ["alpha", "beta"][n],
            ports[n]
        )
    };
    let nodes = parse_nodes(&format!("<nodes>{}{}</nodes>", node(0), node(1))).ok()?;
    let (topology, _) = Topology::build(&nodes, "alpha", driver).ok()?;
    let ports = topology.local.listed();
    let groups = ["esx1", "Linux"].map(|name| InitiatorGroup::seen(name).expect("a group's name"));
    let groups = ports.iter().map(|(port, _)| (port.clone(), groups.to_vec())).collect();
    Some((topology, LocalPorts { ports, groups }))
}

/// What people are told of it is one line each, and not endless.
fn one_line_each(findings: &[Finding]) {
    for finding in findings {
        let text = finding.to_string();
        assert!(!text.chars().any(char::is_control), "{text:?}");
        assert!(text.len() < 2000, "{} bytes", text.len());
    }
}

/// An environment of these variables; the bytes may be anything that a variable can hold.
fn environment(pairs: &[(&str, &[u8])]) -> Env {
    let value = |bytes: &[u8]| OsStr::from_bytes(bytes.split(|b| *b == 0).next().unwrap_or_default()).to_owned();
    Env::from_pairs(pairs.iter().map(|(name, bytes)| (format!("OCF_RESKEY_{name}"), value(bytes))))
}

/// Ports that are down and have no groups.
fn fresh(names: &[(TargetName, u16)]) -> Ports {
    let port = || Port::default();
    names.iter().map(|(name, _)| (name.clone(), port())).collect()
}

/// The parameter `initiators`.
pub fn initiators(data: &[u8]) {
    let env = environment(&[("initiators", data)]);
    let stop = PortParams::for_stop(&env);
    let (params, findings) = PortParams::parse(&PORTS, &env);
    assert_eq!(params.is_none(), findings.iter().any(|finding| finding.severity == Severity::Error));
    one_line_each(&findings);
    let Some(params) = params else { return };
    assert!(params.groups.iter().map(|(group, _)| group).eq(&stop));
    let text = String::from_utf8_lossy(data).to_ascii_lowercase();
    // A WWPN has several spellings, of the same digits.
    let digits = text.replace([':', '-'], "");
    for (group, initiators) in &params.groups {
        assert!(text.contains(&format!("{group}=")), "group {group} was never said");
        assert!(
            initiators.iter().all(|initiator| digits.contains(&initiator.as_str().replace(':', ""))),
            "an initiator was never said"
        );
    }
    let names = [(port(), 101)];
    let Ok(wanted) = ports_wanted::started(&params, 1, &names) else { return };
    let start = ports::plan(Driver::Qla2x00t, &fresh(&names), &wanted);
    assert!(start.len() > params.groups.len(), "something is created for each group");
    check(&start);
    let stop = ports_wanted::stopped(&wanted, |_, _| true, |_| false);
    check(&ports::plan(Driver::Qla2x00t, &wanted, &stop));
    assert_eq!(ports::plan(Driver::Qla2x00t, &wanted, &wanted), []);
}

/// All parameters of a device group: one line of the input each.
pub fn device(data: &[u8]) {
    // Parameters are separated by a byte that none of them can hold.
    let mut values = data.split(|b| *b == 0);
    let mut next = |default: &'static [u8]| values.next().filter(|value| !value.is_empty()).unwrap_or(default);
    let device0 = next(b"");
    let device1 = next(b"handler=vdisk_nullio,virtname=d1,export0=esx1:201");
    let (groupname, tgtdriver) = (next(b"dg"), next(b"qla2x00t"));
    let pairs = [("device0", device0), ("device7", device1), ("groupname", groupname), ("tgtdriver", tgtdriver)];
    let env = environment(&pairs);
    let stop = GroupParams::for_stop(&env);
    let (params, findings) = GroupParams::parse(&env);
    assert_eq!(params.is_none(), findings.iter().any(|finding| finding.severity == Severity::Error));
    one_line_each(&findings);
    let Some(params) = params else { return };
    assert_eq!(stop.group.as_ref(), Some(&params.group));
    let known = GroupParams::device_names(&env, &params.group);
    assert!(params.devices.iter().all(|device| known.contains(&device.name)), "a stop knows less than a start");
    said(&params, &[device0, device1].map(|value| String::from_utf8_lossy(value).replace('"', "")));
    let Some((topology, local)) = surroundings(params.driver) else { return };
    let nothing = Storage::default();
    let wanted = group_wanted::storage(&params, &topology, &local, States::Started(None), &nothing);
    let scope = scope(params.group.clone(), params.driver, true);
    let start = converge(&scope, &nothing, &wanted).steps;
    for device in &params.devices {
        let adds = |step: &&Step| matches!(step, Step::AddDevice { device: added, .. } if *added == device.name);
        assert_eq!(start.iter().filter(adds).count(), 1, "{}", device.name);
    }
    check(&start);
    check(&converge(&scope, &wanted, &nothing).steps);
    check(&demote(&scope, &wanted.blocks(), AluaState::Standby));
    group_wanted::unmatched(&params, &local);
}

/// Every value of a device stands in the configuration as it is used.
fn said(params: &GroupParams, texts: &[String; 2]) {
    for device in &params.devices {
        let text = &texts[usize::from(device.index != 0)];
        let has = |value: &str| assert!(text.contains(value), "{value:?} was never said");
        has(device.name.as_str().strip_prefix(&format!("{}_", params.group)).expect("the group's prefix"));
        device.filename.iter().for_each(|value| has(value.as_str()));
        device.t10devid.iter().for_each(|value| has(value.as_str()));
        device.usn.iter().for_each(|value| has(value.as_str()));
        let export = |lun: u16| assert!(lun <= 16383, "LUN {lun}");
        device.exports.iter().for_each(|value| export(value.lun));
    }
}

/// The cluster's answers: nodes with their ports, and roles.
pub fn cluster(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    // Whole answers, and the attribute alone, which is what people write.
    _ = parse_roles(&text, "dg");
    for resource in parse_configuration(&text).map(|found| found.resources).unwrap_or_default() {
        let params = resource.params.iter().map(|(name, value)| (format!("OCF_RESKEY_{name}"), value));
        let (params, findings) = GroupParams::parse(&Env::from_pairs(params));
        assert!(params.is_some() || findings.iter().any(|finding| finding.severity == Severity::Error));
    }
    numbers(&text);
    let escaped: Vec<String> = text.chars().map(|c| format!("&#{};", u32::from(c))).collect();
    let escaped = escaped.concat();
    let peer = format!("<nvpair name=\"targetports\" value=\"{escaped}\"/>");
    let local = format!("<nvpair name=\"targetports\" value=\"{PORT}\"/>");
    let list = |id, name, ports| {
        format!("<node id=\"{id}\" uname=\"{name}\"><instance_attributes>{ports}</instance_attributes></node>")
    };
    numbers(&format!("<nodes>{}{}</nodes>", list(1, "alpha", &local), list(2, "beta", &peer)));
    numbers(&format!("<nodes>{}</nodes>", list(1, "alpha", &peer)));
}

/// The ids of all ports differ and are the same whoever computes them, and every port and node is one word.
fn numbers(xml: &str) {
    let Ok(nodes) = parse_nodes(xml) else { return };
    for driver in Driver::ALL {
        let Ok((topology, warnings)) = Topology::build(&nodes, "alpha", driver) else { continue };
        assert!(warnings.iter().all(|warning| !warning.chars().any(char::is_control)), "{warnings:?}");
        let members = || topology.peers.iter().chain([&topology.local]);
        for member in members() {
            let first = member.id * 100;
            assert!((1..=654).contains(&member.id) && !member.ports.is_empty());
            assert!(member.ports.iter().all(|port| (first + 1..=first + 99).contains(&port.rel_tgt_id)));
        }
        let local = LocalPorts { ports: topology.local.listed(), groups: BTreeMap::new() };
        let device = b"handler=vdisk_nullio,virtname=a,export0=all:0";
        let env =
            environment(&[("device0", device), ("groupname", b"dg"), ("tgtdriver", driver.to_string().as_bytes())]);
        let params = GroupParams::parse(&env).0.expect("a right configuration");
        let nothing = Storage::default();
        let wanted = group_wanted::storage(&params, &topology, &local, States::Started(None), &nothing);
        check(&converge(&scope(group(), driver, false), &nothing, &wanted).steps);
    }
}

/// The state file: what can be read of it is read again as the same, and names nothing that is no name.
pub fn record(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    // Also as the inside of a file that is whole.
    for text in [text.to_string(), format!("scst-ocf record 1\n{text}\nend\n")] {
        let Some(record) = StateFile::parse(&text) else { continue };
        assert_eq!(StateFile::parse(&record.text()).as_ref(), Some(&record), "{text:?}");
        check(&release(&Storage::default().blocks(), &record.blocks));
        let mut found = Storage::default();
        for (device, owed) in &record.blocks {
            let block = scst_core::scst::device::Block { count: owed.before.saturating_add(1), pending: false };
            found.devices.insert(device.clone(), scst_core::state::Device { block, ..Default::default() });
        }
        check(&release(&found.blocks(), &record.blocks));
        let group = record.group.clone().unwrap_or_else(group);
        let groups = record.ini_groups.iter().map(|name| (name.clone(), IniGroup::default()));
        let up = Port { enabled: true, rel_tgt_id: 1, groups: groups.collect(), ..Port::default() };
        let found: Ports = record.ports.iter().map(|(name, _)| (name.clone(), up.clone())).collect();
        check(&ports::plan(Driver::Qla2x00t, &found, &ports_wanted::stopped(&found, |_, _| true, |_| false)));
        let mut storage = Storage::default();
        for device in &record.devices {
            let handler = Some(scst_core::scst::names::HandlerName::VdiskNullio);
            storage.devices.insert(device.clone(), scst_core::state::Device { handler, ..Default::default() });
        }
        storage.group = Some(scst_core::state::DeviceGroup {
            devices: record.devices.clone(),
            target_groups: record.node.iter().map(|n| (n.clone(), scst_core::state::TargetGroup::fresh())).collect(),
        });
        check(&converge(&scope(group, Driver::Qla2x00t, false), &storage, &Storage::default()).steps);
    }
}

/// What the kernel shows, as a tree of files made from the input.
pub fn sysfs(data: &[u8]) {
    tree::observed(data);
}
