//! `scst-ha check`: everything that the documentation advises and a program can look at, a line each, with the cure.

mod cluster;
mod iscsi;
mod machine;
mod places;
mod storage;
mod view;

use scst_core::ocf::exit::Failure;
use serde::Serialize;

use self::places::Places;
use self::view::View;
use super::cib::{Cib, Finding, Level};
use super::node::Node;
use super::output::{print, print_json};
use super::status::look;
use super::verdict::Verdict;
use super::{cli, plan};

/// Everything that is told.
#[derive(Debug, Serialize)]
struct Checked {
    node: Option<String>,
    findings: Vec<Finding>,
}

/// Looks at everything and shows it.
pub(super) fn run(node: &Node, options: &cli::Check) -> Result<Verdict, Failure> {
    let status = look(node, None)?;
    let cib = node.configuration().ok().and_then(|xml| Cib::parse(&xml).ok());
    let view = View { node, status, cib, places: Places::new(node) };
    let mut findings = machine::findings(&view);
    findings.extend(cluster::findings(&view));
    findings.extend(storage::findings(&view));
    let checked = Checked { node: view.status.node.clone(), findings };
    if options.json {
        print_json(&checked)?;
    } else {
        print(&text(&checked, node, options.all))?;
    }
    let worst = checked.findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Fine);
    Ok(if worst >= Level::Attention { Verdict::Differs } else { Verdict::Right })
}

/// The lines; without `all` those that are fine only as a number.
fn text(checked: &Checked, node: &Node, all: bool) -> String {
    let page = node.page();
    let shown = checked.findings.iter().filter(|finding| all || finding.level != Level::Fine);
    let mut text: String = shown.map(|finding| plan::line(finding, page)).collect();
    let count = |level: Level| checked.findings.iter().filter(|finding| finding.level == level).count();
    text += &format!(
        "{} fine, {} not looked at, {} for attention, {} wrong\n",
        count(Level::Fine),
        count(Level::Unknown),
        count(Level::Attention),
        count(Level::Wrong)
    );
    text
}
