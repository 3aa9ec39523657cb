//! Device groups on targets of iSCSI, and what initiators get at each moment.

use std::time::Duration;

use super::{
    ALPHA, BETA, ESX, LAB, SECRET, SHOWN, call, group, login, nodes, port, run, started, target_groups, targets,
};
use crate::fixture::{Fixture, Resource};

#[test]
fn exports_name_groups_with_patterns_and_all_of_them() {
    let alpha = started();
    let all = group()
        .param("device0", "handler=vdisk_nullio,virtname=root,dummy=1,export0=all:0")
        .param("device1", "handler=vdisk_nullio,virtname=lab,dummy=1,export0=LAB:5");
    alpha.run(&all, "start").exit(0);
    alpha.tree().is(&format!(
        "\
modules iscsi_scst scst scst_disk scst_vdisk
{}device vm_lab vdisk_nullio dummy=1 prod_id=SCST
device vm_root vdisk_nullio dummy=1 prod_id=SCST
device group vm
  device vm_lab
  device vm_root
{}",
        port(SHOWN, "    lun 0 vm_root\n", "    lun 0 vm_root\n    lun 5 vm_lab\n"),
        target_groups(["standby", "unavailable"], 201)
    ));
    alpha.run(&all, "start").exit(0).writes(0);
    login(&alpha, &format!("{ALPHA} {LAB} portal=10.0.2.1 user=lab secret=othersecret567")).unwrap();
    assert!(alpha.tree().lines("session")[0].contains("lab"), "{:?}", alpha.tree());
    alpha.run(&all, "stop").exit(0);
}

#[test]
fn a_node_serves_one_group_by_fibre_channel_and_another_by_iscsi() {
    let (here, there) = ("21:00:00:24:ff:60:d0:10", "21:00:00:24:ff:60:d0:20");
    let fixture = Fixture::new().node("alpha", 1).port(here).targetports(&format!("{ALPHA},{here}"));
    let cluster = fixture.node("beta", 2).port(there).targetports(&format!("{there},{BETA}")).up();
    let fc = Resource::targets("scst_fc", "qla2x00t").param("initiators", "esx1=50:01:43:80:03:b0:23:34");
    for node in ["alpha", "beta"] {
        run(cluster.node(node), &fc, "start").exit(0);
        run(cluster.node(node), &targets(), "start").exit(0);
    }
    let by_fc = Resource::device_group("fc", "handler=vdisk_nullio,virtname=root,dummy=1,export0=esx1:0");
    cluster.serve(&group());
    cluster.transition(&by_fc).start(&["alpha", "beta"]).promote(&["beta"]).carry_out();
    cluster.node("alpha").tree().is(&format!(
        "\
modules iscsi_scst qla2x00tgt qla2xxx_scst scst scst_disk scst_vdisk
{}port qla2x00t/21:00:00:24:ff:60:d0:10 enabled=1 rel_tgt_id=102
  group esx1 io_grouping_type=101
    initiator 50:01:43:80:03:b0:23:34
    lun 0 fc_root
device fc_root vdisk_nullio dummy=1 prod_id=SCST
device vm_root vdisk_nullio dummy=1 prod_id=SCST
device group fc
  device fc_root
  target group alpha group_id=1 standby
    local 21:00:00:24:ff:60:d0:10 rel_tgt_id=102
  target group beta group_id=2 active
    remote 21:00:00:24:ff:60:d0:20 rel_tgt_id=201
device group vm
  device vm_root
{}",
        port(SHOWN, "    lun 0 vm_root\n", "    lun 0 vm_root\n"),
        target_groups(["active", "standby"], 202)
    ));
    // What happens to one driver leaves the other alone.
    let alpha = cluster.node("alpha");
    alpha.run(&group(), "stop").exit(0);
    run(alpha, &targets(), "stop").exit(0);
    alpha.run(&by_fc, "start").exit(0).writes(0);
    alpha.run(&fc, "monitor").exit(0);
    alpha.run(&by_fc, "monitor").exit(0);
}

#[test]
fn what_an_initiator_gets_follows_from_the_state_of_the_target() {
    let cluster = nodes();
    let alpha = cluster.node("alpha");
    let to = format!("{ALPHA} {ESX} portal=10.0.1.1 from=10.0.1.50");
    let proved = format!("{to} user=esx secret={SECRET}");
    let code = |words: &str| match login(alpha, words) {
        Ok(_) => "ok".to_owned(),
        Err(text) => text.split("iscsiadm ").nth(1).unwrap_or(&text).split(':').next().unwrap_or_default().to_owned(),
    };
    // No daemon: nobody listens.
    assert_eq!(code(&proved), "exit 8");
    run(alpha, &targets(), "start").exit(0);
    // No LUN for this initiator yet: not found.
    assert_eq!(code(&proved), "exit 19");
    cluster.transition(&group()).start(&["alpha"]).promote(&["alpha"]).carry_out();
    assert_eq!(code(&to), "exit 24");
    assert_eq!(code(&proved), "ok");
    // Disabled: no answer, so it tries again.
    alpha.write(&format!("targets/iscsi/{ALPHA}/enabled"), "0");
    assert_eq!(code(&proved), "exit 11");
    run(alpha, &targets(), "monitor").exit(1).reason_has("is not enabled");
    run(alpha, &targets(), "start").exit(0);
    assert_eq!(code(&proved), "ok");
    alpha.run(&group(), "stop").exit(0);
    run(alpha, &targets(), "stop").exit(0);
    assert_eq!(code(&proved), "exit 19");
    assert!(alpha.mount().unknowns().is_empty());
}

#[test]
fn a_second_resource_of_the_driver_is_refused() {
    let alpha = started();
    let second = targets().called("scst_iscsi2").param("initiators", "other=*");
    call(&alpha, &second)
        .timeout(Duration::from_secs(2))
        .run("start")
        .exit(2)
        .writes(0)
        .reason_has("belongs to resource scst_iscsi on this node");
    run(&alpha, &second, "monitor").exit(7);
    run(&alpha, &second, "stop").exit(0).writes(0);
    run(&alpha, &targets(), "monitor").exit(0);
}
