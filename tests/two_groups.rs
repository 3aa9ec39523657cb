//! Two device groups promoted on different nodes, on the same ports.

use crate::fixture::sample;
use crate::fixture::{Resource, eventually};

fn group(name: &str, lun: u32) -> Resource {
    let device = format!("handler=vdisk_nullio,virtname=disk,export0=all:{lun}");
    Resource::group(&format!("scst_dg_{name}"))
        .param("groupname", name)
        .param("tgtdriver", "qla2x00t")
        .param("device0", &device)
}

#[test]
fn each_is_promoted_where_it_should_be_and_neither_disturbs_the_other() {
    let cluster = sample::with_ports();
    let (ssd, sata) = (group("ssd", 1), group("sata", 2));
    cluster.transition(&ssd).start(&["alpha", "beta"]).promote(&["alpha"]).carry_out();
    cluster.transition(&sata).start(&["alpha", "beta"]).promote(&["beta"]).carry_out();
    cluster.node("alpha").tree().is(&format!(
        "\
modules qla2x00tgt qla2xxx_scst scst scst_disk scst_vdisk
{}device sata_disk vdisk_nullio prod_id=SCST
device ssd_disk vdisk_nullio prod_id=SCST
device group sata
  device sata_disk
{}device group ssd
  device ssd_disk
{}",
        sample::port_lines("alpha", &sample::initiator_group("alpha", "    lun 1 ssd_disk\n    lun 2 sata_disk\n")),
        sample::target_groups("alpha", ["standby", "active"]),
        sample::target_groups("alpha", ["active", "standby"])
    ));
    let states = |node: &str| {
        let node = cluster.node(node);
        [("ssd", "alpha"), ("ssd", "beta"), ("sata", "alpha"), ("sata", "beta")]
            .map(|(group, of)| node.state(group, of))
    };
    assert_eq!(states("alpha"), ["active", "standby", "standby", "active"]);
    assert_eq!(states("beta"), states("alpha"));
    for (resource, node, code) in [(&ssd, "alpha", 8), (&ssd, "beta", 0), (&sata, "alpha", 0), (&sata, "beta", 8)] {
        cluster.node(node).run(resource, "monitor").exit(code);
    }
    cluster.transition(&ssd).demote(&["alpha"]).promote(&["beta"]).carry_out();
    assert_eq!(states("alpha"), ["standby", "active", "standby", "active"]);
    // One goes, the other stays as it is.
    let beta = cluster.node("beta");
    let before: Vec<String> = beta.tree().lines("lun 2").iter().map(|line| (*line).to_owned()).collect();
    cluster.transition(&ssd).demote(&["beta"]).stop(&["alpha", "beta"]).carry_out();
    assert_eq!(beta.tree().lines("lun"), before);
    assert_eq!(
        beta.tree().lines("device"),
        ["device sata_disk vdisk_nullio prod_id=SCST", "device group sata", "device sata_disk"]
    );
    assert_eq!(beta.state("sata", "beta"), "active");
}

#[test]
fn two_groups_start_at_the_same_moment() {
    let alpha = sample::with_ports().into_node("alpha");
    let groups: Vec<Resource> = (1..5).map(|n| group(&format!("g{n}"), n)).collect();
    let running: Vec<_> = groups.iter().map(|group| alpha.call(group).begin("start")).collect();
    for start in running {
        start.wait().exit(0);
    }
    for group in &groups {
        alpha.run(group, "start").exit(0).writes(0);
        alpha.run(group, "monitor").exit(0);
    }
}

#[test]
fn a_slow_device_of_one_group_does_not_hold_up_the_promotion_of_another() {
    let alpha = sample::with_ports().into_node("alpha");
    let (slow, other) = (group("slow", 1), group("other", 2));
    alpha.run(&other, "start").exit(0);
    alpha.control("fault op=write path=**/devices/slow_disk/prod_id action=hang");
    let start = alpha.call(&slow).begin("start");
    eventually("the start waits", || alpha.mount().waiting() == 1);
    alpha.run(&other, "promote").exit(0).within(std::time::Duration::from_secs(2));
    alpha.control("release");
    start.wait().exit(0);
}

#[test]
fn actions_on_one_group_wait_for_each_other() {
    let alpha = sample::with_ports().into_node("alpha");
    let one = group("one", 1);
    alpha.control("fault op=write path=**/devices/one_disk/prod_id action=hang");
    let start = alpha.call(&one).begin("start");
    eventually("the start waits", || alpha.mount().waiting() == 1);
    let limit = std::time::Duration::from_secs(1);
    alpha.call(&one).timeout(limit).run("demote").exit(1).reason_has("another action").within(limit);
    alpha.control("release");
    start.wait().exit(0);
    alpha.run(&one, "stop").exit(0);
}
