//! What the cluster itself would do, as its own simulator says it: where instances go, and who is promoted.

use std::path::Path;
use std::time::Duration;

use scst_core::ocf::exit::one_line;

use crate::scst_ha::cib::Cib;
use crate::scst_ha::node::Node;

/// The title of the part that counts.
const SUMMARY: &str = "Transition Summary:";

/// What `crm_simulate` foresees for a CIB in a file. Nothing where it is not installed, and for a file without the state of the nodes, for which it
/// would take all of them for off.
pub(super) fn foreseen(node: &Node, path: &Path, cib: &Cib) -> Vec<String> {
    let known = cib.root.descendants("status").iter().any(|status| !status.children.is_empty());
    let Some(path) = path.to_str().filter(|path| known && *path != "-") else { return Vec::new() };
    let limit = Duration::from_secs(10).min(node.deadline.remaining() / 2);
    let said = node.tools.run("crm_simulate", &["--simulate", "--xml-file", path], limit);
    said.map(|text| summary(&text)).unwrap_or_default()
}

/// The lines of the summary, without what marks them as a list.
fn summary(text: &str) -> Vec<String> {
    let lines = text.lines().skip_while(|line| line.trim() != SUMMARY).skip(1);
    let lines = lines.take_while(|line| line.trim_start().starts_with("* "));
    lines.map(|line| one_line(line.trim_start().trim_start_matches("* "))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_found() {
        let text = "Current cluster status:\n  * Node List:\n\nTransition Summary:\n  * Reload     dg:0     ( Promoted alpha )\n  * Move x\n\n\
                    Executing Cluster Transition:\n  * Resource action: y\n";
        assert_eq!(summary(text), ["Reload dg:0 ( Promoted alpha )", "Move x"]);
        assert_eq!(summary("nothing"), [""; 0]);
    }
}
