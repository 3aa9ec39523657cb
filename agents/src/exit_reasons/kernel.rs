//! Reasons that the kernel gave by refusing a command.

use super::row::{Chapter, Reason, row};

/// The chapter.
pub(super) const CHAPTER: Chapter = Chapter {
    title: "A command that the kernel refused",
    opening: "The object stands first, then what failed, then what the kernel said: `port 21:00:00:24:ff:60:d0:10: enable failed: EBUSY writing \"1\" to
/sys/kernel/scst_tgt/…`.",
    reasons: &REASONS,
};

const REASONS: [Reason; 8] = [
    row(
        "port …: … failed: …",
        "1, 4",
        "*enable*: EBADSLT, its number is taken by another enabled port; EINVAL or no answer, the HBA's firmware or link: `dmesg`. *set relative target id*: EBADSLT as before. *disable*: the HBA does not answer",
    ),
    row(
        "initiator group … of port …: … failed: …",
        "1, 4",
        "*delete*, EBUSY: a host is still logged in, who is named behind. Take it off the fabric, or wait; the agent has closed its sessions already. *add initiator*, *set I/O group*: after 90 s EBUSY, a command in flight does not end",
    ),
    row(
        "port … in target group … of device group …: … failed: …",
        "1, 4",
        "The number of a peer's port: `targetports` of that node, or a local target of the same name",
    ),
    row(
        "device …: … failed: …",
        "1, 4",
        "*open*: the store of a device that was added to a group in service cannot be opened: EBUSY, in use by something else; ENOENT, it vanished; EROFS, a DRBD secondary. *add*: EBUSY, the disk is in use by something else (mount, LVM, RAID, another device); ENOENT, it vanished; ENOTBLK, a file with `vdisk_blockio`; EEXIST, a device of that name or serial number is there; EINVAL, see `dmesg`. *delete*: a command in flight. *set …*: the value is not possible for this device",
    ),
    row(
        "… persistent reservations damaged in … and …",
        "1",
        "SCST can read neither of the two files in which it keeps the reservations of this device, and refuses the device until one is right or both are gone. Restore one of them from a backup, or delete both (`rm`): then the hosts' registrations and reservations of this disk are forgotten, and cluster software on the hosts has to register again. Clean up",
    ),
    row("device group …: … failed: …", "1, 4", "Memory, or a group of that name made by others"),
    row(
        "target group … of device group …: … failed: …",
        "1, 4",
        "*add port*, EEXIST: the port is in another target group of this device group already. *set state*: `dmesg`",
    ),
    row(
        "LUN … of …: … failed: …",
        "1, 4",
        "*map*, EEXIST: the LUN is in use; EBUSY or ENOENT: with hosts logged in the disk is opened, and cannot be. *unmap*, no answer: a command in flight does not end",
    ),
];
