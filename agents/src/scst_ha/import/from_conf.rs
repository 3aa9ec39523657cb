//! What a file of scstadmin configures: the words that it knows, in the places where it looks for them.

use scst_core::scst::iscsi::PORTAL;

use super::conf::{Block, Conf, Warning};
use super::source::{Attributes, Device, DeviceGroup, IniGroup, Lun, Source, Target, TargetGroup, USERS};
use crate::scst_ha::secrets::is_user_file;

/// The words that begin blocks at the top.
const BLOCKS: [&str; 3] = ["HANDLER", "TARGET_DRIVER", "DEVICE_GROUP"];

/// Reads the tree of a file; what it finds odd goes to the file's warnings.
pub(super) fn source(conf: &mut Conf) -> Source {
    let mut found = Source::default();
    let mut odd = Vec::new();
    let root = &conf.root;
    found.attributes = attributes(root, &BLOCKS, &mut odd);
    for (handler, block) in root.each("HANDLER") {
        let about = |(name, value)| format!("{name} {value} is of the handler {handler}, and no resource sets it");
        found.left_out.extend(attributes(block, &["DEVICE"], &mut odd).into_iter().map(about));
        for (name, device) in block.each("DEVICE") {
            let attributes = attributes(device, &[], &mut odd);
            found.devices.push(Device { name: name.to_owned(), handler: handler.to_owned(), attributes });
        }
    }
    for (driver, block) in root.each("TARGET_DRIVER") {
        for kind in USERS {
            block.each(kind).into_iter().for_each(|(value, _)| found.user(driver, None, kind, value));
        }
        for (name, value) in attributes(block, &["TARGET", "enabled", USERS[0], USERS[1]], &mut odd) {
            found.left_out.push(format!("{name} {value} is of the driver {driver}, and no resource sets it"));
        }
        for (name, target) in block.each("TARGET") {
            for kind in USERS {
                target.each(kind).into_iter().for_each(|(value, _)| found.user(driver, Some(name), kind, value));
            }
            found.targets.push(Target {
                driver: driver.to_owned(),
                name: name.to_owned(),
                attributes: attributes(target, &["LUN", "GROUP", "HW_TARGET", PORTAL, USERS[0], USERS[1]], &mut odd),
                portals: target.each(PORTAL).into_iter().map(|(portal, _)| portal.to_owned()).collect(),
                luns: luns(target, &mut odd),
                groups: target
                    .each("GROUP")
                    .into_iter()
                    .map(|(name, group)| ini_group(name, group, &mut odd))
                    .collect(),
            });
        }
    }
    for (name, group) in root.each("DEVICE_GROUP") {
        let about =
            |(attribute, value)| format!("{attribute} {value} is of the device group {name}, and no resource sets it");
        found.left_out.extend(attributes(group, &["DEVICE", "TARGET_GROUP"], &mut odd).into_iter().map(about));
        let target_groups = group.each("TARGET_GROUP").into_iter();
        found.groups.push(DeviceGroup {
            name: name.to_owned(),
            devices: group.each("DEVICE").into_iter().map(|(device, _)| device.to_owned()).collect(),
            target_groups: target_groups.map(|(name, group)| target_group(name, group, &mut odd)).collect(),
        });
    }
    conf.warnings.extend(odd);
    conf.warnings.sort_by_key(|warning| warning.line);
    found
}

fn ini_group(name: &str, group: &Block, odd: &mut Vec<Warning>) -> IniGroup {
    IniGroup {
        name: name.to_owned(),
        attributes: attributes(group, &["LUN", "INITIATOR"], odd),
        luns: luns(group, odd),
        initiators: group.each("INITIATOR").into_iter().map(|(initiator, _)| initiator.to_owned()).collect(),
    }
}

fn target_group(name: &str, group: &Block, odd: &mut Vec<Warning>) -> TargetGroup {
    let id = |target: &Block| target.each("rel_tgt_id").last().map(|(id, _)| (*id).to_owned());
    TargetGroup {
        name: name.to_owned(),
        attributes: attributes(group, &["TARGET"], odd),
        targets: group.each("TARGET").into_iter().map(|(target, block)| (target.to_owned(), id(block))).collect(),
    }
}

fn luns(block: &Block, odd: &mut Vec<Warning>) -> Vec<Lun> {
    let mut found = Vec::new();
    for (number, lun) in block.each("LUN") {
        let devices: Vec<&String> = lun.below.keys().collect();
        let Some(device) = devices.first() else {
            odd.push(Warning { line: lun.line, text: format!("LUN {number:?} names no device, and is lost") });
            continue;
        };
        if devices.len() > 1 {
            let text = format!(
                "LUN {number:?} is given {} devices; which of them it becomes is chance, {device:?} is taken",
                devices.len()
            );
            odd.push(Warning { line: lun.line, text });
        }
        let read_only = lun.below[*device].each("read_only").iter().any(|(value, _)| *value != "0");
        found.push(Lun { number: number.to_owned(), device: (*device).clone(), read_only });
    }
    found
}

/// The statements of a block that are no blocks of their own: a name and a value.
fn attributes(block: &Block, blocks: &[&str], odd: &mut Vec<Warning>) -> Attributes {
    let mut found = Attributes::new();
    for (name, values) in block.below.iter().filter(|(name, _)| !blocks.contains(&name.as_str())) {
        // Its other words may be a secret.
        if is_user_file(name) {
            let text = format!("{:?} is given where nobody has users, and is lost", name.get(..12).unwrap_or(name));
            odd.push(Warning { line: values.line, text });
            continue;
        }
        let mut said: Vec<(&String, &Block)> = values.below.iter().collect();
        said.sort_by_key(|(_, block)| block.line);
        for (value, below) in &said {
            if !below.below.is_empty() {
                let text = format!(
                    "{name:?} has more than one value after {value:?}: scstadmin refuses the whole file; quotes make one of them"
                );
                odd.push(Warning { line: below.line, text });
            }
        }
        // Of several values of one name only one can come to be.
        if said.len() > 1 {
            let text = format!("{name:?} is given {} values, and which of them counts is chance", said.len());
            odd.push(Warning { line: values.line.max(said.last().map_or(0, |(_, block)| block.line)), text });
        }
        let value = said.last().map(|(value, _)| (*value).clone()).unwrap_or_default();
        found.insert(name.clone(), value);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scst_ha::import::conf::parse;

    fn read(text: &str) -> (Source, Vec<String>) {
        let mut conf = parse(text.as_bytes()).unwrap();
        let source = source(&mut conf);
        (source, conf.warnings.into_iter().map(|warning| format!("{}: {}", warning.line, warning.text)).collect())
    }

    #[test]
    fn everything_is_found_in_its_place() {
        let (source, warnings) = read(
            "setup_id 7\nHANDLER vdisk_nullio {\nDEVICE a {\ndummy 1\n}\n}\nTARGET_DRIVER iscsi {\nenabled 1\nIncomingUser \"joe secretsecret\"\n\
             TARGET t {\nallowed_portal 1\nallowed_portal 2\nLUN 3 a\nGROUP g {\nLUN 0 a {\nread_only 1\n}\nINITIATOR i*\n}\n}\n}\n\
             DEVICE_GROUP dg {\nDEVICE a\nTARGET_GROUP tg {\ngroup_id 2\nTARGET r {\nrel_tgt_id 5\n}\n}\n}\n",
        );
        assert_eq!(warnings, [""; 0]);
        assert_eq!(source.attributes["setup_id"], "7");
        assert_eq!(
            (source.devices[0].handler.as_str(), source.devices[0].attributes["dummy"].as_str()),
            ("vdisk_nullio", "1")
        );
        let target = &source.targets[0];
        assert_eq!((target.portals.join(" ").as_str(), target.luns[0].number.as_str()), ("1 2", "3"));
        assert!(target.groups[0].luns[0].read_only);
        assert_eq!(target.groups[0].initiators, ["i*"]);
        assert_eq!(source.groups[0].target_groups[0].targets, [("r".to_owned(), Some("5".to_owned()))]);
        assert_eq!((source.users[0].name.as_str(), source.users[0].secret.as_str()), ("joe", "secretsecret"));
        assert!(!format!("{source:?}").contains("secretsecret"));
    }

    #[test]
    fn users_where_nobody_has_any_are_named_without_their_words() {
        let user = "IncomingUser \"joe mySecret12345\"\nOutgoingUser1 joe mySecret12345\n";
        let (source, warnings) = read(&format!(
            "{user}HANDLER h {{\nDEVICE a {{\n{user}}}\n}}\nTARGET_DRIVER x {{\nTARGET y {{\nGROUP g {{\n{user}}}\n}}\n}}\n\
             DEVICE_GROUP dg {{\nTARGET_GROUP tg {{\n{user}}}\n}}\n",
        ));
        let shown = format!("{source:?} {warnings:?}");
        assert!(!shown.contains("mySecret12345") && !shown.contains("joe"), "{shown}");
        assert_eq!(warnings.len(), 8, "{warnings:#?}");
        assert_eq!(warnings[0], "1: \"IncomingUser\" is given where nobody has users, and is lost");
    }

    #[test]
    fn what_scstadmin_refuses_or_leaves_to_chance_is_told() {
        let (source, warnings) = read(
            "HANDLER h {\nDEVICE a {\nusn 1 2\nfilename /a\nfilename /b\n}\n}\nTARGET_DRIVER x {\nTARGET y {\nLUN 0\nLUN 1 a\nLUN 1 b\n}\n}\n",
        );
        assert_eq!(
            warnings,
            [
                "3: \"usn\" has more than one value after \"1\": scstadmin refuses the whole file; quotes make one of them",
                "5: \"filename\" is given 2 values, and which of them counts is chance",
                "10: LUN \"0\" names no device, and is lost",
                "11: LUN \"1\" is given 2 devices; which of them it becomes is chance, \"a\" is taken",
            ]
        );
        assert_eq!(source.devices[0].attributes["filename"], "/b");
    }
}
