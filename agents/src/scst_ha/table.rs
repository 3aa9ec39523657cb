//! Text in columns. What stands in it comes from hosts and from the cluster: nothing of it may end a line or drive the terminal.

use scst_core::ocf::exit::one_line;

use super::output::{Page, Tone, fold};

/// A table with a head.
#[derive(Debug)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table with these words above its columns.
    pub(super) fn new<S: ToString>(head: &[S]) -> Self {
        Self { rows: vec![head.iter().map(ToString::to_string).collect()] }
    }

    /// Adds a row. A cell that says nothing shows as a dash.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cell = |cell: String| if cell.is_empty() { "-".to_owned() } else { one_line(&cell) };
        self.rows.push(cells.into_iter().map(cell).collect());
    }

    /// The lines, each with this before it; nothing for a table that is only a head. Where the page is too narrow, cells of the widest
    /// columns are folded.
    pub(super) fn text(&self, indent: &str, page: Page) -> String {
        if self.rows.len() < 2 {
            return String::new();
        }
        let width =
            |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        let mut widths: Vec<usize> = (0..).map_while(width).collect();
        if let Some(wide) = page.width {
            narrow(&mut widths, wide.saturating_sub(indent.chars().count()));
        }
        let mut text = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            let cells: Vec<Vec<String>> = row.iter().zip(&widths).map(|(cell, width)| fold(cell, *width)).collect();
            for line in 0..cells.iter().map(Vec::len).max().unwrap_or(0) {
                let part = |(cell, width): (&Vec<String>, &usize)| {
                    format!("{:width$}", cell.get(line).map_or("", String::as_str))
                };
                let line = format!("{indent}{}", cells.iter().zip(&widths).map(part).collect::<Vec<_>>().join("  "));
                let line = line.trim_end();
                // Of the head each line by itself: nothing stays switched on over the end of one.
                text += &if number == 0 { page.paint(Tone::Faint, line) } else { line.to_owned() };
                text.push('\n');
            }
        }
        text
    }
}

/// A column is made no narrower than this, in characters.
const NARROWEST: usize = 12;

/// Takes from the widest columns until all fit.
fn narrow(widths: &mut [usize], wide: usize) {
    while widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1) > wide {
        match widths.iter_mut().max() {
            Some(widest) if *widest > NARROWEST => *widest -= 1,
            _ => return,
        }
    }
}

/// Sentences under a title, or nothing.
pub(super) fn list(page: Page, tone: Tone, indent: &str, title: &str, sentences: &[String]) -> String {
    if sentences.is_empty() {
        return String::new();
    }
    let lines = sentences.iter().map(|sentence| page.paragraph(&format!("{indent}  "), sentence));
    format!("{indent}{}\n{}", page.paint(tone, title), lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&["port", "id"]);
        assert_eq!(table.text("", Page::PLAIN), "");
        table.row(["Größe".to_owned(), String::new()]);
        table.row(["a".to_owned(), "101".to_owned()]);
        assert_eq!(table.text("  ", Page::PLAIN), "  port   id\n  Größe  -\n  a      101\n");
    }

    #[test]
    fn a_table_is_folded_where_the_page_ends() {
        let mut table = Table::new(&["port", "names"]);
        table.row(["a".to_owned(), "first second third fourth fifth".to_owned()]);
        let page = Page { width: Some(24), ..Page::PLAIN };
        assert_eq!(table.text("", page), "port  names\na     first second third\n      fourth fifth\n");
        assert!(table.text("", Page { width: Some(5), ..Page::PLAIN }).contains("first second"));
    }

    #[test]
    fn nothing_that_others_named_drives_the_terminal() {
        let evil = "a\u{1b}[2J\nb".to_owned();
        let mut table = Table::new(&["initiator"]);
        table.row([evil.clone()]);
        assert_eq!(
            table.text("", Page::PLAIN) + &list(Page::PLAIN, Tone::Strong, "", "title", &[evil]),
            "initiator\na [2J b\ntitle\n  a [2J b\n"
        );
    }
}
