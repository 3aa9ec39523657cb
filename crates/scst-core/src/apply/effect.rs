//! Whether the effect of a step is there, as the kernel's tree shows it. `outcome` asks.

use crate::error::Error;
use crate::observe::Observer;
use crate::plan::{Change, Step};
use crate::scst::iscsi::{UserKind, UserName};
use crate::scst::names::{DeviceName, Driver, InitiatorGroup, TargetName};
use crate::scst::{device, device_group, target};
use crate::state::Settings;

/// Whether the tree shows the effect of such a step: of some it shows nothing, or nothing that only this step could
/// have caused.
pub(super) fn can_be_seen(step: &Step) -> bool {
    !matches!(step, Step::Block { .. } | Step::ResyncSize { .. } | Step::IssueLip { .. })
}

/// Whether the effect of a step is there.
pub(super) fn seen(step: &Step, observer: Observer<'_>) -> Result<bool, Error> {
    let Observer { sysfs, deadline } = observer;
    let dir = |path: &str| Ok::<_, Error>(sysfs.optional_list(path, deadline)?.is_some());
    let value = |wanted: &str| {
        let Some((path, _)) = step.command() else { return Ok(false) };
        Ok(sysfs.optional_value(&path, deadline)?.is_some_and(|value| value == wanted))
    };
    match step {
        Step::CreateIniGroup { driver, port, group } => dir(&target::ini_group(*driver, port, group)),
        Step::DelIniGroup { driver, port, group } => Ok(!dir(&target::ini_group(*driver, port, group))?),
        Step::AddInitiator { driver, port, group, initiator } => {
            has_initiator(*driver, port, group, initiator.as_str(), observer)
        }
        Step::DelInitiator { driver, port, group, initiator } => {
            Ok(!has_initiator(*driver, port, group, initiator.as_str(), observer)?)
        }
        Step::ClearInitiators { driver, port, group } => {
            let path = format!("{}/initiators", target::ini_group(*driver, port, group));
            let entries = sysfs.optional_list(&path, deadline)?.unwrap_or_default();
            Ok(entries.iter().all(|entry| entry.name == "mgmt"))
        }
        Step::ClearLuns { driver, port, group } => Ok(observer.luns_in_use(*driver, port, group)?.is_empty()),
        Step::SetIoGrouping { number, .. } => value(number.as_str()),
        Step::Target { driver, port, change } => changed(*driver, port, change, observer),
        Step::EnableDriver { driver } => Ok(observer.driver_enabled(*driver)? == Some(true)),
        Step::SetPortId { id, .. } | Step::SetMemberId { id, .. } | Step::SetGroupId { id, .. } => {
            value(&id.to_string())
        }
        Step::Enable { .. } | Step::Open { .. } => value("1"),
        Step::Disable { .. } | Step::Close { .. } => value("0"),
        Step::AddDevice { handler, device, parameters } => {
            let path = device::device(device);
            let link = sysfs.optional_link(&format!("{path}/handler"), deadline)?;
            let filename =
                parameters.iter().find(|(name, _)| *name == "filename").map(|(_, filename)| filename.as_str());
            let found = sysfs.optional_value(&format!("{path}/filename"), deadline)?;
            Ok(link.is_some_and(|link| link.ends_with(&format!("/{handler}"))) && found.as_deref() == filename)
        }
        Step::DelDevice { device, .. } => Ok(!dir(&device::device(device))?),
        Step::SetAttribute { value: wanted, .. } => value(wanted.as_str()),
        Step::CreateGroup { group } => dir(&device_group::group(group)),
        Step::DelGroup { group } => Ok(!dir(&device_group::group(group))?),
        Step::Join { group, device } => Ok(observer.group_devices(group)?.contains(device)),
        Step::Leave { group, device } => Ok(!observer.group_devices(group)?.contains(device)),
        Step::CreateTargetGroup { group, node } => dir(&device_group::target_group(group, node)),
        Step::DelTargetGroup { group, node } => Ok(!dir(&device_group::target_group(group, node))?),
        Step::AddMember { group, node, port } => {
            Ok(observer.members(group, node)?.iter().any(|(name, _)| name == port))
        }
        Step::DelMember { group, node, port } => {
            Ok(observer.members(group, node)?.iter().all(|(name, _)| name != port))
        }
        Step::SetState { state, .. } | Step::SetPeerState { state, .. } => value(state.as_str()),
        Step::AddLun { at, device } => {
            let link = sysfs.optional_link(&format!("{}/{}/device", at.table.dir(), at.lun), deadline)?;
            Ok(link.is_some_and(|link| link.ends_with(&format!("/{device}"))))
        }
        Step::DelLun { at, .. } => Ok(!dir(&format!("{}/{}", at.table.dir(), at.lun))?),
        Step::ClearTable { table, luns } => {
            Ok(observer.luns_in_table(table)?.iter().all(|lun| !luns.contains_key(lun)))
        }
        Step::Block { device, before } => counted(device, observer, |count| count > *before),
        Step::Unblock { device, before, .. } => counted(device, observer, |count| count <= *before),
        Step::AwaitUnmapped { .. }
        | Step::AwaitDrained { .. }
        | Step::AwaitLockspace { .. }
        | Step::ResyncSize { .. }
        | Step::IssueLip { .. } => Ok(true),
    }
}

/// Whether a change of a target has come about.
fn changed(driver: Driver, port: &TargetName, change: &Change, observer: Observer<'_>) -> Result<bool, Error> {
    let there = || Ok::<_, Error>(observer.port(driver, port)?.is_some());
    let user = |kind: &UserKind, user: &UserName| {
        let Settings { incoming, outgoing, .. } = observer.settings(driver, port, [])?;
        let found = match kind {
            UserKind::Incoming => incoming.get(user).cloned(),
            UserKind::Outgoing => outgoing.filter(|(name, _)| name == user).map(|(_, credential)| credential),
        };
        Ok::<_, Error>(found.map(|credential| credential.secret))
    };
    match change {
        Change::Add => there(),
        Change::Delete => Ok(!there()?),
        Change::CloseSessions => Ok(observer.sessions(driver, port)?.is_empty()),
        Change::SetAttribute { attribute, value } => {
            let found = observer.settings(driver, port, [attribute])?;
            Ok(found.attributes.get(attribute).is_some_and(|found| found == value.as_str()))
        }
        Change::AddPortal { portal } => Ok(observer.settings(driver, port, [])?.portals.contains(portal)),
        Change::DelPortal { portal } => Ok(!observer.settings(driver, port, [])?.portals.contains(portal)),
        Change::AddUser { kind, user: name, secret } | Change::SetUser { kind, user: name, secret, .. } => {
            Ok(user(kind, name)?.as_ref() == Some(secret))
        }
        Change::DelUser { kind, user: name } => Ok(user(kind, name)?.is_none()),
    }
}

fn has_initiator(
    driver: Driver,
    port: &TargetName,
    group: &InitiatorGroup,
    initiator: &str,
    observer: Observer<'_>,
) -> Result<bool, Error> {
    let path = format!("{}/initiators", target::ini_group(driver, port, group));
    let entries = observer.sysfs.optional_list(&path, observer.deadline)?.unwrap_or_default();
    Ok(entries.iter().any(|entry| entry.name == initiator))
}

fn counted(device: &DeviceName, observer: Observer<'_>, test: impl Fn(u32) -> bool) -> Result<bool, Error> {
    Ok(test(observer.block(device)?.unwrap_or_default().count))
}
