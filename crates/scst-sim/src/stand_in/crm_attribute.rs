//! `crm_attribute`: attributes of nodes, lasting or until the reboot, promotion scores and cluster options.

use super::call::Call;
use super::cib::Cib;
use super::options::Given;
use super::output::{self, Answer};
use super::xml::Element;

const OPTIONS: &[&str] = &[
    "n name attr-name:",
    "N U node uname:",
    "t type:",
    "l lifetime:",
    "p promotion::",
    "G query get-value",
    "v update attr-value:",
    "D delete delete-attr",
    "d default:",
    "q Q quiet",
    "output-as:",
    "V verbose",
];

/// Where an attribute lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Nodes,
    Status,
    Options,
}

impl Scope {
    fn name(self) -> &'static str {
        match self {
            Scope::Nodes => "nodes",
            Scope::Status => "status",
            Scope::Options => "crm_config",
        }
    }
}

pub(super) fn answer(call: &Call<'_>) -> Answer {
    let given = match Given::parse(call.args, OPTIONS) {
        Ok(given) => given,
        Err(word) => return Answer::error(output::USAGE, format!("crm_attribute: Unknown option {word}")),
    };
    let mut items = Vec::new();
    let answer = carry_out(call, &given, &mut items).unwrap_or_else(|failed| failed);
    match given.value("output-as") {
        None | Some("text") => answer,
        Some("xml") => output::as_xml(&call.request(), items, &answer),
        Some(other) => Answer::error(output::USAGE, format!("crm_attribute: Invalid value {other} for output-as")),
    }
}

/// What was asked for; an `Err` is the answer too, one that says what went wrong.
fn carry_out(call: &Call<'_>, given: &Given, items: &mut Vec<Element>) -> Result<Answer, Answer> {
    let name = name(call, given)?;
    let (file, cib) = call.environment.cib.as_ref().zip(call.cib()).ok_or_else(|| {
        failed(output::DISCONNECTED, "Could not connect to the CIB: Transport endpoint is not connected")
    })?;
    let scope = scope(given)?;
    let node = if scope == Scope::Options { String::new() } else { node(call, given, &cib)? };
    let Some(name) = name else {
        if given.has("update") || given.has("delete") {
            return Err(failed(output::SOFTWARE, "Error performing operation: Invalid argument"));
        }
        let lines = cib.options().into_iter().map(|(name, value)| line(scope, name, value));
        return Ok(Answer::out(lines.collect::<String>()));
    };
    if let Some(value) = given.value("update").filter(|_| !given.has("delete")) {
        change(file, scope, &node, &name, Some(value))?;
        return Ok(Answer::silent());
    }
    if given.has("delete") {
        let removed = change(file, scope, &node, &name, None)?;
        // Only attributes that are not the attribute daemon's are reported.
        let text = removed.filter(|_| scope == Scope::Nodes);
        return Ok(Answer::out(
            text.map_or_else(String::new, |id| format!("Deleted nodes attribute: id={id} name={name}\n")),
        ));
    }
    let found = match scope {
        Scope::Nodes => cib.permanent(&node, &name),
        Scope::Status => cib.transient(&node, &name),
        Scope::Options => cib.option(&name),
    };
    let no_such = || failed(output::NO_SUCH_OBJECT, "Error performing operation: No such device or address");
    let value = found.or(given.value("default")).ok_or_else(no_such)?;
    let mut item = Element::new("attribute").with("name", &name).with("value", value).with("scope", scope.name());
    if found.is_none() {
        item.set("host", &node);
    }
    items.push(item);
    Ok(Answer::out(if given.has("quiet") { format!("{value}\n") } else { line(scope, &name, value) }))
}

fn change(
    file: &super::cib::CibFile,
    scope: Scope,
    node: &str,
    name: &str,
    value: Option<&str>,
) -> Result<Option<String>, Answer> {
    let changed = file.change(|cib| match scope {
        Scope::Nodes => Some(cib.set_permanent(node, name, value)),
        Scope::Status => {
            cib.set_transient(node, name, value);
            Some(None)
        }
        Scope::Options => None,
    });
    match changed {
        Ok(Some(removed)) => Ok(removed),
        Ok(None) => Err(failed(output::USAGE, "cluster options are not changed by this stand-in")),
        Err(error) => Err(failed(1, format!("Error performing operation: {error}"))),
    }
}

fn failed(code: u8, text: impl AsRef<str>) -> Answer {
    Answer::error(code, format!("crm_attribute: {}", text.as_ref()))
}

fn line(scope: Scope, name: &str, value: &str) -> String {
    format!("scope={}  name={name} value={value}\n", scope.name())
}

/// The attribute's name: that of a promotion score is made from the resource's.
fn name(call: &Call<'_>, given: &Given) -> Result<Option<String>, Answer> {
    if !given.has("promotion") {
        return Ok(given.value("name").map(str::to_owned));
    }
    let resource = given.value("promotion").or(call.environment.resource.as_deref()).ok_or_else(|| {
        failed(
            output::USAGE,
            "-p/--promotion must be called from an OCF resource agent or with a resource ID specified",
        )
    })?;
    Ok(Some(format!("master-{resource}")))
}

fn scope(given: &Given) -> Result<Scope, Answer> {
    match given.value("type").or(given.value("lifetime")) {
        Some("reboot" | "status") => Ok(Scope::Status),
        Some("forever" | "nodes") => Ok(Scope::Nodes),
        Some("crm_config") => Ok(Scope::Options),
        Some(other) => Err(failed(output::USAGE, format!("the type {other} is not stood in for"))),
        None if given.has("promotion") => Ok(Scope::Status),
        None if given.has("node") => Ok(Scope::Nodes),
        None => Ok(Scope::Options),
    }
}

/// The node asked about, the local one if none is named.
fn node(call: &Call<'_>, given: &Given, cib: &Cib) -> Result<String, Answer> {
    let name = given.value("node").unwrap_or(&call.environment.node);
    if cib.node(name).is_none() {
        return Err(failed(output::NO_SUCH_OBJECT, format!("Could not map name={name} to a UUID")));
    }
    Ok(name.to_owned())
}
