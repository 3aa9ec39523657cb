//! The state as text.

use scst_sim::tree::snapshot;
use snapbox::{assert_data_eq, str};

use crate::fixture::{BARE, Fixture, PORT};

/// A port with a group and a session, devices, a device group on two nodes.
fn configured() -> Fixture {
    let fixture = Fixture::of(&format!(
        "{BARE}
[[write]]
path = \"kernel/scst_tgt/{PORT}/rel_tgt_id\"
data = \"101\"

[[write]]
path = \"kernel/scst_tgt/{PORT}/enabled\"
data = \"1\"

[[session]]
driver = \"qla2x00t\"
target = \"21:00:00:24:ff:60:d0:10\"
initiator = \"50:01:43:80:03:b0:23:34\"
"
    ));
    for (path, data) in [
        ("handlers/vdisk_nullio/mgmt", "add_device d1 read_only=1"),
        ("handlers/vdisk_nullio/mgmt", "add_device d2"),
        ("devices/d2/prod_id", "SCST"),
        ("devices/d2/block", "11"),
        (&format!("{PORT}/luns/mgmt"), "add d2 10"),
        (&format!("{PORT}/luns/mgmt"), "add d1 9"),
        (&format!("{PORT}/ini_groups/mgmt"), "create esx"),
        (&format!("{PORT}/ini_groups/esx/io_grouping_type"), "101"),
        (&format!("{PORT}/ini_groups/esx/initiators/mgmt"), "add 50:01:43:80:03:b0:23:34"),
        (&format!("{PORT}/ini_groups/esx/luns/mgmt"), "add d2 0 read_only=1"),
        ("device_groups/mgmt", "create dg"),
        ("device_groups/dg/devices/mgmt", "add d2"),
        ("device_groups/dg/target_groups/mgmt", "create alpha"),
        ("device_groups/dg/target_groups/alpha/group_id", "1"),
        ("device_groups/dg/target_groups/alpha/preferred", "1"),
        ("device_groups/dg/target_groups/alpha/mgmt", "add 21:00:00:24:ff:60:d0:10"),
        ("device_groups/dg/target_groups/mgmt", "create beta"),
        ("device_groups/dg/target_groups/beta/mgmt", "add 21:00:00:1b:32:0b:52:75"),
        ("device_groups/dg/target_groups/beta/21:00:00:1b:32:0b:52:75/rel_tgt_id", "201"),
        ("device_groups/dg/target_groups/beta/state", "standby"),
    ] {
        fixture.write(path, data).unwrap_or_else(|error| panic!("{path} {data:?}: {error}"));
    }
    fixture
}

#[test]
fn the_whole_state_in_a_few_lines() {
    assert_data_eq!(
        configured().mount.snapshot().unwrap(),
        str![[r"
modules qla2x00tgt qla2xxx_scst scst scst_disk scst_vdisk
port qla2x00t/21:00:00:24:ff:60:d0:10 enabled=1 rel_tgt_id=101
  lun 9 d1 ro
  lun 10 d2
  group esx io_grouping_type=101
    initiator 50:01:43:80:03:b0:23:34
    lun 0 d2 ro
  session 50:01:43:80:03:b0:23:34 in group esx
port qla2x00t/21:00:00:24:ff:60:d0:11 enabled=0 rel_tgt_id=0
device d1 vdisk_nullio read_only=1
device d2 vdisk_nullio block=1/0 prod_id=SCST
device group dg
  device d2
  target group alpha group_id=1 active preferred
    local 21:00:00:24:ff:60:d0:10 rel_tgt_id=101
  target group beta group_id=0 standby
    remote 21:00:00:1b:32:0b:52:75 rel_tgt_id=201

"]]
    );
}

#[test]
fn from_outside_it_looks_the_same_as_from_inside() {
    let fixture = configured();
    assert_eq!(snapshot(fixture.mount.dir()).unwrap(), fixture.mount.snapshot().unwrap());
}

#[test]
fn looking_from_inside_leaves_no_trace() {
    let fixture = configured();
    fixture.mount.reset_counters();
    fixture.mount.snapshot().unwrap();
    std::fs::read_to_string(fixture.mount.dir().join(".sim/tree")).unwrap();
    let total = fixture.mount.counters().total;
    assert_eq!((total.opens, total.reads, total.lists), (0, 0, 0));
    snapshot(fixture.mount.dir()).unwrap();
    assert!(fixture.mount.counters().total.reads > 0);
}

#[test]
fn a_machine_without_scst_is_a_snapshot_too() {
    let fixture = Fixture::of("");
    assert_eq!(fixture.mount.snapshot().unwrap(), "no SCST\n");
    assert_eq!(snapshot(fixture.mount.dir()).unwrap(), "no SCST\n");
    assert!(snapshot(std::path::Path::new("/nowhere")).is_err());
}

#[test]
fn both_releases_can_be_drawn() {
    let fixture = Fixture::of(&format!("scst = \"3.7\"\n{BARE}"));
    fixture.write("handlers/vdisk_nullio/mgmt", "add_device d1").unwrap();
    assert!(fixture.mount.snapshot().unwrap().contains("\ndevice d1 vdisk_nullio"));
}
