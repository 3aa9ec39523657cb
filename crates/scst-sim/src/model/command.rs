//! Commands: writes that do not simply set a value, with the locks each of them needs and what it does.
//!
//! The kernel hands most of them to a helper thread (`scst_sysfs_queue_wait_work`); the writer sleeps until that is done.

use super::Errno;
use super::handler::Claim;
use super::iscsi::{Ask, Asking};
use super::machine::Machine;
use super::state::{AcgId, DevId, DrvId, GroupId, TgId, TgtId};
use super::words::{Words, same_word};

/// What became of a write to an attribute.
#[derive(Debug, Clone)]
pub(super) enum Store {
    /// The value was set, or refused.
    Done(Result<(), Errno>),
    /// The writer itself runs a command that may have to wait.
    Wait(Command),
    /// A command for a helper thread; its result becomes `last_sysfs_mgmt_res`.
    Queue(Command),
}

/// A command with what it was given.
#[derive(Debug, Clone)]
pub(super) enum Command {
    /// Nothing more to do: an answer whose writer is kept waiting.
    Answer(Result<(), Errno>),
    Driver(DrvId, Vec<u8>),
    Handler(&'static str, Vec<u8>),
    PassThrough(&'static str, Vec<u8>),
    Luns(AcgId, Vec<u8>),
    IniGroups(TgtId, Vec<u8>),
    Initiators(AcgId, Vec<u8>),
    IoGrouping(AcgId, i32),
    CpuMask(AcgId, u64),
    Enable(TgtId, bool),
    RelTgtId(TgtId, u64),
    /// A write to a file of the iSCSI daemon.
    Daemon(Ask),
    Threads(i32),
    MeasureLatency(bool),
    Suspend {
        timeout: u64,
    },
    DeviceThreads(DevId, i32, bool),
    Size {
        device: DevId,
        text: Vec<u8>,
        shift: u32,
    },
    Active(DevId, Vec<u8>),
    Filename(DevId, Vec<u8>),
    Medium(DevId, Vec<u8>),
    ClusterMode(DevId, Vec<u8>),
    ResyncSize(DevId),
    PrFileName(DevId, Option<Vec<u8>>),
    PrState(DevId, Vec<u8>),
    AwaitBlocked(DevId),
    Unblock(DevId),
    GroupDevices(GroupId, Vec<u8>),
    TargetGroups(GroupId, Vec<u8>),
    Members(TgId, Vec<u8>),
    State(TgId, Vec<u8>),
    Preferred(TgId, Vec<u8>),
}

/// What a command has to hold while it runs, taken in this order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// The mutex of the vdisk handlers.
    pub(super) vdisk: bool,
    /// No command of an initiator may be in flight.
    pub(super) quiet: bool,
    /// SCST's main mutex.
    pub(super) mutex: bool,
}

impl Needs {
    const NOTHING: Self = Self { vdisk: false, quiet: false, mutex: false };
    const MUTEX: Self = Self { vdisk: false, quiet: false, mutex: true };
    const QUIET: Self = Self { vdisk: false, quiet: true, mutex: true };
    const VDISK: Self = Self { vdisk: true, quiet: false, mutex: true };
}

/// What became of a command once it had its locks.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    /// It is finished.
    Done(Result<(), Errno>),
    /// It waits, without the main mutex, until these commands of initiators are answered; then the rest is done.
    Drain(Vec<u64>, Rest),
    /// It waits with all locks until somebody opens the other end of the FIFO; then a half-added device is undone.
    Opening(Vec<u8>, DevId),
    /// It waits with all locks until its own writer has given up; then a half-added device is undone.
    Abandoned(DevId, Errno),
    /// It waits for ever, holding the mutex of the vdisk handlers.
    Never,
    /// It waits, without the main mutex, for the iSCSI daemon's answer to that question.
    Asked(u64),
    /// What it waits for has not happened: it is tried again after each change.
    Again,
    /// It takes back the only block of a device as soon as that is complete.
    Unblocking(DevId),
}

/// What is left to do once commands of initiators have been answered.
#[derive(Debug, Clone)]
pub(super) enum Rest {
    /// The sessions let go of the devices of the removed LUNs.
    Detach(Vec<DevId>),
    /// The device itself is removed.
    Device(DevId, Vec<DevId>),
}

impl From<Result<(), Errno>> for Outcome {
    fn from(result: Result<(), Errno>) -> Self {
        Self::Done(result)
    }
}

impl From<Asking> for Outcome {
    fn from(asking: Asking) -> Self {
        match asking {
            Asking::Answered(answer) => Self::Done(answer.map(drop)),
            Asking::Waiting(number) => Self::Asked(number),
        }
    }
}

impl Machine {
    /// The locks a command needs. Commands that are refused for their first word need none.
    pub(super) fn needs(&self, command: &Command) -> Needs {
        let verb = |text: &[u8], verbs: &[&str]| {
            let word = Words::new(text).word().to_vec();
            verbs.iter().any(|v| same_word(&word, v))
        };
        let quiet_for = |text: &[u8], verbs: &[&str]| if verb(text, verbs) { Needs::QUIET } else { Needs::NOTHING };
        match command {
            Command::Handler(_, text) if verb(text, &["add_device", "del_device"]) => Needs::VDISK,
            Command::Handler(..)
            | Command::PassThrough(..)
            | Command::Driver(..)
            | Command::CpuMask(..)
            | Command::Filename(..)
            | Command::PrFileName(..)
            | Command::PrState(..) => Needs::MUTEX,
            Command::Luns(_, text) if verb(text, super::lun::VERBS) => Needs::MUTEX,
            Command::IniGroups(_, text) => quiet_for(text, &["create", "del"]),
            Command::Initiators(_, text) => quiet_for(text, &["add", "del", "clear", "move"]),
            Command::IoGrouping(..)
            | Command::Threads(_)
            | Command::MeasureLatency(_)
            | Command::DeviceThreads(..)
            | Command::Active(..)
            | Command::Medium(..)
            | Command::ClusterMode(..) => Needs::QUIET,
            Command::Size { text, shift, .. } => {
                if super::device_attrs::new_size(text, *shift).is_some() {
                    Needs::QUIET
                } else {
                    Needs::NOTHING
                }
            }
            Command::Suspend { .. } => Needs { quiet: true, ..Needs::NOTHING },
            Command::Enable(_, on) => {
                if *on {
                    Needs::MUTEX
                } else {
                    Needs::NOTHING
                }
            }
            Command::RelTgtId(target, id) => {
                if self.compares_rel_tgt_id(*target, *id) {
                    Needs::MUTEX
                } else {
                    Needs::NOTHING
                }
            }
            Command::Members(_, text) if verb(text, &["add"]) => Needs::MUTEX,
            Command::Answer(_)
            | Command::Daemon(_)
            | Command::Luns(..)
            | Command::ResyncSize(_)
            | Command::AwaitBlocked(_)
            | Command::Unblock(_)
            | Command::GroupDevices(..)
            | Command::TargetGroups(..)
            | Command::Members(..)
            | Command::State(..)
            | Command::Preferred(..) => Needs::NOTHING,
        }
    }

    /// Carries a command out, its locks being held.
    pub(super) fn execute(&mut self, command: &Command) -> Outcome {
        match command {
            Command::Answer(result) => Outcome::Done(*result),
            Command::Driver(id, text) => self.driver_command(*id, text),
            Command::Daemon(ask) => self.ask_daemon(ask.clone()).into(),
            Command::Handler(name, text) => match self.handler_command(name, text) {
                Ok(Claim::Done) => Outcome::Done(Ok(())),
                Ok(Claim::Removing(device)) => self.remove_device(device),
                Ok(Claim::Opening(device, path)) => Outcome::Opening(path, device),
                Ok(Claim::Deadlocked(device)) => Outcome::Abandoned(device, Errno::EEXIST),
                Err(errno) => Outcome::Done(Err(errno)),
            },
            Command::PassThrough(name, text) => Outcome::Done(self.pass_through_command(name, text)),
            Command::Luns(acg, text) => self.luns_command(*acg, text),
            Command::IniGroups(target, text) => self.ini_groups_command(*target, text),
            Command::Initiators(acg, text) => Outcome::Done(self.initiators_command(*acg, text)),
            Command::IoGrouping(acg, value) => {
                if let Some(acg) = self.scst.acgs.get_mut(acg) {
                    acg.io_grouping_type = *value;
                }
                Outcome::Done(Ok(()))
            }
            Command::CpuMask(acg, mask) => {
                if let Some(acg) = self.scst.acgs.get_mut(acg) {
                    acg.cpu_mask = *mask;
                }
                Outcome::Done(Ok(()))
            }
            Command::Enable(target, on) => self.enable_target(*target, *on),
            Command::RelTgtId(target, id) => Outcome::Done(self.set_rel_tgt_id(*target, *id)),
            Command::Threads(number) => {
                self.scst.root.threads = *number;
                Outcome::Done(Ok(()))
            }
            Command::MeasureLatency(on) => {
                self.scst.root.measure_latency = *on;
                Outcome::Done(Ok(()))
            }
            Command::Suspend { .. } => {
                self.scst.root.suspended += 1;
                Outcome::Done(Ok(()))
            }
            Command::DeviceThreads(device, number, shared) => {
                if let Some(device) = self.scst.devices.get_mut(device) {
                    device.threads_num = *number;
                    device.threads_shared = *shared;
                }
                Outcome::Done(Ok(()))
            }
            Command::Size { device, text, shift } => Outcome::Done(self.set_size(*device, text, *shift)),
            Command::Active(device, text) => Outcome::Done(self.set_active(*device, text)),
            Command::Filename(device, text) => Outcome::Done(self.set_filename(*device, text)),
            Command::Medium(device, text) => Outcome::Done(self.change_medium(*device, text)),
            Command::ClusterMode(device, text) => Outcome::Done(self.set_cluster_mode(*device, text)),
            Command::ResyncSize(device) => Outcome::Done(self.resync_size(*device)),
            Command::PrFileName(device, path) => Outcome::Done(self.set_pr_file_name(*device, path.as_deref())),
            Command::PrState(device, text) => Outcome::Done(self.set_pr_state(*device, text)),
            Command::AwaitBlocked(device) if self.is_block_settled(*device) => Outcome::Done(Ok(())),
            Command::AwaitBlocked(_) => Outcome::Again,
            Command::Unblock(device) => self.unblock(*device),
            Command::GroupDevices(group, text) => Outcome::Done(self.group_devices_command(*group, text)),
            Command::TargetGroups(group, text) => Outcome::Done(self.target_groups_command(*group, text)),
            Command::Members(tg, text) => Outcome::Done(self.members_command(*tg, text)),
            Command::State(tg, text) => Outcome::Done(self.state_command(*tg, text)),
            Command::Preferred(tg, text) => Outcome::Done(self.preferred_command(*tg, text)),
        }
    }

    /// Does what was left until commands of initiators were answered.
    pub(super) fn finish_rest(&mut self, rest: Rest) -> Outcome {
        match rest {
            Rest::Detach(devices) => {
                for device in devices {
                    self.detach(device);
                }
                Outcome::Done(Ok(()))
            }
            Rest::Device(device, detached) => {
                for device in detached {
                    self.detach(device);
                }
                if self.scst.devices.get(&device).is_some_and(|d| d.stuck) {
                    return Outcome::Never;
                }
                self.forget_device(device);
                Outcome::Done(Ok(()))
            }
        }
    }
}
