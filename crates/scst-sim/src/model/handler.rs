//! Device handlers: `handlers/<h>` and its `mgmt` (`scst_vdisk.c`, `scst_process_devt_mgmt_store`).

use super::Errno;
use super::backing::{Dif, Vdisk, VdiskKind};
use super::command::{Command, Store};
use super::identifiers::Identifiers;
use super::machine::Machine;
use super::parameters::{Given, documented, parse};
use super::state::DevId;
use super::trace::Trace;
use super::tree::{AttrSpec, RO, RW};
use super::words::{Words, same_word};

/// A handler.
#[derive(Debug, Clone)]
pub(super) struct Handler {
    pub(super) id: u64,
    pub(super) name: &'static str,
    trace: Trace,
    /// Attributes lost to a device of that name.
    lost: Vec<&'static str>,
    pr_dump_dir: Vec<u8>,
}

/// The handlers of each module, in the order they register.
pub(super) const VDISK: [(&str, VdiskKind); 4] = [
    ("vdisk_fileio", VdiskKind::File),
    ("vdisk_blockio", VdiskKind::Block),
    ("vdisk_nullio", VdiskKind::Null),
    ("vcdrom", VdiskKind::Cdrom),
];
pub(super) const PASS_THROUGH: [&str; 2] = ["dev_disk", "dev_disk_perf"];

const NAME_MAX: usize = 64;
/// Size of a `vdisk_nullio` device unless given: 5 TiB, less than the largest a 32 bit block count can have.
pub(super) const NULLIO_SIZE: u64 = 5 * 1024 * 1024 * 1024 * 1024 / 2;
pub(super) const OPT_TRANS_LEN: u32 = 524_288;

/// What a write to a handler's `mgmt` leads to.
#[derive(Debug, Clone)]
pub(super) enum Claim {
    Done,
    /// The device is to be removed.
    Removing(DevId),
    /// The device waits for its file to be opened.
    Opening(DevId, Vec<u8>),
    /// Undoing the device waits for the very write that made it.
    Deadlocked(DevId),
}

/// Which kind of virtual device a handler makes.
pub(super) fn vdisk_kind(handler: &str) -> Option<VdiskKind> {
    VDISK.iter().find(|(name, _)| *name == handler).map(|(_, kind)| *kind)
}

/// How many threads a device of the handler has by default.
pub(super) fn threads_num(handler: &str) -> i32 {
    match vdisk_kind(handler) {
        Some(VdiskKind::File | VdiskKind::Cdrom) => 8,
        _ => 1,
    }
}

impl Machine {
    pub(super) fn register_handler(&mut self, name: &'static str) {
        let id = self.new_id();
        let own: &[&str] = if vdisk_kind(name).is_some() { &["order"] } else { &[] };
        let handler = Handler { id, name, trace: Trace::new(own), lost: Vec::new(), pr_dump_dir: Vec::new() };
        self.scst.handlers.push(handler);
    }

    fn handler(&self, name: &str) -> Option<&Handler> {
        self.scst.handlers.iter().find(|h| h.name == name)
    }

    pub(super) fn handler_attributes(&self, name: &str) -> Vec<AttrSpec> {
        let Some(handler) = self.handler(name) else { return Vec::new() };
        let mut all = vec![("mgmt", RW), ("trace_level", RW), ("type", RO)];
        if name == PASS_THROUGH[0] && self.features.pr_dump_dir {
            all.push(("pr_dump_dir", RW));
        }
        all.retain(|(attr, _)| !handler.lost.contains(attr));
        all
    }

    pub(super) fn show_handler(&self, name: &str, attr: &str) -> Result<Vec<u8>, Errno> {
        let handler = self.handler(name).ok_or(Errno::ENOENT)?;
        Ok(match (attr, vdisk_kind(name)) {
            ("mgmt", Some(kind)) => format!(
                "Commands: add_device DEVICE [parameters], del_device DEVICE\n\n\
                 Parameters are NAME=VALUE, with ';' between them.\n\n\
                 The following parameters available: {}\n",
                documented(kind, self.features).join(", ")
            )
            .into_bytes(),
            ("mgmt", None) => b"Commands: add_device H:C:I:L, del_device H:C:I:L\n".to_vec(),
            ("trace_level", _) => handler.trace.show(),
            ("type", Some(VdiskKind::Cdrom)) => CDROM_TYPE.into(),
            ("type", _) => DISK_TYPE.into(),
            ("pr_dump_dir", _) => [&handler.pr_dump_dir[..], b"\n"].concat(),
            _ => return Err(Errno::ENOENT),
        })
    }

    pub(super) fn store_handler(&mut self, name: &'static str, attr: &str, text: &[u8]) -> Store {
        match attr {
            "mgmt" if vdisk_kind(name).is_some() => Store::Queue(Command::Handler(name, text.to_vec())),
            "mgmt" => Store::Queue(Command::PassThrough(name, text.to_vec())),
            "trace_level" => {
                let handler = self.scst.handlers.iter_mut().find(|h| h.name == name);
                Store::Done(handler.ok_or(Errno::ENODEV).and_then(|h| h.trace.store(text)))
            }
            _ => Store::Done(Err(Errno::ENOTSUP)),
        }
    }

    /// A write to the `mgmt` of a handler of virtual devices. `del_device` takes devices of any of them.
    pub(super) fn handler_command(&mut self, handler: &'static str, text: &[u8]) -> Result<Claim, Errno> {
        let mut words = Words::new(text);
        let (verb, name) = (words.word(), words.word());
        if same_word(verb, "add_device") && !name.is_empty() {
            self.add_vdisk(handler, name, words)
        } else if same_word(verb, "del_device") && !name.is_empty() && words.word().is_empty() {
            let device = *self.scst.device_names.get(name).ok_or(Errno::EINVAL)?;
            let is_vdisk = self.scst.devices.get(&device).is_some_and(|d| d.vdisk.is_some());
            if is_vdisk { Ok(Claim::Removing(device)) } else { Err(Errno::EINVAL) }
        } else {
            Err(Errno::EINVAL)
        }
    }

    fn add_vdisk(&mut self, handler: &'static str, name: &[u8], words: Words<'_>) -> Result<Claim, Errno> {
        let kind = vdisk_kind(handler).ok_or(Errno::EINVAL)?;
        let vdisks = || self.scst.devices.values().filter_map(|d| d.vdisk.as_ref().map(|v| (d, v)));
        if vdisks().any(|(device, _)| device.name == name) {
            return Err(Errno::EEXIST);
        }
        if name.len() > NAME_MAX || name.iter().any(|b| matches!(b, b'/' | b'.')) {
            return Err(Errno::EINVAL);
        }
        let mut vdisk = self.fresh_vdisk(kind, name);
        if vdisks().any(|(_, other)| other.ids.usn() == vdisk.ids.usn()) {
            return Err(Errno::EEXIST);
        }
        let given = parse(words, &mut vdisk, self.features)?;
        let needs_file = matches!(kind, VdiskKind::File | VdiskKind::Block);
        let write_options = vdisk.write_through || vdisk.nv_cache;
        if (kind == VdiskKind::File && given.read_only && write_options) || (needs_file && vdisk.filename.is_none()) {
            return Err(Errno::EINVAL);
        }
        self.host.file(super::device::PR_DIR.as_bytes())?;
        let device = self.create_device(name, Some(handler))?;
        let path = vdisk.filename.clone().filter(|_| vdisk.active);
        self.equip(device, handler, vdisk, &given);
        if let Some(path) = path.filter(|path| self.opening_waits(path)) {
            return Ok(Claim::Opening(device, path));
        }
        let attached = self.attach_to_handler(device, handler);
        if attached.is_err() {
            self.forget_device(device);
        }
        attached
    }

    fn fresh_vdisk(&self, kind: VdiskKind, name: &[u8]) -> Vdisk {
        let vendor: &[u8] = if kind == VdiskKind::Block { b"SCST_BIO" } else { b"SCST_FIO" };
        let cdrom = kind == VdiskKind::Cdrom;
        Vdisk {
            kind,
            filename: None,
            active: true,
            bind_alua_state: kind == VdiskKind::Block,
            block_shift: if cdrom { 11 } else { 9 },
            size: if kind == VdiskKind::Null { NULLIO_SIZE } else { 0 },
            open: None,
            attached: 0,
            reexam_pending: false,
            nv_cache: false,
            write_through: false,
            o_direct: false,
            removable: cdrom,
            rotational: true,
            thin_provisioned: false,
            thin_provisioned_given: false,
            has_threshold: false,
            tst: 1,
            async_io: false,
            dummy: false,
            read_zero: false,
            expl_alua: false,
            lb_per_pb_exp: true,
            opt_trans_len: OPT_TRANS_LEN,
            opt_trans_len_set: false,
            dif: Dif::default(),
            ids: Identifiers::new(name, self.scst.root.setup_id, vendor, self.features.product_revision),
        }
    }

    fn equip(&mut self, device: DevId, handler: &str, vdisk: Vdisk, given: &Given) {
        if let Some(device) = self.scst.devices.get_mut(&device) {
            device.read_only = given.read_only || vdisk.kind == VdiskKind::Cdrom;
            device.cluster_mode = given.cluster_mode;
            device.numa_node_id = given.numa_node_id.unwrap_or(-1);
            device.threads_num = threads_num(handler);
            device.vdisk = Some(vdisk);
        }
    }

    /// Examines the backing, makes the links and the copy manager's LUN. An errno leaves the device to be forgotten.
    fn attach_to_handler(&mut self, device: DevId, handler: &str) -> Result<Claim, Errno> {
        self.check_protection(device)?;
        self.reexamine(device)?;
        let name = self.scst.devices.get(&device).map(|d| d.name.clone()).unwrap_or_default();
        let attributes = self.handler_attributes(handler);
        if let Some((attr, _)) = attributes.iter().find(|(attr, _)| attr.as_bytes() == name) {
            // The link cannot be made, and undoing it removes the attribute of that name instead.
            if let Some(handler) = self.scst.handlers.iter_mut().find(|h| h.name == handler) {
                handler.lost.push(attr);
            }
            return if *attr == "mgmt" { Ok(Claim::Deadlocked(device)) } else { Err(Errno::EEXIST) };
        }
        if let Some(device) = self.scst.devices.get_mut(&device) {
            device.linked = true;
        }
        self.export_to_copy_manager(device)?;
        Ok(Claim::Done)
    }

    /// Protection information needs a type and a mode, stored tags need their file, and `o_direct` needs `async`.
    fn check_protection(&self, device: DevId) -> Result<(), Errno> {
        let Some(vdisk) = self.scst.devices.get(&device).and_then(|d| d.vdisk.as_ref()) else { return Ok(()) };
        let dif = &vdisk.dif;
        let (typed, used) = (dif.kind != 0, !dif.modes.is_empty());
        if typed != used || dif.kind > 3 || (!typed && dif.file_name.is_some()) || (vdisk.o_direct && !vdisk.async_io) {
            return Err(Errno::EINVAL);
        }
        // No disk of this host checks protection information.
        if dif.modes.contains(&"dev_check") {
            return Err(Errno::EINVAL);
        }
        let stores = dif.modes.contains(&"dev_store");
        match &dif.file_name {
            Some(path) => drop(self.host.file(path)?),
            None if stores => return Err(Errno::ENOENT),
            None => {}
        }
        // A file with the tags of each block is not modelled.
        if stores { Err(Errno::ENOTSUP) } else { Ok(()) }
    }
}

pub(super) const DISK_TYPE: &str = "0 - Direct-access device (e.g., magnetic disk)\n";
pub(super) const CDROM_TYPE: &str = "5 - CD-ROM device\n";
