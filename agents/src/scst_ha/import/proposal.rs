//! What an import comes to: the configuration for the cluster, and what it does not say.

use std::collections::BTreeMap;

use serde::Serialize;

/// Where the configuration is to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The node that the source is of.
    pub(super) node: String,
    /// The ids of the cluster's nodes, as far as they are known.
    pub(super) ids: BTreeMap<String, u32>,
    /// The source is a file: what stands in it somebody wanted. The kernel shows every attribute that it has.
    pub(super) written: bool,
}

/// The configuration for the cluster, and what it does not say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub(super) struct Proposal {
    pub(super) nodes: Vec<Node>,
    pub(super) resources: Vec<Resource>,
    pub(super) remarks: Vec<Remark>,
}

/// A node with its ports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) id: Option<u32>,
    pub(super) targetports: Vec<String>,
}

/// A resource, which is cloned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Resource {
    pub(super) id: String,
    pub(super) clone: String,
    pub(super) agent: &'static str,
    pub(super) params: Vec<(String, String)>,
}

/// Something that is to be known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Remark {
    /// Hosts notice it.
    pub(super) hosts_notice: bool,
    /// What it is about.
    pub(super) about: String,
    pub(super) text: String,
}

impl Proposal {
    /// Adds a remark.
    pub(super) fn remark(&mut self, hosts_notice: bool, about: impl ToString, text: impl ToString) {
        self.remarks.push(Remark { hosts_notice, about: about.to_string(), text: text.to_string() });
    }

    /// Something cannot be said as it is.
    pub(super) fn differs(&self) -> bool {
        self.remarks.iter().any(|remark| remark.hosts_notice)
    }
}
