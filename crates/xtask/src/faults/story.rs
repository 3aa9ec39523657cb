//! The actions that faults strike: where each begins, what it is told, and what it must reach.

use std::path::Path;
use std::time::Duration;

use super::world::Call;

/// An agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Agent {
    /// The one that brings ports up.
    Ports,
    /// The one that serves a device group.
    Group,
}

impl Agent {
    /// The name of its program.
    pub(super) fn program(self) -> &'static str {
        match self {
            Self::Ports => "scst_qla2xtgt",
            Self::Group => "scst_aluadg",
        }
    }

    /// The id of its resource.
    pub(super) fn resource(self) -> &'static str {
        match self {
            Self::Ports => "scst_qla",
            Self::Group => "scst_dg_ssd",
        }
    }

    /// Its parameters: those of today, or those that a reload finds in force.
    pub(super) fn parameters(self, earlier: bool, dir: &Path) -> Vec<(&'static str, String)> {
        let own = |text: &str| text.replace("DIR", &dir.to_string_lossy());
        let pairs: &[(&'static str, &str)] = match (self, earlier) {
            (Self::Ports, false) => {
                &[("initiators", "esx=50:01:43:80:03:b0:23:34,50:01:43:80:03:b0:23:36;linux=50:01:43:80:03:b0:23:40")]
            }
            (Self::Ports, true) => {
                &[("initiators", "old=50:01:43:80:03:b0:23:50;esx=50:01:43:80:03:b0:23:34,50:01:43:80:03:b0:23:38")]
            }
            (Self::Group, false) => &[
                ("groupname", "ssd"),
                ("tgtdriver", "qla2x00t"),
                ("device0", "virtname=blk,filename=DIR/disk,export0=all:0"),
                ("device1", "virtname=fil,handler=vdisk_fileio,filename=DIR/file,t10devid=ssd-1,export0=esx:1"),
                ("device2", "virtname=nul,handler=vdisk_nullio,export0=linux:2,export1=esx:2"),
            ],
            (Self::Group, true) => &[
                ("groupname", "ssd"),
                ("tgtdriver", "qla2x00t"),
                ("device0", "virtname=blk,filename=DIR/disk,export0=all:0,export1=linux:5"),
                ("device1", "virtname=old,handler=vdisk_nullio,export0=esx:1"),
                ("device2", "virtname=nul,handler=vdisk_nullio,export0=esx:2"),
            ],
        };
        pairs.iter().map(|(name, value)| (*name, own(value))).collect()
    }
}

/// A state in which an action begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Base {
    /// Nothing of the resource is there.
    Off,
    /// It runs, a device group unpromoted.
    Started,
    /// It runs, a device group unpromoted, and was started with the earlier parameters.
    Earlier,
    /// It is promoted.
    Promoted,
    /// It is promoted, and was started with the earlier parameters.
    EarlierPromoted,
}

impl Base {
    /// It was started with the earlier parameters.
    pub(super) fn is_earlier(self) -> bool {
        matches!(self, Self::Earlier | Self::EarlierPromoted)
    }

    /// It is promoted.
    pub(super) fn is_promoted(self) -> bool {
        matches!(self, Self::Promoted | Self::EarlierPromoted)
    }
}

/// An action under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Story {
    /// Its name in the table.
    pub(super) name: &'static str,
    /// Whose.
    pub(super) agent: Agent,
    /// Where it begins.
    pub(super) base: Base,
    /// A notification that comes before, undisturbed.
    pub(super) before: Option<&'static str>,
    /// The action; a notification is called by type and operation.
    pub(super) action: &'static str,
}

/// All of them.
pub(super) const STORIES: &[Story] = &[
    story("ports start", Agent::Ports, Base::Off, None, "start"),
    story("ports reload", Agent::Ports, Base::Earlier, None, "reload"),
    story("ports stop", Agent::Ports, Base::Started, None, "stop"),
    story("start", Agent::Group, Base::Off, None, "start"),
    story("reload", Agent::Group, Base::Earlier, None, "reload"),
    story("reload promoted", Agent::Group, Base::EarlierPromoted, None, "reload"),
    story("promote", Agent::Group, Base::Started, None, "promote"),
    story("promote stopped", Agent::Group, Base::Off, None, "promote"),
    story("demote", Agent::Group, Base::Promoted, None, "demote"),
    story("stop", Agent::Group, Base::Started, None, "stop"),
    story("stop promoted", Agent::Group, Base::Promoted, None, "stop"),
    story("pre-start", Agent::Group, Base::Started, Some("post-stop"), "pre-start"),
    story("post-start", Agent::Group, Base::Started, Some("post-stop"), "post-start"),
    story("pre-promote", Agent::Group, Base::Started, Some("post-demote"), "pre-promote"),
    story("post-promote", Agent::Group, Base::Started, Some("pre-promote"), "post-promote"),
    story("pre-demote", Agent::Group, Base::Started, Some("post-promote"), "pre-demote"),
    story("post-demote", Agent::Group, Base::Started, Some("pre-demote"), "post-demote"),
    story("pre-stop", Agent::Group, Base::Promoted, Some("post-start"), "pre-stop"),
    story("post-stop", Agent::Group, Base::Promoted, Some("pre-stop"), "post-stop"),
];

const fn story(
    name: &'static str,
    agent: Agent,
    base: Base,
    before: Option<&'static str>,
    action: &'static str,
) -> Story {
    Story { name, agent, base, before, action }
}

impl Story {
    /// The action is a notification.
    pub(super) fn is_notification(&self) -> bool {
        self.action.contains('-')
    }

    /// The call of the action.
    pub(super) fn call(&self, timeout: Option<Duration>) -> Call<'static> {
        Call { timeout, ..call(self.action) }
    }
}

/// A call of an action or notification of the local instance, with the lists that go with it. The other node's instance
/// runs, unless the notification is about its start.
pub(super) fn call(action: &'static str) -> Call<'static> {
    let mut lists = Lists::default();
    let (verb, event) = if let Some((when, operation)) = action.split_once('-') {
        lists.active = if operation == "start" { "alpha" } else { "alpha beta" };
        lists.promoted = if operation == "demote" { "beta" } else { "" };
        lists.plan(operation, "beta");
        ("notify", Some((when, operation)))
    } else {
        lists.active = if action == "start" { "beta" } else { "alpha beta" };
        lists.promoted = if action == "demote" { "alpha" } else { "" };
        lists.plan(action, "alpha");
        (action, None)
    };
    let mut meta = lists.variables();
    if let Some((when, operation)) = event {
        meta.push(("notify_type".to_owned(), when.to_owned()));
        meta.push(("notify_operation".to_owned(), operation.to_owned()));
    }
    Call { action: verb, meta, ..Call::default() }
}

/// The notification lists of a transition.
#[derive(Debug, Default)]
struct Lists {
    active: &'static str,
    promoted: &'static str,
    planned: Vec<(&'static str, &'static str)>,
}

impl Lists {
    fn plan(&mut self, operation: &str, node: &'static str) {
        let known = ["start", "stop", "promote", "demote"].into_iter().find(|known| *known == operation);
        self.planned.extend(known.map(|operation| (operation, node)));
    }

    fn variables(&self) -> Vec<(String, String)> {
        // Pacemaker's empty list is a blank.
        let blank = |text: &str| if text.is_empty() { " ".to_owned() } else { text.to_owned() };
        let planned = |name| self.planned.iter().find(|(operation, _)| *operation == name).map_or("", |(_, node)| node);
        let unpromoted: Vec<&str> = self.active.split(' ').filter(|node| *node != self.promoted).collect();
        let unpromoted = unpromoted.join(" ");
        let mut lists = vec![("active", self.active), ("promoted", self.promoted), ("master", self.promoted)];
        lists.extend([
            ("unpromoted", unpromoted.as_str()),
            ("slave", unpromoted.as_str()),
            ("available", "alpha beta"),
        ]);
        lists.extend(["start", "stop", "promote", "demote"].map(|name| (name, planned(name))));
        lists.into_iter().map(|(name, nodes)| (format!("notify_{name}_uname"), blank(nodes))).collect()
    }
}
