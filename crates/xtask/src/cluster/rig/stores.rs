//! What stands below the devices: stand-ins for the resource agents of DRBD, ZFS and LVM, which change a store of the node's simulated SCST.
//!
//! They have the names and parameters of those that they stand for, so that the configurations of our documents can be played as they are. A store is in
//! use on one node at a time: they refuse it while another node with power has it, and refuse to take it from a device that is open.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The provider and name of each.
pub(super) const NAMES: [&str; 3] = ["linbit/drbd", "heartbeat/ZFS", "heartbeat/LVM-activate"];

/// The device of the DRBD resource r10.
pub(crate) const DRBD: &str = "/run/drbd10";
/// The volume of the pool tank.
pub(crate) const ZVOL: &str = "/run/zvol-tank";
/// The volume of the volume group hosts.
pub(crate) const VOLUME: &str = "/run/lv-hosts";

/// The simulated stores in the simulator's words: DRBD a secondary, the volumes not there.
pub(crate) fn scenario() -> String {
    [
        block_device(DRBD, "147:10", 1_048_576, "drbd = \"secondary\""),
        block_device(ZVOL, "230:0", 2_097_152, "present = false"),
        block_device(VOLUME, "254:0", 4_194_304, "present = false"),
    ]
    .concat()
}

/// A block device of the simulator, of so many bytes, with what it is besides.
pub(crate) fn block_device(path: &str, number: &str, size: u64, besides: &str) -> String {
    format!(
        "\n[[file]]\npath = \"{path}\"\nkind = \"block\"\nnumber = \"{number}\"\nmknod = true\nsize = {size}\n{besides}\n"
    )
}

/// The agent. Where it is promotable its promotion brings the store, else its start does.
const AGENT: &str = r#"#!/bin/sh
# Stands for an agent of a store below SCST.
name=${0##*/}
case $name in
    drbd) path=/run/drbd${OCF_RESKEY_drbd_resource#r} up=drbd=primary down=drbd=secondary ;;
    ZFS) path=/run/zvol-$OCF_RESKEY_pool up=present=true down=present=false ;;
    LVM-activate) path=/run/lv-$OCF_RESKEY_vgname up=present=true down=present=false ;;
esac
started=/run/stand-in-$name
nodes=/run/rig/nodes
mine=/run/in-use-$name
why() { echo "ocf-exit-reason:$*" >&2; exit 1; }
score() { crm_attribute -N "$OCF_RESKEY_CRM_meta_on_node" -l reboot -n "master-$OCF_RESOURCE_INSTANCE" "$@"; }
bring() {
    for other in "$nodes"/*; do
        [ "${other##*/}" = "$(hostname)" ] || ! [ -e "$other/power" ] || ! [ -e "$other$mine" ] || why "$path is in use on ${other##*/}"
    done
    echo "store $path $up" >/sys/.sim/ctl || why "$path: $up refused"
    : >"$mine"
}
take() {
    [ -e "$mine" ] || return 0
    for device in /sys/kernel/scst_tgt/devices/*; do
        [ "$(head -n 1 "$device/filename" 2>/dev/null)" != "$path" ] || [ "$(head -n 1 "$device/active")" = 0 ] || why "$path is open"
    done
    echo "store $path $down" >/sys/.sim/ctl || why "$path: $down refused"
    rm -f "$mine"
}
promotable=${OCF_RESKEY_CRM_meta_promoted_max:-0}
case $1 in
    meta-data)
        cat <<END
<?xml version="1.0"?>
<resource-agent name="$name" version="1">
<version>1.1</version>
<longdesc lang="en">Stands for an agent of a store below SCST.</longdesc>
<shortdesc lang="en">Stand-in</shortdesc>
<parameters>
<parameter name="drbd_resource"><longdesc lang="en">r and a number</longdesc><shortdesc lang="en">resource</shortdesc><content type="string"/></parameter>
<parameter name="pool"><longdesc lang="en">pool</longdesc><shortdesc lang="en">pool</shortdesc><content type="string"/></parameter>
<parameter name="vgname"><longdesc lang="en">group</longdesc><shortdesc lang="en">group</shortdesc><content type="string"/></parameter>
<parameter name="vg_access_mode"><longdesc lang="en">mode</longdesc><shortdesc lang="en">mode</shortdesc><content type="string"/></parameter>
</parameters>
<actions>
<action name="start" timeout="20s"/><action name="stop" timeout="20s"/><action name="promote" timeout="20s"/>
<action name="demote" timeout="20s"/><action name="notify" timeout="20s"/><action name="meta-data" timeout="5s"/>
<action name="monitor" timeout="20s" interval="10s" role="Promoted"/><action name="monitor" timeout="20s" interval="11s" role="Unpromoted"/>
</actions>
</resource-agent>
END
        ;;
    start)
        : >"$started"
        if [ "$promotable" = 0 ]; then bring; else score -v 10; fi
        ;;
    promote) bring ;;
    demote) take ;;
    stop)
        take
        rm -f "$started"
        [ "$promotable" = 0 ] || score -D
        ;;
    monitor)
        [ -e "$started" ] || exit 7
        [ "$promotable" = 0 ] || ! [ -e "$mine" ] || exit 8
        ;;
    notify) ;;
    *) exit 3 ;;
esac
exit 0
"#;

/// Puts the agents below `resource.d`, in the place of those that may be there.
pub(super) fn install(resource_d: &Path) -> std::io::Result<()> {
    for name in NAMES {
        let place = resource_d.join(name);
        if let Some(provider) = place.parent() {
            fs::create_dir_all(provider)?;
        }
        let _ = fs::remove_file(&place);
        fs::write(&place, AGENT)?;
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}
