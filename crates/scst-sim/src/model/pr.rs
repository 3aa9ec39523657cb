//! Who sends commands about persistent reservations, and where they are kept (`scst_pres.c`).

use super::Errno;
use super::alua::AluaState;
use super::device::PR_DIR;
use super::machine::Machine;
use super::pr_command::{PrAnswer, PrCommand};
use super::reservations::Reservations;
use super::scsi::Sense;
use super::state::{DevId, Device, PortKind, SessId, TgtId};

/// Larger files are not read.
const LARGEST_FILE: u64 = 15 << 20;
/// Initiators over iSCSI make their first session with this identifier, which is part of their port's name.
const ISCSI_SESSION: &str = "0x23d000000";

impl Machine {
    /// The name of an initiator's port, as the transport has it.
    pub(super) fn name_initiator_port(&mut self, target: TgtId, initiator: &[u8]) -> Option<Vec<u8>> {
        let port = self.scst.targets.get(&target)?;
        match port.kind {
            PortKind::CopyManager => None,
            PortKind::Iscsi(_) => Some(iscsi_port(initiator)),
            PortKind::Fc { .. } | PortKind::Plain => Some(fibre_channel_port(initiator)),
            // The stand-ins number their sessions and make an address of SAS of that.
            PortKind::Local { .. } => {
                let driver = self.scst.driver_mut(port.driver)?;
                driver.logins += 1;
                let number = driver.logins.to_le_bytes()[0];
                let mut id = vec![6, 0, 0, 0, 0x5f, 0xee, 0xde, 0x40, 0x0f, 0xad, 0xe0, 0x50];
                id[7] |= number >> 4;
                id[8] |= number << 4;
                id.resize(24, 0);
                Some(id)
            }
        }
    }

    pub(super) fn initiator_port(&self, session: SessId) -> Option<(Vec<u8>, u16)> {
        let session = self.scst.sessions.get(&session)?;
        let port = self.scst.targets.get(&session.target)?;
        Some((session.transport_id.clone()?, port.rel_tgt_id))
    }

    /// A session sees a device from now on.
    pub(super) fn attach_reservations(&mut self, session: SessId, lun: u64, device: DevId) {
        if let Some((id, rel_tgt_id)) = self.initiator_port(session)
            && let Some(device) = self.scst.devices.get_mut(&device)
        {
            device.reservations.attach((session, lun), &id, rel_tgt_id);
        }
    }

    /// A session does not see a device any more. Another one of the same initiator takes its registration over.
    pub(super) fn detach_reservations(&mut self, session: SessId, lun: u64, device: DevId) {
        let Some(seen) = self.scst.devices.get_mut(&device) else { return };
        seen.reservations.detach((session, lun));
        if !seen.reservations.registrants.is_empty() {
            for (session, lun) in seen.seen_by.clone() {
                self.attach_reservations(session, lun, device);
            }
        }
    }

    /// A logged-in host sends a PERSISTENT RESERVE command. ENODEV without such a session, ENXIO without such a LUN, EBUSY where the
    /// host would wait: while the device is blocked, and for a command that changes anything while DLM waits for a lost node.
    pub fn persistent_reserve(
        &mut self,
        driver: &str,
        target: &str,
        session: &str,
        lun: u32,
        command: PrCommand,
    ) -> Result<PrAnswer, Errno> {
        let session = self.find_session(driver, target, session).ok_or(Errno::ENODEV)?;
        self.share_reservations();
        let nexus = (session, u64::from(lun));
        let device = self.device_at(nexus).ok_or(Errno::ENXIO)?;
        let (id, rel_tgt_id) = self.initiator_port(session).ok_or(Errno::ENODEV)?;
        match self.state_seen(session, device) {
            AluaState::Transitioning => return Ok(PrAnswer::Check(2, 4, 0x0a)),
            AluaState::Unavailable | AluaState::Offline => return Ok(PrAnswer::Check(2, 4, 0x0c)),
            _ => {}
        }
        let held = self.scst.devices.get(&device).ok_or(Errno::ENODEV)?;
        let changes = !matches!(command, PrCommand::ReadKeys | PrCommand::ReadReservation);
        if held.blocking.count > 0 || (changes && self.recovers(device)) {
            return Err(Errno::EBUSY);
        }
        while let Some(sense) = self.take_attention(nexus.0, nexus.1) {
            if !self.host_takes(nexus.0, nexus.1, sense) {
                let Sense(key, code, qualifier) = sense;
                return Ok(PrAnswer::Check(key, code, qualifier));
            }
        }
        let held = self.scst.devices.get_mut(&device).ok_or(Errno::ENODEV)?;
        let strangers = held.reservations.registrants.iter().any(|registrant| registrant.nexus.is_none());
        let answer = held.reservations.execute(command, nexus, &id, rel_tgt_id);
        if changes && answer == PrAnswer::Good {
            self.keep_reservations(device);
            self.publish_reservations(device, command, strangers);
        }
        Ok(answer)
    }

    fn device_at(&self, (session, lun): (SessId, u64)) -> Option<DevId> {
        Some(self.scst.sessions.get(&session)?.luns.get(&lun)?.device)
    }

    // ---- files ---------------------------------------------------------------------------

    fn reservation_file(device: &Device) -> Vec<u8> {
        let by_default = || [PR_DIR.as_bytes(), b"/", &device.name[..]].concat();
        device.pr_file_name.clone().unwrap_or_else(by_default)
    }

    /// Writes reservations that are to survive; those that are not leave no file. A failure is only logged by the kernel.
    fn keep_reservations(&mut self, device: DevId) {
        let Some(device) = self.scst.devices.get(&device) else { return };
        let path = Self::reservation_file(device);
        let second = second_file(&path);
        if !device.reservations.aptpl || device.reservations.registrants.is_empty() {
            let _no_file = (self.host.remove_file(&path), self.host.remove_file(&second));
            return;
        }
        if let Ok(before) = self.host.read_file(&path) {
            let _unlogged = self.host.write_file(&second, &before);
        }
        let _unlogged = self.host.write_file(&path, &device.reservations.file());
    }

    /// Reads the file of a device, or the second one where the first cannot be used. No file is no failure; EINVAL when
    /// both are damaged.
    pub(super) fn load_reservations(&mut self, device: DevId) -> Result<(), Errno> {
        let Some(device) = self.scst.devices.get_mut(&device) else { return Ok(()) };
        device.reservations.remove_all();
        let path = Self::reservation_file(device);
        let read = |path: &[u8]| {
            let file = self.host.file(path)?;
            if file.size == 0 || file.size >= LARGEST_FILE {
                return Err(Errno::EINVAL);
            }
            Reservations::of_file(&self.host.read_file(path)?)
        };
        let loaded = match read(&path) {
            Err(first) if first != Errno::ENOMEM => match read(&second_file(&path)) {
                Err(Errno::ENOENT) => Err(first),
                second => second,
            },
            first => first,
        };
        match loaded {
            Ok(loaded) => {
                let generation = device.reservations.generation;
                device.reservations = Reservations { generation, ..loaded };
                Ok(())
            }
            Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(errno),
        }
    }
}

/// The file with what was kept before.
fn second_file(path: &[u8]) -> Vec<u8> {
    [path, b".1"].concat()
}

/// A port of Fibre Channel: its world wide name.
fn fibre_channel_port(initiator: &[u8]) -> Vec<u8> {
    let mut id = vec![0; 8];
    let digits: Vec<u8> = initiator.iter().copied().filter(u8::is_ascii_hexdigit).collect();
    let digit = |b: &u8| u8::try_from(char::from(*b).to_digit(16).unwrap_or_default()).unwrap_or_default();
    id.extend(digits.chunks(2).map(|pair| pair.iter().fold(0_u8, |sum, b| (sum << 4) | digit(b))));
    id.resize(24, 0);
    id
}

/// A port of iSCSI: name and session, filled up to four bytes.
fn iscsi_port(initiator: &[u8]) -> Vec<u8> {
    let mut name = [initiator, b",i,", ISCSI_SESSION.as_bytes(), b"\0"].concat();
    name.resize(name.len().next_multiple_of(4), 0);
    let [high, low] = u16::try_from(name.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&[0x45, 0, high, low], &name[..]].concat()
}
