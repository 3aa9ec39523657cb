//! The parameter `reservations`: whether the nodes share the persistent reservations of hosts, and which devices can.

use scst_core::ocf::env::Env;
use scst_core::ocf::param::{Effect, Finding, Parameter};
use scst_core::scst::dlm;

use super::device::DeviceParams;

/// Who knows the persistent reservations of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Reservations {
    /// The node they were made on.
    #[default]
    Local,
    /// All nodes.
    Shared,
}

impl Reservations {
    /// The parameter as the meta-data describes it.
    pub(super) const PARAMETER: Parameter = Parameter {
        name: "reservations",
        reloadable: true,
        default: Some("local"),
        shortdesc: "Who knows the persistent reservations of hosts: local or shared",
        longdesc: "\
What becomes of SCSI-3 persistent reservations (Windows failover clusters, fence_scsi, fence_mpath, clustered VMDKs) when another node \
is promoted. local: every node has its own, and a failover loses them. shared: all nodes have the same, kept by DLM, the cluster's lock \
manager. dlm_controld must run on every node before the group starts and as long as it runs (order and colocation with its clone), and \
fencing must be on, because DLM waits for a lost node until it is fenced. If no lock manager runs, the start fails on that node (exit \
code 5). Give all nodes the same value. A change takes effect when the resource is restarted, on all nodes at once; until then the log \
names the devices. PREEMPT AND ABORT ends only commands on the node to which it was sent.",
        ..Parameter::TEXT
    };

    /// Reads the parameter; what is neither of the two values is found fault with.
    pub(super) fn parse(env: &Env, findings: &mut Vec<Finding>) -> Self {
        let Some(text) = env.param(Self::PARAMETER.name).map(str::trim) else { return Self::Local };
        match text.to_ascii_lowercase().as_str() {
            "local" => Self::Local,
            "shared" => Self::Shared,
            // Believing the weaker of the two could lose what a host relies on.
            _ => {
                findings.push(Finding::error(Self::PARAMETER.name, "neither local nor shared").value(text));
                Self::Local
            }
        }
    }

    /// Whether the configuration shares them, where no findings are wanted: a parameter that cannot be read counts as
    /// not set.
    pub(super) fn are_shared(env: &Env) -> bool {
        Self::parse(env, &mut Vec::new()) == Self::Shared
    }
}

/// Leaves out a device that no lockspace can be named after.
pub(super) fn refuse_unnamable(devices: &mut Vec<DeviceParams>, findings: &mut Vec<Finding>) {
    devices.retain(|device| {
        let Some(t10) = device.t10devid.as_ref().filter(|_| device.shared) else { return true };
        let right = t10.is_plain() && t10.as_str().len() <= dlm::LONGEST_T10;
        if !right {
            let reason = "no lockspace can be named after it: with reservations=shared only letters, digits, - and _";
            let finding = match device.index {
                0 => Finding::error(&device.parameter(), reason),
                _ => Finding::warning(&device.parameter(), format_args!("{reason}, device left out"))
                    .effect(Effect::LeftOut),
            };
            findings.push(finding.at("t10devid").value(t10.as_str()));
        }
        right || device.index == 0
    });
}
