//! Rows of "Stopping, starting and fencing" that are about starts, probes and what else must not stop a resource.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::SHORT;
use crate::fixture::sample::{self, ALPHA, BETA, BLOCK, HOST, group, ports};
use crate::fixture::{Fixture, eventually};

#[test]
fn f2_a_dead_port_is_this_nodes_trouble_and_a_probe_says_what_is_there() {
    let cluster = Fixture::new().node("alpha", 1).port(ALPHA[0]).dead_port(ALPHA[1]).up();
    let alpha = cluster.node("alpha");
    for resource in [ports(), group()] {
        let reason = format!("port does not exist on this node: {}", ALPHA[1]);
        alpha.run(&resource, "start").exit(5).reason(&reason).writes(0);
        alpha.run(&resource, "monitor").exit(7);
        alpha.run(&resource, "stop").exit(0);
    }
    alpha.call(&ports()).level(10).run("validate-all").exit(5).reason_has(ALPHA[1]);
    let cluster = sample::with_ports();
    let alpha = cluster.node("alpha");
    alpha.control(&format!("unplug {}", ALPHA[1]));
    alpha.run(&ports(), "monitor").exit(1).reason_has(ALPHA[1]);
}

#[test]
fn f4_a_clone_may_have_any_number_of_nodes_and_one_instance_on_each() {
    let cluster = sample::three_nodes().up();
    for node in ["alpha", "beta", "gamma"] {
        let node = cluster.node(node);
        node.run(&ports(), "start").exit(0);
        node.call(&group()).meta("clone_max", "3").run("start").exit(0);
    }
    let twice = cluster.node("alpha").call(&group()).meta("clone_node_max", "2").run("start");
    twice.exit(6).reason_has("clone-node-max");
}

#[test]
fn f13_what_a_killed_start_left_is_seen_by_probe_and_stop() {
    let alpha = sample::nodes().up().into_node("alpha");
    alpha.control(&format!("fault op=write path=**/{}/enabled action=kill when=before", ALPHA[0]));
    drop(alpha.call(&ports()).begin("start").end());
    assert!(!alpha.tree().lines("group").is_empty());
    alpha.run(&ports(), "monitor").exit(1);
    alpha.run(&ports().param("initiators", "nonsense"), "stop").exit(0);
    assert_eq!(alpha.tree().lines("group"), [""; 0]);
    alpha.run(&ports(), "start").exit(0);
    // The device is there and not yet in its group.
    alpha.control("fault op=write path=**/device_groups/mgmt action=kill when=before");
    drop(alpha.call(&group()).begin("start").end());
    assert!(alpha.exists("devices/dummy_lu0dummy"));
    alpha.run(&group(), "monitor").exit(1).reason_has("dummy");
    alpha.run(&group().param("device0", "nonsense"), "stop").exit(0);
    assert_eq!(alpha.tree().lines("device"), [""; 0]);
}

#[test]
fn f14_a_group_without_a_lun_is_brought_to_what_it_should_be() {
    let alpha = sample::with_ports().into_node("alpha");
    alpha.write("device_groups/mgmt", "create dummy");
    alpha.run(&group(), "monitor").exit(1).reason_has("half there");
    alpha.run(&group(), "start").exit(0);
    assert_eq!(alpha.tree().lines("lun"), ["lun 0 dummy_lu0dummy"; 2]);
}

#[test]
fn f14_a_start_whose_work_was_undone_meanwhile_does_not_succeed() {
    let alpha = sample::with_ports().into_node("alpha");
    alpha.control(&format!("fault op=write path=**/{}/**/luns/mgmt action=hang", ALPHA[1]));
    let start = alpha.call(&group()).begin("start");
    eventually("the last step waits", || alpha.mount().waiting() == 1);
    alpha.write(&format!("targets/qla2x00t/{}/ini_groups/vmwtest/luns/mgmt", ALPHA[0]), "del 0");
    alpha.control("release");
    start.wait().exit(1).reason_has("LUN 0");
}

#[test]
fn f15_a_port_that_does_not_come_up_is_named_with_the_kernels_answer() {
    let alpha = sample::nodes().up().into_node("alpha");
    for port in ALPHA {
        alpha.control(&format!("fault op=write path=**/{port}/enabled at=1 repeat=true action=fail errno=EIO"));
    }
    let started = alpha.call(&ports()).timeout(SHORT).run("start").exit(1).reason_has("enable failed: EIO");
    assert!(ALPHA.iter().all(|port| started.log().contains(port)), "{}", started.log());
}

#[test]
fn f17_a_node_id_that_leaves_no_room_for_numbers_is_an_error_that_says_so() {
    let cluster = Fixture::new().node("alpha", 655).port(ALPHA[0]).node("beta", 2).port(BETA[0]).up();
    for resource in [ports(), group()] {
        let started = cluster.node("alpha").run(&resource, "start").exit(2).writes(0);
        started.reason_has("655").reason_has("1 to 654").logged("corosync.conf");
    }
    let beta = cluster.node("beta");
    beta.run(&ports(), "start").exit(0);
    beta.run(&group(), "start").exit(0).logged("node alpha is left out");
    assert_eq!(beta.tree().lines("target group"), ["target group beta group_id=2 standby"]);
}

#[test]
fn s4_anybody_gets_the_description_from_an_agent_alone() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("modes can be changed");
    for binary in
        [env!("CARGO_BIN_EXE_scst_qla2xtgt"), env!("CARGO_BIN_EXE_scst_target"), env!("CARGO_BIN_EXE_scst_aluadg")]
    {
        let agent = dir.path().join("agent");
        // By another process: a scenario that starts an agent at this moment would keep the copy open for writing.
        assert!(Command::new("cp").arg(binary).arg(&agent).status().is_ok_and(|status| status.success()));
        // Nobody.
        let output = Command::new(&agent).arg("meta-data").env_clear().uid(65534).gid(65534).output().expect("it runs");
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        assert!(output.stdout.starts_with(b"<?xml"));
        fs::remove_file(&agent).expect("a file can be removed");
    }
}

#[test]
fn f7_a_demote_that_is_terminated_gives_back_what_it_blocked() {
    let (alpha, io) = sample::busy();
    let demote = alpha.call(&group()).begin("demote");
    eventually("the device is blocked", || alpha.read(BLOCK) == "1 1");
    demote.signal(Signal::SIGTERM);
    demote.wait().exit(1).within(Duration::from_secs(5));
    sample::finish(&alpha, &io);
    eventually("the device is given back", || alpha.read(BLOCK) == "0 0");
    assert_eq!(alpha.state("dummy", "alpha"), "active");
}

#[test]
fn c22_a_port_that_cannot_be_a_target_is_refused_by_name() {
    let alpha = Fixture::new().node("alpha", 1).port(ALPHA[0]).dead_port(HOST[0]).up().into_node("alpha");
    alpha.control(&format!("plug wwpn={} target_capable=false", HOST[0]));
    alpha.run(&ports(), "start").exit(5).writes(0).reason_has("does not exist").reason_has(HOST[0]);
}

#[test]
fn c22_targetports_is_made_of_target_ports_alone_and_shown_before_it_is_written() {
    let cluster = Fixture::new().node("alpha", 1).without_targetports().port(ALPHA[0]).port(ALPHA[1]).up();
    let alpha = cluster.node("alpha");
    alpha.control(&format!("plug wwpn={} target_capable=false", HOST[0]));
    alpha.control("modprobe qla2x00tgt");
    let should_be = format!("should be  \"{}\"", ALPHA.join(","));
    let attribute = || cluster.cib().load().unwrap().permanent("alpha", "targetports").map(str::to_owned);
    // It shows what it would write also where the writing fails, and without being asked writes nothing.
    let failing = alpha.tool("discover --set").env("STAND_IN_FAIL", "crm_attribute:124").go();
    assert!(failing.stdout().contains(&should_be), "{failing:?}");
    let shown = alpha.tool("discover").go();
    assert!(shown.stdout().contains(&should_be), "{shown:?}");
    assert_eq!(attribute(), None);
    alpha.tool("discover --set").go();
    assert_eq!(attribute(), Some(ALPHA.join(",")));
}
