//! `attrd_updater`: the attributes that last until a node's reboot, asked of the daemon that keeps them.
//!
//! One difference: the real daemon remembers a deleted attribute with an empty value, here it is gone.

use super::call::Call;
use super::options::Given;
use super::output::{self, Answer};
use super::xml::Element;

const OPTIONS: &[&str] = &[
    "n name:",
    "U v update:",
    "D delete",
    "Q query",
    "A all",
    "N node:",
    "d delay:",
    "s set:",
    "p private",
    "q quiet",
    "output-as:",
    "V verbose",
];

pub(super) fn answer(call: &Call<'_>) -> Answer {
    let given = match Given::parse(call.args, OPTIONS) {
        Ok(given) => given,
        Err(word) => return Answer::error(output::USAGE, format!("attrd_updater: Unknown option {word}")),
    };
    let mut items = Vec::new();
    let answer = carry_out(call, &given, &mut items);
    match given.value("output-as") {
        None | Some("text") => answer,
        Some("xml") => output::as_xml(&call.request(), items, &answer),
        Some(other) => Answer::error(output::USAGE, format!("attrd_updater: Invalid value {other} for output-as")),
    }
}

fn carry_out(call: &Call<'_>, given: &Given, items: &mut Vec<Element>) -> Answer {
    let Some(name) = given.value("name") else {
        return Answer::error(output::USAGE, "attrd_updater: Command requires --name argument");
    };
    let cluster = call.environment.cib.as_ref().zip(call.cib());
    let value = given.value("update").filter(|_| !given.has("delete"));
    if value.is_none() && !given.has("delete") {
        let Some((_, cib)) = cluster else {
            return Answer::error(
                output::DISCONNECTED,
                "attrd_updater: Could not connect to attrd: Connection refused",
            );
        };
        let nodes = cib.nodes();
        let values: Vec<_> =
            nodes.iter().filter_map(|node| Some((node.name.as_str(), cib.transient(&node.name, name)?))).collect();
        if values.is_empty() {
            return Answer::error(
                output::CONFIG,
                format!("attrd_updater: Could not query value of {name}: attribute does not exist"),
            );
        }
        let wanted: Vec<_> = match given.value("node") {
            Some(node) => {
                let known = values.iter().find(|(host, _)| *host == node);
                vec![(node, known.map_or("", |(_, value)| value))]
            }
            None => values,
        };
        let mut lines = Vec::new();
        for (host, value) in wanted {
            items.push(Element::new("attribute").with("name", name).with("value", value).with("host", host));
            lines.push(format!("name=\"{name}\" host=\"{host}\" value=\"{value}\"\n"));
        }
        return Answer::out(lines.concat());
    }
    let Some((file, _)) = cluster else {
        let shown = value.unwrap_or("(null)");
        return Answer::error(
            output::DISCONNECTED,
            format!("attrd_updater: Could not update {name}={shown}: Connection refused (111)"),
        );
    };
    match file.set_status_attribute(given.value("node").unwrap_or(&call.environment.node), name, value) {
        Ok(()) => Answer::silent(),
        Err(error) => Answer::error(1, format!("attrd_updater: Could not update {name}: {error}")),
    }
}
