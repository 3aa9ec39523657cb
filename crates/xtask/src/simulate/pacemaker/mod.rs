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
mod resource;
mod scheduler;
mod transition;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use scst_core::ocf::action::Action;

pub(super) use self::resource::{Export, Instance, Resource, Role};
use self::resource::{Lists, PHASES, Plan};
use super::events::Event;
use super::stage::{Stage, Taken};

/// The cluster.
#[derive(Clone)]
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
    /// One recurring monitor in so many is of level 10; none: it is never run.
    pub(super) thorough: Option<usize>,
    /// Somebody thinks again after so many steps of a transition, and prefers this node for the resource.
    pub(super) second_thoughts: Option<(usize, usize, Option<usize>)>,
    /// This node does not hear the notification after so many others.
    pub(super) deaf: Option<(usize, usize)>,
    /// What happens most in this history.
    pub(super) focus: Vec<&'static Event>,
    /// What was done last on each node, to count pairs of actions.
    last: BTreeMap<(String, usize), Action>,
    /// The same without notifications.
    acted: BTreeMap<(String, usize), Action>,
}

type Extra = Vec<(String, String)>;

impl Cluster {
    pub(super) fn new(stage: Arc<Stage>, groups: &[&str], fencing: bool) -> Self {
        let count = stage.world().nodes.len();
        let resource = |id: &str, group: Option<&str>, params: BTreeMap<String, String>| Resource {
            id: id.to_owned(),
            group: group.map(str::to_owned),
            right: params.clone(),
            params,
            instances: vec![Instance::default(); count],
            preferred: None,
            lower: None,
        };
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let initiators = ("initiators", "esx1=5001-4380-03b0-2334;esx2=naa.5001438003b02335");
        let mut resources = vec![resource("ports", None, [initiators].map(owned).into())];
        for (number, group) in groups.iter().enumerate() {
            let (clone, id) = (format!("ms_res_{group}"), format!("res_{group}"));
            stage.world().cib.add_promotable(&clone, &id, "ocf:onesty:scst_aluadg").expect("a CIB");
            let device = |n| stage.world().device(group, n, 4 * number + n);
            let (first, second) = (&*device(0), &*device(1));
            let params = [("tgtdriver", "qla2x00t"), ("reload", "0"), ("device0", first), ("device1", second)];
            let params = params.into_iter().chain([("groupname", *group)]);
            resources.push(resource(&id, Some(group), params.map(owned).collect()));
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
            thorough: None,
            second_thoughts: None,
            deaf: None,
            focus: Vec::new(),
            last: BTreeMap::new(),
            acted: BTreeMap::new(),
        }
    }

    /// The same cluster, which goes its own way from now on. No action may be under way.
    pub(super) fn fork(&self) -> Self {
        Self { stage: self.stage.fork(), ..self.clone() }
    }

    /// The same for clusters in equal states: kernels, files of the agents, belief and configuration. Times do not count.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let mut resources = self.resources.clone();
        for (r, resource) in resources.iter_mut().enumerate() {
            resource.instances.iter_mut().for_each(|instance| instance.due = None);
            self.scores(r).hash(&mut hasher);
        }
        format!("{resources:?} {:?} {:?} {}", self.standby, self.lost, self.maintenance).hash(&mut hasher);
        for node in &mut self.world().nodes {
            node.fingerprint().hash(&mut hasher);
        }
        hasher.finish()
    }

    pub(super) fn of_group(&self, group: &str) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.group.as_deref() == Some(group))
    }

    pub(super) fn role(&self, group: &str, node: usize) -> Role {
        self.of_group(group).map_or(Role::Unknown, |resource| resource.instances[node].role)
    }

    /// All instances of all resources, with their resource and node.
    fn instances(&self) -> impl Iterator<Item = (usize, usize, &Instance)> {
        let all = self.resources.iter().enumerate();
        all.flat_map(|(r, of)| of.instances.iter().enumerate().map(move |(node, one)| (r, node, one)))
    }

    /// The devices of a group that are configured, as the hosts of `esx1` see them.
    pub(super) fn exports(&self, group: &str) -> Vec<Export> {
        let devices = self.of_group(group).into_iter().flat_map(|resource| &resource.params);
        let export = |text: &String| {
            let value = |key: &str| text.split(',').find_map(|pair| pair.strip_prefix(key)).map(str::to_owned);
            let device = format!("{group}_{}", value("virtname=")?);
            Some(Export { device, lun: value("export0=esx1:")?.parse().ok()?, store: value("filename=") })
        };
        devices.filter(|(name, _)| name.starts_with("device")).filter_map(|(_, text)| export(text)).collect()
    }

    /// Who takes part in the cluster.
    pub(super) fn members(&self) -> BTreeSet<usize> {
        let world = self.world();
        let there = |node: &usize| world.nodes[*node].powered && !world.nodes[*node].cut;
        (0..world.nodes.len()).filter(there).collect()
    }

    pub(super) fn world(&self) -> Taken<'_> {
        self.stage.world()
    }

    pub(super) fn happened(&self, line: String) {
        self.world().happened(line);
    }

    /// Carries out transitions until nothing is left to do.
    pub(super) fn settle(&mut self) {
        let rests = (0..60).any(|_| self.world().is_over() || !self.transition());
        let wrong = (!rests).then(|| "the cluster does not come to rest".to_owned());
        self.world().check("the cluster comes to rest", false, wrong);
    }

    /// Time passes until then, and nothing but what somebody does by hand goes on.
    fn until(&self, end: Duration) {
        while !self.world().is_over() {
            let ended = self.stage.run(end);
            if ended.is_empty() {
                return;
            }
            self.account(ended);
        }
    }

    /// Time passes, with the recurring monitors.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.world().now + time;
        if self.maintenance {
            return self.until(end);
        }
        while !self.world().is_over() {
            let now = self.world().now;
            let members = self.members();
            let due = self.instances().filter(|(_, node, _)| members.contains(node));
            let due: Vec<_> = due.filter_map(|(r, node, instance)| Some((r, node, instance.due?))).collect();
            let Some(next) = due.iter().map(|(.., due)| *due).min().filter(|next| *next <= end) else {
                return self.until(end);
            };
            self.until(next.max(now));
            let now: Vec<(usize, usize)> =
                due.iter().filter(|(.., due)| *due <= next).map(|(r, node, _)| (*r, *node)).collect();
            self.monitors(&now);
            self.settle();
        }
    }
}
