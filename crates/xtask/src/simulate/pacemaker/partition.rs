//! Nodes that leave the others without having stopped: cut off, fenced or not, and back again; and one that is shut down in good order.

use std::collections::BTreeSet;
use std::time::Duration;

use scst_core::ocf::action::Action;

use super::{Cluster, Lists, Role};
use crate::simulate::world::NODES;

impl Cluster {
    /// A node that is cut off has no quorum: it stops what it runs, as far as it comes until it is fenced.
    pub(super) fn stops_alone(&mut self, node: usize) {
        let (until, acts) = {
            let mut state = self.stage.lock();
            let cut = state.world.nodes[node].powered && state.world.nodes[node].cut;
            let time = Duration::from_millis(state.world.lot.below(1500) as u64);
            (state.world.now + time, cut && !state.world.lot.once_in(3))
        };
        let runs = |r: &usize| acts && self.resources[*r].instances[node].active();
        for r in (1..self.resources.len()).filter(runs).collect::<Vec<_>>() {
            let alone = BTreeSet::from([node]);
            let lists = Lists { active: alone.clone(), stop: alone, ..Lists::default() };
            self.begin(r, node, Action::Stop, &lists, Vec::new());
        }
        while acts && !self.world().is_over() && !self.stage.run(until).is_empty() {}
        self.stage.kill_all(Some(node));
    }

    /// Without fencing nobody stops a node that is cut off: it takes the others for lost, and serves.
    pub(in crate::simulate) fn serve_alone(&mut self, node: usize) {
        self.lose(node, true);
        self.world().split = true;
        self.world().untold = true;
        for r in 1..self.resources.len() {
            if self.resources[r].instances[node].role == Role::Unpromoted {
                let alone = BTreeSet::from([node]);
                let lists = Lists { active: alone.clone(), promote: alone, ..Lists::default() };
                self.begin(r, node, Action::Promote, &lists, Vec::new());
            }
        }
        for (r, node, outcome) in self.wait() {
            if outcome.exit == Some(0) {
                self.resources[r].instances[node].role = Role::Promoted;
                self.note(r, node);
            }
        }
    }

    /// A node that was cut off, and has gone on, is back.
    pub(in crate::simulate) fn rejoin(&mut self, node: usize) {
        self.happened(format!("{} is back", NODES[node]));
        self.world().nodes[node].cut = false;
        self.lost.remove(&node);
        self.aborted = true;
    }

    /// A node is shut down in good order.
    pub(in crate::simulate) fn shut_down(&mut self, node: usize) {
        self.set_standby(node, true);
        self.settle();
        self.standby.remove(&node);
        let stopped = self.resources.iter().all(|resource| resource.instances[node].role == Role::Stopped);
        if stopped && self.members().contains(&node) {
            self.happened(format!("{} is switched off", NODES[node]));
            self.world().nodes[node].powered = false;
            self.stage.kill_all(Some(node));
        }
        self.aborted = true;
    }
}
