//! monitor and probe: answers whether every port of ours is enabled with its number, none of them is, or what is wrong;
//! at level 10 also whether everything else is as configured (`thorough`).

use scst_core::ocf::exit::{ExitCode, Failure};
use scst_core::scst::names::TargetName;
use scst_core::state_file::Remembered;

use super::ours::Ours;
use super::reload::finish_reload;
use super::run::Run;
use super::thorough::thorough;
use super::wanted::group_names;
use crate::missing_ports::MissingPorts;

pub(super) fn monitor(run: &Run<'_>) -> Result<ExitCode, Failure> {
    let host = &run.host;
    let remembered = host.state_files.read(None);
    let ours = Ours::find(run, &remembered);
    let ports = match ours.recorded() {
        Some(ports) => ports.iter().map(|(name, id)| (name.clone(), Some(*id))).collect(),
        None => unrecorded(run, &remembered, &ours)?,
    };
    let missing_ports = MissingPorts::of(&host.context.env);
    let mut faults = Vec::new();
    let mut absent = Vec::new();
    let mut anything = false;
    for (name, id) in &ports {
        let Some(port) = host.observer().port(run.driver, name)? else {
            absent.push(format!("port {name} does not exist"));
            continue;
        };
        let right =
            id.map_or_else(|| ours.numbered(&port) || ours.node_id.is_none(), |id| port.rel_tgt_id == u32::from(id));
        anything |= port.enabled && right;
        if !port.enabled {
            faults.push(format!("port {name} is not enabled"));
        } else if !right {
            faults.push(format!("port {name} has relative target id {}, not its own", port.rel_tgt_id));
        }
    }
    // A target that is made by command is missing because somebody, or its daemon, took it away.
    let must_exist = missing_ports == MissingPorts::Fail || absent.len() == ports.len() || run.driver.makes_targets();
    let (mut faults, may_be_missing) =
        if must_exist { ([absent, faults].concat(), Vec::new()) } else { (faults, absent) };
    name_missing(run, &remembered, &may_be_missing)?;
    if let Some(state) = host.observer().open_state(run.driver)?.filter(|state| state != "open") {
        faults.push(format!("the daemon of driver {} is gone: open_state reads {state}", run.driver));
    }
    let Some(fault) = faults.first() else {
        if let Some(file) = remembered.known().filter(|file| file.unfinished && host.context.env.interval_ms() > 0)
            && let Err(failure) = finish_reload(run, &ours, file)
        {
            tracing::warn!("the last reload is still not finished: {failure}");
        }
        if host.context.env.check_level() >= 10 {
            return thorough(run, &ours);
        }
        return Ok(ExitCode::Success);
    };
    if !anything {
        let mut groups = false;
        for (name, _) in &ports {
            groups |= host.observer().ini_groups(run.driver, name)?.iter().any(|group| ours.owns(name, group));
        }
        if !groups {
            return Err(not_up());
        }
    }
    Err(Failure::generic(fault))
}

fn not_up() -> Failure {
    Failure::not_running("no target port of this node is up")
}

/// Names the ports that may be missing: those that vanished, and those that were not there at start.
fn name_missing(run: &Run<'_>, remembered: &Remembered, absent: &[String]) -> Result<(), Failure> {
    let host = &run.host;
    for sentence in absent {
        tracing::warn!("{sentence}");
    }
    for (name, _) in remembered.known().map(|file| &file.missing).into_iter().flatten() {
        if host.observer().port(run.driver, name)?.is_some() {
            tracing::warn!("port {name} is there again: it comes up when the resource is restarted");
        } else {
            tracing::warn!("port {name} does not exist");
        }
    }
    Ok(())
}

/// The ports of a resource whose state file names none. A recurring monitor asks the cluster once, and remembers; so
/// does a probe, without remembering, where only numbers and the empty state file of the shell agents say that anything
/// is ours. What the cluster cannot say, or says wrongly, is no fault of ports that run.
fn unrecorded(
    run: &Run<'_>,
    remembered: &Remembered,
    ours: &Ours<'_>,
) -> Result<Vec<(TargetName, Option<u16>)>, Failure> {
    let host = &run.host;
    let candidates = ours.candidates(host.observer())?;
    let likely = ours.names(&candidates, None);
    if likely.is_empty() {
        return Err(not_up());
    }
    let recurring = host.context.env.interval_ms() > 0;
    let ask = recurring || candidates.likely.is_empty();
    let Some(topology) = ask.then(|| run.listed(remembered)).flatten() else {
        return Ok(likely.into_iter().map(|name| (name, None)).collect());
    };
    let names = ours.names(&candidates, Some(&topology));
    if names.is_empty() {
        return Err(not_up());
    }
    let spelled = |name: TargetName| names.iter().find(|f| f.matches(name.as_str())).cloned().unwrap_or(name);
    let ports: Vec<_> = topology.local.listed().into_iter().map(|(name, id)| (spelled(name), id)).collect();
    if recurring {
        let found = ours.ports_to_remove(host.observer(), &names)?;
        let local = ports.clone().into();
        host.remember(&ours.to_remember(&topology.local, &local, group_names(&found), &found, &found));
    }
    Ok(ports.into_iter().map(|(name, id)| (name, Some(id))).collect())
}
