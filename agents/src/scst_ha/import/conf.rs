//! `scst.conf` as scstadmin reads it (`readConfigFile`, `parseStanza` and `parseLine` of its Perl program), which is often not as it
//! looks. Every place where the two differ is a warning with its line.
//!
//! A line loses what follows a `#`, with the character before it; each backslash goes and what follows it stays. Then single
//! characters count: `{` begins a block with the words before it on the line, `}` ends it and drops words that stand before it,
//! a newline ends a statement. Of a statement the first three words count, and a later statement of the same words replaces an
//! earlier one with everything in it. What the last line says is lost if no newline ends it.

mod reader;
mod words;

use std::collections::BTreeMap;

use serde::Serialize;

pub use self::reader::parse;
use self::words::{of_users, shown, words};

/// So many warnings are kept; more say nothing new.
const MAX_WARNINGS: usize = 200;

/// What scstadmin makes of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conf {
    /// Everything that counts.
    pub root: Block,
    /// Where the file means something else than it seems to.
    pub warnings: Vec<Warning>,
    /// How many warnings there were beyond those kept.
    pub more_warnings: usize,
}

/// A place where the file means something else than it seems to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// The line, from 1.
    pub line: usize,
    /// What is different.
    pub text: String,
}

/// A word and what stands below it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Block {
    /// The words that follow, or the statements of a block.
    pub below: BTreeMap<String, Block>,
    /// The line that said it last, from 1.
    pub line: usize,
}

impl Block {
    /// What stands below that word.
    pub fn get(&self, word: &str) -> Option<&Self> {
        self.below.get(word)
    }

    /// The words below that one, in the order of their lines.
    pub fn each(&self, word: &str) -> Vec<(&str, &Self)> {
        let below = self.get(word).into_iter().flat_map(|block| &block.below);
        let mut found: Vec<(&str, &Self)> = below.map(|(name, block)| (name.as_str(), block)).collect();
        found.sort_by_key(|(_, block)| block.line);
        found
    }
}

impl Conf {
    fn warn(&mut self, line: usize, text: &str) {
        if self.warnings.len() < MAX_WARNINGS {
            self.warnings.push(Warning { line, text: text.to_owned() });
        } else {
            self.more_warnings += 1;
        }
    }

    /// Adds a statement to a block.
    fn state(&mut self, block: &mut Block, line: &str, child: Block, number: usize) {
        let words = words(line);
        if words.is_empty() {
            return;
        }
        if words.len() > 3 {
            let lost = if of_users(line).is_some() { "what follows".to_owned() } else { shown(&words[3..].join(" ")) };
            self.warn(number, &format!("only three words count: {lost} is passed over"));
        }
        let path = &words[..words.len().min(3)];
        let mut at = block;
        for word in &path[..path.len() - 1] {
            at = at.below.entry(word.clone()).or_insert_with(|| Block { line: number, ..Block::default() });
        }
        let earlier = at.below.insert(path[path.len() - 1].clone(), Block { line: number, ..child });
        let Some(earlier) = earlier else { return };
        let same = at.below[&path[path.len() - 1]].below == earlier.below;
        if !same && !earlier.below.is_empty() {
            let said = shown(&path.join(" "));
            self.warn(number, &format!("{said} replaces that of line {}, with everything in it", earlier.line));
        }
    }
}

#[cfg(test)]
mod tests;
