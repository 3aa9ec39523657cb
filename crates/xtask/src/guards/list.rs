//! The rows of the differences and the guards that keep what they promise.

use std::error::Error;
use std::fs;

use serde::Deserialize;

use crate::workspace;

/// The file of guards.
const GUARDS: &str = "crates/xtask/guards.toml";

/// Where the rows are.
const ROWS: &str = "docs/differences.md";

/// One place in the product, and what it would be without the guard.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Guard {
    /// The ids of the rows whose promise it keeps.
    pub(super) ids: Vec<String>,
    /// The story that must notice its absence: module and name below `tests/guards`.
    pub(super) test: String,
    /// The file of the product.
    pub(super) file: String,
    /// The text to be replaced, which the file holds exactly once.
    pub(super) find: String,
    /// What stands there instead.
    pub(super) replace: String,
    /// What of the row is not there yet, in a sentence: it then counts as not proven, whatever the story says.
    pub(super) open: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    guard: Vec<Guard>,
}

/// One row of the differences: the ids in its first column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row(Vec<String>);

/// All guards.
pub(super) fn guards() -> Result<Vec<Guard>, Box<dyn Error>> {
    let text = fs::read_to_string(workspace::root().join(GUARDS))?;
    let file: File = toml::from_str(&text).map_err(|error| format!("{GUARDS}: {error}"))?;
    Ok(file.guard)
}

/// All rows.
pub(super) fn rows() -> Result<Vec<Row>, Box<dyn Error>> {
    let text = fs::read_to_string(workspace::root().join(ROWS))?;
    Ok(text.lines().filter_map(Row::parse).collect())
}

impl Guard {
    pub(super) fn ids(&self) -> String {
        self.ids.join(" ")
    }

    /// The story's name in the program of all stories.
    pub(super) fn test_name(&self) -> String {
        format!("guards::{}", self.test)
    }

    /// File and beginning of the text that is taken out.
    pub(super) fn place(&self) -> String {
        let line = self.find.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        format!("{}: {line}", self.file)
    }

    /// The file without the guard.
    pub(super) fn take_out(&self, whole: &str) -> Result<String, String> {
        match whole.matches(&self.find).count() {
            1 => Ok(whole.replacen(&self.find, &self.replace, 1)),
            count => Err(format!("{} holds this {count} times: {:?}", self.file, self.find)),
        }
    }
}

impl Row {
    /// A line of a table whose first column is one id or several.
    fn parse(line: &str) -> Option<Self> {
        let ids: Vec<String> = line.strip_prefix("| ")?.split(" |").next()?.split(", ").map(str::to_owned).collect();
        let is_id = |id: &String| {
            let number = id.strip_prefix(|letter: char| letter.is_ascii_uppercase());
            number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
        };
        ids.iter().all(is_id).then_some(Self(ids))
    }

    pub(super) fn name(&self) -> String {
        self.0.join(", ")
    }

    /// Whether one of these words asks for the row; no word asks for all.
    pub(super) fn is_one_of(&self, words: &[String]) -> bool {
        words.is_empty() || words.iter().any(|word| self.0.iter().any(|id| id.eq_ignore_ascii_case(word)))
    }

    pub(super) fn concerns(&self, guard: &Guard) -> bool {
        self.0.iter().any(|id| guard.ids.contains(id))
    }

    /// Every id has a guard, and the story of each was seen to fail without it.
    pub(super) fn is_proven(&self, seen: &[(&Guard, bool)]) -> bool {
        self.0.iter().all(|id| {
            let mut concerned = seen.iter().filter(|(guard, _)| guard.ids.contains(id)).peekable();
            concerned.peek().is_some() && concerned.all(|(guard, proven)| *proven && guard.open.is_none())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Module and name of every story.
    fn stories() -> BTreeSet<String> {
        let directory = workspace::root().join("tests/guards");
        let mut stories = BTreeSet::new();
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let module = path.file_stem().unwrap().to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).unwrap();
            let names = text.split("#[test]\nfn ").skip(1).filter_map(|rest| rest.split_once('('));
            stories.extend(names.map(|(name, _)| format!("{module}::{name}")));
        }
        stories
    }

    #[test]
    fn every_row_has_a_guard_and_every_guard_a_row() {
        let of_rows: BTreeSet<String> = rows().unwrap().into_iter().flat_map(|row| row.0).collect();
        let of_guards: BTreeSet<String> = guards().unwrap().into_iter().flat_map(|guard| guard.ids).collect();
        assert!(of_rows.len() > 60, "{of_rows:?}");
        assert_eq!(of_guards, of_rows);
    }

    #[test]
    fn every_guard_is_where_the_list_says() {
        let wrong = |guard: Guard| {
            let whole = fs::read_to_string(workspace::root().join(&guard.file)).unwrap_or_default();
            match guard.take_out(&whole) {
                Err(why) => Some(format!("{}: {why}", guard.ids())),
                Ok(without) => (without == whole).then(|| format!("{}: nothing is taken out", guard.ids())),
            }
        };
        let wrong: Vec<String> = guards().unwrap().into_iter().filter_map(wrong).collect();
        assert!(wrong.is_empty(), "the product has changed, so must {GUARDS}:\n{}", wrong.join("\n"));
    }

    #[test]
    fn every_story_is_named_after_its_row_and_has_a_guard() {
        let guards = guards().unwrap();
        let named: BTreeSet<String> = guards.iter().map(|guard| guard.test.clone()).collect();
        assert_eq!(named, stories());
        for guard in guards {
            let name = guard.test.split("::").nth(1).unwrap();
            let ids = guard.ids.join("_").to_ascii_lowercase();
            assert!(name.starts_with(&format!("{ids}_")), "{name} tells of {}", guard.ids());
        }
    }

    #[test]
    fn a_row_is_proven_when_all_of_its_guards_are() {
        let row = Row::parse("| F12, F13 | shell | ours |").unwrap();
        assert_eq!(row.name(), "F12, F13");
        for line in ["| id | shell agent | these agents |", "| --- | --- |", "F1 |", "| F | x |"] {
            assert_eq!(Row::parse(line), None, "{line}");
        }
        assert!(row.is_one_of(&[]) && row.is_one_of(&["f13".into()]) && !row.is_one_of(&["F1".into()]));
        let guard = |id: &str, open: Option<&str>| Guard {
            ids: vec![id.into()],
            test: String::new(),
            file: String::new(),
            find: "a".into(),
            replace: "b".into(),
            open: open.map(str::to_owned),
        };
        let (twelve, thirteen, open) = (guard("F12", None), guard("F13", None), guard("F13", Some("not there")));
        assert!(row.is_proven(&[(&twelve, true), (&thirteen, true)]));
        assert!(!row.is_proven(&[(&twelve, true), (&thirteen, false)]));
        assert!(!row.is_proven(&[(&twelve, true), (&twelve, true)]));
        assert!(!row.is_proven(&[(&twelve, true), (&open, true)]));
        assert_eq!(twelve.take_out("xax"), Ok("xbx".into()));
        assert!(twelve.take_out("xaxa").is_err() && twelve.take_out("x").is_err());
    }
}
