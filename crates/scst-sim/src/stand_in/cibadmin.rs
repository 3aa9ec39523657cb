//! `cibadmin --query`: the CIB or a part of it, by scope or by path. Changes are not stood in for.

use super::call::Call;
use super::options::Given;
use super::output::{self, Answer};
use super::xml::Element;
use super::xpath;

const OPTIONS: &[&str] = &[
    "Q query",
    "A xpath:",
    "o scope:",
    "n no-children",
    "e node-path",
    "l local",
    "s sync-call",
    "t timeout:",
    "V verbose",
];

/// Scopes that are not the name of a child of `<configuration>`.
const SCOPES_ELSEWHERE: &[(&str, &str)] = &[("configuration", "/cib/configuration"), ("status", "/cib/status")];
const SCOPES: &[&str] = &[
    "nodes",
    "resources",
    "constraints",
    "crm_config",
    "rsc_defaults",
    "op_defaults",
    "acls",
    "fencing-topology",
    "tags",
    "alerts",
];

pub(super) fn answer(call: &Call<'_>) -> Answer {
    let given = match Given::parse(call.args, OPTIONS) {
        Ok(given) => given,
        Err(word) => {
            return Answer::error(output::USAGE, format!("cibadmin: unrecognized option '{word}'"));
        }
    };
    if !given.has("query") {
        return Answer::error(
            output::USAGE,
            "cibadmin - query and edit the Pacemaker configuration\nUsage: cibadmin <command> [options]",
        );
    }
    let Some(cib) = call.cib() else {
        return Answer::error(
            output::DISCONNECTED,
            "Could not connect to the CIB: Transport endpoint is not connected\n\
             Init failed, could not perform requested operations",
        );
    };
    let path = match (given.value("xpath"), given.value("scope")) {
        (Some(path), _) => path.to_owned(),
        (None, Some(scope)) => of_scope(scope),
        (None, None) => "/cib".to_owned(),
    };
    let found = xpath::search(&cib.root, &path);
    if found.is_empty() {
        return Answer::error(output::NO_SUCH_OBJECT, "Call cib_query failed: No such device or address");
    }
    if given.has("node-path") {
        return Answer::out(found.iter().map(|place| place_of(place) + "\n").collect::<String>());
    }
    let mut elements: Vec<Element> =
        found.iter().filter_map(|place| place.last()).map(|found| (*found).clone()).collect();
    if given.has("no-children") {
        for element in &mut elements {
            element.children.clear();
        }
    }
    let result = match (elements.len(), elements.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            let mut result = Element::new("xpath-query");
            result.children = elements;
            result.children.extend(last);
            result
        }
    };
    Answer::out(result.to_string())
}

/// A scope that is none stands for everything.
fn of_scope(scope: &str) -> String {
    match SCOPES_ELSEWHERE.iter().find(|(name, _)| *name == scope) {
        Some((_, path)) => (*path).to_owned(),
        None if SCOPES.contains(&scope) => format!("/cib/configuration/{scope}"),
        None => "/cib".to_owned(),
    }
}

fn place_of(place: &[&Element]) -> String {
    let step = |element: &&Element| match element.get("id") {
        Some(id) => format!("/{}[@id='{id}']", element.name),
        None => format!("/{}", element.name),
    };
    place.iter().map(step).collect()
}
