//! `--dry-run`: the plan in sentences, and nothing written, loaded, remembered or told to the cluster.

use snapbox::assert::{Assert, DEFAULT_ACTION_ENV};
use snapbox::data::Inline;
use snapbox::str;

use crate::fixture::sample::{self, group, ports};
use crate::fixture::{Node, Resource};

/// Compares what a dry run prints.
#[track_caller]
fn plan(node: &Node, resource: &Resource, action: &str, expected: Inline) {
    Assert::new().action_env(DEFAULT_ACTION_ENV).eq(planned(node, resource, action), expected);
}

/// What a dry run prints, after seeing that it did nothing.
#[track_caller]
fn planned(node: &Node, resource: &Resource, action: &str) -> String {
    let (tree, traces, record) = (node.tree(), node.traces(), node.record(resource));
    let outcome = node.call(resource).dry_run().run(action).exit(0).writes(0);
    assert_eq!((node.tree(), node.traces(), node.record(resource)), (tree, traces, record), "{action}");
    // The one path of this machine that shows.
    let var_lib = node.var_lib();
    outcome.stdout().replace(var_lib.to_str().expect("a plain path"), "/var/lib/scst")
}

#[test]
fn of_the_ports() {
    let alpha = sample::nodes().up().into_node("alpha");
    plan(&alpha, &ports(), "stop", str![[""]]);
    plan(
        &alpha,
        &ports(),
        "start",
        str![[r#"
load module scst
load module qla2x00tgt
create initiator group vmwtest of port 21:00:00:24:ff:60:d0:10
set I/O group 101 on initiator group vmwtest of port 21:00:00:24:ff:60:d0:10
add initiator 50:01:43:80:03:b0:23:34 to initiator group vmwtest of port 21:00:00:24:ff:60:d0:10
add initiator 50:01:43:80:03:b0:23:36 to initiator group vmwtest of port 21:00:00:24:ff:60:d0:10
create initiator group vmwtest of port 21:00:00:24:ff:60:d0:11
set I/O group 101 on initiator group vmwtest of port 21:00:00:24:ff:60:d0:11
add initiator 50:01:43:80:03:b0:23:34 to initiator group vmwtest of port 21:00:00:24:ff:60:d0:11
add initiator 50:01:43:80:03:b0:23:36 to initiator group vmwtest of port 21:00:00:24:ff:60:d0:11
set relative target id 101 on port 21:00:00:24:ff:60:d0:10
set relative target id 102 on port 21:00:00:24:ff:60:d0:11
enable port 21:00:00:24:ff:60:d0:10
enable port 21:00:00:24:ff:60:d0:11

"#]],
    );
    assert_eq!(alpha.tree().lines(""), ["no SCST"]);
    assert_eq!(alpha.traces(), [""; 0]);
    alpha.run(&ports(), "start").exit(0);
    plan(&alpha, &ports(), "start", str![[""]]);
    plan(
        &alpha,
        &ports().param("initiators", "other=50:01:43:80:03:b0:23:99"),
        "reload",
        str![[r#"
create initiator group other of port 21:00:00:24:ff:60:d0:10
set I/O group 101 on initiator group other of port 21:00:00:24:ff:60:d0:10
add initiator 50:01:43:80:03:b0:23:99 to initiator group other of port 21:00:00:24:ff:60:d0:10
remove all initiators from initiator group vmwtest of port 21:00:00:24:ff:60:d0:10
delete initiator group vmwtest of port 21:00:00:24:ff:60:d0:10
create initiator group other of port 21:00:00:24:ff:60:d0:11
set I/O group 101 on initiator group other of port 21:00:00:24:ff:60:d0:11
add initiator 50:01:43:80:03:b0:23:99 to initiator group other of port 21:00:00:24:ff:60:d0:11
remove all initiators from initiator group vmwtest of port 21:00:00:24:ff:60:d0:11
delete initiator group vmwtest of port 21:00:00:24:ff:60:d0:11

"#]],
    );
    plan(
        &alpha,
        &ports(),
        "stop",
        str![[r#"
disable port 21:00:00:24:ff:60:d0:10
disable port 21:00:00:24:ff:60:d0:11
remove all initiators from initiator group vmwtest of port 21:00:00:24:ff:60:d0:10
delete initiator group vmwtest of port 21:00:00:24:ff:60:d0:10
remove all initiators from initiator group vmwtest of port 21:00:00:24:ff:60:d0:11
delete initiator group vmwtest of port 21:00:00:24:ff:60:d0:11

"#]],
    );
}

#[test]
fn of_a_device_group() {
    let alpha = sample::with_ports().into_node("alpha");
    plan(
        &alpha,
        &group(),
        "stop",
        str![[r#"
delete the promotion score of node alpha

"#]],
    );
    plan(
        &alpha,
        &group(),
        "start",
        str![[r#"
load module scst_disk
load module scst_vdisk
create directory /var/lib/scst/pr
add device dummy_lu0dummy with dummy=1 through vdisk_nullio
set prod_id SCST on device dummy_lu0dummy
create device group dummy
put device dummy_lu0dummy into device group dummy
create target group beta of device group dummy
set id 2 on target group beta of device group dummy
add port 21:00:00:1b:32:0b:52:75 to target group beta of device group dummy
set relative target id 201 on port 21:00:00:1b:32:0b:52:75 in target group beta of device group dummy
add port 21:01:00:1b:32:2b:52:75 to target group beta of device group dummy
set relative target id 202 on port 21:01:00:1b:32:2b:52:75 in target group beta of device group dummy
set state unavailable on target group beta of device group dummy
create target group alpha of device group dummy
set id 1 on target group alpha of device group dummy
add port 21:00:00:24:ff:60:d0:10 to target group alpha of device group dummy
add port 21:00:00:24:ff:60:d0:11 to target group alpha of device group dummy
set state standby on target group alpha of device group dummy
map device dummy_lu0dummy as LUN 0 of initiator group vmwtest of port 21:00:00:24:ff:60:d0:10
map device dummy_lu0dummy as LUN 0 of initiator group vmwtest of port 21:00:00:24:ff:60:d0:11
issue a loop initialisation through host1 on port 21:00:00:24:ff:60:d0:10
issue a loop initialisation through host2 on port 21:00:00:24:ff:60:d0:11
set the promotion score of node alpha to 5

"#]],
    );
    // A promotion of what does not run starts it first.
    let score = "set the promotion score of node alpha to";
    let start = planned(&alpha, &group(), "start");
    let serve = format!("set state active on target group alpha of device group dummy\n{score} 10\n");
    assert_eq!(planned(&alpha, &group(), "promote"), start.replace(&format!("{score} 5\n"), &serve));
    assert_eq!(alpha.score(&group()), None);
}

#[test]
fn of_a_device_group_that_runs() {
    let alpha = sample::started();
    plan(
        &alpha,
        &group(),
        "promote",
        str![[r#"
set state active on target group alpha of device group dummy
set the promotion score of node alpha to 10

"#]],
    );
    plan(&alpha, &group(), "demote", str![[""]]);
    alpha.run(&group(), "promote").exit(0);
    plan(
        &alpha,
        &group(),
        "promote",
        str![[r#"
set the promotion score of node alpha to 10

"#]],
    );
    plan(
        &alpha,
        &group(),
        "demote",
        str![[r#"
block device dummy_lu0dummy
wait for the commands in flight of device dummy_lu0dummy
set state transitioning on target group alpha of device group dummy
set state standby on target group alpha of device group dummy
unblock device dummy_lu0dummy

"#]],
    );
    plan(
        &alpha,
        &sample::grown(),
        "reload",
        str![[r#"
add device dummy_lu1 through vdisk_nullio
set prod_id SCST on device dummy_lu1
put device dummy_lu1 into device group dummy
map device dummy_lu1 as LUN 1 of initiator group vmwtest of port 21:00:00:24:ff:60:d0:10
map device dummy_lu1 as LUN 1 of initiator group vmwtest of port 21:00:00:24:ff:60:d0:11
set the promotion score of node alpha to 10

"#]],
    );
    let stop = planned(&alpha, &group(), "stop");
    let rest = stop.strip_prefix(&planned(&alpha, &group(), "demote")).expect("a stop begins as a demotion does");
    Assert::new().action_env(DEFAULT_ACTION_ENV).eq(
        rest.to_owned(),
        str![[r#"
set state unavailable on target group alpha of device group dummy
unmap at once LUN 0 of initiator group vmwtest of port 21:00:00:24:ff:60:d0:10
unmap at once LUN 0 of initiator group vmwtest of port 21:00:00:24:ff:60:d0:11
wait until no LUN is left of device dummy_lu0dummy
delete device dummy_lu0dummy
delete device group dummy
delete the promotion score of node alpha

"#]],
    );
    assert_eq!(alpha.score(&group()).as_deref(), Some("10"));
}

#[test]
fn on_a_machine_where_no_module_is_loaded() {
    let alpha = sample::nodes().up().into_node("alpha");
    let start = planned(&alpha, &group(), "start");
    let with_ports = planned(sample::with_ports().node("alpha"), &group(), "start");
    // What is on the ports is not known before their driver is loaded.
    let on_ports = |line: &&str| line.starts_with("map ") || line.starts_with("issue ");
    let (_, others): (Vec<_>, Vec<_>) = with_ports.lines().partition(on_ports);
    assert_eq!(start.lines().collect::<Vec<_>>(), [&["load module scst"], &others[..]].concat());
    assert_eq!(alpha.tree().lines(""), ["no SCST"]);
}

#[test]
fn the_plan_is_what_is_then_done() {
    let cluster = sample::with_ports();
    let alpha = cluster.node("alpha");
    let planned = alpha.call(&group()).dry_run().run("start").exit(0);
    let debug = cluster.dir().join("debug");
    let call = alpha.call(&group()).env("HA_debug", "1").env("HA_DEBUGLOG", debug.to_str().expect("a plain path"));
    call.run("start").exit(0);
    let log = std::fs::read_to_string(debug).expect("a debug log");
    let mut lines = log.lines();
    // The score is told to the cluster and the module to modprobe, and the kernel hears of neither.
    let of_kernel = |line: &&str| {
        !["load module", "create directory", "set the promotion score"].iter().any(|start| line.starts_with(start))
    };
    for sentence in planned.stdout().lines().filter(of_kernel) {
        assert!(
            lines.any(|line| line.ends_with(&format!(": {sentence}"))),
            "{sentence:?} is not done in its place:\n{log}"
        );
    }
}

#[test]
fn refusals_are_the_same() {
    let alpha = sample::nodes().up().into_node("alpha");
    alpha.call(&ports().without("initiators")).dry_run().run("start").exit(6);
    alpha.call(&group().without("device0")).dry_run().run("start").exit(6);
    alpha.call(&group()).dry_run().without_cluster().run("start").exit(1).reason_has("cibadmin");
    alpha.call(&group()).argument("--frobnicate").run("start").exit(3);
}
