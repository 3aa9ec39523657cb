//! What people and accidents do to the cluster: its configuration, its nodes, and what it forgets.

use scst_core::ocf::action::Action;

use super::{Cluster, Extra, Instance, Lists, Role};
use crate::simulate::world::NODES;

impl Cluster {
    /// A node lost power, or its connection to the others.
    pub(in crate::simulate) fn lose(&mut self, node: usize, cut: bool) {
        {
            let mut world = self.world();
            let what = if cut { "is cut off" } else { "loses power" };
            world.happened(format!("{} {what}", NODES[node]));
            world.disturbed |= cut || !self.fencing;
            world.dlm_loses(node, false);
            let there = &mut world.nodes[node];
            (there.cut, there.powered) = (there.cut || cut, there.powered && cut);
        }
        if !cut {
            self.stage.kill_all(Some(node));
        }
        self.lost.insert(node);
        self.aborted = true;
    }

    /// A node that was off boots and joins.
    pub(in crate::simulate) fn boot(&mut self, node: usize) {
        self.world().boot(node);
        let cib = self.world().cib.clone();
        for resource in &mut self.resources {
            resource.instances[node] = Instance::default();
            resource.lower.take_if(|at| *at == node);
            let Some(group) = &resource.group else { continue };
            for name in [format!("master-{}", resource.id), format!("scst-devices-{group}")] {
                cib.set_status_attribute(NODES[node], &name, None).expect("a CIB");
            }
        }
        self.lost.remove(&node);
        self.aborted = true;
    }

    /// Somebody cleans up: failures are forgotten, and everything is probed again.
    pub(in crate::simulate) fn refresh(&mut self) {
        self.happened("refresh".to_owned());
        for resource in &mut self.resources {
            for instance in &mut resource.instances {
                let running = std::mem::take(&mut instance.running);
                *instance = Instance { running, restart: instance.restart, ..Instance::default() };
            }
        }
        self.aborted = true;
    }

    /// A parameter is set to what an action must refuse; or a node lists a port that is not there, or one that another node has.
    pub(in crate::simulate) fn misconfigure(&mut self, r: usize, node: usize, kind: usize) {
        let nodes = self.resources[0].instances.len();
        let other = (kind == 4).then_some((node + 1) % nodes);
        {
            let mut world = self.world();
            match kind {
                0..=2 => world.misconfigured.extend(0..nodes),
                // A start goes on without it.
                3 if self.resources[0].params.contains_key("missing_ports") => {}
                _ => world.misconfigured.extend([node].into_iter().chain(other)),
            }
            (world.owes_reload, world.disturbed, world.untold) = (true, true, true);
        }
        match kind {
            0 => self.configure(r, "device0", Some("virtname=lu0,filename=".to_owned())),
            1 => self.configure(r, "device1", Some("nonsense".to_owned())),
            2 => {
                let (name, value) = self.mistake();
                self.configure(0, name, Some(value.to_owned()));
            }
            3 => self.set_ports(node, &[0, 1, 9]),
            _ => {
                let theirs = self.world().target(other.unwrap_or_default(), 0);
                let ports = self.world().listed(node, &[0, 1]);
                self.list(node, &format!("{ports},{theirs}"));
            }
        }
    }

    /// What was misconfigured is set right.
    pub(in crate::simulate) fn set_right(&mut self) {
        self.world().misconfigured.clear();
        if !std::mem::take(&mut self.world().owes_reload) {
            return;
        }
        for node in 0..self.resources[0].instances.len() {
            self.set_ports(node, &[0, 1]);
        }
        for r in 0..self.resources.len() {
            let right = self.resources[r].right.clone();
            for name in ["device0", "device1", "initiators", "incoming_users", "portals"] {
                if self.resources[r].params.get(name) != right.get(name) {
                    self.configure(r, name, right.get(name).cloned());
                }
            }
            if r > 0 {
                let number = self.world().lot.next();
                self.configure(r, "reload", Some(number.to_string()));
            }
        }
        // Nothing of the ports' resource changes with the lists, for which its last reload may have been refused.
        for node in 0..self.resources[0].instances.len() {
            self.reload_by_hand(0, node);
        }
    }

    fn set_ports(&self, node: usize, ports: &[usize]) {
        let ports = self.world().listed(node, ports);
        self.list(node, &ports);
    }

    fn list(&self, node: usize, ports: &str) {
        self.happened(format!("{}: targetports={ports}", NODES[node]));
        let cib = self.world().cib.clone();
        cib.set_node_attribute(NODES[node], "targetports", Some(ports)).expect("a CIB");
    }

    /// A parameter is changed.
    pub(in crate::simulate) fn configure(&mut self, resource: usize, name: &str, value: Option<String>) {
        let id = self.resources[resource].id.clone();
        self.happened(format!("{id}: {name}={}", value.as_deref().unwrap_or("(removed)")));
        match value {
            Some(value) => self.resources[resource].params.insert(name.to_owned(), value),
            None => self.resources[resource].params.remove(name),
        };
        self.aborted = true;
    }

    /// A parameter of a group, or of the targets, changes that takes effect by a restart only, or somebody asks for one.
    pub(in crate::simulate) fn restart(&mut self, group: Option<&str>) {
        let of_group = self.resources.iter_mut().filter(|resource| resource.group.as_deref() == group);
        for instance in of_group.flat_map(|resource| &mut resource.instances) {
            // One that is not probed yet may be running.
            instance.restart |= instance.role != Role::Stopped;
        }
    }

    pub(in crate::simulate) fn set_standby(&mut self, node: usize, on: bool) {
        self.happened(format!("{} {}", NODES[node], if on { "to standby" } else { "online" }));
        if on {
            self.standby.insert(node)
        } else {
            self.standby.remove(&node)
        };
        self.aborted = true;
    }

    pub(in crate::simulate) fn prefer(&mut self, resource: usize, node: Option<usize>) {
        let id = self.resources[resource].id.clone();
        self.happened(format!("{id}: promoted {}", node.map_or("anywhere", |node| NODES[node])));
        self.resources[resource].preferred = node;
        self.aborted = true;
    }

    /// The agents of a node that has the shell agent are replaced while it runs.
    pub(in crate::simulate) fn upgrade(&mut self) {
        let mut world = self.world();
        if let Some(node) = world.nodes.iter().position(|node| node.shell) {
            world.nodes[node].shell = false;
            world.happened(format!("{} is upgraded", NODES[node]));
        }
    }

    /// The cluster lets go of all resources, or looks after them again.
    pub(in crate::simulate) fn maintain(&mut self, on: bool) {
        self.happened(format!("maintenance mode {}", if on { "on" } else { "off" }));
        self.maintenance = on;
        self.aborted = true;
    }

    /// Somebody runs an action from a shell, or ocf-tester does: nobody says anything of a transition, or of the node. `aside`: nobody waits
    /// for it either.
    pub(in crate::simulate) fn by_hand(&mut self, r: usize, node: usize, action: Action, aside: bool) {
        if !self.members().contains(&node) {
            return;
        }
        let resource = &self.resources[r];
        let (clone, tester) = {
            let mut world = self.world();
            (world.disturbed, world.untold) = (true, true);
            world.owes_reload |= resource.params != resource.instances[node].running;
            (world.lot.once_in(2), world.lot.once_in(2))
        };
        let mut env: Extra =
            resource.params.iter().map(|(name, value)| (format!("OCF_RESKEY_{name}"), value.clone())).collect();
        // `crm_resource --force-ACTION` with the id of the clone gives that; ports that were started so belong to that id.
        let clone = clone && (resource.group.is_some() || action != Action::Start);
        let instance = if clone { format!("ms_{}", resource.id) } else { resource.id.clone() };
        env.push(("OCF_RESOURCE_INSTANCE".to_owned(), instance));
        if tester {
            env.push(("OCF_RESKEY_CRM_meta_timeout".to_owned(), "20000".to_owned()));
            env.push(("OCF_RESKEY_CRM_meta_interval".to_owned(), "10000".to_owned()));
        }
        let label = format!("{} {action} by hand", resource.id);
        let agent = self.agent(r, node);
        self.world().count(format!("by hand {action}"));
        let id = self.stage.begin(r, node, agent, action, label, env);
        if aside {
            self.stage.lock().task(id).aside = true;
            return;
        }
        let failed = self.wait().iter().any(|(.., outcome)| outcome.exit != Some(0));
        // What was stopped by half still looks like running; whoever did that starts it again.
        self.resources[r].instances[node].restart |= action == Action::Stop && failed;
    }

    /// Somebody reloads by hand. Where nothing was changed, nothing may be written.
    pub(in crate::simulate) fn reload_by_hand(&mut self, r: usize, node: usize) {
        if !self.members().contains(&node)
            || !self.resources[r].instances[node].active()
            || self.resources[r].instances[node].failed
        {
            return;
        }
        let writes = |cluster: &Self| cluster.world().nodes.iter().map(|node| node.writes).sum::<u64>();
        let before = writes(self);
        self.begin(r, node, Action::Reload, &Lists::default(), Vec::new());
        self.wait();
        let written = writes(self) - before;
        let mut state = self.stage.lock();
        let unchanged = self.resources[r].instances[node].running == self.resources[r].params;
        // In maintenance mode the cluster does not know of it, and does nothing where the change is taken back.
        state.world.owes_reload |= !unchanged;
        let (id, of, excused) = (&self.resources[r].id, NODES[node], !unchanged || state.world.disturbed);
        let how = || format!("a reload of {id} on {of} that changes nothing writes {written} times");
        state.world.check("a reload that changes nothing writes nothing", excused, (written > 0).then(how));
    }
}
