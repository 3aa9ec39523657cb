//! The shell agent on a model node: the same names and numbers, and its known faults.
//!
//! Peers are `unavailable` at start, whatever they do; a remote group's state is written before its ports; after a start every node
//! that may run is published as `standby`, and one that is being demoted as `active` again; a promotion puts nobody right;
//! nothing repairs a lost notification, and a reload knows no new nodes.

use scst_core::plan::Step;
use scst_core::plan::storage::converge;
use scst_core::scst::alua::AluaState;
use scst_core::scst::names::NodeName;
use scst_core::state::Storage;
use scst_core::state_file::Remembered;

use super::call::{Call, Masks, Op, Set, bit, members};
use super::native::Run;
use super::site::Site;

impl Run<'_> {
    /// Carries a call out as the shell agent would.
    pub(super) fn shell(&mut self, call: Call) {
        match call {
            Call::Start(_) => self.shell_start(),
            Call::Promote(_) if self.own().is_none() => {
                self.shell_start();
                self.set_own(AluaState::Active);
            }
            Call::Promote(_) => self.set_own(AluaState::Active),
            // It would not notice; its other faults are not those of its peers.
            Call::PromoteFails(_) => self.set_own(AluaState::Standby),
            Call::Demote if self.own() == Some(AluaState::Active) => {
                self.set_own(AluaState::Transitioning);
                self.set_own(AluaState::Standby);
            }
            Call::Stop => self.shell_stop(),
            Call::Notify(after, op, masks) => self.shell_notify(after, op, masks),
            Call::Upgrade => self.state.shell = false,
            Call::Demote | Call::DemoteFails | Call::Monitor(_) | Call::Reload | Call::Age | Call::Forget => {}
        }
    }

    fn set(&mut self, node: &NodeName, state: AluaState) {
        let group = self.state.kernel.storage.group.as_ref();
        if group.and_then(|group| group.target_groups.get(node)).is_some_and(|there| there.state != state) {
            let group = self.site.params.group.clone();
            self.apply(vec![Step::SetState { group, node: node.clone(), state }]);
        }
    }

    fn set_own(&mut self, state: AluaState) {
        self.set(self.local(), state);
    }

    /// A group that is there counts as running.
    fn shell_start(&mut self) {
        if self.state.kernel.storage.group.is_some() {
            return;
        }
        let topology = self.site.topology(self.node, self.attributes);
        let ports = Site::local_ports(&topology);
        let states = agents::scst_aluadg::wanted::States::Started(None);
        let wanted =
            agents::scst_aluadg::wanted::storage(&self.site.params, &topology, &ports, states, &Storage::default());
        let plan = converge(&self.scope(true), &Storage::default(), &wanted);
        let group = || self.site.params.group.clone();
        let mut steps = Vec::new();
        for step in plan.steps {
            match step {
                Step::SetState { .. } => {}
                Step::SetGroupId { node, id, .. } => {
                    steps.push(Step::SetGroupId { group: group(), node: node.clone(), id });
                    steps.push(Step::SetState { group: group(), node, state: AluaState::Unavailable });
                }
                step => steps.push(step),
            }
        }
        let node = self.local().clone();
        steps.push(Step::SetState { group: group(), node, state: AluaState::Standby });
        self.apply(steps);
        self.state.record = Remembered::Unknown;
    }

    fn shell_stop(&mut self) {
        self.set_own(AluaState::Transitioning);
        self.set_own(AluaState::Unavailable);
        let scope = self.scope(false);
        let plan = converge(&scope, &self.state.kernel.storage, &Storage::default());
        self.apply(plan.steps);
        self.state.record = Remembered::Nothing;
    }

    fn shell_notify(&mut self, after: bool, op: Op, masks: Masks) {
        let set_all = |run: &mut Self, set: Set, state| {
            for node in members(set & !bit(run.node)).filter(|node| *node < run.site.count) {
                let name = run.site.names[node].clone();
                run.set(&name, state);
            }
        };
        match (after, op) {
            (false, Op::Start) => {}
            (true, Op::Start) => {
                set_all(self, !masks.promoted, AluaState::Standby);
                set_all(self, masks.promoted, AluaState::Active);
            }
            (false, op) => set_all(self, masks.of(op), AluaState::Transitioning),
            (true, Op::Promote) => set_all(self, masks.promote, AluaState::Active),
            (true, Op::Demote) => set_all(self, masks.demote, AluaState::Standby),
            (true, Op::Stop) => set_all(self, masks.stop, AluaState::Unavailable),
        }
    }
}
