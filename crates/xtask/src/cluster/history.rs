//! What Pacemaker did: the actions whose results its controllers have logged, of all nodes, in their order.

use std::fs;

use super::running::{Cluster, Outcome};

/// An action that has ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Done {
    /// When, in milliseconds of the day.
    pub(super) at: u64,
    /// Where.
    pub(super) node: String,
    /// As the log calls it: a probe is a `probe`, a recurring monitor a `monitor`.
    pub(super) action: String,
    pub(super) resource: String,
    /// Pacemaker's word for the exit code, and the reason if there was one.
    pub(super) result: String,
}

/// A moment, as the lengths of the logs.
#[derive(Debug, Default)]
pub(super) struct Moment(Vec<(String, u64)>);

/// The log of a node's daemons.
const LOG: &str = "log/pacemaker/pacemaker.log";

impl Cluster {
    /// Now.
    pub(super) fn moment(&self) -> Moment {
        let length = |node: &super::rig::Node| fs::metadata(node.directory().join(LOG)).map_or(0, |log| log.len());
        Moment(self.nodes().iter().map(|node| (node.name().to_owned(), length(node))).collect())
    }

    /// The lines that the daemons of all nodes have logged since then.
    pub(super) fn logged_since(&self, moment: &Moment) -> Outcome<Vec<String>> {
        let mut lines = Vec::new();
        for node in self.nodes() {
            let before = moment.0.iter().find(|(name, _)| name == node.name()).map_or(0, |(_, length)| *length);
            let log = fs::read(node.directory().join(LOG))?;
            let log = log.get(usize::try_from(before)?..).unwrap_or_default();
            lines.extend(String::from_utf8_lossy(log).lines().map(str::to_owned));
        }
        Ok(lines)
    }

    /// What has been done since then.
    pub(super) fn done_since(&self, moment: &Moment) -> Outcome<Vec<Done>> {
        let mut done: Vec<Done> = self.logged_since(moment)?.iter().filter_map(|line| parse(line)).collect();
        done.sort();
        Ok(done)
    }

    /// The same but for monitors and notifications, as `action resource node`.
    pub(super) fn changes_since(&self, moment: &Moment) -> Outcome<Vec<String>> {
        let done = self.done_since(moment)?;
        let changes = done.into_iter().filter(|done| !["probe", "monitor", "notify"].contains(&done.action.as_str()));
        Ok(changes.map(|done| format!("{} {} {}", done.action, done.resource, done.node)).collect())
    }
}

/// Reads a line such as `Nov 21 03:22:08.098 alpha pacemaker-controld [48] (log_executor_event) notice: Result of start operation for
/// dg on alpha: ok | …`.
fn parse(line: &str) -> Option<Done> {
    let (head, rest) = line.split_once("Result of ")?;
    let (action, rest) = rest.split_once(" operation for ")?;
    let (resource, rest) = rest.split_once(" on ")?;
    let (node, rest) = rest.split_once(": ")?;
    let result = rest.split(" | ").next().unwrap_or(rest).trim();
    Some(Done {
        at: clock(head)?,
        node: node.to_owned(),
        action: action.to_owned(),
        resource: resource.to_owned(),
        result: result.to_owned(),
    })
}

/// The time at the beginning of a line, in milliseconds of the day.
pub(super) fn clock(line: &str) -> Option<u64> {
    let time = line.split_whitespace().nth(2)?;
    let (whole, thousandths) = time.split_once('.')?;
    let mut seconds = 0;
    for part in whole.split(':') {
        seconds = seconds * 60 + part.parse::<u64>().ok()?;
    }
    Some(seconds * 1000 + thousandths.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_controller_is_read() {
        let line = "Nov 21 03:22:08.098 alpha pacemaker-controld  [48] (log_executor_event) \tnotice: Result of probe operation \
                    for dg on alpha: not running (no group: none) | CIB update 15, graph action confirmed; call=9 rc=7";
        let done = parse(line).unwrap();
        assert_eq!((done.at, done.node.as_str(), done.action.as_str()), (12_128_098, "alpha", "probe"));
        assert_eq!((done.resource.as_str(), done.result.as_str()), ("dg", "not running (no group: none)"));
        assert_eq!(parse("Nov 21 03:22:08.098 alpha pacemaker-execd [45] (log_execute) info: executing"), None);
    }
}
