//! Taking over from the shell agents: the tree as they left it, and a record that says nothing.

use crate::fixture::{Cluster, Lists, Names, Resource, sample};
use crate::shell_agents::{Life, rich};

/// What a test works on: the ports and the group that are there, as the recording configured them.
struct Inherited {
    cluster: Cluster,
    ports: Resource,
    group: Resource,
}

/// The sample configuration, started by the shell agents on alpha and standby there.
fn standby() -> Inherited {
    let cluster = sample::without_cables().up();
    let mut life = Life::new(&cluster, "alpha", "s1_sample.jsonl", &[]);
    life.rebuild([8, 10, 9]);
    let (ports, group) = (life.resource(3, "scst_qla"), life.resource(7, "scst_dg"));
    inherit(cluster, "alpha", ports, group)
}

/// Three disks on three initiator groups, promoted by the shell agents on beta.
fn promoted() -> Inherited {
    let (cluster, stores) = rich();
    let mut life = Life::new(&cluster, "beta", "s2_rich.jsonl", &stores);
    life.rebuild([11, 18, 17]);
    let (ports, group) = (life.resource(6, "scst_qla"), life.resource(10, "scst_dg"));
    inherit(cluster, "beta", ports, group)
}

fn inherit(cluster: Cluster, node: &str, ports: Resource, group: Resource) -> Inherited {
    cluster.node(node).set_record(&ports, "");
    cluster.node(node).set_record(&group, "");
    Inherited { cluster, ports, group }
}

#[test]
fn what_they_started_is_seen_running() {
    let Inherited { cluster, ports, group } = standby();
    let alpha = cluster.node("alpha");
    let before = alpha.tree();
    alpha.run(&ports, "monitor").exit(0).programs(0);
    alpha.run(&group, "monitor").exit(0).ran(&["crm_attribute"]);
    assert_eq!((alpha.record(&ports).as_deref(), alpha.record(&group).as_deref()), (Some(""), Some("")));
    assert_eq!(alpha.score(&group).as_deref(), Some("5"));
    alpha.monitor(&ports).exit(0).ran(&["cibadmin"]);
    // What the shell agents did about the score is not known.
    alpha.monitor(&group).exit(0).ran(&["crm_attribute"]);
    alpha.monitor(&group).exit(0).programs(0);
    alpha.thorough(&ports).exit(0).not_logged("WARNING");
    alpha.thorough(&group).exit(0).not_logged("WARNING");
    assert_eq!(alpha.tree(), before);
}

#[test]
fn a_start_or_reload_over_what_they_left_finds_nothing_to_do() {
    for action in ["start", "reload"] {
        let Inherited { cluster, ports, group } = standby();
        let alpha = cluster.node("alpha");
        alpha.run(&ports, action).exit(0).writes(0);
        alpha.run(&group, action).exit(0).writes(0);
        assert!(alpha.record(&group).is_some_and(|record| !record.is_empty()), "{action}");
    }
}

#[test]
fn it_is_promoted_and_demoted_at_once() {
    let Inherited { cluster, group, .. } = standby();
    let alpha = cluster.node("alpha");
    alpha.run(&group, "promote").exit(0);
    alpha.run(&group, "monitor").exit(8);
    alpha.run(&group, "demote").exit(0);
    alpha.run(&group, "monitor").exit(0);
    let Inherited { cluster, group, .. } = promoted();
    let beta = cluster.node("beta");
    beta.run(&group, "monitor").exit(8);
    beta.run(&group, "demote").exit(0);
    assert_eq!(beta.state("ssd", "beta"), "standby");
    assert_eq!(beta.read("devices/ssd_t1/active"), "0");
    beta.run(&group, "promote").exit(0);
    assert_eq!(beta.read("devices/ssd_t1/active"), "1");
}

#[test]
fn it_is_stopped_whole() {
    for by_record in [true, false] {
        let Inherited { cluster, ports, group } = promoted();
        let beta = cluster.node("beta");
        if !by_record {
            beta.monitor(&ports).exit(0);
            beta.monitor(&group).exit(8);
        }
        beta.run(&group, "stop").exit(0);
        assert_eq!(beta.tree().lines("device"), [""; 0]);
        assert_eq!(beta.tree().lines("lun"), [""; 0]);
        beta.run(&ports, "stop").exit(0);
        assert_eq!(beta.tree().lines("group"), [""; 0]);
        assert!(beta.tree().lines("port").iter().all(|port| port.contains("enabled=0")));
        assert_eq!((beta.record(&ports), beta.record(&group)), (None, None));
    }
}

#[test]
fn with_an_empty_record_every_group_on_our_ports_goes_whatever_the_configuration_says() {
    let Inherited { cluster, ports, group } = promoted();
    let beta = cluster.node("beta");
    let nonsense = group.param("device0", "?").param("device1", "?").param("device7", "?").param("tgtdriver", "?");
    beta.run(&nonsense, "stop").exit(0);
    assert_eq!(beta.tree().lines("device"), [""; 0]);
    beta.run(&ports.param("initiators", "nonsense"), "stop").exit(0);
    assert_eq!(beta.tree().lines("group"), [""; 0]);
}

#[test]
fn a_device_of_theirs_that_stays_open_in_standby_is_named_and_not_switched_live() {
    let Inherited { cluster, group, .. } = promoted();
    let beta = cluster.node("beta");
    let reloaded = beta.run(&group, "reload").exit(0).logged("device ssd_t2: bind_alua_state is 0, configured is 1");
    assert!(!reloaded.written().iter().any(|write| write.contains("ssd_t2")), "{:#?}", reloaded.written());
    assert_eq!(beta.read("devices/ssd_t2/bind_alua_state"), "0");
    beta.thorough(&group).exit(8).logged("device ssd_t2: bind_alua_state");
    beta.run(&group, "start").exit(0).logged("device ssd_t2: bind_alua_state");
    assert_eq!(beta.read("devices/ssd_t2/bind_alua_state"), "0");
    assert_eq!(beta.state("ssd", "beta"), "active");
}

#[test]
fn groups_that_were_removed_from_the_configuration_meanwhile_go_with_a_reload() {
    let Inherited { cluster, ports, group } = promoted();
    let beta = cluster.node("beta");
    beta.run(&ports.param("initiators", "esx1=50:01:43:80:03:b0:23:34;new=50:01:43:80:03:b0:23:50"), "reload").exit(0);
    assert_eq!(
        beta.tree().lines("group"),
        ["group esx1 io_grouping_type=201", "group new io_grouping_type=202"].repeat(2)
    );
    beta.run(&group.without("device1").without("device7"), "reload").exit(0);
    assert_eq!(
        beta.tree().lines("device ssd_"),
        ["device ssd_lu0 vdisk_nullio dummy=1 prod_id=SCST", "device ssd_lu0"]
    );
    assert_eq!(beta.tree().lines("lun 0").len(), 4);
}

#[test]
fn notifications_of_theirs_and_ours_mean_the_same() {
    let Inherited { cluster, group, .. } = standby();
    let alpha = cluster.node("alpha");
    // A node of the shell version is promoted: all of its lists, but for the words they do not know.
    let lists = Lists::new().names(Names::Master).list("active", &["alpha", "beta"]).list("promote", &["beta"]);
    alpha.call(&group).lists(&lists.clone().event("pre", "promote")).run("notify").exit(0);
    assert_eq!(alpha.state("dummy", "beta"), "transitioning");
    alpha.call(&group).lists(&lists.event("post", "promote")).run("notify").exit(0);
    assert_eq!(alpha.state("dummy", "beta"), "active");
}
