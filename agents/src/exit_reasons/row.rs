//! The rows of the table, and the chapters that they stand in.

/// Reasons that belong together.
#[derive(Debug)]
pub struct Chapter {
    /// Its heading.
    pub title: &'static str,
    /// What is to be said before its table; empty for nothing.
    pub opening: &'static str,
    /// Its rows.
    pub reasons: &'static [Reason],
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

/// A row of a chapter.
pub(super) const fn row(text: &'static str, codes: &'static str, cure: &'static str) -> Reason {
    Reason { text, codes, cure }
}
