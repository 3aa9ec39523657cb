//! Steps about persistent reservations: commands of hosts, and the files they are kept in.

use sha2::{Digest, Sha256};

use super::player::{Misfit, Player, name_of};
use super::recording::Env;
use super::surface::Surface;
use crate::model::{Host, PrAnswer, PrCommand};

/// How many bytes of a digest recordings hold.
const SHOWN: usize = 8;

/// What recordings hold of a file's SHA-256, in hexadecimal.
fn digest(content: &[u8]) -> String {
    let digits: Vec<String> = Sha256::digest(content).iter().take(SHOWN).map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

impl<S: Surface> Player<S> {
    /// A PERSISTENT RESERVE command of a host.
    pub(super) fn persistent_reserve(&mut self, env: &Env) -> Result<String, Misfit> {
        let key = |text: &Option<String>| {
            let text = text.as_deref().unwrap_or("0");
            u64::from_str_radix(text, 16).map_err(|_| Misfit::new("a hexadecimal key", text))
        };
        let (own, new, kind) = (key(&env.key)?, key(&env.new)?, env.reservation.unwrap_or_default());
        let aptpl = env.aptpl.unwrap_or_default() != 0;
        let command = match env.asked.as_deref().unwrap_or_default() {
            "register" => PrCommand::Register { key: Some(own), new, aptpl },
            "register_ignore" | "ignore" => PrCommand::Register { key: None, new, aptpl },
            "reserve" => PrCommand::Reserve { key: own, kind },
            "release" => PrCommand::Release { key: own, kind },
            "clear" => PrCommand::Clear { key: own },
            "preempt" | "preempt_abort" => PrCommand::Preempt { key: own, new, kind },
            "keys" => PrCommand::ReadKeys,
            "reservation" => PrCommand::ReadReservation,
            other => return Err(Misfit::new("a command this player knows", other)),
        };
        let answer = self.at_lun(env, |machine, driver, target, initiator, number| {
            machine.persistent_reserve(driver, target, initiator, number, command)
        })?;
        Ok(match answer {
            Err(errno) => name_of(errno),
            Ok(PrAnswer::Good) => "good".to_owned(),
            Ok(PrAnswer::Conflict) => super::initiator::CONFLICT.to_owned(),
            Ok(PrAnswer::Check(key, code, qualifier)) => super::initiator::check((key, code, qualifier)),
            Ok(PrAnswer::Keys(generation, keys)) => {
                let keys: Vec<String> = keys.iter().map(|key| format!("{key:016x}")).collect();
                format!("generation {generation} keys {}", keys.join(" "))
            }
            Ok(PrAnswer::Reservation(generation, Some((key, scope, kind)))) => {
                format!("generation {generation} key {key:016x} scope {scope} type {kind}")
            }
            Ok(PrAnswer::Reservation(generation, None)) => format!("generation {generation} none"),
        })
    }

    /// Size and digest of a file.
    pub(super) fn file_sum(&self, path: &str) -> String {
        match self.environment.read_file(path.as_bytes()) {
            Ok(content) => format!("{} bytes {}", content.len(), digest(&content)),
            Err(errno) => name_of(errno),
        }
    }

    /// A line of shell: `echo WORDS > FILE`, `rm [-f] FILE...`, or one of them for each file of a list.
    pub(super) fn shell(&self, line: &str) -> Result<String, Misfit> {
        let unknown = || Misfit::new("a command line this player knows", line);
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["for", variable, "in", ref list @ .., "done"] => {
                let list = list.join(" ");
                let (files, body) = list.split_once("; do ").ok_or_else(unknown)?;
                let body = body.trim_end().strip_suffix(';').ok_or_else(unknown)?;
                for file in files.split_whitespace() {
                    self.shell(&body.replace(&format!("${variable}"), file))?;
                }
            }
            ["rm", "-rf" | "-fr", ref files @ ..] => {
                for file in files {
                    self.environment.remove_all(file);
                }
            }
            ["rm", ref files @ ..] => {
                let force = files.first() == Some(&"-f");
                for file in &files[usize::from(force)..] {
                    if self.environment.unlink(file).is_err() && !force {
                        return Ok("rc1".to_owned());
                    }
                }
            }
            ["echo", ref text @ .., ">", file] => {
                let text = text.join(" ") + "\n";
                if self.environment.write_file(file.as_bytes(), text.as_bytes()).is_err() {
                    return Ok("rc1".to_owned());
                }
            }
            _ => return Err(unknown()),
        }
        Ok("rc0".to_owned())
    }
}
