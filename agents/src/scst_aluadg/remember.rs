//! What a start and a reload write into the state file before their first step and after success.

use std::collections::BTreeSet;

use scst_core::state::Storage;
use scst_core::state_file::StateFile;

use super::convergence::Convergence;
use super::instance::Instance;
use super::peers;
use super::published::Published;

impl Convergence<'_> {
    /// Writes into the state file what is, or is about to be, ours, what an earlier action was about to add, and by `mark`
    /// what a run that is killed has begun.
    pub(super) fn remember(
        &self,
        instance: &mut Instance,
        found: &Storage,
        wanted: &Storage,
        mark: impl FnOnce(&mut StateFile),
    ) {
        let devices: BTreeSet<_> = found.devices.keys().chain(wanted.devices.keys()).cloned().collect();
        let adding = instance.recorded().filter(|name| !devices.contains(*name)).cloned().collect();
        let peers = peers::remembered(found.group.as_ref(), wanted.group.as_ref(), &instance.remembered);
        self.record(instance, |file| {
            (file.devices, file.adding) = (devices, adding);
            mark(file);
        });
        instance.stamp(self.host, &self.topology.local.name, &peers);
    }

    /// Keeps the cluster's name for `naa_id=auto`: an action that adds a device later makes the same identifier without
    /// asking the cluster.
    pub(super) fn keep_cluster(&self) {
        if self.params.devices.iter().any(|device| device.naa_auto) && self.facts.cluster.is_some() {
            let known = Published::read(self.host, &self.params.group);
            Published { cluster: self.facts.cluster, ..known }.write(self.host, &self.params.group);
        }
    }

    /// After success only the configured devices are left.
    pub(super) fn forget_leftovers(&self, instance: &mut Instance, wanted: &Storage) {
        self.record(instance, |file| file.devices = wanted.devices.keys().cloned().collect());
    }

    fn record(&self, instance: &mut Instance, change: impl FnOnce(&mut StateFile)) {
        let own = &self.topology.local;
        instance.update(self.host, |file: &mut StateFile| {
            file.node = Some(own.name.clone());
            file.node_id = Some(own.id);
            file.ports.clone_from(&self.local.ports);
            change(file);
        });
    }
}
