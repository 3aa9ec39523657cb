//! Two device groups promoted on different nodes, on the same ports.

use crate::fixture::sample;
use crate::together::named;

#[test]
fn each_is_promoted_where_it_should_be_and_neither_disturbs_the_other() {
    let cluster = sample::with_ports();
    let (ssd, sata) = (named("ssd", 1), named("sata", 2));
    cluster.serve(&ssd);
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
