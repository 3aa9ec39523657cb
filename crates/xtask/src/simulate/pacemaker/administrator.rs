//! What people and accidents do to the cluster: its configuration, its nodes, and what it forgets.

use scst_core::ocf::action::Action;

use super::{Cluster, Instance, Lists};
use crate::simulate::world::NODES;

impl Cluster {
    /// A node lost power, or its connection to the others.
    pub(in crate::simulate) fn lose(&mut self, node: usize, cut: bool) {
        {
            let mut state = self.stage.lock();
            let what = if cut { "is cut off" } else { "loses power" };
            state.world.happened(format!("{} {what}", NODES[node]));
            state.world.disturbed |= cut || !self.fencing;
            state.world.dlm_loses(node, false);
            if cut {
                state.world.nodes[node].cut = true;
            } else {
                state.world.nodes[node].powered = false;
            }
        }
        self.stage.kill_all(Some(node));
        self.lost.insert(node);
        self.aborted = true;
    }

    /// A node that was off boots and joins.
    pub(in crate::simulate) fn boot(&mut self, node: usize) {
        self.stage.lock().world.boot(node);
        let cib = self.stage.lock().world.cib.clone();
        for resource in &mut self.resources {
            resource.instances[node] = Instance::new();
            if let Some(lower) = resource.lower.as_mut().filter(|lower| lower.at == Some(node)) {
                lower.at = None;
            }
            if resource.group.is_some() {
                cib.set_status_attribute(NODES[node], &format!("master-{}", resource.id), None).expect("a CIB");
                let group = resource.group.as_deref().unwrap_or_default();
                cib.set_status_attribute(NODES[node], &format!("scst-devices-{group}"), None).expect("a CIB");
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
                *instance = Instance { running: std::mem::take(&mut instance.running), ..Instance::new() };
            }
        }
        self.aborted = true;
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

    /// A parameter of a group changes that takes effect by a restart only, or somebody asks for one.
    pub(in crate::simulate) fn restart(&mut self, group: &str) {
        let of_group = self.resources.iter_mut().filter(|resource| resource.group.as_deref() == Some(group));
        for instance in of_group.flat_map(|resource| &mut resource.instances).filter(|instance| instance.active()) {
            instance.restart = true;
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
        match &mut self.resources[resource].lower {
            // The group follows.
            Some(lower) => lower.preferred = node,
            None => self.resources[resource].preferred = node,
        }
        self.aborted = true;
    }

    /// Somebody reloads by hand what was not changed: nothing may be written.
    pub(in crate::simulate) fn reload_by_hand(&mut self, r: usize, node: usize) {
        if !self.members().contains(&node)
            || !self.resources[r].instances[node].active()
            || self.resources[r].instances[node].failed
        {
            return;
        }
        let before = self.stage.lock().world.writes;
        let begun = vec![(r, node, self.begin(r, node, Action::Reload, &Lists::default(), Vec::new()))];
        self.wait(begun);
        let mut state = self.stage.lock();
        let written = state.world.writes - before;
        if written > 0 && !state.world.disturbed {
            let id = &self.resources[r].id;
            state
                .world
                .violated(format!("a reload of {id} on {} that changes nothing writes {written} times", NODES[node]));
        }
    }
}
