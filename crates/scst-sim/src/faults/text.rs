//! Faults as text: the keys that scenario files and the control file have for them.

use std::fmt::{self, Display, Formatter};

use nix::sys::signal::Signal;
use serde::{Deserialize, Deserializer, de};

use super::{Action, Fault, Op, When};
use crate::words::{self, errno_named};

/// A fault as text has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    op: Op,
    path: Option<String>,
    process: Option<String>,
    pid: Option<u32>,
    at: Option<u32>,
    #[serde(default)]
    repeat: bool,
    action: Verb,
    errno: Option<String>,
    after: Option<String>,
    signal: Option<String>,
    when: Option<When>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Verb {
    Fail,
    Queue,
    Delay,
    Hang,
    Kill,
}

impl<'de> Deserialize<'de> for Fault {
    fn deserialize<D: Deserializer<'de>>(keys: D) -> Result<Self, D::Error> {
        Self::try_from(Keys::deserialize(keys)?).map_err(de::Error::custom)
    }
}

impl TryFrom<Keys> for Fault {
    type Error = String;

    fn try_from(keys: Keys) -> Result<Self, String> {
        let Keys { op, path, process, pid, at, repeat, action, errno, after, signal, when } = keys;
        let errno = errno.map(|name| errno_named(&name).ok_or(format!("errno {name:?} is unknown"))).transpose()?;
        let after = after.map(|text| words::duration(&text)).transpose()?;
        let signal = signal.map(|name| signal_named(&name)).transpose()?;
        let action = match (action, errno, after, signal, when) {
            (Verb::Fail, Some(errno), None, None, None) => Action::Fail(errno),
            (Verb::Queue, errno, Some(after), None, None) if op == Op::Write => Action::Queue(after, errno),
            (Verb::Delay, None, Some(after), None, None) => Action::Delay(after),
            (Verb::Hang, None, None, None, None) => Action::Hang,
            (Verb::Kill, None, None, signal, when) => {
                Action::Kill(signal.unwrap_or(Signal::SIGKILL), when.unwrap_or(When::Before))
            }
            (Verb::Fail, ..) => return Err("action fail takes errno, and nothing else".into()),
            (Verb::Queue, ..) => return Err("action queue needs op write, takes after and perhaps errno".into()),
            (Verb::Delay, ..) => return Err("action delay takes after, and nothing else".into()),
            (Verb::Hang, ..) => return Err("action hang takes no errno, after, signal, when".into()),
            (Verb::Kill, ..) => return Err("action kill takes signal and when, and nothing else".into()),
        };
        let at = at.unwrap_or(1);
        if at == 0 {
            return Err("at counts from 1".into());
        }
        Ok(Self { op, path, process, pid, at, repeat, action })
    }
}

fn signal_named(name: &str) -> Result<Signal, String> {
    let full = if name.starts_with("SIG") { name.to_owned() } else { format!("SIG{name}") };
    full.parse().map_err(|_| format!("signal {name:?} is unknown"))
}

/// The keys a scenario would have, in one line.
impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "op={}", self.op)?;
        if let Some(path) = &self.path {
            write!(f, " path={path}")?;
        }
        if let Some(process) = &self.process {
            write!(f, " process={process}")?;
        }
        if let Some(pid) = self.pid {
            write!(f, " pid={pid}")?;
        }
        write!(f, " at={}", self.at)?;
        if self.repeat {
            f.write_str(" repeat=true")?;
        }
        match self.action {
            Action::Fail(errno) => write!(f, " action=fail errno={errno:?}"),
            Action::Queue(after, None) => write!(f, " action=queue after={}ms", after.as_millis()),
            Action::Queue(after, Some(errno)) => {
                write!(f, " action=queue after={}ms errno={errno:?}", after.as_millis())
            }
            Action::Delay(after) => write!(f, " action=delay after={}ms", after.as_millis()),
            Action::Hang => f.write_str(" action=hang"),
            Action::Kill(signal, when) => {
                let when = if when == When::Before { "before" } else { "after" };
                write!(f, " action=kill signal={signal} when={when}")
            }
        }
    }
}

impl Display for Op {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Write => "write",
            Self::Read => "read",
            Self::List => "list",
            Self::Open => "open",
            Self::Readlink => "readlink",
            Self::Any => "any",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_value_agree() {
        for line in [
            "op=write path=a/* process=x pid=9 at=3 repeat=true action=fail errno=EINVAL",
            "op=write at=1 action=queue after=250ms",
            "op=write at=1 action=queue after=250ms errno=EIO",
            "op=readlink at=1 action=delay after=1000ms",
            "op=any at=1 action=hang",
            "op=list at=4 action=kill signal=SIGTERM when=after",
        ] {
            let fault: Fault = words::parse(line).unwrap();
            assert_eq!(fault.to_string(), line);
        }
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for (line, reason) in [
            ("op=write action=fail", "action fail takes errno"),
            ("op=read action=queue after=1s", "action queue needs op write"),
            ("op=read action=delay after=soon", "duration \"soon\""),
            ("op=read action=fail errno=EWHAT", "errno \"EWHAT\" is unknown"),
            ("op=read at=0 action=hang", "at counts from 1"),
            ("op=read action=kill signal=SIGNO", "signal \"SIGNO\" is unknown"),
            ("op=reed action=hang", "unknown variant `reed`"),
            ("op=read color=red action=hang", "unknown field `color`"),
        ] {
            let error = words::parse::<Fault>(line).unwrap_err();
            assert!(error.contains(reason), "{line}: {error}");
        }
    }
}
