//! Metrics as text: Prometheus' exposition format 0.0.4, which the textfile collector of `node_exporter` and `promtool check metrics` read.

use std::collections::BTreeMap;

/// What kind of numbers a family has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It goes up and down.
    Gauge,
    /// It only goes up, until its object is made anew.
    Counter,
}

/// All families of one run, in the order in which they were first named.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    families: Vec<Family>,
    places: BTreeMap<&'static str, usize>,
}

#[derive(Debug)]
struct Family {
    name: &'static str,
    help: &'static str,
    kind: Kind,
    samples: Vec<(String, f64)>,
}

impl Exposition {
    /// Adds a sample of a gauge.
    pub(super) fn gauge(&mut self, name: &'static str, help: &'static str, labels: &[(&str, &str)], value: f64) {
        self.sample(Kind::Gauge, name, help, labels, value);
    }

    /// Adds a sample of a counter, whose name ends in `_total`.
    pub(super) fn counter(&mut self, name: &'static str, help: &'static str, labels: &[(&str, &str)], value: f64) {
        self.sample(Kind::Counter, name, help, labels, value);
    }

    fn sample(&mut self, kind: Kind, name: &'static str, help: &'static str, labels: &[(&str, &str)], value: f64) {
        let next = self.families.len();
        let place = *self.places.entry(name).or_insert(next);
        if place == next {
            self.families.push(Family { name, help, kind, samples: Vec::new() });
        }
        let labels: Vec<String> =
            labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        self.families[place].samples.push((labels, value));
    }

    /// The text. A family is one piece, as the format asks for.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for Family { name, help, kind, samples } in &self.families {
            let kind = if *kind == Kind::Counter { "counter" } else { "gauge" };
            text +=
                &format!("# HELP {name} {}\n# TYPE {name} {kind}\n", help.replace('\\', "\\\\").replace('\n', "\\n"));
            samples.iter().for_each(|(labels, value)| text += &format!("{name}{labels} {value}\n"));
        }
        text
    }
}

/// A label's value: backslash, quote and newline are escaped.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// A number of things.
#[allow(clippy::cast_precision_loss, reason = "no machine has 2^53 of anything")]
pub(super) fn count(number: usize) -> f64 {
    number as f64
}

/// A number that the kernel counts.
#[allow(clippy::cast_precision_loss, reason = "Prometheus has no other numbers")]
pub(super) fn number(number: u64) -> f64 {
    number as f64
}

pub(super) fn flag(on: bool) -> f64 {
    f64::from(u8::from(on))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_one_piece_each_and_labels_are_escaped() {
        let mut all = Exposition::default();
        all.gauge("a", "A.", &[("x", "1\"\\\n")], 1.0);
        all.counter("b_total", "B.", &[], 1.5);
        all.gauge("a", "A.", &[], 1e15);
        assert_eq!(
            all.text(),
            "# HELP a A.\n# TYPE a gauge\na{x=\"1\\\"\\\\\\n\"} 1\na 1000000000000000\n# HELP b_total B.\n# TYPE b_total counter\nb_total 1.5\n"
        );
    }
}
