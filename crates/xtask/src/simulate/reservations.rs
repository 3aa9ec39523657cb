//! Persistent reservations that the nodes of a group share: hosts register on all paths and reserve on one, DLM loses and fences nodes with the
//! cluster, and whatever happens, every node in a lockspace shows the same registrations and the same holder.

use std::collections::BTreeMap;

use scst_sim::model::{Kind, PrAnswer, PrCommand};

use super::world::{NODES, World};

/// The key that hosts register.
const KEY: u64 = 0xa11;

/// Write exclusive, registrants only: what `fence_scsi` reserves.
const KIND: u8 = 5;

impl World {
    /// The lock manager of a node starts with it.
    pub(super) fn dlm_starts(&mut self, node: usize) {
        let id = u32::try_from(node + 1).expect("a few nodes");
        let manager = self.dlm.clone();
        // What it was before it booted is over.
        manager.fence(id);
        self.nodes[node].machine.join_lock_manager(&manager, id);
    }

    /// A node does not answer any more; `fenced`: it is known to be down.
    pub(super) fn dlm_loses(&mut self, node: usize, fenced: bool) {
        let id = u32::try_from(node + 1).expect("a few nodes");
        if fenced { self.dlm.fence(id) } else { self.dlm.lose(id) }
    }

    /// A host registers on every path to a disk of a group, and reserves it on this node.
    pub(super) fn host_reserves(&mut self, node: usize, group: &str) {
        let luns = self.luns(node, group);
        if luns.is_empty() {
            return;
        }
        let (lun, device) = self.lot.one_of(&luns).clone();
        let register = PrCommand::Register { key: None, new: KEY, aptpl: false };
        for of in 0..self.nodes.len() {
            if self.nodes[of].powered && self.luns(of, group).contains(&(lun, device.clone())) {
                self.reserve(of, lun, register);
            }
        }
        let answer = self.reserve(node, lun, PrCommand::Reserve { key: KEY, kind: KIND });
        if answer == Some(PrAnswer::Good) {
            self.count("reservation of a host".to_owned());
        }
    }

    fn reserve(&mut self, node: usize, lun: u32, command: PrCommand) -> Option<PrAnswer> {
        if self.log_in(node, lun) != Some(false) {
            return None;
        }
        let (driver, target, host) = (self.driver(), self.target(node, 0), self.host());
        self.nodes[node].machine.persistent_reserve(driver, &target, host, lun, command).ok()
    }

    /// Every node that is in a lockspace shows the same of it.
    pub(super) fn same_reservations(&mut self) {
        let mut shown: BTreeMap<String, (&str, String)> = BTreeMap::new();
        for (node, name) in NODES.iter().enumerate().take(self.nodes.len()) {
            // Whoever is cut off is about to be fenced.
            if !self.nodes[node].powered || self.nodes[node].cut {
                continue;
            }
            let joined = self.nodes[node].machine.lockspaces();
            for device in self.names(node, "devices", Kind::Dir) {
                let id = self.value(node, &format!("devices/{device}/t10_dev_id")).unwrap_or_default();
                let shared =
                    self.value(node, &format!("devices/{device}/cluster_mode")).is_some_and(|mode| mode == "1");
                if !shared || !joined.contains(&format!("scst-{id}")) {
                    continue;
                }
                let state = self.text(node, &format!("devices/{device}/pr_state")).unwrap_or_default();
                let (other, same) = shown.entry(id).or_insert_with(|| (name, state.clone()));
                let how = || format!("reservations of {device} on {name} are {state:?}, on {other} {same:?}");
                let wrong = (*same != state).then(how);
                self.check("all nodes show the same reservations", false, wrong);
            }
        }
    }
}
