//! Many device groups on one node at the same moment, and two actions on one group: a group waits for itself and for
//! nobody else.

use std::time::Duration;

use crate::fixture::sample::{self, ports};
use crate::fixture::{Cluster, Lists, Node, Outcome, Resource, Running, eventually};

/// Longer than any test, as the machine's clock has it.
const AGES: &str = "60m";

/// A device group of this name, with a device at this LUN.
pub(crate) fn named(name: &str, lun: u32) -> Resource {
    let device = format!("handler=vdisk_nullio,virtname=disk,export0=all:{lun}");
    Resource::device_group(name, &device).param("lip", "0")
}

fn ten() -> Vec<Resource> {
    (0..10).map(|n| named(&format!("g{n}"), n)).collect()
}

/// The name of a resource's device group.
fn group_of(resource: &Resource) -> &str {
    resource.id().trim_start_matches("scst_dg_")
}

/// Begins all actions before it waits for the first; none fails, and none writes anything of another group.
#[track_caller]
fn at_once(node: &Node, actions: &[(&Resource, &str)]) {
    let running: Vec<_> = actions.iter().map(|(group, action)| node.call(group).begin(action)).collect();
    for (run, (resource, action)) in running.into_iter().zip(actions) {
        let written = run.wait().exit(0).written();
        let name = group_of(resource);
        for write in &written {
            let ours = write.contains(&format!("{name}_disk")) || write.contains(&format!("{name}/"));
            // A LUN is taken out by its number, those of the last group by one command, and a group is made and removed by its
            // name alone.
            let unmaps = ["/luns/mgmt < del ", "/luns/mgmt < clear"].iter().any(|command| write.contains(command));
            let ours = ours || unmaps || write.ends_with(&format!(" {name}"));
            assert!(ours, "{action} of {name} wrote {write}");
            let last = write.rsplit(' ').next().unwrap_or_default();
            let errno = last.starts_with('E') && last.bytes().all(|b| b.is_ascii_uppercase());
            assert!(!errno, "{action} of {name} failed at {write}");
        }
    }
}

/// The states of the groups on alpha.
fn states(node: &Node, groups: &[Resource]) -> Vec<String> {
    groups.iter().map(|group| node.state(group_of(group), "alpha")).collect()
}

#[test]
fn ten_groups_live_their_lives_at_once() {
    let alpha = sample::with_ports().into_node("alpha");
    let before = alpha.tree();
    let groups = ten();
    let all = |action: &'static str| groups.iter().map(|group| (group, action)).collect::<Vec<_>>();
    at_once(&alpha, &all("start"));
    assert_eq!(states(&alpha, &groups), ["standby"; 10]);
    assert_eq!(alpha.tree().lines("lun").len(), 2 * 10);
    for group in &groups {
        alpha.run(group, "start").exit(0).writes(0);
        alpha.run(group, "monitor").exit(0);
    }
    at_once(&alpha, &all("promote"));
    assert_eq!(states(&alpha, &groups), ["active"; 10]);
    let second = |n: usize| format!("handler=vdisk_nullio,virtname=disk2,export0=all:{}", n + 100);
    let more: Vec<Resource> = groups.iter().enumerate().map(|(n, group)| group.param("device1", &second(n))).collect();
    at_once(&alpha, &more.iter().map(|group| (group, "reload")).collect::<Vec<_>>());
    assert_eq!(alpha.tree().lines("lun").len(), 2 * 20);
    // All kinds of actions side by side: what runs goes away, stops serving, changes or stays as it is.
    let mix = ["stop", "demote", "reload", "promote", "start", "stop", "demote", "reload", "monitor", "notify"];
    let mixed: Vec<_> = groups.iter().zip(mix).collect();
    let running: Vec<_> = mixed.iter().map(|(group, action)| alpha.call(group).begin(action)).collect();
    let codes: Vec<_> = running.into_iter().map(|run| run.wait().code()).collect();
    assert_eq!(codes, [0, 0, 0, 0, 0, 0, 0, 0, 8, 0].map(Some));
    assert_eq!(alpha.tree().lines("device group").len(), 8);
    let left: Vec<Resource> = groups.iter().enumerate().filter(|(n, _)| n % 5 != 0).map(|(_, g)| g.clone()).collect();
    assert_eq!(
        states(&alpha, &left),
        ["standby", "active", "active", "active", "standby", "active", "active", "active"]
    );
    at_once(&alpha, &all("stop"));
    assert_eq!(alpha.tree().lines("port"), before.lines("port"));
    assert_eq!(alpha.tree().lines("device"), [""; 0]);
    assert_eq!(alpha.tree().lines("lun"), [""; 0]);
}

/// A node on which `other` runs, and a start of the group `slow` that waits in the kernel until the clock is turned on.
fn beside_a_slow_start(cluster: &Cluster, rule: &str, meanwhile: impl FnOnce(&Node, &Resource)) -> Outcome {
    let alpha = cluster.node("alpha");
    let (slow, other) = (named("slow", 1), named("other", 2));
    alpha.run(&other, "start").exit(0);
    alpha.control(rule);
    let mut start = alpha.call(&slow).begin("start");
    eventually("the start has handed its device over", || {
        alpha.mount().writes().iter().any(|write| write.data.starts_with(b"add_device slow_disk"))
    });
    meanwhile(alpha, &other);
    assert!(start.is_running(), "the slow start was waited for");
    assert!(!alpha.exists("device_groups/slow"), "the slow start went on");
    alpha.control(&format!("skip {AGES}"));
    start.wait()
}

/// A failover to and from the group, without one program of the cluster asked but for the score.
fn fail_over(alpha: &Node, other: &Resource) {
    alpha.run(other, "promote").exit(0);
    assert_eq!(alpha.state("other", "alpha"), "active");
    alpha.run(other, "monitor").exit(8);
    let lists = Lists::new().list("active", &["alpha", "beta"]).list("promote", &["beta"]).event("pre", "promote");
    alpha.call(other).lists(&lists).run("notify").exit(0);
    alpha.run(other, "demote").exit(0);
    assert_eq!(alpha.state("other", "alpha"), "standby");
    alpha.run(other, "monitor").exit(0);
}

#[test]
fn a_failover_does_not_wait_for_a_device_that_another_group_adds() {
    let cluster = sample::with_ports();
    let rule = format!("slow path=*/vdisk_nullio/mgmt data=*add_device?slow* takes={AGES}");
    beside_a_slow_start(&cluster, &rule, fail_over).exit(0);
    cluster.node("alpha").run(&named("slow", 1), "start").exit(0).writes(0);
}

#[test]
fn a_table_that_another_group_is_about_to_use_is_not_cleared() {
    let cluster = sample::with_ports();
    let rule = format!("slow path=*/vdisk_nullio/mgmt data=*add_device?slow* takes={AGES}");
    let stop_unmaps = |alpha: &Node, other: &Resource, step: &str| {
        let plan = alpha.call(other).dry_run().run("stop").exit(0);
        assert_eq!(plan.stdout().matches(step).count(), 2, "{plan:?}");
    };
    let (one, table) = ("unmap device other_disk from LUN 2 of ", "unmap at once LUN 2 of ");
    beside_a_slow_start(&cluster, &rule, |alpha, other| stop_unmaps(alpha, other, one)).exit(0);
    let (alpha, other) = (cluster.node("alpha"), named("other", 2));
    stop_unmaps(alpha, &other, one);
    alpha.run(&named("slow", 1), "stop").exit(0);
    stop_unmaps(alpha, &other, table);
}

#[test]
fn nor_while_that_holds_the_lock_that_most_commands_need() {
    let cluster = sample::with_ports();
    let rule = format!("slow path=*/vdisk_nullio/mgmt data=*add_device?slow* takes={AGES} holds_mutex=true");
    // Its writer is told to come back later, and sees for itself that it was done.
    let slow = beside_a_slow_start(&cluster, &rule, fail_over).exit(0);
    assert_eq!(slow.times("add_device"), 1, "{slow:?}");
}

#[test]
fn nor_for_a_command_of_another_group_that_was_queued() {
    let cluster = sample::with_ports();
    let rule = format!("fault op=write path=**/vdisk_nullio/mgmt action=queue after={AGES}");
    let slow = beside_a_slow_start(&cluster, &rule, |alpha, other| {
        assert_eq!(alpha.mount().waiting(), 0, "the kernel has answered");
        fail_over(alpha, other);
    });
    assert_eq!(slow.exit(0).times("add_device"), 1);
}

#[test]
fn other_groups_start_reload_and_stop_beside_it_too() {
    let cluster = sample::with_ports();
    let rule = "fault op=write path=**/devices/slow_disk/prod_id action=hang";
    let alpha = cluster.node("alpha");
    alpha.control(rule);
    let (slow, groups) = (named("slow", 99), ten());
    let mut start = alpha.call(&slow).begin("start");
    eventually("the start waits", || alpha.mount().waiting() == 1);
    for action in ["start", "promote", "reload", "stop"] {
        at_once(alpha, &groups.iter().map(|group| (group, action)).collect::<Vec<_>>());
    }
    assert!(start.is_running() && alpha.mount().waiting() == 1);
    alpha.control("release");
    start.wait().exit(0);
    assert_eq!(alpha.tree().lines("device group"), ["device group slow"]);
}

/// A start of the group `one` that hangs in a write until the fault is released.
fn hung_start<'c>(node: &'c Node, group: &Resource) -> Running<'c> {
    node.control("fault op=write path=**/devices/one_disk/prod_id action=hang");
    let start = node.call(group).begin("start");
    eventually("the start waits", || node.mount().waiting() == 1);
    start
}

#[test]
fn what_somebody_runs_by_hand_waits_for_pacemakers_action_to_the_deadline() {
    let alpha = sample::with_ports().into_node("alpha");
    let group = named("one", 1);
    let start = hung_start(&alpha, &group);
    let limit = Duration::from_secs(1);
    // A stop does not wait as long: see the scenario of a stop beside a hung action.
    let by_hand: Vec<_> = ["start", "promote", "demote", "reload"]
        .map(|action| {
            alpha.call(&group).by_hand().env("OCF_RESOURCE_INSTANCE", group.id()).timeout(limit).begin(action)
        })
        .into();
    for run in by_hand {
        run.wait().exit(1).reason_has("another action on one").writes(0).within(limit);
    }
    alpha.call(&group).timeout(limit).run("demote").exit(1).reason_has("another action on one").within(limit);
    // Whoever looks, or only hears of peers, waits for nobody.
    alpha.run(&group, "monitor").exit(1);
    alpha.run(&group, "notify").exit(0);
    assert_eq!(alpha.mount().waiting(), 1);
    alpha.control("release");
    start.wait().exit(0);
}

#[test]
fn what_has_waited_goes_on_with_what_the_other_left() {
    let alpha = sample::with_ports().into_node("alpha");
    let group = named("one", 1);
    let start = hung_start(&alpha, &group);
    let promote = alpha.call(&group).by_hand().env("OCF_RESOURCE_INSTANCE", group.id()).begin("promote");
    alpha.control("release");
    let started = start.wait().exit(0).written();
    let promoted = promote.wait().exit(0).written();
    assert!(started.iter().any(|write| write.contains("create one")), "{started:#?}");
    assert_eq!(promoted, ["device_groups/one/target_groups/alpha/state < active"]);
    alpha.run(&group, "monitor").exit(8);
}

#[test]
fn two_actions_on_the_ports_wait_for_each_other_as_well() {
    let alpha = sample::nodes().up().into_node("alpha");
    alpha.control("modprobe qla2x00tgt");
    alpha.control("fault op=write path=**/ini_groups/mgmt action=hang");
    let start = alpha.call(&ports()).begin("start");
    eventually("the start waits", || alpha.mount().waiting() == 1);
    let limit = Duration::from_secs(1);
    for action in ["start", "reload"] {
        let run = alpha.call(&ports()).by_hand().timeout(limit).run(action);
        run.exit(1).reason_has("another action on ports").writes(0).within(limit);
    }
    let stop = alpha.call(&ports()).by_hand().begin("stop");
    alpha.control("release");
    start.wait().exit(0);
    stop.wait().exit(0);
    alpha.run(&ports(), "monitor").exit(7);
    assert_eq!(alpha.tree().lines("group"), [""; 0]);
}
