//! `docs/operations.md` knows a cure for every exit reason: for each that the source of the agents can make, which is looked for
//! here, and for each that happens in a story, for which `Outcome::exit` asks.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use scst_core::cluster::TARGETPORTS;

/// The calls whose texts become exit reasons, or parts of them, each with what stands before the text in the reason.
const MAKERS: [(&str, &str); 18] = [
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
];

/// The first cells of the tables in the chapter about exit reasons: the reasons, with `…` for what differs.
static ROWS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let document = fs::read_to_string(root().join("docs/operations.md")).expect("the document is there");
    let (_, chapter) = document.split_once("\n## Exit reasons\n").expect("the chapter is there");
    let chapter = chapter.split("\n## ").next().unwrap_or_default();
    let cell = |line: &str| Some(line.strip_prefix("| `")?.split_once("` | ")?.0.to_owned());
    chapter.lines().filter_map(cell).collect()
});

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Whether the document tells what to do about this reason.
pub(crate) fn has_cure(reason: &str) -> bool {
    // Who holds it is told at the end, whatever it is.
    let reason = reason.split(" (held by ").next().unwrap_or_default();
    ROWS.iter().any(|row| fits(row, reason))
}

/// Whether a text has the parts of a row in their order, and begins and ends as the row does.
fn fits(row: &str, text: &str) -> bool {
    let mut parts: Vec<&str> = row.split('…').map(str::trim).collect();
    let last = parts.pop().unwrap_or_default();
    let Some((first, middle)) = parts.split_first() else { return text == last };
    let inner = |rest: &str, part: &&str| rest.find(*part).map(|at| at + part.len());
    text.strip_prefix(first)
        .and_then(|rest| middle.iter().try_fold(rest, |rest, part| inner(rest, part).map(|at| &rest[at..])))
        .is_some_and(|rest| rest.ends_with(last))
}

/// The agents' sources without comments and unit tests, a literal of several lines as one.
fn sources() -> String {
    let mut text = String::new();
    let mut directories = vec![root().join("agents/src"), root().join("crates/scst-core/src")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap().map(Result::unwrap) {
            let path = entry.path();
            // The operators' tool is no agent and has no exit reasons.
            if path.is_dir() && !path.ends_with("scst_ha") {
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
    let mut phrases: Vec<String> = calls.chain(variables).filter(|phrase| words(phrase) > 1).collect();
    phrases.sort();
    phrases.dedup();
    phrases
}

#[test]
fn every_reason_that_the_source_makes_has_a_cure() {
    let phrases = phrases(&sources());
    assert!(phrases.len() > 90, "{phrases:#?}");
    let missing: Vec<&String> = phrases.iter().filter(|phrase| !has_cure(phrase)).collect();
    assert!(missing.is_empty(), "docs/operations.md, \"Exit reasons\", does not know {missing:#?}");
}

#[test]
fn every_row_is_about_this_source() {
    let sources = sources().replace("\\\"", "\"");
    let said = |part: &str| sources.contains(part.trim().trim_start_matches("not "));
    let stale: Vec<&String> = ROWS.iter().filter(|row| !row.split('…').all(said)).collect();
    assert!(stale.is_empty(), "no source says {stale:#?}");
}

#[test]
fn a_reason_that_is_not_in_the_document_is_noticed() {
    assert!(!has_cure("") && !has_cure("the moon is full"));
    assert!(has_cure("port 21:00:00:24:ff:60:d0:10 is not enabled (held by nobody)"));
    assert!(!has_cure("port 21:00:00:24:ff:60:d0:10 is not"));
    assert!(fits("a …: b", "a x: y: b") && fits("… b", "a b") && fits("a", "a"));
    assert!(!fits("a …: b", "a x: b y") && !fits("a", "ab") && !fits("a … b … c", "a c b c d"));
    let source = "return Err(Failure::generic(format!(\"port {port} sleeps\", f(\"x (y\"))).with_hint(\"wake it up\"));\n\
                  let reason = if a { \"is so\" } else { format!(\"is {other:?} so\") };\n";
    assert_eq!(phrases(source), ["is so", "is … so", "port … sleeps", "x (y"]);
}
