//! The table of exit reasons has a cure for each: for every one that the source of the agents can make, which is looked for here, and
//! for each that happens in a scenario, for which `Outcome::exit` asks.

use std::fs;
use std::path::{Path, PathBuf};

use agents::exit_reasons::{CHAPTERS, find};
use scst_core::cluster::TARGETPORTS;

/// The calls whose texts become exit reasons, or parts of them, each with what stands before the text in the reason.
const MAKERS: [(&str, &str); 24] = [
    ("Failure::new(", ""),
    ("Failure::generic(", ""),
    ("Failure::args(", ""),
    ("Failure::installed(", ""),
    ("Failure::configured(", ""),
    ("Failure::not_running(", ""),
    ("Finding::error(", ""),
    ("Finding::warning(", ""),
    ("Finding::advice(", ""),
    ("Remark::new(", ""),
    ("NameError::Form(", "not "),
    ("#[error(", ""),
    // Where a text goes through a variable, or a helper, before it gets there.
    ("reason: format!(", ""),
    ("faults.push(", ""),
    ("get_or_insert(", ""),
    ("drop_flag(", ""),
    ("broken(", ""),
    ("Some(format!(", ""),
    ("wrong.push(", ""),
    ("conflicts.push(", ""),
    ("absent(", ""),
    ("|why| format!(", ""),
    (".then(|| format!(", ""),
    // A function that makes a sentence and nothing else.
    ("-> String {\nformat!(", ""),
];

/// Texts of such functions that name an object inside of a reason.
const OBJECTS: [&str; 2] = ["initiator group … of port …", "target group … of device group …"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Whether the table tells what to do about this reason.
pub(crate) fn has_cure(reason: &str) -> bool {
    find(reason).is_some_and(|row| row.fits(reason))
}

/// The agents' sources without comments and unit tests, a literal of several lines as one.
fn sources() -> String {
    let mut text = String::new();
    let mut directories = vec![root().join("agents/src"), root().join("crates/scst-core/src")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap().map(Result::unwrap) {
            let path = entry.path();
            // The operators' tool is no agent and has no exit reasons, and the table is what they are compared with.
            if path.is_dir() && !path.ends_with("scst_ha") && !path.ends_with("exit_reasons") {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = fs::read_to_string(&path).unwrap();
                let product = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
                let code = product.lines().map(str::trim).filter(|line| !line.starts_with("//"));
                text.extend(code.map(|line| line.strip_suffix('\\').map_or(format!("{line}\n"), str::to_owned)));
            }
        }
    }
    // Constants that are words of the reason.
    text.replace("{TARGETPORTS}", TARGETPORTS).replace("{INITIATORS}", "initiators")
}

/// The string literals up to the closing parenthesis.
fn literals(call: &str) -> Vec<String> {
    let (mut found, mut depth, mut open) = (Vec::new(), 1, None::<String>);
    let mut letters = call.chars();
    while let Some(letter) = letters.next() {
        match (&mut open, letter) {
            (Some(text), '\\') => text.extend(letters.next()),
            (Some(_), '"') => found.extend(open.take()),
            (Some(text), _) => text.push(letter),
            (None, '"') => open = Some(String::new()),
            (None, '(') => depth += 1,
            (None, ')') if depth == 1 => break,
            (None, ')') => depth -= 1,
            (None, _) => {}
        }
    }
    found
}

/// A literal as it is printed, with something in every place that is filled in.
fn filled(literal: &str) -> String {
    let mut parts = literal.split('{');
    let start = parts.next().unwrap_or_default().to_owned();
    parts.fold(start, |text, part| text + "…" + part.split_once('}').map_or(part, |(_, rest)| rest))
}

/// Every phrase of the source that is a reason, or the part of one that tells it from others.
fn phrases(sources: &str) -> Vec<String> {
    let calls = MAKERS.iter().flat_map(|(maker, before)| {
        sources.split(maker).skip(1).flat_map(literals).map(move |literal| format!("{before}{}", filled(&literal)))
    });
    let reasons = sources.split("let reason = ").skip(1).map(|text| text.split(";\n").next().unwrap_or_default());
    let variables = reasons.flat_map(literals).map(|literal| filled(&literal));
    let words = |phrase: &String| phrase.split([' ', '…']).filter(|word| word.chars().any(char::is_alphabetic)).count();
    // A path has no blank.
    let is_reason = |phrase: &String| words(phrase) > 1 && phrase.contains(' ') && !OBJECTS.contains(&phrase.as_str());
    let mut phrases: Vec<String> = calls.chain(variables).filter(is_reason).collect();
    phrases.sort();
    phrases.dedup();
    phrases
}

#[test]
fn every_reason_that_the_source_makes_has_a_cure() {
    let phrases = phrases(&sources());
    assert!(phrases.len() > 90, "{phrases:#?}");
    let missing: Vec<&String> = phrases.iter().filter(|phrase| !has_cure(phrase)).collect();
    assert!(missing.is_empty(), "agents/src/exit_reasons does not know {missing:#?}");
}

#[test]
fn every_row_is_about_this_source() {
    let sources = sources().replace("\\\"", "\"");
    let said = |part: &str| sources.contains(part.trim().trim_start_matches("not "));
    let rows = CHAPTERS.iter().flat_map(|chapter| &chapter.reasons).map(|reason| reason.text);
    let stale: Vec<&str> = rows.filter(|row| !row.split('…').all(said)).collect();
    assert!(stale.is_empty(), "no source says {stale:#?}");
}

#[test]
fn a_reason_that_is_not_in_the_table_is_noticed() {
    assert!(!has_cure("") && !has_cure("the moon is full"));
    assert!(has_cure("port 21:00:00:24:ff:60:d0:10 is not enabled (held by nobody)"));
    assert!(!has_cure("port 21:00:00:24:ff:60:d0:10 is not"));
    let source = "return Err(Failure::generic(format!(\"port {port} sleeps\", f(\"x (y\"))).with_hint(\"wake it up\"));\n\
                  let reason = if a { \"is so\" } else { format!(\"is {other:?} so\") };\n";
    assert_eq!(phrases(source), ["is so", "is … so", "port … sleeps", "x (y"]);
}
