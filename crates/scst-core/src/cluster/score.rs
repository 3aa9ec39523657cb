//! What the agents and the tool write into the cluster: the promotion score, transient attributes and the list of a node's ports.

use super::{ClusterError, TARGETPORTS, limit};
use crate::command::Tools;
use crate::deadline::Deadline;

/// Sets this node's promotion score of the resource `instance`, until the node reboots. Setting the value it has changes
/// nothing in the cluster.
pub fn set_promotion_score(
    tools: &Tools,
    deadline: &Deadline,
    node: &str,
    instance: &str,
    score: i32,
) -> Result<(), ClusterError> {
    promotion_score(tools, deadline, node, instance, &["-v", &score.to_string()])
}

/// Deletes this node's promotion score of the resource `instance`. That it has none is success.
pub fn delete_promotion_score(
    tools: &Tools,
    deadline: &Deadline,
    node: &str,
    instance: &str,
) -> Result<(), ClusterError> {
    promotion_score(tools, deadline, node, instance, &["-D"])
}

/// Sets the lasting attribute `targetports` of a node.
pub fn set_targetports(tools: &Tools, deadline: &Deadline, node: &str, ports: &str) -> Result<(), ClusterError> {
    tools.run("crm_attribute", &["-N", node, "-l", "forever", "-n", TARGETPORTS, "-v", ports], limit(deadline))?;
    Ok(())
}

/// Sets, or with nothing deletes, an attribute of a node that lasts until it reboots.
///
/// # Errors
///
/// Which command failed, and how.
pub fn set_transient(
    tools: &Tools,
    deadline: &Deadline,
    node: &str,
    attribute: &str,
    value: Option<&str>,
) -> Result<(), ClusterError> {
    let mut arguments = vec!["-N", node, "-l", "reboot", "-n", attribute];
    match value {
        Some(value) => arguments.extend(["-v", value]),
        None => arguments.push("-D"),
    }
    tools.run("crm_attribute", &arguments, limit(deadline))?;
    Ok(())
}

/// The one form of the command that every release from 2.0 to 3.0 understands. The attribute is still called `master-`.
fn promotion_score(
    tools: &Tools,
    deadline: &Deadline,
    node: &str,
    instance: &str,
    what: &[&str],
) -> Result<(), ClusterError> {
    let attribute = format!("master-{instance}");
    let mut arguments = vec!["-N", node, "-l", "reboot", "-n", &attribute];
    arguments.extend(what);
    tools.run("crm_attribute", &arguments, limit(deadline))?;
    Ok(())
}
