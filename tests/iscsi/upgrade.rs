//! Targets that were there before the cluster had them, made by hand or by `scstadmin` from `scst.conf`: found, adopted and converged, with
//! hosts logged in.

use snapbox::str;

use super::{ALPHA, ESX, LAB, call, group, login, nodes, targets};
use crate::fixture::{Cluster, Node, Resource};

/// What somebody has written: `path < text`, below `targets/iscsi`.
fn written(node: &Node, text: &str) {
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (path, data) = line.split_once(" < ").expect("path < text");
        node.write(&format!("targets/iscsi/{path}"), data);
    }
}

/// SCST with its daemon, and the device `disk`.
fn machine(cluster: &Cluster) -> &Node {
    let alpha = cluster.node("alpha");
    for command in ["modprobe scst", "modprobe scst_vdisk", "modprobe iscsi_scst", "iscsi-daemon start"] {
        alpha.control(command);
    }
    std::fs::create_dir_all(alpha.var_lib().join("pr")).expect("a directory can be made");
    alpha.write("handlers/vdisk_nullio/mgmt", "add_device disk dummy=1");
    alpha
}

/// The targets of the sample, without users: the hosts that are logged in have never proved themselves.
fn open_targets() -> Resource {
    targets().without("incoming_users").without("portals")
}

#[test]
fn hosts_of_a_target_made_by_hand_stay_logged_in() {
    let cluster = nodes();
    let alpha = machine(&cluster);
    written(
        alpha,
        &format!(
            "mgmt < add_target {ALPHA}
             {ALPHA}/ini_groups/mgmt < create esx1
             {ALPHA}/ini_groups/esx1/initiators/mgmt < add {ESX}
             {ALPHA}/ini_groups/esx1/luns/mgmt < add disk 7
             {ALPHA}/enabled < 1
             enabled < 1"
        ),
    );
    let session = login(alpha, &format!("{ALPHA} {ESX}")).unwrap();
    // Its number is not that of this node: the target is disabled for a moment, which sessions do not mind.
    let started = alpha.run(&open_targets(), "start").exit(0);
    let writes = started.written();
    for wanted in ["enabled < 0", "rel_tgt_id < 101", "enabled < 1"] {
        assert!(writes.iter().any(|write| write.ends_with(wanted)), "{wanted}: {writes:#?}");
    }
    assert!(!writes.iter().any(|write| write.contains("force_close") || write.contains("_target ")), "{writes:#?}");
    alpha.tree().eq(str![[r#"
modules iscsi_scst scst scst_vdisk
port iscsi/iqn.2026-01.org.example:alpha enabled=1 rel_tgt_id=101 NopInInterval=10 QueuedCommands=64
  group esx1 io_grouping_type=101
    initiator iqn.1998-01.com.vmware:esx1-4c5d
    lun 7 disk
  group lab io_grouping_type=102
    initiator iqn.1993-08.org.debian:01:*
  session iqn.1998-01.com.vmware:esx1-4c5d in group esx1
device disk vdisk_nullio dummy=1

"#]]);
    assert!(alpha.exists(&format!("targets/iscsi/{ALPHA}/sessions/{session}")));
    alpha.run(&open_targets(), "start").exit(0).writes(0);
    alpha.run(&open_targets(), "monitor").exit(0);
    // The device group takes its place beside what is there; a LUN that is not its own stays.
    cluster.transition(&group()).start(&["alpha"]).promote(&["alpha"]).carry_out();
    assert!(alpha.exists(&format!("targets/iscsi/{ALPHA}/ini_groups/esx1/luns/0")));
    assert!(alpha.exists(&format!("targets/iscsi/{ALPHA}/ini_groups/esx1/luns/7")));
    alpha.run(&group(), "stop").exit(0);
    // Somebody else made it: it stays, disabled, and the groups that the configuration names are gone.
    alpha.run(&open_targets(), "stop").exit(0);
    assert_eq!(alpha.read(&format!("targets/iscsi/{ALPHA}/enabled")), "0");
    assert_eq!(alpha.tree().lines("group"), [""; 0]);
    assert_eq!(alpha.tree().lines("session"), [""; 0]);
}

/// What `scstadmin -config` does with
///
/// ```text
/// TARGET_DRIVER iscsi {
///     enabled 1
///     TARGET iqn.2026-01.org.example:alpha {
///         IncomingUser "esx anothersecret1"
///         OutgoingUser "alpha mutualsecret1"
///         allowed_portal 10.0.1.11
///         QueuedCommands 128
///         NopInInterval 0
///         enabled 1
///         rel_tgt_id 1
///         GROUP vmware { LUN 0 disk; INITIATOR iqn.1998-01.com.vmware:* }
///         GROUP lab { LUN 0 disk; INITIATOR iqn.1993-08.org.debian:01:lab7 }
///     }
/// }
/// ```
fn by_scst_conf(node: &Node) {
    written(
        node,
        &format!(
            "mgmt < add_target {ALPHA}
             mgmt < add_target_attribute {ALPHA} IncomingUser esx anothersecret1
             mgmt < add_target_attribute {ALPHA} OutgoingUser alpha mutualsecret1
             mgmt < add_target_attribute {ALPHA} allowed_portal 10.0.1.11
             {ALPHA}/QueuedCommands < 128
             {ALPHA}/NopInInterval < 0
             {ALPHA}/ini_groups/mgmt < create vmware
             {ALPHA}/ini_groups/vmware/luns/mgmt < add disk 0
             {ALPHA}/ini_groups/vmware/initiators/mgmt < add iqn.1998-01.com.vmware:*
             {ALPHA}/ini_groups/mgmt < create lab
             {ALPHA}/ini_groups/lab/luns/mgmt < add disk 0
             {ALPHA}/ini_groups/lab/initiators/mgmt < add {LAB}
             {ALPHA}/rel_tgt_id < 1
             {ALPHA}/enabled < 1
             enabled < 1"
        ),
    );
}

#[test]
fn a_target_of_scst_conf_is_converged_and_its_hosts_stay() {
    let cluster = nodes();
    let alpha = machine(&cluster);
    by_scst_conf(alpha);
    let by = "portal=10.0.1.11 user=esx secret=anothersecret1";
    for host in [ESX, LAB] {
        login(alpha, &format!("{ALPHA} {host} {by}")).unwrap();
    }
    let started = call(alpha, &targets()).run("start").exit(0);
    // A group that the configuration does not name is not ours, and a host of both stays in it.
    started.logged("initiator group vmware of port iqn.2026-01.org.example:alpha, which is not of this resource, matches initiators of esx1");
    alpha.tree().eq(str![[r#"
modules iscsi_scst scst scst_vdisk
port iscsi/iqn.2026-01.org.example:alpha enabled=1 rel_tgt_id=101 IncomingUser=esx *** IncomingUser1=lab *** NopInInterval=10 QueuedCommands=64 allowed_portal1=10.0.1.* allowed_portal2=10.0.2.*
  group esx1 io_grouping_type=101
    initiator iqn.1998-01.com.vmware:esx1-4c5d
  group lab io_grouping_type=102
    initiator iqn.1993-08.org.debian:01:*
    lun 0 disk
  group vmware
    initiator iqn.1998-01.com.vmware:*
    lun 0 disk
  session iqn.1993-08.org.debian:01:lab7 in group lab
  session iqn.1998-01.com.vmware:esx1-4c5d in group vmware
device disk vdisk_nullio dummy=1

"#]]);
    call(alpha, &targets()).run("start").exit(0).writes(0);
    // Once the other group is gone, the host is where it is meant to be, without a new login.
    let initiators = format!("targets/iscsi/{ALPHA}/ini_groups/vmware/initiators/mgmt");
    alpha.write(&initiators, "clear");
    alpha.write(&format!("targets/iscsi/{ALPHA}/ini_groups/mgmt"), "del vmware");
    let tree = alpha.tree();
    let session = |line: &&str| line.contains(ESX) && line.contains("esx1");
    assert!(tree.lines("session").iter().any(session), "{tree:?}");
    let again = call(alpha, &targets()).run("reload").exit(0).writes(0);
    again.not_logged("is not of this resource");
    // From now on a login needs what the configuration says.
    let refused = login(alpha, &format!("{ALPHA} {LAB} {by}")).unwrap_err();
    assert!(refused.contains("exit 24"), "{refused}");
    alpha.run(&targets(), "stop").exit(0);
    assert!(alpha.exists(&format!("targets/iscsi/{ALPHA}")));
}
