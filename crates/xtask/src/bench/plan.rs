//! The plan of the largest configuration there can be, made in a process of its own so that its memory is its own too.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use scst_core::plan::Step;
use scst_core::plan::storage::{Scope, converge};
use scst_core::scst::alua::AluaState;
use scst_core::scst::names::{DeviceName, Driver, GroupName, HandlerName, InitiatorGroup, NodeName, TargetName};
use scst_core::scst::target::LunTable;
use scst_core::state::{Device, DeviceGroup, Lun, LunAddress, Member, Storage, TargetGroup};
use serde::{Deserialize, Serialize};

use super::size::{Size, size};
use super::table::{Rows, duration, median, number};
use crate::workspace;

/// As many devices and initiator groups as the agents number, and eight ports.
const SIZE: Size = size(256, 8, 99);

/// The one row, medians of `runs`.
pub(super) fn rows(_: &Path, runs: usize) -> Rows {
    let mut reports = Vec::new();
    for _ in 0..runs {
        let output = Command::new(workspace::own_binary()?).arg("large-plan").output()?;
        reports.push(serde_json::from_slice::<Report>(&output.stdout)?);
    }
    let middle = |of: fn(&Report) -> u64| median(reports.iter().map(of).map(Duration::from_nanos).collect());
    let most = reports.iter().map(|report| report.5).max().unwrap_or_default();
    let Report(luns, steps, _, again, ..) = reports[0];
    if luns != SIZE.luns() as u64 || again != 0 {
        return Err(format!("the plan is not that of {SIZE}: {reports:?}").into());
    }
    let (time, again_time) = (middle(|report| report.2), middle(|report| report.4));
    let row = [SIZE.to_string(), number(luns), number(steps), duration(time), number(again), duration(again_time)];
    Ok(vec![[&row[..], &[format!("{} MiB", most.div_ceil(1024))]].concat()])
}

/// What the process that plans reports: LUNs, steps and nanoseconds of the plan, steps and nanoseconds of the one for what is reached
/// already, and the most memory that the process ever had, in KiB.
#[derive(Debug, Serialize, Deserialize)]
struct Report(u64, u64, u64, u64, u64, u64);

/// The process that plans.
pub(crate) fn large_plan() -> Result<ExitCode, Box<dyn Error>> {
    let (scope, wanted) = configuration(SIZE)?;
    let timed = |found: &Storage| -> Result<_, Box<dyn Error>> {
        let began = Instant::now();
        let plan = converge(&scope, found, &wanted);
        let nanoseconds = u64::try_from(began.elapsed().as_nanos())?;
        let luns = plan.steps.iter().filter(|step| matches!(step, Step::AddLun { .. })).count();
        Ok((luns as u64, plan.steps.len() as u64, nanoseconds))
    };
    let (luns, steps, time) = timed(&Storage::default())?;
    let (_, again, again_time) = timed(&wanted.clone())?;
    println!("{}", serde_json::to_string(&Report(luns, steps, time, again, again_time, peak()?))?);
    Ok(ExitCode::SUCCESS)
}

/// The most memory that this process ever had, in KiB (`proc_pid_status(5)`).
fn peak() -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("the kernel tells no VmHWM")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

/// What a node of this size wants: every device on every port in every initiator group.
fn configuration(size: Size) -> Result<(Scope, Storage), Box<dyn Error>> {
    let driver = Driver::Qla2x00t;
    let (alpha, beta) = (NodeName::parse("alpha")?, NodeName::parse("beta")?);
    let group = GroupName::parse("many")?;
    let members = |node: u32, local: bool| -> Result<BTreeMap<TargetName, Member>, Box<dyn Error>> {
        let ports = size.ports_of(node).into_iter().zip(1..);
        ports.map(|(port, k)| Ok((TargetName::seen(&port)?, Member { local, rel_tgt_id: node * 100 + k }))).collect()
    };
    let (own, others) = (members(1, true)?, members(2, false)?);
    let mut storage = Storage::default();
    for number in 0..size.devices {
        let name = DeviceName::parse(&group, &format!("lu{number}"))?;
        let text = |value: &str| value.to_owned();
        let device = Device {
            handler: Some(HandlerName::VdiskNullio),
            settings: [("read_only", "0"), ("removable", "0"), ("rotational", "1"), ("dummy", "0")]
                .map(|(name, value)| (name, text(value)))
                .into(),
            identity: [("prod_id", text("SCST"))].into(),
            ..Device::default()
        };
        storage.devices.insert(name, device);
    }
    for port in own.keys() {
        for place in 0..size.groups {
            let hosts = InitiatorGroup::parse(&format!("esx{place}"))?;
            let table = LunTable::of_group(driver, port, &hosts).ok_or("an initiator group without a table")?;
            for (device, lun) in storage.devices.keys().zip(0..) {
                let at = LunAddress { table: table.clone(), lun };
                storage.luns.insert(at, Lun { device: device.clone(), read_only: false });
            }
        }
    }
    let target_group = |group_id, state, members| TargetGroup { group_id, state, members };
    let target_groups = BTreeMap::from([
        (alpha.clone(), target_group(1, AluaState::Standby, own)),
        (beta, target_group(2, AluaState::Unavailable, others)),
    ]);
    storage.group = Some(DeviceGroup { devices: storage.devices.keys().cloned().collect(), target_groups });
    let scope = Scope {
        group,
        local: Some(alpha),
        driver,
        recreate: true,
        port_ids: BTreeMap::new(),
        parameters: BTreeMap::new(),
    };
    Ok((scope, storage))
}
