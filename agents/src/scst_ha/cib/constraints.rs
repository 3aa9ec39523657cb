//! Orders and colocations: a group starts where its ports are up, and is promoted where what it stands on is promoted.

use scst_core::cluster::Element;
use scst_core::ocf::env::Env;
use scst_core::scst::names::Driver;

use super::exports::env;
use super::{Cib, Finding, Level};
use crate::scst_aluadg;
use crate::scst_aluadg::params::Params;

/// Everything about constraints.
pub(super) fn findings(cib: &Cib) -> Vec<Finding> {
    let mut found = Vec::new();
    let ports: Vec<(Driver, Vec<String>)> =
        cib.of_targets().map(|(driver, resource)| (driver, cib.names(&resource.id))).collect();
    let drbd: Vec<Vec<String>> = cib
        .root
        .descendants("primitive")
        .iter()
        .filter(|primitive| primitive.get("type") == Some("drbd"))
        .filter_map(|primitive| Some(cib.names(primitive.get("id")?)))
        .collect();
    for resource in cib.of_agent(scst_aluadg::table::TABLE.name) {
        let about = format!("resource {}", resource.id);
        let finding = |right: bool, fine: &str, wrong: &str, cure: &str| {
            let (level, text, cure) = if right { (Level::Fine, fine, "") } else { (Level::Wrong, wrong, cure) };
            Finding::new(level, &about, text, cure)
        };
        let group = cib.names(&resource.id);
        let driver = resource.params.get("tgtdriver").and_then(|driver| Driver::parse(driver).ok());
        if let Some((_, ports)) = ports.iter().find(|(known, _)| Some(*known) == driver) {
            let name = |names: &[String]| names.first().cloned().unwrap_or_default();
            let (first, then) = (name(ports), name(&group));
            found.push(finding(
                ordered(cib, ports, &group, "start"),
                "starts after the ports",
                "no order says that it starts after the ports",
                &format!("order ports_before_{then} Mandatory: {first} {then}"),
            ));
            found.push(finding(
                together(cib, &group, ports, None),
                "runs where the ports are up",
                "no colocation says that it runs where the ports are up",
                &format!("colocation {then}_with_ports inf: {then} {first}"),
            ));
        }
        if stands_on_drbd(&env(resource)) {
            let promoted =
                drbd.iter().any(|drbd| ordered(cib, drbd, &group, "promote") && together(cib, &group, drbd, Some(())));
            found.push(finding(
                promoted,
                "is promoted after DRBD, and where DRBD is",
                "it stands on DRBD, and is not promoted after and with it",
                "order and colocation with the promoted DRBD: operations.md, \"DRBD\"",
            ));
        }
    }
    found
}

/// Whether any device of the group stands on DRBD, as far as its path tells.
fn stands_on_drbd(env: &Env) -> bool {
    let params = Params::parse(env).0;
    params.is_some_and(|params| {
        params
            .devices
            .iter()
            .any(|device| device.filename.as_ref().is_some_and(|path| path.as_str().starts_with("/dev/drbd")))
    })
}

/// A constraint's resources in their order: of its two attributes, or of its sets.
fn listed(constraint: &Element, first: &str, then: &str) -> Vec<String> {
    let of_sets = constraint.children.iter().filter(|set| set.name == "resource_set").flat_map(|set| &set.children);
    let of_sets: Vec<String> = of_sets.filter_map(|reference| reference.get("id").map(str::to_owned)).collect();
    if !of_sets.is_empty() {
        return of_sets;
    }
    [first, then].iter().filter_map(|name| constraint.get(name).map(str::to_owned)).collect()
}

fn is_one(names: &[String], id: &String) -> bool {
    names.contains(id)
}

/// Whether an order that must be kept puts one of `first` before one of `then`, for this action.
pub(super) fn ordered(cib: &Cib, first: &[String], then: &[String], action: &str) -> bool {
    cib.root.descendants("rsc_order").into_iter().any(|order| {
        let kept = order.get("kind").is_none_or(|kind| kind == "Mandatory")
            && order.get("score").is_none_or(|score| score != "0");
        let listed = listed(order, "first", "then");
        let place = |names: &[String]| listed.iter().position(|id| is_one(names, id));
        let acts = order.get("first-action").unwrap_or("start");
        let acts = acts == action || (action == "start" && acts == "promote");
        kept && acts && place(first).zip(place(then)).is_some_and(|(first, then)| first < then)
    })
}

/// Whether a colocation keeps one of `who` where one of `with` is; `promoted`: in the promoted role.
pub(super) fn together(cib: &Cib, who: &[String], with: &[String], promoted: Option<()>) -> bool {
    cib.root.descendants("rsc_colocation").into_iter().any(|colocation| {
        let must = colocation.get("score").is_none_or(|score| score.trim_start_matches('+') == "INFINITY");
        let role = |name: &str| colocation.get(name).is_some_and(|role| role == "Promoted" || role == "Master");
        let listed = listed(colocation, "rsc", "with-rsc");
        let both = listed.iter().any(|id| is_one(who, id)) && listed.iter().any(|id| is_one(with, id));
        let roles = match promoted {
            Some(()) => role("with-rsc-role"),
            None => !role("rsc-role"),
        };
        must && both && roles
    })
}
