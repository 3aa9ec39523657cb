//! The type [`Instance`]: one device group on this node with its state file, as every action has it. It says which
//! devices are ours, looks at them, gives back blocks that a killed run has left, and writes the state file.

use std::collections::{BTreeMap, BTreeSet};

use scst_core::apply::{AfterFailure, Applied};
use scst_core::error::Error;
use scst_core::observe::{Detail, Observer};
use scst_core::ocf::exit::Failure;
use scst_core::plan::Step;
use scst_core::plan::storage::{Scope, release};
use scst_core::scst::alua::AluaState;
use scst_core::scst::device::Owed;
use scst_core::scst::names::{DeviceName, Driver, GroupName, NodeName, TargetName};
use scst_core::state::{Blocks, Held, Storage, TargetGroup, TargetGroupView, View};
use scst_core::state_file::{Remembered, StateFile};

use super::group_view::GroupView;
use super::params::{Params, StopParams};
use super::peers;
use super::score::{Score, show_score};
use crate::host::{Host, first_failure};

/// One device group on this node, as far as it can be known without a valid configuration.
#[derive(Debug)]
pub(super) struct Instance {
    /// The group.
    pub(super) group: GroupName,
    /// The driver whose ports export it.
    pub(super) driver: Driver,
    /// The state file as earlier actions have left it.
    pub(super) remembered: Remembered,
    /// The file could not be written when that changed last.
    pub(super) unwritten: bool,
}

impl Instance {
    /// The instance that the environment and the state file describe; `None` when neither names a group.
    pub(super) fn find(host: &Host<'_>) -> Option<Self> {
        let StopParams { group, driver } = Params::for_stop(&host.context.env);
        let remembered = host.state_files.read(group.as_ref());
        let group = group.or_else(|| remembered.known().and_then(|file| file.group.clone()))?;
        let driver = driver.unwrap_or(Driver::Qla2x00t);
        Some(Self { group, driver, remembered, unwritten: false })
    }

    /// Reads the state file again, which another action may have written while we waited for the lock.
    pub(super) fn refresh(&mut self, host: &Host<'_>) {
        self.remembered = host.state_files.read(Some(&self.group));
    }

    /// Waits for other actions on this group to end.
    pub(super) fn lock(&self, host: &Host<'_>) -> Result<Option<impl Drop + use<>>, Failure> {
        host.lock(self.group.as_str())
    }

    /// Whether a device that is a member of our group is ours: it has our prefix, or the state file names it.
    pub(super) fn owns(&self, device: &DeviceName) -> bool {
        device.belongs_to(&self.group) || self.recorded().any(|name| name == device)
    }

    /// Our devices with everything about them, their LUNs, and the group.
    pub(super) fn storage(&self, host: &Host<'_>, observer: Observer<'_>) -> Result<Storage, Error> {
        let found = observer.storage(&self.group, &self.named(host), |device| self.owns(device), Detail::Settings)?;
        Ok(self.with_owed(found))
    }

    /// The same without settings, for a stop.
    pub(super) fn to_remove(&self, host: &Host<'_>, observer: Observer<'_>) -> Result<Storage, Error> {
        let found = observer.storage(&self.group, &self.named(host), |device| self.owns(device), Detail::Names)?;
        Ok(self.with_owed(found))
    }

    /// Adds the blocks of ours that the state file names.
    fn with_owed(&self, mut found: Storage) -> Storage {
        for (device, owed) in self.blocked() {
            if let Some(found) = found.devices.get_mut(device) {
                found.owed = Some(*owed);
            }
        }
        found
    }

    /// The ports of this node with their relative target port identifiers: those of the state file, else the members of
    /// its target group `own` (with 0).
    pub(super) fn ports(&self, own: Option<&TargetGroup>) -> Vec<(TargetName, u16)> {
        let recorded = self.remembered.known().map(|file| file.ports.clone()).unwrap_or_default();
        if !recorded.is_empty() {
            return recorded;
        }
        own.into_iter().flat_map(|own| own.members.keys()).map(|port| (port.clone(), 0)).collect()
    }

    /// The devices that the configuration names.
    pub(super) fn configured(&self, host: &Host<'_>) -> BTreeSet<DeviceName> {
        Params::device_names(&host.context.env, &self.group)
    }

    /// The devices that are ours wherever they are.
    pub(super) fn named(&self, host: &Host<'_>) -> BTreeSet<DeviceName> {
        let mut named = self.configured(host);
        named.extend(self.recorded().cloned());
        named
    }

    /// The devices that the state file names.
    pub(super) fn recorded(&self) -> impl Iterator<Item = &DeviceName> {
        self.remembered.known().into_iter().flat_map(StateFile::named_devices)
    }

    /// The group with its target groups, and the blocks of those devices that a killed run may have left blocked: what
    /// a promotion needs, in few reads.
    pub(super) fn quick(&self, observer: Observer<'_>) -> Result<GroupView, Error> {
        let group = observer.device_group(&self.group)?;
        let blocks = self.blocks(observer, self.blocked().keys())?;
        Ok(GroupView { group, blocks })
    }

    /// The same with the blocks of all our devices, for a demotion, which blocks them.
    pub(super) fn with_blocks(&self, observer: Observer<'_>) -> Result<GroupView, Error> {
        let group = observer.device_group(&self.group)?;
        let members = group.iter().flat_map(|group| group.devices.iter()).filter(|device| self.owns(device));
        let blocks = self.blocks(observer, members.chain(self.blocked().keys()))?;
        Ok(GroupView { group, blocks })
    }

    /// The blocks on those of these devices that are there.
    fn blocks<'d>(&self, observer: Observer<'_>, names: impl Iterator<Item = &'d DeviceName>) -> Result<Blocks, Error> {
        let mut blocks = Blocks::new();
        for name in names.collect::<BTreeSet<_>>() {
            if let Some(block) = observer.block(name)? {
                blocks.insert(name.clone(), Held { block, owed: self.blocked().get(name).copied() });
            }
        }
        Ok(blocks)
    }

    /// The states of the target groups of these nodes, and whether the kernel takes them for remote.
    pub(super) fn view<'n>(
        &self,
        observer: Observer<'_>,
        nodes: impl Iterator<Item = &'n NodeName>,
    ) -> Result<View, Error> {
        let mut view = View::new();
        for node in nodes {
            let Some(state) = observer.alua_state(&self.group, node)? else { continue };
            let remote = observer.members(&self.group, node)?.iter().any(|(_, local)| !local);
            view.insert(node.clone(), TargetGroupView { state, remote });
        }
        Ok(view)
    }

    /// Whether a start has begun and not ended. A fresh target group reads `active`, so what a killed start has left
    /// may look like a promoted instance.
    pub(super) fn half_started(&self) -> bool {
        self.remembered.known().is_some_and(|file| file.starting)
    }

    /// When this node was demoted for another one, for which hosts are told to wait since, in seconds since this
    /// machine booted.
    pub(super) fn moving(&self) -> Option<u64> {
        self.remembered.known().and_then(|file| file.moving)
    }

    /// The devices that an action wrote into the state file before it blocked them, and whose block is not known to be
    /// gone.
    pub(super) fn blocked(&self) -> &BTreeMap<DeviceName, Owed> {
        static NONE: BTreeMap<DeviceName, Owed> = BTreeMap::new();
        self.remembered.known().map_or(&NONE, |file| &file.blocks)
    }

    /// Gives back the blocks that earlier runs have left, and no others. One that a helper process waits in the kernel
    /// to give back stays in the state file.
    pub(super) fn release(&mut self, host: &Host<'_>, found: &mut Storage) -> Result<(), Failure> {
        let mut blocks = found.blocks();
        let released = self.release_blocks(host, &mut blocks);
        found.set_blocks(&blocks);
        released
    }

    /// The same where only the blocks of the devices are known.
    pub(super) fn release_blocks(&mut self, host: &Host<'_>, found: &mut Blocks) -> Result<(), Failure> {
        if self.blocked().is_empty() {
            return Ok(());
        }
        let steps = release(found, self.blocked());
        let applied = host.apply(&steps, AfterFailure::GoOn);
        if host.dry_run() {
            return Ok(());
        }
        let before = self.blocked().clone();
        self.settle_blocks(host, &before.keys().cloned().collect(), &applied);
        for (device, owed) in before {
            let Some(found) = found.get_mut(&device) else { continue };
            found.owed = self.blocked().get(&device).copied();
            if found.owed.is_none() {
                found.block.count = found.block.count.min(owed.before);
            }
        }
        first_failure(&applied).map_or(Ok(()), Err)
    }

    /// Writes into the state file what became of the blocks of the devices `given`. One that was given back is removed
    /// even if another could not be: what blocks that device later is somebody else's.
    pub(super) fn settle_blocks(&mut self, host: &Host<'_>, given: &BTreeSet<DeviceName>, applied: &Applied) {
        // A block that was not answered may still come about.
        let unsure = |device: &DeviceName| {
            applied.failed.iter().any(|failed| match &failed.step {
                Step::Unblock { device: other, .. } => other == device,
                Step::Block { device: other, .. } => other == device && failed.error.errno().is_none(),
                _ => false,
            })
        };
        self.update(host, |file| {
            file.blocks.retain(|device, owed| {
                owed.returning |= applied.returning.contains(device);
                !given.contains(device) || unsure(device) || applied.returning.contains(device)
            });
        });
    }

    /// Whether a block of ours is on the device, and no helper process is about to give it back.
    pub(super) fn keeps_blocked(&self, device: &DeviceName) -> bool {
        self.blocked().get(device).is_some_and(|owed| !owed.returning)
    }

    /// Changes the state file, starting from an empty one where nothing is known, and writes it if it changed, or could
    /// not be written before. Answers whether the file on the disk is the changed one.
    pub(super) fn update(&mut self, host: &Host<'_>, change: impl FnOnce(&mut StateFile)) -> bool {
        let before = self.remembered.known().cloned();
        let mut file = before.clone().unwrap_or_default();
        file.group = Some(self.group.clone());
        change(&mut file);
        if before.as_ref() == Some(&file) && !self.unwritten {
            return true;
        }
        self.unwritten = !host.remember(&file);
        self.remembered = Remembered::Known(file);
        !self.unwritten
    }

    /// Writes into the state file which states were written for peers, and when.
    pub(super) fn stamp<'n>(
        &mut self,
        host: &Host<'_>,
        local: impl Into<Option<&'n NodeName>>,
        written: &BTreeMap<NodeName, AluaState>,
    ) {
        let local = local.into();
        let now = host.boot_seconds();
        self.update(host, |file| peers::stamp(file, local, written, now));
    }

    /// Sets this node's promotion score, and writes it into the state file. If it cannot be set, the action goes on,
    /// and a recurring monitor sets it.
    pub(super) fn set_score(&mut self, host: &Host<'_>, node: &NodeName, score: Score) {
        let set = show_score(host, node, score);
        if !host.dry_run() {
            self.update(host, |file| file.score = set.then_some(score.value()));
        }
    }

    /// Writes a score that was set into the state file.
    pub(super) fn remember_score(&mut self, host: &Host<'_>, score: Score) {
        self.update(host, |file| file.score = Some(score.value()));
    }

    /// Whether this score is not known to be set. After a promotion that failed none is set on purpose: see `promote`.
    pub(super) fn lacks_score(&self, score: Score) -> bool {
        self.remembered.known().is_some_and(|file| file.failed.is_none() && file.score != Some(score.value()))
    }

    /// Whether this score is lower than the one that was set last.
    pub(super) fn score_falls(&self, score: Score) -> bool {
        self.remembered.known().and_then(|file| file.score).is_some_and(|set| set > score.value())
    }

    /// What plans of this instance need besides the two states.
    pub(super) fn scope<'n>(&self, local: impl Into<Option<&'n NodeName>>, recreate: bool) -> Scope {
        Scope {
            group: self.group.clone(),
            local: local.into().cloned(),
            driver: self.driver,
            recreate,
            port_ids: BTreeMap::new(),
            parameters: BTreeMap::new(),
        }
    }
}
