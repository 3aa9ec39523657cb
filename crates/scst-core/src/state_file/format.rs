//! The text of a state file: a line per fact, `word value…`, between a first line with the version and a last line
//! `end`.

use std::collections::{BTreeMap, BTreeSet};

use crate::scst::alua::AluaState;
use crate::scst::attribute;
use crate::scst::device::Owed;
use crate::scst::names::{DeviceName, Driver, GroupName, InitiatorGroup, NodeName, TargetName};

/// The first line of a state file.
const VERSION: &str = "scst-ocf record 1";

/// The first words of its lines.
const WORDS: [&str; 20] = [
    "node",
    "id",
    "group",
    "port",
    "missing",
    "driver",
    "made",
    "attribute",
    "ini_group",
    "made_in_order",
    "device",
    "adding",
    "block",
    "starting",
    "unfinished",
    "moving",
    "failed",
    "score",
    "boot",
    "peer",
];

/// The contents of a state file: what an instance remembers between two actions.
///
/// ```
/// use scst_core::state_file::StateFile;
///
/// let file = StateFile { node_id: Some(1), score: Some(10), ..StateFile::default() };
/// assert_eq!(file.text(), "scst-ocf record 1\nid 1\nscore 10\nend\n");
/// assert_eq!(StateFile::parse(&file.text()), Some(file));
/// assert_eq!(StateFile::parse("scst-ocf record 1\nid 1\n"), None, "a file that was cut off says nothing");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StateFile {
    /// This node's name in the cluster.
    pub node: Option<NodeName>,
    /// This node's id in the cluster, 1 to 654 where it has ports.
    pub node_id: Option<u16>,
    /// The device group.
    pub group: Option<GroupName>,
    /// Our ports, in the order of their numbers, each with its relative target port identifier (1 to 65535).
    pub ports: Vec<(TargetName, u16)>,
    /// Ports of this node's list that did not exist when the others were set up, with the identifiers that they would
    /// have.
    pub missing: Vec<(TargetName, u16)>,
    /// The driver of these ports, where the agent serves several.
    pub driver: Option<Driver>,
    /// Those of our ports that we made: stop deletes them, and leaves the others.
    pub made: BTreeSet<TargetName>,
    /// The attributes that were configured: one that is not configured any more gets its default back.
    pub attributes: BTreeSet<&'static str>,
    /// The initiator groups we created.
    pub ini_groups: BTreeSet<InitiatorGroup>,
    /// The initiator groups in the order in which they were made: the kernel takes the first that matches an initiator.
    pub order: Vec<InitiatorGroup>,
    /// The devices we created.
    pub devices: BTreeSet<DeviceName>,
    /// The devices that are not configured any more, and that an earlier action was adding when it ended: the kernel may
    /// still carry that out.
    pub adding: BTreeSet<DeviceName>,
    /// Devices that we are about to block, or have blocked, until the kernel shows that the block is gone; with the
    /// number of blocks that are not ours.
    pub blocks: BTreeMap<DeviceName, Owed>,
    /// A start has begun and not ended: what is there is no running instance, although the kernel creates target groups
    /// active.
    pub starting: bool,
    /// A reload has not made everything effective: the next reload, or a recurring monitor, does the rest.
    pub unfinished: bool,
    /// When this node was demoted for another one, for which hosts are told to wait since (`transitioning`), in seconds
    /// since this machine booted.
    pub moving: Option<u64>,
    /// When the last promotion failed, in seconds since this machine booted.
    pub failed: Option<u64>,
    /// The promotion score that was set last; `None`: none that is known to be set.
    pub score: Option<i32>,
    /// The boot of the machine in which it was written ([`System::boot`](crate::system::System::boot)).
    pub boot: String,
    /// The last state written for a peer, and when (seconds since this machine booted).
    pub peers: BTreeMap<NodeName, (AluaState, u64)>,
}

/// Whether a line that begins so may have been written by a later version.
fn is_of_a_later_version(word: &str) -> bool {
    !word.is_empty() && !WORDS.contains(&word) && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

impl StateFile {
    /// Reads the text of a state file; `None` for a file that was cut off, or that holds a line which no version
    /// writes. A line whose word is not known here was written by a later version, and is passed over.
    pub fn parse(text: &str) -> Option<Self> {
        let body = text.strip_suffix("end\n")?;
        let mut lines = body.lines();
        if lines.next()? != VERSION {
            return None;
        }
        let mut file = Self::default();
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                ["node", name] => file.node = Some(NodeName::parse(name).ok()?),
                ["id", id] => file.node_id = Some(id.parse().ok()?),
                ["group", name] => file.group = Some(GroupName::parse(name).ok()?),
                ["port", name, id] => file.ports.push((TargetName::seen(name).ok()?, id.parse().ok()?)),
                ["missing", name, id] => file.missing.push((TargetName::seen(name).ok()?, id.parse().ok()?)),
                ["driver", name] => file.driver = Some(Driver::parse(name).ok()?),
                ["made", name] => _ = file.made.insert(TargetName::seen(name).ok()?),
                ["attribute", name] => file.attributes.extend(attribute::find(name).map(|attribute| attribute.name)),
                ["ini_group", name] => _ = file.ini_groups.insert(InitiatorGroup::seen(name).ok()?),
                ["made_in_order", name] => file.order.push(InitiatorGroup::seen(name).ok()?),
                ["device", name] => _ = file.devices.insert(DeviceName::seen(name).ok()?),
                ["adding", name] => _ = file.adding.insert(DeviceName::seen(name).ok()?),
                ["block", name, before, rest @ ..] if matches!(rest, [] | ["returning"]) => {
                    let owed = Owed { before: before.parse().ok()?, returning: !rest.is_empty() };
                    file.blocks.insert(DeviceName::seen(name).ok()?, owed);
                }
                ["starting"] => file.starting = true,
                ["unfinished"] => file.unfinished = true,
                ["moving", at] => file.moving = Some(at.parse().ok()?),
                ["failed", at] => file.failed = Some(at.parse().ok()?),
                ["score", score] => file.score = Some(score.parse().ok()?),
                ["boot", boot] => (*boot).clone_into(&mut file.boot),
                ["peer", name, state, at] => {
                    let state = AluaState::parse(state)?;
                    file.peers.insert(NodeName::parse(name).ok()?, (state, at.parse().ok()?));
                }
                [word, ..] if is_of_a_later_version(word) => {}
                _ => return None,
            }
        }
        Some(file)
    }

    /// The state file as it is read in the boot `boot`: what was blocked before the machine rebooted is not blocked any
    /// more, and times of another boot mean nothing.
    pub(super) fn of_this_boot(mut self, boot: &str) -> Self {
        if self.boot != boot {
            self.blocks.clear();
            self.adding.clear();
            self.peers.clear();
            // Whoever has a target of that name now has made it since.
            self.made.clear();
            self.order.clear();
            self.starting = false;
            self.unfinished = false;
            self.failed = None;
            self.moving = None;
            // The cluster keeps it until the node reboots.
            self.score = None;
            boot.clone_into(&mut self.boot);
        }
        self
    }

    /// The devices that are there, or may come: those that were created, and those that an earlier action was adding.
    pub fn named_devices(&self) -> impl Iterator<Item = &DeviceName> {
        self.devices.iter().chain(&self.adding)
    }

    /// The text of the state file. Its last line shows that it is complete.
    pub fn text(&self) -> String {
        use std::fmt::Write as _;
        let mut text = format!("{VERSION}\n");
        // Writing into a String cannot fail.
        let mut line = |arguments: std::fmt::Arguments<'_>| _ = writeln!(text, "{arguments}");
        if let Some(node) = &self.node {
            line(format_args!("node {node}"));
        }
        if let Some(id) = self.node_id {
            line(format_args!("id {id}"));
        }
        if let Some(group) = &self.group {
            line(format_args!("group {group}"));
        }
        for (port, id) in &self.ports {
            line(format_args!("port {port} {id}"));
        }
        for (port, id) in &self.missing {
            line(format_args!("missing {port} {id}"));
        }
        if let Some(driver) = self.driver {
            line(format_args!("driver {driver}"));
        }
        for port in &self.made {
            line(format_args!("made {port}"));
        }
        for attribute in &self.attributes {
            line(format_args!("attribute {attribute}"));
        }
        for group in &self.ini_groups {
            line(format_args!("ini_group {group}"));
        }
        for group in &self.order {
            line(format_args!("made_in_order {group}"));
        }
        for device in &self.devices {
            line(format_args!("device {device}"));
        }
        for device in &self.adding {
            line(format_args!("adding {device}"));
        }
        for (device, Owed { before, returning }) in &self.blocks {
            line(format_args!("block {device} {before}{}", if *returning { " returning" } else { "" }));
        }
        if self.starting {
            line(format_args!("starting"));
        }
        if self.unfinished {
            line(format_args!("unfinished"));
        }
        if let Some(at) = self.moving {
            line(format_args!("moving {at}"));
        }
        if let Some(at) = self.failed {
            line(format_args!("failed {at}"));
        }
        if let Some(score) = self.score {
            line(format_args!("score {score}"));
        }
        if !self.boot.is_empty() {
            line(format_args!("boot {}", self.boot));
        }
        for (peer, (state, at)) in &self.peers {
            line(format_args!("peer {peer} {state} {at}"));
        }
        text.push_str("end\n");
        text
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(in crate::state_file) fn sample() -> StateFile {
        StateFile {
            node: NodeName::parse("alpha").ok(),
            node_id: Some(1),
            group: GroupName::parse("dummy").ok(),
            ports: vec![(TargetName::seen("21:00:00:24:ff:60:d0:10").unwrap(), 101)],
            missing: vec![(TargetName::seen("21:00:00:24:ff:60:d0:11").unwrap(), 102)],
            driver: Some(Driver::Iscsi),
            made: [TargetName::seen("21:00:00:24:ff:60:d0:10").unwrap()].into(),
            attributes: ["QueuedCommands"].into(),
            ini_groups: [InitiatorGroup::seen("ESX1").unwrap()].into(),
            order: vec![InitiatorGroup::seen("ESX1").unwrap()],
            devices: [DeviceName::seen("dummy_lu0").unwrap()].into(),
            adding: [DeviceName::seen("dummy_lu1").unwrap()].into(),
            blocks: [(DeviceName::seen("dummy_lu0").unwrap(), Owed { before: 2, returning: true })].into(),
            starting: true,
            unfinished: true,
            moving: Some(12330),
            failed: Some(12340),
            score: Some(10),
            boot: crate::system::Machine::system().boot(),
            peers: [(NodeName::parse("beta").unwrap(), (AluaState::Transitioning, 12345))].into(),
        }
    }

    #[test]
    fn blocks_and_times_of_an_earlier_boot_mean_nothing() {
        let old = StateFile { boot: "old".into(), ..sample() };
        let now = old.of_this_boot("now");
        assert!(now.blocks.is_empty() && now.adding.is_empty() && now.peers.is_empty());
        assert_eq!((now.moving, now.failed, now.score), (None, None, None));
        assert_eq!(now.devices, sample().devices);
    }

    #[test]
    fn a_line_of_a_later_version_is_passed_over_and_a_broken_line_of_ours_is_not() {
        let with = |line: &str| sample().text().replace("starting\n", &format!("starting\n{line}\n"));
        for line in ["serial dummy_lu0 7", "later"] {
            assert_eq!(StateFile::parse(&with(line)), Some(sample()), "{line}");
        }
        for line in ["score", "score x", "starting now", "device", "block dummy_lu0 2 never", "", " later", "\0\0"] {
            assert_eq!(StateFile::parse(&with(line)), None, "{line:?}");
        }
        // Each word that is written is known: without what belongs to it, it is damage.
        let text = sample().text();
        let words =
            text.lines().filter_map(|line| line.split(' ').next()).filter(|word| !["scst-ocf", "end"].contains(word));
        for word in words {
            assert!(WORDS.contains(&word), "{word}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_state_file_that_says_something_else_when_written_again(text in "(scst-ocf record 1\n)?([a-z_]{2,9} [ -~]{0,20}\n){0,4}(end\n)?") {
            if let Some(file) = StateFile::parse(&text) {
                prop_assert_eq!(StateFile::parse(&file.text()), Some(file));
            }
        }
    }
}
