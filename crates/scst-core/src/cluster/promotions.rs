//! What the cluster has noted of promotions, for `scst-ha metrics`, which shows how long they take. The agents never
//! ask for this.
//!
//! The status part of the CIB keeps the last operation of each kind per resource and node (`lrm_rsc_op`), with its duration in
//! milliseconds (`exec-time`) and when its result last changed.

use std::time::Duration;

use quick_xml::events::Event;

use super::element::{attribute, walk};
use super::roles::plain;
use super::{ClusterError, limit};
use crate::command::{CommandError, Tools};
use crate::deadline::Deadline;

/// The operations that are asked for.
const PROMOTIONS: &str = "//lrm_rsc_op[@operation='promote']";

/// The last promotion of a resource on a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promotion {
    /// The resource, without the number of an instance.
    pub resource: String,
    /// The node.
    pub node: String,
    /// How long the agent ran, measured by the cluster in milliseconds.
    pub took: Duration,
    /// It ended with exit code 0.
    pub succeeded: bool,
    /// When its result last changed, in seconds since 1970; 0 where the cluster does not say it.
    pub ended: u64,
}

/// Asks for the last promotions of all resources on all nodes.
///
/// # Errors
///
/// `cibadmin` is not there, failed, did not answer in time, or printed no XML. That nothing was ever promoted is such a
/// failure too: it finds nothing at the path.
pub fn query_promotions(tools: &Tools, deadline: &Deadline) -> Result<Vec<Promotion>, ClusterError> {
    let xml = tools.run("cibadmin", &["--query", "--xpath", PROMOTIONS], limit(deadline))?;
    parse_promotions(&xml).map_err(|error| CommandError::unreadable("cibadmin", &error).into())
}

/// Reads the answer of `cibadmin --query --xpath` with that path.
///
/// # Errors
///
/// Why it is no such answer.
pub fn parse_promotions(xml: &str) -> Result<Vec<Promotion>, String> {
    let mut found = Vec::new();
    walk(xml, |event| {
        let (Event::Start(element) | Event::Empty(element)) = &event else { return Ok(()) };
        if element.name().as_ref() != "lrm_rsc_op" {
            return Ok(());
        }
        let get = |name: &str| attribute(element, name).map(Option::unwrap_or_default);
        // `dg_promote_0`; of one that failed last, `dg_last_failure_0`, with the key in another attribute.
        let keys = [get("operation_key")?, get("id")?];
        let resource =
            keys.iter().find_map(|key| key.strip_suffix("_promote_0").or_else(|| key.strip_suffix("_last_failure_0")));
        let (Some(resource), Ok(took)) = (resource, get("exec-time")?.parse()) else { return Ok(()) };
        found.push(Promotion {
            resource: plain(resource),
            node: get("on_node")?,
            took: Duration::from_millis(took),
            succeeded: get("rc-code")? == "0",
            ended: get("last-rc-change")?.parse().unwrap_or(0),
        });
        Ok(())
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promotions_are_read_with_their_duration() {
        let operation = |key: &str, more: &str| {
            format!(r#"<lrm_rsc_op id="x" operation_key="{key}" operation="promote" on_node="alpha" {more}/>"#)
        };
        let xml = format!(
            "<xpath-query>{}{}{}</xpath-query>",
            operation("dg_promote_0", r#"exec-time="1500" rc-code="0" last-rc-change="17""#),
            operation("dg:1_promote_0", r#"exec-time="20" rc-code="1" last-rc-change="18""#),
            operation("dg_promote_0", r#"rc-code="0""#),
        );
        let found = parse_promotions(&xml).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].took, found[0].succeeded, found[0].ended), (Duration::from_millis(1500), true, 17));
        assert_eq!((found[1].resource.as_str(), found[1].succeeded), ("dg", false));
        assert!(parse_promotions("<a").is_err());
    }
}
