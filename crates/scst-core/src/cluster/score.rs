//! What the agents and the tool write into the cluster: the promotion score, transient attributes and the list of a node's ports.

use super::{ClusterError, TARGETPORTS, limit};
use crate::command::Tools;
use crate::deadline::Deadline;

/// Sets the promotion score of the resource `instance` on `node`, until the node reboots: Pacemaker promotes the
/// instance with the highest `score` (up to 1000000), and none whose score is negative or not set. Setting the value it
/// has changes nothing in the cluster.
///
/// # Errors
///
/// `crm_attribute` is not there, failed, or did not answer in time; in the last case the score may be set all the same.
pub fn set_promotion_score(
    tools: &Tools,
    deadline: &Deadline,
    node: &str,
    instance: &str,
    score: i32,
) -> Result<(), ClusterError> {
    promotion_score(tools, deadline, node, instance, &["-v", &score.to_string()])
}

/// Deletes the promotion score of the resource `instance` on `node`. That it has none is success.
///
/// # Errors
///
/// As for [`set_promotion_score`].
pub fn delete_promotion_score(
    tools: &Tools,
    deadline: &Deadline,
    node: &str,
    instance: &str,
) -> Result<(), ClusterError> {
    promotion_score(tools, deadline, node, instance, &["-D"])
}

/// Sets the permanent attribute `targetports` of `node`: `ports` is a list of port names, separated by commas.
///
/// # Errors
///
/// `crm_attribute` is not there, failed, or did not answer in time; in the last case the attribute may be set all the
/// same.
pub fn set_targetports(tools: &Tools, deadline: &Deadline, node: &str, ports: &str) -> Result<(), ClusterError> {
    tools.run("crm_attribute", &["-N", node, "-l", "forever", "-n", TARGETPORTS, "-v", ports], limit(deadline))?;
    Ok(())
}

/// Sets the transient `attribute` of `node`, which lasts until the node reboots; with `None` deletes it.
///
/// # Errors
///
/// `crm_attribute` is not there, failed, or did not answer in time; in the last case the attribute may be changed all
/// the same.
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
