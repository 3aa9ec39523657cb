//! Devices: coming, going, and SCSI disks of the host (`scst_main.c`).

use super::Errno;
use super::command::{Outcome, Rest};
use super::machine::Machine;
use super::state::{DevId, Device, Name};
use super::tree::{Entry, Node};
use super::words::{Words, same_word};

/// Commands one initiator may have queued at a device with a handler.
pub(super) const MAX_COMMANDS: i32 = 64;

/// The directory with a file per device that has persistent reservations.
pub(super) const PR_DIR: &str = "/var/lib/scst/pr";

impl Machine {
    /// Makes the directory of a device, not attached to its handler yet. EEXIST for a name that is taken, EINVAL where the
    /// files of its reservations are damaged.
    pub(super) fn create_device(&mut self, name: &[u8], handler: Option<&'static str>) -> Result<DevId, Errno> {
        if self.scst.device_names.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        let id = DevId(self.new_id());
        let device = Device {
            name: name.to_vec(),
            handler,
            numa_node_id: -1,
            max_tgt_dev_commands: if handler.is_some() { MAX_COMMANDS } else { 0 },
            ..Device::default()
        };
        self.scst.devices.insert(id, device);
        self.scst.device_names.insert(name.to_vec(), id);
        if let Err(errno) = self.load_reservations(id) {
            self.forget_device(id);
            return Err(errno);
        }
        Ok(id)
    }

    /// Takes a device out of everything, waits for its commands, then removes it.
    pub(super) fn remove_device(&mut self, id: DevId) -> Outcome {
        self.leave_group(id);
        if let Some(device) = self.scst.devices.get_mut(&id) {
            device.leaving = true;
        }
        let exports: Vec<_> =
            self.scst.devices.get(&id).map(|d| d.exports.values().copied().collect()).unwrap_or_default();
        let (mut commands, mut devices) = (Vec::new(), Vec::new());
        for (acg, number) in exports {
            if let Some(removed) = self.remove_lun(acg, number) {
                commands.extend(removed.commands);
                devices.extend(removed.devices);
            }
        }
        // Those of a LUN that was removed before, and still waits for them, count as well.
        commands.extend(self.io_of_device(id));
        Outcome::Drain(commands, Rest::Device(id, devices))
    }

    /// Removes a device that nothing uses any more.
    pub(super) fn forget_device(&mut self, id: DevId) {
        if let Some(device) = self.scst.devices.remove(&id) {
            self.scst.device_names.remove(&device.name);
        }
    }

    /// A handler lists the device.
    pub(super) fn is_listed_by(&self, handler: &str, device: DevId) -> bool {
        self.scst.devices.get(&device).is_some_and(|d| d.linked && d.handler == Some(handler))
    }

    pub(super) fn device_entries(&self, id: DevId) -> Vec<(Name, Entry)> {
        let Some(device) = self.scst.devices.get(&id) else { return Vec::new() };
        let mut all = vec![(b"exported".to_vec(), Entry::Dir(Node::Exported(id)))];
        if let Some(handler) = device.handler.filter(|_| device.linked) {
            all.push((b"handler".to_vec(), self.link(&Node::Device(id), &Node::Handler(handler))));
        }
        if device.vdisk.is_none() && is_scsi_address(&device.name) {
            // The host's SCSI device, which is not part of this tree.
            let target = [b"../../../../class/scsi_device/", &device.name[..], b"/device"].concat();
            all.push((b"scsi_device".to_vec(), Entry::Link(target)));
        }
        all
    }

    // ---- SCSI disks of the host ----------------------------------------------------------

    /// A SCSI disk appears in the host, named `H:C:I:L`.
    pub fn plug_scsi_disk(&mut self, name: &str) {
        if !self.scsi_disks.contains(&name.as_bytes().to_vec()) {
            self.scsi_disks.push(name.as_bytes().to_vec());
        }
        self.list_scsi_disks();
    }

    /// A SCSI disk disappears from the host, with its LUNs.
    pub fn unplug_scsi_disk(&mut self, name: &str) {
        self.scsi_disks.retain(|disk| disk != name.as_bytes());
        if let Some(id) = self.scst.device_names.get(name.as_bytes()).copied() {
            let outcome = self.remove_device(id);
            self.in_background(outcome);
        }
    }

    /// Every SCSI disk of the host is a device, with or without a handler.
    pub(super) fn list_scsi_disks(&mut self) {
        if self.scst.loaded {
            for name in self.scsi_disks.clone() {
                // One that is there already stays as it is.
                let _listed = self.create_device(&name, None);
            }
        }
    }

    /// A write to the `mgmt` of a handler for SCSI disks.
    pub(super) fn pass_through_command(&mut self, handler: &'static str, text: &[u8]) -> Result<(), Errno> {
        let mut words = Words::new(text);
        let (verb, address) = (words.word(), words.word());
        if address.is_empty() || !words.word().is_empty() {
            return Err(Errno::EINVAL);
        }
        let address = scsi_address(address).ok_or(Errno::EINVAL)?;
        let device = self.scst.device_named(&address).ok_or(Errno::EINVAL)?;
        let device = self.scst.devices.get_mut(&device).filter(|d| d.vdisk.is_none()).ok_or(Errno::EINVAL)?;
        if same_word(verb, "add_device") {
            if device.handler != Some(handler) {
                device.handler = Some(handler);
                device.linked = true;
                device.max_tgt_dev_commands = MAX_COMMANDS;
                device.threads_num = super::handler::threads_num(handler);
            }
        } else if same_word(verb, "del_device") && device.handler == Some(handler) {
            device.handler = None;
            device.linked = false;
            device.max_tgt_dev_commands = 0;
        } else {
            return Err(Errno::EINVAL);
        }
        Ok(())
    }
}

/// The address in front of a text, in its plain spelling.
fn scsi_address(text: &[u8]) -> Option<Name> {
    let text = std::str::from_utf8(text).ok()?;
    let mut parts = Vec::new();
    for part in text.splitn(4, ':') {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let last = parts.len() == 3;
        if digits == 0 || (!last && digits != part.len()) {
            return None;
        }
        parts.push(part[..digits].parse::<u64>().ok()?.to_string());
    }
    (parts.len() == 4).then(|| parts.join(":").into_bytes())
}

fn is_scsi_address(name: &[u8]) -> bool {
    scsi_address(name).is_some_and(|address| address == name)
}
