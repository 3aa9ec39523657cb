//! What hosts notice of steps, in plain words: a pure function.

use std::collections::{BTreeMap, BTreeSet};

use scst_core::plan::Step;
use scst_core::scst::names::DeviceName;

/// One sentence for each thing that hosts notice; none: they notice nothing.
pub(super) fn notices(steps: &[Step]) -> Vec<String> {
    let added: BTreeSet<&DeviceName> = steps
        .iter()
        .filter_map(|step| if let Step::AddDevice { device, .. } = step { Some(device) } else { None })
        .collect();
    let mut found: BTreeMap<u8, BTreeSet<String>> = BTreeMap::new();
    let mut add = |rank: u8, text: String| _ = found.entry(rank).or_default().insert(text);
    let table = |at: &scst_core::state::LunAddress| {
        at.table
            .group
            .as_ref()
            .map_or_else(|| "hosts in no initiator group".to_owned(), |group| format!("hosts of {group}"))
    };
    for step in steps {
        match step {
            Step::Disable { port, .. } => add(0, format!("port {port} goes down: hosts are disconnected from it")),
            Step::DelIniGroup { group, .. } | Step::ClearInitiators { group, .. } | Step::ClearLuns { group, .. } => {
                add(1, format!("hosts of {group} lose all their LUNs"));
            }
            Step::DelInitiator { group, initiator, .. } => add(1, format!("{initiator} loses the LUNs of {group}")),
            Step::DelLun { at, device } => add(2, format!("{} lose LUN {} ({device})", table(at), at.lun)),
            Step::ClearTable { luns, .. } => {
                luns.iter().for_each(|(number, device)| add(2, format!("hosts lose LUN {number} ({device})")));
            }
            Step::DelDevice { device, .. } if added.contains(device) => {
                add(2, format!("device {device} is added anew: hosts lose it for a moment"));
            }
            Step::AwaitDrained { device } => {
                add(3, format!("commands to {device} wait until those in flight have ended"));
            }
            Step::AddLun { at, device } => add(4, format!("{} get LUN {} ({device})", table(at), at.lun)),
            Step::AddInitiator { group, initiator, .. } => add(4, format!("{initiator} sees the LUNs of {group}")),
            Step::ResyncSize { device } => add(5, format!("device {device} gets the size of its store")),
            Step::SetAttribute { device, attribute: "size", .. } if !added.contains(device) => {
                add(5, format!("device {device} gets the size of its store"));
            }
            Step::SetAttribute { device, attribute, .. } if !added.contains(device) && *attribute != "threads_num" => {
                add(5, format!("device {device} gets another {attribute}"));
            }
            Step::SetState { state, .. } => add(6, format!("the paths to this node are {state}")),
            Step::Enable { port, .. } => add(6, format!("port {port} comes up")),
            Step::CreateTargetGroup { node, .. } => add(7, format!("the paths to {node} are told of")),
            Step::DelTargetGroup { node, .. } => add(7, format!("the paths to {node} are not told of any more")),
            _ => {}
        }
    }
    found.into_values().flatten().collect()
}

#[cfg(test)]
mod tests {
    use scst_core::scst::names::{Driver, InitiatorGroup, TargetName};
    use scst_core::scst::target::LunTable;
    use scst_core::state::LunAddress;

    use super::*;

    #[test]
    fn the_same_on_every_port_is_told_once_and_the_worst_first() {
        let lun = |port: &str| LunAddress {
            table: LunTable {
                driver: TargetName::seen("qla2x00t").unwrap(),
                port: TargetName::seen(port).unwrap(),
                group: Some(InitiatorGroup::seen("esx1").unwrap()),
            },
            lun: 3,
        };
        let device = DeviceName::seen("dg_a").unwrap();
        let steps = [
            Step::AddLun { at: lun("a"), device: device.clone() },
            Step::AddLun { at: lun("b"), device: device.clone() },
            Step::Disable { driver: Driver::Qla2x00t, port: TargetName::seen("a").unwrap() },
            Step::AwaitUnmapped { device },
        ];
        assert_eq!(
            notices(&steps),
            ["port a goes down: hosts are disconnected from it", "hosts of esx1 get LUN 3 (dg_a)"]
        );
        assert_eq!(notices(&steps[3..]), [""; 0]);
    }
}
