//! The tables as values: `reasons.md` and `codes.md`, which are compiled in and read when somebody asks.

use std::sync::LazyLock;

const REASONS: &str = include_str!("reasons.md");
const REASONS_HEAD: &str = "| reason | code | what to do |";
const ERRNOS_HEAD: &str = "| the kernel said | meaning |";
const CODES_TABLE: &str = include_str!("codes.md");
const CODES_HEAD: &str = "| code | name in the API | name | what Pacemaker does |";

/// Reasons that belong together.
#[derive(Debug)]
pub struct Chapter {
    /// Its heading.
    pub title: &'static str,
    /// What is to be said before its table; empty for nothing.
    pub opening: &'static str,
    /// Its rows.
    pub reasons: Vec<Reason>,
}

/// One exit reason.
#[derive(Debug, PartialEq, Eq)]
pub struct Reason {
    /// The reason as it is printed, with `…` for what differs.
    pub text: &'static str,
    /// The exit codes with which it comes; a dash for advice.
    pub codes: &'static str,
    /// What it means and what to do.
    pub cure: &'static str,
}

/// An exit code of the agents.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// The number.
    pub number: u8,
    /// The name that the resource agent API gives it.
    pub ocf: &'static str,
    /// The name in the document.
    pub name: &'static str,
    /// What Pacemaker makes of it.
    pub meaning: &'static str,
}

/// An error of the kernel, or several with one meaning.
#[derive(Debug, PartialEq, Eq)]
pub struct Errno {
    /// Their names.
    pub names: Vec<&'static str>,
    /// What SCST means by it.
    pub meaning: &'static str,
}

/// All chapters, in the order of the document.
pub static CHAPTERS: LazyLock<Vec<Chapter>> =
    LazyLock::new(|| REASONS.split("### ").skip(1).filter_map(chapter).collect());

/// All exit codes.
pub static CODES: LazyLock<Vec<Code>> = LazyLock::new(|| {
    let code = |[number, ocf, name, meaning]: [&'static str; 4]| {
        number.parse().ok().map(|number| Code { number, ocf, name, meaning })
    };
    rows(CODES_TABLE, CODES_HEAD).filter_map(code).collect()
});

/// The errors that reasons name.
pub static ERRNOS: LazyLock<Vec<Errno>> = LazyLock::new(|| {
    let errno = |[names, meaning]: [&'static str; 2]| Errno { names: names.split(", ").collect(), meaning };
    rows(REASONS, ERRNOS_HEAD).map(errno).collect()
});

/// A chapter from its title on.
fn chapter(text: &'static str) -> Option<Chapter> {
    let (title, text) = text.split_once('\n')?;
    let (opening, _) = text.split_once(REASONS_HEAD)?;
    let reason = |[text, codes, cure]: [&'static str; 3]| Reason { text: text.trim_matches('`'), codes, cure };
    Some(Chapter { title, opening: opening.trim(), reasons: rows(text, REASONS_HEAD).map(reason).collect() })
}

/// The rows of the table with this head, each as its cells.
fn rows<const CELLS: usize>(text: &'static str, head: &str) -> impl Iterator<Item = [&'static str; CELLS]> {
    let lines = text.lines().skip_while(move |line| *line != head).skip(2).take_while(|line| !line.is_empty());
    lines.filter_map(|line| {
        let cells = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ");
        <[&str; CELLS]>::try_from(cells.collect::<Vec<_>>()).ok()
    })
}

/// The table of exit codes, as the document has it.
pub fn codes_markdown() -> String {
    let row = |code: &Code| format!("| {} | {} | {} |\n", code.number, code.name, code.meaning);
    let rows: Vec<String> = CODES.iter().filter(|code| code.number != 0).map(row).collect();
    format!("| code | name | what Pacemaker does |\n| --- | --- | --- |\n{}", rows.concat())
}

/// The chapters, as the document has them.
pub fn markdown() -> &'static str {
    REASONS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_tables_is_read() {
        let lines = |text: &str| text.lines().filter(|line| line.starts_with("| ")).count();
        let reasons: usize = CHAPTERS.iter().map(|chapter| chapter.reasons.len()).sum();
        // Each table has two lines that are no rows.
        assert_eq!(reasons + 2 * CHAPTERS.len() + ERRNOS.len() + 2, lines(REASONS));
        assert_eq!(CODES.iter().map(|code| code.number).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
        assert_eq!(CODES.len() + 2, lines(CODES_TABLE));
        assert!(CHAPTERS.iter().all(|chapter| !chapter.title.is_empty() && !chapter.reasons.is_empty()));
        let cells = || CHAPTERS.iter().flat_map(|chapter| &chapter.reasons);
        assert!(cells().all(|row| !row.text.contains('`') && !row.codes.is_empty() && !row.cure.is_empty()));
    }
}
