//! Nodes of one cluster that share the persistent reservations of their devices, as two machines with a real DLM were seen to do.

use nix::errno::Errno;
use scst_sim::model::LockManager;

use crate::fixture::{BARE, Fixture, errno};

const HOST: &str = "50:01:43:80:03:b0:23:34";
const OTHER: &str = "50:01:43:80:03:b0:23:35";
const PORT: &str = "21:00:00:24:ff:60:d0:10";

/// A node with a port of that relative id and a disk that two hosts see.
fn node(manager: &LockManager, id: u32) -> Fixture {
    let fixture = Fixture::of(&format!("{BARE}\n[[file]]\npath = \"/dev/a\"\nkind = \"block\"\nsize = 1048576\n"));
    fixture.mount.with_machine(|machine| machine.join_lock_manager(manager, id));
    let port = format!("targets/qla2x00t/{PORT}");
    fixture.write(&format!("{port}/rel_tgt_id"), &(100 * id + 1).to_string()).unwrap();
    fixture.write(&format!("{port}/enabled"), "1").unwrap();
    add(&fixture);
    fixture
}

fn add(fixture: &Fixture) {
    fixture.write("handlers/vdisk_blockio/mgmt", "add_device d1 filename=/dev/a; cluster_mode=1").unwrap();
    fixture.write(&format!("targets/qla2x00t/{PORT}/luns/mgmt"), "add d1 0").unwrap();
    for host in [HOST, OTHER] {
        if !fixture.names(&format!("targets/qla2x00t/{PORT}/sessions")).iter().any(|name| name == host) {
            fixture.mount.control(&format!("login qla2x00t {PORT} {host}")).unwrap();
        }
    }
}

fn pr(fixture: &Fixture, host: &str, command: &str) -> String {
    fixture.mount.control(&format!("pr qla2x00t {PORT} {host} 0 {command}")).unwrap_or_else(|refused| refused.reason)
}

/// What two nodes show is the same, and has these words in it.
#[track_caller]
fn same(nodes: [&Fixture; 2], words: &str) {
    let [one, two] = nodes.map(|node| node.read("devices/d1/pr_state").unwrap());
    assert_eq!(one, two);
    assert!(one.contains(words), "{words:?} in {one}");
}

#[test]
fn registrations_and_holder_are_the_same_on_all_nodes() {
    let manager = LockManager::default();
    let [alpha, beta] = [1, 2].map(|id| node(&manager, id));
    assert_eq!(pr(&alpha, HOST, "register 0 abc"), "good");
    assert_eq!(pr(&beta, HOST, "register 0 abc"), "good");
    assert_eq!(pr(&beta, OTHER, "register 0 def"), "good");
    assert_eq!(pr(&alpha, HOST, "reserve abc 5"), "good");
    same([&alpha, &beta], "reservation 05 00\nregistrant 101 0000000000000abc 1 ");
    assert_eq!(pr(&beta, OTHER, "reserve def 5"), "conflict");
    assert_eq!(pr(&beta, OTHER, "reservation"), "generation 3 key 0000000000000abc scope 0 type 5");
    assert_eq!(beta.mount.unknowns().len(), 0);
    // The kernel shows the lockspace, and who is in it.
    let id = alpha.read("devices/d1/t10_dev_id").unwrap();
    let space = format!("scst-{}", id.lines().next().unwrap());
    let list = |fixture: &Fixture, path: &str| {
        let mut names: Vec<_> = std::fs::read_dir(fixture.mount.dir().join("kernel").join(path))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let members = format!("config/dlm/cluster/spaces/{space}/nodes");
    assert_eq!((list(&beta, "dlm"), list(&beta, &members)), (vec![space.clone()], vec!["1".into(), "2".into()]));
    // Who leaves and comes back finds what there is.
    beta.write("handlers/vdisk_blockio/mgmt", "del_device d1").unwrap();
    assert_eq!((list(&beta, "dlm").len(), list(&alpha, &members)), (0, vec!["1".into()]));
    add(&beta);
    same([&alpha, &beta], "registrant 101 0000000000000abc 1 ");
}

#[test]
fn a_lost_node_keeps_changes_waiting_until_it_is_fenced_and_nothing_is_forgotten() {
    let manager = LockManager::default();
    let [alpha, beta] = [1, 2].map(|id| node(&manager, id));
    pr(&alpha, HOST, "register 0 abc");
    pr(&beta, HOST, "register 0 abc");
    pr(&alpha, HOST, "reserve abc 6");
    beta.mount.control("dlm lost 1").unwrap();
    assert!(pr(&beta, OTHER, "register 0 def").contains("EBUSY"));
    assert_eq!(pr(&beta, HOST, "keys"), "generation 2 keys 0000000000000abc 0000000000000abc");
    beta.mount.control("dlm fenced 1").unwrap();
    assert_eq!(pr(&beta, OTHER, "register 0 def"), "good");
    assert_eq!(pr(&beta, OTHER, "reserve def 6"), "conflict");
}

#[test]
fn dlm_under_a_lockspace_is_not_stopped_and_the_last_node_takes_the_reservations_with_it() {
    let manager = LockManager::default();
    let [alpha, beta] = [1, 2].map(|id| node(&manager, id));
    pr(&alpha, HOST, "register 0 abc");
    assert_eq!(alpha.mount.control("dlm stop").unwrap_err().errno, Errno::EBUSY);
    for node in [&alpha, &beta] {
        node.write("handlers/vdisk_blockio/mgmt", "del_device d1").unwrap();
    }
    alpha.mount.control("dlm stop").unwrap();
    add(&beta);
    assert_eq!(beta.read("devices/d1/pr_state").unwrap(), "version 1\ngeneration 0\n");
    let long = "add_device d2 filename=/dev/a; active=0; t10_dev_id=0123456789012345678901234567; cluster_mode=1";
    assert_eq!(errno(beta.write("handlers/vdisk_blockio/mgmt", long)), Errno::EINVAL);
}
