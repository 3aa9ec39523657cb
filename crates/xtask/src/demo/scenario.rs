//! What happens in the demo, and what must be seen after each call.
//!
//! The order of calls and their lists are those of Pacemaker 2.1 and 3.0 for a promotable clone with `notify=true`: an agent
//! that changes its promotion score ends the transition, so a promote after a start or a stop comes with lists of its own.
//!
//! A snapshot such as `"AS TS"` has a word per kernel (alpha's, beta's) and in it a letter per target group (alpha, beta):
//! **A**ctive, **S**tandby, **T**ransitioning, **U**navailable, `-` for a target group that does not exist. `off` is a kernel
//! without power.

/// A node of the sample configuration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    /// Its name, and that of its target group.
    pub(super) name: &'static str,
    /// Its id in the cluster, which all its numbers are made of.
    pub(super) id: &'static str,
    /// Its ports in the order of `targetports`, each with the relative target id that it must get.
    pub(super) ports: [(&'static str, &'static str); 2],
    /// The I/O group that its initiator group must get.
    pub(super) io_group: &'static str,
}

impl Node {
    /// The node attribute that names its ports.
    pub(super) fn targetports(&self) -> String {
        self.ports.map(|(name, _)| name).join(",")
    }
}

/// The nodes.
pub(super) const NODES: [Node; 2] = [
    Node {
        name: "alpha",
        id: "1",
        ports: [("21:00:00:24:ff:60:d0:10", "101"), ("21:00:00:24:ff:60:d0:11", "102")],
        io_group: "101",
    },
    Node {
        name: "beta",
        id: "2",
        ports: [("21:00:00:1b:32:0b:52:75", "201"), ("21:01:00:1b:32:2b:52:75", "202")],
        io_group: "201",
    },
];

/// What lies between the nodes and their hosts.
#[derive(Debug)]
pub(super) struct Fabric {
    /// Its name in a sentence.
    pub(super) title: &'static str,
    /// The target driver.
    pub(super) driver: &'static str,
    /// Targets are there without being made.
    pub(super) hardware: bool,
    /// The resource of the ports, and its agent.
    pub(super) resource: (&'static str, &'static str),
    /// The nodes with their ports.
    pub(super) nodes: [Node; 2],
    /// Parameters of the ports' agent.
    pub(super) parameters: &'static [(&'static str, &'static str)],
}

/// Fibre Channel.
pub(super) const FIBRE_CHANNEL: Fabric = Fabric {
    title: "a Fibre Channel HBA of two ports each",
    driver: "qla2x00t",
    hardware: true,
    resource: ("scst_qla", "scst_qla2xtgt"),
    nodes: NODES,
    parameters: &[("initiators", "vmwtest=50:01:43:80:03:b0:23:34,50:01:43:80:03:b0:23:36")],
};

/// iSCSI: two targets per node, which the agent makes, and its daemon.
pub(super) const ISCSI: Fabric = Fabric {
    title: "two iSCSI targets each",
    driver: "iscsi",
    hardware: false,
    resource: ("scst_iscsi", "scst_target"),
    nodes: [
        Node {
            ports: [("iqn.2026-01.org.example:alpha-a", "101"), ("iqn.2026-01.org.example:alpha-b", "102")],
            ..NODES[0]
        },
        Node {
            ports: [("iqn.2026-01.org.example:beta-a", "201"), ("iqn.2026-01.org.example:beta-b", "202")],
            ..NODES[1]
        },
    ],
    parameters: &[
        ("tgtdriver", "iscsi"),
        ("portals", "10.0.1.*,10.0.2.*"),
        ("incoming_users", "esx longsecret1234"),
        ("initiators", "vmwtest=iqn.1998-01.com.vmware:esx1-4c5d,iqn.1998-01.com.vmware:esx2-77aa"),
    ],
};

/// Parameters of the device group's agent, beside the driver.
pub(super) const GROUP_PARAMETERS: &[(&str, &str)] = &[
    ("groupname", "dummy"),
    ("reload", "0"),
    ("device0", "handler=vdisk_nullio,virtname=lu0dummy,dummy=1,export0=all:0"),
];

/// One of the agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Agent {
    /// `scst_qla2xtgt` or `scst_target`, a plain clone.
    Ports,
    /// `scst_aluadg`, a promotable clone with notifications.
    Group,
}

/// What a node's power does before an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Power {
    /// Stays as it is.
    Unchanged,
    /// A machine boots, with nothing loaded.
    Boots,
    /// Is lost.
    Lost,
}

/// How a node's ports must look after an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ports {
    /// The machine is off.
    Off,
    /// SCST is not loaded.
    Bare,
    /// Everything of ours is gone: ports are disabled, targets that were made are not there.
    Down,
    /// The ports are up, there are no LUNs.
    Up,
    /// The ports are up, every initiator group has the device as LUN 0, and the cluster has the score of an unpromoted instance.
    Standby,
    /// The same with the score of the promoted instance.
    Promoted,
}

impl Ports {
    /// The lines that the machine must show.
    pub(super) fn lines(self, fabric: &Fabric, node: &Node) -> Vec<String> {
        let each_port = |rest: &dyn Fn(&str) -> String| {
            node.ports.iter().map(|(port, id)| format!("{port} {}", rest(id))).collect::<Vec<_>>()
        };
        let group = format!("vmwtest (2 initiators, I/O group {})", node.io_group);
        match self {
            Self::Off => vec!["no power".to_owned()],
            Self::Bare => vec!["SCST is not loaded".to_owned()],
            Self::Down if !fabric.hardware => Vec::new(),
            Self::Down => each_port(&|_| "disabled".to_owned()),
            Self::Up => each_port(&|id| format!("enabled, id {id}, {group}: no LUN")),
            Self::Standby | Self::Promoted => {
                let mut lines = each_port(&|id| format!("enabled, id {id}, {group}: LUN 0 dummy_lu0dummy"));
                lines.push(format!("promotion score {}", if self == Self::Promoted { 10 } else { 5 }));
                lines
            }
        }
    }
}

/// One call of an agent, on one node or on both at the same time.
#[derive(Debug)]
pub(super) struct Call {
    /// Names of the nodes.
    pub(super) nodes: &'static str,
    /// Whose.
    pub(super) agent: Agent,
    /// An action, `probe`, or for a notification its type and operation.
    pub(super) action: &'static str,
    /// The exit codes that must come.
    pub(super) exits: &'static str,
    /// The snapshot afterwards.
    pub(super) seen: &'static str,
    /// There is nothing to do, so the kernel must not be written to.
    pub(super) idle: bool,
}

impl Call {
    const fn idle(self) -> Self {
        Self { idle: true, ..self }
    }
}

const fn ports(nodes: &'static str, action: &'static str, exits: &'static str, seen: &'static str) -> Call {
    Call { nodes, agent: Agent::Ports, action, exits, seen, idle: false }
}

const fn group(nodes: &'static str, action: &'static str, exits: &'static str, seen: &'static str) -> Call {
    Call { nodes, agent: Agent::Group, action, exits, seen, idle: false }
}

/// The lists of a transition: who was what before it, and what it does to whom.
#[derive(Debug)]
pub(super) struct Transition {
    pub(super) active: &'static str,
    pub(super) promoted: &'static str,
    pub(super) start: &'static str,
    pub(super) stop: &'static str,
    pub(super) promote: &'static str,
    pub(super) demote: &'static str,
    /// Demote and stop are those of a node that was fenced: nobody is called for them, the others are notified.
    pub(super) fenced: bool,
    /// The calls in their order.
    pub(super) calls: &'static [Call],
}

const NOTHING: Transition =
    Transition { active: "", promoted: "", start: "", stop: "", promote: "", demote: "", fenced: false, calls: &[] };

/// A part of the scenario.
#[derive(Debug)]
pub(super) struct Act {
    /// What happens.
    pub(super) title: &'static str,
    /// What to watch.
    pub(super) watch: &'static str,
    /// What power does to alpha and beta before it.
    pub(super) power: [Power; 2],
    /// What the cluster does.
    pub(super) transitions: &'static [Transition],
    /// The ports of alpha and beta after it.
    pub(super) ports: [Ports; 2],
}

const STEADY: [Power; 2] = [Power::Unchanged, Power::Unchanged];

/// The scenario.
pub(super) const STORY: &[Act] = &[
    Act {
        title: "both nodes boot",
        watch: "a probe looks and changes nothing: it does not even load a module",
        power: [Power::Boots, Power::Boots],
        transitions: &[Transition {
            calls: &[
                ports("alpha beta", "probe", "7 7", "-- --").idle(),
                group("alpha beta", "probe", "7 7", "-- --").idle(),
            ],
            ..NOTHING
        }],
        ports: [Ports::Bare, Ports::Bare],
    },
    Act {
        title: "the ports come up",
        watch: "modules are loaded; ids and I/O groups follow from the node's id, so all nodes agree about them",
        power: STEADY,
        transitions: &[Transition {
            calls: &[
                ports("alpha beta", "start", "0 0", "-- --"),
                ports("alpha beta", "monitor", "0 0", "-- --").idle(),
            ],
            ..NOTHING
        }],
        ports: [Ports::Up, Ports::Up],
    },
    Act {
        title: "the device group starts on both nodes",
        watch: "both nodes' target groups stand as standby before the first LUN appears; a second start writes nothing",
        power: STEADY,
        transitions: &[Transition {
            start: "alpha beta",
            calls: &[
                group("alpha beta", "start", "0 0", "SS SS"),
                group("alpha beta", "post-start", "0 0", "SS SS"),
                group("alpha beta", "start", "0 0", "SS SS").idle(),
            ],
            ..NOTHING
        }],
        ports: [Ports::Standby, Ports::Standby],
    },
    Act {
        title: "alpha is promoted",
        watch: "beta's hosts are told transitioning, then active: by notifications, beta itself asks nobody",
        power: STEADY,
        transitions: &[Transition {
            active: "alpha beta",
            promote: "alpha",
            calls: &[
                group("alpha beta", "pre-promote", "0 0", "SS TS"),
                group("alpha", "promote", "0", "AS TS"),
                group("alpha beta", "post-promote", "0 0", "AS AS"),
                group("alpha beta", "monitor", "8 0", "AS AS").idle(),
            ],
            ..NOTHING
        }],
        ports: [Ports::Promoted, Ports::Standby],
    },
    Act {
        title: "alpha goes to standby, beta takes over",
        watch: "alpha drains its devices and tells its hosts to wait before beta steps up: never two active nodes, and no path that fails meanwhile",
        power: STEADY,
        transitions: &[
            Transition {
                active: "alpha beta",
                promoted: "alpha",
                demote: "alpha",
                stop: "alpha",
                promote: "beta",
                calls: &[
                    group("alpha beta", "pre-demote", "0 0", "AS TS"),
                    group("alpha", "demote", "0", "TS TS"),
                    group("alpha beta", "post-demote", "0 0", "TS TS"),
                    group("alpha beta", "pre-stop", "0 0", "TS TS"),
                    group("alpha", "stop", "0", "-- TS"),
                    group("beta", "post-stop", "0", "-- US"),
                ],
                ..NOTHING
            },
            Transition {
                active: "beta",
                promote: "beta",
                calls: &[
                    ports("alpha", "stop", "0", "-- US"),
                    group("beta", "pre-promote", "0", "-- US"),
                    group("beta", "promote", "0", "-- UA"),
                    group("beta", "post-promote", "0", "-- UA"),
                    group("beta", "monitor", "8", "-- UA").idle(),
                ],
                ..NOTHING
            },
        ],
        ports: [Ports::Down, Ports::Promoted],
    },
    Act {
        title: "alpha returns",
        watch: "alpha knows beta as active from the first moment: its hosts never see a dead path",
        power: STEADY,
        transitions: &[Transition {
            active: "beta",
            promoted: "beta",
            start: "alpha",
            calls: &[
                ports("alpha", "start", "0", "-- UA"),
                group("beta", "pre-start", "0", "-- UA"),
                group("alpha", "start", "0", "SA UA"),
                group("alpha beta", "post-start", "0 0", "SA SA"),
                group("alpha beta", "monitor", "0 8", "SA SA").idle(),
            ],
            ..NOTHING
        }],
        ports: [Ports::Standby, Ports::Promoted],
    },
    Act {
        title: "beta loses its power and is fenced, alpha takes over",
        watch: "demote and stop of the dead node are notified as if it had done them itself",
        power: [Power::Unchanged, Power::Lost],
        transitions: &[Transition {
            active: "alpha beta",
            promoted: "beta",
            demote: "beta",
            stop: "beta",
            promote: "alpha",
            fenced: true,
            calls: &[
                group("alpha", "pre-demote", "0", "ST off"),
                group("alpha", "post-demote", "0", "ST off"),
                group("alpha", "pre-stop", "0", "ST off"),
                group("alpha", "post-stop", "0", "SU off"),
                group("alpha", "pre-promote", "0", "SU off"),
                group("alpha", "promote", "0", "AU off"),
                group("alpha", "post-promote", "0", "AU off"),
                group("alpha", "monitor", "8", "AU off").idle(),
            ],
            ..NOTHING
        }],
        ports: [Ports::Promoted, Ports::Off],
    },
    Act {
        title: "beta boots again",
        watch: "it starts from nothing and comes back as standby; nothing fails back by itself",
        power: [Power::Unchanged, Power::Boots],
        transitions: &[Transition {
            active: "alpha",
            promoted: "alpha",
            start: "beta",
            calls: &[
                ports("beta", "probe", "7", "AU --").idle(),
                group("beta", "probe", "7", "AU --").idle(),
                ports("beta", "start", "0", "AU --"),
                group("alpha", "pre-start", "0", "AU --"),
                group("beta", "start", "0", "AU AS"),
                group("alpha beta", "post-start", "0 0", "AS AS"),
                group("alpha beta", "monitor", "8 0", "AS AS").idle(),
            ],
            ..NOTHING
        }],
        ports: [Ports::Promoted, Ports::Standby],
    },
    Act {
        title: "everything stops",
        watch: "LUNs first, then devices, then the group; what is ours is gone, and a second stop finds nothing to do",
        power: STEADY,
        transitions: &[Transition {
            active: "alpha beta",
            promoted: "alpha",
            demote: "alpha",
            stop: "alpha beta",
            calls: &[
                group("alpha beta", "pre-demote", "0 0", "AS TS"),
                group("alpha", "demote", "0", "SS TS"),
                group("alpha beta", "post-demote", "0 0", "SS SS"),
                group("alpha beta", "pre-stop", "0 0", "ST TS"),
                group("alpha beta", "stop", "0 0", "-- --"),
                ports("alpha beta", "stop", "0 0", "-- --"),
                group("alpha beta", "stop", "0 0", "-- --").idle(),
                group("alpha beta", "probe", "7 7", "-- --").idle(),
                ports("alpha beta", "probe", "7 7", "-- --").idle(),
            ],
            ..NOTHING
        }],
        ports: [Ports::Down, Ports::Down],
    },
];
