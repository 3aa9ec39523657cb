//! Prometheus' text format, read strictly: what `promtool check metrics` would refuse makes a test fail. And the part of its query language
//! that the alert rules are written in.

use std::collections::{BTreeMap, BTreeSet};

/// One sample.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) value: f64,
}

fn is_name(text: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    text.starts_with(letter) && text.chars().all(|c| letter(c) || c.is_ascii_digit())
}

/// Reads a page of metrics, and checks: every family is one piece, with help and type before its samples; names are names; a counter ends in
/// `_total` and nothing else does; no sample stands twice; the last line is ended.
#[track_caller]
pub(super) fn read(text: &str) -> Vec<Sample> {
    assert!(text.ends_with('\n') && !text.contains('\r'), "{text:?}");
    let (mut samples, mut seen, mut families) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    let mut family: Option<(String, Option<String>)> = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap_or_else(|| panic!("no help: {line}"));
            assert!(is_name(name) && help.ends_with('.'), "{line}");
            assert!(families.insert(name.to_owned()), "{name} comes in two pieces");
            family = Some((name.to_owned(), None));
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or_else(|| panic!("no type: {line}"));
            let (current, known) = family.as_mut().unwrap_or_else(|| panic!("type before help: {line}"));
            assert!(current == name && known.is_none(), "{line}");
            assert!(["gauge", "counter"].contains(&kind), "{line}");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
            *known = Some(kind.to_owned());
        } else {
            let sample = sample(line);
            let Some((current, Some(_))) = &family else { panic!("sample before its type: {line}") };
            assert_eq!(*current, sample.name, "{line}");
            assert!(seen.insert((sample.name.clone(), sample.labels.clone())), "twice: {line}");
            samples.push(sample);
        }
    }
    samples
}

fn sample(line: &str) -> Sample {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no value: {line}"));
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = BTreeMap::new();
    if let Some(mut inside) = rest.strip_prefix('{') {
        while !inside.starts_with('}') {
            let (label, value) = inside.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
            assert!(is_name(label) && !label.starts_with("__"), "{line}");
            let mut text = String::new();
            let mut letters = value.char_indices();
            let end = loop {
                match letters.next().unwrap_or_else(|| panic!("open quote: {line}")) {
                    (at, '"') => break at + 1,
                    (_, '\\') => match letters.next().map(|(_, letter)| letter) {
                        Some('n') => text.push('\n'),
                        Some(letter @ ('\\' | '"')) => text.push(letter),
                        other => panic!("escape {other:?}: {line}"),
                    },
                    (_, letter) => text.push(letter),
                }
            };
            assert!(labels.insert(label.to_owned(), text).is_none(), "label twice: {line}");
            inside = &value[end..];
            inside = inside.strip_prefix(',').unwrap_or(inside);
        }
        rest = &inside[1..];
    }
    let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("no blank: {line}"));
    Sample { name: name.to_owned(), labels, value: value.parse().unwrap_or_else(|_| panic!("no number: {line}")) }
}

/// What an alert rule says: its name and its expression.
pub(super) fn alerts(file: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for line in file.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("- alert: ") {
            found.push((name.to_owned(), String::new()));
        } else if let Some(expression) = line.strip_prefix("expr: ") {
            expression.clone_into(&mut found.last_mut().expect("an alert comes first").1);
        }
    }
    found
}

/// Whether an expression holds for any series: `metric{label="value"} == number`, or such a sum by a label.
#[track_caller]
pub(super) fn holds(expression: &str, samples: &[Sample]) -> bool {
    let operator = [" == ", " > ", " < "].into_iter().find(|operator| expression.contains(operator));
    let operator = operator.unwrap_or_else(|| panic!("no comparison that this test knows: {expression}"));
    let (left, right) = expression.split_once(operator).unwrap();
    let limit: f64 = right.parse().unwrap_or_else(|_| panic!("no number: {expression}"));
    let compare = |value: f64| match operator {
        " == " => (value - limit).abs() < f64::EPSILON,
        " > " => value > limit,
        _ => value < limit,
    };
    if let Some(sum) = left.strip_prefix("sum by (") {
        let (by, inside) = sum.split_once(") (").unwrap_or_else(|| panic!("no sum that this test knows: {expression}"));
        let mut sums: BTreeMap<String, f64> = BTreeMap::new();
        for sample in select(inside.trim_end_matches(')'), samples) {
            *sums.entry(sample.labels.get(by).cloned().unwrap_or_default()).or_default() += sample.value;
        }
        return sums.values().any(|value| compare(*value));
    }
    select(left, samples).into_iter().any(|sample| compare(sample.value))
}

/// The series of a selector.
fn select<'s>(selector: &str, samples: &'s [Sample]) -> Vec<&'s Sample> {
    let (name, matchers) = selector.split_once('{').unwrap_or((selector, ""));
    assert!(is_name(name), "no selector that this test knows: {selector}");
    let matchers: Vec<(&str, &str)> = matchers
        .trim_end_matches('}')
        .split(',')
        .filter(|matcher| !matcher.is_empty())
        .map(|matcher| {
            matcher.split_once('=').map(|(label, value)| (label, value.trim_matches('"'))).expect("label=\"value\"")
        })
        .collect();
    let fits = |sample: &&Sample| {
        sample.name == name
            && matchers.iter().all(|(label, value)| sample.labels.get(*label).is_some_and(|has| has == value))
    };
    samples.iter().filter(fits).collect()
}

#[test]
fn the_format_is_read_strictly() {
    let good = "# HELP a A.\n# TYPE a gauge\na{x=\"1\\n\\\"\"} 1\na 2.5\n";
    assert_eq!(read(good).len(), 2);
    assert!(holds("a{x=\"9\"} == 1", &read(good)) == holds("a == 3", &read(good)));
    assert!(holds("a > 2", &read(good)) && holds("sum by (y) (a) == 3.5", &read(good)));
    for bad in [
        "a 1\n",
        "# HELP a A.\n# TYPE a gauge\na 1",
        "# HELP a A.\n# TYPE a counter\na 1\n",
        "# HELP a A.\n# TYPE a gauge\na 1\na 1\n",
        "# HELP a A.\n# TYPE a gauge\na{x=\"1} 1\n",
        "# HELP a A.\n# TYPE a gauge\nb 1\n",
    ] {
        assert!(std::panic::catch_unwind(|| read(bad)).is_err(), "{bad:?}");
    }
}
