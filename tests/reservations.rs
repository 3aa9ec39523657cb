//! Persistent reservations of hosts over a move and over the loss of the node that served: kept where the nodes share them, named where not.

use scst_sim::model::LockManager;

use crate::fixture::sample::{self, ALPHA, BETA, HOST, answer, group};
use crate::fixture::{Cluster, Node, Resource};

/// The sample group on a disk, with this value of the parameter.
fn on_disk(cluster: &Cluster, reservations: &str) -> Resource {
    let path = cluster.disk("d0", 1 << 20);
    let device = format!("filename={},virtname=d0,naa_id=5000000000000001,export0=all:0", path.display());
    group().param("device0", &device).param("reservations", reservations)
}

/// Both nodes with their ports and DLM, as nodes of one cluster.
fn with_dlm() -> (Cluster, LockManager) {
    let (cluster, manager) = (sample::with_ports(), LockManager::default());
    for (node, id) in [("alpha", 1), ("beta", 2)] {
        cluster.node(node).mount().with_machine(|machine| machine.join_lock_manager(&manager, id));
    }
    (cluster, manager)
}

/// The host is logged in on the first port of both nodes.
fn log_in(cluster: &Cluster) {
    for (node, port) in [("alpha", ALPHA[0]), ("beta", BETA[0])] {
        cluster.node(node).control(&format!("login qla2x00t {port} {}", HOST[0]));
    }
}

#[test]
fn shared_reservations_survive_a_move_and_the_loss_of_the_node_that_served() {
    let (cluster, manager) = with_dlm();
    let resource = on_disk(&cluster, "shared");
    let [alpha, beta] = ["alpha", "beta"].map(|node| cluster.node(node));
    cluster.serve(&resource);
    // Before the first LUN, and with the device: later it would join by and by.
    assert_eq!(alpha.read("devices/dummy_d0/cluster_mode"), "1");
    let plan = alpha.call(&resource).dry_run().run("stop").exit(0).stdout().to_owned();
    assert!(plan.contains("delete device dummy_d0"), "{plan}");
    log_in(&cluster);
    assert_eq!(answer(alpha, "pr register 0 abc"), "good");
    assert_eq!(answer(beta, "pr register 0 abc"), "good");
    assert_eq!(answer(alpha, "pr reserve abc 6"), "good");
    let shown = [alpha, beta].map(|node| node.control("lockspaces"));
    assert_eq!(shown[0], shown[1]);
    cluster.transition(&resource).demote(&["alpha"]).promote(&["beta"]).carry_out();
    let state = |node: &Node| {
        node.mount().with_machine(|machine| {
            let file = machine.open(b"kernel/scst_tgt/devices/dummy_d0/pr_state", true, false).unwrap();
            String::from_utf8(machine.read(&file).unwrap()).unwrap()
        })
    };
    assert_eq!(state(alpha), state(beta));
    assert!(state(beta).contains("reservation 06 00"), "{}", state(beta));
    // The reservation stands, and who has registered goes on writing, by this path as well.
    assert_eq!(answer(beta, "pr reservation"), "generation 2 key 0000000000000abc scope 0 type 6");
    assert_eq!(answer(beta, "scsi write 0"), "good");
    // The node that serves loses power: what changes anything waits until it is fenced.
    cluster.loses(&resource, "beta");
    manager.lose(2);
    cluster.transition(&resource).promote(&["alpha"]).carry_out();
    assert_eq!(answer(alpha, "pr keys"), "generation 2 keys 0000000000000abc 0000000000000abc");
    manager.fence(2);
    assert_eq!(answer(alpha, "pr reserve abc 6"), "good");
    for node in [alpha, beta] {
        node.thorough(&resource);
    }
    alpha.thorough(&resource).exit(8).not_logged("WARNING");
    alpha.run(&resource, "start").exit(0).writes(0);
    alpha.run(&resource, "stop").exit(0);
    assert_eq!(alpha.control("lockspaces"), "", "the device's deletion leaves it");
}

#[test]
fn without_a_lock_manager_nothing_is_shared_and_a_start_says_so() {
    let cluster = sample::with_ports();
    let (alpha, resource) = (cluster.node("alpha"), on_disk(&cluster, "shared"));
    let reason = "DLM does not run on this node, and reservations=shared needs it";
    alpha.run(&resource, "start").exit(5).reason(reason).writes(0).logged("dlm_controld must run on this node");
    alpha.call(&resource).level(10).run("validate-all").exit(5).reason(reason);
    // It runs, and does not let this node in: a lost node has not been fenced.
    let manager = LockManager::default();
    alpha.mount().with_machine(|machine| machine.join_lock_manager(&manager, 1));
    manager.lose(2);
    cluster.cib().set_option("stonith-enabled", "false").unwrap();
    alpha.call(&resource).level(10).run("validate-all").exit(0).logged("DLM waits for ever for a node that was lost");
    let started = alpha.call(&resource).meta("timeout", "3000").run("start").exit(5);
    started.reason_has("device dummy_d0: reservations are not shared, DLM shows no lockspace");
    assert_eq!(alpha.tree().lines("device"), [""; 0]);
    assert_eq!(alpha.tree().lines("lun"), [""; 0]);
    // A wrong word is not taken for the weaker of the two.
    let wrong = on_disk(&cluster, "global");
    alpha.run(&wrong, "start").exit(6).reason("reservations \"global\": neither local nor shared").writes(0);
    alpha.run(&wrong, "stop").exit(0);
}

#[test]
fn a_device_that_is_there_waits_for_a_restart_and_is_named() {
    let (cluster, _manager) = with_dlm();
    let alpha = cluster.node("alpha");
    let (local, shared) = (on_disk(&cluster, "local"), on_disk(&cluster, "shared"));
    alpha.run(&local, "start").exit(0);
    alpha.run(&local, "promote").exit(0);
    let named = "device dummy_d0: cluster_mode is 0, configured is 1";
    alpha.run(&shared, "reload").exit(0).writes(0).logged(named);
    alpha.thorough(&shared).exit(8).logged(named);
    assert_eq!(alpha.control("lockspaces"), "");
    alpha.run(&shared, "stop").exit(0);
    alpha.run(&shared, "start").exit(0);
    assert!(alpha.control("lockspaces").starts_with("scst-"), "{}", alpha.control("lockspaces"));
    alpha.run(&local, "reload").exit(0).writes(0).logged("device dummy_d0: cluster_mode is 1, configured is 0");
    // The name in the lockspace is written with the device: later the kernel refuses it.
    alpha.run(&shared, "stop").exit(0);
    let path = cluster.dir().join("d0");
    let device = format!("filename={},virtname=d0,t10devid=mine,export0=all:0", path.display());
    let mine = shared.param("device0", &device);
    alpha.run(&mine, "start").exit(0);
    assert_eq!(alpha.control("lockspaces"), "scst-mine");
    let other = shared.param("device0", &device.replace("mine", "my.disk"));
    alpha.run(&other, "validate-all").exit(6).logged("no lockspace can be named after it");
}

#[test]
fn a_lost_lockspace_keeps_a_group_closed_and_is_seen_by_monitors() {
    let (cluster, manager) = with_dlm();
    let (alpha, resource) = (cluster.node("alpha"), on_disk(&cluster, "shared"));
    alpha.run(&resource, "start").exit(0);
    alpha.run(&resource, "promote").exit(0);
    alpha.monitor(&resource).exit(8).not_logged("lockspace");
    // The cluster has given this node up, and it has come back without having been fenced.
    manager.fence(1);
    let reason = "reservations are not shared any more, the lockspace is gone: device dummy_d0 (scst-";
    alpha.monitor(&resource).exit(8).logged("there is no lockspace of SCST on this node");
    alpha.thorough(&resource).exit(9).reason_has(reason);
    alpha.run(&resource, "demote").exit(0);
    alpha.thorough(&resource).exit(1).reason_has(reason);
    alpha.run(&resource, "promote").exit(1).reason_has(reason);
    assert_ne!(alpha.state("dummy", "alpha"), "active");
    alpha.run(&resource, "stop").exit(0);
    assert_eq!(alpha.tree().lines("device"), [""; 0]);
}
