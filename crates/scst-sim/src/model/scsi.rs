//! SCSI commands of hosts: what a LUN answers, as far as it depends on the state of the device, its group and its store.

use std::fmt;
use std::str::FromStr;

use super::alua::AluaState;
use super::backing::{Vdisk, VdiskKind};
use super::machine::Machine;
use super::state::{AddrMethod, DevId, SessId, TargetGroup};
use super::{Health, HostFile};

/// The size of a physical block unless a disk says otherwise, as a power of two.
const PHYSICAL_SHIFT: u32 = 12;

/// A command of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScsiCommand {
    /// TEST UNIT READY.
    TestUnitReady,
    /// INQUIRY, the standard data.
    Inquiry,
    /// READ CAPACITY(10).
    ReadCapacity10,
    /// READ CAPACITY(16).
    ReadCapacity16,
    /// REPORT TARGET PORT GROUPS.
    ReportTargetPortGroups,
    /// REPORT LUNS.
    ReportLuns,
    /// READ of one logical block.
    Read(u64),
    /// WRITE of one logical block.
    Write(u64),
    /// SYNCHRONIZE CACHE of the whole device.
    SynchronizeCache,
    /// MODE SENSE of the caching page: whether the device has a write cache.
    CachingPage,
}

impl FromStr for ScsiCommand {
    type Err = String;

    /// `tur`, `inquiry`, `readcap10`, `readcap16`, `rtpg`, `luns`, `read LBA`, `write LBA`, `sync`, `caching`.
    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("{text:?} is no command this simulator knows");
        let mut words = text.split_whitespace();
        let block = |name: Option<&str>| name.and_then(|lba| lba.parse().ok()).ok_or_else(unknown);
        let command = match words.next().unwrap_or_default() {
            "tur" => Self::TestUnitReady,
            "inquiry" => Self::Inquiry,
            "readcap10" => Self::ReadCapacity10,
            "readcap16" => Self::ReadCapacity16,
            "rtpg" => Self::ReportTargetPortGroups,
            "luns" => Self::ReportLuns,
            "read" => Self::Read(block(words.next())?),
            "write" => Self::Write(block(words.next())?),
            "sync" => Self::SynchronizeCache,
            "caching" => Self::CachingPage,
            _ => return Err(unknown()),
        };
        if words.next().is_some() { Err(unknown()) } else { Ok(command) }
    }
}

/// Sense data: key, additional code and its qualifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sense(pub u8, pub u8, pub u8);

impl Sense {
    const TRANSITIONING: Self = Self(2, 0x04, 0x0a);
    const STANDBY: Self = Self(2, 0x04, 0x0b);
    const UNAVAILABLE: Self = Self(2, 0x04, 0x0c);
    const NO_MEDIUM: Self = Self(2, 0x3a, 0);
    const READ_ERROR: Self = Self(3, 0x11, 0);
    const WRITE_ERROR: Self = Self(3, 0x03, 0);
    const BEYOND_END: Self = Self(5, 0x21, 0);
    const PROTECTED: Self = Self(7, 0, 0);
    /// A nexus is new: a session that has just begun, or a LUN that has come or was replaced.
    pub(super) const RESET: Self = Self(6, 0x29, 0);
    pub(super) const STATE_CHANGED: Self = Self(6, 0x2a, 0x06);
    pub(super) const CAPACITY_CHANGED: Self = Self(6, 0x2a, 0x09);
    pub(super) const INQUIRY_CHANGED: Self = Self(6, 0x3f, 0x03);
}

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScsiReply {
    /// GOOD, with the data in words where the command returns some.
    Good(Option<String>),
    /// CHECK CONDITION.
    Check(Sense),
    /// RESERVATION CONFLICT.
    Conflict,
}

impl fmt::Display for ScsiReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good(Some(data)) => f.write_str(data),
            Self::Good(None) => f.write_str("good"),
            // The status of the command; the host's adapter reports no error.
            Self::Conflict => f.write_str("status 18 host 00"),
            Self::Check(Sense(key, code, qualifier)) => write!(f, "check {key:x}/{code:02x}/{qualifier:02x}"),
        }
    }
}

/// What a LUN does with a command that nothing holds back.
#[derive(Debug, Clone)]
pub(super) enum Admission {
    /// It is answered without the store.
    Reply(ScsiReply),
    /// The store works on it.
    Store,
    /// The target group is between two states: looked at again a little later.
    Later,
}

impl ScsiCommand {
    /// A target group in that state takes it.
    fn passes(self, state: AluaState) -> bool {
        let basic = matches!(self, Self::Inquiry | Self::ReadCapacity10 | Self::ReadCapacity16);
        match state {
            AluaState::Active | AluaState::Nonoptimized => true,
            AluaState::Standby => basic || matches!(self, Self::ReportTargetPortGroups | Self::CachingPage),
            AluaState::Unavailable | AluaState::Offline | AluaState::Transitioning => {
                basic || self == Self::ReportTargetPortGroups
            }
        }
    }

    /// It works although the device has a unit attention to tell.
    fn passes_attention(self) -> bool {
        self == Self::Inquiry
    }

    fn uses_store(self) -> bool {
        matches!(self, Self::Read(_) | Self::Write(_) | Self::SynchronizeCache)
    }
}

/// The number of logical blocks of a device; what is left over is not served.
pub(super) fn blocks(vdisk: &Vdisk) -> u64 {
    vdisk.size >> vdisk.block_shift
}

impl Machine {
    /// The state of a device as a session sees it: that of the target group its port is in.
    pub(super) fn state_seen(&self, session: SessId, device: DevId) -> AluaState {
        self.target_group_seen(session, device).map_or(AluaState::Active, |group| group.state)
    }

    pub(super) fn target_group_seen(&self, session: SessId, device: DevId) -> Option<&TargetGroup> {
        let target = self.scst.sessions.get(&session)?.target;
        let group = self.scst.groups.get(&self.scst.devices.get(&device)?.group?)?;
        let mut groups = group.target_groups.values().filter_map(|id| self.scst.target_groups.get(id));
        groups.find(|group| group.members.values().any(|member| member.target == Some(target)))
    }

    /// What becomes of a command that reaches a LUN. `again` if it was put off once.
    pub(super) fn admit(&mut self, at: (SessId, u64, DevId), command: ScsiCommand, again: bool) -> Admission {
        let check = |sense| Admission::Reply(ScsiReply::Check(sense));
        let (session, lun, device) = at;
        if command == ScsiCommand::ReportLuns {
            // The session answers, whatever the device is like.
            return Admission::Reply(ScsiReply::Good(Some(self.luns_reported(session))));
        }
        let state = self.state_seen(session, device);
        if !command.passes(state) {
            return match state {
                AluaState::Transitioning if !again => Admission::Later,
                AluaState::Transitioning => check(Sense::TRANSITIONING),
                AluaState::Standby => check(Sense::STANDBY),
                _ => check(Sense::UNAVAILABLE),
            };
        }
        if !command.passes_attention() {
            while let Some(sense) = self.take_attention(session, lun) {
                if !self.host_takes(session, lun, sense) {
                    return check(sense);
                }
            }
        }
        if !command.uses_store() {
            return Admission::Reply(ScsiReply::Good(self.answer_from_memory(device, command)));
        }
        let writes = !matches!(command, ScsiCommand::Read(_));
        let held = self.scst.devices.get(&device).map(|device| &device.reservations);
        if held.is_some_and(|held| held.refuses((session, lun), writes)) {
            return Admission::Reply(ScsiReply::Conflict);
        }
        self.admit_to_store(at, command)
    }

    fn admit_to_store(&mut self, (session, lun, device): (SessId, u64, DevId), command: ScsiCommand) -> Admission {
        let check = |sense| Admission::Reply(ScsiReply::Check(sense));
        let acg = self.scst.sessions.get(&session).map(|session| session.acg);
        let read_only = acg.and_then(|acg| self.scst.acgs.get(&acg)?.luns.get(&lun)).is_some_and(|lun| lun.read_only);
        let Some(dev) = self.scst.devices.get(&device) else { return Admission::Store };
        if matches!(command, ScsiCommand::Write(_)) && (read_only || dev.read_only) {
            return check(Sense::PROTECTED);
        }
        // A SCSI disk of the host itself: nothing is known of its state.
        let Some(vdisk) = &dev.vdisk else { return Admission::Store };
        if matches!(command, ScsiCommand::Read(lba) | ScsiCommand::Write(lba) if lba >= blocks(vdisk)) {
            return check(Sense::BEYOND_END);
        }
        match (vdisk.kind, &vdisk.open) {
            (VdiskKind::Null, _) | (_, Some(_)) => Admission::Store,
            (VdiskKind::Block | VdiskKind::Cdrom, None) => check(Sense::NO_MEDIUM),
            (VdiskKind::File, None) => {
                let name = dev.name.escape_ascii().to_string();
                self.crash(format!("{command:?} met device {name} of vdisk_fileio, whose file is closed"));
                check(Sense::NO_MEDIUM)
            }
        }
    }

    /// What the store made of a command, which it got as `before`.
    pub(super) fn reply_of_store(&self, device: DevId, command: ScsiCommand, before: Option<&HostFile>) -> ScsiReply {
        let good = ScsiReply::Good(None);
        let vdisk = self.scst.devices.get(&device).and_then(|dev| dev.vdisk.as_ref());
        let (Some(vdisk), Some(store)) = (vdisk, before) else { return good };
        let end = |lba: u64| (lba + 1) << vdisk.block_shift;
        let regular = store.kind == super::FileKind::Regular;
        let works = match command {
            ScsiCommand::Read(lba) => store.health == Health::Good && end(lba) <= store.size,
            // A file grows instead.
            ScsiCommand::Write(lba) => store.health == Health::Good && (regular || end(lba) <= store.size),
            ScsiCommand::SynchronizeCache => store.health != Health::Gone || vdisk.nv_cache,
            _ => true,
        };
        // What nv_cache=1 says is safe is only in the page cache.
        let cached = vdisk.kind == VdiskKind::File;
        match command {
            ScsiCommand::Write(lba) if works => {
                if regular && end(lba) > store.size {
                    self.host.grown(&store.identity, end(lba));
                }
                let through = !cached || (vdisk.write_through && !vdisk.nv_cache);
                self.host.written(&store.identity, lba << vdisk.block_shift, through);
                good
            }
            ScsiCommand::SynchronizeCache if works => {
                self.flush(device);
                good
            }
            _ if works => good,
            ScsiCommand::Read(_) => ScsiReply::Check(Sense::READ_ERROR),
            _ => ScsiReply::Check(Sense::WRITE_ERROR),
        }
    }

    /// Flushes the file of a device, unless it claims that its cache is safe.
    pub(super) fn flush(&self, device: DevId) {
        let vdisk = self.scst.devices.get(&device).and_then(|dev| dev.vdisk.as_ref());
        if vdisk.is_some_and(|vdisk| !vdisk.nv_cache)
            && let Some(store) = self.store_of(device)
        {
            self.host.flushed(&store.identity);
        }
    }

    /// The LUNs of a session as it tells them: hashed by number, those of one hash in the order they came.
    fn luns_reported(&self, session: SessId) -> String {
        const HASHES: u64 = 32;
        let Some(session) = self.scst.sessions.get(&session) else { return String::new() };
        let Some(group) = self.scst.acgs.get(&session.acg) else { return String::new() };
        let method = match group.addr_method {
            AddrMethod::Peripheral => 0,
            AddrMethod::Flat => 0x4000,
            AddrMethod::Lun => 0x8000,
        };
        let mut luns: Vec<u64> = session.luns.keys().copied().collect();
        luns.sort_by_key(|lun| (lun % HASHES, group.luns.get(lun).map(|of_group| of_group.id)));
        let written = luns.into_iter().map(|lun| if lun == 0 { 0 } else { method | lun });
        written.map(|lun| format!("{lun:04x}000000000000")).collect::<Vec<_>>().join(" ")
    }

    /// The data of a command that needs no store.
    fn answer_from_memory(&self, device: DevId, command: ScsiCommand) -> Option<String> {
        let dev = self.scst.devices.get(&device)?;
        let vdisk = dev.vdisk.as_ref()?;
        let last = blocks(vdisk).wrapping_sub(1);
        let size = 1u64 << vdisk.block_shift;
        match command {
            ScsiCommand::ReadCapacity10 => Some(format!("last_lba {:#x} block {size}", last.min(u64::from(u32::MAX)))),
            ScsiCommand::ReadCapacity16 => Some(format!(
                "last_lba {last:#x} block {size} lbppbe {} lbpme {}",
                self.physical_exponent(device, vdisk),
                u8::from(vdisk.thin_provisioned)
            )),
            ScsiCommand::Inquiry => {
                let kind = if vdisk.kind == VdiskKind::Cdrom { 5 } else { 0 };
                Some(format!("type {kind} qual 0 {}", vdisk.ids.inquiry_names()))
            }
            ScsiCommand::CachingPage => Some(format!("wce {}", u8::from(!vdisk.nv_cache && !vdisk.write_through))),
            ScsiCommand::ReportTargetPortGroups => Some(self.port_groups(device)),
            _ => None,
        }
    }

    /// How many logical blocks make a physical one, as a power of two.
    fn physical_exponent(&self, device: DevId, vdisk: &Vdisk) -> u32 {
        if !vdisk.lb_per_pb_exp {
            return 0;
        }
        let disk = self.store_of(device).filter(|_| vdisk.kind == VdiskKind::Block);
        let shift = disk.map_or(PHYSICAL_SHIFT, |disk| disk.limits.physical_block.max(1).ilog2());
        shift.saturating_sub(vdisk.block_shift)
    }

    /// The target groups of a device, in the order they were made; nothing without a device group.
    fn port_groups(&self, device: DevId) -> String {
        let group = self.scst.devices.get(&device).and_then(|dev| self.scst.groups.get(&dev.group?));
        let mut ids: Vec<_> = group.map(|group| group.target_groups.values().copied().collect()).unwrap_or_default();
        ids.sort();
        let groups = ids.iter().filter_map(|id| self.scst.target_groups.get(id));
        let described = groups.map(|group| {
            let mut members: Vec<_> = group.members.values().collect();
            members.sort_by_key(|member| member.id);
            let ports = members.into_iter().map(|member| {
                let local = member.target.and_then(|target| self.scst.targets.get(&target));
                format!(" {}", local.map_or(member.rel_tgt_id, |target| target.rel_tgt_id))
            });
            let preferred = if group.preferred { " pref" } else { "" };
            let (id, state) = (group.group_id, group.state.code());
            format!("group {id} state {state}{preferred} ports{}", ports.collect::<String>())
        });
        described.collect::<Vec<_>>().join("; ")
    }
}
