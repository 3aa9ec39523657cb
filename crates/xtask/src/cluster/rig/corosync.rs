//! What corosync and the resolver are told about the members: corosync.conf(5), hosts(5).

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

/// A member of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// Its host name, which is its name in the cluster.
    pub(crate) name: String,
    /// Its number, which is its id in the cluster and the last part of its address.
    pub(crate) id: u16,
}

impl Member {
    /// The address of its one link.
    pub(crate) fn address(&self) -> String {
        format!("10.99.{}.{}", self.id / 250, self.id % 250 + 1)
    }
}

/// Writes both into a node's directory.
pub(crate) fn write_members(home: &Path, members: &[Member]) -> io::Result<()> {
    let place = home.join("etc-corosync");
    fs::create_dir_all(&place)?;
    fs::write(place.join("corosync.conf"), configuration(members))?;
    fs::write(home.join("hosts"), hosts(members))
}

/// The configuration of corosync. Its parser wants a brace at the end of a line or alone on it.
fn configuration(members: &[Member]) -> String {
    let mut text = String::from(
        "system {\n  sched_rr: no\n  move_to_root_cgroup: no\n}\n\
         totem {\n  version: 2\n  cluster_name: rig\n  transport: knet\n  crypto_cipher: none\n  crypto_hash: none\n  token: 1000\n}\n\
         logging {\n  to_stderr: yes\n  to_syslog: no\n  to_logfile: no\n  timestamp: hires\n}\n\
         quorum {\n  provider: corosync_votequorum\n",
    );
    if members.len() == 2 {
        text.push_str("  two_node: 1\n  wait_for_all: 0\n");
    }
    text.push_str("}\nnodelist {\n");
    for member in members {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "  node {{\n    name: {}\n    nodeid: {}\n    ring0_addr: {}\n  }}",
            member.name,
            member.id,
            member.address()
        );
    }
    text.push_str("}\n");
    text
}

/// The resolver's file.
fn hosts(members: &[Member]) -> String {
    let lines = members.iter().map(|member| format!("{} {}\n", member.address(), member.name));
    std::iter::once("127.0.0.1 localhost\n".to_owned()).chain(lines).collect()
}
