//! Rows of "Configuration": what an operator may write, and what becomes of it.

use crate::fixture::Fixture;
use crate::fixture::sample::{self, ALPHA, HOST, group, null, ports};

const THIRD: &str = "50:01:43:80:03:b0:23:40";

#[test]
fn c1_c2_c3_no_bad_value_reaches_the_kernel() {
    let alpha = sample::with_ports().into_node("alpha");
    let before = alpha.tree();
    for name in ["more-than-sixteen-is-too-long-and-32-also", "a.b", "a/b", "..", "a;b", "a=b"] {
        alpha.run(&group().param("groupname", name), "start").exit(6).reason_has("groupname").writes(0);
        let device = null(name, "export0=all:0");
        alpha.run(&group().param("device0", &device), "start").exit(6).reason_has("device0: virtname").writes(0);
    }
    for (words, key) in [
        ("export0=all:16384", "export0"),
        ("export0=all:0x1", "export0"),
        ("export0=all:0,t10devid=of-more-than-25-characters-", "t10devid"),
        ("export0=all:0,removable=yes", "removable"),
        ("export0=all:0,naa_id=4000000000000000", "naa_id"),
    ] {
        let resource = group().param("device0", &null("a", words));
        alpha.run(&resource, "validate-all").exit(6).reason_has(key);
        for write in alpha.run(&resource, "start").written() {
            let value = words.rsplit_once(['=', ':']).map_or("", |(_, value)| value);
            assert!(!write.ends_with(&format!(" {value}")), "{write}");
        }
        alpha.run(&resource, "stop").exit(0);
    }
    for initiators in ["a/b=50:01:43:80:03:b0:23:34", "..=50:01:43:80:03:b0:23:34"] {
        alpha.run(&ports().param("initiators", initiators), "start").exit(6).reason_has("initiators").writes(0);
    }
    assert_eq!(alpha.tree().lines("port"), before.lines("port"));
}

#[test]
fn c4_an_export_to_all_does_not_keep_the_others_luns() {
    let alpha = sample::with_ports().into_node("alpha");
    let with = |lun: u32| group().param("device1", &null("a", &format!("export0=vmwtest:{lun}")));
    alpha.run(&with(1), "start").exit(0);
    alpha.run(&with(2), "reload").exit(0);
    assert_eq!(alpha.tree().lines("lun"), ["lun 0 dummy_lu0dummy", "lun 2 dummy_a"].repeat(2));
}

#[test]
fn c8_a_value_may_hold_an_equals_sign_and_a_file_name_that_does_is_refused() {
    let cluster = sample::with_ports();
    let alpha = cluster.node("alpha");
    alpha.run(&group().param("device0", &null("a", "export0=all:0,t10devid=ab=cd")), "start").exit(0);
    assert_eq!(alpha.read("devices/dummy_a/t10_dev_id"), "ab=cd");
    alpha.run(&group(), "stop").exit(0);
    let file = cluster.file("a=b", 1 << 20);
    let device = format!("handler=vdisk_fileio,filename={},virtname=a,export0=all:0", file.display());
    let started = alpha.run(&group().param("device0", &device), "start").exit(6).writes(0);
    started.reason_has("device0: filename").reason_has("'='");
}

#[test]
fn c9_an_export_finds_its_group_in_whatever_case() {
    let alpha = sample::with_ports().into_node("alpha");
    alpha.write(&format!("targets/qla2x00t/{}/ini_groups/mgmt", ALPHA[0]), "create Linux");
    let resource = group().param("device0", &null("a", "export0=VMwTest:0,export1=linux:3"));
    alpha.run(&resource, "start").exit(0);
    assert_eq!(alpha.tree().lines("lun 0").len(), 2);
    assert_eq!(alpha.tree().lines("lun 3"), ["lun 3 dummy_a"]);
}

#[test]
fn c10_a_blank_after_a_comma_loses_nothing() {
    let alpha = sample::nodes().up().into_node("alpha");
    let resource = ports().param("initiators", &format!("a={}, {}; b={THIRD}", HOST[0], HOST[1]));
    alpha.run(&resource, "validate-all").exit(0);
    alpha.run(&resource, "start").exit(0);
    let initiators = [HOST[0], HOST[1], THIRD].repeat(2);
    assert_eq!(
        alpha.tree().lines("initiator "),
        initiators.iter().map(|host| format!("initiator {host}")).collect::<Vec<_>>()
    );
}

#[test]
fn c11_every_drivers_names_are_names() {
    for (driver, port) in [
        ("iscsi", "iqn.2020-01.org.example:disk"),
        ("iscsi", "eui.02004567a425678d"),
        ("ib_srpt", "0002:c903:000f:1366"),
        ("ib_srpt", "fe80:0000:0000:0000:0002:c903:000f:1366"),
    ] {
        let alpha = Fixture::new()
            .node("alpha", 1)
            .targetports(port)
            .node("beta", 2)
            .without_targetports()
            .up()
            .into_node("alpha");
        if driver == "iscsi" {
            alpha.control("modprobe iscsi-scst");
            alpha.control("iscsi-daemon start");
            alpha.write("targets/iscsi/mgmt", &format!("add_target {port}"));
        } else {
            alpha.control("modprobe ib_srpt");
            alpha.control(&format!("plug-target ib_srpt {port}"));
        }
        alpha.write(&format!("targets/{driver}/{port}/ini_groups/mgmt"), "create hosts");
        alpha.run(&group().param("tgtdriver", driver), "start").exit(0);
        assert_eq!(alpha.tree().lines("local"), [format!("local {port} rel_tgt_id=101")]);
        assert_eq!(alpha.tree().lines("lun"), ["lun 0 dummy_lu0dummy"]);
    }
}

#[test]
fn c12_a_reload_does_what_it_says() {
    let alpha = sample::started();
    let hosts = ports().param("initiators", &format!("vmwtest={};more={THIRD}", HOST[0]));
    alpha.run(&hosts, "reload").exit(0);
    assert_eq!(alpha.tree().lines("group more").len(), 2);
    assert_eq!(alpha.tree().lines("initiator").len(), 4);
    alpha.run(&group().param("device1", &null("a", "export0=more:1")), "reload").exit(0);
    assert_eq!(alpha.tree().lines("lun 1"), ["lun 1 dummy_a"; 2]);
    // `all` means the new group as well.
    assert_eq!(alpha.tree().lines("lun 0").len(), 4);
}

#[test]
fn c13_what_a_reload_cannot_change_is_named_and_stays_visible() {
    let alpha = sample::serving().into_node("alpha");
    let changed = group().param("device0", &null("lu0dummy", "dummy=1,removable=1,export0=all:0"));
    let named = "device dummy_lu0dummy: removable is 0, configured is 1";
    alpha.run(&changed, "reload").exit(0).writes(0).logged(named);
    alpha.thorough(&changed).exit(8).logged(named);
    assert_eq!(alpha.read("devices/dummy_lu0dummy/removable"), "0");
    // Removed and added, as the warning says.
    for action in ["demote", "stop", "start"] {
        alpha.run(&changed, action).exit(0);
    }
    assert_eq!(alpha.read("devices/dummy_lu0dummy/removable"), "1");
    alpha.thorough(&changed).exit(0).not_logged("WARNING");
}

#[test]
fn c18_c19_c20_every_action_answers_and_every_failure_says_why() {
    let alpha = sample::with_ports().into_node("alpha");
    for resource in [ports(), group()] {
        let unknown = alpha.run(&resource, "frobnicate").exit(3);
        assert!(unknown.stderr().contains("usage: scst_"), "{}", unknown.stderr());
        assert!(alpha.run(&resource, "usage").exit(0).stdout().contains("usage: scst_"));
    }
    alpha.run(&ports(), "status").exit(0);
    alpha.run(&group(), "status").exit(7);
    let wrong = group().param("device0", &null("a/b", "export0=all:0,removable=x"));
    let validated = alpha.run(&wrong, "validate-all").exit(6);
    assert!(["virtname", "removable"].iter().all(|key| validated.log().contains(key)), "{}", validated.log());
    alpha.run(&ports().param("initiators", "a=nonsense"), "validate-all").exit(6).reason_has("nonsense");
    alpha.control("fault op=write path=**/device_groups/mgmt action=fail errno=ENOMEM");
    let failed = alpha.run(&group(), "start").exit(1);
    assert!(failed.exit_reason().starts_with("device group dummy: create failed: ENOMEM writing \"create dummy\" to "));
}

#[test]
fn c21_a_monitor_is_one_process() {
    let alpha = sample::serving().into_node("alpha");
    alpha.mount().reset_counters();
    for (resource, code) in [(ports(), 0), (group(), 8)] {
        for level in [0, 10] {
            // What the other nodes have told of their devices is asked for at level 10.
            let asks: &[&str] = if level == 10 && code == 8 { &["cibadmin"] } else { &[] };
            alpha.call(&resource).recurring().level(level).run("monitor").exit(code).ran(asks);
        }
    }
    let processes = alpha.counters().by_process;
    assert_eq!(processes.len(), 4, "{processes:?}");
    let agents = ["scst_qla2xtgt", "scst_aluadg"];
    assert!(processes.keys().all(|process| agents.contains(&process.name.as_str())), "{processes:?}");
}

#[test]
fn c7_a_lun_that_another_group_has_is_found_before_the_first_write() {
    let alpha = sample::started();
    let other = group().called("scst_dg_other").param("groupname", "other");
    alpha.run(&other, "start").exit(1).reason_has("LUN 0").reason_has("dummy_lu0dummy").writes(0);
    assert_eq!(alpha.tree().lines("device group"), ["device group dummy"]);
}
