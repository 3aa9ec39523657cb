//! The words of a statement.

use scst_core::scst::iscsi::UserKind;

/// The marks of the format before SCST 2.0, `[HANDLER vdisk]`.
const OLD: [&str; 3] = ["HANDLER", "GROUP", "ASSIGNMENT"];

/// The words of a statement: between double quotes, or without a blank.
pub(super) fn words(line: &str) -> Vec<String> {
    let blank = |letter: char| letter.is_ascii_whitespace() || letter == '\u{b}';
    let mut found = Vec::new();
    let mut rest = line.trim_start_matches(blank);
    while !rest.is_empty() {
        let (word, behind) = quoted(rest).unwrap_or_else(|| rest.split_at(rest.find(blank).unwrap_or(rest.len())));
        found.push(word.to_owned());
        rest = behind.trim_start_matches(blank);
    }
    found
}

/// What stands in quotes at the beginning of a text, and what follows; a backslash protects the character behind it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix('"')?;
    let mut letters = inside.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((&inside[..at], &inside[at + 1..])),
            '\\' => _ = letters.next(),
            _ => {}
        }
    }
    None
}

/// The first word of a mark of the old format: `[`, a word, blanks and more, `]`.
pub(super) fn old_format(line: &str) -> Option<&'static str> {
    let inside = line.split_once('[')?.1;
    let (inside, _) = inside.rsplit_once(']')?;
    OLD.into_iter().find(|word| inside.strip_prefix(word).is_some_and(|rest| rest.starts_with([' ', '\t'])))
}

/// The word that makes this text a statement of users, whose other words nobody may see; wherever it stands.
pub(super) fn of_users(text: &str) -> Option<&'static str> {
    let lower = text.to_ascii_lowercase();
    UserKind::ALL.into_iter().map(UserKind::word).find(|word| lower.contains(&word.to_ascii_lowercase()))
}

/// Words as a warning shows them: on one line, not endless, and of users none.
pub(super) fn shown(words: &str) -> String {
    if let Some(word) = of_users(words) {
        return format!("\"{word} ...\"");
    }
    let words = words.trim();
    let short: String = words.chars().take(60).collect();
    format!("{short:?}{}", if short.len() < words.len() { "..." } else { "" })
}
