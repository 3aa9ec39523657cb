//! `scst-ha check`: each thing that it looks at, as it should be and as it should not.

use std::fs;
use std::path::{Path, PathBuf};

use super::{data, serving, show};
use crate::fixture::sample::{ALPHA, HOST, answer, group, log_in, nodes, ports, with_ports};
use crate::fixture::{Cluster, Node, Outcome};

/// The root of a machine on which everything is as advised.
fn machine(cluster: &Cluster) -> PathBuf {
    let root = cluster.dir().join("root");
    let put = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let modules =
        ["scst", "scst_vdisk", "scst_disk", "qla2x00tgt"].map(|module| format!("extra/{module}.ko:\n")).concat();
    put("lib/modules/6.1.0-1-amd64/modules.dep", &modules);
    put("proc/sys/kernel/osrelease", "6.1.0-1-amd64\n");
    put("etc/modprobe.d/scst.conf", "blacklist qla2xxx\noptions qla2xxx_scst qlini_mode=disabled\n");
    root
}

#[track_caller]
pub(crate) fn check(node: &Node, root: &Path, arguments: &str) -> Outcome {
    node.tool(&format!("check {arguments}")).env("SCST_ROOT", root.to_str().unwrap()).go().writes(0)
}

/// What it says of one thing, with its level.
#[track_caller]
pub(crate) fn told(outcome: &Outcome, about: &str, part: &str) -> String {
    let found = data(outcome);
    let findings = found["findings"].as_array().unwrap();
    let fits = |finding: &&serde_json::Value| {
        finding["about"] == about && finding["text"].as_str().is_some_and(|text| text.contains(part))
    };
    let finding = findings.iter().find(fits).unwrap_or_else(|| panic!("{about}: {part}: {found:#}"));
    let level = finding["level"].as_str().unwrap().to_owned();
    assert!(level == "fine" || level == "unknown" || finding["cure"] != "", "no cure: {finding}");
    level
}

/// A CIB that is as advised, with what the cluster's nodes are.
fn advised(cluster: &Cluster) {
    let attribute = "scst-devices-dummy";
    let before = cluster.cib().load().unwrap();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/cib/sample.xml");
    fs::copy(sample, cluster.cib().path()).unwrap();
    for node in ["alpha", "beta"] {
        cluster.cib().set_status_attribute(node, attribute, before.transient(node, attribute)).unwrap();
    }
}

#[test]
fn a_machine_that_is_as_advised_is_fine() {
    let cluster = serving();
    advised(&cluster);
    let (alpha, root) = (cluster.node("alpha"), machine(&cluster));
    for (port, host) in ALPHA.iter().zip(HOST) {
        alpha.control(&format!("login qla2x00t {port} {host}"));
    }
    let checked = check(alpha, &root, "--json");
    for (about, part) in [
        ("SCST", "is loaded"),
        ("modules", "kernel 6.1.0-1-amd64 (running) has SCST's modules"),
        ("scst.service", "is not enabled"),
        ("/etc/scst.conf", "configures nothing"),
        ("qla2xxx", "is blacklisted"),
        ("node alpha", "has numbers"),
        ("fencing", "is on"),
        ("resource scst_dg_dummy", "starts after the ports"),
        ("resource scst_dg_dummy", "runs where the ports are up"),
        ("device group dummy", "is as configured"),
        ("persistent reservations", "is there"),
        ("device group dummy", "node beta has the same 1 devices"),
        ("agents", "these are of version"),
        ("agents", "those of node beta are of this version"),
    ] {
        assert_eq!(told(&checked, about, part), "fine", "{about}");
    }
    let text = check(alpha, &root, "");
    assert!(text.stdout().contains(" wrong\n") && !text.stdout().contains("is blacklisted"), "{text:?}");
    assert!(check(alpha, &root, "--all").stdout().contains("is blacklisted"));
}

#[test]
fn what_is_not_as_advised_is_told_with_a_cure() {
    let cluster = serving();
    let (alpha, root) = (cluster.node("alpha"), machine(&cluster));
    fs::remove_file(root.join("etc/modprobe.d/scst.conf")).unwrap();
    fs::write(root.join("lib/modules/6.1.0-1-amd64/modules.dep"), "extra/scst.ko:\n").unwrap();
    fs::write(root.join("etc/scst.conf"), "HANDLER vdisk_fileio {\n}\n").unwrap();
    let wants = root.join("etc/systemd/system/multi-user.target.wants");
    fs::create_dir_all(&wants).unwrap();
    std::os::unix::fs::symlink("/nowhere", wants.join("scst.service")).unwrap();
    alpha.control(&format!("port-state {} Linkdown", ALPHA[0]));
    cluster.configure(&[&ports().param("initiators", &format!("vmwtest={}", HOST[0])), &group()]);
    let checked = check(alpha, &root, "--json").code_is(3);
    for (about, part, level) in [
        ("modules", "lacks scst_vdisk, scst_disk, qla2x00tgt", "wrong"),
        ("scst.service", "starts at boot", "wrong"),
        ("/etc/scst.conf", "has content", "attention"),
        ("qla2xxx", "is not blacklisted", "attention"),
        (&format!("port {}", ALPHA[0]), "has no link", "wrong"),
        (&format!("port {}", ALPHA[1]), "no host is logged in", "attention"),
        ("fencing", "there is no fence device", "wrong"),
        ("resource scst_dg_dummy", "is not cloned", "wrong"),
        ("resource scst_dg_dummy", "no order says", "wrong"),
        ("resource scst_qla", "differs from its configuration", "attention"),
    ] {
        assert_eq!(told(&checked, about, part), level, "{about}");
    }
}

#[test]
fn without_scst_and_without_a_cluster_it_says_what_it_could_not_look_at() {
    let cluster = nodes().up();
    let root = machine(&cluster);
    let checked = cluster
        .node("alpha")
        .tool("check --json")
        .env("SCST_ROOT", root.to_str().unwrap())
        .without_cluster()
        .go()
        .writes(0)
        .code_is(3);
    assert_eq!(told(&checked, "SCST", "is not loaded"), "attention");
    assert_eq!(told(&checked, "cluster", "cluster could not be asked"), "unknown");
    assert_eq!(told(&checked, "qla2xxx", "no port"), "unknown");
    let none = cluster.dir().join("nothing");
    let checked = check(cluster.node("alpha"), &none, "--json");
    assert_eq!(told(&checked, "modules", "no kernel is installed"), "unknown");
}

#[test]
fn a_group_that_is_not_as_it_must_be_is_wrong() {
    let cluster = serving();
    let (alpha, root) = (cluster.node("alpha"), machine(&cluster));
    alpha.write("device_groups/dummy/target_groups/alpha/state", "transitioning");
    let checked = check(alpha, &root, "--json").code_is(3);
    assert_eq!(told(&checked, "device group dummy", "is transitioning"), "wrong");
    let _ = show(alpha, "status");
}

#[test]
fn devices_and_agents_of_the_other_node_are_compared_by_what_it_has_told() {
    let cluster = serving();
    advised(&cluster);
    let (alpha, root) = (cluster.node("alpha"), machine(&cluster));
    let attribute = "scst-devices-dummy";
    let said = cluster.cib().load().unwrap().transient("beta", attribute).unwrap().to_owned();
    let say = |text: Option<&str>| cluster.cib().set_status_attribute("beta", attribute, text).unwrap();
    let version = said.rsplit_once('@').unwrap().1;
    let checked = |text: Option<&str>| {
        say(text);
        check(alpha, &root, "--json")
    };
    let older = checked(Some(&said.replace(version, "0.0.1"))).code_is(3);
    assert_eq!(told(&older, "agents", "those of node beta were of version 0.0.1"), "attention");
    let oldest = checked(said.rsplit_once(";@").map(|(devices, _)| devices));
    assert_eq!(told(&oldest, "agents", "the version on node beta is not known"), "unknown");
    assert_eq!(told(&oldest, "device group dummy", "node beta has the same 1 devices"), "fine");
    let other = checked(Some("1;dummy_lu0dummy=-:512:eui.3737303736616564:00000000")).code_is(3);
    assert_eq!(told(&other, "device group dummy", "something else of dummy_lu0dummy"), "attention");
    let conflict = checked(Some("1;dummy_lu0dummy=-:4096:eui.3737303736616564:00000000")).code_is(3);
    assert_eq!(
        told(&conflict, "device group dummy", "its blocks have 512 bytes on node alpha, 4096 on node beta"),
        "wrong"
    );
    let silent = checked(None);
    assert_eq!(told(&silent, "device group dummy", "node beta has told nothing of its devices"), "unknown");
    assert_eq!(told(&silent, "agents", "the version on node beta is not known"), "unknown");
}

#[test]
fn reservations_that_only_this_node_has_are_named() {
    let cluster = with_ports();
    let path = cluster.disk("d0", 1 << 20);
    let disk = group()
        .param("device0", &format!("filename={},virtname=d0,naa_id=5000000000000001,export0=all:0", path.display()));
    cluster.serve(&disk);
    cluster.configure(&[&ports(), &disk]);
    let (alpha, root) = (cluster.node("alpha"), machine(&cluster));
    assert!(!show(alpha, "status").code_is(0).stdout().contains("registered"));
    log_in(alpha);
    assert_eq!(answer(alpha, "pr register 0 abc"), "good");
    let text = show(alpha, "status").code_is(0);
    for part in [
        "local, registered",
        "device dummy_d0: hosts have registered persistent reservations, of which only this node knows",
    ] {
        assert!(text.stdout().contains(part), "{part}: {text:?}");
    }
    assert_eq!(data(&show(alpha, "status --json"))["groups"][0]["devices"][0]["registered"], true);
    let found = check(alpha, &root, "--json").code_is(3);
    assert_eq!(told(&found, "device group dummy", "a failover forgets them"), "attention");
}

#[test]
fn shared_reservations_without_dlm_below_them_are_wrong() {
    let cluster = serving();
    cluster.configure(&[&ports(), &group().param("reservations", "shared")]);
    let (alpha, root) = (cluster.node("alpha"), machine(&cluster));
    let part = "is not started after and with a clone of ocf:pacemaker:controld";
    assert_eq!(told(&check(alpha, &root, "--json").code_is(3), "resource scst_dg_dummy", part), "wrong");
    assert!(show(alpha, "plan").stdout().contains(part));
}
