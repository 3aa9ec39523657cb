//! The command `pr` of the control file: what a logged-in host asks about persistent reservations.

use super::refused::{Refused, failed, number};
use crate::model::{PrAnswer, PrCommand};
use crate::served::Served;

/// Carries out `pr DRIVER TARGET SESSION LUN COMMAND`; answers what the host is told.
pub(super) fn command(served: &mut Served, words: &[&str]) -> Result<String, Refused> {
    let [driver, target, session, lun, asked @ ..] = words else {
        return Err(Refused::syntax("pr needs DRIVER TARGET SESSION LUN COMMAND"));
    };
    let asked = parse(asked)?;
    let answer = served.machine.persistent_reserve(driver, target, session, number(lun)?, asked);
    answer.map(|answer| text(&answer)).map_err(|errno| failed("cannot send a command", errno))
}

fn parse(words: &[&str]) -> Result<PrCommand, Refused> {
    let key = |word: &str| {
        u64::from_str_radix(word, 16).map_err(|_| Refused::syntax(format!("{word:?} is not a hexadecimal key")))
    };
    Ok(match words {
        ["register", old, new] => PrCommand::Register { key: old_key(old, key)?, new: key(new)?, aptpl: false },
        ["register", old, new, "aptpl"] => PrCommand::Register { key: old_key(old, key)?, new: key(new)?, aptpl: true },
        ["reserve", own, kind] => PrCommand::Reserve { key: key(own)?, kind: number(kind)? },
        ["release", own, kind] => PrCommand::Release { key: key(own)?, kind: number(kind)? },
        ["clear", own] => PrCommand::Clear { key: key(own)? },
        ["preempt", own, new, kind] => PrCommand::Preempt { key: key(own)?, new: key(new)?, kind: number(kind)? },
        ["keys"] => PrCommand::ReadKeys,
        ["reservation"] => PrCommand::ReadReservation,
        _ => return Err(Refused::syntax(format!("pr has no command {:?}", words.join(" ")))),
    })
}

/// The key that is registered, or `*` not to ask for it.
fn old_key(word: &str, key: impl Fn(&str) -> Result<u64, Refused>) -> Result<Option<u64>, Refused> {
    if word == "*" { Ok(None) } else { key(word).map(Some) }
}

fn text(answer: &PrAnswer) -> String {
    match answer {
        PrAnswer::Good => "good".to_owned(),
        PrAnswer::Conflict => "conflict".to_owned(),
        PrAnswer::Check(key, code, qualifier) => format!("check {key:x}/{code:02x}/{qualifier:02x}"),
        PrAnswer::Keys(generation, keys) => {
            let keys: Vec<String> = keys.iter().map(|key| format!("{key:016x}")).collect();
            format!("generation {generation} keys {}", keys.join(" "))
        }
        PrAnswer::Reservation(generation, None) => format!("generation {generation} no reservation"),
        PrAnswer::Reservation(generation, Some((key, scope, kind))) => {
            format!("generation {generation} key {key:016x} scope {scope} type {kind}")
        }
    }
}
