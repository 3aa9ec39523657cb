//! What the agents ask of the kernel, counted: budgets that do not depend on how fast a machine is.

use scst_sim::counters::Counts;

use crate::fixture::{Cluster, Fixture, Node, Resource};

/// A node with so many ports, initiator groups and devices, and the two resources that make it serve.
struct Size {
    ports: usize,
    groups: usize,
    devices: usize,
}

impl Size {
    fn cluster(&self) -> Cluster {
        let mut fixture = Fixture::new().node("alpha", 1);
        for port in 0..self.ports {
            fixture = fixture.port(&format!("21:00:00:24:ff:60:d0:{port:02x}"));
        }
        fixture.node("beta", 2).port("21:00:00:1b:32:0b:52:75").port("21:01:00:1b:32:2b:52:75").up()
    }

    fn target(&self) -> Resource {
        let groups: Vec<_> = (0..self.groups)
            .map(|group| format!("esx{group}=50:01:43:80:03:b0:{:02x}:{:02x}", group / 256, group % 256))
            .collect();
        Resource::ports("scst_qla").param("initiators", &groups.join(";"))
    }

    fn group(&self) -> Resource {
        let mut resource =
            Resource::group("scst_dg_many").param("groupname", "many").param("tgtdriver", "qla2x00t").param("lip", "0");
        for device in 0..self.devices {
            let text = format!("handler=vdisk_nullio,virtname=lu{device},export0=all:{device}");
            resource = resource.param(&format!("device{device}"), &text);
        }
        resource
    }
}

/// What one run asked of the kernel.
fn counted(node: &Node, run: impl FnOnce()) -> Counts {
    node.mount().reset_counters();
    run();
    node.counters().total
}

/// Attributes, directories and links that were opened.
fn opened(counts: Counts) -> u64 {
    counts.opens + counts.lists + counts.readlinks
}

/// Everything that was asked for.
fn asked(counts: Counts) -> u64 {
    counts.reads + counts.writes + counts.lists + counts.readlinks
}

/// The attributes, links and directories of the wanted state of a device group: device, its settings and its name in the group;
/// per LUN its directory, its device, its attribute and its name among the exports; per target group itself, state and id; per
/// port a link, or a directory with an id.
fn wanted(size: &Size) -> u64 {
    let (ports, groups, devices) = (size.ports as u64, size.groups as u64, size.devices as u64);
    let per_device = 1 + 1 + 1 + 4;
    let per_lun = 4;
    let target_groups = 2 * 3 + ports + 2 * 2;
    1 + target_groups + devices * (per_device + per_lun * ports * groups)
}

/// What is counted in the life of both resources, under a name each.
fn life(size: &Size) -> Vec<(String, Counts)> {
    let alpha = size.cluster().into_node("alpha");
    let (target, group) = (size.target(), size.group());
    let changed = group.param("device0", "handler=vdisk_nullio,virtname=other,export0=all:0");
    let mut life = Vec::new();
    let parts: [(&str, &Resource, &[&str]); 4] = [
        ("ports", &target, &["start", "start again", "monitor"]),
        ("group", &group, &["start", "start again", "monitor in standby", "promote", "monitor promoted"]),
        ("group", &changed, &["reload", "demote", "stop"]),
        ("ports", &target, &["reload", "stop"]),
    ];
    for (what, resource, steps) in parts {
        for step in steps {
            let action = step.split(' ').next().unwrap_or_default();
            let code = if *step == "monitor promoted" { 8 } else { 0 };
            life.push((format!("{what} {step}"), counted(&alpha, || _ = alpha.run(resource, action).exit(code))));
        }
    }
    life
}

fn of(life: &[(String, Counts)], name: &str) -> Counts {
    life.iter().find(|(known, _)| known == name).expect("a step of this name").1
}

#[test]
fn a_monitor_opens_a_handful_of_files() {
    for (ports, groups, devices) in [(1, 1, 1), (2, 2, 3), (2, 16, 3), (4, 2, 12)] {
        let life = life(&Size { ports, groups, devices });
        let standby = of(&life, "group monitor in standby");
        let promoted = of(&life, "group monitor promoted");
        let target = of(&life, "ports monitor");
        assert!(opened(standby) <= 8, "{standby}");
        assert!(opened(promoted) <= 8 + devices as u64, "{devices} devices: {promoted}");
        assert!(opened(target) <= 3 * ports as u64 + 4, "{ports} ports: {target}");
        for counts in [standby, promoted, target] {
            assert_eq!(counts.writes, 0);
        }
    }
}

#[test]
fn a_start_reads_little_and_writes_the_plan() {
    for (ports, groups, devices) in [(1, 1, 1), (2, 2, 3), (2, 8, 40)] {
        let size = Size { ports, groups, devices };
        let alpha = size.cluster().into_node("alpha");
        alpha.run(&size.target(), "start").exit(0);
        let group = size.group();
        let plan = alpha.call(&group).dry_run().run("start").exit(0).stdout().to_owned();
        // What the dry run says besides steps is done by others than the tree.
        let elsewhere = ["load module ", "create directory ", "set the promotion score "];
        let steps = plan.lines().filter(|line| !elsewhere.iter().any(|words| line.starts_with(words)));
        let start = counted(&alpha, || _ = alpha.run(&group, "start").exit(0));
        assert_eq!(start.writes, steps.count() as u64, "{plan}");
        assert!(opened(start) - start.writes <= 2 * wanted(&size), "{} wanted: {start}", wanted(&size));
        let again = counted(&alpha, || _ = alpha.run(&group, "start").exit(0));
        assert_eq!(again.writes, 0);
        assert!(opened(again) <= 2 * wanted(&size), "{} wanted: {again}", wanted(&size));
    }
}

/// Three sizes lie on one line: twice the way costs twice as much.
#[track_caller]
fn linear(what: &str, sizes: &[Size; 3], by: fn(&Size) -> usize) {
    let at = sizes.each_ref().map(|size| by(size) as u64);
    let [small, middle, large] = sizes.each_ref().map(life);
    for (((name, small), (_, middle)), (_, large)) in small.iter().zip(&middle).zip(&large) {
        let near = (asked(*middle) - asked(*small)) * (at[2] - at[1]);
        let far = (asked(*large) - asked(*middle)) * (at[1] - at[0]);
        assert_eq!(near, far, "{name} with {at:?} {what}:\n{small}\n{middle}\n{large}");
    }
}

#[test]
fn work_grows_with_devices_in_a_line() {
    // Not from one: a reload that takes the only device away clears the whole table, which is another way.
    linear("devices", &[2, 64, 256].map(|devices| Size { ports: 2, groups: 2, devices }), |size| size.devices);
}

#[test]
fn work_grows_with_ports_in_a_line() {
    linear("ports", &[1, 4, 8].map(|ports| Size { ports, groups: 2, devices: 3 }), |size| size.ports);
}

#[test]
fn work_grows_with_initiator_groups_in_a_line() {
    linear("initiator groups", &[1, 33, 99].map(|groups| Size { ports: 2, groups, devices: 2 }), |size| size.groups);
}

#[test]
fn a_failover_writes_little() {
    for devices in [1, 3, 24] {
        let life = life(&Size { ports: 2, groups: 2, devices });
        let (demote, promote) = (of(&life, "group demote"), of(&life, "group promote"));
        // One peer.
        let budget = 4 * devices as u64 + 6 + 2;
        assert!(demote.writes + promote.writes <= budget, "{devices} devices: {demote} and {promote}");
    }
}

#[test]
fn two_nodes_change_places_with_few_writes() {
    for devices in [1, 3, 24] {
        let size = Size { ports: 2, groups: 2, devices };
        let (cluster, group) = (size.cluster(), size.group());
        for node in ["alpha", "beta"] {
            // The other node has the same ports' resource; that its hosts are the same does not matter.
            cluster.node(node).run(&size.target(), "start").exit(0);
        }
        cluster.serve(&group);
        let runs = cluster.transition(&group).demote(&["alpha"]).promote(&["beta"]).carry_out();
        for node in ["alpha", "beta"] {
            let own = runs.iter().filter(|(what, _)| what.ends_with(node));
            let writes: Vec<String> = own.flat_map(|(_, run)| run.written()).collect();
            // One peer; all notifications are in it.
            assert!(writes.len() <= 4 * devices + 6 + 2, "{devices} devices, {node}: {writes:#?}");
        }
    }
}
