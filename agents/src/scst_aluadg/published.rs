//! The type [`Published`]: what this node knows of the cluster between two actions, and what it has published of its
//! devices. It is kept in a file beside the state file, so that no action asks the cluster for it a second time.
//!
//! A line per fact after one with the boot in which they were written: the cluster forgets with a reboot what it was told.

use std::collections::BTreeSet;
use std::path::PathBuf;

use scst_core::scst::host_id::ClusterId;
use scst_core::scst::names::GroupName;

use crate::host::Host;

/// What is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Published {
    /// The cluster, by its name.
    pub(super) cluster: Option<ClusterId>,
    /// What the others were told; `None`: nothing that is known to be there.
    pub(super) devices: Option<String>,
    /// The other nodes on which hosts had registered when they last told of their devices.
    pub(super) registered: BTreeSet<String>,
}

impl Published {
    /// What is known of a group; nothing where there is no such file.
    pub(super) fn read(host: &Host<'_>, group: &GroupName) -> Self {
        let system = &host.context.system;
        let text = system.read_file(&path(host, group)).unwrap_or_default();
        Self::parse(&text, &system.boot())
    }

    fn parse(text: &str, boot: &str) -> Self {
        let of = |word: &str| text.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(' '));
        let devices = of("devices").filter(|_| of("boot") == Some(boot));
        let registered = text.lines().filter_map(|line| line.strip_prefix("registered ").map(str::to_owned));
        Self {
            cluster: of("cluster").and_then(ClusterId::parse),
            devices: devices.map(str::to_owned),
            registered: registered.collect(),
        }
    }

    fn text(&self, boot: &str) -> String {
        let cluster = self.cluster.iter().map(|cluster| format!("cluster {cluster}\n"));
        let devices = self.devices.iter().map(|devices| format!("devices {devices}\n"));
        let registered = self.registered.iter().map(|node| format!("registered {node}\n"));
        std::iter::once(format!("boot {boot}\n")).chain(cluster).chain(devices).chain(registered).collect()
    }

    /// Keeps it. That this fails costs a question to the cluster later.
    pub(super) fn write(&self, host: &Host<'_>, group: &GroupName) {
        if host.dry_run() || Self::read(host, group) == *self {
            return;
        }
        let path = path(host, group);
        if let Err(error) = host.context.system.replace_file(&path, &self.text(&host.context.system.boot())) {
            tracing::warn!("{} could not be written: {error}", path.display());
        }
    }

    /// Forgets it.
    pub(super) fn remove(host: &Host<'_>, group: &GroupName) {
        let path = path(host, group);
        match host.context.system.remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!("{} could not be removed: {error}", path.display());
            }
            _ => {}
        }
    }
}

fn path(host: &Host<'_>, group: &GroupName) -> PathBuf {
    host.context.env.rsctmp().join(format!("scst_aluadg-{group}.published"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_counts_in_the_boot_in_which_it_was_told() {
        let kept = Published {
            cluster: Some(ClusterId::new("one", None)),
            devices: Some("1;a=1:512:eui.00:7f".to_owned()),
            registered: ["beta".to_owned()].into(),
        };
        assert_eq!(Published::parse(&kept.text("now"), "now"), kept);
        assert_eq!(Published::parse(&kept.text("old"), "now"), Published { devices: None, ..kept });
        for text in ["", "rubbish", "cluster x\n", "cluster"] {
            assert_eq!(Published::parse(text, "now"), Published::default(), "{text:?}");
        }
    }
}
