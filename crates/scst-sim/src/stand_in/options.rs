//! Command lines as the cluster tools read them: long options with `=` or a following word, short ones in clusters.
//!
//! An option is a text, in the words of getopt(3): its letters and long names without dashes, of which the first long one is the name it
//! is kept under; a colon behind them says that it takes a value, two colons that it takes one only behind `=`.

/// Whether an option takes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    /// Never.
    None,
    /// Always, behind `=` or in the next word.
    Needed,
    /// Only behind `=`.
    Optional,
}

/// What a command line said.
#[derive(Debug, Default)]
pub(super) struct Given {
    options: Vec<(&'static str, Option<String>)>,
}

impl Given {
    /// Reads a command line; an error is the word that is not understood.
    pub(super) fn parse(args: &[String], known: &[&'static str]) -> Result<Self, String> {
        let mut given = Self::default();
        let mut words = args.iter();
        while let Some(word) = words.next() {
            if let Some(long) = word.strip_prefix("--") {
                let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
                let (option, takes) = find(known, name).filter(|_| name.len() > 1).ok_or_else(|| word.clone())?;
                let value = match (takes, value) {
                    (Value::None, Some(_)) => return Err(word.clone()),
                    (Value::Needed, None) => Some(words.next().ok_or_else(|| word.clone())?.clone()),
                    (_, value) => value.map(str::to_owned),
                };
                given.options.push((option, value));
            } else if let Some(short) = word.strip_prefix('-').filter(|short| !short.is_empty()) {
                for (at, letter) in short.char_indices() {
                    let letters = &mut [0; 4];
                    let (option, takes) =
                        find(known, letter.encode_utf8(letters)).ok_or_else(|| format!("-{letter}"))?;
                    if takes != Value::Needed {
                        given.options.push((option, None));
                        continue;
                    }
                    let behind = &short[at + letter.len_utf8()..];
                    let value = if behind.is_empty() {
                        words.next().ok_or_else(|| word.clone())?.clone()
                    } else {
                        behind.to_owned()
                    };
                    given.options.push((option, Some(value)));
                    break;
                }
            }
        }
        Ok(given)
    }

    /// The option was given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.options.iter().any(|(option, _)| *option == name)
    }

    /// The value of the last such option.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.options.iter().rev().find(|(option, _)| *option == name).and_then(|(_, value)| value.as_deref())
    }
}

/// The name of the option with this spelling, and whether it takes a value.
fn find(known: &[&'static str], spelling: &str) -> Option<(&'static str, Value)> {
    let option = known.iter().find(|option| option.trim_end_matches(':').split(' ').any(|word| word == spelling))?;
    let takes = match option.bytes().filter(|byte| *byte == b':').count() {
        0 => Value::None,
        1 => Value::Needed,
        _ => Value::Optional,
    };
    Some((option.trim_end_matches(':').split(' ').find(|word| word.len() > 1)?, takes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["G query", "v update:", "p promotion::"];

    fn parse(line: &str) -> Result<Given, String> {
        Given::parse(&line.split(' ').map(str::to_owned).collect::<Vec<_>>(), KNOWN)
    }

    #[test]
    fn every_way_to_give_a_value() {
        for line in ["-v 5", "-v5", "--update 5", "--update=5", "-Gv5"] {
            assert_eq!(parse(line).expect(line).value("update"), Some("5"), "{line}");
        }
    }

    #[test]
    fn an_optional_value_only_counts_behind_an_equals_sign() {
        let given = parse("--promotion -v 5").expect("both known");
        assert!(given.has("promotion"));
        assert_eq!(given.value("promotion"), None);
        assert_eq!(parse("--promotion=r").expect("known").value("promotion"), Some("r"));
    }

    #[test]
    fn what_is_not_known_is_named() {
        assert_eq!(parse("--bogus").expect_err("unknown"), "--bogus");
        assert_eq!(parse("-x").expect_err("unknown"), "-x");
        assert_eq!(parse("--update").expect_err("no value"), "--update");
        assert_eq!(parse("--query=1").expect_err("takes none"), "--query=1");
    }
}
