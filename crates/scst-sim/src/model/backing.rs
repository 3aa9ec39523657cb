//! What is behind a virtual device: its file or disk, opening and closing it (`vdisk_open_fd`, `vdisk_reexamine`).

use super::identifiers::Identifiers;
use super::machine::Machine;
use super::numbers::signed;
use super::state::DevId;
use super::words::{c_text, trimmed};
use super::{Errno, FileKind, HostFile};

/// The largest block a disk can be told to have: a page.
const MAX_BLOCK: u64 = 4096;

/// Which of the vdisk handlers a device belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VdiskKind {
    File,
    Block,
    Null,
    Cdrom,
}

/// Protection information of a device: mode and type as given, and the application tag.
#[derive(Debug, Clone, Default)]
pub(super) struct Dif {
    pub(super) modes: Vec<&'static str>,
    pub(super) kind: u64,
    pub(super) static_app_tag: u64,
    pub(super) file_name: Option<Vec<u8>>,
}

/// A file or disk that SCST holds open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Opened {
    pub(super) path: Vec<u8>,
    /// As it was when it was opened.
    pub(super) file: HostFile,
}

/// The part of a device that a vdisk handler adds.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is an attribute of the device")]
pub(super) struct Vdisk {
    pub(super) kind: VdiskKind,
    pub(super) filename: Option<Vec<u8>>,
    pub(super) active: bool,
    pub(super) bind_alua_state: bool,
    pub(super) block_shift: u32,
    pub(super) size: u64,
    /// What is open, if anything is.
    pub(super) open: Option<Opened>,
    /// Sessions that see it.
    pub(super) attached: u32,
    /// Size and abilities are to be looked up as soon as it is active.
    pub(super) reexam_pending: bool,
    pub(super) nv_cache: bool,
    pub(super) write_through: bool,
    pub(super) o_direct: bool,
    pub(super) removable: bool,
    pub(super) rotational: bool,
    pub(super) thin_provisioned: bool,
    pub(super) thin_provisioned_given: bool,
    /// The attribute to announce a threshold is there.
    pub(super) has_threshold: bool,
    pub(super) tst: u8,
    pub(super) async_io: bool,
    pub(super) dummy: bool,
    pub(super) read_zero: bool,
    pub(super) expl_alua: bool,
    pub(super) lb_per_pb_exp: bool,
    pub(super) opt_trans_len: u32,
    pub(super) opt_trans_len_set: bool,
    pub(super) dif: Dif,
    pub(super) ids: Identifiers,
}

impl Vdisk {
    /// It has neither file nor medium to open.
    fn is_hollow(&self) -> bool {
        self.kind == VdiskKind::Null || self.filename.is_none()
    }
}

/// The file's size as SCST asks for it, opening it to read: regular files and block devices only.
fn size_of(file: &HostFile) -> Result<u64, Errno> {
    file.opening(false)?;
    match file.kind {
        FileKind::Regular | FileKind::Block => Ok(file.size),
        FileKind::Dir | FileKind::Char | FileKind::Fifo => Err(Errno::EINVAL),
    }
}

impl Machine {
    fn vdisk(&mut self, device: DevId) -> Option<&mut Vdisk> {
        self.scst.devices.get_mut(&device)?.vdisk.as_mut()
    }

    /// The block device with that identity is held open exclusively by SCST.
    pub fn holds(&self, identity: &[u8]) -> bool {
        self.features.exclusive_blockio && self.holders(identity).any(|v| v.kind == VdiskKind::Block)
    }

    /// The file or device with that identity is held open by SCST, exclusively or not.
    pub fn holds_open(&self, identity: &[u8]) -> bool {
        self.holders(identity).next().is_some()
    }

    fn holders(&self, identity: &[u8]) -> impl Iterator<Item = &Vdisk> {
        let vdisks = self.scst.devices.values().filter_map(|d| d.vdisk.as_ref());
        vdisks.filter(move |v| v.open.as_ref().is_some_and(|open| open.file.identity == identity))
    }

    /// What a device has open, as it is now.
    pub(super) fn store_of(&self, device: DevId) -> Option<HostFile> {
        let open = self.scst.devices.get(&device)?.vdisk.as_ref()?.open.as_ref()?;
        Some(self.host.opened(&open.path, &open.file.identity).unwrap_or_else(|| open.file.clone()))
    }

    /// Closes what a device has open. Nothing else may be changed by that.
    fn close_backing(&mut self, device: DevId) {
        let Some(open) = self.vdisk(device).and_then(|vdisk| vdisk.open.take()) else { return };
        if !self.holds_open(&open.file.identity) {
            self.host.closed(&open.file.identity);
        }
    }

    /// Looks up size and abilities of the backing. An inactive device that may be so puts it off.
    pub(super) fn reexamine(&mut self, device: DevId) -> Result<(), Errno> {
        let fileio_active = self.features.fileio_active;
        let read_only = self.scst.devices.get(&device).is_some_and(|d| d.read_only);
        let Some(vdisk) = self.scst.devices.get_mut(&device).and_then(|d| d.vdisk.as_mut()) else { return Ok(()) };
        if vdisk.is_hollow() {
            return Ok(());
        }
        let file = match vdisk.filename.as_ref().filter(|_| vdisk.active) {
            Some(path) => self.host.file(path).and_then(|file| size_of(&file).map(|_| file)),
            None => Err(Errno::EMEDIUMTYPE),
        };
        let may_be_inactive = vdisk.kind == VdiskKind::Block || fileio_active;
        let file = match file {
            Err(Errno::EMEDIUMTYPE) if may_be_inactive => {
                vdisk.reexam_pending = true;
                return Ok(());
            }
            file => file?,
        };
        vdisk.size = file.size;
        if vdisk.kind == VdiskKind::Block && file.limits.optimal_io > 0 && !vdisk.opt_trans_len_set {
            vdisk.opt_trans_len = file.limits.optimal_io;
        }
        let can_discard = !read_only && if vdisk.kind == VdiskKind::Block { file.limits.discard } else { true };
        if vdisk.thin_provisioned_given {
            vdisk.thin_provisioned &= can_discard;
        } else if vdisk.kind == VdiskKind::Block {
            vdisk.thin_provisioned = can_discard;
        }
        vdisk.has_threshold |= vdisk.thin_provisioned;
        Ok(())
    }

    /// Opens the backing. EMEDIUMTYPE while inactive; a disk of `vdisk_blockio` in use elsewhere is EBUSY.
    fn open_backing(&mut self, device: DevId) -> Result<(), Errno> {
        let Some(vdisk) = self.scst.devices.get(&device).and_then(|d| d.vdisk.as_ref()) else { return Ok(()) };
        if !vdisk.active {
            return Err(Errno::EMEDIUMTYPE);
        }
        let Some(path) = vdisk.filename.clone() else { return Ok(()) };
        let (block, shift) = (vdisk.kind == VdiskKind::Block, vdisk.block_shift);
        let writable = self.scst.devices.get(&device).is_some_and(|d| !d.read_only);
        let file = self.host.file(&path)?;
        if block && file.kind != FileKind::Block {
            return Err(Errno::ENOTBLK);
        }
        file.opening(writable)?;
        size_of(&file)?;
        if block && self.features.exclusive_blockio && (file.held || self.holds(&file.identity)) {
            return Err(Errno::EBUSY);
        }
        let block_size = u64::from(file.limits.logical_block)..=MAX_BLOCK;
        if block && self.features.exclusive_blockio && !block_size.contains(&(1u64 << shift)) {
            return Err(Errno::EINVAL);
        }
        if let Some(vdisk) = self.vdisk(device) {
            vdisk.open = Some(Opened { path, file });
        }
        Ok(())
    }

    /// One session more sees the device. A device that is inactive, or whose disk says so, is attached all the same.
    pub(super) fn attach(&mut self, device: DevId) -> Result<(), Errno> {
        let Some(vdisk) = self.vdisk(device) else { return Ok(()) };
        vdisk.attached += 1;
        if vdisk.open.is_some() || vdisk.is_hollow() {
            return Ok(());
        }
        let may_be_inactive = vdisk.kind != VdiskKind::Null;
        match self.open_backing(device) {
            Err(Errno::EMEDIUMTYPE) if may_be_inactive => Ok(()),
            Err(errno) => {
                if let Some(vdisk) = self.vdisk(device) {
                    vdisk.attached -= 1;
                }
                Err(errno)
            }
            Ok(()) => Ok(()),
        }
    }

    /// One session less sees the device; the last one closes its backing.
    pub(super) fn detach(&mut self, device: DevId) {
        let Some(vdisk) = self.vdisk(device) else { return };
        vdisk.attached = vdisk.attached.saturating_sub(1);
        if vdisk.attached == 0 {
            self.close_backing(device);
        }
    }

    /// Makes a device active: opened at once if a session sees it. On failure it stays inactive - unless only its size was
    /// asked for, where the kernel forgets to take it back.
    pub(super) fn activate(&mut self, device: DevId) -> Result<(), Errno> {
        let Some(vdisk) = self.vdisk(device) else { return Ok(()) };
        vdisk.active = true;
        if vdisk.attached > 0
            && vdisk.open.is_none()
            && let Err(errno) = self.open_backing(device)
        {
            if let Some(vdisk) = self.vdisk(device) {
                vdisk.active = false;
            }
            return Err(errno);
        }
        let Some(vdisk) = self.vdisk(device) else { return Ok(()) };
        if std::mem::take(&mut vdisk.reexam_pending) { self.reexamine(device) } else { Ok(()) }
    }

    /// Makes a device inactive: its backing is closed.
    pub(super) fn deactivate(&mut self, device: DevId) {
        if let Some(vdisk) = self.vdisk(device) {
            vdisk.active = false;
        }
        self.close_backing(device);
    }

    /// A write to `active`.
    pub(super) fn set_active(&mut self, device: DevId, text: &[u8]) -> Result<(), Errno> {
        let wanted = match signed(text)? {
            0 => false,
            1 => true,
            _ => return Err(Errno::EINVAL),
        };
        match self.vdisk(device).map(|v| v.active) {
            Some(active) if active != wanted && wanted => self.activate(device),
            Some(active) if active != wanted => {
                self.deactivate(device);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A write to `filename` of a disk: only while inactive, only an absolute path, not looked at.
    pub(super) fn set_filename(&mut self, device: DevId, text: &[u8]) -> Result<(), Errno> {
        let name = trimmed(c_text(text));
        let Some(vdisk) = self.vdisk(device) else { return Err(Errno::EINVAL) };
        if vdisk.active || !name.starts_with(b"/") {
            return Err(Errno::EINVAL);
        }
        vdisk.filename = Some(name.to_vec());
        Ok(())
    }

    /// A write to `filename` of a CD-ROM drive: another medium, or none.
    pub(super) fn change_medium(&mut self, device: DevId, text: &[u8]) -> Result<(), Errno> {
        let name = trimmed(c_text(text)).to_vec();
        let (medium, size, open) = if name.is_empty() {
            (None, 0, None)
        } else if name.starts_with(b"/") {
            let file = self.host.file(&name)?;
            (Some(name.clone()), size_of(&file)?, Some(Opened { path: name, file }))
        } else {
            return Err(Errno::EINVAL);
        };
        self.close_backing(device);
        if let Some(vdisk) = self.vdisk(device) {
            vdisk.filename = medium;
            vdisk.size = size;
            vdisk.open = open.filter(|_| vdisk.attached > 0);
        }
        Ok(())
    }

    /// A write to `resync_size`: EMEDIUMTYPE unless open.
    pub(super) fn resync_size(&mut self, device: DevId) -> Result<(), Errno> {
        let path = match self.vdisk(device) {
            Some(Vdisk { open: Some(_), filename: Some(path), active: true, .. }) => path.clone(),
            _ => return Err(Errno::EMEDIUMTYPE),
        };
        let size = size_of(&self.host.file(&path)?)?;
        if let Some(vdisk) = self.vdisk(device)
            && std::mem::replace(&mut vdisk.size, size) != size
        {
            self.capacity_changed(device);
        }
        Ok(())
    }
}
