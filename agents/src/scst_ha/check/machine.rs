//! The machine: modules, services that are in the way, ports, places of state.

use scst_core::observe::fc_hosts::FcHost;
use scst_core::scst::names::Driver;

use super::iscsi;
use super::view::View;
use crate::scst_ha::cib::{Finding, Level};

/// The modules that every node needs.
const MODULES: [&str; 3] = ["scst", "scst_vdisk", "scst_disk"];

/// Everything about the machine.
pub(super) fn findings(view: &View<'_>) -> Vec<Finding> {
    let mut found = modules(view);
    found.extend(services(view));
    found.extend(adapter(view));
    found.extend(ports(view));
    if drivers(view).contains(&Driver::Iscsi) {
        found.extend(iscsi::findings(view));
    }
    found.extend(places(view));
    found
}

/// The drivers that the configuration uses; without a cluster those that have ports.
fn drivers(view: &View<'_>) -> Vec<Driver> {
    let configured = view.cib.iter().flat_map(|cib| &cib.configuration.resources);
    let of_groups = configured.filter_map(|resource| Driver::parse(resource.params.get("tgtdriver")?).ok());
    let of_ports = view.status.ports.iter().filter_map(|port| Driver::parse(port.driver).ok());
    let mut drivers: Vec<Driver> = of_groups.chain(of_ports).collect();
    drivers.sort_unstable();
    drivers.dedup();
    drivers
}

/// SCST's modules for each kernel that is installed: a node that boots another one serves nothing.
fn modules(view: &View<'_>) -> Vec<Finding> {
    let about = "modules";
    let mut found = vec![match &view.status.scst {
        Some(version) => Finding::fine("SCST", format!("is loaded, {version}")),
        None => Finding::attention("SCST", "is not loaded", "the agents load it; modprobe qla2x00tgt loads it now"),
    }];
    let kernels = view.places.names("lib/modules");
    if kernels.is_empty() {
        found.push(Finding::unknown(about, "no kernel is installed below /lib/modules"));
    }
    let running = view.places.text("proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned();
    for kernel in kernels {
        let Some(list) = view.places.text(&format!("lib/modules/{kernel}/modules.dep")) else {
            found.push(Finding::new(
                Level::Unknown,
                about,
                format!("kernel {kernel} has no list of modules"),
                "depmod -a",
            ));
            continue;
        };
        let has = |module: &str| {
            let file = |line: &str| line.split(':').next().and_then(|path| path.rsplit('/').next()).map(str::to_owned);
            list.lines().filter_map(file).any(|name| {
                name.split('.').next().is_some_and(|name| name.replace('-', "_") == module.replace('-', "_"))
            })
        };
        let wanted = MODULES.into_iter().chain(drivers(view).into_iter().map(Driver::module));
        let missing: Vec<&str> = wanted.filter(|module| !has(module)).collect();
        let this = if kernel == running { " (running)" } else { "" };
        found.push(if missing.is_empty() {
            Finding::fine(about, format!("kernel {kernel}{this} has SCST's modules"))
        } else {
            let level = if kernel == running { Level::Wrong } else { Level::Attention };
            let text = format!("kernel {kernel}{this} lacks {}", missing.join(", "));
            Finding::new(level, about, text, "build SCST for it before this node boots it")
        });
    }
    found
}

/// What would configure the same targets beside the cluster.
fn services(view: &View<'_>) -> Vec<Finding> {
    let about = "scst.service";
    let wants = [
        "etc/systemd/system/multi-user.target.wants/scst.service",
        "etc/systemd/system/basic.target.wants/scst.service",
    ];
    let enabled = wants.into_iter().any(|path| view.places.exists(path));
    let mut found = vec![if enabled {
        Finding::wrong(
            about,
            "starts at boot and configures what the cluster configures",
            "systemctl disable --now scst.service",
        )
    } else {
        Finding::fine(about, "is not enabled")
    }];
    let conf = view
        .places
        .text("etc/scst.conf")
        .is_some_and(|text| text.lines().any(|line| !line.trim().is_empty() && !line.trim().starts_with('#')));
    found.push(if conf {
        let cure = "scst-ha import --scst-conf /etc/scst.conf makes a configuration of the cluster of it; then move the file away";
        Finding::attention("/etc/scst.conf", "has content, which scstadmin would configure", cure)
    } else {
        Finding::fine("/etc/scst.conf", "configures nothing")
    });
    found
}

/// The `QLogic` driver of the kernel, which would hold the ports as initiators.
fn adapter(view: &View<'_>) -> Vec<Finding> {
    if !drivers(view).contains(&Driver::Qla2x00t) {
        return vec![Finding::unknown("qla2xxx", "no port of qla2x00t is here or configured")];
    }
    let listed = view
        .places
        .lines("etc/modprobe.d", ".conf")
        .iter()
        .any(|line| line.split_whitespace().collect::<Vec<_>>() == ["blacklist", "qla2xxx"]);
    let mut found = vec![if listed {
        Finding::fine("qla2xxx", "is blacklisted")
    } else {
        Finding::attention(
            "qla2xxx",
            "is not blacklisted: the kernel's own driver may take the adapter",
            "echo 'blacklist qla2xxx' >> /etc/modprobe.d/scst.conf, then make the initramfs anew",
        )
    }];
    match view.node.observer().qlini_mode() {
        Ok(Some(mode)) if mode == "disabled" => found.push(Finding::fine("qlini_mode", "is disabled")),
        Ok(Some(mode)) => {
            let text = format!("is {mode}: ports may log in as initiators");
            found.push(Finding::attention(
                "qlini_mode",
                text,
                "options qla2xxx_scst qlini_mode=disabled, in /etc/modprobe.d/scst.conf",
            ));
        }
        Ok(None) => found.push(Finding::unknown("qlini_mode", "no driver of the adapter is loaded")),
        Err(error) => found.push(Finding::unknown("qlini_mode", error)),
    }
    found
}

/// Ports of the list: enabled, with a link, with hosts.
fn ports(view: &View<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for port in view.status.ports.iter().filter(|port| port.listed != Some(false)) {
        let about = format!("port {}", port.name);
        let link = port.fc_host.as_ref().map(FcHost::link).unwrap_or_default();
        if port.fc_host.as_ref().is_some_and(|host| host.state.as_deref() != Some("Online")) {
            found.push(Finding::wrong(&about, format!("has no link ({link})"), "cable, switch port, zone"));
        } else if port.enabled && port.sessions.is_empty() {
            found.push(Finding::attention(&about, "no host is logged in", "zones; the host's adapter"));
        } else if port.enabled {
            found.push(Finding::fine(&about, format!("is up, {} sessions", port.sessions.len())));
        } else {
            found.push(Finding::unknown(&about, "is not enabled"));
        }
    }
    found
}

/// Where the agents and SCST keep state.
fn places(view: &View<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let reservations = view.node.var_lib().join("pr");
    found.push(if crate::scst_ha::files::is_directory(&reservations) {
        Finding::fine("persistent reservations", format!("{} is there", reservations.display()))
    } else {
        let text = format!("{} is missing: SCST refuses every device", reservations.display());
        Finding::attention(
            "persistent reservations",
            text,
            format!("a start makes it; mkdir -p {}", reservations.display()),
        )
    });
    let state = view.node.rsctmp();
    found.push(if crate::scst_ha::files::is_directory(&state) {
        Finding::fine("state files", format!("{} is there", state.display()))
    } else {
        Finding::unknown("state files", format!("{} is not there yet: nothing has started", state.display()))
    });
    found
}
