//! The drivers beside iSCSI: targets that appear with their hardware, and those of the machine itself.

use snapbox::str;

use crate::fixture::{Cluster, Fixture, Resource};

const GID: &str = "fe80:0000:0000:0000:0002:c903:000f:2a1b";
const GUID: &str = "0002:c903:0005:f34f";

/// One node whose list is `targets`; of `hardware` the driver's targets are there.
fn node(targets: &str, driver: &str, hardware: &[&str]) -> Cluster {
    let cluster = Fixture::new().node("alpha", 1).targetports(targets).up();
    let alpha = cluster.node("alpha");
    alpha.control(&format!("modprobe {driver}"));
    for target in hardware {
        alpha.control(&format!("plug-target {driver} {target}"));
    }
    cluster
}

/// What every driver has: a start that the second one finds done, a monitor, a reload that adds a group and takes one away, a stop.
fn brought_up_and_down(cluster: &Cluster, resource: &Resource, initiators: &str) {
    let alpha = cluster.node("alpha");
    alpha.run(resource, "monitor").exit(7).programs(0).writes(0);
    alpha.run(resource, "validate-all").exit(0);
    alpha.call(resource).level(10).run("validate-all").exit(0);
    alpha.run(resource, "start").exit(0);
    alpha.run(resource, "start").exit(0).writes(0);
    alpha.run(resource, "monitor").exit(0).programs(0).writes(0);
    alpha.thorough(resource).exit(0).writes(0);
    let changed = resource.param("initiators", initiators);
    alpha.run(&changed, "reload").exit(0);
    alpha.run(&changed, "reload").exit(0).writes(0);
    alpha.thorough(&changed).exit(0);
    alpha.run(resource, "reload").exit(0);
}

/// What this driver does not have is refused by name, everywhere and before anything is written.
fn refuses(cluster: &Cluster, resource: &Resource, parameters: &[(&str, &str)]) {
    let alpha = cluster.node("alpha");
    for (name, value) in parameters {
        let wrong = resource.param(name, value);
        alpha.run(&wrong, "validate-all").exit(6).reason_has(name);
        alpha.run(&wrong, "start").exit(6).reason_has(name).writes(0);
        alpha.run(&wrong, "reload").kept().reason_has(name);
    }
    alpha.run(resource, "monitor").exit(0);
}

const OF_ISCSI: [(&str, &str); 9] = [
    ("portals", "10.0.0.1"),
    ("incoming_users", "a longsecret1234"),
    ("outgoing_user", "a longsecret1234"),
    ("alias", "x"),
    ("daemon", "/usr/sbin/iscsi-scstd"),
    ("daemon", "none"),
    ("attributes", "QueuedCommands=64"),
    ("attributes", "MaxSessions=1"),
    ("attributes", "enabled=1"),
];

#[test]
fn targets_of_srp_appear_with_their_hardware_and_stay() {
    let cluster = node(GID, "ib_srpt", &[GID]);
    let alpha = cluster.node("alpha");
    let resource = Resource::targets("srp", "ib_srpt").param("initiators", &format!("host={GUID};lab=0002:c903:*"));
    brought_up_and_down(&cluster, &resource, &format!("host={GUID};other={GID}"));
    alpha.tree().eq(str![[r#"
modules ib_srpt scst
port ib_srpt/fe80:0000:0000:0000:0002:c903:000f:2a1b enabled=1 rel_tgt_id=101
  group host io_grouping_type=101
    initiator 0002:c903:0005:f34f
  group lab io_grouping_type=102
    initiator 0002:c903:*

"#]]);
    refuses(&cluster, &resource, &OF_ISCSI);
    alpha.run(&resource.param("initiators", "host=iqn.2020-01.org.example:a"), "validate-all").exit(6);
    alpha.run(&resource, "stop").exit(0);
    alpha.tree().eq(str![[r#"
modules ib_srpt scst
port ib_srpt/fe80:0000:0000:0000:0002:c903:000f:2a1b enabled=0 rel_tgt_id=101

"#]]);
    alpha.run(&resource, "monitor").exit(7);
    alpha.run(&resource, "stop").exit(0).writes(0);
}

#[test]
fn targets_of_fcoe_are_used_as_found() {
    let wwpn = "20:00:00:1b:21:3f:a1:00";
    let cluster = node(wwpn, "fcst", &[wwpn]);
    let alpha = cluster.node("alpha");
    let resource = Resource::targets("fcoe", "fcst").param("initiators", "host=20:00:00:1b:21:00:00:01");
    // What is listed is right, and nothing is added to it.
    let discovered = alpha.tool("discover --driver fcst").go().code_is(0);
    assert!(discovered.stdout().contains(&format!("should be  \"{wwpn}\"")), "{discovered:?}");
    brought_up_and_down(&cluster, &resource, "host=20:00:00:1b:21:00:00:02;more=*");
    alpha.tree().eq(str![[r#"
modules fcst scst
port fcst/20:00:00:1b:21:3f:a1:00 enabled=1 rel_tgt_id=101
  group host io_grouping_type=101
    initiator 20:00:00:1b:21:00:00:01

"#]]);
    refuses(&cluster, &resource, &OF_ISCSI);
    alpha.run(&resource, "stop").exit(0);
    assert_eq!(alpha.tree().lines("port"), [format!("port fcst/{wwpn} enabled=0 rel_tgt_id=101")]);
}

#[test]
fn targets_of_the_machine_itself_are_made_and_deleted_and_always_on() {
    let cluster = node("local1, local2", "scst_local", &[]);
    let alpha = cluster.node("alpha");
    let resource =
        Resource::targets("local", "scst_local").param("initiators", "host=*").param("attributes", "comment=lab");
    brought_up_and_down(&cluster, &resource, "host=a;more=b?");
    alpha.tree().eq(str![[r#"
modules scst scst_local
port scst_local/local1 rel_tgt_id=101 comment=lab
  group host io_grouping_type=101
    initiator *
port scst_local/local2 rel_tgt_id=102 comment=lab
  group host io_grouping_type=101
    initiator *

"#]]);
    refuses(&cluster, &resource, &OF_ISCSI);
    alpha.run(&resource.clone().param("attributes", "comment="), "reload").exit(0);
    assert_eq!(alpha.read("targets/scst_local/local1/comment"), "");
    alpha.run(&resource, "stop").exit(0);
    assert_eq!(alpha.tree().lines("port"), [""; 0]);
}

#[test]
fn hardware_that_is_not_there_is_named_by_every_driver_that_needs_it() {
    for (driver, target, other, initiators) in [
        ("ib_srpt", GID, "0002:c903:000f:2a1c", format!("host={GUID}")),
        ("fcst", "fcoe1", "fcoe2", "host=a".to_owned()),
    ] {
        let alpha = node(&format!("{target},{other}"), driver, &[other]).into_node("alpha");
        let resource = Resource::targets("hw", driver).param("initiators", &initiators);
        alpha.call(&resource).level(10).run("validate-all").exit(5).reason_has(target);
        alpha.run(&resource, "start").exit(5).reason_has(target).writes(0);
        let rest = resource.param("missing_ports", "warn");
        alpha.run(&rest, "start").exit(0).logged(target);
        // It keeps its place in the numbering.
        assert_eq!(alpha.read(&format!("targets/{driver}/{other}/rel_tgt_id")), "102");
        alpha.run(&rest, "monitor").exit(0).logged(target);
        alpha.run(&rest, "stop").exit(0);
    }
}

#[test]
fn a_module_that_is_not_installed_is_named_before_anything_is_started() {
    let cluster = Fixture::new().node("alpha", 1).targetports("iqn.2026-01.org.example:alpha").up();
    let alpha = cluster.node("alpha");
    let resource = Resource::targets("t", "iscsi").param("initiators", "all=*");
    alpha.call(&resource).level(10).run("validate-all").exit(0).writes(0);
    // A directory of commands whose modprobe finds nothing.
    let tools = cluster.dir().join("no-modules");
    std::fs::create_dir_all(&tools).unwrap();
    let modprobe = tools.join("modprobe");
    std::fs::write(&modprobe, "#!/bin/sh\necho \"modprobe: FATAL: Module $2 not found\" >&2\nexit 1\n").unwrap();
    std::fs::set_permissions(&modprobe, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let call = alpha.call(&resource).level(10).env("HA_SBIN_DIR", tools.to_str().unwrap());
    call.run("validate-all").exit(5).reason_has("module scst could not be found");
}
