//! A story: what happened to a cluster, event by event, and what every node told its hosts after each.

use std::fmt::{self, Write as _};

use super::call::{Masks, Set, bit, members};
use super::cluster::{Cluster, Stage};
use super::events::Event;
use super::judge::Broken;
use super::nodes::{Nodes, Told};
use super::search::Scope;
use super::site::{ATTRIBUTES, NODES};

/// What happened, and which law it broke.
#[derive(Debug, Clone)]
pub(super) struct Story {
    /// The law that the last event broke.
    pub(super) broken: Broken,
    /// The events.
    pub(super) events: Vec<Event>,
}

impl Story {
    /// The story as lines: each event with what every node tells afterwards of itself and the others.
    pub(super) fn told(&self, scope: &Scope) -> String {
        let mut nodes = scope.nodes();
        let mut cluster = scope.first(&mut nodes);
        let mut text = String::new();
        for event in &self.events {
            let line = sentence(&cluster, *event);
            cluster = cluster.after(&mut nodes, *event, scope.fencing).0;
            let _ = writeln!(text, "  {line:<58} {}", pictures(&nodes, &cluster));
        }
        let _ = writeln!(text, "  {:?}: {}", self.broken.law, self.broken.how);
        text
    }
}

/// An event, as a sentence.
fn sentence(cluster: &Cluster, event: Event) -> String {
    let step = cluster.transition.map(|transition| {
        let op = transition.op.name();
        match transition.stage {
            Stage::Before => format!("pre-{op}"),
            Stage::Act => op.to_owned(),
            Stage::After => format!("post-{op}"),
        }
    });
    let step = step.unwrap_or_default();
    match event {
        Event::Plan(masks) => format!("transition:{masks}"),
        Event::Notified(node) => format!("{step} reaches {}", NODES[node]),
        Event::Unheard(node) => format!("{step} does not reach {}", NODES[node]),
        Event::Acts(node) => format!("{step} on {}", NODES[node]),
        Event::Fails(node) => format!("{step} on {} fails", NODES[node]),
        Event::Dropped => "the rest of the transition is dropped".to_owned(),
        Event::Crash(node) => format!("{} loses power", NODES[node]),
        Event::CutOff(node) => format!("{} is cut off from the others and not fenced", NODES[node]),
        Event::Return(node) => format!("{} returns", NODES[node]),
        Event::Attribute(node, value) => {
            format!("targetports of {} become {:?}", NODES[node], ATTRIBUTES[usize::from(value)])
        }
        Event::Reload(node) => format!("reload on {}", NODES[node]),
        Event::Quiet => "long quiet, monitors everywhere".to_owned(),
        Event::Stall => format!("{step} takes over 150 s, monitors everywhere"),
        Event::ByHand(node) => format!("start by hand on {}", NODES[node]),
        Event::Forget(node) => format!("the record of {} is removed", NODES[node]),
        Event::Upgrade(node) => format!("{} gets the native agent", NODES[node]),
    }
}

impl fmt::Display for Masks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lists = [("demote", self.demote), ("stop", self.stop), ("start", self.start), ("promote", self.promote)];
        for (name, set) in lists.into_iter().filter(|(_, set)| *set != 0) {
            let nodes: Vec<&str> = members(set).map(|node| NODES[node]).collect();
            write!(f, " {name} {}", nodes.join(" "))?;
        }
        Ok(())
    }
}

/// What each node with power tells of itself and of the others, a letter each: `A`ctive, `s`tandby, `t`ransitioning,
/// `u`navailable, `-` nothing.
fn pictures(nodes: &Nodes, cluster: &Cluster) -> String {
    let count = nodes.site.count;
    let letter = |told: Told| match told {
        Told::Active => 'A',
        Told::Standby => 's',
        Told::Transitioning => 't',
        Told::Unavailable => 'u',
        Told::Nothing => '-',
    };
    let of = |node: usize| {
        let told = nodes.summary(cluster.nodes[node]).told;
        let letters: String = told[..count].iter().map(|told| letter(*told)).collect();
        let up: Set = cluster.up & bit(node);
        if up == 0 { "off".to_owned() } else { letters }
    };
    (0..count).map(|node| format!("{}:{}", NODES[node], of(node))).collect::<Vec<_>>().join("  ")
}
