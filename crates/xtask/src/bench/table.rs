//! What is reported: chapters of rows, each with what was wanted and what was measured side by side.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

/// How a row stands to its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Within it.
    Met,
    /// Beyond it.
    Missed,
    /// There is no target, or no number.
    Open,
}

impl Verdict {
    fn of(met: bool) -> Self {
        if met { Self::Met } else { Self::Missed }
    }

    /// The word in the table.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Met => "yes",
            Self::Missed => "**no**",
            Self::Open => "",
        }
    }
}

/// One thing that was measured.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// What.
    pub(super) what: String,
    /// What it should be.
    pub(super) target: String,
    /// What it is.
    pub(super) measured: String,
    /// What that is of the target.
    pub(super) ratio: Option<f64>,
    /// Whether the target is met.
    pub(super) verdict: Verdict,
    /// It does not depend on how fast a machine is: missing the target is a failure.
    pub(super) counted: bool,
}

impl Row {
    /// A number that may be up to so much, and is the same on every machine.
    pub(super) fn count(what: impl Into<String>, limit: u64, measured: u64, unit: &str) -> Self {
        Self {
            what: what.into(),
            target: format!("at most {}", number(limit)),
            measured: format!("{}{unit}", number(measured)),
            ratio: ratio(measured, limit),
            verdict: Verdict::of(measured <= limit),
            counted: true,
        }
    }

    /// A number that must be this one.
    pub(super) fn exact(what: impl Into<String>, wanted: u64, measured: u64) -> Self {
        Self {
            target: number(wanted),
            verdict: Verdict::of(measured == wanted),
            ..Self::count(what, wanted, measured, "")
        }
    }

    /// A time that should not be longer than another.
    pub(super) fn time(
        what: impl Into<String>,
        target: impl Into<String>,
        limit: Duration,
        measured: Duration,
    ) -> Self {
        Self {
            what: what.into(),
            target: target.into(),
            measured: duration(measured),
            ratio: Some(measured.as_secs_f64() / limit.as_secs_f64()),
            verdict: Verdict::of(measured <= limit),
            counted: false,
        }
    }

    /// What is told without a target.
    pub(super) fn shown(what: impl Into<String>, measured: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            target: String::new(),
            measured: measured.into(),
            ratio: None,
            verdict: Verdict::Open,
            counted: false,
        }
    }

    /// The same, but it depends on the machine after all.
    pub(super) fn uncounted(self) -> Self {
        Self { counted: false, ..self }
    }

    /// The words of the five columns.
    fn cells(&self) -> [String; 5] {
        let ratio = self.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        [self.what.clone(), self.target.clone(), self.measured.clone(), ratio, self.verdict.word().to_owned()]
    }
}

fn ratio(measured: u64, limit: u64) -> Option<f64> {
    let float = |number| u32::try_from(number).ok().map(f64::from);
    Some(float(measured)? / float(limit).filter(|limit| *limit > 0.0)?)
}

/// Rows about one subject, or about one subject and other agents.
#[derive(Debug, Clone)]
pub(super) struct Chapter {
    /// What they are about.
    pub(super) title: String,
    /// What a reader must know about it.
    pub(super) note: String,
    /// The heads of the columns.
    pub(super) heads: Vec<&'static str>,
    /// The words of the rows.
    pub(super) cells: Vec<Vec<String>>,
    /// The rows that miss their target: counted ones, and others.
    pub(super) missed: (Vec<String>, Vec<String>),
}

impl Chapter {
    /// Rows with targets.
    pub(super) fn new(title: &str, note: &str, rows: &[Row]) -> Self {
        let missed = |counted| {
            let missed = rows.iter().filter(|row| row.verdict == Verdict::Missed && row.counted == counted);
            missed.map(|row| format!("{title}: {}: {}, {} wanted", row.what, row.measured, row.target)).collect()
        };
        Self {
            title: title.to_owned(),
            note: note.to_owned(),
            heads: vec!["what", "target", "measured", "of target", "met"],
            cells: rows.iter().map(|row| row.cells().into()).collect(),
            missed: (missed(true), missed(false)),
        }
    }

    /// A table of another form.
    pub(super) fn other(title: &str, note: &str, heads: Vec<&'static str>, cells: Vec<Vec<String>>) -> Self {
        Self { title: title.to_owned(), note: note.to_owned(), heads, cells, missed: <_>::default() }
    }
}

/// A table as Markdown has it, aligned for those who read it as text.
impl Display for Chapter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "## {}\n", self.title)?;
        if !self.note.is_empty() {
            writeln!(f, "{}\n", self.note)?;
        }
        let heads: Vec<String> = self.heads.iter().map(|head| (*head).to_owned()).collect();
        let width = |column: usize| {
            let cells = self.cells.iter().chain([&heads]).map(|row| row[column].chars().count());
            cells.max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..heads.len()).map(width).collect();
        let rule = widths.iter().map(|width| "-".repeat(*width)).collect();
        for row in [&heads, &rule].into_iter().chain(&self.cells) {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            writeln!(f, "| {} |", cells.collect::<Vec<_>>().join(" | "))?;
        }
        Ok(())
    }
}

/// A number with its thousands apart.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time in the unit that fits.
pub(super) fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 0.001 {
        format!("{:.0} µs", seconds * 1e6)
    } else if seconds < 1.0 {
        format!("{:.2} ms", seconds * 1e3)
    } else {
        format!("{seconds:.2} s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missed_is_told_and_only_counts_fail() {
        let rows = [
            Row::count("files", 8, 9, ""),
            Row::exact("writes", 0, 0),
            Row::time("start", "1 s", Duration::from_secs(1), Duration::from_millis(1500)),
            Row::shown("seen", "12"),
        ];
        let chapter = Chapter::new("Monitor", "", &rows);
        assert_eq!(chapter.missed.0, ["Monitor: files: 9, at most 8 wanted"]);
        assert_eq!(chapter.missed.1, ["Monitor: start: 1.50 s, 1 s wanted"]);
        assert_eq!(
            chapter.to_string(),
            "## Monitor\n\n\
             | what   | target    | measured | of target | met    |\n\
             | ------ | --------- | -------- | --------- | ------ |\n\
             | files  | at most 8 | 9        | 1.12      | **no** |\n\
             | writes | 0         | 0        |           | yes    |\n\
             | start  | 1 s       | 1.50 s   | 1.50      | **no** |\n\
             | seen   |           | 12       |           |        |\n"
        );
    }

    #[test]
    fn numbers_and_times_are_readable() {
        assert_eq!([0, 999, 1000, 202_752].map(number), ["0", "999", "1,000", "202,752"]);
        let times = [Duration::from_micros(420), Duration::from_micros(1500), Duration::from_millis(2500)];
        assert_eq!(times.map(duration), ["420 µs", "1.50 ms", "2.50 s"]);
    }
}
