//! What is ours on this node: the group, its devices, the state file, the lock.

use std::collections::{BTreeMap, BTreeSet};

use scst_core::apply::{AfterFailure, Applied};
use scst_core::cluster;
use scst_core::error::Error;
use scst_core::observe::Observer;
use scst_core::ocf::action::Action;
use scst_core::ocf::exit::{ExitCode, Failure};
use scst_core::plan::Step;
use scst_core::plan::storage::{Scope, clear_tables, release};
use scst_core::scst::alua::AluaState;
use scst_core::scst::device::Owed;
use scst_core::scst::names::{DeviceName, Driver, GroupName, NodeName};
use scst_core::scst::target::LunTable;
use scst_core::state::{Device, Storage};
use scst_core::state_file::{Remembered, StateFile, file_name};

use super::params::{Params, StopParams};
use super::{peers, stores};
use crate::host::{Host, first_failure, kept};

/// The promotion score of an instance, by what the kernel says it does.
///
/// The one that serves has the higher score. Pacemaker notes a reload as a start, and takes a promoted instance for an unpromoted one
/// until its next monitor: with equal scores it may promote another node meanwhile, and nobody demotes the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Score {
    /// It runs and does not serve.
    Unpromoted,
    /// It serves.
    Promoted,
}

impl Score {
    /// That of an instance whose own target group has this state.
    pub(super) fn of(state: Option<AluaState>) -> Self {
        if state.is_some_and(AluaState::is_open) { Self::Promoted } else { Self::Unpromoted }
    }

    /// As the cluster counts it.
    fn value(self) -> i32 {
        match self {
            Self::Unpromoted => 5,
            Self::Promoted => 10,
        }
    }
}

/// One device group on this node, as far as it can be known without a valid configuration.
#[derive(Debug)]
pub(super) struct Instance {
    /// The group.
    pub(super) group: GroupName,
    /// The driver whose ports export it.
    pub(super) driver: Driver,
    /// What earlier actions remembered.
    pub(super) remembered: Remembered,
}

impl Instance {
    /// The instance that the environment and the state file describe; `None` when neither tells a group.
    pub(super) fn find(host: &Host<'_>) -> Option<Self> {
        let StopParams { group, driver } = Params::for_stop(&host.context.env);
        let remembered = host.state_files.read(group.as_ref());
        let group = group.or_else(|| remembered.known().and_then(|file| file.group.clone()))?;
        let driver = driver.unwrap_or(Driver::Qla2x00t);
        Some(Self { group, driver, remembered })
    }

    /// Reads the state file again, which another action may have written while we waited for the lock.
    pub(super) fn refresh(&mut self, host: &Host<'_>) {
        self.remembered = host.state_files.read(Some(&self.group));
    }

    /// Waits for other actions on this group to end.
    pub(super) fn lock(&self, host: &Host<'_>) -> Result<Option<impl Drop + use<>>, Failure> {
        host.lock(self.group.as_str())
    }

    /// Whether a device that is a member of our group is ours: it has our prefix, or we recorded it.
    pub(super) fn owns(&self, device: &DeviceName) -> bool {
        device.belongs_to(&self.group) || self.remembered.known().is_some_and(|file| file.devices.contains(device))
    }

    /// Our devices with everything about them, their LUNs, and the group.
    pub(super) fn storage(&self, host: &Host<'_>, observer: Observer<'_>) -> Result<Storage, Error> {
        let found = observer.storage(&self.group, &self.named(host), |device| self.owns(device))?;
        Ok(self.with_owed(found))
    }

    /// The same as far as it takes to remove it.
    pub(super) fn to_remove(&self, host: &Host<'_>, observer: Observer<'_>) -> Result<Storage, Error> {
        let found = observer.storage_to_remove(&self.group, &self.named(host), |device| self.owns(device))?;
        Ok(self.with_owed(found))
    }

    /// Adds what the state file knows of blocks.
    fn with_owed(&self, mut found: Storage) -> Storage {
        for (device, owed) in self.blocked() {
            if let Some(found) = found.devices.get_mut(device) {
                found.owed = Some(*owed);
            }
        }
        found
    }

    /// The devices that the configuration names.
    pub(super) fn configured(&self, host: &Host<'_>) -> BTreeSet<DeviceName> {
        Params::device_names(&host.context.env, &self.group)
    }

    /// The devices that are ours wherever they are.
    fn named(&self, host: &Host<'_>) -> BTreeSet<DeviceName> {
        let mut named = self.configured(host);
        named.extend(self.remembered.known().into_iter().flat_map(|file| file.devices.iter().cloned()));
        named
    }

    /// The group with its target groups, and of its devices no more than how often those are blocked that a dead run may have
    /// left so: what a promotion needs, in as few reads as it needs.
    pub(super) fn quick(&self, observer: Observer<'_>) -> Result<Storage, Error> {
        let group = observer.device_group(&self.group)?;
        let devices = blocks(observer, self.blocked().keys())?;
        Ok(self.with_owed(Storage { devices, group, ..Storage::default() }))
    }

    /// The same with the blocks of all devices, which a demotion holds back.
    pub(super) fn with_blocks(&self, observer: Observer<'_>) -> Result<Storage, Error> {
        let group = observer.device_group(&self.group)?;
        let members = group.iter().flat_map(|group| group.devices.iter()).filter(|device| self.owns(device));
        let devices = blocks(observer, members.chain(self.blocked().keys()))?;
        Ok(self.with_owed(Storage { devices, group, ..Storage::default() }))
    }

    /// A start began and died. A fresh target group reads `active`, so what it left may look like a promoted instance.
    pub(super) fn half_started(&self) -> bool {
        self.remembered.known().is_some_and(|file| file.starting)
    }

    /// Since when hosts are told to wait for another node, for which this one was demoted.
    pub(super) fn moving(&self) -> Option<u64> {
        self.remembered.known().and_then(|file| file.moving)
    }

    /// A reload has not made everything effective.
    pub(super) fn unfinished(&self) -> bool {
        self.remembered.known().is_some_and(|file| file.unfinished)
    }

    /// The devices that a run of ours recorded before blocking them, and of which the kernel has not shown that the block is gone.
    pub(super) fn blocked(&self) -> &BTreeMap<DeviceName, Owed> {
        static NONE: BTreeMap<DeviceName, Owed> = BTreeMap::new();
        self.remembered.known().map_or(&NONE, |file| &file.blocks)
    }

    /// Gives back what earlier runs left blocked, and no more. It stays owed where a process waits in the kernel to give it back.
    pub(super) fn release(&mut self, host: &Host<'_>, found: &mut Storage) -> Result<(), Failure> {
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
            let Some(found) = found.devices.get_mut(&device) else { continue };
            found.owed = self.blocked().get(&device).copied();
            if found.owed.is_none() {
                found.block.count = found.block.count.min(owed.before);
            }
        }
        first_failure(&applied).map_or(Ok(()), Err)
    }

    /// Steps with one command in the place of many where a LUN table is wholly ours and goes.
    ///
    /// The kernel has no command for "these, and no others". So a table is cleared only while no action of another group is
    /// under way on this node, which could be about to map something there; the table itself is looked at again just before.
    pub(super) fn shortened(&self, host: &Host<'_>, steps: Vec<Step>) -> Vec<Step> {
        match self.tables(host, &steps) {
            Ok(tables) => clear_tables(steps, &tables),
            // What cannot be looked at is unmapped one by one.
            Err(error) => {
                tracing::debug!("no LUN table is cleared: {error}");
                steps
            }
        }
    }

    /// What is in the tables that steps unmap something from; nothing while another group may be changing them.
    fn tables(&self, host: &Host<'_>, steps: &[Step]) -> Result<BTreeMap<LunTable, BTreeSet<u32>>, Error> {
        let table = |step: &Step| match step {
            Step::DelLun { at, .. } => Some(at.table.clone()),
            _ => None,
        };
        let named: BTreeSet<LunTable> = steps.iter().filter_map(table).collect();
        let mut tables = BTreeMap::new();
        if named.is_empty() {
            return Ok(tables);
        }
        // A start has no device group yet while it adds its devices: its lock tells of it from the beginning.
        if host.state_files.others_locked(self.group.as_str()) {
            return Ok(tables);
        }
        let observer = host.observer();
        for table in named {
            let luns = observer.luns_in_table(&table)?;
            tables.insert(table, luns);
        }
        Ok(tables)
    }

    /// Remembers what became of blocks that were to be given back, of these devices. One that was given back is forgotten even if
    /// another could not be: what blocks it later is somebody else's.
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

    /// Whether a block of ours is on the device and nobody gives it back.
    pub(super) fn keeps_blocked(&self, device: &DeviceName) -> bool {
        self.blocked().get(device).is_some_and(|owed| !owed.returning)
    }

    /// Changes the state file, starting from an empty one where nothing is known, and writes it if it changed. Tells whether the
    /// file says what is meant.
    pub(super) fn update(&mut self, host: &Host<'_>, change: impl FnOnce(&mut StateFile)) -> bool {
        let before = self.remembered.known().cloned();
        let mut file = before.clone().unwrap_or_default();
        file.group = Some(self.group.clone());
        change(&mut file);
        if before.as_ref() == Some(&file) {
            return true;
        }
        let written = host.remember(&file);
        self.remembered = Remembered::Known(file);
        written
    }

    /// Remembers which states were written for peers, and when.
    pub(super) fn stamp(&mut self, host: &Host<'_>, local: &NodeName, written: &BTreeMap<NodeName, AluaState>) {
        let now = host.boot_seconds();
        self.update(host, |file| peers::stamp(file, local, written, now));
    }

    /// Sets this node's promotion score and remembers it. One that cannot be set is no reason to fail: a recurring monitor sets it.
    pub(super) fn set_score(&mut self, host: &Host<'_>, node: &NodeName, score: Score) {
        let set = show_score(host, node, score);
        if !host.dry_run() {
            self.update(host, |file| file.score = set.then_some(score.value()));
        }
    }

    /// Remembers a score that is set.
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

    /// What plans of this instance need to know.
    pub(super) fn scope(&self, local: &NodeName, recreate: bool) -> Scope {
        Scope {
            group: self.group.clone(),
            local: local.clone(),
            driver: self.driver,
            recreate,
            port_ids: BTreeMap::new(),
            parameters: BTreeMap::new(),
        }
    }
}

/// What an action does about a group whose state file stands under the id of another resource: a second resource with the same groupname, or
/// this one was created anew under another id while the group was there. Two resources with one group are a mistake that start, promote
/// and reload refuse. What the group does is another matter: the cluster must see it, and must be able to end it, or it promotes another
/// node over one that serves. `None`: the action goes on, on the state file that there is.
pub(super) fn of_another(host: &mut Host<'_>, action: Action) -> Option<Result<ExitCode, Failure>> {
    if matches!(action, Action::ValidateAll | Action::MetaData | Action::Usage) {
        return None;
    }
    let group = Params::for_stop(&host.context.env).group?;
    let holder = host.state_files.holder(&group)?;
    let reason = format!("device group {group} belongs to resource {holder} on this node");
    let refused = || {
        Failure::args(reason.clone()).with_hint(
            "give one of the two another groupname; a state file of a resource that is not configured any more can be deleted",
        )
    };
    let refusal = match action {
        Action::Reload if host.observer().group_exists(&group).is_ok_and(|there| !there) => None,
        Action::Start | Action::Promote | Action::Reload => match is_shown(host, &holder) {
            Ok(false) => None,
            Ok(true) => Some(refused()),
            Err(error) => Some(Failure { code: ExitCode::Generic, ..refused() }.with_hint(error.to_string())),
        },
        // A stop that leaves a group alone says that nothing serves here.
        Action::Stop if !may_serve(host, &group) && is_shown(host, &holder).unwrap_or(false) => return None,
        _ => None,
    };
    match refusal {
        Some(failure) if action == Action::Reload && failure.code == ExitCode::Args => Some(kept(failure)),
        Some(failure) => Some(Err(failure)),
        None => {
            if action != Action::Notify {
                tracing::warn!("{reason}");
            }
            host.state_files = host.state_files.clone().of_group();
            None
        }
    }
}

/// Whether the cluster has a resource of this id, running or not.
fn is_shown(host: &Host<'_>, holder: &str) -> Result<bool, cluster::ClusterError> {
    let roles = cluster::roles(&host.tools, host.deadline(), host.context.env.resource_id())?;
    Ok(roles.shown.iter().any(|id| file_name(id) == holder))
}

/// Whether hosts may be using this node's paths, as far as the kernel can be asked.
fn may_serve(host: &Host<'_>, group: &GroupName) -> bool {
    let Some(local) = host.node_name_offline(&Remembered::Nothing) else { return true };
    match host.observer().alua_state(group, &local) {
        Ok(state) => state.is_some_and(|state| state.is_open() || state == AluaState::Transitioning),
        Err(_) => true,
    }
}

/// How often devices are blocked, of those that are there.
fn blocks<'d>(
    observer: Observer<'_>,
    names: impl Iterator<Item = &'d DeviceName>,
) -> Result<BTreeMap<DeviceName, Device>, Error> {
    let mut devices = BTreeMap::new();
    for name in names.collect::<BTreeSet<_>>() {
        if let Some(block) = observer.block(name)? {
            devices.insert(name.clone(), Device { block, ..Device::default() });
        }
    }
    Ok(devices)
}

/// Sets this node's promotion score without remembering it, and tells whether that succeeded.
pub(super) fn show_score(host: &Host<'_>, node: &NodeName, score: Score) -> bool {
    let value = score.value();
    if host.dry_run() {
        println!("set the promotion score of node {node} to {value}");
        return true;
    }
    let resource = host.context.env.resource_id();
    // Also where the time of a reload is over: until the next monitor nothing else keeps Pacemaker from promoting another node.
    let deadline = host.deadline().last();
    let set = cluster::set_promotion_score(&host.tools, &deadline, node.as_str(), resource, value);
    if let Err(error) = &set {
        tracing::warn!("promotion score not set, the next recurring monitor tries again: {error}");
    }
    set.is_ok()
}

/// Deletes this node's promotion score. The cluster forgets it with the node, so a failure is told and no more.
pub(super) fn delete_score(host: &Host<'_>, node: &NodeName) {
    if host.dry_run() {
        println!("delete the promotion score of node {node}");
        return;
    }
    let deadline = host.deadline().last();
    let deleted =
        cluster::delete_promotion_score(&host.tools, &deadline, node.as_str(), host.context.env.resource_id());
    if let Err(error) = deleted {
        tracing::warn!("promotion score not deleted: {error}");
    }
}

/// Every backing file or device that is not there, in one answer. One that does not answer in time counts as one that is not there. A store
/// that only the promoted node has may be absent on the others.
///
/// # Errors
///
/// Exit 5 naming all of them.
pub(super) fn missing_backing(host: &Host<'_>, params: &Params, promoted: bool) -> Result<(), Failure> {
    let missing: Vec<String> = stores::look(host, params)?
        .into_iter()
        .filter(|(device, _, store)| !store.is_there() && (promoted || !device.absent_in_standby))
        .map(|(device, filename, _)| format!("{filename} of device {}", device.name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::installed(format!("backing store does not exist: {}", missing.join(", "))))
}
