//! A real cluster on one machine: corosync and Pacemaker on nodes in namespaces of their own.
//!
//! Two layers. The rig is one process in its own mount, network, process, host name and IPC namespaces ([`mod@enclose`]); a node is a process in
//! another set of them below it ([`node`], and [`boot`] on the other side). Everything that is written lies in a tmpfs of the rig or of a node,
//! and the first process of a namespace takes all others with it, so nothing is left on the machine however the rig ends, by SIGKILL too.
//!
//! | what | why it must be private |
//! | --- | --- |
//! | network | the daemons' IPC uses abstract sockets, which a network namespace bounds; and a link can be cut |
//! | processes | ring buffers in `/dev/shm` are named by process id; and killing the first process is a power loss |
//! | `/run`, `/dev/shm`, `/dev/log`, `/var/log`, `/var/lib/pacemaker`, `/var/lib/corosync`, `/etc/corosync`, `/etc/hosts` | what daemons write and read |
//! | `/sys` | the node's own simulated SCST |
//! | `/usr/lib/ocf/resource.d`, `/usr/sbin` | the agents under test, the fence agent, modprobe, the iSCSI daemon |

mod accounting;
pub(super) mod boot;
mod corosync;
mod enclose;
mod fencing;
pub(super) mod node;
pub(super) mod stores;
mod syslog;
mod system;

pub(super) use self::accounting::{Ended, ended};
pub(super) use self::corosync::{Member, write_members};
pub(super) use self::enclose::{enclose, enclosed};
pub(super) use self::fencing::{FENCE_AGENT, Fencer};
pub(super) use self::node::Node;
pub(super) use self::system::{enter, provide};

/// The rig's own directory, a tmpfs that the nodes see at the same place.
pub(super) const RIG: &str = "/run/rig";

/// The directory of one node: what outlives a power loss.
pub(super) fn directory(node: &str) -> std::path::PathBuf {
    std::path::Path::new(RIG).join("nodes").join(node)
}

/// Where the agents are installed, inside a node.
pub(super) const PROVIDER: &str = "/usr/lib/ocf/resource.d/onesty";
