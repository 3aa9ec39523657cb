//! SCST 3.7: what it lacks is not missed, and everything an agent does is the same.

use scst_sim::model::ScstVersion;

use crate::fixture::sample::{self, group, ports};
use crate::fixture::{Cluster, Resource, eventually};

fn older() -> Cluster {
    sample::with_ports_of(ScstVersion::V3_7)
}

/// One device of each handler.
fn devices(cluster: &Cluster) -> Resource {
    let disk = cluster.disk("disk", 1 << 20);
    let [file, read_only] = ["file", "read_only"].map(|name| cluster.file(name, 1 << 20));
    let devices = [
        format!("filename={},virtname=block,is_ssd=1,t10devid=block_id,export0=all:1", disk.display()),
        format!(
            "handler=vdisk_fileio,filename={},virtname=file,export0=all:2,usn=serial,naa_id=5000000000000001",
            file.display()
        ),
        format!("handler=vdisk_fileio,filename={},virtname=ro,read_only=1,export0=all:3", read_only.display()),
    ];
    devices.iter().zip(1..).fold(group(), |group, (device, n)| group.param(&format!("device{n}"), device))
}

#[test]
fn a_whole_life_of_every_kind_of_device() {
    let cluster = older();
    let group = devices(&cluster);
    cluster.serve(&group);
    let alpha = cluster.node("alpha");
    assert_eq!(alpha.read("devices/dummy_block/t10_dev_id"), "block_id");
    assert_eq!(alpha.read("devices/dummy_file/write_through"), "1");
    alpha.run(&group, "promote").exit(0).writes(0);
    alpha.has_nothing_to_do(&group, 8);
    alpha.run(&group.param("device4", "handler=vdisk_nullio,virtname=new,export0=all:4"), "reload").exit(0);
    alpha.run(&group, "reload").exit(0);
    cluster.switchover(&group).carry_out();
    assert_eq!(alpha.tree().lines("device"), [""; 0]);
    let beta = cluster.node("beta");
    assert_eq!(
        (beta.state("dummy", "alpha").as_str(), beta.state("dummy", "beta").as_str()),
        ("unavailable", "active")
    );
    cluster.start(&group, &["alpha"]);
    cluster.transition(&group).demote(&["beta"]).stop(&["alpha", "beta"]).carry_out();
    cluster.transition(&ports()).stop(&["alpha", "beta"]).carry_out();
    for node in [alpha, beta] {
        assert_eq!(node.tree().lines("device"), [""; 0]);
        assert_eq!(node.tree().lines("group"), [""; 0]);
        assert!(node.mount().unknowns().is_empty(), "{:?}", node.mount().unknowns());
    }
}

#[test]
fn the_snapshot_is_that_of_the_newer_one_but_for_what_only_it_has() {
    let cluster = older();
    cluster.serve(&group());
    cluster.node("alpha").tree().is(&sample::tree("alpha", ["active", "standby"]));
}

#[test]
fn a_drain_works_as_on_the_newer_one() {
    let (alpha, io) = sample::busy_on(ScstVersion::V3_7);
    let demote = alpha.call(&group()).begin("demote");
    eventually("the device is blocked", || alpha.read(sample::BLOCK) == "1 1");
    sample::finish(&alpha, &io);
    demote.wait().exit(0);
    assert_eq!(alpha.state("dummy", "alpha"), "standby");
}
