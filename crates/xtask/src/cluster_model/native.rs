//! The actions of the native agent on a model node. Every decision is the product's own: `wanted`, `peers`, and the plans;
//! what is here is their order, as in the action of the same name, without files, processes and time.

use std::collections::BTreeMap;

use agents::scst_aluadg::peers::{self, Overdue};
use agents::scst_aluadg::wanted::{self, States};
use scst_core::ocf::notify::Lists;
use scst_core::plan::Step;
use scst_core::plan::storage::{Scope, adopt_ports, converge, demote, states};
use scst_core::scst::alua::AluaState;
use scst_core::scst::names::NodeName;
use scst_core::state::{DeviceGroup, Storage, TargetGroup};
use scst_core::state_file::{Remembered, StateFile};

use super::call::{Call, Masks, Roles};
use super::kernel::Kernel;
use super::site::{Attributes, NODES, Site};

/// The second at which everything happens, and at which a stamp is fresh. Stamps that have aged are from 0.
pub(super) const NOW: u64 = 1000;

/// What a node is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NodeState {
    /// Its tree.
    pub(super) kernel: Kernel,
    /// The record below `/run`.
    pub(super) record: Remembered,
    /// It runs the shell agent.
    pub(super) shell: bool,
}

/// A run on a node under way.
pub(super) struct Run<'a> {
    pub(super) site: &'a Site,
    pub(super) node: usize,
    pub(super) attributes: Attributes,
    pub(super) state: NodeState,
    /// The steps made.
    pub(super) steps: Vec<Step>,
    /// At some moment hosts could write through this node.
    pub(super) served: bool,
    /// What must not happen in a run.
    pub(super) wrong: Option<String>,
}

impl Run<'_> {
    /// Carries a call out.
    pub(super) fn native(&mut self, call: Call) {
        match call {
            Call::Start(masks) => self.start(masks.map(Masks::lists).as_ref()),
            Call::Promote(masks) => self.promote(&masks.lists(), true),
            Call::PromoteFails(masks) => self.promote(&masks.lists(), false),
            Call::Demote => self.demote(),
            // Blocked, not drained, unblocked: nothing has changed.
            Call::DemoteFails => {}
            Call::Stop => self.stop(),
            Call::Notify(after, op, masks) => {
                let wanted = peers::notified(&masks.notify(after, op), self.local());
                self.follow(&wanted);
            }
            Call::Monitor(roles) => self.monitor(roles),
            Call::Reload => self.reload(),
            Call::Age => self.age(),
            Call::Upgrade => self.state.shell = false,
            Call::Forget => self.state.record = Remembered::Nothing,
        }
    }

    pub(super) fn local(&self) -> &'static NodeName {
        use std::sync::LazyLock;
        static NAMES: LazyLock<Vec<NodeName>> =
            LazyLock::new(|| NODES.iter().map(|name| NodeName::parse(name).expect("a node's name")).collect());
        &NAMES[self.node]
    }

    /// What plans know of this node.
    pub(super) fn scope(&self, recreate: bool) -> Scope {
        self.site.scope(self.node, recreate, &self.state.kernel.ports)
    }

    fn group(&self) -> Option<&DeviceGroup> {
        self.state.kernel.storage.group.as_ref()
    }

    pub(super) fn own(&self) -> Option<AluaState> {
        self.group()?.target_groups.get(self.local()).map(|group| group.state)
    }

    /// Applies steps, watching after each.
    pub(super) fn apply(&mut self, steps: Vec<Step>) {
        for step in steps {
            if self.state.kernel.step(&step).is_none() {
                self.wrong.get_or_insert_with(|| format!("the kernel refuses to {step}"));
            }
            self.served |= self.own() == Some(AluaState::Active) && !self.state.kernel.storage.luns.is_empty();
            self.steps.push(step);
        }
    }

    fn update(&mut self, change: impl FnOnce(&mut StateFile)) {
        let mut record = self.state.record.known().cloned().unwrap_or_default();
        record.group = Some(self.site.params.group.clone());
        change(&mut record);
        self.state.record = Remembered::Known(record);
    }

    fn stamp(&mut self, states: &BTreeMap<NodeName, AluaState>) {
        let local = self.local();
        self.update(|record| peers::stamp(record, local, states, NOW));
    }

    fn start(&mut self, lists: Option<&Lists>) {
        let serving = self.own().is_some_and(AluaState::is_open);
        self.converge(if serving { States::Kept } else { States::Started(lists) }, !serving);
    }

    fn reload(&mut self) {
        if self.group().is_some() {
            self.converge(States::Kept, false);
        }
    }

    /// What start and reload have in common.
    fn converge(&mut self, states: States<'_>, recreate: bool) {
        let topology = self.site.topology(self.node, self.attributes);
        let ports = Site::local_ports(&topology);
        let found = self.state.kernel.storage.clone();
        let mut wanted = wanted::storage(&self.site.params, &topology, &ports, states, &found);
        if matches!(states, States::Kept) && !recreate {
            peers::finish(&mut wanted, &found, &self.state.record);
        }
        let plan = converge(&self.scope(recreate), &found, &wanted);
        let written = peers::remembered(found.group.as_ref(), wanted.group.as_ref(), &self.state.record);
        self.update(|record| {
            record.node = Some(topology.local.name.clone());
            record.node_id = Some(topology.local.id);
            record.ports.clone_from(&ports.ports);
            record.devices = wanted.devices.keys().cloned().collect();
        });
        self.stamp(&written);
        self.apply(plan.steps);
        let left = converge(&self.scope(false), &self.state.kernel.storage, &wanted);
        if let Some(step) = left.steps.first() {
            self.wrong.get_or_insert_with(|| format!("still to be done after a start or reload: {step}"));
        }
    }

    fn promote(&mut self, lists: &Lists, opens: bool) {
        if self.own().is_none() {
            self.start(Some(lists));
        }
        let Some(group) = self.group().cloned() else { return };
        let scope = self.scope(false);
        let peers = peers::at_promote(&group, self.local(), Some(lists));
        let changed = |(node, state): &(&NodeName, &AluaState)| {
            group.target_groups.get(*node).is_some_and(|there| there.state != **state && there.has_remote())
        };
        let written = peers.iter().filter(changed).map(|(node, state)| (node.clone(), *state)).collect();
        self.stamp(&written);
        self.apply(states(&scope, &group, &peers).steps);
        self.apply(adopt_ports(&scope, &group, &self.state.kernel.ports.keys().cloned().collect()));
        let promotion = BTreeMap::from([(self.local().clone(), AluaState::Active)]);
        self.apply(states(&scope, &group, &promotion).steps);
        if !opens && let Some(group) = self.group().cloned() {
            let back = BTreeMap::from([(self.local().clone(), AluaState::Standby)]);
            self.apply(states(&scope, &group, &back).steps);
        }
    }

    fn demote(&mut self) {
        let steps = match self.own() {
            None | Some(AluaState::Standby | AluaState::Unavailable | AluaState::Offline) => return,
            Some(AluaState::Transitioning) => {
                let Some(group) = self.group() else { return };
                let standby = BTreeMap::from([(self.local().clone(), AluaState::Standby)]);
                states(&self.scope(false), group, &standby).steps
            }
            Some(_) => demote(&self.scope(false), &self.state.kernel.storage, AluaState::Standby),
        };
        // The blocks are recorded and forgotten again; what stays is that there is a record.
        self.update(|_| ());
        self.apply(steps);
    }

    fn stop(&mut self) {
        if self.own().is_some_and(AluaState::is_open) {
            self.demote();
        }
        let scope = self.scope(false);
        let plan = converge(&scope, &self.state.kernel.storage, &Storage::default());
        self.apply(plan.steps);
        if self.state.kernel.storage != Storage::default() {
            self.wrong.get_or_insert_with(|| "something is left after a stop".to_owned());
        }
        self.state.record = Remembered::Nothing;
    }

    /// A notification.
    fn follow(&mut self, wanted: &BTreeMap<NodeName, AluaState>) {
        let Some(group) = self.group() else { return };
        let mut found = group.clone();
        found.target_groups.retain(|node, _| wanted.contains_key(node));
        if found.target_groups.is_empty() {
            return;
        }
        let published = |node: &NodeName| found.target_groups.get(node).is_some_and(TargetGroup::has_remote);
        let there = wanted.iter().filter(|(node, _)| published(node)).map(|(node, state)| (node.clone(), *state));
        self.stamp(&there.collect());
        self.apply(states(&self.scope(false), &found, wanted).steps);
    }

    fn monitor(&mut self, roles: Roles) {
        let Some(group) = self.group().cloned().filter(|_| self.own().is_some()) else { return };
        match peers::overdue(&self.state.record, NOW) {
            Overdue::Unknown => {
                let local = self.local();
                let own = group.target_groups.get(local).into_iter().flat_map(|own| &own.members);
                let ports = own.filter(|(_, member)| member.local);
                let ports =
                    ports.filter_map(|(port, member)| Some((port.clone(), u16::try_from(member.rel_tgt_id).ok()?)));
                let (ports, devices) = (ports.collect(), group.devices.clone());
                self.update(|record| {
                    record.node = Some(local.clone());
                    record.node_id = None;
                    record.ports = ports;
                    record.devices = devices;
                });
                let states = group.target_groups.iter().map(|(node, there)| (node.clone(), there.state)).collect();
                self.stamp(&states);
            }
            Overdue::Peers(lost) if lost.is_empty() => {}
            Overdue::Peers(lost) => {
                let mut found = group;
                found.target_groups.retain(|node, _| lost.contains(node));
                let stuck = peers::stuck(&found, &lost);
                let known = (0..self.site.count).map(|node| (NODES[node].to_owned(), roles.of(node))).collect();
                let wanted = peers::put_right(&stuck, &known);
                self.apply(states(&self.scope(false), &found, &wanted).steps);
                self.stamp(&peers::seen(&found, wanted));
            }
        }
    }

    /// Every stamp is old by now.
    pub(super) fn age(&mut self) {
        if let Remembered::Known(record) = &mut self.state.record {
            record.peers.values_mut().for_each(|(_, at)| *at = 0);
        }
    }
}
