//! Which events of a history are played, and the shortest choice of them that violates an invariant.
//!
//! Every event draws from numbers of its own, so that leaving one out does not change what the others are.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

/// One event of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Event {
    /// Its place in the history.
    pub(super) number: u64,
    /// Nothing else happens between the actions that follow from it.
    pub(super) alone: bool,
}

/// The events that are played: as text `3,7,9a`, where `a` means alone, or `none`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept(pub(super) Vec<Event>);

impl Kept {
    /// The first events, all of them.
    pub(super) fn first(count: u64) -> Self {
        Self((0..count).map(|number| Event { number, alone: false }).collect())
    }

    /// Fewer of them that still violate an invariant, until none can be left out. `violates` plays some, and says whether they do.
    pub(super) fn shortest<E>(&self, mut violates: impl FnMut(&Self) -> Result<bool, E>) -> Result<Self, E> {
        let mut kept = self.0.clone();
        let mut size = kept.len().div_ceil(2).max(1);
        loop {
            let before = kept.len();
            let mut at = 0;
            while at < kept.len() {
                let mut fewer = kept.clone();
                fewer.drain(at..(at + size).min(kept.len()));
                if violates(&Self(fewer.clone()))? {
                    kept = fewer;
                } else {
                    at += size;
                }
            }
            if size == 1 && kept.len() == before {
                break;
            }
            size = size.div_ceil(2);
        }
        for at in 0..kept.len() {
            let mut quieter = kept.clone();
            quieter[at].alone = true;
            if violates(&Self(quieter.clone()))? {
                kept = quieter;
            }
        }
        Ok(Self(kept))
    }
}

impl FromStr for Kept {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(Vec::new()));
        }
        let event = |word: &str| {
            let number = word.trim_end_matches('a');
            let parsed = number.parse().map_err(|_| format!("{word:?} is no event, such as 7 or 7a"))?;
            Ok(Event { number: parsed, alone: number.len() < word.len() })
        };
        text.split(',').map(event).collect::<Result<_, _>>().map(Self)
    }
}

impl Display for Kept {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let event = |event: &Event| format!("{}{}", event.number, if event.alone { "a" } else { "" });
        let events: Vec<String> = self.0.iter().map(event).collect();
        if events.is_empty() { f.write_str("none") } else { f.write_str(&events.join(",")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_needed_for_the_violation_is_kept() {
        let mut tries = 0;
        let short = Kept::first(40).shortest(|kept| {
            tries += 1;
            let there = |number| kept.0.iter().any(|event| event.number == number);
            // Something happens beside event 9.
            let busy = kept.0.iter().any(|event| event.number == 9 && !event.alone);
            Ok::<_, ()>(there(3) && there(21) && busy)
        });
        let short = short.unwrap();
        assert_eq!(short.to_string(), "3a,9,21a");
        assert!(tries < 120, "{tries}");
        assert_eq!(short.to_string().parse(), Ok(short));
        assert_eq!("none".parse(), Ok(Kept(Vec::new())));
    }
}
