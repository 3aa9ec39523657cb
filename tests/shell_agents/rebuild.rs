//! The commands that make a recorded tree.

use super::Entries;

/// Paths below `kernel/scst_tgt` and what is written there, in an order the kernel accepts.
pub(super) fn writes(ports: &Entries, devices: &Entries, groups: &Entries) -> Vec<(String, String)> {
    let mut writes = Vec::new();
    add_devices(devices, &mut writes);
    add_ports(ports, &mut writes);
    add_groups(groups, &mut writes);
    writes
}

/// The first line of an attribute, and whether it is marked as worth saving.
fn value(entries: &Entries, path: &str) -> Option<(String, bool)> {
    let line = entries.get(path)?;
    let content = line.splitn(3, ' ').nth(2)?.strip_prefix('"')?.strip_suffix('"')?;
    let (first, rest) = content.split_once("\\n").unwrap_or((content, ""));
    Some((first.to_owned(), rest.contains("[key]")))
}

/// The names right below a directory that are of a kind.
fn below<'a>(entries: &'a Entries, directory: &str, kind: &str) -> Vec<&'a str> {
    let prefix = if directory.is_empty() { String::new() } else { format!("{directory}/") };
    let names = entries.iter().filter(|(_, line)| line.starts_with(kind));
    names.filter_map(|(path, _)| path.strip_prefix(&prefix).filter(|name| !name.contains('/'))).collect()
}

/// The last part of where a link leads.
fn leads(entries: &Entries, path: &str) -> String {
    entries[path].rsplit('/').next().unwrap_or_default().to_owned()
}

fn add_devices(devices: &Entries, writes: &mut Vec<(String, String)>) {
    for device in below(devices, "", "directory") {
        let handler = leads(devices, &format!("{device}/handler"));
        let mut parameters = Vec::new();
        for name in ["filename", "dummy", "nv_cache", "read_only", "removable", "rotational"] {
            if let Some((value, _)) = value(devices, &format!("{device}/{name}")) {
                parameters.push(format!("{name}={value}"));
            }
        }
        writes.push((format!("handlers/{handler}/mgmt"), format!("add_device {device} {}", parameters.join("; "))));
        for name in ["t10_dev_id", "prod_id"] {
            if let Some((value, true)) = value(devices, &format!("{device}/{name}")) {
                writes.push((format!("devices/{device}/{name}"), value));
            }
        }
    }
}

fn add_ports(ports: &Entries, writes: &mut Vec<(String, String)>) {
    let driver = "qla2x00t";
    for port in below(ports, driver, "directory") {
        let of = format!("{driver}/{port}");
        let at = format!("targets/{of}");
        writes.push((format!("targets/{driver}/mgmt"), format!("add_target {port}")));
        // Groups have no order in a snapshot, but their numbers tell it.
        let mut groups: Vec<(String, &str)> = below(ports, &format!("{of}/ini_groups"), "directory")
            .into_iter()
            .map(|group| {
                let number = value(ports, &format!("{of}/ini_groups/{group}/io_grouping_type"));
                (number.expect("every group has it").0, group)
            })
            .collect();
        groups.sort();
        for (number, group) in groups {
            let of = format!("{of}/ini_groups/{group}");
            writes.push((format!("{at}/ini_groups/mgmt"), format!("create {group}")));
            writes.push((format!("targets/{of}/io_grouping_type"), number));
            for initiator in below(ports, &format!("{of}/initiators"), "file 0444") {
                writes.push((format!("targets/{of}/initiators/mgmt"), format!("add {initiator}")));
            }
            for lun in below(ports, &format!("{of}/luns"), "directory") {
                let device = leads(ports, &format!("{of}/luns/{lun}/device"));
                writes.push((format!("targets/{of}/luns/mgmt"), format!("add {device} {lun}")));
            }
        }
        for name in ["rel_tgt_id", "enabled"] {
            writes.push((format!("{at}/{name}"), value(ports, &format!("{of}/{name}")).expect("every port has it").0));
        }
    }
}

fn add_groups(groups: &Entries, writes: &mut Vec<(String, String)>) {
    for group in below(groups, "", "directory") {
        let at = format!("device_groups/{group}");
        writes.push(("device_groups/mgmt".to_owned(), format!("create {group}")));
        for device in below(groups, &format!("{group}/devices"), "link") {
            writes.push((format!("{at}/devices/mgmt"), format!("add {device}")));
        }
        for target_group in below(groups, &format!("{group}/target_groups"), "directory") {
            let of = format!("{group}/target_groups/{target_group}");
            writes.push((format!("{at}/target_groups/mgmt"), format!("create {target_group}")));
            let id = value(groups, &format!("{of}/group_id")).expect("every target group has it").0;
            writes.push((format!("device_groups/{of}/group_id"), id));
            for port in below(groups, &of, "link") {
                writes.push((format!("device_groups/{of}/mgmt"), format!("add {port}")));
            }
            for port in below(groups, &of, "directory") {
                writes.push((format!("device_groups/{of}/mgmt"), format!("add {port}")));
                let id = value(groups, &format!("{of}/{port}/rel_tgt_id")).expect("every port has it").0;
                writes.push((format!("device_groups/{of}/{port}/rel_tgt_id"), id));
            }
            let state = value(groups, &format!("{of}/state")).expect("every target group has it").0;
            writes.push((format!("device_groups/{of}/state"), state));
        }
    }
}
