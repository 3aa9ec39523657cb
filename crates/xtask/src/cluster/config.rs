//! What the nodes are and what the cluster is told to run: as data, from which the CIB is written and the right view of each node follows.

/// A machine with its Fibre Channel ports, or the names of its iSCSI targets.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    pub(super) name: String,
    pub(super) id: u16,
    /// In the order of `targetports`.
    pub(super) ports: Vec<String>,
    /// Whether SCST and its target driver are loaded at boot, as its service does it; else the agents load them.
    pub(super) loaded: bool,
    /// What is below its devices, in the simulator's words.
    pub(super) stores: String,
}

impl Machine {
    pub(super) fn new(name: &str, id: u16, ports: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            id,
            ports: ports.iter().map(|port| (*port).to_owned()).collect(),
            loaded: false,
            stores: String::new(),
        }
    }

    pub(super) fn targetports(&self) -> String {
        self.ports.join(",")
    }
}

/// The first node of the sample.
pub(super) fn alpha() -> Machine {
    Machine::new("alpha", 1, &["21:00:00:24:ff:60:d0:10", "21:00:00:24:ff:60:d0:11"])
}

/// The second node of the sample.
pub(super) fn beta() -> Machine {
    Machine::new("beta", 2, &["21:00:00:1b:32:0b:52:75", "21:01:00:1b:32:2b:52:75"])
}

/// An initiator group.
#[derive(Debug, Clone)]
pub(super) struct Hosts {
    pub(super) name: &'static str,
    pub(super) initiators: &'static [&'static str],
}

/// Another host.
pub(super) const ESX2: Hosts = Hosts { name: "esx2", initiators: &["50:01:43:80:03:b0:99:01"] };

/// A device of a group, exported to all initiator groups.
#[derive(Debug, Clone)]
pub(super) struct Device {
    pub(super) virtname: &'static str,
    pub(super) lun: u32,
}

impl Device {
    /// The value of its parameter.
    pub(super) fn parameter(&self) -> String {
        format!("handler=vdisk_nullio,virtname={},dummy=1,export0=all:{}", self.virtname, self.lun)
    }
}

/// A device group, and the resource that runs it.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) resource: &'static str,
    pub(super) name: &'static str,
    pub(super) devices: Vec<Device>,
}

impl Group {
    /// The clone around the resource.
    pub(super) fn clone_id(&self) -> String {
        format!("ms_{}", self.resource)
    }

    /// A device's name in the kernel.
    pub(super) fn device(&self, device: &Device) -> String {
        format!("{}_{}", self.name, device.virtname)
    }
}

/// Everything the cluster runs.
#[derive(Debug, Clone)]
pub(super) struct Config {
    pub(super) hosts: Vec<Hosts>,
    pub(super) groups: Vec<Group>,
    /// Whether every running instance has the score of these agents.
    pub(super) own_scores: bool,
}

/// The resource of the ports, and the clone around it.
pub(super) const PORTS: &str = "scst_qla";
/// See there.
pub(super) const PORTS_CLONE: &str = "cl_scst_qla";

/// The host of the sample.
pub(super) const VMWTEST: Hosts =
    Hosts { name: "vmwtest", initiators: &["50:01:43:80:03:b0:23:34", "50:01:43:80:03:b0:23:36"] };

/// The group of the sample.
pub(super) fn dummy() -> Group {
    Group { resource: "scst_dg_dummy", name: "dummy", devices: vec![Device { virtname: "lu0dummy", lun: 0 }] }
}

/// Another group, with two devices.
pub(super) fn ssd() -> Group {
    let devices = vec![Device { virtname: "one", lun: 10 }, Device { virtname: "two", lun: 11 }];
    Group { resource: "scst_dg_ssd", name: "ssd", devices }
}

impl Config {
    /// One host and one device group, as in the sample.
    pub(super) fn standard() -> Self {
        Self { hosts: vec![VMWTEST], groups: vec![dummy()], own_scores: true }
    }

    /// The value of the parameter `initiators`.
    pub(super) fn initiators(&self) -> String {
        let group = |hosts: &Hosts| format!("{}={}", hosts.name, hosts.initiators.join(","));
        self.hosts.iter().map(group).collect::<Vec<_>>().join(";")
    }
}

/// How the CIB is to be written.
#[derive(Debug, Clone)]
pub(super) struct Cib<'a> {
    pub(super) machines: &'a [Machine],
    /// The resources; none leaves that to others.
    pub(super) config: Option<&'a Config>,
    pub(super) fencing: bool,
    /// The length of another attribute of each node; 0 for none.
    pub(super) filler: usize,
}

impl Cib<'_> {
    /// The document. Its feature set is that of the oldest Pacemaker the agents support: a daemon takes an older one, and no newer.
    ///
    /// `dc-deadtime` is the time until a first node forms the cluster; its default is the whole duration of a start. `load-threshold` is as good as
    /// none: Pacemaker does less at a time on a loaded machine, and here all nodes together are one.
    pub(super) fn document(&self) -> String {
        let options = pairs(
            "opt",
            &[
                ("stonith-enabled", if self.fencing { "true" } else { "false" }),
                ("no-quorum-policy", "ignore"),
                ("dc-deadtime", "100ms"),
                ("transition-delay", "0"),
                ("load-threshold", "100000%"),
            ],
        );
        let nodes = if self.config.is_some() { self.nodes() } else { "<nodes/>".to_owned() };
        format!(
            "<cib crm_feature_set=\"3.16.1\" validate-with=\"pacemaker-3.9\" epoch=\"1\" num_updates=\"0\" admin_epoch=\"1\">\
             <configuration><crm_config><cluster_property_set id=\"cib-bootstrap-options\">\n{options}</cluster_property_set>\
             </crm_config>\n{nodes}{}{}</configuration><status/></cib>\n",
            self.resources(),
            self.constraints()
        )
    }

    /// The nodes with their attributes.
    pub(super) fn nodes(&self) -> String {
        let filler = "x".repeat(self.filler);
        let node = |machine: &Machine| {
            let (name, id, ports) = (&machine.name, machine.id, machine.targetports());
            let mut attributes = vec![("targetports", ports.as_str())];
            if !filler.is_empty() {
                attributes.push(("filler", &filler));
            }
            let listed = pairs(name, &attributes);
            format!(
                "<node id=\"{id}\" uname=\"{name}\"><instance_attributes id=\"nodes-{id}\">{listed}</instance_attributes></node>\n"
            )
        };
        format!("<nodes>\n{}</nodes>\n", self.machines.iter().map(node).collect::<String>())
    }

    /// The resources: the ports on every node, and each device group on two or more.
    pub(super) fn resources(&self) -> String {
        let fence = if self.fencing { "<primitive id=\"fence\" class=\"stonith\" type=\"fence_rig\"/>\n" } else { "" };
        let of_config = |config: &Config| {
            let groups: String = config.groups.iter().map(group_resource).collect();
            if config.hosts.is_empty() { groups } else { ports_resource(config) + &groups }
        };
        format!("<resources>\n{fence}{}</resources>\n", self.config.map(of_config).unwrap_or_default())
    }

    /// Ports before groups, and groups only where ports are.
    pub(super) fn constraints(&self) -> String {
        let groups = self.config.map(|config| config.groups.as_slice()).unwrap_or_default();
        format!("<constraints>\n{}</constraints>\n", groups.iter().map(group_constraints).collect::<String>())
    }
}

/// The constraints of one device group.
pub(super) fn group_constraints(group: &Group) -> String {
    let (clone, resource) = (group.clone_id(), group.resource);
    format!(
        "<rsc_order id=\"order-{resource}\" kind=\"Mandatory\" first=\"{PORTS_CLONE}\" then=\"{clone}\"/>\n\
         <rsc_colocation id=\"with-{resource}\" score=\"INFINITY\" rsc=\"{clone}\" with-rsc=\"{PORTS_CLONE}\"/>\n"
    )
}

/// Name-value pairs with ids that begin with `of`.
fn pairs(of: &str, pairs: &[(&str, &str)]) -> String {
    let pair =
        |(name, value): &(&str, &str)| format!("<nvpair id=\"{of}-{name}\" name=\"{name}\" value=\"{value}\"/>\n");
    pairs.iter().map(pair).collect()
}

fn operations(of: &str, operations: &[(&str, &str, &str, &str)]) -> String {
    let operation = |(name, interval, timeout, role): &(&str, &str, &str, &str)| {
        let role = if role.is_empty() { String::new() } else { format!(" role=\"{role}\"") };
        format!(
            "<op id=\"{of}-{name}-{interval}\" name=\"{name}\" interval=\"{interval}\" timeout=\"{timeout}\"{role}/>\n"
        )
    };
    operations.iter().map(operation).collect()
}

/// The clone of the ports.
fn ports_resource(config: &Config) -> String {
    format!(
        "<clone id=\"{PORTS_CLONE}\"><meta_attributes id=\"{PORTS_CLONE}-meta\">{}</meta_attributes>\
         <primitive id=\"{PORTS}\" class=\"ocf\" provider=\"onesty\" type=\"scst_qla2xtgt\">\
         <instance_attributes id=\"{PORTS}-params\">{}</instance_attributes><operations>{}</operations></primitive></clone>\n",
        pairs(PORTS_CLONE, &[("interleave", "true")]),
        pairs(PORTS, &[("initiators", &config.initiators())]),
        operations(PORTS, &[("start", "0s", "60s", ""), ("stop", "0s", "360s", ""), ("monitor", "10s", "20s", "")]),
    )
}

/// The promotable clone of a device group.
pub(super) fn group_resource(group: &Group) -> String {
    let Group { resource, name, devices } = group;
    let clone = group.clone_id();
    let mut parameters =
        vec![("groupname".to_owned(), (*name).to_owned()), ("tgtdriver".to_owned(), "qla2x00t".to_owned())];
    parameters.push(("reload".to_owned(), "0".to_owned()));
    parameters.extend(devices.iter().zip(0..).map(|(device, number)| (format!("device{number}"), device.parameter())));
    let parameters: Vec<(&str, &str)> =
        parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    format!(
        "<clone id=\"{clone}\"><meta_attributes id=\"{clone}-meta\">{}</meta_attributes>\
         <primitive id=\"{resource}\" class=\"ocf\" provider=\"onesty\" type=\"scst_aluadg\">\
         <instance_attributes id=\"{resource}-params\">{}</instance_attributes><operations>{}</operations></primitive></clone>\n",
        pairs(
            &clone,
            &[
                ("promotable", "true"),
                ("notify", "true"),
                ("interleave", "true"),
                ("promoted-max", "1"),
                ("clone-node-max", "1")
            ]
        ),
        pairs(resource, &parameters),
        operations(
            resource,
            &[
                ("start", "0s", "120s", ""),
                ("stop", "0s", "240s", ""),
                ("promote", "0s", "30s", ""),
                ("demote", "0s", "120s", ""),
                ("notify", "0s", "30s", ""),
                ("monitor", "10s", "30s", "Promoted"),
                ("monitor", "11s", "30s", "Unpromoted"),
            ],
        ),
    )
}

/// The simulated machine in the simulator's words.
pub(super) fn description(machine: &Machine) -> String {
    let hardware = machine.ports.iter().filter(|port| !port.starts_with("iqn."));
    let ports = hardware.map(|port| format!("[[port]]\nwwpn = \"{port}\"\n"));
    let loaded =
        if machine.loaded { "modules = [\"scst\", \"scst_disk\", \"scst_vdisk\", \"qla2x00tgt\"]\n" } else { "" };
    format!("var_lib = \"/var/lib/scst\"\n{loaded}\n{}{}", ports.collect::<String>(), machine.stores)
}
