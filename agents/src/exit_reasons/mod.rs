//! What every exit reason of the agents means, and what to do about it: one table.
//!
//! The table is the file `reasons.md`, a chapter for each subject; `codes.md` has the exit codes. `scst-ha explain` looks reasons up in
//! it, and the chapters "Exit codes" and "Exit reasons" of `docs/operations.md` and of the manual page are printed from it. A test
//! compares it with the reasons that the source makes, and every scenario asks for the reason that it saw: a reason without a row
//! fails it.
//!
//! Cures are written in the small part of Markdown that the document needs: `code`, *emphasis*, [links](#place).

mod tables;

pub use self::tables::{CHAPTERS, CODES, Chapter, Code, ERRNOS, Errno, Reason, codes_markdown, markdown};

/// What stands in a reason for what differs from case to case.
pub const GAP: char = '…';

/// What follows a reason when hosts or other openers are in the way.
const HELD_BY: &str = " (held by ";

impl Reason {
    /// Whether a text is this reason.
    pub fn fits(&self, text: &str) -> bool {
        fits(self.text, text.split(HELD_BY).next().unwrap_or_default())
    }

    /// How much of this reason a text has that may be the beginning of it; Pacemaker cuts reasons off.
    fn begun(&self, text: &str) -> Option<usize> {
        let parts: Vec<&str> = self.text.split(GAP).map(str::trim).collect();
        let (first, middle) = parts.split_first()?;
        let mut rest = text.strip_prefix(first).filter(|_| !first.is_empty())?;
        let mut said = first.len();
        for part in middle {
            // Cut off inside of this gap, or of the words behind it.
            let Some(at) = rest.find(part) else { return Some(said) };
            rest = &rest[at + part.len()..];
            said += part.len();
        }
        None
    }

    /// How much of it is the same in every case.
    fn said(&self) -> usize {
        self.text.chars().filter(|letter| *letter != GAP).count()
    }
}

/// The row of a reason; of several that fit, the one that says most. A reason that was cut off is found by its beginning.
pub fn find(text: &str) -> Option<&'static Reason> {
    let rows = || CHAPTERS.iter().flat_map(|chapter| &chapter.reasons);
    let whole = rows().filter(|reason| reason.fits(text)).max_by_key(|reason| reason.said());
    let cut_off = || {
        let begun = rows().filter_map(|reason| Some((reason.begun(text)?, reason)));
        begun.filter(|_| text.len() >= CUT_OFF).max_by_key(|(said, _)| *said).map(|(_, reason)| reason)
    };
    whole.or_else(cut_off)
}

/// A text shorter than this, in bytes, was not cut off: Pacemaker 2.1 keeps 128 bytes of a reason, some displays less.
const CUT_OFF: usize = 60;

/// Whether a text has the parts of a row in their order, and begins and ends as the row does.
fn fits(row: &str, text: &str) -> bool {
    // Most rows are told apart by their ends, and a log has many lines.
    let ends = row.split_once(GAP).zip(row.rsplit_once(GAP));
    if ends.is_some_and(|((first, _), (_, last))| !text.starts_with(first.trim()) || !text.ends_with(last.trim())) {
        return false;
    }
    let mut parts: Vec<&str> = row.split(GAP).map(str::trim).collect();
    let last = parts.pop().unwrap_or_default();
    let Some((first, middle)) = parts.split_first() else { return text == last };
    let inner = |rest: &str, part: &&str| rest.find(*part).map(|at| at + part.len());
    text.strip_prefix(first)
        .and_then(|rest| middle.iter().try_fold(rest, |rest, part| inner(rest, part).map(|at| &rest[at..])))
        .is_some_and(|rest| rest.ends_with(last))
}

/// A cure, or a meaning, as a terminal and a manual page show it: without the marks of Markdown.
pub fn plain(markdown: &str) -> String {
    let (mut text, mut rest) = (String::new(), markdown);
    while let Some(at) = rest.find(['`', '*', '[']) {
        text.push_str(&rest[..at]);
        let mark = &rest[at..=at];
        let inside = &rest[at + 1..];
        let end = match mark {
            "[" => inside.find("](").and_then(|words| Some((words, words + 2 + inside[words + 2..].find(')')? + 1))),
            mark => inside.find(mark).map(|words| (words, words + 1)),
        };
        let (words, behind) = end.map_or((mark, 0), |(words, behind)| (&inside[..words], behind));
        text.push_str(words);
        rest = &inside[behind..];
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_found_whatever_stands_in_its_gaps() {
        for (text, row) in [
            ("backing store could not be opened: device dg_vm1", "backing store could not be opened: device …"),
            ("port 21:00 is not enabled (held by nobody)", "port … is not enabled"),
            ("not running, nothing to reload", "not running, nothing to reload"),
            ("port 21:00: enable failed: EBUSY writing \"1\" to /sys/x", "port …: … failed: …"),
        ] {
            assert_eq!(find(text).map(|reason| reason.text), Some(row));
        }
        for text in ["", "the moon is full", "port 21:00 is not"] {
            assert_eq!(find(text), None, "{text}");
        }
    }

    #[test]
    fn of_several_rows_the_one_that_says_most_is_meant() {
        let text = "device dg_a: drain failed: commands in flight (1) did not end in time";
        assert!(find(text).unwrap().text.starts_with("device …: drain failed"), "{:?}", find(text));
    }

    #[test]
    fn a_reason_that_pacemaker_cut_off_is_found_by_its_beginning() {
        let whole = "device group dummy belongs to resource scst_dg_another_one_with_a_long_name on this node";
        assert_eq!(find(&whole[..75]), find(whole));
        assert!(find(whole).is_some());
        assert_eq!(find("port 21:00:00:24:ff:60:d0:10 has"), None);
    }

    #[test]
    fn rows_fit_from_end_to_end() {
        assert!(fits("a …: b", "a x: y: b") && fits("… b", "a b") && fits("a", "a"));
        assert!(!fits("a …: b", "a x: b y") && !fits("a", "ab") && !fits("a … b … c", "a c b c d"));
    }

    #[test]
    fn marks_are_taken_off_and_what_only_looks_like_one_stays() {
        assert_eq!(
            plain("see [storage](#a-b), `dmesg` or *open*: 2 * 3, a[1]"),
            "see storage, dmesg or open: 2 * 3, a[1]"
        );
    }

    #[test]
    fn no_two_rows_are_the_same() {
        let mut texts: Vec<&str> =
            CHAPTERS.iter().flat_map(|chapter| &chapter.reasons).map(|reason| reason.text).collect();
        let all = texts.len();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), all);
    }
}
