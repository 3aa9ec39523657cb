//! Small texts of scenario files and of the control file: durations, errno names, lines of `key=value`.

use std::time::Duration;

use nix::errno::Errno;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

/// A duration such as `200ms`, `1.5s`, `2m`; a bare number means seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let unknown = || format!("duration {text:?} is not a number with ms, s or m");
    let (number, seconds) = if let Some(number) = text.strip_suffix("ms") {
        (number, 0.001)
    } else if let Some(number) = text.strip_suffix('s') {
        (number, 1.0)
    } else if let Some(number) = text.strip_suffix('m') {
        (number, 60.0)
    } else {
        (text, 1.0)
    };
    let number: f64 = number.trim().parse().map_err(|_| unknown())?;
    Duration::try_from_secs_f64(number * seconds).map_err(|_| unknown())
}

/// The errno of that name, such as `EBUSY`.
pub fn errno_named(name: &str) -> Option<Errno> {
    let last = 133;
    (1..=last).map(Errno::from_raw).find(|errno| *errno != Errno::UnknownErrno && format!("{errno:?}") == name)
}

/// Cuts a line into words at white space; double quotes hold blanks together and vanish.
pub(crate) fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quoted) = (None::<String>, false);
    for letter in line.chars() {
        match letter {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            blank if blank.is_whitespace() && !quoted => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

/// Reads a line of `key=value` words as the table it would be in a scenario file.
pub(crate) fn parse<T: DeserializeOwned>(line: &str) -> Result<T, String> {
    let mut table = Table::new();
    for word in split(line) {
        let (key, value) = word.split_once('=').ok_or_else(|| format!("{word:?} is not key=value"))?;
        let value = match value.parse::<i64>() {
            Ok(number) => Value::Integer(number),
            Err(_) => value.parse::<bool>().map_or_else(|_| Value::String(value.to_owned()), Value::Boolean),
        };
        if table.insert(key.to_owned(), value).is_some() {
            return Err(format!("{key:?} is given twice"));
        }
    }
    T::deserialize(table).map_err(|error| error.to_string().trim_end().replace('\n', ", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("200ms"), Ok(Duration::from_millis(200)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("2m"), Ok(Duration::from_mins(2)));
        assert_eq!(duration("3"), Ok(Duration::from_secs(3)));
        for bad in ["", "s", "-1s", "1h", "inf"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn errnos_have_names() {
        assert_eq!(errno_named("EBUSY"), Some(Errno::EBUSY));
        assert_eq!(errno_named("EMEDIUMTYPE"), Some(Errno::EMEDIUMTYPE));
        assert_eq!(errno_named("UnknownErrno"), None);
        assert_eq!(errno_named("ebusy"), None);
    }

    #[test]
    fn words_may_be_quoted() {
        assert_eq!(split(r#" plug  speed="16 Gbit" state="" "#), ["plug", "speed=16 Gbit", "state="]);
    }
}
