//! What a monitor has to answer, told from the picture of the tree alone.

use super::story::{Agent, Base};
use super::world::{HELD, PORTS};

/// Initiator groups that only our agent makes, with the initiators of today's configuration.
const GROUPS: [(&str, &[&str]); 3] = [
    ("esx", &["50:01:43:80:03:b0:23:34", "50:01:43:80:03:b0:23:36"]),
    ("linux", &["50:01:43:80:03:b0:23:40"]),
    ("old", &[]),
];
/// Initiator group and LUN of today's configuration. Behind which the earlier device still is has not been lost: it is
/// what a reload changes.
const LUNS: [(&str, &str); 6] =
    [("esx", "0"), ("esx", "1"), ("esx", "2"), ("linux", "0"), ("linux", "2"), ("guest", "0")];
const DEVICES: [&str; 3] = ["ssd_blk", "ssd_fil", "ssd_nul"];

/// The exit code of a thorough monitor.
pub(super) fn monitor(agent: Agent, base: Base, picture: &str) -> i32 {
    match agent {
        Agent::Ports => ports(picture),
        Agent::Group => group(base, picture),
    }
}

/// The lines below the first line that begins with `head`, as far as they are indented deeper.
fn below<'a>(text: &'a str, head: &str) -> Option<(&'a str, Vec<&'a str>)> {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut lines = text.lines().skip_while(|line| {
        let line = line.trim_start();
        !line.strip_prefix(head).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    });
    let first = lines.next()?;
    Some((first.trim_start(), lines.take_while(|line| depth(line) > depth(first)).collect()))
}

fn ports(picture: &str) -> i32 {
    let (mut right, mut groups, mut missing) = (0, false, false);
    for (port, number) in PORTS.iter().zip(101..) {
        let Some((line, content)) = below(picture, &format!("port qla2x00t/{port}")) else { return 1 };
        let content = content.join("\n");
        right += u32::from(line.contains("enabled=1") && line.contains(&format!("rel_tgt_id={number}")));
        for (name, initiators) in GROUPS {
            let group = below(&content, &format!("group {name}"));
            groups |= group.is_some();
            let has = |initiator: &&str| {
                group.as_ref().is_some_and(|(_, lines)| lines.iter().any(|line| line.ends_with(initiator)))
            };
            missing |= !initiators.iter().all(has);
        }
    }
    match right {
        2 if missing => 1,
        2 => 0,
        0 if !groups => 7,
        _ => 1,
    }
}

/// Devices of ours, with the whole of their lines.
fn devices(picture: &str) -> impl Iterator<Item = &str> {
    picture.lines().filter(|line| line.starts_with("device ssd_"))
}

/// Devices that are blocked more often, or less, than somebody else blocked them.
pub(super) fn wrongly_blocked(base: Base, picture: &str) -> Vec<String> {
    let wrong = |line: &&str| {
        let held = base != Base::Off && line.starts_with(&format!("device {HELD} "));
        let count = line.split(' ').find_map(|word| word.strip_prefix("block=")?.split('/').next()).unwrap_or("0");
        count != if held { "1" } else { "0" }
    };
    devices(picture).filter(wrong).map(str::to_owned).collect()
}

fn group(base: Base, picture: &str) -> i32 {
    let Some((_, group)) = below(picture, "device group ssd") else {
        return if devices(picture).next().is_some() { 1 } else { 7 };
    };
    let group = group.join("\n");
    let Some((line, members)) = below(&group, "target group alpha") else { return 1 };
    let state = line.rsplit(' ').next().unwrap_or_default();
    let member = |device: &str| group.lines().any(|line| line.trim_start() == format!("device {device}"));
    let promoted = match state {
        "active" => true,
        "standby" | "unavailable" => false,
        _ => return 1,
    };
    let closed = devices(picture).filter(|line| line.contains(" active=0"));
    if promoted && closed.filter_map(|line| line.split(' ').nth(1)).any(member) {
        return 9;
    }
    if !wrongly_blocked(base, picture).is_empty() {
        return if promoted { 9 } else { 1 };
    }
    let mut whole = DEVICES.iter().all(|device| member(device));
    whole &= PORTS.iter().all(|port| members.iter().any(|line| line.contains(port)));
    for (place, port) in PORTS.iter().enumerate() {
        let (_, content) = below(picture, &format!("port qla2x00t/{port}")).unwrap_or_default();
        let content = content.join("\n");
        for (name, lun) in LUNS.iter().filter(|(name, _)| *name != "guest" || place == 0) {
            let (_, luns) = below(&content, &format!("group {name}")).unwrap_or_default();
            whole &= luns.iter().any(|line| line.trim_start().starts_with(&format!("lun {lun} ")));
        }
    }
    match (whole, promoted) {
        (false, _) => 1,
        (true, true) => 8,
        (true, false) => 0,
    }
}
