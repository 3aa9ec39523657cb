//! Operations and meta attributes: time-outs that are long enough, monitors that do not share an interval, a clone that can be promoted.

use std::collections::BTreeMap;

use scst_core::cluster::{Configured, Element};
use scst_core::ocf::param::AgentTable;

use super::{Cib, Finding, Level};
use crate::{scst_aluadg, scst_qla2xtgt, scst_target};

/// What Pacemaker takes where nothing is configured, in milliseconds.
const DEFAULT_TIMEOUT: u64 = 20_000;

/// Everything about operations and meta attributes.
pub(super) fn findings(cib: &Cib) -> Vec<Finding> {
    let defaults = defaults(cib);
    let mut found = Vec::new();
    for table in [scst_qla2xtgt::table::TABLE, scst_target::table::TABLE, scst_aluadg::table::TABLE] {
        for resource in cib.of_agent(table.name) {
            let way = cib.way(&resource.id);
            let about = format!("resource {}", resource.id);
            let before = found.len();
            if let Some(primitive) = way.last() {
                found.extend(timeouts(table, primitive, defaults, &about));
                found.extend(intervals(primitive, &about));
            }
            found.extend(meta(table, resource, &way, &about));
            if found.len() == before {
                found.push(Finding::fine(&about, "operations, time-outs and clone are as advised"));
            }
        }
    }
    found
}

fn defaults(cib: &Cib) -> u64 {
    let sets = cib.root.descendants("op_defaults");
    let pairs = sets.iter().flat_map(|set| set.descendants("nvpair"));
    let mut pairs = pairs.filter(|pair| pair.get("name") == Some("timeout"));
    let timeout = pairs.find_map(|pair| milliseconds(pair.get("value")?));
    timeout.unwrap_or(DEFAULT_TIMEOUT)
}

fn timeouts(table: &AgentTable, primitive: &Element, defaults: u64, about: &str) -> Vec<Finding> {
    let operations = primitive.descendants("op");
    let mut found = Vec::new();
    for advertised in
        table.operations.iter().filter(|operation| operation.name != "meta-data" && operation.name != "validate-all")
    {
        let role = |operation: &&&Element| {
            let said =
                operation.get("role").map(|role| role.replace("Master", "Promoted").replace("Slave", "Unpromoted"));
            advertised.role.is_none() || said.is_none() || said.as_deref() == advertised.role
        };
        let mut same =
            operations.iter().filter(|operation| operation.get("name") == Some(advertised.name)).filter(role);
        let configured =
            same.next().map(|operation| operation.get("timeout").and_then(milliseconds).unwrap_or(defaults));
        let needed = u64::from(advertised.timeout) * 1000;
        // A reload takes the time-out of its own name, which most configurations do not have.
        if configured.is_none() && advertised.name.starts_with("reload") && defaults >= DEFAULT_TIMEOUT {
            continue;
        }
        let role = advertised.role.map(|role| format!(" ({role})")).unwrap_or_default();
        let cure = format!("op {} timeout={}s", advertised.name, advertised.timeout);
        match configured {
            None if advertised.name == "monitor" => {
                let cure = format!(
                    "op monitor{} interval={}s timeout={}s",
                    role.replace(['(', ')'], "").replace(' ', " role="),
                    advertised.interval.unwrap_or(10),
                    advertised.timeout
                );
                found.push(Finding::wrong(about, format!("has no monitor{role}: nobody sees what fails"), cure));
            }
            _ if configured.unwrap_or(defaults) < needed => {
                let name = advertised.name;
                let (begins, taken) = match configured {
                    None => (format!("no time-out is configured for {name}: Pacemaker takes"), defaults),
                    Some(configured) => (format!("the time-out of {name}{role} is"), configured),
                };
                let text = format!("{begins} {} s, {} s are advertised", taken / 1000, advertised.timeout);
                found.push(Finding::attention(about, text, cure));
            }
            _ => {}
        }
    }
    found
}

/// Two monitors of one interval are one to Pacemaker.
fn intervals(primitive: &Element, about: &str) -> Vec<Finding> {
    let mut by_interval: BTreeMap<u64, usize> = BTreeMap::new();
    for operation in primitive.descendants("op").iter().filter(|operation| operation.get("name") == Some("monitor")) {
        let interval = operation.get("interval").and_then(milliseconds).unwrap_or(0);
        *by_interval.entry(interval).or_default() += 1;
    }
    let twice = by_interval.into_iter().filter(|(_, count)| *count > 1);
    twice
        .map(|(interval, count)| {
            let text =
                format!("{count} monitors have the interval {} s: Pacemaker takes them for one", interval / 1000);
            Finding::wrong(about, text, "give each another interval, as 10s and 11s")
        })
        .collect()
}

fn meta(table: &AgentTable, resource: &Configured, way: &[&Element], about: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let Some(clone) = way.iter().find(|element| element.name == "clone" || element.name == "master") else {
        let text = "is not cloned: it runs on one node";
        return vec![Finding::wrong(
            about,
            text,
            format!("clone cl_{} {} meta interleave=true", resource.id, resource.id),
        )];
    };
    let value = |names: &[&str]| -> Option<String> {
        let pairs = way.iter().flat_map(|element| element.children.iter().filter(|set| set.name == "meta_attributes"));
        let mut pairs = pairs.flat_map(|set| set.descendants("nvpair"));
        pairs
            .find(|pair| pair.get("name").is_some_and(|name| names.contains(&name)))
            .and_then(|pair| pair.get("value"))
            .map(str::to_owned)
    };
    let yes = |names: &[&str]| {
        value(names).is_some_and(|value| ["true", "1", "yes", "on"].contains(&value.to_ascii_lowercase().as_str()))
    };
    let mut want = |level: Level, is: bool, text: &str, cure: &str| {
        if !is {
            found.push(Finding::new(level, about, text, cure));
        }
    };
    want(
        Level::Wrong,
        yes(&["interleave"]),
        "interleave is not true: it waits for all nodes, and restarts with any of them",
        "meta interleave=true",
    );
    if table.name == scst_aluadg::table::TABLE.name {
        let promotable = clone.name == "master" || yes(&["promotable"]);
        want(Level::Wrong, promotable, "its clone is not promotable: no node ever serves", "meta promotable=true");
        want(
            Level::Wrong,
            yes(&["notify"]),
            "notify is not true: hosts learn late what the other nodes do",
            "meta notify=true",
        );
        let one = |names: &[&str]| value(names).is_none_or(|value| value == "1");
        want(
            Level::Wrong,
            one(&["promoted-max", "master-max"]),
            "promoted-max is not 1: a start refuses it",
            "meta promoted-max=1",
        );
        want(
            Level::Wrong,
            one(&["clone-node-max"]),
            "clone-node-max is not 1: a start refuses it",
            "meta clone-node-max=1",
        );
        let threshold = value(&["migration-threshold"]).is_some_and(|value| value != "INFINITY" && value != "0");
        want(
            Level::Attention,
            threshold,
            "without migration-threshold a promotion that cannot succeed is tried without end",
            "meta migration-threshold=3 failure-timeout=10min",
        );
    }
    found
}

/// A time as Pacemaker reads it: `10`, `10s`, `500ms`, `2min`, `1h`.
fn milliseconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..end].parse().ok()?;
    let unit = match text[end..].trim() {
        "" | "s" | "sec" => 1000,
        "ms" | "msec" => 1,
        "m" | "min" => 60_000,
        "h" | "hr" => 3_600_000,
        _ => return None,
    };
    number.checked_mul(unit)
}
