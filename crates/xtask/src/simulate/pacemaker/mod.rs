//! A Pacemaker: what it believes, which transition follows from that, and how it is carried out.
//!
//! It has the traits of 2.1 and 3.0 that agents stumble over: its belief is the history of operations, not the node; a reload is noted
//! as a start; a changed score or configuration aborts a transition between two of its actions; the lists of a transition
//! describe the state before it and all that it plans; what fails is recovered by rules, at last by fencing.

#![expect(
    clippy::needless_range_loop,
    reason = "a node is its number: its name, its machine and its instances are looked up by it"
)]

mod administrator;
mod calls;
mod operations;
mod partition;
mod scheduler;
mod transition;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use scst_core::ocf::action::Action;

use super::stage::Stage;
use super::stores::Layer;

/// What the cluster believes of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Nothing: it must be probed.
    Unknown,
    Stopped,
    Unpromoted,
    Promoted,
}

/// One instance of a clone, as the cluster believes it.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "Pacemaker's flags of an instance are independent of each other")]
pub(super) struct Instance {
    pub(super) role: Role,
    /// An action of it failed; it is to be recovered.
    failed: bool,
    failures: u32,
    /// It runs with a parameter that has changed and is not reloadable.
    restart: bool,
    /// It may not run on this node until somebody cleans up.
    banned: bool,
    /// It could not be stopped, and nobody fences: nothing is done to it until somebody cleans up.
    blocked: bool,
    /// The parameters that it was started or reloaded with.
    running: BTreeMap<String, String>,
    /// A recurring monitor is due.
    due: Option<Duration>,
}

impl Instance {
    fn new() -> Self {
        Self {
            role: Role::Unknown,
            failed: false,
            failures: 0,
            restart: false,
            banned: false,
            blocked: false,
            running: BTreeMap::new(),
            due: None,
        }
    }

    fn active(&self) -> bool {
        matches!(self.role, Role::Unpromoted | Role::Promoted)
    }
}

/// One clone.
#[derive(Debug, Clone)]
pub(super) struct Resource {
    pub(super) id: String,
    /// The device group; none: it is the ports' resource.
    pub(super) group: Option<String>,
    pub(super) params: BTreeMap<String, String>,
    /// The parameters as they were at first.
    right: BTreeMap<String, String>,
    pub(super) instances: Vec<Instance>,
    /// Where it should be promoted, if somebody said so.
    pub(super) preferred: Option<usize>,
    /// What its stores stand on, where that is a resource of the cluster.
    pub(super) lower: Option<Lower>,
}

/// A promotable DRBD resource, or a volume group, which the promoted role of a group needs and follows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lower {
    /// Where it is primary, or activated.
    pub(super) at: Option<usize>,
    /// Where it should be, if somebody said so.
    pub(super) preferred: Option<usize>,
}

/// The lists of a transition, as sets of nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Lists {
    active: BTreeSet<usize>,
    promoted: BTreeSet<usize>,
    start: BTreeSet<usize>,
    stop: BTreeSet<usize>,
    promote: BTreeSet<usize>,
    demote: BTreeSet<usize>,
}

/// What one transition does to a resource.
#[derive(Debug, Clone, Default)]
struct Plan {
    lists: Lists,
    reload: BTreeSet<usize>,
    /// What lies below goes from a node to another.
    lower: Option<(Option<usize>, Option<usize>)>,
}

impl Plan {
    fn is_empty(&self) -> bool {
        let Lists { start, stop, promote, demote, .. } = &self.lists;
        self.lower.is_none() && [start, stop, promote, demote, &self.reload].iter().all(|set| set.is_empty())
    }
}

/// The cluster.
#[expect(clippy::struct_excessive_bools, reason = "each is set and taken back by itself")]
pub(super) struct Cluster {
    pub(super) stage: Arc<Stage>,
    pub(super) resources: Vec<Resource>,
    pub(super) standby: BTreeSet<usize>,
    pub(super) fencing: bool,
    /// Nodes that were lost, until a transition has dealt with it.
    lost: BTreeSet<usize>,
    /// The transition under way does not go on.
    aborted: bool,
    /// Nothing is done to resources, and nothing is monitored.
    pub(super) maintenance: bool,
    /// Something may happen between two actions of a transition.
    pub(super) eventful: bool,
    /// What was done last on each node, to count pairs of actions.
    last: BTreeMap<(String, usize), Action>,
    /// The same without notifications.
    acted: BTreeMap<(String, usize), Action>,
}

type Extra = Vec<(String, String)>;

impl Cluster {
    pub(super) fn new(stage: Arc<Stage>, groups: &[&str], fencing: bool) -> Self {
        let count = stage.lock().world.nodes.len();
        let resource = |id: &str, group: Option<&str>, params: BTreeMap<String, String>| Resource {
            id: id.to_owned(),
            group: group.map(str::to_owned),
            right: params.clone(),
            params,
            instances: vec![Instance::new(); count],
            preferred: None,
            lower: group.filter(|group| stage.lock().world.layer(group) != Layer::Shared).map(|_| Lower::default()),
        };
        let text = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let mut resources = vec![resource(
            "ports",
            None,
            text(&[("initiators", "esx1=50:01:43:80:03:b0:23:34;esx2=50:01:43:80:03:b0:23:35")]),
        )];
        for (number, group) in groups.iter().enumerate() {
            let device = |n| stage.lock().world.device(group, n, 4 * number + n);
            let params = text(&[
                ("groupname", group),
                ("tgtdriver", "qla2x00t"),
                ("reload", "0"),
                ("device0", &device(0)),
                ("device1", &device(1)),
            ]);
            resources.push(resource(&format!("res_{group}"), Some(group), params));
        }
        Self {
            stage,
            resources,
            standby: BTreeSet::new(),
            fencing,
            lost: BTreeSet::new(),
            aborted: false,
            maintenance: false,
            eventful: false,
            last: BTreeMap::new(),
            acted: BTreeMap::new(),
        }
    }

    /// The same cluster, which goes its own way from now on. No action may be under way.
    pub(super) fn fork(&self) -> Self {
        Self {
            stage: self.stage.fork(),
            resources: self.resources.clone(),
            acted: self.acted.clone(),
            standby: self.standby.clone(),
            lost: self.lost.clone(),
            last: self.last.clone(),
            ..*self
        }
    }

    pub(super) fn role(&self, group: &str, node: usize) -> Role {
        let resource = self.resources.iter().find(|resource| resource.group.as_deref() == Some(group));
        resource.map_or(Role::Unknown, |resource| resource.instances[node].role)
    }

    /// The devices of a group that are configured, with their LUNs for the hosts of `esx1`.
    pub(super) fn exports(&self, group: &str) -> Vec<(String, u32)> {
        let resource = self.resources.iter().find(|resource| resource.group.as_deref() == Some(group));
        let devices = resource.into_iter().flat_map(|resource| &resource.params);
        let export = |text: &String| {
            let value = |key: &str| text.split(',').find_map(|pair| pair.strip_prefix(key)).map(str::to_owned);
            Some((format!("{group}_{}", value("virtname=")?), value("export0=esx1:")?.parse().ok()?))
        };
        devices.filter(|(name, _)| name.starts_with("device")).filter_map(|(_, text)| export(text)).collect()
    }

    /// Who takes part in the cluster.
    fn members(&self) -> BTreeSet<usize> {
        let state = self.stage.lock();
        let there = |node: &usize| state.world.nodes[*node].powered && !state.world.nodes[*node].cut;
        (0..state.world.nodes.len()).filter(there).collect()
    }

    /// The history ends here.
    fn violated(&self) -> bool {
        let state = self.stage.lock();
        state.world.violation.is_some() || state.world.over.is_some()
    }

    pub(super) fn happened(&self, line: String) {
        self.stage.lock().world.happened(line);
    }

    /// Carries out transitions until nothing is left to do.
    pub(super) fn settle(&mut self) {
        for _ in 0..60 {
            if self.violated() || !self.transition() {
                return;
            }
        }
        self.stage.lock().world.violated("the cluster does not come to rest".to_owned());
    }

    /// Time passes, with the recurring monitors.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.stage.lock().world.now + time;
        if self.maintenance {
            return self.stage.lock().world.advance(end);
        }
        while !self.violated() {
            let now = self.stage.lock().world.now;
            let members = self.members();
            let due: Vec<(usize, usize, Duration)> = self
                .resources
                .iter()
                .enumerate()
                .flat_map(|(r, resource)| {
                    resource
                        .instances
                        .iter()
                        .enumerate()
                        .filter_map(move |(node, instance)| Some((r, node, instance.due?)))
                })
                .filter(|(_, node, _)| members.contains(node))
                .collect();
            let Some(next) = due.iter().map(|(.., due)| *due).min().filter(|next| *next <= end) else {
                self.stage.lock().world.advance(end);
                return;
            };
            self.stage.lock().world.advance(next.max(now));
            let now: Vec<(usize, usize)> =
                due.iter().filter(|(.., due)| *due <= next).map(|(r, node, _)| (*r, *node)).collect();
            self.monitors(&now);
            self.settle();
        }
    }
}
