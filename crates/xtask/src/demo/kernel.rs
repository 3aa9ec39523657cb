//! What a node's kernel shows, read from the mounted tree with plain system calls.

use std::fs;
use std::path::{Path, PathBuf};

use super::scenario::NODES;

/// The tree of one machine.
pub(super) struct Kernel {
    /// Where `/sys` is mounted; `None` without power.
    pub(super) root: Option<PathBuf>,
    /// The node's promotion score, as the cluster has it.
    pub(super) score: Option<String>,
    /// The target driver.
    pub(super) driver: &'static str,
}

impl Kernel {
    /// The ALUA states of both nodes' target groups, in the letters of the scenario.
    pub(super) fn states(&self) -> String {
        let Some(root) = &self.root else { return "off".to_owned() };
        let groups = root.join("kernel/scst_tgt/device_groups/dummy/target_groups");
        let letter = |node: &str| match first_line(&groups.join(node).join("state")).as_deref() {
            Some("active") => 'A',
            Some("standby") => 'S',
            Some("transitioning") => 'T',
            Some("unavailable") => 'U',
            Some(_) => '?',
            None => '-',
        };
        NODES.iter().map(|node| letter(node.name)).collect()
    }

    /// A line for each port, with its initiator groups and their LUNs, and for whatever else is there.
    pub(super) fn ports(&self) -> Vec<String> {
        let Some(root) = &self.root else { return vec!["no power".to_owned()] };
        let scst = root.join("kernel/scst_tgt");
        if !scst.exists() {
            return vec!["SCST is not loaded".to_owned()];
        }
        let mut mapped = Vec::new();
        let driver = scst.join("targets").join(self.driver);
        let mut lines: Vec<String> = directories(&driver)
            .into_iter()
            .map(|port| format!("{port} {}", describe(&driver.join(&port), &mut mapped)))
            .collect();
        let idle = directories(&scst.join("devices")).into_iter().filter(|device| !mapped.contains(device));
        lines.extend(idle.map(|device| format!("device {device} without a LUN")));
        lines.extend(self.score.as_ref().map(|score| format!("promotion score {score}")));
        lines
    }
}

fn describe(port: &Path, mapped: &mut Vec<String>) -> String {
    let enabled = first_line(&port.join("enabled")).as_deref() == Some("1");
    let mut words = vec![if enabled { "enabled" } else { "disabled" }.to_owned()];
    if enabled {
        words.push(format!("id {}", first_line(&port.join("rel_tgt_id")).unwrap_or_default()));
    }
    for name in directories(&port.join("ini_groups")) {
        let group = port.join("ini_groups").join(&name);
        let initiators = files(&group.join("initiators")).len();
        let io_group = first_line(&group.join("io_grouping_type")).unwrap_or_default();
        let luns = luns(&group.join("luns"), mapped);
        words.push(format!("{name} ({initiators} initiators, I/O group {io_group}): {luns}"));
    }
    if !directories(&port.join("luns")).is_empty() {
        words.push(format!("everybody: {}", luns(&port.join("luns"), mapped)));
    }
    words.join(", ")
}

fn luns(table: &Path, mapped: &mut Vec<String>) -> String {
    let describe = |lun: String| {
        let link = fs::read_link(table.join(&lun).join("device")).unwrap_or_default();
        let device = link.file_name().unwrap_or_default().to_string_lossy().into_owned();
        mapped.push(device.clone());
        format!("LUN {lun} {device}")
    };
    let lines: Vec<String> = directories(table).into_iter().map(describe).collect();
    if lines.is_empty() { "no LUN".to_owned() } else { lines.join(", ") }
}

fn first_line(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()?.lines().next().map(str::to_owned)
}

fn directories(path: &Path) -> Vec<String> {
    entries(path, fs::FileType::is_dir)
}

/// Files but the one that takes commands.
fn files(path: &Path) -> Vec<String> {
    entries(path, fs::FileType::is_file).into_iter().filter(|name| name != "mgmt").collect()
}

fn entries(path: &Path, wanted: fn(&fs::FileType) -> bool) -> Vec<String> {
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    let wanted = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| wanted(&kind)));
    let mut names: Vec<String> = wanted.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
