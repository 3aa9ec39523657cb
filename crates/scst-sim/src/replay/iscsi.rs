//! The iSCSI initiators around a recorded kernel: open-iscsi on a second guest, and on the machine itself.
//!
//! A login makes its record of the target anew, as the recorder does; a command line of `iscsiadm` finds it. Exit codes
//! are compared, texts are not.

use std::time::Duration;

use super::player::{Misfit, Player, compare};
use super::recording::{Env, EnvResult};
use super::records::{FAR, NEAR, PORT, Record, initiator};
use super::surface::Surface;
use crate::model::{DaemonSignal, Errno, IscsiInitiator, IscsiRefusal};

/// How long open-iscsi takes to give up, as the second guest is set up: a login, and a discovery.
const LOGIN_PATIENCE: Duration = Duration::from_secs(4);
const DISCOVERY_PATIENCE: Duration = Duration::from_mins(1);

impl<S: Surface> Player<S> {
    /// Carries out a step of an initiator or of the daemon, if it is one, and compares its exit code.
    pub(super) fn iscsi_step(&mut self, env: &Env) -> Option<Result<(), Misfit>> {
        let target = env.target.as_deref().unwrap_or_default();
        let result = match env.what.as_str() {
            "scstd_args" if env.args.is_some() => {
                return Some(Err(Misfit::new("a daemon without arguments", format!("{:?}", env.args))));
            }
            "scstd_args" => self.surface.machine(|machine| machine.iscsi_daemon(true)),
            "scstd_signal" => self.signal_daemon(env.sig.as_deref().unwrap_or_default()),
            "login" => {
                let portal = portal(env);
                let record = Record { sessions: 1, chap: env.chap.clone(), chap_in: env.chap_in.clone() };
                self.records.insert((target.to_owned(), portal.clone()), record);
                return Some(self.log_in(FAR, target, &portal).and_then(|code| exit(env, code)));
            }
            "logout" => return Some(exit(env, self.log_out(FAR, target))),
            "discover" => {
                let record = Record { sessions: 1, chap: env.chap.clone(), chap_in: env.chap_in.clone() };
                let portal = portal(env);
                return Some(self.discover(&initiator(FAR, &portal, &record)).and_then(|code| exit(env, code)));
            }
            "iscsi_login" => {
                let record = Record { sessions: 1, ..Record::default() };
                let portal = format!("{}:{PORT}", NEAR.2);
                self.records.insert((target.to_owned(), portal.clone()), record.clone());
                let code = match self.discover(&initiator(NEAR, &portal, &record)) {
                    Ok(0) => self.log_in(NEAR, target, &portal),
                    other => other,
                };
                return Some(code.and_then(|code| exit(env, code)));
            }
            "iscsi_logout" => return Some(exit(env, self.log_out(NEAR, target))),
            "far" => {
                self.command_line(env.argv.as_deref().unwrap_or_default());
                return Some(Ok(()));
            }
            "far_luns" | "far_rescan" => return Some(Ok(())),
            _ => return None,
        };
        let got = result.map_or_else(|errno: Errno| format!("{errno:?}"), |()| "ok".to_owned());
        let EnvResult::Word(wanted) = &env.result else { return Some(Err(Misfit::new("a word", got))) };
        Some(compare(wanted, &got))
    }

    fn signal_daemon(&mut self, name: &str) -> Result<(), Errno> {
        let signal = match name {
            "SIGTERM" | "SIGKILL" => DaemonSignal::End,
            "SIGSTOP" => DaemonSignal::Stop,
            "SIGCONT" => DaemonSignal::Continue,
            _ => return Err(Errno::ENOTSUP),
        };
        self.surface.machine(|machine| machine.signal_iscsi_daemon(signal))
    }

    /// `iscsiadm -m node -l`: as many sessions as the record says.
    fn log_in(&mut self, who: (&str, &str, &str), target: &str, portal: &str) -> Result<u8, Misfit> {
        let Some(record) = self.records.get(&(target.to_owned(), portal.to_owned())).cloned() else { return Ok(21) };
        let initiator = initiator(who, portal, &record);
        let present = self.surface.machine(|machine| machine.iscsi_sessions(target, who.0));
        if present >= record.sessions {
            return Ok(15);
        }
        let mut code = 0;
        for _ in present..record.sessions {
            if let Err(refusal) = self.surface.machine(|machine| machine.iscsi_login(target, &initiator)) {
                if matches!(refusal, IscsiRefusal::TimedOut | IscsiRefusal::Silent) {
                    self.surface.pass(LOGIN_PATIENCE);
                }
                code = refusal.login_code().ok_or_else(|| unknown(refusal))?;
            }
        }
        Ok(code)
    }

    fn log_out(&mut self, who: (&str, &str, &str), target: &str) -> u8 {
        let ended = self.surface.machine(|machine| machine.iscsi_logout(target, who.0));
        if ended == 0 { 21 } else { 0 }
    }

    fn discover(&mut self, initiator: &IscsiInitiator) -> Result<u8, Misfit> {
        match self.surface.machine(|machine| machine.iscsi_discover(initiator)) {
            Ok(_) => Ok(0),
            Err(refusal) => {
                if matches!(refusal, IscsiRefusal::TimedOut | IscsiRefusal::Silent) {
                    self.surface.pass(DISCOVERY_PATIENCE);
                }
                refusal.discovery_code().ok_or_else(|| unknown(refusal))
            }
        }
    }

    /// A command on the second guest: calls of `iscsiadm` do there what they do to its sessions, others nothing.
    fn command_line(&mut self, argv: &[String]) {
        let script = match argv {
            [shell, flag, script] if shell == "sh" && flag == "-c" => script.clone(),
            words => words.join(" "),
        };
        for command in script.split([';', '&', '|', '\n']) {
            let words: Vec<&str> = command.split_whitespace().collect();
            if words.first() == Some(&"iscsiadm") {
                self.iscsiadm(&words);
            }
        }
    }

    fn iscsiadm(&mut self, words: &[&str]) {
        let option = |names: &[&str]| {
            words.iter().position(|word| names.contains(word)).and_then(|at| words.get(at + 1)).copied()
        };
        let has = |names: &[&str]| words.iter().any(|word| names.contains(word));
        let target = option(&["-T", "--targetname"]).unwrap_or_default();
        let portal = match option(&["-p", "--portal"]) {
            Some(portal) if portal.contains(':') => portal.to_owned(),
            Some(address) => format!("{address}:{PORT}"),
            None => format!("{}:{PORT}", FAR.2),
        };
        if let (Some("node.session.nr_sessions"), Some(value)) = (option(&["-n", "--name"]), option(&["-v", "--value"]))
            && let Some(record) = self.records.get_mut(&(target.to_owned(), portal.clone()))
        {
            record.sessions = value.parse().unwrap_or(record.sessions);
        }
        // The exit code is part of the output, which is not compared.
        if has(&["-l", "--login"]) {
            let _code = self.log_in(FAR, target, &portal);
        }
        if has(&["-u", "--logout"]) {
            let _code = self.log_out(FAR, target);
        }
    }
}

fn portal(env: &Env) -> String {
    env.portal.clone().unwrap_or_else(|| format!("{}:{PORT}", FAR.2))
}

/// Compares an exit code with the recorded one, in whichever way that is written.
fn exit(env: &Env, code: u8) -> Result<(), Misfit> {
    match &env.result {
        EnvResult::Exit { rc, .. } => compare(&format!("exit {rc}"), &format!("exit {code}")),
        EnvResult::Word(word) => compare(word, &if code == 0 { "ok".to_owned() } else { format!("rc{code}") }),
        other => Err(Misfit::new(other.to_string(), format!("exit {code}"))),
    }
}

fn unknown(refusal: IscsiRefusal) -> Misfit {
    Misfit::new("an answer the model knows", refusal.to_string())
}
