//! Reload: what was added comes, what was removed goes, and what stayed is not touched.

use snapbox::str;

use crate::fixture::sample::{self, ALPHA, BETA, HOST, group, ports};
use crate::fixture::{Fixture, Resource};

const THIRD: &str = "50:01:43:80:03:b0:23:40";

fn initiators(text: &str) -> Resource {
    ports().param("initiators", text)
}

#[test]
fn initiator_groups_and_initiators_come_and_go() {
    let alpha = sample::nodes().up().into_node("alpha");
    alpha.run(&initiators(&format!("a={};b={},{THIRD}", HOST[0], HOST[1])), "start").exit(0);
    let changed = initiators(&format!("b={},50:01:43:80:03:b0:23:41;c=50:01:43:80:03:b0:23:42", HOST[1]));
    let reloaded = alpha.run(&changed, "reload").exit(0).ran(&["cibadmin"]);
    assert!(!reloaded.written().iter().any(|write| write.contains("enabled")), "{:#?}", reloaded.written());
    let below = "  group b io_grouping_type=101
    initiator 50:01:43:80:03:b0:23:36
    initiator 50:01:43:80:03:b0:23:41
  group c io_grouping_type=102
    initiator 50:01:43:80:03:b0:23:42
";
    alpha.tree().is(&format!(
        "\
modules qla2x00tgt qla2xxx_scst scst
{}",
        sample::port_lines("alpha", below)
    ));
    alpha.run(&changed, "reload").exit(0).writes(0);
    alpha.run(&changed, "reload-agent").exit(0).writes(0);
    alpha.has_nothing_to_do(&changed, 0);
    alpha.run(&changed, "stop").exit(0);
    assert_eq!(alpha.tree().lines("group"), [""; 0]);
}

#[test]
fn an_initiator_that_changes_its_group_takes_its_session_along() {
    let alpha = sample::nodes().up().into_node("alpha");
    alpha.run(&initiators(&format!("a={};b={}", HOST[0], HOST[1])), "start").exit(0);
    alpha.control(&format!("login qla2x00t {} {}", ALPHA[0], HOST[0]));
    alpha.run(&initiators(&format!("b={},{}", HOST[1], HOST[0])), "reload").exit(0);
    assert_eq!(alpha.tree().lines("session"), [format!("session {} in group b", HOST[0])]);
    assert_eq!(alpha.tree().lines("group"), ["group b io_grouping_type=101"].repeat(2));
}

#[test]
fn more_groups_than_there_are_numbers_fail_nothing_that_runs() {
    let alpha = sample::nodes().up().into_node("alpha");
    alpha.run(&ports(), "start").exit(0);
    let groups: Vec<_> = (0..100).map(|n| format!("g{n}={THIRD}")).collect();
    let many = initiators(&groups.join(";"));
    let reason = "initiators names 100 groups, I/O groups exist for 99";
    alpha.run(&many, "validate-all").exit(2).reason(reason);
    alpha.run(&many, "reload").kept().reason(reason);
    alpha.thorough(&many).exit(0).writes(0).logged(&format!("the configuration is not compared: {reason}"));
    alpha.run(&ports(), "stop").exit(0);
}

#[test]
fn s5_a_reload_of_what_does_not_run_changes_nothing() {
    let alpha = sample::nodes().up().into_node("alpha");
    for resource in [ports(), group()] {
        for action in ["reload", "reload-agent"] {
            alpha.run(&resource, action).exit(7).writes(0).programs(0);
            alpha.run(&resource.without("initiators").without("device0"), action).exit(7).writes(0);
        }
    }
    assert_eq!(alpha.tree().lines(""), ["no SCST"]);
    assert_eq!(alpha.score(&group()), None);
    alpha.run(&ports(), "start").exit(0);
    for action in ["reload", "reload-agent"] {
        alpha.run(&group(), action).exit(7).writes(0).programs(0);
    }
}

#[test]
fn s7_a_configuration_that_start_would_refuse_keeps_everything_running() {
    let cluster = sample::serving();
    let alpha = cluster.node("alpha");
    let before = alpha.tree();
    alpha.run(&ports().without("initiators"), "reload").kept().reason("initiators: is required and not set");
    alpha.run(&ports().param("initiators", "nonsense"), "reload").kept().reason_has("initiators");
    for (name, value) in [
        ("device0", ""),
        ("device0", "nonsense"),
        ("device0", "handler=vdisk_nullio,virtname=lu0dummy"),
        ("tgtdriver", "nonsense"),
        ("device1", "handler=vdisk_nullio,virtname=b,export0=all:0"),
        ("device1", "filename=/nowhere,virtname=b,export0=all:1"),
    ] {
        alpha.run(&group().param(name, value), "reload").kept().reason_has(name.trim_end_matches('1'));
    }
    cluster.set_targetports("alpha", None);
    for resource in [ports(), group()] {
        alpha.run(&resource, "reload").kept().reason("node alpha has no targetports attribute");
    }
    assert_eq!(alpha.tree(), before);
    // Of a cluster that cannot be asked nothing follows; a failed reload would be answered with a restart.
    alpha.call(&ports()).without_cluster().run("reload").kept().reason_has("cibadmin");
    alpha.call(&group()).without_cluster().run("reload").kept().reason_has("cibadmin");
    assert_eq!(alpha.tree(), before);
}

#[test]
fn a_dead_port_does_not_make_a_reload_fail() {
    let alpha = sample::with_ports().into_node("alpha");
    alpha.control(&format!("unplug {}", ALPHA[1]));
    alpha.run(&initiators(&format!("other={}", HOST[0])), "reload").kept().reason_has(ALPHA[1]);
}

/// Three devices on two initiator groups.
fn storage() -> Resource {
    group()
        .param("device1", "handler=vdisk_nullio,virtname=one,export0=esx:1,export1=linux:11")
        .param("device2", "handler=vdisk_nullio,virtname=two,export0=linux:2")
}

fn hosts() -> Resource {
    initiators(&format!("esx={};linux={}", HOST[0], HOST[1]))
}

#[test]
fn devices_and_luns_come_and_go_and_others_are_not_touched() {
    let alpha = sample::nodes().up().into_node("alpha");
    alpha.run(&hosts(), "start").exit(0);
    alpha.run(&storage(), "promote").exit(0);
    let exported = alpha.tree().lines("lun 0 dummy_lu0dummy").len();
    let changed = storage()
        .without("device2")
        .param("device1", "handler=vdisk_nullio,virtname=one,export0=esx:1,export1=linux:12")
        .param("device3", "handler=vdisk_nullio,virtname=three,export0=all:9");
    let luns = |port: &str, group: &str| format!("targets/qla2x00t/{port}/ini_groups/{group}/luns/mgmt");
    let reloaded = alpha.run(&changed, "reload").exit(0).ran(&["cibadmin", "crm_attribute"]);
    let mut written = reloaded.written();
    let mut expected = vec![
        "device_groups/dummy/devices/mgmt < add dummy_three".to_owned(),
        "devices/dummy_three/prod_id < SCST".to_owned(),
        "handlers/vdisk_nullio/mgmt < add_device dummy_three".to_owned(),
        "handlers/vdisk_nullio/mgmt < del_device dummy_two".to_owned(),
    ];
    for port in ALPHA {
        for (group, command) in [
            ("esx", "add dummy_three 9"),
            ("linux", "add dummy_three 9"),
            ("linux", "add dummy_one 12"),
            ("linux", "del 11"),
            ("linux", "del 2"),
        ] {
            expected.push(format!("{} < {command}", luns(port, group)));
        }
    }
    written.sort();
    expected.sort();
    assert_eq!(written, expected);
    let below = "  group esx io_grouping_type=101
    initiator 50:01:43:80:03:b0:23:34
    lun 0 dummy_lu0dummy
    lun 1 dummy_one
    lun 9 dummy_three
  group linux io_grouping_type=102
    initiator 50:01:43:80:03:b0:23:36
    lun 0 dummy_lu0dummy
    lun 9 dummy_three
    lun 12 dummy_one
";
    alpha.tree().is(&format!(
        "\
modules qla2x00tgt qla2xxx_scst scst scst_disk scst_vdisk
{}device dummy_lu0dummy vdisk_nullio dummy=1 prod_id=SCST
device dummy_one vdisk_nullio prod_id=SCST
device dummy_three vdisk_nullio prod_id=SCST
device group dummy
  device dummy_lu0dummy
  device dummy_one
  device dummy_three
{}",
        sample::port_lines("alpha", below),
        sample::target_groups("alpha", ["active", "unavailable"])
    ));
    assert_eq!(alpha.tree().lines("lun 0 dummy_lu0dummy").len(), exported);
    alpha.has_nothing_to_do(&changed, 8);
}

#[test]
fn a_lun_that_gets_another_device_is_deleted_and_added_never_replaced() {
    let alpha = sample::nodes().up().into_node("alpha");
    alpha.run(&hosts(), "start").exit(0);
    alpha.run(&storage(), "start").exit(0);
    let swapped = storage()
        .param("device1", "handler=vdisk_nullio,virtname=one,export0=linux:2")
        .param("device2", "handler=vdisk_nullio,virtname=two,export0=esx:1");
    let reloaded = alpha.run(&swapped, "reload").exit(0);
    assert!(!reloaded.written().iter().any(|write| write.contains("replace")), "{:#?}", reloaded.written());
    assert_eq!(alpha.tree().lines("lun 1"), ["lun 1 dummy_two"; 2]);
    assert_eq!(alpha.tree().lines("lun 2"), ["lun 2 dummy_one"; 2]);
}

#[test]
fn an_initiator_group_that_comes_later_is_mapped_by_a_reload() {
    let alpha = sample::with_ports().into_node("alpha");
    let storage = group().param("device1", "handler=vdisk_nullio,virtname=one,export0=LATE:1");
    alpha.run(&storage, "start").exit(0).logged("late");
    assert_eq!(alpha.tree().lines("lun 1"), [""; 0]);
    alpha.run(&initiators(&format!("vmwtest={};late={THIRD}", HOST[0])), "reload").exit(0);
    alpha.run(&storage, "reload").exit(0);
    assert_eq!(alpha.tree().lines("lun 1"), ["lun 1 dummy_one"; 2]);
    // `all` means every group there is: the new one has LUN 0 as well.
    assert_eq!(alpha.tree().lines("lun 0").len(), 4);
}

#[test]
fn p8_nodes_and_ports_of_peers_come_and_go() {
    let pair = Fixture::new().node("alpha", 1).port(ALPHA[0]).node("beta", 2).port(BETA[0]);
    let cluster = pair.node("gamma", 7).without_targetports().up();
    let alpha = cluster.node("alpha");
    alpha.run(&ports(), "start").exit(0);
    alpha.run(&group(), "promote").exit(0);
    let groups =
        || alpha.tree().from("device group").lines("").iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    let before = groups();
    // Its only port goes as another comes: at no time is the group without one, or it would act on our devices.
    cluster.set_targetports("beta", Some(BETA[1]));
    cluster.set_targetports("gamma", Some("50:01:43:80:0a:0b:0c:01,50:01:43:80:0a:0b:0c:02"));
    let exchange = [format!("beta/mgmt < add {}", BETA[1]), format!("beta/mgmt < del {}", BETA[0])];
    alpha.run(&group(), "reload").exit(0).in_order(&exchange.each_ref().map(String::as_str));
    alpha.tree().from("device group").eq(str![[r#"
device group dummy
  device dummy_lu0dummy
  target group alpha group_id=1 active
    local 21:00:00:24:ff:60:d0:10 rel_tgt_id=101
  target group beta group_id=2 unavailable
    remote 21:01:00:1b:32:2b:52:75 rel_tgt_id=201
  target group gamma group_id=7 unavailable
    remote 50:01:43:80:0a:0b:0c:01 rel_tgt_id=701
    remote 50:01:43:80:0a:0b:0c:02 rel_tgt_id=702

"#]]);
    alpha.run(&group(), "reload").exit(0).writes(0);
    alpha.run(&group(), "monitor").exit(8);
    cluster.set_targetports("beta", Some(BETA[0]));
    cluster.set_targetports("gamma", None);
    alpha.run(&group(), "reload").exit(0);
    assert_eq!(groups(), before);
}

#[test]
fn the_dummy_parameter_reload_means_nothing() {
    let cluster = sample::serving();
    cluster.node("alpha").run(&group().param("reload", "anything at all"), "reload").exit(0).writes(0);
}

#[test]
fn a_device_that_keeps_a_lun_and_its_old_setting_is_no_failure() {
    let alpha = sample::with_ports().into_node("alpha");
    // A number with a leading zero is odd, so nothing of that device is taken from hosts.
    let device = "handler=vdisk_nullio,virtname=lu,export0=all:010";
    alpha.run(&group().param("device0", &format!("{device},read_only=0,export1=vmwtest:3")), "start").exit(0);
    let changed = group()
        .param("device0", &format!("{device},read_only=1"))
        .param("device1", "handler=vdisk_nullio,virtname=other,export0=all:7");
    alpha.run(&changed, "reload").exit(0).logged("read_only is 0, configured is 1");
    assert!(alpha.exists("devices/dummy_other"));
}
