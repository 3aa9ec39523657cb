//! Properties of the model: whatever is written to whatever file, nothing panics, and the tree stays of one piece.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use scst_sim::model::{Errno, FcPort, FileKind, Host, HostFile, Kind, Limits, Machine, ScstVersion, Written};

const ROOT: &str = "kernel/scst_tgt";

/// A host with a few files of each kind.
struct Files;

impl Host for Files {
    fn file(&self, path: &[u8]) -> Result<HostFile, Errno> {
        let (kind, size) = match path {
            b"/disk/a" | b"/disk/b" => (FileKind::Block, 1 << 24),
            b"/file/a" => (FileKind::Regular, 1 << 20),
            b"/file/odd" => (FileKind::Regular, 1000),
            b"/fifo" => (FileKind::Fifo, 0),
            b"/var/lib/scst/pr" | b"/file" => (FileKind::Dir, 0),
            _ => return Err(Errno::ENOENT),
        };
        let limits = Limits { discard: path == b"/disk/a", ..Limits::PLAIN };
        Ok(HostFile { limits, ..HostFile::plain(kind, size, path) })
    }
}

fn machine(version: ScstVersion) -> Machine {
    let mut machine = Machine::new(version, Box::new(Files));
    for module in ["scst", "scst_vdisk", "scst_disk", "qla2x00tgt", "iscsi-scst"] {
        machine.modprobe(module, "").unwrap();
    }
    machine.plug_scsi_disk("0:0:0:0");
    machine.iscsi_daemon(true).unwrap();
    machine
}

fn write(machine: &mut Machine, path: &str, data: &[u8]) -> Result<usize, Errno> {
    let handle = machine.open(format!("{ROOT}/{path}").as_bytes(), false, true)?;
    match machine.write(&handle, data) {
        Written::Done(result) => result,
        Written::Waiting(_) => Err(Errno::EAGAIN),
    }
}

/// Everything below a directory: path and kind. Directories whose listing the kernel refuses too are left out.
fn walk(machine: &Machine, dir: &[u8], found: &mut BTreeMap<Vec<u8>, Kind>) {
    let entries = match machine.list(dir) {
        Ok(entries) => entries,
        Err(errno) => {
            assert_eq!(errno, Errno::EIO, "{}", String::from_utf8_lossy(dir));
            return;
        }
    };
    assert!(entries.is_sorted_by(|a, b| a.0 < b.0), "order of {}", String::from_utf8_lossy(dir));
    for (name, kind) in entries {
        if name == b"." || name == b".." {
            continue;
        }
        let path = [dir, b"/", &name[..]].concat();
        found.insert(path.clone(), kind);
        if kind == Kind::Dir {
            walk(machine, &path, found);
        }
    }
}

/// Links that lead out of the simulated tree, or that the kernel forgets to remove.
fn may_dangle(path: &[u8]) -> bool {
    let ends = |end: &[u8]| path.ends_with(end);
    ends(b"/host") || ends(b"/scsi_device") || path.windows(15).any(|w| w == b"/target_groups/")
}

fn check(machine: &mut Machine) {
    let mut found = BTreeMap::new();
    walk(machine, b"kernel", &mut found);
    for (path, kind) in &found {
        let shown = String::from_utf8_lossy(path).into_owned();
        let attr = machine.lookup(path).unwrap_or_else(|errno| panic!("lookup of {shown}: {errno}"));
        assert_eq!(attr.kind, *kind, "{shown}");
        match kind {
            Kind::Link => {
                let target = machine.readlink(path).unwrap();
                assert!(target.starts_with(b".."), "{shown}");
                if !may_dangle(path) {
                    machine.list(path).unwrap_or_else(|errno| panic!("{shown} leads nowhere: {errno}"));
                }
            }
            Kind::File if attr.mode & 0o444 != 0 => {
                let handle = machine.open(path, true, false).unwrap();
                match machine.read(&handle) {
                    Ok(_) => {}
                    Err(Errno::EAGAIN) if path.ends_with(b"/last_sysfs_mgmt_res") => {}
                    Err(errno) => panic!("read of {shown}: {errno}"),
                }
            }
            _ => {}
        }
    }
    // Every LUN's device lists it, and every export is a LUN of that device.
    for path in found.keys().filter(|p| p.ends_with(b"/device") && p.windows(6).any(|w| w == b"/luns/")) {
        let device = machine.readlink(path).unwrap();
        let name = device.rsplit(|b| *b == b'/').next().unwrap().to_vec();
        let lun = &path[ROOT.len() + 1..path.len() - "/device".len()];
        let exported = [ROOT.as_bytes(), b"/devices/", &name[..], b"/exported"].concat();
        let links = machine.list(&exported).unwrap();
        let lists_it = links.iter().any(|(link, _)| {
            let target = machine.readlink(&[&exported[..], b"/", &link[..]].concat()).unwrap();
            target.strip_prefix(b"../../../") == Some(lun)
        });
        assert!(lists_it, "{} is not exported", String::from_utf8_lossy(path));
    }
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let names = ["d1", "d2", "g1", "t1", "t2", "a/b", "a!b", "mgmt", "state", "copy_manager_tgt", "0:0:0:0", ".", "*"];
    prop_oneof![
        8 => prop::sample::select(names.to_vec()).prop_map(|n| n.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ]
}

fn word() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "add",
        "del",
        "create",
        "clear",
        "move",
        "replace",
        "replace_no_ua",
        "add_device",
        "del_device",
        "add_target",
        "del_target",
        "add_session",
        "del_session",
        "add_target_attribute",
        "0",
        "1",
        "11",
        "-1",
        "0x10",
        "65536",
        "18446744073709551616",
        "active",
        "standby",
        "nonoptimized",
        "never",
        "auto",
        "filename=/disk/a;",
        "filename=/disk/b; active=0",
        "filename=/file/a",
        "filename=/file/odd",
        "read_only=1",
        "blocksize=4096",
        "size=512",
        "shared",
        "=",
        ";",
        "\n",
        " ",
        "0x5000000000000001",
        "IncomingUser joe pass",
        "/file/a",
    ];
    prop_oneof![
        12 => prop::sample::select(words.to_vec()).prop_map(|w| w.as_bytes().to_vec()),
        5 => name(),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ]
}

/// A likely command, or bytes.
fn command() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => prop::collection::vec(word(), 1..5).prop_map(|words| words.join(&b' ')),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ]
}

/// Which file to write to, as a number to choose among those there are; and what.
fn step() -> impl Strategy<Value = (usize, Vec<u8>)> {
    (any::<usize>(), command())
}

/// Commands that are likely to build something.
const SCAFFOLD: &[(&str, &str)] = &[
    ("handlers/vdisk_nullio/mgmt", "add_device d1"),
    ("handlers/vdisk_blockio/mgmt", "add_device d2 filename=/disk/a"),
    ("targets/qla2x00t/mgmt", "add_target t1"),
    ("targets/iscsi/mgmt", "add_target t2"),
    ("targets/qla2x00t/t1/ini_groups/mgmt", "create g1"),
    ("targets/qla2x00t/t1/ini_groups/g1/initiators/mgmt", "add *"),
    ("targets/qla2x00t/t1/ini_groups/g1/luns/mgmt", "add d1 0"),
    ("targets/qla2x00t/t1/luns/mgmt", "add d2 1"),
    ("targets/qla2x00t/mgmt", "add_session t1 host"),
    ("device_groups/mgmt", "create g1"),
    ("device_groups/g1/devices/mgmt", "add d2"),
    ("device_groups/g1/target_groups/mgmt", "create g1"),
    ("device_groups/g1/target_groups/mgmt", "create g2"),
    ("device_groups/g1/target_groups/g1/mgmt", "add t1"),
    ("device_groups/g1/target_groups/g1/mgmt", "add far"),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_write_panics_and_the_tree_stays_whole(
        newer in any::<bool>(),
        scaffold in any::<bool>(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut machine = machine(if newer { ScstVersion::V3_11 } else { ScstVersion::V3_7 });
        if scaffold {
            for (path, data) in SCAFFOLD {
                write(&mut machine, path, data.as_bytes()).unwrap();
            }
        }
        for (choice, data) in steps {
            let mut found = BTreeMap::new();
            walk(&machine, ROOT.as_bytes(), &mut found);
            let writable: Vec<_> = found.keys().filter(|p| machine.open(p, false, true).is_ok()).collect();
            // Commands do more than values, so they are chosen more often.
            let mgmt: Vec<_> = writable.iter().copied().filter(|p| p.ends_with(b"/mgmt")).collect();
            let path = if choice % 3 == 0 { writable[choice % writable.len()] } else { mgmt[choice % mgmt.len()] };
            let handle = machine.open(path, false, true).unwrap();
            let _answer = machine.write(&handle, &data);
            machine.advance(machine.now() + Duration::from_secs(1));
            // A kernel that is stuck for good has nothing more to tell.
            if machine.next_event().is_some() {
                machine.advance(machine.now() + Duration::from_secs(200));
            }
        }
        check(&mut machine);
    }

    #[test]
    fn no_path_panics(path in prop::collection::vec(any::<u8>(), 0..60)) {
        let mut machine = machine(ScstVersion::V3_11);
        let paths = [path.clone(), [ROOT.as_bytes(), b"/", &path[..]].concat()];
        for path in paths {
            let _attr = machine.lookup(&path);
            let _entries = machine.list(&path);
            let _target = machine.readlink(&path);
            if let Ok(handle) = machine.open(&path, true, false) {
                let _content = machine.read(&handle);
            }
        }
    }
}

#[test]
fn what_is_loaded_can_be_unloaded_with_everything_in_place() {
    for version in [ScstVersion::V3_7, ScstVersion::V3_11] {
        let mut machine = machine(version);
        for (path, data) in SCAFFOLD {
            write(&mut machine, path, data.as_bytes()).unwrap();
        }
        check(&mut machine);
        assert_eq!(machine.rmmod("scst"), Err(Errno::EBUSY));
        assert_eq!(machine.rmmod("iscsi_scst"), Err(Errno::EBUSY), "its daemon holds it");
        machine.iscsi_daemon(false).unwrap();
        for module in ["scst_vdisk", "iscsi_scst", "qla2x00tgt", "scst_disk"] {
            machine.rmmod(module).unwrap();
            check(&mut machine);
        }
        machine.rmmod("scst").unwrap();
        assert_eq!(machine.lookup(ROOT.as_bytes()), Err(Errno::ENOENT));
        assert!(machine.unknowns().is_empty());
    }
}

#[test]
fn hardware_ports_come_and_go_with_the_hba() {
    let mut machine = Machine::new(ScstVersion::V3_11, Box::new(Files));
    let port = FcPort {
        host: 3,
        wwpn: "50:01:43:80:00:00:00:01".into(),
        wwnn: "50:01:43:80:00:00:00:00".into(),
        state: "Online".into(),
        speed: "16 Gbit".into(),
        target_capable: true,
        gen32: false,
    };
    machine.plug(port.clone());
    machine.modprobe("qla2x00tgt", "").unwrap();
    let names = |machine: &Machine, path: &str| -> Vec<String> {
        let entries = machine.list(path.as_bytes()).unwrap_or_default();
        entries.into_iter().map(|(name, _)| String::from_utf8(name).unwrap()).collect()
    };
    assert_eq!(
        names(&machine, "kernel/scst_tgt/targets/qla2x00t"),
        ["50:01:43:80:00:00:00:01", "trace_level", "version"]
    );
    let target = "kernel/scst_tgt/targets/qla2x00t/50:01:43:80:00:00:00:01";
    assert_eq!(machine.readlink(format!("{target}/host").as_bytes()).unwrap(), b"../../../../../class/fc_host/host3");
    let read = |machine: &mut Machine, path: &str| {
        let handle = machine.open(path.as_bytes(), true, false)?;
        machine.read(&handle).map(|content| String::from_utf8(content).unwrap())
    };
    assert_eq!(read(&mut machine, &format!("{target}/host/port_name")).unwrap(), "0x5001438000000001\n");
    assert_eq!(read(&mut machine, "module/qla2xxx_scst/parameters/qlini_mode").unwrap(), "exclusive\n");

    assert_eq!(machine.login("qla2x00t", &port.wwpn, "21:00"), Err(Errno::ECONNREFUSED), "a disabled port is silent");
    let enabled = "targets/qla2x00t/50:01:43:80:00:00:00:01/enabled";
    assert_eq!(write(&mut machine, enabled, b"1\n"), Ok(2));
    assert_eq!(machine.login("qla2x00t", &port.wwpn, "21:00").unwrap(), "21:00");
    assert_eq!(write(&mut machine, enabled, b"0\n"), Ok(2));
    assert!(names(&machine, &format!("{target}/sessions")).is_empty(), "disabling drops initiators");

    let lip = machine.open(b"class/fc_host/host3/issue_lip", false, true).unwrap();
    assert_eq!(machine.write(&lip, b"1\n"), Written::Done(Ok(2)));
    assert_eq!(machine.lips(3), 1);

    machine.unplug(&port.wwpn);
    assert_eq!(machine.lookup(target.as_bytes()), Err(Errno::ENOENT));
    machine.plug(FcPort { gen32: true, ..port });
    assert_eq!(write(&mut machine, enabled, b"1\n"), Ok(2));
    assert_eq!(write(&mut machine, enabled, b"1\n"), Err(Errno::EINVAL), "the newer driver refuses to do it twice");
    assert_eq!(
        read(&mut machine, &format!("{target}/rel_tgt_id")).unwrap(),
        "2\n[key]\n",
        "the counter never goes back"
    );
}
