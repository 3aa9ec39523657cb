//! The parameters of a device group: its name, the driver, and the devices.
//!
//! A device that is configured badly is named and left out, so that a mistake in one disk does not take away the others; without
//! `device0`, or when two devices would answer at one LUN, nothing can be started. The grammar of one device is in `grammar`.

mod advice;
mod distinct;

use std::collections::BTreeSet;

use scst_core::ocf::env::Env;
use scst_core::ocf::param::{Finding, Severity};
use scst_core::scst::names::{DeviceName, Driver, GroupName};

use self::distinct::{distinct, one_device_per_lun, same_store};
use super::device::DEVICE;
pub use super::device::{DeviceParams, Export, ExportGroup};
use super::grammar::{self, Parsed};
use super::same_disk;
use super::sharing::{Reservations, refuse_unnamable};
use super::table::TABLE;
use crate::missing_ports::MissingPorts;

/// The checked configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    /// The device group.
    pub group: GroupName,
    /// The driver whose targets export the devices.
    pub driver: Driver,
    /// Initialise the Fibre Channel loops when LUNs have changed.
    pub lip: bool,
    /// What becomes of ports that do not exist.
    pub missing_ports: MissingPorts,
    /// The devices, by their number.
    pub devices: Vec<DeviceParams>,
}

/// The parameters that a stop uses, read without any check.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StopParams {
    /// The device group, if its name is one.
    pub group: Option<GroupName>,
    /// The driver, if it is known.
    pub driver: Option<Driver>,
}

impl Params {
    /// Reads the configuration, and says what is wrong with it. There is none exactly if one of the findings is an error.
    pub fn parse(env: &Env) -> (Option<Self>, Vec<Finding>) {
        let mut findings = TABLE.check(env);
        let group = env.param("groupname").and_then(|text| {
            let refused = |error| Finding::error("groupname", format_args!("no name of a device group: {error}"));
            GroupName::parse(text).map_err(|error| findings.push(refused(error).value(text))).ok()
        });
        let driver = env.param("tgtdriver").and_then(|text| {
            let refused = |error| Finding::error("tgtdriver", format_args!("unknown driver: {error}"));
            Driver::parse(text).map_err(|error| findings.push(refused(error).value(text))).ok()
        });
        let lip = lip(env, &mut findings);
        let missing_ports = MissingPorts::parse(env, &mut findings);
        // A bad group name must not hide what is wrong with the devices.
        let naming = group.clone().or_else(|| GroupName::parse("group").ok());
        let mut devices = naming.map(|group| devices(env, &group, &mut findings)).unwrap_or_default();
        let shared = Reservations::parse(env, &mut findings) == Reservations::Shared;
        for device in &mut devices {
            device.shared = shared;
        }
        refuse_unnamable(&mut devices, &mut findings);
        distinct(&mut devices, &mut findings);
        one_device_per_lun(&devices, &mut findings);
        same_disk::in_configuration(&devices, &mut findings);
        same_store(&devices, &mut findings);
        let params = group.zip(driver).map(|(group, driver)| Self { group, driver, lip, missing_ports, devices });
        let usable = findings.iter().all(|finding| finding.severity < Severity::Error);
        (params.filter(|_| usable), findings)
    }

    /// What stop may believe of the configuration: everything that is well-formed by itself.
    pub fn for_stop(env: &Env) -> StopParams {
        let group = env.param("groupname").and_then(|text| GroupName::parse(text).ok());
        let driver = env.param("tgtdriver").and_then(|text| Driver::parse(text).ok());
        StopParams { group, driver }
    }

    /// The devices of `group` whose names can be made out of the configuration; none if that is of another group. Apart from
    /// [`Params::for_stop`], because a monitor does not need them.
    pub fn device_names(env: &Env, group: &GroupName) -> BTreeSet<DeviceName> {
        let named = env.param("groupname").and_then(|text| GroupName::parse(text).ok());
        if named.as_ref() != Some(group) {
            return BTreeSet::new();
        }
        configured(env).filter_map(|(_, _, text)| DeviceName::parse(group, &grammar::virtname(text)?).ok()).collect()
    }
}

/// The devices that are set, with number and parameter name.
fn configured(env: &Env) -> impl Iterator<Item = (u8, String, &str)> {
    (0..=u8::MAX).filter_map(|index| {
        let name = format!("{DEVICE}{index}");
        let text = env.param(&name)?;
        Some((index, name, text))
    })
}

fn lip(env: &Env, findings: &mut Vec<Finding>) -> bool {
    match env.param("lip").map(str::trim) {
        None => true,
        Some(text) => match text.to_ascii_lowercase().as_str() {
            "1" | "yes" | "true" | "on" => true,
            "0" | "no" | "false" | "off" => false,
            _ => {
                findings.push(Finding::warning("lip", "neither yes nor no, taken for yes").value(text));
                true
            }
        },
    }
}

/// Reads every device; those that cannot be used are left out, and without the first nothing works.
fn devices(env: &Env, group: &GroupName, findings: &mut Vec<Finding>) -> Vec<DeviceParams> {
    let mut devices = Vec::new();
    for (index, name, text) in configured(env) {
        let Parsed { device, remarks, faults } = grammar::parse(group, index, text);
        findings.extend(remarks.into_iter().map(|remark| remark.warning(&name)));
        for fault in faults {
            findings.push(if index == 0 { fault.error(&name) } else { fault.left_out(&name) });
        }
        devices.extend(device);
    }
    devices
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use scst_core::scst::names::HandlerName;

    use super::*;

    /// The environment of a group `dg` with the driver of Fibre Channel and these parameters.
    fn env(pairs: &[(&str, &str)]) -> Env {
        let pairs = [("groupname", "dg"), ("tgtdriver", "qla2x00t")].iter().chain(pairs);
        Env::from_pairs(pairs.map(|(name, value)| (format!("OCF_RESKEY_{name}"), *value)))
    }

    fn read(pairs: &[(&str, &str)]) -> (Option<Params>, Vec<String>) {
        let (params, findings) = Params::parse(&env(pairs));
        (params, findings.iter().map(ToString::to_string).collect())
    }

    const NULL: &str = "handler=vdisk_nullio,virtname=lu0,export0=all:0";

    #[test]
    fn a_whole_configuration_is_read() {
        let (params, findings) = read(&[
            ("reload", "17"),
            ("device0", "handler=vdisk_nullio,virtname=lu0,dummy=1,export0=all:0"),
            ("device1", "filename=/dev/loop0,virtname=t1,is_ssd=1,export0=esx1:1,export1=ESX2:11"),
            (
                "device7",
                "handler=vdisk_fileio,filename=/srv/b1,virtname=t2,t10devid=old_id,read_only=1,export0=linux:5",
            ),
        ]);
        assert_eq!(findings, [""; 0]);
        let params = params.unwrap();
        assert_eq!((params.group.as_str(), params.driver, params.lip), ("dg", Driver::Qla2x00t, true));
        let [lu0, t1, t2] = &params.devices[..] else { panic!("{params:?}") };
        assert_eq!((lu0.name.as_str(), lu0.handler, lu0.dummy), ("dg_lu0", HandlerName::VdiskNullio, true));
        assert_eq!((lu0.exports[0].to_string(), lu0.rotational), ("all:0".to_owned(), true));
        assert_eq!((t1.index, t1.handler, t1.rotational), (1, HandlerName::VdiskBlockio, false));
        assert_eq!(t1.exports.iter().map(ToString::to_string).collect::<Vec<_>>(), ["esx1:1", "esx2:11"]);
        assert_eq!(t1.filename.as_ref().unwrap().as_str(), "/dev/loop0");
        assert_eq!((t2.parameter(), t2.read_only), ("device7".to_owned(), true));
        assert_eq!(t2.t10devid.as_ref().unwrap().as_str(), "old_id");
    }

    #[test]
    fn a_writable_file_is_write_through_unless_it_is_switched_off() {
        let through = |more: &str| {
            let device = format!("handler=vdisk_fileio,filename=/f,virtname=a,export0=all:0{more}");
            read(&[("device0", &device)]).0.unwrap().devices[0].effective_write_through()
        };
        assert_eq!(through(""), Some(true));
        assert_eq!(through(",write_through=0"), Some(false));
        assert_eq!(through(",read_only=1"), None);
        assert_eq!(through(",handler=vdisk_blockio"), None);
        assert_eq!(through(",handler=vdisk_blockio,write_through=1"), Some(true));
    }

    #[test]
    fn what_every_node_would_refuse_is_an_error() {
        for (pairs, reason) in [
            (&[("device0", "")][..], "device0: is required and not set"),
            (&[("groupname", ""), ("device0", NULL)], "groupname: is required and not set"),
            (
                &[("groupname", "much.too-long"), ("device0", NULL)],
                "groupname \"much.too-long\": no name of a device group: character '.' is not possible here",
            ),
            (&[("tgtdriver", ""), ("device0", NULL)], "tgtdriver: is required and not set"),
            (
                &[("tgtdriver", "qla2xxx"), ("device0", NULL)],
                "tgtdriver \"qla2xxx\": unknown driver: not one of qla2x00t, iscsi, ib_srpt, scst_local, fcst",
            ),
            (&[("device0", "virtname=x")], "device0: filename: is required and missing"),
            (
                &[("device0", NULL), ("device3", "handler=vdisk_nullio,virtname=b,export0=esx1:2,export4=esx2:0")],
                "device3: export4 \"esx2:0\": device0 has this LUN already (export0 all:0)",
            ),
        ] {
            let (params, findings) = read(pairs);
            assert_eq!(params, None, "{pairs:?}");
            assert!(findings.iter().any(|finding| finding == reason), "{reason}: {findings:?}");
        }
    }

    #[test]
    fn a_bad_device_is_left_out_alone_and_everything_wrong_is_named() {
        let (params, findings) = read(&[
            ("device0", NULL),
            ("device1", "virtname=too.longname,handler=vdisk_tape,filename=rel,naa_id=1,read_only=yes"),
            ("device2", "handler=vdisk_nullio,virtname=c,export0=all:2"),
        ]);
        assert_eq!(params.unwrap().devices.len(), 2);
        assert_eq!(
            findings,
            [
                "device1: virtname \"too.longname\": character '.' is not possible here, device left out",
                "device1: handler \"vdisk_tape\": not one of vdisk_blockio, vdisk_fileio, vdisk_nullio, device left out",
                "device1: filename \"rel\": not an absolute path, device left out",
                "device1: export0: is required and missing, device left out",
                "device1: read_only \"yes\": is neither 0 nor 1, device left out",
                "device1: naa_id \"1\": not an NAA identifier of 16 or 32 hex digits, device left out",
            ]
        );
    }

    #[test]
    fn a_device_that_repeats_a_name_or_an_identity_is_left_out() {
        let naa = "naa_id=5000000000000001";
        let (params, findings) = read(&[
            ("device0", NULL),
            ("device1", "handler=vdisk_nullio,virtname=lu0,export0=all:1"),
            ("device2", &format!("handler=vdisk_nullio,virtname=b,export0=all:2,usn=S1,{naa}")),
            ("device3", &format!("handler=vdisk_nullio,virtname=c,export0=all:3,{naa}")),
            ("device4", "handler=vdisk_nullio,virtname=d,export0=all:4,usn=S1"),
            // Its LUN is free again, as device1 is not there.
            ("device5", "handler=vdisk_nullio,virtname=e,export0=all:1"),
        ]);
        let indices: Vec<u8> = params.unwrap().devices.iter().map(|device| device.index).collect();
        assert_eq!(indices, [0, 2, 5]);
        assert_eq!(
            findings,
            [
                "device1: virtname \"dg_lu0\": device0 has it as well, device left out",
                "device3: naa_id \"0x5000000000000001\": device2 has it as well, device left out",
                "device4: usn \"S1\": device2 has it as well, device left out",
            ]
        );
    }

    #[test]
    fn disks_that_hosts_take_for_one_are_refused() {
        let device =
            |name: &str, lun: u8, more: &str| format!("handler=vdisk_nullio,virtname={name},export0=all:{lun},{more}");
        let with = |second: &str| {
            let (first, second) = (device("a", 0, "t10devid=vmware-disk-1"), device("b", 1, second));
            let (params, findings) = read(&[("device0", &first), ("device1", &second)]);
            (params.is_some(), findings)
        };
        let (usable, findings) = with("t10devid=vmware-disk-2");
        assert!(!usable);
        assert!(
            findings[0].starts_with("device1: t10devid \"vmware-disk-2\": is one disk to hosts with device0 (eui."),
            "{findings:?}"
        );
        for more in ["t10devid=vmware-disk-2,naa_id=5000000000000001", "t10devid=vmware-disk-2,naa_id=auto", "dummy=1"]
        {
            assert_eq!(with(more), (true, Vec::new()), "{more}");
        }
    }

    #[test]
    fn what_surprises_people_later_is_advice() {
        let advice = |pairs: &[(&str, &str)]| {
            let (params, findings) = Params::parse(&env(pairs));
            assert_eq!(findings, []);
            let advice = params.unwrap().advice();
            assert!(advice.iter().all(|finding| finding.severity == Severity::Advice));
            advice.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let dummy = "handler=vdisk_nullio,virtname=lu0,dummy=1,export0=all:0";
        let disk = |more: &str| format!("filename=/dev/a,virtname=d,{more}");
        assert_eq!(advice(&[("device0", dummy)]), [""; 0]);
        assert_eq!(
            advice(&[("device0", dummy), ("device1", &disk("export0=all:255,naa_id=5000000000000001"))]),
            [""; 0]
        );
        assert_eq!(advice(&[("device0", dummy), ("device1", &disk("export0=all:1,usn=a,t10devid=b"))]), [""; 0]);
        let found = advice(&[
            ("device0", &disk("export0=all:1,export1=esx:256,usn=a")),
            ("device3", "filename=/dev/b,virtname=e,export0=all:2"),
        ]);
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!(found[0], "device0: export1 \"esx:256\": many hosts do not look at a LUN over 255");
        assert!(found[1].starts_with("device0: no device of this group is at LUN 0"), "{found:?}");
        assert!(found[2].starts_with("device0: is known to hosts by its name (so are device3): "), "{found:?}");
        let absent = |more: &str| disk(&format!("export0=all:0,naa_id=5000000000000001,absent_in_standby=1{more}"));
        assert_eq!(advice(&[("device0", &absent(",blocksize=512"))]), [""; 0]);
        let found = advice(&[("device0", &absent(""))]);
        assert!(
            found[0].starts_with("device0: without its store nobody knows the block size, and 512 is taken"),
            "{found:?}"
        );
    }

    #[test]
    fn lip_is_on_unless_it_is_switched_off() {
        let lip = |value: &str| {
            let (params, findings) = read(&[("device0", NULL), ("lip", value)]);
            (params.unwrap().lip, findings.len())
        };
        assert_eq!(
            ["", "1", "yes", "0", "False", "perhaps"].map(lip),
            [(true, 0), (true, 0), (true, 0), (false, 0), (false, 0), (true, 1)]
        );
    }

    #[test]
    fn two_devices_at_one_lun_are_found_in_every_combination() {
        let conflict = |first: &str, second: &str| {
            let device = |name: &str, export: &str| format!("handler=vdisk_nullio,virtname={name},export0={export}");
            read(&[("device0", &device("a", first)), ("device9", &device("b", second))]).0.is_none()
        };
        for (first, second) in [("all:1", "all:1"), ("all:1", "esx:1"), ("esx:1", "all:1"), ("esx:8", "ESX:010")] {
            assert!(conflict(first, second), "{first} {second}");
        }
        for (first, second) in [("all:1", "all:2"), ("esx:1", "linux:1"), ("esx:1", "esx:2")] {
            assert!(!conflict(first, second), "{first} {second}");
        }
    }

    #[test]
    fn stop_believes_what_is_well_formed() {
        let environment = env(&[
            ("groupname", "dg"),
            ("tgtdriver", "nonsense"),
            ("device0", "total nonsense"),
            ("device1", "virtname=a,handler=tape,\"virtname=b\""),
            ("device2", "virtname=../../x"),
            ("device3", "virtname=b"),
        ]);
        let stop = Params::for_stop(&environment);
        assert_eq!((stop.group.as_ref().map(GroupName::as_str), stop.driver), (Some("dg"), None));
        let devices = Params::device_names(&environment, &stop.group.unwrap());
        assert_eq!(devices.iter().map(DeviceName::as_str).collect::<Vec<_>>(), ["dg_b"]);
        assert_eq!(Params::for_stop(&env(&[("groupname", "a/b"), ("device0", NULL)])).group, None);
        let other = GroupName::parse("other").unwrap();
        assert_eq!(Params::device_names(&environment, &other), BTreeSet::new());
        assert_eq!(Params::for_stop(&Env::default()), StopParams::default());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_or_lets_a_bad_value_through(
            group in "[a-zA-Z0-9]{1,8}|.{0,10}",
            texts in proptest::collection::vec(
                proptest::collection::vec(
                    "(virtname|handler|filename|export[0-9]{1,3}|read_only|nv_cache|write_through|usn|naa_id|t10devid|dummy|blocksize|x)=(a|b|vdisk_nullio|\
                     vdisk_fileio|/x/y|/..|all:0?[0-9]{1,3}|esx:[0-9]|0|1|3|5000000000000001|[a-z;=:/. \"]{0,6})|.{0,8}", 0..9),
                0..5),
        ) {
            let mut pairs = vec![("OCF_RESKEY_groupname".to_owned(), group), ("OCF_RESKEY_tgtdriver".to_owned(), "iscsi".to_owned())];
            pairs.extend(texts.iter().enumerate().map(|(n, words)| (format!("OCF_RESKEY_device{n}"), words.join(","))));
            let env = Env::from_pairs(pairs);
            Params::for_stop(&env);
            let (params, findings) = Params::parse(&env);
            prop_assert_eq!(params.is_none(), findings.iter().any(|finding| finding.severity == Severity::Error));
            for finding in &findings {
                prop_assert!(!finding.to_string().chars().any(char::is_control));
            }
            let devices = params.map(|params| params.devices).unwrap_or_default();
            for device in &devices {
                prop_assert!(device.name.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
                prop_assert_eq!(device.filename.is_some(), device.handler.has_backing());
                prop_assert!(device.exports.iter().all(|export| export.lun <= 16383));
                prop_assert!(!(device.handler == HandlerName::VdiskFileio && device.read_only && device.nv_cache));
                let through = device.effective_write_through() == Some(true);
                prop_assert!(!(device.handler == HandlerName::VdiskFileio && device.nv_cache && through));
                prop_assert!(!device.exports.is_empty());
            }
            for (place, device) in devices.iter().enumerate() {
                for other in &devices[..place] {
                    prop_assert!(device.name != other.name);
                    prop_assert!(!device.exports.iter().any(|a| other.exports.iter().any(|b| a.overlaps(b))));
                }
            }
        }
    }
}
