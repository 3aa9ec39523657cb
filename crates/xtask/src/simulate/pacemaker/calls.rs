//! A call of an agent: its environment, its end, and whether it told the truth.

use std::collections::BTreeSet;
use std::time::Duration;

use agents::scst_aluadg::Aluadg;
use agents::{scst_qla2xtgt, scst_target};
use scst_core::ocf::action::Action;
use scst_core::ocf::run::Agent;

use super::{Cluster, Extra, Lists};
use crate::simulate::ended::Around;
use crate::simulate::shell::Shell;
use crate::simulate::stage::{Outcome, State, Task};
use crate::simulate::world::NODES;

impl Cluster {
    /// What a node has installed for a resource.
    pub(super) fn agent(&self, r: usize, node: usize) -> &'static (dyn Agent + Sync) {
        match &self.resources[r].group {
            Some(_) if self.world().nodes[node].shell => &Shell,
            Some(_) => &Aluadg,
            None if self.resources[r].params.contains_key("tgtdriver") => &scst_target::AGENT,
            None => &scst_qla2xtgt::AGENT,
        }
    }

    /// Begins an action of an instance.
    pub(super) fn begin(&mut self, r: usize, node: usize, action: Action, lists: &Lists, extra: Extra) {
        let resource = &self.resources[r];
        let agent = self.agent(r, node);
        let timeout = match (action, resource.group.is_some()) {
            (Action::Start | Action::Demote, true) | (Action::Reload, _) => 120,
            (Action::Stop, true) => 240,
            (Action::Stop, false) if agent.name() == "scst_target" => 120,
            (Action::Stop, false) => 360,
            (Action::Start, false) => 60,
            (Action::Monitor, false) => 20,
            _ => 30,
        };
        let mut env: Extra = resource.params.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        env.push(("CRM_meta_timeout".to_owned(), (timeout * 1000).to_string()));
        env.push(("CRM_meta_on_node".to_owned(), NODES[node].to_owned()));
        env.push(("CRM_meta_on_node_uuid".to_owned(), (node + 1).to_string()));
        env.push(("CRM_meta_clone_node_max".to_owned(), "1".to_owned()));
        let told = matches!(action, Action::Start | Action::Stop | Action::Promote | Action::Demote | Action::Notify);
        if resource.group.is_some() {
            for name in ["promoted_max", "promoted_node_max", "master_max", "master_node_max"] {
                env.push((format!("CRM_meta_{name}"), "1".to_owned()));
            }
            env.push(("CRM_meta_notify".to_owned(), "true".to_owned()));
            if told {
                env.extend(lists.variables(resource.instances.len()));
            }
        }
        let mut what = action.to_string();
        for (name, value) in &extra {
            if name.starts_with("CRM_meta_notify") {
                what = format!("{what}-{value}");
            }
        }
        env.extend(extra);
        let named = |name: String| if name.starts_with("OCF_") { name } else { format!("OCF_RESKEY_{name}") };
        let mut env: Extra = env.into_iter().map(|(name, value)| (named(name), value)).collect();
        env.push(("OCF_RESOURCE_INSTANCE".to_owned(), resource.id.clone()));
        env.push(("OCF_RESOURCE_TYPE".to_owned(), agent.name().to_owned()));
        let key = (resource.id.clone(), node);
        if action != Action::Notify {
            self.acted.insert(key.clone(), action);
        }
        let before = self.last.insert(key, action);
        let mut state = self.stage.lock();
        if let Some(before) = before {
            state.world.count(format!("pair {before} {action}"));
        }
        state.world.count(format!("action {action}"));
        drop(state);
        let label = format!("{} {what}", resource.id);
        self.stage.begin(r, node, agent, action, label, env);
    }

    /// Waits until every action has ended that somebody waits for, each with its resource and node.
    pub(in crate::simulate) fn wait(&self) -> Vec<(usize, usize, Outcome)> {
        let mut all = Vec::new();
        // A node that lost power takes its actions along.
        while !self.world().is_over() && self.stage.lock().tasks.values().any(|task| !task.aside) {
            all.extend(self.account(self.stage.run(Duration::MAX)));
        }
        all
    }

    /// Notes how actions ended, and looks whether they told the truth.
    pub(super) fn account(&self, ended: Vec<Task>) -> Vec<(usize, usize, Outcome)> {
        let mut all = Vec::new();
        for mut task in ended {
            let (r, node, outcome) = (task.resource, task.node, task.outcome.take().expect("it has ended"));
            let group = self.resources[r].group.as_deref();
            let exports = group.map(|group| self.exports(group)).unwrap_or_default();
            let mut state = self.stage.lock();
            let State { tasks, world, .. } = &mut *state;
            let alone = !tasks.values().any(|other| other.node == node);
            let beside = tasks.values().any(|other| other.aside && (other.resource, other.node) == (r, node));
            world.ended(node, group, &task, &outcome, &Around { alone, beside, exports });
            all.extend((!task.aside).then_some((r, node, outcome)));
        }
        all
    }
}

impl Lists {
    /// The meta attributes of a notification, without its type and operation.
    fn variables(&self, count: usize) -> Extra {
        let unpromoted: BTreeSet<usize> = self.active.difference(&self.promoted).copied().collect();
        let all: BTreeSet<usize> = (0..count).collect();
        let sets = [
            ("active", &self.active),
            ("start", &self.start),
            ("stop", &self.stop),
            ("promote", &self.promote),
            ("demote", &self.demote),
            ("master", &self.promoted),
            ("promoted", &self.promoted),
            ("slave", &unpromoted),
            ("unpromoted", &unpromoted),
            ("available", &all),
            ("all", &all),
        ];
        let text = |set: &BTreeSet<usize>| {
            let names: Vec<&str> = set.iter().map(|node| NODES[*node]).collect();
            if names.is_empty() { " ".to_owned() } else { names.join(" ") }
        };
        sets.iter().map(|(name, set)| (format!("CRM_meta_notify_{name}_uname"), text(set))).collect()
    }
}
