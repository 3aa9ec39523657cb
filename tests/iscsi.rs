//! Targets of iSCSI, held by a daemon: `scst_target` with `tgtdriver=iscsi`.

mod actions;
mod daemon;
mod drivers;
mod groups;
mod interrupted;
mod secrets;
mod served;
mod tool;
mod upgrade;

use std::path::PathBuf;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::fixture::{Call, Cluster, Fixture, Node, OneNode, Outcome, Resource, eventually};

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

/// What alpha's target shows of the sample's parameters: of one that the agent made, and of one that had values of its own before.
const SHOWN: &str = "IncomingUser=esx *** IncomingUser1=lab *** NopInInterval=10 QueuedCommands=64 allowed_portal=10.0.1.* \
                     allowed_portal1=10.0.2.*";
const SHOWN_BESIDES: &str = "IncomingUser1=esx *** IncomingUser2=lab *** NopInInterval=10 QueuedCommands=64 \
                             allowed_portal1=10.0.1.* allowed_portal2=10.0.2.*";

/// Alpha's target in its tree, with these lines of LUNs in its two groups.
fn port(shown: &str, esx: &str, lab: &str) -> String {
    format!(
        "\
port iscsi/{ALPHA} enabled=1 rel_tgt_id=101 {shown}
  group esx1 io_grouping_type=101
    initiator {ESX}
{esx}  group lab io_grouping_type=102
    initiator iqn.1993-08.org.debian:01:*
{lab}"
    )
}

/// An action whose daemon, where it starts one, writes its process id to [`pid_file`].
fn call<'n>(node: &'n Node, resource: &Resource) -> Call<'n> {
    node.call(resource).env("STAND_IN_PID_FILE", pid_file(node).to_str().expect("a plain path"))
}

fn run(node: &Node, resource: &Resource, action: &str) -> Outcome {
    call(node, resource).run(action)
}

fn pid_file(node: &Node) -> PathBuf {
    node.dir().join("daemon.pid")
}

/// Sends the node's daemon a signal, and waits until that shows.
fn signal(node: &Node, signal: Signal) {
    let pid = std::fs::read_to_string(pid_file(node)).expect("the daemon runs");
    let pid: i32 = pid.trim().parse().expect("a process id");
    kill(Pid::from_raw(pid), signal).expect("the daemon can be signalled");
    let stopped = || std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") T "));
    eventually("the daemon's new state", || match signal {
        Signal::SIGSTOP => stopped(),
        Signal::SIGCONT => !stopped(),
        _ => node.read("targets/iscsi/open_state") == "closed",
    });
}

/// Alpha with its targets up.
#[track_caller]
fn started() -> OneNode {
    let alpha = nodes().into_node("alpha");
    run(&alpha, &targets(), "start").exit(0);
    alpha
}

/// The same with the device group promoted on it.
#[track_caller]
fn serving() -> OneNode {
    let alpha = started();
    alpha.cluster().transition(&group()).start(&["alpha"]).promote(&["alpha"]).carry_out();
    alpha
}

/// A stop takes every target away.
#[track_caller]
fn stops(alpha: &Node) {
    run(alpha, &targets(), "stop").exit(0);
    assert_eq!(alpha.tree().lines("port"), [""; 0]);
}

/// A recurring monitor.
fn monitor(node: &Node, resource: &Resource) -> Outcome {
    call(node, resource).recurring().run("monitor")
}

/// A recurring monitor that compares everything.
fn thorough(node: &Node, resource: &Resource) -> Outcome {
    call(node, resource).recurring().level(10).run("monitor")
}

/// Alpha with its targets up, while its daemon answers nobody.
fn hanging() -> OneNode {
    let alpha = started();
    signal(&alpha, Signal::SIGSTOP);
    alpha
}

/// The target groups of a device group in alpha's tree, in these states, the second with its only port of this id.
fn target_groups([alpha, beta]: [&str; 2], id: u32) -> String {
    format!(
        "  target group alpha group_id=1 {alpha}\n    local {ALPHA} rel_tgt_id=101\n  \
         target group beta group_id=2 {beta}\n    remote {BETA} rel_tgt_id={id}\n"
    )
}

/// What an initiator gets.
fn login(node: &Node, words: &str) -> Result<String, String> {
    node.mount().control(&format!("login iscsi {words}")).map_err(|error| error.to_string())
}
