//! What the actions of all histories came through: which operations on kernel files they made, what went wrong with each of them, and which
//! action followed which.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use scst_core::error::Verb;
use scst_core::system::Operation;

use super::faults::Fault;

/// A kind of action.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Kind {
    pub(super) agent: &'static str,
    /// The action; of a notification also its type and operation.
    pub(super) what: String,
}

impl Kind {
    /// That of an action with this label: its resource, a blank, and what it is.
    pub(super) fn new(agent: &'static str, label: &str) -> Self {
        Self { agent, what: label.split_once(' ').map_or("", |(_, what)| what).to_owned() }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.agent.trim_start_matches("scst_"), self.what)
    }
}

/// What actions came through.
#[derive(Debug, Default)]
pub(super) struct Coverage {
    /// By action and path: the kinds of operations, and the faults that they met.
    operations: HashMap<Kind, HashMap<PathBuf, Vec<(Verb, u32)>>>,
    /// How often anything happened, by what it was; which action followed which on an instance as `pair BEFORE AFTER`.
    pub(super) counts: BTreeMap<String, u64>,
    /// By invariant: how often it was checked, how often it was not, for an excuse, and how often it would have been violated then.
    pub(super) invariants: BTreeMap<&'static str, [u64; 3]>,
}

impl Coverage {
    /// An action makes an operation, and meets this fault there.
    pub(super) fn operation(&mut self, kind: &Kind, operation: &Operation, fault: Option<Fault>) {
        let met = fault.and_then(|fault| Fault::ALL.iter().position(|other| *other == fault)).map_or(0, |at| 1 << at);
        let paths = self.operations.entry(kind.clone()).or_default();
        note(paths.entry(operation.path.clone()).or_default(), operation.verb, met);
    }

    /// Takes in what others came through.
    pub(super) fn add(&mut self, other: Self) {
        for (kind, paths) in other.operations {
            let own = self.operations.entry(kind).or_default();
            for (path, verbs) in paths {
                let own = own.entry(path).or_default();
                for (verb, met) in verbs {
                    note(own, verb, met);
                }
            }
        }
        for (what, count) in other.counts {
            *self.counts.entry(what).or_default() += count;
        }
        for (invariant, counts) in other.invariants {
            let own = self.invariants.entry(invariant).or_default();
            own.iter_mut().zip(counts).for_each(|(own, count)| *own += count);
        }
    }

    /// Everything, the tables first.
    pub(super) fn print(&self) {
        self.print_operations();
        self.print_pairs();
        println!("  checked   excused    needed invariant");
        for (invariant, [checked, excused, needed]) in &self.invariants {
            println!("{checked:>9} {excused:>9} {needed:>9} {invariant}");
        }
        for (what, count) in self.counts.iter().filter(|(what, _)| !what.starts_with("pair ")) {
            println!("{count:>9} {what}");
        }
    }

    /// A table: actions down, faults across, and how many of the action's operations met the fault. Operations are counted by what they
    /// are about, whichever node, port, device or LUN it is.
    fn print_operations(&self) {
        let mut shapes: BTreeMap<&Kind, BTreeMap<(String, String), u32>> = BTreeMap::new();
        for (kind, paths) in &self.operations {
            let shapes = shapes.entry(kind).or_default();
            for (path, verbs) in paths {
                for (verb, faults) in verbs {
                    *shapes.entry((format!("{verb:?}"), shape(path))).or_default() |= faults;
                }
            }
        }
        let (mut met, mut possible) = (0, 0);
        let mut rows = Vec::new();
        for (kind, operations) in shapes {
            let mut cells = vec![operations.len().to_string()];
            for (at, fault) in Fault::ALL.iter().enumerate() {
                let concerned = |verb: &str| verb == "Write" || fault.concerns(Verb::Read);
                let all = operations.keys().filter(|(verb, _)| concerned(verb)).count();
                let hit = operations.values().filter(|faults| **faults & (1 << at) != 0).count();
                (met, possible) = (met + hit, possible + all);
                cells.push(format!("{hit}/{all}"));
            }
            rows.push((kind.to_string(), cells));
        }
        let faults = Fault::ALL.map(words);
        print_table("operations that met a fault", ["operations".to_owned()].into_iter().chain(faults), rows);
        println!("{met} of {possible} combinations of action, operation and fault");
    }

    /// A table: actions down, those that followed across.
    fn print_pairs(&self) {
        let all = self.counts.iter();
        let pairs = all.filter_map(|(what, count)| Some((what.strip_prefix("pair ")?.split_once(' ')?, count)));
        let pairs: BTreeMap<(&str, &str), &u64> = pairs.collect();
        let names: BTreeSet<&str> = pairs.keys().flat_map(|(before, after)| [*before, *after]).collect();
        let count = |pair: (&str, &str)| pairs.get(&pair).map_or_else(|| "-".to_owned(), ToString::to_string);
        let cells = |before| names.iter().map(|after| count((before, *after))).collect();
        let rows = names.iter().map(|before| ((*before).to_owned(), cells(before)));
        print_table("before, after", names.iter().map(|name| (*name).to_owned()), rows);
        println!("{} of {} pairs of actions", pairs.len(), names.len() * names.len());
    }
}

/// Prints a table; its first line and its first column say what is counted.
fn print_table(
    corner: &str,
    columns: impl Iterator<Item = String>,
    rows: impl IntoIterator<Item = (String, Vec<String>)>,
) {
    for (first, cells) in [(corner.to_owned(), columns.collect())].into_iter().chain(rows) {
        print!("{first:32}");
        for cell in cells {
            print!(" {cell:>13}");
        }
        println!();
    }
}

/// An operation of a kind of action was made, and met these faults.
fn note(verbs: &mut Vec<(Verb, u32)>, verb: Verb, met: u32) {
    match verbs.iter_mut().find(|(known, _)| *known == verb) {
        Some((_, faults)) => *faults |= met,
        None => verbs.push((verb, met)),
    }
}

fn words(fault: Fault) -> String {
    match fault {
        Fault::Fails(errno) => format!("{errno:?}"),
        Fault::Lasts(errno) => format!("{errno:?}-stays"),
        other => format!("{other:?}"),
    }
}

/// What a path is about: names of things are replaced by what kind of thing they are.
fn shape(path: &Path) -> String {
    let text = path.to_string_lossy();
    let Some(below) = text.strip_prefix("/sys/") else { return "STORE".to_owned() };
    let mut parts: Vec<&str> = Vec::new();
    let mut before = "";
    for part in below.split('/') {
        let name = match before {
            _ if part == "mgmt" => part,
            "devices" => "DEVICE",
            "device_groups" => "GROUP",
            "target_groups" => "NODE",
            "ini_groups" => "TABLE",
            "luns" => "LUN",
            "initiators" | "sessions" | "fc_host" => "HOST",
            "block" => "NUMBER",
            "handlers" => "HANDLER",
            _ if part.contains(':') => "PORT",
            _ => part,
        };
        parts.push(name);
        before = part;
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_known_by_what_it_is_about() {
        let same = |path: &str, expected: &str| assert_eq!(shape(Path::new(path)), expected);
        same("/sys/kernel/scst_tgt/devices/red_lu0/block", "kernel/scst_tgt/devices/DEVICE/block");
        same(
            "/sys/kernel/scst_tgt/targets/qla2x00t/21:00:00:00:00:00:01:00/ini_groups/esx1/luns/mgmt",
            "kernel/scst_tgt/targets/qla2x00t/PORT/ini_groups/TABLE/luns/mgmt",
        );
        same("/dev/red#0", "STORE");
    }
}
