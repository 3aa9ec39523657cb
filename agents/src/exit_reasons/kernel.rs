//! Reasons that the kernel gave by refusing a command.

use super::row::{Chapter, Reason, row};

/// The chapter.
pub(super) const CHAPTER: Chapter = Chapter {
    title: "A command that the kernel refused",
    opening: "A reason names the object, then what failed, then what the kernel answered: `port 21:00:00:24:ff:60:d0:10: enable failed: EBUSY writing \"1\" to
/sys/kernel/scst_tgt/…`.",
    reasons: &REASONS,
};

const REASONS: [Reason; 8] = [
    row(
        "port …: … failed: …",
        "1, 4",
        "*enable*: EBADSLT, another enabled port has its number; EINVAL or no answer, the HBA's firmware or link, see `dmesg`. *set relative target id*: EBADSLT as for enable. *disable*: the HBA does not answer",
    ),
    row(
        "initiator group … of port …: … failed: …",
        "1, 4",
        "*delete*, EBUSY: a host, which is named at the end, is still logged in. Take it off the fabric, or wait; the agent has already closed its sessions. *add initiator*, *set I/O group*, EBUSY after 90 s: a command in flight does not end",
    ),
    row(
        "port … in target group … of device group …: … failed: …",
        "1, 4",
        "The kernel refused the number of a peer's port. Check `targetports` of that node, and whether a local target has the same name",
    ),
    row(
        "device …: … failed: …",
        "1, 4",
        "*open*, the store of a device that was added to a group in service: EBUSY, another program uses it; ENOENT, it vanished; EROFS, a DRBD secondary. *add*: EBUSY, something else uses the disk (mount, LVM, RAID, another device); ENOENT, it vanished; ENOTBLK, a file with `vdisk_blockio`; EEXIST, a device of that name or serial number exists; EINVAL, see `dmesg`. *delete*: a command is in flight. *set …*: the value is not possible for this device",
    ),
    row(
        "… persistent reservations damaged in … and …",
        "1",
        "SCST can read neither of the two files in which it keeps the reservations of this device, and refuses the device until one is valid or both are deleted. Restore one of them from a backup, or delete both (`rm`): then the hosts' registrations and reservations of this disk are lost, and cluster software on the hosts has to register again. Clean up",
    ),
    row("device group …: … failed: …", "1, 4", "There is no memory, or others made a group of that name"),
    row(
        "target group … of device group …: … failed: …",
        "1, 4",
        "*add port*, EEXIST: the port is already in another target group of this device group. *set state*: see `dmesg`",
    ),
    row(
        "LUN … of …: … failed: …",
        "1, 4",
        "*map*, EEXIST: the LUN is in use; EBUSY or ENOENT: hosts are logged in, so the kernel opens the disk, and cannot. *unmap*, no answer: a command in flight does not end",
    ),
];
