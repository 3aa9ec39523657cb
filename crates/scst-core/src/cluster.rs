//! What the agents and `scst-ha` ask of the cluster, and what they write into it: nodes with their ids and ports,
//! promotion scores, roles.
//!
//! The cluster is asked through its own commands: the libraries behind them change their interface with every release, the
//! commands have kept theirs from Pacemaker 2.0 to 3.0. What an action of the agents asks:
//!
//! | action | question |
//! | --- | --- |
//! | start, reload, validate-all at level 10 | `cibadmin`, once, for all nodes at once |
//! | monitor at level 10 | `cibadmin`: what the other instances have published of their devices |
//! | recurring monitor | `crm_mon`, only before it lowers the promotion score, ends the wait for another node, or corrects the state of a peer whose notification is overdue |
//! | start, promote, reload, stop of a group whose state file is another resource's | `crm_mon`: whether that resource is configured |
//! | stop, monitor of ports that have lost their state file | `cibadmin`: whose the ports are |
//! | any but notify, run without the name of the node (by hand) | `crm_node` |
//!
//! Otherwise stop, monitor, promote and demote ask for nothing, and notify never does. "The attribute is not set", "the
//! node is not in the CIB" and "the cluster could not be asked" are three answers: an `Option` inside a node, a node
//! that [`Nodes::node`] does not find, and a [`ClusterError`]. Nobody may act on the third as if it were one of the
//! others.

mod cib;
mod configuration;
mod element;
mod nodes;
mod promotions;
mod roles;
mod score;
mod survey;
mod topology;

use std::time::Duration;

pub use self::configuration::{Configuration, Configured, parse_configuration, query_configuration};
pub use self::element::Element;
pub use self::nodes::{ClusterNode, Nodes, local_node_name, parse_nodes, query_nodes};
pub use self::promotions::{Promotion, parse_promotions, query_promotions};
pub use self::roles::{Roles, parse_roles, roles};
pub use self::score::{delete_promotion_score, set_promotion_score, set_targetports, set_transient};
pub use self::survey::{CLUSTER_NAME, MARK, Survey, parse_survey, query_survey};
pub use self::topology::{MAX_GROUPS, Member, Port, Refused, Topology, entries, io_group};
use crate::command::CommandError;
use crate::deadline::Deadline;

/// The node attribute that lists a node's ports.
pub const TARGETPORTS: &str = "targetports";

/// The longest wait for one command. They answer in some 10 ms; a controller that is busy electing may take seconds.
const LIMIT: Duration = Duration::from_secs(10);

/// The cluster could not be asked: which command failed, and how.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cluster could not be asked: {0}")]
pub struct ClusterError(#[from] CommandError);

/// The time one command gets: at most 10 s, and at most half of what the run has left, so that the run can still report
/// what failed.
fn limit(deadline: &Deadline) -> Duration {
    LIMIT.min(deadline.remaining() / 2)
}
