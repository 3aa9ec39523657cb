//! A step as a sentence, made of verb, object and a value or place.
//!
//! There are two: what is done (`Display`), which is the line of the log, of a dry run and in tests; and what failed
//! ([`Step::failed`]), which begins with the object, because Pacemaker shows only the first 128 bytes of an exit
//! reason.

use std::fmt;

use super::{Change, Step};
use crate::error::Error;
use crate::scst::names::{GroupName, InitiatorGroup, NodeName, TargetName};

/// Verb and object, and what else the sentence says.
struct Words {
    verb: &'static str,
    object: String,
    more: More,
}

/// What a sentence says besides verb and object.
enum More {
    Nothing,
    /// A value, and the word that leads from it to the object: "set *state active on* target group alpha".
    Value(String, &'static str),
    /// Where the object comes or goes, behind it: "put device a *into device group dg*".
    Place(String),
    /// How, behind the object and left out of a failure: "add device a *with …*".
    Detail(String),
}

impl Words {
    fn new(verb: &'static str, object: String) -> Self {
        Self { verb, object, more: More::Nothing }
    }

    fn value(self, value: impl Into<String>, preposition: &'static str) -> Self {
        Self { more: More::Value(value.into(), preposition), ..self }
    }

    fn place(self, place: String) -> Self {
        Self { more: More::Place(place), ..self }
    }

    fn detail(self, detail: String) -> Self {
        Self { more: More::Detail(detail), ..self }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Words { verb, object, more } = self.words();
        match more {
            More::Nothing => write!(f, "{verb} {object}"),
            More::Value(value, preposition) => write!(f, "{verb} {value} {preposition} {object}"),
            More::Place(more) | More::Detail(more) => write!(f, "{verb} {object} {more}"),
        }
    }
}

impl Step {
    /// The sentence for a failure of this step: the object first, then what failed, then the error.
    pub fn failed(&self, error: &Error) -> String {
        let Words { verb, object, more } = self.words();
        match more {
            More::Value(more, _) | More::Place(more) => format!("{object}: {verb} {more} failed: {error}"),
            More::Nothing | More::Detail(_) => format!("{object}: {verb} failed: {error}"),
        }
    }

    fn words(&self) -> Words {
        match self {
            Self::CreateIniGroup { port, group, .. } => Words::new("create", ini_group(port, group)),
            Self::DelIniGroup { port, group, .. } => Words::new("delete", ini_group(port, group)),
            Self::SetIoGrouping { port, group, number, .. } => {
                Words::new("set", ini_group(port, group)).value(format!("I/O group {number}"), "on")
            }
            Self::AddInitiator { port, group, initiator, .. } => {
                Words::new("add", ini_group(port, group)).value(format!("initiator {initiator}"), "to")
            }
            Self::DelInitiator { port, group, initiator, .. } => {
                Words::new("remove", ini_group(port, group)).value(format!("initiator {initiator}"), "from")
            }
            Self::ClearInitiators { port, group, .. } => {
                Words::new("remove", ini_group(port, group)).value("all initiators", "from")
            }
            Self::ClearLuns { port, group, .. } => Words::new("unmap", ini_group(port, group)).value("all LUNs", "of"),
            Self::SetPortId { port, id, .. } => {
                Words::new("set", format!("port {port}")).value(format!("relative target id {id}"), "on")
            }
            Self::Enable { port, .. } => Words::new("enable", format!("port {port}")),
            Self::Disable { port, .. } => Words::new("disable", format!("port {port}")),
            Self::Target { port, change, .. } => change_of_target(change, format!("target {port}")),
            Self::EnableDriver { driver } => Words::new("enable", format!("driver {driver}")),
            Self::AddDevice { handler, device, parameters } => {
                let parameters: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
                let with = if parameters.is_empty() { "" } else { "with " };
                let space = if parameters.is_empty() { "" } else { " " };
                let detail = format!("{with}{}{space}through {handler}", parameters.join(", "));
                Words::new("add", format!("device {device}")).detail(detail)
            }
            Self::DelDevice { device, .. } => Words::new("delete", format!("device {device}")),
            Self::SetAttribute { device, attribute, value } => {
                Words::new("set", format!("device {device}")).value(format!("{attribute} {value}"), "on")
            }
            Self::Open { device } => Words::new("open", format!("device {device}")),
            Self::Close { device } => Words::new("close", format!("device {device}")),
            Self::ResyncSize { device } => {
                Words::new("look again", format!("device {device}")).value("at the size", "of")
            }
            Self::CreateGroup { group } => Words::new("create", format!("device group {group}")),
            Self::DelGroup { group } => Words::new("delete", format!("device group {group}")),
            Self::Join { group, device } => {
                Words::new("put", format!("device {device}")).place(format!("into device group {group}"))
            }
            Self::Leave { group, device } => {
                Words::new("take", format!("device {device}")).place(format!("out of device group {group}"))
            }
            Self::CreateTargetGroup { group, node } => Words::new("create", target_group(group, node)),
            Self::DelTargetGroup { group, node } => Words::new("delete", target_group(group, node)),
            Self::SetGroupId { group, node, id } => {
                Words::new("set", target_group(group, node)).value(format!("id {id}"), "on")
            }
            Self::AddMember { group, node, port } => {
                Words::new("add", target_group(group, node)).value(format!("port {port}"), "to")
            }
            Self::DelMember { group, node, port } => {
                Words::new("remove", target_group(group, node)).value(format!("port {port}"), "from")
            }
            Self::SetMemberId { group, node, port, id } => {
                let object = format!("port {port} in {}", target_group(group, node));
                Words::new("set", object).value(format!("relative target id {id}"), "on")
            }
            Self::SetState { group, node, state } | Self::SetPeerState { group, node, state } => {
                Words::new("set", target_group(group, node)).value(format!("state {state}"), "on")
            }
            Self::AddLun { at, device } => {
                Words::new("map", format!("LUN {} of {}", at.lun, at.table)).value(format!("device {device}"), "as")
            }
            Self::DelLun { at, device } => {
                Words::new("unmap", format!("LUN {} of {}", at.lun, at.table)).value(format!("device {device}"), "from")
            }
            Self::ClearTable { table, luns } => {
                Words::new("unmap at once", format!("LUN {} of {table}", some(luns.keys())))
            }
            Self::AwaitUnmapped { device } => {
                Words::new("wait", format!("device {device}")).value("until no LUN is left", "of")
            }
            Self::AwaitLockspace { device } => {
                Words::new("wait", format!("device {device}")).value("for the lockspace", "of")
            }
            Self::Block { device, .. } => Words::new("block", format!("device {device}")),
            Self::AwaitDrained { device } => {
                Words::new("wait", format!("device {device}")).value("for the commands in flight", "of")
            }
            Self::Unblock { device, .. } => Words::new("unblock", format!("device {device}")),
            Self::IssueLip { port, host } => {
                let value = format!("a loop initialisation through {host}");
                Words::new("issue", format!("port {port}")).value(value, "on")
            }
        }
    }
}

/// A secret is in none of the words.
fn change_of_target(change: &Change, target: String) -> Words {
    let (verb, value, preposition) = match change {
        Change::Add => return Words::new("create", target),
        Change::Delete => return Words::new("delete", target),
        Change::CloseSessions => ("close", "all sessions".into(), "of"),
        Change::SetAttribute { attribute, value } => ("set", format!("{attribute} {value}"), "on"),
        Change::AddPortal { portal } => ("add", format!("portal {portal}"), "to"),
        Change::DelPortal { portal } => ("remove", format!("portal {portal}"), "from"),
        Change::AddUser { kind, user, .. } => ("add", format!("{kind} {user}"), "to"),
        Change::SetUser { kind, user, .. } => ("set", format!("{kind} {user}"), "on"),
        Change::DelUser { kind, user } => ("remove", format!("{kind} {user}"), "from"),
    };
    Words::new(verb, target).value(value, preposition)
}

fn ini_group(port: &TargetName, group: &InitiatorGroup) -> String {
    format!("initiator group {group} of port {port}")
}

fn target_group(group: &GroupName, node: &NodeName) -> String {
    format!("target group {node} of device group {group}")
}

/// Numbers as a part of a sentence: the first three, and how many there are besides.
fn some<'n>(numbers: impl ExactSizeIterator<Item = &'n u32>) -> String {
    let more = numbers.len().saturating_sub(3);
    let first: Vec<String> = numbers.take(3).map(u32::to_string).collect();
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{more}", first.join(", "))
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::*;
    use crate::error::{ErrnoName, Verb};
    use crate::scst::alua::AluaState;
    use crate::scst::names::{DeviceName, Driver, HandlerName};
    use crate::scst::target::LunTable;
    use crate::scst::values::ParameterValue;

    fn failed(step: &Step) -> String {
        let (path, value) = step.command().unwrap_or_default();
        let errno = ErrnoName(Errno::EBUSY);
        step.failed(&Error::Kernel {
            verb: Verb::Write,
            path: format!("/sys/{path}").into(),
            value: Some(value),
            errno,
        })
    }

    #[test]
    fn a_failure_names_the_object_first_and_a_sentence_the_verb() {
        let port = TargetName::seen("21:00:00:24:ff:60:d0:10").unwrap();
        let enable = Step::Enable { driver: Driver::Qla2x00t, port: port.clone() };
        assert_eq!(enable.to_string(), "enable port 21:00:00:24:ff:60:d0:10");
        assert_eq!(
            failed(&enable),
            "port 21:00:00:24:ff:60:d0:10: enable failed: EBUSY writing \"1\" to \
             /sys/kernel/scst_tgt/targets/qla2x00t/21:00:00:24:ff:60:d0:10/enabled"
        );
        let group = GroupName::parse("ssd").unwrap();
        let state = Step::SetState { group, node: NodeName::parse("alpha").unwrap(), state: AluaState::Active };
        assert_eq!(state.to_string(), "set state active on target group alpha of device group ssd");
        assert!(failed(&state).starts_with("target group alpha of device group ssd: set state active failed: EBUSY"));
        let device = DeviceName::seen("ssd_lu0").unwrap();
        let value = |text| ParameterValue::parse(text).unwrap();
        let parameters = vec![("filename", value("/dev/sda")), ("read_only", value("1"))];
        let add = Step::AddDevice { handler: HandlerName::VdiskBlockio, device, parameters };
        assert_eq!(add.to_string(), "add device ssd_lu0 with filename=/dev/sda, read_only=1 through vdisk_blockio");
        assert_eq!(add.command().unwrap().1, "add_device ssd_lu0 filename=/dev/sda; read_only=1");
        assert!(failed(&add).starts_with("device ssd_lu0: add failed: EBUSY"));
        let table = LunTable {
            driver: TargetName::seen("qla2x00t").unwrap(),
            port: TargetName::seen("p").unwrap(),
            group: None,
        };
        let cleared = |luns: u32| {
            let luns = (0..luns).map(|lun| (lun, DeviceName::seen("ssd_lu0").unwrap())).collect();
            Step::ClearTable { table: table.clone(), luns }
        };
        assert_eq!(cleared(1).to_string(), "unmap at once LUN 0 of the default group of port p");
        assert_eq!(cleared(5).to_string(), "unmap at once LUN 0, 1, 2 and 2 more of the default group of port p");
        assert!(
            failed(&cleared(2)).starts_with("LUN 0, 1 of the default group of port p: unmap at once failed: EBUSY")
        );
    }
}
