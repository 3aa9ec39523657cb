//! `crm_node`: names, ids and membership of the cluster's nodes.

use super::call::Call;
use super::cib::{Cib, Node};
use super::options::Given;
use super::output::{self, Answer};

const OPTIONS: &[&str] =
    &["n name", "i cluster-id", "l list", "p partition", "q quorum", "N name-for-id:", "Q quiet", "V verbose"];

pub(super) fn answer(call: &Call<'_>) -> Answer {
    let given = match Given::parse(call.args, OPTIONS) {
        Ok(given) => given,
        Err(word) => return Answer::error(output::USAGE, format!("crm_node: Unknown option {word}")),
    };
    let commands = ["name", "cluster-id", "list", "partition", "quorum", "name-for-id"];
    if !commands.iter().any(|command| given.has(command)) {
        return Answer::error(output::USAGE, "Usage:\n  crm_node [OPTION…]");
    }
    let Some(cib) = call.cib() else {
        return Answer::error(output::DISCONNECTED, "error: Could not connect to controller: Connection refused");
    };
    known(call, &cib, &given).unwrap_or_else(|| Answer::error(output::NO_HOST, "Node is not known to cluster"))
}

/// The answer, or nothing where a node is asked for that the cluster does not know.
fn known(call: &Call<'_>, cib: &Cib, given: &Given) -> Option<Answer> {
    let nodes = cib.nodes();
    let out = if given.has("name") {
        format!("{}\n", call.environment.node)
    } else if given.has("cluster-id") {
        format!("{}\n", cib.node(&call.environment.node)?.id)
    } else if let Some(id) = given.value("name-for-id") {
        format!("{}\n", nodes.iter().find(|node| node.id == id)?.name)
    } else if given.has("list") {
        let state = |node: &Node| if node.member { "member" } else { "lost" };
        nodes.iter().map(|node| format!("{} {} {}\n", node.id, node.name, state(node))).collect::<Vec<_>>().concat()
    } else if given.has("partition") {
        let members = nodes.iter().filter(|node| node.member);
        members.map(|node| format!("{} ", node.name)).chain(["\n".to_owned()]).collect::<Vec<_>>().concat()
    } else {
        format!("{}\n", cib.root.get("have-quorum").unwrap_or("1"))
    };
    Some(Answer::out(out))
}
