//! Proposals for the files of `tests/data/scst-conf`, and the property that what the agents made is said as they were told it.

use std::collections::BTreeMap;

use proptest::prelude::*;
use scst_core::ocf::env::Env;
use scst_core::ocf::param::Severity;
use scst_core::scst::identity;

use super::super::source::{self, Device, IniGroup, Lun, Source, Target};
use super::super::{conf, from_conf};
use super::*;
use crate::scst_aluadg::device::{DeviceParams, ExportGroup};
use crate::scst_aluadg::params::Params;
use crate::scst_qla2xtgt;

const PORT: &str = "21:00:00:24:ff:60:d0:10";

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

fn env(resource: &Resource) -> Env {
    Env::from_pairs(resource.params.iter().map(|(name, value)| (format!("OCF_RESKEY_{name}"), value)))
}

/// A parameter of the resource of that agent.
fn param<'a>(proposal: &'a Proposal, agent: &str, name: &str) -> &'a str {
    let resource = proposal.resources.iter().find(|resource| resource.agent == agent).unwrap();
    resource.params.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

fn noticed(proposal: &Proposal, noticed: bool) -> Vec<String> {
    let remarks = proposal.remarks.iter().filter(|remark| remark.hosts_notice == noticed);
    let mut remarks: Vec<String> = remarks.map(|remark| format!("{}: {}", remark.about, remark.text)).collect();
    remarks.sort();
    remarks
}

#[track_caller]
fn has(remarks: &[String], parts: &[&str]) {
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
                crate::target::params::Params::parse(&scst_qla2xtgt::AGENT, &env(resource)).1
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
    assert_eq!(param(&proposal, "scst_qla2xtgt", "initiators"), "esx1=50:01:43:80:03:b0:23:34,50:01:43:80:03:b0:23:36");
    assert_eq!(
        param(&proposal, "scst_aluadg", "device0"),
        "virtname=vmfs01,handler=vdisk_blockio,filename=/dev/vg_san/vmfs01,is_ssd=1,nv_cache=1,usn=8a13f0c2,t10devid=vmfs-01,export0=esx1:0"
    );
    assert!(param(&proposal, "scst_aluadg", "device1").contains("60014051a3f0c2d4e5b6a79881234567"));
    assert!(param(&proposal, "scst_aluadg", "device2").contains("read_only=1"));
    let all = noticed(&proposal, true);
    has(
        &all,
        &[
            "port 21:00:00:24:ff:60:d0:10: its relative target id 1 becomes 101",
            "device vmfs-01: hosts see the product SCST instead of vmfs-01",
        ],
    );
    has(
        &noticed(&proposal, false),
        &["device vmfs-01: becomes dg_vmfs01", "device scratch: no initiator group of a port sees it"],
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
            "initiator \"21:00:00:e0:8b:*\" cannot be said",
        ],
    );
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
    assert_eq!(param(&proposal, "scst_aluadg", "groupname"), "san");
    assert_eq!(
        param(&proposal, "scst_aluadg", "device0"),
        "virtname=vol1,handler=vdisk_blockio,filename=/dev/drbd1,export0=vmw:0"
    );
    assert_eq!(proposal.nodes[1].targetports, ["21:00:00:1b:32:0b:52:75", "21:01:00:1b:32:2b:52:75"]);
    let noticed = noticed(&proposal, true);
    has(&noticed, &["device san_vol1: cluster_mode=1 cannot be said"]);
    assert!(noticed.iter().all(|remark| !remark.starts_with("port")), "{noticed:#?}");
}

#[test]
fn targets_and_users_of_iscsi_are_left_to_whoever_makes_them_and_no_secret_is_told() {
    let (proposal, _) = proposal("iscsi");
    assert_eq!(param(&proposal, "scst_aluadg", "tgtdriver"), "iscsi");
    has(&noticed(&proposal, false), &["IncomingUser joe", "OutgoingUser me", "driver iscsi: IncomingUser discover"]);
    assert!(!format!("{proposal:?}").contains("ecret12345"));
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
        "device store: hosts that know the disk by its T10",
        "device store: hosts see the product",
        "device store: persistent reservations",
        "port 21:00:00:24:ff:60:d0:10: its relative target id 3 becomes 101",
    ];
    assert_eq!(noticed.len(), expected.len(), "{noticed:#?}");
    has(&noticed, &expected);
    assert!(param(&proposal, "scst_aluadg", "device0").contains("usn=31f0a7c4,t10devid=31f0a7c4-store"));
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
        luns: Vec::new(),
        groups: vec![group],
    });
    let started = std::time::Instant::now();
    let place = Place { node: "alpha".to_owned(), ids: BTreeMap::new(), written: true };
    let proposal = propose(&source, &place);
    assert_eq!(proposal.resources[1].params.len(), 3 + 256);
    assert!(started.elapsed() < std::time::Duration::from_mins(1), "{:?}", started.elapsed());
}

/// What the kernel has of these parameters.
fn made(params: &Params) -> Source {
    let flag = |on: bool| u8::from(on).to_string();
    let device = |device: &DeviceParams| {
        let made = identity::t10_dev_id(&device.name);
        let usn = device.usn.as_ref().map_or_else(|| identity::usn(&device.name), ToString::to_string);
        let mut attributes = source::Attributes::new();
        let mut set = |name: &str, value: String| _ = attributes.insert(name.to_owned(), value);
        set("read_only", flag(device.read_only));
        set("removable", flag(device.removable));
        set("rotational", flag(device.rotational));
        set("dummy", flag(device.dummy));
        set("usn", usn);
        set("t10_dev_id", device.t10devid.as_ref().map_or(made.clone(), ToString::to_string));
        set("vend_specific_id", made);
        set("prod_id", "SCST".to_owned());
        set("blocksize", device.blocksize.map_or("512".to_owned(), |size| size.to_string()));
        set("bind_alua_state", "1".to_owned());
        device.naa_id.iter().for_each(|naa| set("naa_id", format!("0x{naa}")));
        device.threads_num.iter().for_each(|number| set("threads_num", number.to_string()));
        device.thin_provisioned.iter().for_each(|thin| set("thin_provisioned", flag(*thin)));
        device.filename.iter().for_each(|path| set("filename", path.to_string()));
        set("nv_cache", flag(device.nv_cache));
        set("write_through", flag(device.effective_write_through() == Some(true)));
        Device { name: device.name.to_string(), handler: device.handler.to_string(), attributes }
    };
    let mut group = IniGroup { name: "g".to_owned(), ..IniGroup::default() };
    for device in &params.devices {
        for export in &device.exports {
            let lun =
                Lun { number: export.lun.to_string(), device: device.name.to_string(), read_only: device.read_only };
            assert!(matches!(&export.group, ExportGroup::Named(name) if name.as_str() == "g"));
            group.luns.push(lun);
        }
    }
    let on =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let member = |name: &str, id: &str| (name.to_owned(), Some(id.to_owned()));
    Source {
        devices: params.devices.iter().map(device).collect(),
        targets: vec![Target {
            driver: params.driver.to_string(),
            name: PORT.to_owned(),
            attributes: on(&[("enabled", "1"), ("rel_tgt_id", "101")]),
            luns: Vec::new(),
            groups: vec![group],
        }],
        groups: vec![source::DeviceGroup {
            name: params.group.to_string(),
            devices: params.devices.iter().map(|device| device.name.to_string()).collect(),
            target_groups: vec![source::TargetGroup {
                name: "alpha".to_owned(),
                attributes: on(&[("group_id", "1")]),
                targets: vec![member(PORT, "101")],
            }],
        }],
        ..Source::default()
    }
}

fn device_text(number: usize) -> impl Strategy<Value = String> {
    let flags = proptest::sample::subsequence(vec!["read_only=1", "removable=1", "is_ssd=1"], 0..=3);
    let ids = proptest::sample::subsequence(
        vec!["usn=abc12", "t10devid=a-b_c0", "naa_id=60014051a3f0c2d4e5b6a79881234567"],
        0..=3,
    );
    let handler = prop_oneof![
        Just("handler=vdisk_nullio".to_owned()),
        Just(format!("handler=vdisk_blockio,filename=/dev/d{number}")),
        Just(format!("handler=vdisk_blockio,filename=/dev/d{number},nv_cache=1,blocksize=4096,thin_provisioned=1")),
        Just(format!("handler=vdisk_blockio,filename=/dev/d{number},write_through=1,threads_num=7")),
        Just(format!("handler=vdisk_fileio,filename=/srv/d{number}")),
        Just(format!("handler=vdisk_fileio,filename=/srv/d{number},write_through=0")),
    ];
    (handler, flags, ids).prop_map(move |(handler, flags, ids)| {
        let words = flags.iter().chain(&ids).map(|word| {
            let serial = word.replace("abc12", &format!("abc{number}")).replace("a-b_c0", &format!("a-b_c{number}"));
            format!(",{}", serial.replace("81234567", &format!("8123456{number}")))
        });
        let file = handler.contains("write_through=0") && flags.contains(&"read_only=1");
        let handler = if file { handler.replace(",write_through=0", "") } else { handler };
        format!("virtname=v{number},{handler}{},export0=g:{number}", words.collect::<String>())
    })
}

proptest! {
    /// What the agents made of a configuration is imported as that configuration, and hosts notice nothing.
    #[test]
    fn what_the_agents_made_is_their_configuration(texts in (0..4_usize).prop_flat_map(|count| (0..=count).map(device_text).collect::<Vec<_>>())) {
        let fixed = [("OCF_RESKEY_groupname".to_owned(), "dg1".to_owned()), ("OCF_RESKEY_tgtdriver".to_owned(), "iscsi".to_owned())];
        let devices = texts.iter().enumerate().map(|(index, text)| (format!("OCF_RESKEY_device{index}"), text.clone()));
        let (params, findings) = Params::parse(&Env::from_pairs(fixed.into_iter().chain(devices)));
        prop_assert!(findings.iter().all(|finding| finding.severity < Severity::Warning), "{findings:?}");
        let params = params.unwrap();
        let place = Place { node: "alpha".to_owned(), ids: [("alpha".to_owned(), 1)].into(), written: false };
        let proposal = propose(&made(&params), &place);
        prop_assert!(!proposal.differs(), "{:#?}", proposal.remarks);
        let again = Params::parse(&env(&proposal.resources[0])).0.unwrap();
        // The agents write the default out where the kernel must not choose another one.
        let plain = |mut params: Params| {
            for device in &mut params.devices {
                device.write_through = device.effective_write_through().filter(|on| *on);
            }
            params
        };
        prop_assert_eq!(plain(again), plain(params));
    }
}
