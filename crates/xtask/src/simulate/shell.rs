//! A node that still runs the shell agent: the same names and numbers, and its known faults.
//!
//! Peers are `unavailable` at start, whatever they do; a demotion changes the state without a drain; after a start every node that may
//! run is published as `standby`; a promotion puts nobody right, and nothing repairs a lost notification. Its devices are open from
//! the start on, and its state file is empty.

use std::path::Path;

use scst_core::ocf::action::Action;
use scst_core::ocf::exit::{Answer, ExitCode, Failure};
use scst_core::ocf::param::AgentTable;
use scst_core::ocf::run::{Agent, Context};
use scst_core::sysfs::Sysfs;

use super::world::{NODES, PORTS, port};

/// The shell agent of a device group.
pub(super) struct Shell;

/// One call of it.
struct Call<'c> {
    context: &'c Context,
    sysfs: Sysfs,
    group: &'c str,
    node: usize,
}

impl Agent for Shell {
    fn metadata(&self) -> &'static AgentTable {
        agents::scst_aluadg::Aluadg.metadata()
    }

    fn run(&self, action: Action, context: &Context) -> Result<Answer, Failure> {
        let sysfs = Sysfs::new(context.system.clone(), "/sys/kernel/scst_tgt");
        let local = context.env.node_name().unwrap_or_default();
        let node = NODES.iter().position(|name| *name == local).unwrap_or_default();
        let call = Call { context, sysfs, group: context.env.param("groupname").unwrap_or_default(), node };
        let there = call.state(node).is_some();
        match action {
            Action::Start if !there => call.start(),
            Action::Promote => {
                call.set(node, "active");
                call.score(Some("10"));
            }
            Action::Demote if there => {
                call.set(node, "transitioning");
                call.set(node, "standby");
                call.score(Some("5"));
            }
            Action::Stop if there => call.stop(),
            Action::Notify => call.notify(),
            Action::Monitor => {
                let code = match call.state(node).as_deref() {
                    Some("active") => ExitCode::Promoted,
                    Some(_) => ExitCode::Success,
                    None => return Err(Failure::not_running("no device group")),
                };
                return Ok(code.into());
            }
            _ => {}
        }
        Ok(ExitCode::Success.into())
    }
}

impl Call<'_> {
    fn write(&self, path: &str, value: &str) {
        // It looks at no answer.
        let _ = self.sysfs.write(path, value, &self.context.deadline);
    }

    fn state(&self, node: usize) -> Option<String> {
        let path = format!("device_groups/{}/target_groups/{}/state", self.group, NODES[node]);
        self.sysfs.optional_value(&path, &self.context.deadline).ok().flatten()
    }

    fn set(&self, node: usize, state: &str) {
        self.write(&format!("device_groups/{}/target_groups/{}/state", self.group, NODES[node]), state);
    }

    /// The nodes that a list of the transition names.
    fn listed(&self, list: &str) -> Vec<usize> {
        let names = self.context.env.meta(&format!("notify_{list}_uname")).unwrap_or_default();
        names.split_whitespace().filter_map(|name| NODES.iter().position(|other| *other == name)).collect()
    }

    /// The names of the devices, where each is added, with what, and its LUN.
    fn devices(&self) -> Vec<(String, String, String, String)> {
        let devices = self.context.env.params().filter(|(name, _)| name.starts_with("device"));
        let device = |text: &str| {
            let value = |key: &str| text.split(',').find_map(|pair| pair.strip_prefix(key)).map(str::to_owned);
            let name = format!("{}_{}", self.group, value("virtname=")?);
            let store = value("filename=").map(|path| format!(" filename={path}")).unwrap_or_default();
            let (handler, add) = (format!("handlers/{}/mgmt", value("handler=")?), format!("add_device {name}{store}"));
            Some((name, handler, add, value("export0=esx1:")?))
        };
        devices.filter_map(|(_, text)| device(text)).collect()
    }

    fn start(&self) {
        let (group, devices) = (self.group, self.devices());
        for (name, handler, add, _) in &devices {
            self.write(handler, add);
            self.write(&format!("devices/{name}/prod_id"), "SCST");
        }
        self.write("device_groups/mgmt", &format!("create {group}"));
        for (name, ..) in &devices {
            self.write(&format!("device_groups/{group}/devices/mgmt"), &format!("add {name}"));
        }
        for node in self.listed("all") {
            let tables = format!("device_groups/{group}/target_groups");
            self.write(&format!("{tables}/mgmt"), &format!("create {}", NODES[node]));
            let table = format!("{tables}/{}", NODES[node]);
            self.write(&format!("{table}/group_id"), &(node + 1).to_string());
            for (n, name) in (0..PORTS).map(|n| (n, port(node, n))) {
                self.write(&format!("{table}/mgmt"), &format!("add {name}"));
                if node != self.node {
                    self.write(&format!("{table}/{name}/rel_tgt_id"), &((node + 1) * 100 + n + 1).to_string());
                }
            }
            self.set(node, if node == self.node { "standby" } else { "unavailable" });
        }
        for (name, .., lun) in &devices {
            for table in self.tables() {
                self.write(&table, &format!("add {name} {lun}"));
            }
        }
        let _ = self.context.system.replace_file(Path::new(&self.state_file()), "");
        self.score(Some("5"));
    }

    /// Where LUNs are managed.
    fn tables(&self) -> Vec<String> {
        let ports = (0..PORTS).map(|n| port(self.node, n));
        ports
            .flat_map(|port| ["esx1", "esx2"].map(|of| format!("targets/qla2x00t/{port}/ini_groups/{of}/luns/mgmt")))
            .collect()
    }

    fn stop(&self) {
        self.set(self.node, "transitioning");
        self.set(self.node, "unavailable");
        for (name, handler, _, lun) in self.devices() {
            for table in self.tables() {
                self.write(&table, &format!("del {lun}"));
            }
            self.write(&handler, &format!("del_device {name}"));
        }
        self.write("device_groups/mgmt", &format!("del {}", self.group));
        let _ = self.context.system.remove_file(Path::new(&self.state_file()));
        self.score(None);
    }

    fn notify(&self) {
        let meta = |name| self.context.env.meta(name).unwrap_or_default();
        let operation = meta("notify_operation");
        let state = match (meta("notify_type"), operation) {
            ("pre", "start") => return,
            ("post", "start") => {
                let promoted = self.listed("promoted");
                for node in self.listed("all").into_iter().filter(|node| *node != self.node) {
                    self.set(node, if promoted.contains(&node) { "active" } else { "standby" });
                }
                return;
            }
            ("pre", _) => "transitioning",
            (_, "promote") => "active",
            (_, "demote") => "standby",
            _ => "unavailable",
        };
        for node in self.listed(operation).into_iter().filter(|node| *node != self.node) {
            self.set(node, state);
        }
    }

    fn state_file(&self) -> String {
        format!("/run/resource-agents/scst_aluadg-{}.state", self.context.env.instance())
    }

    fn score(&self, score: Option<&str>) {
        let name = format!("master-{}", self.context.env.resource_id());
        let mut arguments = vec!["-N", NODES[self.node], "-l", "reboot", "-n", &name];
        arguments.extend(score.map_or_else(|| vec!["-D"], |score| vec!["-v", score]));
        let _ =
            self.context.system.run_program(Path::new("crm_attribute"), &arguments, self.context.deadline.remaining());
    }
}
