//! What an import has to say beside the configuration: on standard error, so that the configuration can go to a file.

use std::collections::BTreeMap;

use scst_core::ocf::exit::one_line;

use super::conf::Conf;
use super::proposal::{Proposal, Remark};

/// Everything that is to be known, with the same words about several things once.
pub(super) fn text(proposal: &Proposal, conf: Option<&Conf>) -> String {
    let mut text = String::new();
    let noticed = |noticed: bool| proposal.remarks.iter().filter(move |remark| remark.hosts_notice == noticed);
    text += &section("hosts notice", noticed(true));
    text += &section("to be known", noticed(false));
    let warnings = conf.map(|conf| conf.warnings.as_slice()).unwrap_or_default();
    if !warnings.is_empty() {
        text += "the file is not read as it looks\n";
        for warning in warnings {
            text += &format!("  line {}: {}\n", warning.line, one_line(&warning.text));
        }
        if let Some(more) = conf.map(|conf| conf.more_warnings).filter(|more| *more > 0) {
            text += &format!("  and {more} more\n");
        }
    }
    text
}

/// So many things are named of which the same is said.
const NAMED: usize = 8;

fn section<'a>(title: &str, remarks: impl Iterator<Item = &'a Remark>) -> String {
    let mut by_text: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    remarks.for_each(|remark| by_text.entry(&remark.text).or_default().push(&remark.about));
    if by_text.is_empty() {
        return String::new();
    }
    let line = |(text, mut about): (&str, Vec<&str>)| {
        about.sort_unstable();
        let more = about.len().saturating_sub(NAMED);
        about.truncate(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("  {}{more}: {}\n", one_line(&about.join(", ")), one_line(text))
    };
    format!("{title}\n{}", by_text.into_iter().map(line).collect::<String>())
}
