//! `attrd_updater`: the attributes that last until a node's reboot, asked of the daemon that keeps them.
//!
//! One difference: the real daemon remembers a deleted attribute with an empty value, here it is gone.

use super::Call;
use super::options::{Given, Known, Value};
use super::output::{self, Answer};
use super::xml::Element;

const OPTIONS: &[Known] = &[
    Known { name: "name", spellings: &["n", "name"], value: Value::Needed },
    Known { name: "update", spellings: &["U", "v", "update"], value: Value::Needed },
    Known { name: "delete", spellings: &["D", "delete"], value: Value::None },
    Known { name: "query", spellings: &["Q", "query"], value: Value::None },
    Known { name: "query-all", spellings: &["A", "all"], value: Value::None },
    Known { name: "node", spellings: &["N", "node"], value: Value::Needed },
    Known { name: "delay", spellings: &["d", "delay"], value: Value::Needed },
    Known { name: "set", spellings: &["s", "set"], value: Value::Needed },
    Known { name: "private", spellings: &["p", "private"], value: Value::None },
    Known { name: "quiet", spellings: &["q", "quiet"], value: Value::None },
    Known { name: "output-as", spellings: &["output-as"], value: Value::Needed },
    Known { name: "verbose", spellings: &["V", "verbose"], value: Value::None },
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
