//! The plan as text.

use scst_core::ocf::exit::one_line;

use super::nodes::{NodePlan, Plan};
use super::resource::{Resource, What};
use crate::scst_ha::cib::{Finding, Level};
use crate::scst_ha::output::{Page, Tone};

/// Everything, as an operator reads it.
pub(super) fn text(plan: &Plan, page: Page) -> String {
    let mut text = plan.nodes.iter().map(|node| of_node(node, page)).collect::<Vec<_>>().join("\n");
    if !plan.cluster.is_empty() {
        text += &format!("\n{}\n", page.paint(Tone::Strong, "the cluster, as crm_simulate foresees it"));
        plan.cluster.iter().for_each(|line| text += &page.paragraph("  ", line));
    }
    if !plan.configuration.is_empty() {
        text += &format!("\n{}\n", page.paint(Tone::Strong, "the configuration"));
        plan.configuration.iter().for_each(|finding| text += &of_finding(finding, page));
    }
    text
}

fn of_node(plan: &NodePlan, page: Page) -> String {
    let mut text = format!("{}\n", page.paint(Tone::Strong, &format!("node {}", one_line(&plan.node))));
    plan.resources.iter().for_each(|resource| text += &of_resource(resource, page));
    plan.unknown.iter().for_each(|unknown| text += &page.paragraph("  ", unknown));
    text
}

fn of_resource(resource: &Resource, page: Page) -> String {
    let (word, tone) = match resource.what {
        What::Nothing => ("nothing", Tone::Good),
        What::Start => ("start", Tone::Attention),
        What::Reload => ("reload", Tone::Attention),
        What::Restart => ("restart", Tone::Bad),
        What::Stop => ("stop", Tone::Bad),
        What::Refused => ("refused", Tone::Bad),
        What::Unknown => ("not known", Tone::Bad),
    };
    let code = resource.exit_code.map(|code| format!(", exit code {code}")).unwrap_or_default();
    let mut text = format!("  resource {}: {}{code}\n", one_line(&resource.id), page.paint(tone, word));
    for because in &resource.because {
        text += &page.paragraph("    ", &format!("because {because}"));
    }
    for (number, step) in resource.steps.iter().enumerate() {
        text += &page.paragraph("    ", &format!("{}. {step}", number + 1));
    }
    if !matches!(resource.what, What::Nothing | What::Refused | What::Unknown) {
        if resource.hosts.is_empty() {
            text += "    hosts notice nothing\n";
        }
        for notice in &resource.hosts {
            text += &page.paragraph("    ", &format!("hosts: {notice}"));
        }
    }
    for remark in &resource.remarks {
        text += &page.paragraph("    ", &format!("to be known: {remark}"));
    }
    text
}

/// A finding with its cure.
pub(in crate::scst_ha) fn of_finding(finding: &Finding, page: Page) -> String {
    let (word, tone) = match finding.level {
        Level::Fine => ("fine", Tone::Good),
        Level::Unknown => ("not looked at", Tone::Faint),
        Level::Attention => ("attention", Tone::Attention),
        Level::Wrong => ("wrong", Tone::Bad),
    };
    let cure = if finding.cure.is_empty() { String::new() } else { format!(". Cure: {}", finding.cure) };
    let line = format!("{}: {}{cure}", finding.about, finding.text);
    // What is folded goes on below the sentence, not below the word.
    let sentence = page.paragraph(&" ".repeat(17), &line);
    format!("  {}  {}", page.paint(tone, &format!("{word:<13}")), sentence.trim_start())
}
