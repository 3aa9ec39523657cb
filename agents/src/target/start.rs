//! start: groups first, ids next, enabling last; a start that fails undoes its own steps.

use std::collections::BTreeMap;

use scst_core::apply::AfterFailure;
use scst_core::ocf::exit::{ExitCode, Failure};
use scst_core::plan::ports::plan;
use scst_core::scst::names::{InitiatorGroup, TargetName};
use scst_core::state::{Port, Ports};
use scst_core::state_file::Remembered;

use super::ours::{self, Ours};
use super::{LOCK, Run, group_names, owned, wanted};
use crate::host::{Module, first_failure, nothing_left, refuse_errors, refuse_two_per_node};

pub(super) fn start(run: &Run<'_>) -> Result<ExitCode, Failure> {
    let host = &run.host;
    let (params, findings) = run.params();
    refuse_errors(&findings)?;
    refuse_two_per_node(&host.context.env)?;
    let params = params.unwrap_or_default();
    let _lock = host.lock(LOCK)?;
    let record = host.state_files.read(None);
    let topology = host.topology(run.driver, &record)?;
    params.check_count()?;
    let ours = Ours::find(run, &record);
    ours.refuse_held(&topology.local.listed())?;
    host.load_modules(&[Module::scst(), Module::driver(run.driver)])?;
    let local = match host.local_ports(run.driver, &topology, params.missing_ports) {
        // In a dry run the modules may not be there, and then neither are the ports.
        Err(_) if host.dry_run() => topology.local.listed().into(),
        local => local?,
    };
    let ports = &local.ports;
    let mut wanted = wanted::started(&params, topology.local.id, ports)?;
    // Ports that an earlier start brought up and that are not listed any more go down, or nobody would ever take them down.
    let dropped = ours.recorded().unwrap_or_default().iter().filter(|(name, _)| !wanted.contains_key(name));
    let dropped: Vec<_> = dropped.filter(|(name, _)| ours.holder(name).is_none()).cloned().collect();
    let names: Vec<_> = ports.iter().chain(&dropped).map(|(name, _)| name.clone()).collect();
    wanted.extend(
        dropped
            .into_iter()
            .map(|(name, id)| (name, Port { enabled: false, rel_tgt_id: id.into(), groups: BTreeMap::new() })),
    );
    let wanted = wanted;
    // A quarter of the time is kept for taking everything back, also when the last look does not end.
    let until = host.deadline().share(3, 4);
    let is_wanted = |group: &InitiatorGroup| wanted.values().any(|port| port.groups.contains_key(group));
    let found = match ours.ports(host.observer_until(&until), &names, is_wanted)? {
        found if found.is_empty() && host.dry_run() => fresh(ports),
        found => found,
    };
    let steps = plan(run.driver, &found, &wanted);
    // Before the first step, so that a run that is killed leaves a stop that knows what to look for.
    let mut groups = group_names(&wanted);
    groups.extend(owned(&ours, &found));
    host.remember(&ours::record(&topology.local, &local, groups));
    let applied = host.apply_until(&steps, AfterFailure::End, &until);
    if host.dry_run() {
        return Ok(ExitCode::Success);
    }
    let outcome = match first_failure(&applied) {
        Some(failure) => Err(failure),
        None if steps.is_empty() => Ok(()),
        None => host
            .observer_until(&until)
            .ports_listed(run.driver, &found, &wanted)
            .map_err(Failure::from)
            .and_then(|now| nothing_left(&plan(run.driver, &now, &wanted))),
    };
    if let Err(failure) = outcome {
        undo(run, &found, &record, &ours, ports);
        return Err(failure);
    }
    host.remember(&ours::record(&topology.local, &local, group_names(&wanted)));
    Ok(ExitCode::Success)
}

/// Puts the ports back as they were found. What cannot be put back stays known by the record, so that stop finds it.
fn undo(run: &Run<'_>, before: &Ports, record: &Remembered, ours: &Ours<'_>, ports: &[(TargetName, u16)]) {
    let host = &run.host;
    let deadline = host.deadline().last();
    let observer = host.observer_until(&deadline);
    let names: Vec<_> = ports.iter().map(|(name, _)| name.clone()).collect();
    let is_configured = |group: &InitiatorGroup| ours.configured.contains(group);
    let now = ours.ports(observer, &names, is_configured);
    let left = now.and_then(|now| {
        let applied = host.apply_until(&plan(run.driver, &now, before), AfterFailure::GoOn, &deadline);
        for failed in &applied.failed {
            tracing::error!("undoing the start: {failed}");
        }
        ours.ports(observer, &names, is_configured)
    });
    let clean = left.is_ok_and(|left| plan(run.driver, &left, before).is_empty());
    if clean {
        host.restore(None, record);
    }
}

fn fresh(ports: &[(TargetName, u16)]) -> Ports {
    let port = Port { enabled: false, rel_tgt_id: 0, groups: BTreeMap::default() };
    ports.iter().map(|(name, _)| (name.clone(), port.clone())).collect()
}
