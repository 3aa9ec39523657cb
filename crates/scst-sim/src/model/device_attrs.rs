//! Attributes of `devices/<d>` other than identifiers and `block`.

use super::Errno;
use super::backing::{Vdisk, VdiskKind};
use super::command::{Command, Store};
use super::device::{MAX_COMMANDS, PR_DIR};
use super::machine::Machine;
use super::numbers::{as_int, scanned, signed, unsigned};
use super::port_attrs::{keyed, keyed_bytes};
use super::state::{DevId, Device};
use super::tree::{AttrSpec, RO, RW, WO};
use super::words::{c_text, is_space, lower};
use super::{FileKind, handler};

/// The kernel copies this much of a write to `bind_alua_state` or `read_zero` before it reads the number.
const SHORT: usize = 15;

const BASE: [AttrSpec; 6] = [
    ("block", RW),
    ("dump_prs", WO),
    ("max_tgt_dev_commands", RW),
    ("numa_node_id", RW),
    ("pr_file_name", RW),
    ("type", RO),
];
const DISK: [AttrSpec; 12] = [
    ("blocksize", RO),
    ("cluster_mode", RW),
    ("expl_alua", RW),
    ("filename", RW),
    ("nv_cache", RO),
    ("opt_trans_len", RW),
    ("read_only", RO),
    ("removable", RO),
    ("resync_size", WO),
    ("rotational", RO),
    ("sync", WO),
    ("tst", RO),
];
const NULL: [AttrSpec; 10] = [
    ("blocksize", RO),
    ("cluster_mode", RW),
    ("dummy", RO),
    ("opt_trans_len", RW),
    ("read_only", RO),
    ("read_zero", RW),
    ("removable", RO),
    ("rotational", RO),
    ("size", RW),
    ("tst", RO),
];

/// The size a write to `size` (shift 0) or `size_mb` (shift 20) asks for. `None`: EINVAL.
pub(super) fn new_size(text: &[u8], shift: u32) -> Option<u64> {
    scanned(text).filter(|size| *size <= u64::MAX >> shift).map(|size| size << shift)
}

impl Machine {
    pub(super) fn device_attributes(&self, id: DevId) -> Vec<AttrSpec> {
        let Some(device) = self.scst.devices.get(&id) else { return Vec::new() };
        let mut all = BASE.to_vec();
        if self.features.pr_state {
            all.push(("pr_state", RW));
        }
        if !device.linked {
            return all;
        }
        all.extend([("threads_num", RW), ("threads_pool_type", RW)]);
        match &device.vdisk {
            Some(vdisk) => {
                all.extend(super::identifiers::ATTRIBUTES);
                all.extend(self.vdisk_attributes(vdisk));
            }
            None => all.push(("cluster_mode", RW)),
        }
        all
    }

    fn vdisk_attributes(&self, vdisk: &Vdisk) -> Vec<AttrSpec> {
        let size = if matches!(vdisk.kind, VdiskKind::Block | VdiskKind::Null) { RW } else { RO };
        let mut all = match vdisk.kind {
            VdiskKind::File | VdiskKind::Block => DISK.to_vec(),
            VdiskKind::Null => NULL.to_vec(),
            VdiskKind::Cdrom => vec![("filename", RW), ("tst", RO)],
        };
        all.retain(|(name, _)| *name != "size");
        all.extend([("size", size), ("size_mb", size)]);
        if vdisk.kind == VdiskKind::Block || (vdisk.kind == VdiskKind::File && self.features.fileio_active) {
            all.extend([("active", RW), ("bind_alua_state", RW)]);
        }
        if matches!(vdisk.kind, VdiskKind::File | VdiskKind::Block) {
            all.extend([("thin_provisioned", RO), ("write_through", RO)]);
            if self.features.lb_per_pb_exp {
                all.push(("lb_per_pb_exp", RW));
            }
        }
        if vdisk.kind == VdiskKind::File {
            all.extend([("async", RW), ("o_direct", RO)]);
        }
        if vdisk.has_threshold {
            all.push(("gen_tp_soft_threshold_reached_UA", WO));
        }
        if vdisk.dif.kind != 0 {
            all.extend([("dif_mode", RO), ("dif_static_app_tag", RW), ("dif_type", RO)]);
        }
        all
    }

    pub(super) fn show_device(&self, id: DevId, attr: &str) -> Result<Vec<u8>, Errno> {
        let device = self.scst.devices.get(&id).ok_or(Errno::ENOENT)?;
        let vdisk = device.vdisk.as_ref();
        Ok(match attr {
            "block" => self.show_block(id),
            "type" if vdisk.is_some_and(|v| v.kind == VdiskKind::Cdrom) => handler::CDROM_TYPE.into(),
            "type" => handler::DISK_TYPE.into(),
            "max_tgt_dev_commands" => {
                let default = if device.handler.is_some() { MAX_COMMANDS } else { 0 };
                keyed(device.max_tgt_dev_commands, device.max_tgt_dev_commands != default)
            }
            "numa_node_id" => keyed(device.numa_node_id, device.numa_node_id != -1),
            "pr_file_name" => match &device.pr_file_name {
                Some(path) => keyed_bytes(path, true),
                None => [PR_DIR.as_bytes(), b"/", &device.name[..], b"\n"].concat(),
            },
            "pr_state" => device.reservations.text(),
            "cluster_mode" => keyed(u8::from(device.cluster_mode), device.cluster_mode),
            "read_only" => keyed(u8::from(device.read_only), device.read_only),
            "threads_num" => {
                keyed(device.threads_num, device.handler.is_some_and(|h| handler::threads_num(h) != device.threads_num))
            }
            "threads_pool_type" => match device.threads_num {
                0 => keyed("Async", false),
                _ if device.threads_shared => keyed("shared", true),
                _ => keyed("per_initiator", false),
            },
            _ => vdisk.and_then(|v| show_vdisk(v, attr).or_else(|| v.ids.show(attr))).ok_or(Errno::ENOENT)?,
        })
    }

    pub(super) fn store_device(&mut self, id: DevId, attr: &str, data: &[u8]) -> Store {
        let text = c_text(data);
        let Some(device) = self.scst.devices.get_mut(&id) else { return Store::Done(Err(Errno::ENODEV)) };
        let medium = device.vdisk.as_ref().is_some_and(|v| v.kind == VdiskKind::Cdrom);
        match attr {
            "block" => self.store_block(id, data),
            "sync" => {
                self.flush(id);
                Store::Done(Ok(()))
            }
            "dump_prs" | "gen_tp_soft_threshold_reached_UA" => Store::Done(Ok(())),
            "max_tgt_dev_commands" => Store::Done(signed(text).and_then(|number| {
                device.max_tgt_dev_commands = in_range(number, 0)?;
                Ok(())
            })),
            "numa_node_id" => Store::Done(signed(text).and_then(|number| {
                device.numa_node_id = in_range(number, -1)?;
                Ok(())
            })),
            "threads_num" => match signed(text).and_then(|number| in_range(number, 0)) {
                Ok(number) => threads(id, device, number, device.threads_shared),
                Err(errno) => Store::Done(Err(errno)),
            },
            "threads_pool_type" => match parse_pool_type(data) {
                Some(shared) => threads(id, device, device.threads_num, shared),
                None => Store::Done(Err(Errno::EINVAL)),
            },
            "pr_file_name" | "t10_dev_id" if device.cluster_mode => Store::Done(Err(Errno::EPERM)),
            "pr_file_name" => {
                let end = text.iter().rposition(|b| !is_space(*b)).map_or(0, |p| p + 1);
                let path = Some(text[..end].to_vec()).filter(|path| !path.is_empty());
                Store::Queue(Command::PrFileName(id, path))
            }
            "pr_state" => Store::Queue(Command::PrState(id, text.to_vec())),
            "cluster_mode" => Store::Queue(Command::ClusterMode(id, text.to_vec())),
            "active" => Store::Queue(Command::Active(id, text.to_vec())),
            "filename" if medium => Store::Queue(Command::Medium(id, text.to_vec())),
            "filename" => Store::Queue(Command::Filename(id, text.to_vec())),
            "resync_size" => Store::Queue(Command::ResyncSize(id)),
            "size" => Store::Queue(Command::Size { device: id, text: text.to_vec(), shift: 0 }),
            "size_mb" => Store::Queue(Command::Size { device: id, text: text.to_vec(), shift: 20 }),
            _ => {
                let Some(vdisk) = device.vdisk.as_mut() else { return Store::Done(Err(Errno::ENOTSUP)) };
                let identifier = vdisk.ids.store(attr, data);
                Store::Done(identifier.unwrap_or_else(|| store_vdisk(vdisk, attr, text)))
            }
        }
    }

    /// A write to `size` or `size_mb`: a multiple of the block size.
    pub(super) fn set_size(&mut self, device: DevId, text: &[u8], shift: u32) -> Result<(), Errno> {
        let size = new_size(text, shift).ok_or(Errno::EINVAL)?;
        let vdisk = self.scst.devices.get_mut(&device).and_then(|d| d.vdisk.as_mut()).ok_or(Errno::EINVAL)?;
        let fits = size.is_multiple_of(1u64 << vdisk.block_shift);
        if fits {
            vdisk.size = size;
        }
        // Hosts are told even of a size that was refused, and of the same size again.
        self.capacity_changed(device);
        if fits { Ok(()) } else { Err(Errno::EINVAL) }
    }

    /// A write to `cluster_mode`. Without a cluster it is only noted; nothing is lost either way.
    pub(super) fn set_cluster_mode(&mut self, device: DevId, text: &[u8]) -> Result<(), Errno> {
        let on = match signed(text)? {
            0 => false,
            1 => true,
            _ => return Err(Errno::EINVAL),
        };
        if let Some(device) = self.scst.devices.get_mut(&device) {
            device.cluster_mode = on;
        }
        Ok(())
    }

    fn is_attached(&self, device: DevId) -> bool {
        self.scst.devices.get(&device).is_some_and(|d| !d.seen_by.is_empty())
    }

    /// Where persistent reservations are kept; `None` is the default. EBUSY while any session sees the device, EINVAL where the
    /// files there are damaged.
    pub(super) fn set_pr_file_name(&mut self, id: DevId, path: Option<&[u8]>) -> Result<(), Errno> {
        if self.is_attached(id) {
            return Err(Errno::EBUSY);
        }
        if let Some(path) = path {
            self.check_pr_path(path)?;
        }
        let Some(device) = self.scst.devices.get_mut(&id) else { return Ok(()) };
        let before = std::mem::replace(&mut device.pr_file_name, path.map(<[u8]>::to_vec));
        if before.as_deref() == path {
            return Ok(());
        }
        // The reservations are those of the new file from now on.
        self.load_reservations(id).inspect_err(|_| {
            if let Some(device) = self.scst.devices.get_mut(&id) {
                device.pr_file_name = before;
            }
        })
    }

    /// A file there could be written.
    fn check_pr_path(&self, path: &[u8]) -> Result<(), Errno> {
        if !path.starts_with(b"/") {
            return Err(Errno::EINVAL);
        }
        match self.host.file(path) {
            Ok(file) if file.kind == FileKind::Regular => Ok(()),
            Ok(_) => Err(Errno::EINVAL),
            Err(Errno::ENOENT) => {
                let slash = path.iter().rposition(|b| *b == b'/').unwrap_or(0);
                let dir = self.host.file(if slash == 0 { b"/" } else { &path[..slash] })?;
                if dir.kind == FileKind::Dir { Ok(()) } else { Err(Errno::ENOTDIR) }
            }
            Err(errno) => Err(errno),
        }
    }

    /// Restores reservations from a text, in place of all there are.
    pub(super) fn set_pr_state(&mut self, id: DevId, text: &[u8]) -> Result<(), Errno> {
        if self.is_attached(id) {
            return Err(Errno::EBUSY);
        }
        self.scst.devices.get_mut(&id).map_or(Ok(()), |device| device.reservations.restore(text))
    }
}

fn in_range(number: i64, least: i64) -> Result<i32, Errno> {
    if number < least { Err(Errno::EINVAL) } else { Ok(as_int(number)) }
}

/// Nothing is queued for what is set already.
fn threads(id: DevId, device: &Device, number: i32, shared: bool) -> Store {
    if device.threads_num < 0 {
        Store::Done(Err(Errno::EPERM))
    } else if (number, shared) == (device.threads_num, device.threads_shared) {
        Store::Done(Ok(()))
    } else {
        Store::Queue(Command::DeviceThreads(id, number, shared))
    }
}

/// `true` for `shared`; keywords match by prefix, both ways and without case.
fn parse_pool_type(data: &[u8]) -> Option<bool> {
    let alike = |keyword: &str| data.iter().zip(keyword.bytes()).all(|(a, b)| lower(*a) == b);
    [("per_initiator", false), ("shared", true)].into_iter().find(|(k, _)| alike(k)).map(|(_, shared)| shared)
}

fn show_vdisk(vdisk: &Vdisk, attr: &str) -> Option<Vec<u8>> {
    let flag = |on: bool, default: bool| keyed(u8::from(on), on != default);
    Some(match attr {
        "active" => flag(vdisk.active, true),
        "async" => flag(vdisk.async_io, false),
        "bind_alua_state" => flag(vdisk.bind_alua_state, vdisk.kind == VdiskKind::Block),
        "blocksize" => keyed(1u64 << vdisk.block_shift, vdisk.block_shift != 9),
        "dif_mode" => keyed(super::parameters::dif_modes(vdisk).join("|"), true),
        "dif_static_app_tag" => keyed(format_args!("{:#x}", vdisk.dif.static_app_tag), vdisk.dif.static_app_tag != 0),
        "dif_type" => keyed(vdisk.dif.kind, true),
        "dummy" => flag(vdisk.dummy, false),
        "expl_alua" => flag(vdisk.expl_alua, false),
        // The value goes through a buffer to which the kernel adds one line end more.
        "filename" => match &vdisk.filename {
            Some(path) => [&path[..], b"\n[key]\n\n"].concat(),
            None => b"none\n\n".to_vec(),
        },
        "lb_per_pb_exp" => flag(vdisk.lb_per_pb_exp, true),
        "nv_cache" => flag(vdisk.nv_cache, false),
        "o_direct" => flag(vdisk.o_direct, false),
        "opt_trans_len" => keyed(as_int(i64::from(vdisk.opt_trans_len)), vdisk.opt_trans_len_set),
        "read_zero" => flag(vdisk.read_zero, false),
        "removable" => flag(vdisk.removable, vdisk.kind == VdiskKind::Cdrom),
        "rotational" => flag(vdisk.rotational, true),
        "size" => keyed(vdisk.size, vdisk.kind != VdiskKind::Null || vdisk.size != handler::NULLIO_SIZE),
        "size_mb" => keyed(vdisk.size >> 20, false),
        "thin_provisioned" => keyed(u8::from(vdisk.thin_provisioned), vdisk.thin_provisioned_given),
        "tst" => keyed(vdisk.tst, vdisk.tst != 1),
        "write_through" => flag(vdisk.write_through, false),
        _ => return None,
    })
}

fn store_vdisk(vdisk: &mut Vdisk, attr: &str, text: &[u8]) -> Result<(), Errno> {
    let short = &text[..text.len().min(SHORT)];
    let zero_or_one = |text: &[u8]| match signed(text)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Errno::EINVAL),
    };
    match attr {
        "async" => vdisk.async_io = zero_or_one(text)?,
        "bind_alua_state" => vdisk.bind_alua_state = unsigned(short)? != 0,
        "dif_static_app_tag" => vdisk.dif.static_app_tag = unsigned(text)? & 0xffff,
        "expl_alua" => vdisk.expl_alua = unsigned(text)? != 0,
        "lb_per_pb_exp" => vdisk.lb_per_pb_exp = zero_or_one(text)?,
        "opt_trans_len" => {
            let len = unsigned(text)?;
            if len % (1u64 << vdisk.block_shift) != 0 {
                return Err(Errno::EINVAL);
            }
            vdisk.opt_trans_len = super::numbers::low32(len);
            vdisk.opt_trans_len_set = true;
        }
        "read_zero" => vdisk.read_zero = zero_or_one(short)?,
        _ => return Err(Errno::ENOTSUP),
    }
    Ok(())
}
