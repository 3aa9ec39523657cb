//! The configuration of the README: two nodes, two ports each, one initiator group, one device group.

use super::{Cluster, Resource, World};

/// The ports of alpha.
pub(crate) const ALPHA: [&str; 2] = ["21:00:00:24:ff:60:d0:10", "21:00:00:24:ff:60:d0:11"];
/// The ports of beta.
pub(crate) const BETA: [&str; 2] = ["21:00:00:1b:32:0b:52:75", "21:01:00:1b:32:2b:52:75"];
/// The host with two ports.
pub(crate) const HOST: [&str; 2] = ["50:01:43:80:03:b0:23:34", "50:01:43:80:03:b0:23:36"];

/// Two nodes on which nothing runs and no module is loaded.
pub(crate) fn nodes() -> World {
    World::new().node("alpha", 1).port(ALPHA[0]).port(ALPHA[1]).node("beta", 2).port(BETA[0]).port(BETA[1])
}

/// The ports.
pub(crate) fn ports() -> Resource {
    Resource::ports("scst_qla").param("initiators", &format!("vmwtest={},{}", HOST[0], HOST[1]))
}

/// The device group.
pub(crate) fn group() -> Resource {
    Resource::group("scst_dg_dummy")
        .param("groupname", "dummy")
        .param("tgtdriver", "qla2x00t")
        .param("reload", "0")
        .param("device0", "handler=vdisk_nullio,virtname=lu0dummy,dummy=1,export0=all:0")
}

/// Both nodes with their ports up.
#[track_caller]
pub(crate) fn with_ports() -> Cluster {
    let cluster = nodes().up();
    cluster.start(&ports(), &["alpha", "beta"]);
    cluster
}

/// The same, with the device group running on both and promoted on alpha.
#[track_caller]
pub(crate) fn serving() -> Cluster {
    let cluster = with_ports();
    cluster.transition(&group()).start(&["alpha", "beta"]).promote(&["alpha"]).carry_out();
    cluster
}
