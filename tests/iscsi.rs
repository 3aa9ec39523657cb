//! Targets of iSCSI, held by a daemon: `scst_target` with `tgtdriver=iscsi`.

mod actions;
mod daemon;
mod drivers;
mod groups;
mod interrupted;
mod secrets;
mod sequences;
mod served;
mod tool;
mod upgrade;

use std::path::PathBuf;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::fixture::{Call, Cluster, Fixture, Node, Outcome, Resource, eventually};

/// The target of each node.
const ALPHA: &str = "iqn.2026-01.org.example:alpha";
const BETA: &str = "iqn.2026-01.org.example:beta";
/// An initiator of group `esx1`, and one that the pattern of group `lab` matches.
const ESX: &str = "iqn.1998-01.com.vmware:esx1-4c5d";
const LAB: &str = "iqn.1993-08.org.debian:01:lab7";
const SECRET: &str = "longsecret1234";

/// The targets of the sample.
fn targets() -> Resource {
    Resource::targets("scst_iscsi", "iscsi")
        .param("portals", "10.0.1.*,10.0.2.*")
        .param("incoming_users", &format!("esx {SECRET};lab othersecret567"))
        .param("initiators", &format!("esx1={ESX};lab=iqn.1993-08.org.debian:01:*"))
        .param("attributes", "QueuedCommands=64,NopInInterval=10")
}

/// A device group of it, with a LUN for each initiator group.
fn group() -> Resource {
    Resource::group("scst_dg_vm")
        .param("groupname", "vm")
        .param("tgtdriver", "iscsi")
        .param("device0", "handler=vdisk_nullio,virtname=root,dummy=1,export0=esx1:0,export1=lab:0")
}

/// Two nodes with a target each; no module is loaded.
fn nodes() -> Cluster {
    Fixture::new().node("alpha", 1).targetports(ALPHA).node("beta", 2).targetports(BETA).up()
}

/// An action whose daemon, where it starts one, writes its process id to [`pid_file`].
fn call<'n>(cluster: &Cluster, node: &'n Node, resource: &Resource) -> Call<'n> {
    node.call(resource).env("STAND_IN_PID_FILE", pid_file(cluster, node).to_str().expect("a plain path"))
}

fn run(cluster: &Cluster, node: &Node, resource: &Resource, action: &str) -> Outcome {
    call(cluster, node, resource).run(action)
}

fn pid_file(cluster: &Cluster, node: &Node) -> PathBuf {
    cluster.dir().join(format!("{}-daemon", node.name()))
}

/// Sends the node's daemon a signal, and waits until that shows.
fn signal(cluster: &Cluster, node: &Node, signal: Signal) {
    let pid = std::fs::read_to_string(pid_file(cluster, node)).expect("the daemon runs");
    let pid: i32 = pid.trim().parse().expect("a process id");
    kill(Pid::from_raw(pid), signal).expect("the daemon can be signalled");
    let stopped = || std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") T "));
    eventually("the daemon's new state", || match signal {
        Signal::SIGSTOP => stopped(),
        Signal::SIGCONT => !stopped(),
        _ => node.read("targets/iscsi/open_state") == "closed",
    });
}

/// What an initiator gets.
fn login(node: &Node, words: &str) -> Result<String, String> {
    node.mount().control(&format!("login iscsi {words}")).map_err(|error| error.to_string())
}
