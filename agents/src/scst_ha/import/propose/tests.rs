//! Proposals for the files of `tests/data/scst-conf`.

use std::collections::BTreeMap;

use scst_core::ocf::env::Env;
use scst_core::ocf::param::Severity;

use super::super::source::{Device, IniGroup, Lun, Source, Target};
use super::super::{conf, from_conf};
use super::*;
use crate::scst_aluadg::params::Params;

pub(super) const PORT: &str = "21:00:00:24:ff:60:d0:10";

fn file(name: &str) -> &'static str {
    match name {
        "fc-groups" => include_str!("../../../../../tests/data/scst-conf/fc-groups.conf"),
        "default-luns" => include_str!("../../../../../tests/data/scst-conf/default-luns.conf"),
        "alua" => include_str!("../../../../../tests/data/scst-conf/alua.conf"),
        "iscsi" => include_str!("../../../../../tests/data/scst-conf/iscsi.conf"),
        "empty-blocks" => include_str!("../../../../../tests/data/scst-conf/empty-blocks.conf"),
        "nonkey" => include_str!("../../../../../tests/data/scst-conf/nonkey.conf"),
        "windows" => include_str!("../../../../../tests/data/scst-conf/windows.conf"),
        other => panic!("there is no file {other}"),
    }
}

fn proposal(name: &str) -> (Proposal, Vec<String>) {
    let mut conf = conf::parse(file(name).as_bytes()).unwrap();
    let source = from_conf::source(&mut conf);
    let place = Place {
        node: "alpha".to_owned(),
        ids: [("alpha".to_owned(), 1), ("beta".to_owned(), 2)].into(),
        written: true,
    };
    let warnings = conf.warnings.iter().map(|warning| format!("{}: {}", warning.line, warning.text));
    (propose(&source, &place), warnings.collect())
}

pub(super) fn env(resource: &Resource) -> Env {
    Env::from_pairs(resource.params.iter().map(|(name, value)| (format!("OCF_RESKEY_{name}"), value)))
}

/// The resource of that agent.
pub(super) fn resource<'a>(proposal: &'a Proposal, agent: &str) -> &'a Resource {
    proposal.resources.iter().find(|resource| resource.agent == agent).unwrap_or_else(|| panic!("no {agent}"))
}

/// A parameter of the resource of that agent.
pub(super) fn param<'a>(proposal: &'a Proposal, agent: &str, name: &str) -> &'a str {
    resource(proposal, agent).params.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

/// The resource of that agent has these parameters.
#[track_caller]
fn says(proposal: &Proposal, agent: &str, parameters: &[(&str, &str)]) {
    for (name, value) in parameters {
        assert_eq!(param(proposal, agent, name), *value, "{name}");
    }
}

pub(super) fn noticed(proposal: &Proposal, noticed: bool) -> Vec<String> {
    let remarks = proposal.remarks.iter().filter(|remark| remark.hosts_notice == noticed);
    let mut remarks: Vec<String> = remarks.map(|remark| format!("{}: {}", remark.about, remark.text)).collect();
    remarks.sort();
    remarks
}

fn agent(resource: &Resource) -> crate::target::TargetAgent {
    if resource.agent == "scst_target" { crate::scst_target::AGENT } else { crate::scst_qla2xtgt::AGENT }
}

#[track_caller]
pub(super) fn has(remarks: &[String], parts: &[&str]) {
    for part in parts {
        assert!(remarks.iter().any(|remark| remark.contains(part)), "no {part:?} in {remarks:#?}");
    }
}

#[test]
fn the_agents_take_every_proposal_as_it_is() {
    for name in ["fc-groups", "default-luns", "alua", "iscsi", "empty-blocks", "nonkey", "windows"] {
        let (proposal, _) = proposal(name);
        assert!(!proposal.resources.is_empty(), "{name}");
        for resource in &proposal.resources {
            let findings = if resource.agent == "scst_aluadg" {
                Params::parse(&env(resource)).1
            } else {
                // A secret of the file, where a place holder stands.
                let pairs = resource.params.iter().map(|(name, value)| {
                    (format!("OCF_RESKEY_{name}"), value.replace(users::PLACE_HOLDER, "verySecret12345"))
                });
                crate::target::params::Params::parse(&agent(resource), &Env::from_pairs(pairs)).1
            };
            let bad: Vec<_> = findings.into_iter().filter(|finding| finding.severity >= Severity::Warning).collect();
            assert!(bad.is_empty(), "{name}: {bad:?}");
        }
    }
}

#[test]
fn hosts_keep_seeing_the_disks_of_a_plain_file() {
    let (proposal, warnings) = proposal("fc-groups");
    assert_eq!(warnings, [""; 0]);
    says(&proposal, "scst_qla2xtgt", &[("initiators", "esx1=50:01:43:80:03:b0:23:34,50:01:43:80:03:b0:23:36")]);
    assert_eq!(
        param(&proposal, "scst_aluadg", "device0"),
        "virtname=vmfs-01,handler=vdisk_blockio,filename=/dev/vg_san/vmfs01,is_ssd=1,nv_cache=1,usn=8a13f0c2,t10devid=vmfs-01,prod_id=vmfs-01,vend_specific_id=a85c7bf1-vmfs-01,export0=esx1:0"
    );
    assert!(param(&proposal, "scst_aluadg", "device1").contains("60014051a3f0c2d4e5b6a79881234567"));
    assert!(param(&proposal, "scst_aluadg", "device2").contains("read_only=1"));
    let all = noticed(&proposal, true);
    has(&all, &["port 21:00:00:24:ff:60:d0:10: its relative target id 1 becomes 101"]);
    let of_disks: Vec<&String> = all.iter().filter(|remark| remark.starts_with("device vmfs")).collect();
    assert!(of_disks.iter().all(|remark| remark.contains("persistent reservations")), "{of_disks:#?}");
    has(
        &noticed(&proposal, false),
        &["device vmfs-01: becomes dg_vmfs-01", "device scratch: no initiator group of a port sees it"],
    );
    assert_eq!(proposal.nodes[0].targetports, [PORT, "21:00:00:24:ff:60:d0:11"]);
}

#[test]
fn what_cannot_be_said_is_named() {
    let (proposal, _) = proposal("default-luns");
    has(
        &noticed(&proposal, true),
        &[
            "hosts in no initiator group lose LUN 0 (device data1)",
            "hosts in no initiator group lose LUN 2 (device 2:0:3:0)",
        ],
    );
    // A pattern is what the agent for every driver takes.
    let initiators = "backup=21:00:00:e0:8b:05:05:04,21:00:00:e0:8b:*";
    says(&proposal, "scst_target", &[("tgtdriver", "qla2x00t"), ("initiators", initiators)]);
    has(
        &noticed(&proposal, false),
        &[
            "port 50:01:43:80:26:f2:00:03: is not enabled: left out",
            "device data1: no initiator group of a port sees it",
        ],
    );
    assert!(param(&proposal, "scst_aluadg", "device0").contains("threads_num=4"));
}

#[test]
fn names_and_numbers_of_two_controllers_stay() {
    let (proposal, warnings) = proposal("alua");
    assert_eq!(warnings, [""; 0]);
    let device = "virtname=vol1,handler=vdisk_blockio,filename=/dev/drbd1,prod_id=san_vol1,export0=vmw:0";
    // One device of it shares its reservations: a group has one answer for all.
    says(&proposal, "scst_aluadg", &[("groupname", "san"), ("device0", device), ("reservations", "shared")]);
    assert_eq!(proposal.nodes[1].targetports, ["21:00:00:1b:32:0b:52:75", "21:01:00:1b:32:2b:52:75"]);
    let noticed = noticed(&proposal, true);
    assert_eq!(noticed, [""; 0]);
    let known = self::noticed(&proposal, false);
    has(
        &known,
        &["device group san: reservations=shared needs DLM", "device san_vol2: shares its persistent reservations"],
    );
}

#[test]
fn targets_of_iscsi_are_a_resource_with_portals_patterns_and_users_and_no_secret_is_told() {
    let (proposal, _) = proposal("iscsi");
    says(&proposal, "scst_aluadg", &[("tgtdriver", "iscsi")]);
    let parameters = [
        ("tgtdriver", "iscsi"),
        ("initiators", "linux=iqn.1993-08.org.debian:01:abc*,iqn.1993-08.org.debian:01:def"),
        ("portals", "192.0.2.*,198.51.100.7"),
        ("attributes", "QueuedCommands=64,HeaderDigest=None,CRC32C"),
        ("incoming_users", "joe SECRET;ann SECRET"),
        ("outgoing_user", "me SECRET"),
    ];
    says(&proposal, "scst_target", &parameters);
    let known = noticed(&proposal, false);
    has(
        &known,
        &["driver iscsi: IncomingUser discover is for discovery", "iSNSServer 192.0.2.9 is of the driver iscsi"],
    );
    assert!(!format!("{proposal:?}").contains("ecret12345"));
    // A start refuses the place holders.
    let findings =
        crate::target::params::Params::parse(&crate::scst_target::AGENT, &env(resource(&proposal, "scst_target"))).1;
    assert_eq!(findings.iter().filter(|finding| finding.to_string().contains("bad secret")).count(), 3);
    assert!(param(&proposal, "scst_aluadg", "device0").contains("nv_cache=1,write_through=0"));
    // Hosts in no group had the first disk, too.
    has(&noticed(&proposal, true), &["hosts in no initiator group lose LUN 0 (device disk01)"]);
}

#[test]
fn a_file_that_is_not_what_it_seems_is_told_line_by_line() {
    let (proposal, warnings) = proposal("empty-blocks");
    has(
        &warnings,
        &[
            "5: a block without words before its brace",
            "13: \"dummy 1\" stands before a closing brace",
            "18: \"filename /srv/f1\" stands before a closing brace",
            "20: the character '2' before the # goes with the comment",
            "21: \"usn\" has more than one value after \"12\"",
            "38: \"TARGET_DRIVER qla2x00t\" replaces that of line 25",
            "is lost, because no newline ends the last line",
        ],
    );
    assert!(param(&proposal, "scst_aluadg", "device1").contains("filename=/srv/f,"), "{proposal:#?}");
    assert_eq!(proposal.nodes[0].targetports, ["21:00:00:24:ff:60:d0:11"]);
}

#[test]
fn a_full_dump_says_no_more_than_its_important_part() {
    let (proposal, _) = proposal("nonkey");
    let noticed = noticed(&proposal, true);
    let expected = [
        "device group dg: its devices were in no device group",
        "device store: persistent reservations",
        "port 21:00:00:24:ff:60:d0:10: its relative target id 3 becomes 101",
    ];
    assert_eq!(noticed.len(), expected.len(), "{noticed:#?}");
    has(&noticed, &expected);
    assert!(
        param(&proposal, "scst_aluadg", "device0")
            .contains("usn=31f0a7c4,t10devid=31f0a7c4-store,prod_id=store,vend_specific_id=31f0a7c4-store")
    );
}

#[test]
fn line_ends_of_windows_change_nothing() {
    let (proposal, warnings) = proposal("windows");
    assert_eq!(warnings, ["4: the backslash before '_' goes"]);
    assert!(param(&proposal, "scst_aluadg", "device0").contains("filename=/dev/vg0/sql_data,"));
    assert_eq!(param(&proposal, "scst_qla2xtgt", "initiators"), "sql_server=10:00:00:00:c9:11:22:33");
    has(&noticed(&proposal, true), &["t10_dev_id \"SQL,DATA\" cannot be said", "hosts lose it at LUN \"20000\""]);
}

#[test]
fn ten_thousand_devices_are_no_hurdle() {
    let mut source = Source::default();
    let mut group = IniGroup {
        name: "g".to_owned(),
        initiators: vec!["50:01:43:80:03:b0:23:34".to_owned()],
        ..IniGroup::default()
    };
    for number in 0..10_000 {
        let name = format!("disk{number}");
        group.luns.push(Lun { number: number.to_string(), device: name.clone(), read_only: false });
        let attributes = [("filename".to_owned(), format!("/dev/{name}"))].into();
        source.devices.push(Device { name, handler: "vdisk_blockio".to_owned(), attributes });
    }
    let attributes = [("enabled".to_owned(), "1".to_owned())].into();
    source.targets.push(Target {
        driver: "qla2x00t".to_owned(),
        name: PORT.to_owned(),
        attributes,
        groups: vec![group],
        ..Target::default()
    });
    let started = std::time::Instant::now();
    let place = Place { node: "alpha".to_owned(), ids: BTreeMap::new(), written: true };
    let proposal = propose(&source, &place);
    assert_eq!(proposal.resources[1].params.len(), 3 + 256);
    assert!(started.elapsed() < std::time::Duration::from_mins(1), "{:?}", started.elapsed());
}
