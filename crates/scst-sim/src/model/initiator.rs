//! What a Linux host makes of the LUNs of its session: the disks it found, the sizes it read then, and which unit attentions
//! it does not show to programs.

use super::Errno;
use super::machine::Machine;
use super::scsi::{Sense, blocks};
use super::state::{AddrMethod, DevId, SessId, Session};

/// The unit of a disk's size at a Linux host.
const SECTOR_SHIFT: u32 = 9;
/// The largest logical block it can use.
const PAGE_SHIFT: u32 = 12;

/// A disk of a Linux host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FoundDisk {
    /// The product that the LUN said it was.
    product: String,
    /// Its size in units of 512 bytes, as it was last read.
    sectors: u64,
    /// The LUN said at its finding which target group it is in, so the host's ALUA handler looks after it.
    alua: bool,
}

/// Unit attentions that the ALUA handler of Linux takes for itself; the command is sent again.
const TAKEN: [Sense; 3] = [Sense::RESET, Sense::STATE_CHANGED, Sense::INQUIRY_CHANGED];

impl Machine {
    /// The host looks for disks: those it does not know yet are found, and have told it all they had to tell.
    pub(super) fn find_disks(&mut self, id: SessId) {
        let Some(session) = self.scst.sessions.get(&id) else { return };
        // Numbers written in any other way lead Linux to LUN 0 only, behind the stand-in.
        let plain = self.scst.acgs.get(&session.acg).is_none_or(|acg| acg.addr_method == AddrMethod::Peripheral);
        let known = |lun: &u64| session.disks.contains_key(lun) || (!plain && *lun != 0);
        let new: Vec<(u64, DevId)> =
            session.luns.iter().filter(|(n, _)| !known(n)).map(|(n, lun)| (*n, lun.device)).collect();
        for (lun, device) in new {
            let alua = self.target_group_seen(id, device).is_some();
            let disk = FoundDisk { product: self.product(device), sectors: self.capacity_in_sectors(device), alua };
            if let Some(session) = self.scst.sessions.get_mut(&id) {
                session.disks.insert(lun, disk);
                forget_attentions(session, lun);
            }
        }
    }

    fn product(&self, device: DevId) -> String {
        let device = self.scst.devices.get(&device);
        let product = device.and_then(|device| device.vdisk.as_ref()).map(|vdisk| vdisk.ids.product());
        product.unwrap_or_default()
    }

    fn capacity_in_sectors(&self, device: DevId) -> u64 {
        let vdisk = self.scst.devices.get(&device).and_then(|device| device.vdisk.as_ref());
        // Blocks larger than a page are nothing that Linux can use.
        let usable = vdisk.filter(|vdisk| vdisk.block_shift <= PAGE_SHIFT);
        usable.map_or(0, |vdisk| blocks(vdisk) << (vdisk.block_shift - SECTOR_SHIFT))
    }

    /// The host's ALUA handler takes the answer for itself and sends the command again.
    pub(super) fn host_takes(&self, session: SessId, lun: u64, sense: Sense) -> bool {
        let disk = self.scst.sessions.get(&session).and_then(|session| session.disks.get(&lun));
        disk.is_some_and(|disk| disk.alua) && TAKEN.contains(&sense)
    }

    fn found_disk(&mut self, at: (&str, &str, &str, u32)) -> Result<(SessId, u64, &mut FoundDisk), Errno> {
        let (driver, target, session, lun) = at;
        let id = self.find_session(driver, target, session).ok_or(Errno::ENODEV)?;
        let session = self.scst.sessions.get_mut(&id).ok_or(Errno::ENODEV)?;
        let lun = u64::from(lun);
        Ok((id, lun, session.disks.get_mut(&lun).ok_or(Errno::ENXIO)?))
    }

    /// The size of the disk that a session's host made of a LUN, in units of 512 bytes.
    ///
    /// # Errors
    /// ENODEV without such a session, ENXIO without such a disk.
    pub fn disk_sectors(&mut self, driver: &str, target: &str, session: &str, lun: u32) -> Result<u64, Errno> {
        self.found_disk((driver, target, session, lun)).map(|(_, _, disk)| disk.sectors)
    }

    /// The host reads size and abilities of a disk again, and hears what it has to tell.
    ///
    /// # Errors
    /// As [`Machine::disk_sectors`]; a disk whose LUN is gone keeps its size.
    pub fn rescan_disk(&mut self, driver: &str, target: &str, session: &str, lun: u32) -> Result<(), Errno> {
        let (id, lun, _) = self.found_disk((driver, target, session, lun))?;
        let device = self.scst.sessions.get(&id).and_then(|session| session.luns.get(&lun)).map(|lun| lun.device);
        let Some(sectors) = device.map(|device| self.capacity_in_sectors(device)) else { return Ok(()) };
        if let Some(session) = self.scst.sessions.get_mut(&id) {
            forget_attentions(session, lun);
            if let Some(disk) = session.disks.get_mut(&lun) {
                disk.sectors = sectors;
            }
        }
        Ok(())
    }

    /// The LUNs that a session's host made disks of, by number, with the product each said it was.
    ///
    /// # Errors
    /// ENODEV without such a session.
    pub fn found_disks(&self, driver: &str, target: &str, session: &str) -> Result<Vec<(u64, String)>, Errno> {
        let id = self.find_session(driver, target, session).ok_or(Errno::ENODEV)?;
        let disks = self.scst.sessions.get(&id).map(|session| &session.disks).into_iter().flatten();
        Ok(disks.map(|(lun, disk)| (*lun, disk.product.clone())).collect())
    }
}

fn forget_attentions(session: &mut Session, lun: u64) {
    if let Some(lun) = session.luns.get_mut(&lun) {
        lun.attentions.clear();
    }
}
