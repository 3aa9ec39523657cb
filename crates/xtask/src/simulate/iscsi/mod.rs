//! Clusters whose targets are iSCSI targets, made by `scst_target` and held by a daemon that dies and hangs.
//!
//! `daemon` is the daemon of a node, `events` what happens to it, to hosts and to the configuration, `invariants` what must hold of
//! targets, `heard` what the agents log.

mod daemon;
mod events;
mod heard;
mod invariants;

use std::collections::BTreeMap;

use scst_sim::model::IscsiInitiator;

pub(super) use self::daemon::Daemon;
pub(super) use self::events::{AT_REST, BETWEEN, die_once_more};
pub(super) use self::heard::hearing;
use super::lot::Lot;
use super::pacemaker::Cluster;
use super::world::{HOST, NODES, World, port};

/// Every secret begins so: no text of an agent may have it.
const SECRET: &str = "BehindTheDoor";

/// A host of the initiator group `esx1`, another one, one of `esx2`, and those of `lab`.
const ESX1: &str = "iqn.1998-01.com.vmware:esx1-4c5d";
const ESX3: &str = "iqn.1998-01.com.vmware:esx3-0f11";
const ESX2: &str = "iqn.1998-01.com.vmware:esx2-77aa";
const LAB: &str = "iqn.1993-08.org.debian:01:*";

/// What `portals` can be, and an address that it admits. No choice admits [`CLOSED`].
const PORTALS: [(&str, &str); 3] =
    [("10.0.1.*,10.0.2.*", "10.0.1.1"), ("10.0.1.*", "10.0.1.1"), ("10.0.2.*,10.0.3.7", "10.0.2.1")];
const CLOSED: &str = "192.168.7.7";

/// What `attributes` can be.
const ATTRIBUTES: [&str; 3] = ["QueuedCommands=64,NopInInterval=10", "QueuedCommands=16", "MaxBurstLength=262144"];

/// What is configured of the targets.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub(super) struct Targets {
    /// systemd runs the daemon, not the agent.
    unit: bool,
    /// When a node boots, somebody makes its first target.
    found: bool,
    /// Which secret the user `esx` has, the user `lab`, who may be missing, and the target itself.
    esx: usize,
    lab: Option<usize>,
    own: Option<usize>,
    portals: usize,
    attributes: usize,
    alias: bool,
    /// The group `esx1` has a second host.
    more: bool,
    /// There is a third group.
    third: bool,
}

impl Targets {
    pub(super) fn drawn(lot: &mut Lot) -> Self {
        let unit = lot.once_in(3);
        Self {
            unit,
            found: unit && lot.once_in(2),
            esx: 0,
            lab: lot.once_in(2).then_some(0),
            own: lot.once_in(3).then_some(0),
            portals: lot.below(PORTALS.len()),
            attributes: lot.below(ATTRIBUTES.len()),
            alias: lot.once_in(2),
            more: false,
            third: false,
        }
    }

    /// The initiator groups with their hosts, in order.
    fn groups(&self) -> Vec<(&'static str, Vec<&'static str>)> {
        let esx1 = if self.more { vec![ESX1, ESX3] } else { vec![ESX1] };
        let mut groups = vec![("esx1", esx1), ("esx2", vec![ESX2])];
        groups.extend(self.third.then(|| ("lab", vec![LAB])));
        groups
    }

    /// The incoming users with their secrets.
    fn users(&self) -> Vec<(&'static str, String)> {
        let secret = |of: &str, number: usize| format!("{SECRET}-{of}-{number}");
        let lab = self.lab.map(|number| ("lab", secret("lab", number)));
        [("esx", secret("esx", self.esx))].into_iter().chain(lab).collect()
    }

    fn outgoing(&self) -> Option<String> {
        self.own.map(|number| format!("target {SECRET}-target-{number}"))
    }

    /// The parameters of the resource.
    fn params(&self) -> BTreeMap<String, String> {
        let groups: Vec<String> =
            self.groups().iter().map(|(name, hosts)| format!("{name}={}", hosts.join(","))).collect();
        let users: Vec<String> = self.users().iter().map(|(name, secret)| format!("{name} {secret}")).collect();
        let params = [
            ("tgtdriver", Some("iscsi".to_owned())),
            ("initiators", Some(groups.join(";"))),
            ("incoming_users", Some(users.join(";"))),
            ("outgoing_user", self.outgoing()),
            ("portals", Some(PORTALS[self.portals].0.to_owned())),
            ("attributes", Some(ATTRIBUTES[self.attributes].to_owned())),
            ("alias", self.alias.then(|| "rack 7".to_owned())),
            ("daemon", self.unit.then(|| "none".to_owned())),
        ];
        params.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }

    /// This host, who is let in, as three that must not be: without a secret, with a wrong one, and by another portal.
    fn strangers(right: &IscsiInitiator) -> [IscsiInitiator; 3] {
        [
            IscsiInitiator { chap: None, ..right.clone() },
            IscsiInitiator { chap: Some(("esx".to_owned(), "notthissecret".to_owned())), ..right.clone() },
            IscsiInitiator { to: CLOSED.to_owned(), ..right.clone() },
        ]
    }

    /// A host of `esx1` that is let in.
    fn host(&self) -> IscsiInitiator {
        let (user, secret) = self.users().swap_remove(0);
        let to = PORTALS[self.portals].1.to_owned();
        IscsiInitiator { to, chap: Some((user.to_owned(), secret)), ..IscsiInitiator::local(ESX1) }
    }
}

impl World {
    /// The targets of the nodes are iSCSI targets.
    pub(super) fn use_iscsi(&mut self, targets: Targets) {
        self.iscsi = Some(targets);
        for (node, of) in (0..self.nodes.len()).zip(NODES) {
            let listed = self.listed(node, &[0, 1]);
            self.cib.set_node_attribute(of, "targetports", Some(&listed)).expect("a CIB");
            self.boot_iscsi(node);
        }
    }

    /// The driver of the targets.
    pub(super) fn driver(&self) -> &'static str {
        if self.iscsi.is_some() { "iscsi" } else { "qla2x00t" }
    }

    /// The n-th target of a node.
    pub(super) fn target(&self, node: usize, n: usize) -> String {
        match self.iscsi {
            Some(_) => format!("iqn.2026-01.org.example:{}{n}", NODES[node]),
            None => port(node, n),
        }
    }

    /// The initiator groups of the first target of a node.
    pub(super) fn tables(&self, node: usize) -> String {
        format!("targets/{}/{}/ini_groups", self.driver(), self.target(node, 0))
    }

    /// A host of the initiator group `esx1`.
    pub(super) fn host(&self) -> &'static str {
        if self.iscsi.is_some() { ESX1 } else { HOST }
    }

    /// A host of `esx1` logs in to the first target of a node. False: it is not let in.
    pub(super) fn host_enters(&mut self, node: usize) -> bool {
        let (target, host) = (self.target(node, 0), self.host());
        let machine = &mut self.nodes[node].machine;
        let Some(targets) = self.iscsi else { return machine.login("qla2x00t", &target, host).is_ok() };
        // It knows the secret of today.
        machine.iscsi_logout(&target, host);
        machine.iscsi_login(&target, &targets.host()).is_ok()
    }
}

impl Cluster {
    /// A parameter of the targets, and what it must not be.
    pub(super) fn mistake(&self) -> (&'static str, &'static str) {
        let mistakes = [
            ("initiators", "a b c d ="),
            ("incoming_users", "esx BehindTheDoor;lab short"),
            ("portals", "10.0.1.1:3260"),
        ];
        mistakes[self.below(if self.world().iscsi.is_some() { mistakes.len() } else { 1 })]
    }

    /// The resources are those of iSCSI targets.
    pub(super) fn use_iscsi(&mut self) {
        let Some(targets) = self.world().iscsi else { return };
        self.resources[0].params = targets.params();
        self.resources[0].right = targets.params();
        for resource in &mut self.resources[1..] {
            resource.params.insert("tgtdriver".to_owned(), "iscsi".to_owned());
            resource.right.insert("tgtdriver".to_owned(), "iscsi".to_owned());
        }
    }
}
