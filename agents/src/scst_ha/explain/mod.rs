//! `scst-ha explain`: what an exit reason, or an exit code, means and what to do about it.

mod log;

use std::path::Path;

use scst_core::ocf::exit::{Failure, one_line};
use serde::Serialize;

use super::cli;
use super::files;
use super::node::Node;
use super::output::{Page, Tone, print, print_json};
use super::verdict::Verdict;
use crate::exit_reasons::{CODES, Code, ERRNOS, Reason, find, plain};

/// Everything that is told.
#[derive(Debug, Default, Serialize)]
struct Explanation {
    /// The reasons that were found, each kind once, in their order.
    reasons: Vec<Explained>,
    /// The exit codes that were asked for.
    codes: Vec<ExplainedCode>,
    /// Reasons, by the words around them, that these agents do not give.
    unknown: Vec<String>,
}

/// One reason.
#[derive(Debug, Serialize)]
struct Explained {
    /// As it was met first.
    said: String,
    /// How often its kind was met.
    times: usize,
    /// Its row, with `…` for what differs.
    reason: &'static str,
    /// The exit codes with which it comes.
    codes: &'static str,
    /// What it means and what to do.
    cure: String,
    /// The kernel's errors in it.
    kernel: Vec<Error>,
}

/// An error of the kernel.
#[derive(Debug, Serialize)]
struct Error {
    name: &'static str,
    meaning: String,
}

/// One exit code.
#[derive(Debug, Serialize)]
struct ExplainedCode {
    number: u8,
    name: &'static str,
    meaning: String,
}

/// Explains what the command line names, or what stands in a log.
pub(super) fn run(node: &Node, options: &cli::Explain) -> Result<Verdict, Failure> {
    let mut told = Explanation::default();
    if options.words.is_empty() {
        let log = files::read(options.log.as_deref().unwrap_or(Path::new("-")), &node.deadline)?;
        for line in String::from_utf8_lossy(&log).lines() {
            log::candidates(line).into_iter().for_each(|found| told.add(&found.text, found.certain));
        }
    } else {
        told.asked(&options.words.join(" "));
    }
    if options.json {
        print_json(&told)?;
    } else {
        print(&told.text(node.page()))?;
    }
    let nothing = told.reasons.is_empty() && told.codes.is_empty();
    match (nothing, told.unknown.first()) {
        (true, Some(unknown)) => Err(Failure::generic(format!("no reason of these agents: {unknown}"))),
        (true, None) => Err(Failure::generic("there is no exit reason of these agents in it")),
        (false, _) => Ok(Verdict::Right),
    }
}

impl Explanation {
    /// What somebody gave on the command line: a code, a reason, or a line of a log.
    fn asked(&mut self, text: &str) {
        let text = text.trim();
        if let Some(code) = code(text) {
            let Code { number, ocf, meaning, .. } = code;
            self.codes.push(ExplainedCode { number: *number, name: ocf, meaning: plain(meaning) });
            return;
        }
        match log::candidates(text).pop() {
            Some(found) => self.add(&found.text, true),
            None => self.add(text, true),
        }
    }

    fn add(&mut self, text: &str, certain: bool) {
        let said = one_line(text);
        // A log says the same thing often.
        if let Some(known) = self.reasons.iter_mut().find(|known| known.said == said) {
            known.times += 1;
            return;
        }
        let Some(reason) = find(&said) else {
            if certain && !self.unknown.contains(&said) {
                self.unknown.push(said);
            }
            return;
        };
        match self.reasons.iter_mut().find(|known| known.reason == reason.text) {
            Some(known) => known.times += 1,
            None => self.reasons.push(Explained::new(said, reason)),
        }
    }

    fn text(&self, page: Page) -> String {
        let mut sections: Vec<String> = self.codes.iter().map(|code| code.text(page)).collect();
        sections.extend(self.reasons.iter().map(|reason| reason.text(page)));
        if !self.unknown.is_empty() && !sections.is_empty() {
            let unknown = self.unknown.iter().map(|reason| page.paragraph("  ", reason));
            sections.push(format!("not of these agents\n{}", unknown.collect::<String>()));
        }
        sections.join("\n")
    }
}

impl Explained {
    fn new(said: String, reason: &'static Reason) -> Self {
        let words: Vec<&str> = said.split(|letter: char| !letter.is_ascii_uppercase()).collect();
        let named = ERRNOS.iter().flat_map(|errno| errno.names.iter().map(move |name| (*name, errno.meaning)));
        let named = named.filter(|(name, _)| words.contains(name));
        let kernel = named.map(|(name, meaning)| Error { name, meaning: plain(meaning) }).collect();
        Self { said, times: 1, reason: reason.text, codes: reason.codes, cure: plain(reason.cure), kernel }
    }

    fn text(&self, page: Page) -> String {
        let times = if self.times > 1 { format!(" ({} times)", self.times) } else { String::new() };
        let mut text = format!("{}{times}\n", page.paint(Tone::Strong, &self.said));
        if self.codes.starts_with(|letter: char| letter.is_ascii_digit()) {
            text += &format!("  exit code {}\n", self.codes);
        }
        text += &page.paragraph("  ", &self.cure);
        for error in &self.kernel {
            text += &page.paragraph("  ", &format!("{}: {}", error.name, error.meaning));
        }
        text
    }
}

impl ExplainedCode {
    fn text(&self, page: Page) -> String {
        let title = format!("exit code {} ({})", self.number, self.name);
        format!("{}\n{}", page.paint(Tone::Strong, &title), page.paragraph("  ", &self.meaning))
    }
}

/// An exit code by its number or its name.
fn code(text: &str) -> Option<&'static Code> {
    CODES.iter().find(|code| code.number.to_string() == text || code.ocf.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        let mut told = Explanation::default();
        told.asked(text);
        told.text(Page::PLAIN)
    }

    #[test]
    fn codes_are_known_by_number_and_name() {
        assert_eq!(told("5"), told("ocf_err_installed"));
        assert!(told("5").starts_with("exit code 5 (OCF_ERR_INSTALLED)\n  as 2: "), "{}", told("5"));
        assert_eq!(told("77"), "");
    }

    #[test]
    fn errors_of_the_kernel_in_a_reason_are_told_as_well() {
        let text = told("port 21:00: enable failed: EBADSLT writing \"1\" to /sys/x");
        assert!(text.ends_with("  EBADSLT: the relative target id belongs to another enabled port\n"), "{text}");
        // Only whole words are.
        assert!(!told("port 21:00: enable failed: XEBUSY").contains("in use"));
    }

    #[test]
    fn a_kind_is_told_once_however_often_it_was_met() {
        let mut all = Explanation::default();
        for line in
            ["ocf-exit-reason:device dg_a is missing", "ocf-exit-reason:device dg_b is missing", "ocf-exit-reason:odd"]
        {
            log::candidates(line).iter().for_each(|found| all.add(&found.text, found.certain));
        }
        assert_eq!((all.reasons.len(), all.reasons[0].times, all.unknown.len()), (1, 2, 1));
        assert!(all.text(Page::PLAIN).contains("device dg_a is missing (2 times)\n"));
    }
}
