//! Bad input: the exit code, one line of reason with the object first, and nothing written.

use crate::fixture::sample::{self, ALPHA, HOST, group, null, ports};
use crate::fixture::{Fixture, Node, Resource};

/// Start and validate-all refuse the configuration on every node for this reason, and write nothing.
#[track_caller]
fn refused(node: &Node, resource: &Resource, reason: &str) {
    node.run(resource, "start").exit(6).reason(reason).writes(0);
    node.run(resource, "validate-all").exit(6).reason_has(reason.split(':').next().unwrap()).writes(0).programs(0);
}

/// Start goes on without it and says so; validate-all fails on it, naming the same.
#[track_caller]
fn left_out(node: &Node, resource: &Resource, finding: &str) {
    node.call(resource).dry_run().run("start").exit(0).logged(finding);
    node.run(resource, "validate-all").exit(6).reason(finding).writes(0);
}

#[test]
fn initiators_that_leave_no_group() {
    let alpha = sample::nodes().up().into_node("alpha");
    refused(&alpha, &ports().without("initiators"), "initiators: is required and not set");
    refused(&alpha, &ports().param("initiators", ""), "initiators: is required and not set");
    refused(&alpha, &ports().param("initiators", "  "), "initiators: is required and not set");
    for nothing in ["nonsense", ";", "=50:01:43:80:03:b0:23:34", "a/b=50:01:43:80:03:b0:23:34"] {
        let resource = ports().param("initiators", nothing);
        alpha.run(&resource, "start").exit(6).reason_has("initiators").writes(0);
        alpha.run(&resource, "validate-all").exit(6).reason_has("initiators").writes(0);
    }
    assert_eq!(alpha.tree().lines(""), ["no SCST"]);
}

#[test]
fn initiators_of_which_some_can_be_used() {
    let alpha = sample::nodes().up().into_node("alpha");
    for (more, named) in [
        ("bad/name=50:01:43:80:03:b0:23:40", "bad/name"),
        ("esx1=50:01:43:80:03:b0:23:40;esx1=50:01:43:80:03:b0:23:41", "esx1"),
        ("esx1=50:01:43:80:03:b0:23", "50:01:43:80:03:b0:23"),
        ("esx1=nonsense", "nonsense"),
        ("esx1=", "esx1"),
    ] {
        let resource = ports().param("initiators", &format!("good={};{more}", HOST[0]));
        alpha.call(&resource).dry_run().run("start").exit(0).logged(named);
        alpha.run(&resource, "validate-all").exit(6).reason_has(named).writes(0);
    }
    // A group whose initiators are all bad is created all the same; a repeated one is what it was first.
    let resource =
        ports().param("initiators", "empty=nonsense;esx1=50:01:43:80:03:b0:23:40;ESX1=50:01:43:80:03:b0:23:41");
    alpha.run(&resource, "start").exit(0);
    assert_eq!(
        alpha.tree().lines("")[1..6],
        [
            "port qla2x00t/21:00:00:24:ff:60:d0:10 enabled=1 rel_tgt_id=101",
            "group empty io_grouping_type=101",
            "group esx1 io_grouping_type=102",
            "initiator 50:01:43:80:03:b0:23:40",
            "port qla2x00t/21:00:00:24:ff:60:d0:11 enabled=1 rel_tgt_id=102",
        ]
    );
}

#[test]
fn initiators_are_read_in_every_way_people_write_them() {
    let alpha = sample::nodes().up().into_node("alpha");
    for text in [
        "esx1=50:01:43:80:03:b0:23:34,50:01:43:80:03:b0:23:36;esx2=50:01:43:80:03:b0:23:40",
        "ESX1=50:01:43:80:03:B0:23:34, 50:01:43:80:03:b0:23:36 esx2=50:01:43:80:03:b0:23:40",
        "\n esx1=50:01:43:80:03:b0:23:34,50:01:43:80:03:b0:23:36 ;\n esx2=50:01:43:80:03:b0:23:40;\n",
    ] {
        let resource = ports().param("initiators", text);
        alpha.run(&resource, "validate-all").exit(0);
        alpha.run(&resource, "start").exit(0);
        assert_eq!(
            alpha.tree().lines("group"),
            ["group esx1 io_grouping_type=101", "group esx2 io_grouping_type=102"].repeat(2)
        );
        assert_eq!(alpha.tree().lines("initiator").len(), 6);
    }
}

#[test]
fn a_hundred_initiator_groups_do_not_fit() {
    let alpha = sample::nodes().up().into_node("alpha");
    let groups = |count: u32| {
        let group = |n: u32| format!("g{n}=50:01:43:80:03:b0:{:02x}:{:02x}", n / 256, n % 256);
        ports().param("initiators", &(0..count).map(group).collect::<Vec<_>>().join(";"))
    };
    alpha.run(&groups(100), "start").exit(2).reason_has("99").writes(0);
    alpha.call(&groups(99)).dry_run().run("start").exit(0);
}

#[test]
fn a_device_group_that_cannot_be_named_or_has_no_driver() {
    let alpha = sample::nodes().up().into_node("alpha");
    for text in [None, Some(""), Some(" ")] {
        let with = |name: &str| match text {
            Some(text) => group().param(name, text),
            None => group().without(name),
        };
        refused(&alpha, &with("groupname"), "groupname: is required and not set");
        refused(&alpha, &with("tgtdriver"), "tgtdriver: is required and not set");
        refused(&alpha, &with("device0"), "device0: is required and not set");
    }
    for name in ["more-than-sixteen", "a_b", "a.b", "a/b", "..", "a b", "a;b", "a=b", "grün"] {
        alpha.run(&group().param("groupname", name), "start").exit(6).reason_has("groupname").writes(0);
        alpha.run(&group().param("groupname", name), "validate-all").exit(6).reason_has("groupname").writes(0);
    }
    for driver in ["qla2xxx", "QLA2X00T", "copy_manager", "../qla2x00t"] {
        alpha.run(&group().param("tgtdriver", driver), "start").exit(6).reason_has("tgtdriver").writes(0);
    }
    assert_eq!(alpha.tree().lines(""), ["no SCST"]);
    assert_eq!(alpha.traces(), [""; 0]);
}

#[test]
fn the_first_device_must_be_right() {
    let alpha = sample::nodes().up().into_node("alpha");
    let ok = "handler=vdisk_nullio,virtname=lu0,export0=all:0";
    for (device, reason) in [
        ("handler=vdisk_nullio,export0=all:0", "device0: virtname: is required and missing"),
        ("handler=vdisk_nullio,virtname=lu0", "device0: export0: is required and missing"),
        ("handler=vdisk_nullio,virtname=lu0,export1=all:0", "device0: export0: is required and missing"),
        ("virtname=lu0,export0=all:0", "device0: filename: is required and missing"),
        ("handler=vdisk_fileio,virtname=lu0,export0=all:0", "device0: filename: is required and missing"),
    ] {
        refused(&alpha, &group().param("device0", device), reason);
    }
    let wrong = "virtname=more-than-thirty-two-characters-x virtname=a/b handler=vcdrom handler=dev_disk handler=nonsense \
                 read_only=yes removable=-1 dummy=x is_ssd=x nv_cache=x t10devid=12345678901234567890123456 \
                 usn=123456789012345678901 naa_id=nonsense naa_id=1000000000000000";
    for wrong in wrong.split(' ') {
        let key = wrong.split('=').next().unwrap();
        let resource = group().param("device0", &format!("{ok},{wrong}"));
        alpha.run(&resource, "start").exit(6).reason_has("device0").reason_has(key).writes(0);
        alpha.run(&resource, "validate-all").exit(6).reason_has("device0").reason_has(key).writes(0);
    }
    let both = "handler=vdisk_fileio,filename=/dev/null,virtname=lu0,export0=all:0,read_only=1,nv_cache=1";
    alpha.run(&group().param("device0", both), "start").exit(6).reason_has("nv_cache");
    for filename in ["relative/path", "/with=equals"] {
        let device = format!("filename={filename},virtname=lu0,export0=all:0");
        alpha.run(&group().param("device0", &device), "start").exit(6).reason_has("filename").writes(0);
    }
}

#[test]
fn a_bad_device_is_left_out_and_validate_all_fails_on_it() {
    let alpha = sample::nodes().up().into_node("alpha");
    let with = |device: &str| group().param("device1", device);
    for (device, finding) in [
        ("handler=vdisk_nullio,export0=all:1", "virtname: is required and missing, device left out"),
        (
            "handler=tape,filename=/dev/null,virtname=a,export0=all:1",
            "handler \"tape\": not one of vdisk_blockio, vdisk_fileio, vdisk_nullio, device left out",
        ),
        (
            "handler=vdisk_nullio,virtname=lu0dummy,export0=all:1",
            "virtname \"dummy_lu0dummy\": device0 has it as well, device left out",
        ),
        (
            "handler=vdisk_nullio,virtname=a,export0=all:010",
            "export0 \"all:010\": the LUN begins with 0 and is read as octal: 8",
        ),
    ] {
        left_out(&alpha, &with(device), &format!("device1: {finding}"));
    }
    for (words, finding) in [
        ("colour=red", "colour \"red\": is no key of a device, ignored"),
        ("word", "word \"word\": is no key=value, ignored"),
        ("removable=2", "removable \"2\": is neither 0 nor 1, taken for 0"),
        ("export1=esx1:x", "export1 \"esx1:x\": the LUN is no number, export left out"),
        ("export1=esx1:16384", "export1 \"esx1:16384\": the LUN is over 16383, export left out"),
        ("t10devid=a.b", "t10devid \"a.b\": holds other characters than letters, digits, - and _; kept"),
    ] {
        left_out(&alpha, &with(&null("a", &format!("export0=all:1,{words}"))), &format!("device1: {finding}"));
    }
    // Every one is named, not only the first.
    let several = with("handler=tape,virtname=a/b,read_only=x");
    let validated = alpha.run(&several, "validate-all").exit(6);
    for key in ["handler", "virtname", "read_only", "export0"] {
        assert!(validated.log().contains(key), "{key}: {}", validated.log());
    }
}

#[test]
fn c7_a_lun_given_twice_is_refused_before_the_first_write() {
    let alpha = sample::with_ports().into_node("alpha");
    for (first, second) in [("all:3", "all:3"), ("all:3", "esx1:3"), ("ESX1:3", "esx1:3"), ("esx1:8", "esx1:010")] {
        let resource = group()
            .param("device0", &format!("handler=vdisk_nullio,virtname=a,export0={first}"))
            .param("device1", &format!("handler=vdisk_nullio,virtname=b,export0={second}"));
        alpha.run(&resource, "start").exit(6).reason_has("device1: export0").writes(0);
        alpha.run(&resource, "validate-all").exit(6).reason_has("device1: export0").writes(0);
    }
}

#[test]
fn f19_missing_backing_stores_are_all_named_and_are_this_nodes_trouble() {
    let cluster = sample::with_ports();
    let alpha = cluster.node("alpha");
    let there = cluster.disk("there", 1 << 20);
    let resource = group()
        .param("device1", "filename=/nowhere/a,virtname=a,export0=all:1")
        .param("device2", &format!("filename={},virtname=b,export0=all:2", there.display()))
        .param("device3", "handler=vdisk_fileio,filename=/nowhere/c,virtname=c,export0=all:3");
    let before = alpha.tree();
    alpha
        .run(&resource, "start")
        .exit(5)
        .reason("backing store does not exist: /nowhere/a of device dummy_a, /nowhere/c of device dummy_c")
        .writes(0);
    assert_eq!(alpha.tree().lines("port"), before.lines("port"));
    // Parameters alone are right; a look at this machine is not.
    alpha.run(&resource, "validate-all").exit(0);
    alpha.call(&resource).level(10).run("validate-all").exit(5).reason_has("/nowhere/a").reason_has("/nowhere/c");
}

#[test]
fn names_of_ports_are_those_of_their_driver() {
    for (driver, listed) in [
        ("iscsi", "21:00:00:24:ff:60:d0:10,iqn.2020-01.org.example:disk"),
        ("iscsi", "no name,naa.5000000000000001"),
        ("ib_srpt", "iqn.2020-01.org.example:disk,fe80:0000:0000:0001"),
        ("ib_srpt", "21:00,fe80:0000:0000:0000:0002:c903:0010:1234"),
        ("scst_local", ",anything.at-all"),
    ] {
        let alpha = Fixture::new().node("alpha", 1).targetports(listed).up().into_node("alpha");
        for module in ["scst", "scst_vdisk", "scst_disk"] {
            alpha.control(&format!("modprobe {module}"));
        }
        // The last one is accepted, and not there.
        let name = listed.rsplit(',').next().unwrap_or_default();
        let resource = group().param("tgtdriver", driver);
        alpha.run(&resource, "start").exit(5).reason_has(name).reason_has("does not exist").writes(0);
    }
}

#[test]
fn a_node_without_target_ports() {
    let cluster =
        Fixture::new().node("alpha", 1).port(ALPHA[0]).without_targetports().node("beta", 2).targetports(" , ").up();
    for node in ["alpha", "beta"] {
        for resource in [ports(), group()] {
            let node = cluster.node(node);
            node.run(&resource, "start").exit(5).reason_has("targetports").writes(0);
            node.run(&resource, "monitor").exit(7);
            node.run(&resource, "stop").exit(0);
        }
    }
}

#[test]
fn a_cluster_that_cannot_be_asked() {
    let alpha = sample::nodes().up().into_node("alpha");
    for resource in [ports(), group()] {
        alpha.call(&resource).without_cluster().run("start").exit(1).reason_has("cibadmin").reason_has("102").writes(0);
        let limit = std::time::Duration::from_secs(2);
        let hangs = alpha.call(&resource).env("STAND_IN_FAIL", "cibadmin:hang").timeout(limit);
        hangs.run("start").exit(1).reason_has("cibadmin").within(limit);
    }
}

#[test]
fn validate_all_looks_at_the_parameters_and_at_nothing_else() {
    let alpha = sample::nodes().up().into_node("alpha");
    alpha.mount().reset_counters();
    for resource in [ports(), group(), group().param("device1", "filename=/nowhere,virtname=a,export0=all:1")] {
        alpha.call(&resource).without_cluster().run("validate-all").exit(0).programs(0);
    }
    assert_eq!(alpha.counters().total, scst_sim::counters::Counts::default());
    assert_eq!(alpha.traces(), [""; 0]);
    // The host as well, where that is asked for.
    for module in ["qla2x00tgt", "scst_vdisk"] {
        alpha.control(&format!("modprobe {module}"));
    }
    for resource in [ports(), group()] {
        alpha.call(&resource).level(10).run("validate-all").exit(0).writes(0);
        alpha.call(&resource).level(10).without_cluster().run("validate-all").exit(1).reason_has("cibadmin");
    }
}

#[test]
fn unknown_actions_and_usage() {
    let alpha = sample::nodes().up().into_node("alpha");
    for resource in [ports(), group()] {
        for action in ["", "frobnicate", "migrate_to", "START"] {
            let outcome = alpha.run(&resource, action).exit(3).writes(0).programs(0);
            assert!(outcome.stderr().contains("usage"), "{}", outcome.stderr());
        }
        for action in ["usage", "help"] {
            let outcome = alpha.run(&resource, action).exit(0);
            assert!(outcome.stdout().contains("usage"), "{}", outcome.stdout());
        }
    }
    for action in ["promote", "demote", "notify"] {
        alpha.run(&ports(), action).exit(3);
    }
    assert_eq!(alpha.traces(), [""; 0]);
}

#[test]
fn values_that_mean_something_to_the_kernel_do_not_reach_it() {
    let alpha = sample::started();
    let before = alpha.tree();
    for value in ["x;add_device y", "x\nadd_device y", "../../x", "x y", "x=y", "\u{1b}[31m"] {
        for action in ["start", "reload", "promote", "demote", "monitor", "notify", "stop", "validate-all"] {
            let outcome = alpha.run(&group().param("groupname", value).called("other"), action);
            for write in outcome.written() {
                assert!(write.contains("dummy"), "{action} {value:?}: {write}");
            }
            let reason = outcome.exit_reason();
            assert!(!reason.contains(['\n', '\u{1b}']), "{reason:?}");
        }
    }
    assert_eq!(alpha.tree(), before);
}
