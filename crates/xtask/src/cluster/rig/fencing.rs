//! Fencing: an agent that Pacemaker's fencer runs in a node, and the rig's side of it, which cuts the power.

use std::fs;
use std::path::{Path, PathBuf};

use super::RIG;

/// The agent, by the fence agents' interface: options on standard input, meta-data on demand. It leaves a note in the rig's
/// directory and waits until the note is gone.
pub(crate) const FENCE_AGENT: &str = r#"#!/bin/sh
# Cuts the power of a node of the rig.
action=reboot
port=
while IFS='=' read -r name value; do
    case $name in
        action) action=$value ;;
        port | nodename) port=$value ;;
    esac
done
rig=/run/rig
case $action in
    metadata)
        cat <<'END'
<?xml version="1.0"?>
<resource-agent name="fence_rig" shortdesc="Power of the nodes of a rig">
<longdesc>Cuts the power of a node of the rig.</longdesc>
<parameters>
<parameter name="action" required="0"><content type="string" default="reboot"/><shortdesc lang="en">What to do</shortdesc></parameter>
<parameter name="port" required="0"><content type="string"/><shortdesc lang="en">The node</shortdesc></parameter>
</parameters>
<actions>
<action name="on"/><action name="off"/><action name="reboot"/><action name="status"/><action name="list"/>
<action name="monitor"/><action name="metadata"/>
</actions>
</resource-agent>
END
        ;;
    list) ls "$rig/nodes" ;;
    status) [ -e "$rig/nodes/$port/power" ] || exit 2 ;;
    off | reboot)
        echo "$action $(hostname)" >"$rig/fence/.$port" && mv "$rig/fence/.$port" "$rig/fence/$port"
        left=400
        while [ -e "$rig/fence/$port" ]; do
            [ $left -gt 0 ] || exit 1
            left=$((left - 1))
            sleep 0.05
        done
        ;;
esac
exit 0
"#;

/// The rig's side: notes that agents have left.
#[derive(Debug)]
pub(crate) struct Fencer(PathBuf);

/// A wish of the fencer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    /// The node to switch off.
    pub(crate) node: String,
    /// Whether to switch it on again.
    pub(crate) boot: bool,
    /// The node whose fencer asks.
    pub(crate) asked_by: String,
}

impl Fencer {
    pub(crate) fn new() -> Self {
        Self(Path::new(RIG).join("fence"))
    }

    /// The wishes there are.
    pub(crate) fn wishes(&self) -> Vec<Wish> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names
            .filter(|name| !name.starts_with('.'))
            .map(|node| {
                let text = fs::read_to_string(self.0.join(&node)).unwrap_or_default();
                let (action, asked_by) = text.trim().split_once(' ').unwrap_or_default();
                Wish { node, boot: action == "reboot", asked_by: asked_by.to_owned() }
            })
            .collect()
    }

    /// Takes the note away, which tells the agent that its wish has been fulfilled.
    pub(crate) fn done(&self, wish: &Wish) {
        // The agent reports a time-out if the note stays.
        let _ = fs::remove_file(self.0.join(&wish.node));
    }
}
