//! The plan of the largest configuration there can be, made in a process of its own so that its memory is its own too.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use scst_core::plan::storage::{Scope, converge};
use scst_core::scst::alua::AluaState;
use scst_core::scst::names::{DeviceName, Driver, GroupName, HandlerName, InitiatorGroup, NodeName, TargetName};
use scst_core::scst::target::LunTable;
use scst_core::state::{Device, DeviceGroup, Lun, LunAddress, Member, Storage, TargetGroup};
use serde::{Deserialize, Serialize};

use super::size::{Size, size};
use super::statistics::median;
use super::table::{Chapter, Row, number};
use crate::workspace;

/// As many devices and initiator groups as the agents number, and eight ports.
const SIZE: Size = size(256, 8, 99);

/// What planning may take.
const LIMIT: Duration = Duration::from_secs(1);

/// The memory it may take, in MiB.
const MEMORY: u64 = 256;

/// What the process that plans tells.
#[derive(Debug, Serialize, Deserialize)]
struct Told {
    luns: u64,
    steps: u64,
    seconds: f64,
    /// Steps of the plan for what is reached already.
    again: u64,
    again_seconds: f64,
    /// The most memory the process ever had, in KiB.
    peak: u64,
}

/// The chapter, medians of `runs`.
pub(super) fn chapter(runs: usize) -> Result<Chapter, Box<dyn Error>> {
    let mut told = Vec::new();
    for _ in 0..runs.max(1) {
        let output = Command::new(workspace::own_binary()?).arg("large-plan").output()?;
        if !output.status.success() {
            return Err(format!("planning ended with {}", output.status).into());
        }
        told.push(serde_json::from_slice::<Told>(&output.stdout)?);
    }
    let middle = |of: fn(&Told) -> f64| median(told.iter().map(of).map(Duration::from_secs_f64).collect());
    let last = &told[told.len() - 1];
    let peak = told.iter().map(|told| told.peak).max().unwrap_or_default();
    let rows = [
        // Devices, their names in the group, LUNs, the group, two target groups of which one has 8 ports with an id each.
        Row::shown("steps from nothing", number(last.steps)),
        Row::exact("LUNs that they map", SIZE.luns() as u64, last.luns),
        Row::time("time for the plan", "1 s", LIMIT, middle(|told| told.seconds)),
        Row::exact("steps where all is reached", 0, last.again),
        Row::time("time for that plan", "1 s", LIMIT, middle(|told| told.again_seconds)),
        Row::count("memory at the most, in MiB", MEMORY, peak.div_ceil(1024), "").uncounted(),
    ];
    let note = format!(
        "{SIZE}, {} LUNs, made by scst-core alone; the memory holds the wanted state, the found one and the plan.",
        number(SIZE.luns() as u64)
    );
    Ok(Chapter::new("The largest plan", &note, &rows))
}

/// The process that plans.
pub(crate) fn large_plan() -> Result<ExitCode, Box<dyn Error>> {
    let (scope, wanted) = configuration(SIZE)?;
    let began = Instant::now();
    let plan = converge(&scope, &Storage::default(), &wanted);
    let seconds = began.elapsed().as_secs_f64();
    let luns = plan.steps.iter().filter(|step| matches!(step, scst_core::plan::Step::AddLun { .. })).count();
    let steps = plan.steps.len();
    drop(plan);
    let found = wanted.clone();
    let began = Instant::now();
    let plan = converge(&scope, &found, &wanted);
    let again_seconds = began.elapsed().as_secs_f64();
    let (luns, steps, again) = (luns as u64, steps as u64, plan.steps.len() as u64);
    let told = Told { luns, steps, seconds, again, again_seconds, peak: peak()? };
    println!("{}", serde_json::to_string(&told)?);
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
