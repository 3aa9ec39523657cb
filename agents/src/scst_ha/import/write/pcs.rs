//! A shell script of pcs commands. They change a copy of the configuration, which comes into force as a whole at the end: a group that was
//! promoted before its constraints exist would fail.

use super::super::proposal::Proposal;
use super::{constraints, meta, promotable};

/// The script.
pub(in super::super) fn pcs(proposal: &Proposal) -> String {
    let mut text = "set -e\npcs cluster cib scst-import.xml\n".to_owned();
    let mut command = |words: &[String]| {
        text += "pcs -f scst-import.xml";
        words.iter().for_each(|word| text += &format!(" {}", quoted(word)));
        text.push('\n');
    };
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    for node in &proposal.nodes {
        let mut line = words("node attribute");
        line.extend([node.name.clone(), format!("targetports={}", node.targetports.join(","))]);
        command(&line);
    }
    for resource in &proposal.resources {
        let mut line = words("resource create");
        line.extend([resource.id.clone(), format!("ocf:onesty:{}", resource.agent)]);
        line.extend(resource.params.iter().map(|(name, value)| format!("{name}={value}")));
        line.extend([if promotable(resource) { "promotable" } else { "clone" }.to_owned(), resource.clone.clone()]);
        let meta = meta(resource, proposal.nodes.len()).into_iter().filter(|(name, _)| *name != "promotable");
        let meta: Vec<String> = meta.map(|(name, value)| format!("{name}={value}")).collect();
        // What stands behind `promotable` are meta attributes; some pcs refuse those of failures there.
        let (created, later): (Vec<_>, Vec<_>) = meta.into_iter().partition(|word| {
            !["migration-threshold", "failure-timeout", "priority"].iter().any(|name| word.starts_with(name))
        });
        line.extend(created);
        command(&line);
        if !later.is_empty() {
            let mut line = words("resource meta");
            line.push(resource.clone.clone());
            line.extend(later);
            command(&line);
        }
    }
    for (ports, group) in constraints(proposal) {
        command(&words(&format!("constraint order start {ports} then start {group}")));
        command(&words(&format!("constraint colocation add {group} with {ports}")));
    }
    text + "pcs cluster cib-push scst-import.xml\n"
}

/// A word of the shell: plain, or in single quotes.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.:=/,+@%".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
