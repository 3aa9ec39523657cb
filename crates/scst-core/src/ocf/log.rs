//! The log of a run: the lines go where `ocf_log` of resource-agents writes them, so that an administrator finds them
//! where all agents put theirs. `run` installs it, everything else uses the macros of `tracing`.
//!
//! | situation | destination |
//! | --- | --- |
//! | stdin is a terminal | stderr, `tag: LEVEL: text`, and nothing else |
//! | `HA_LOGFACILITY` set and not `none` | syslog over `/dev/log` |
//! | `HA_LOGFILE` set | appended to that file, except debug |
//! | neither | stderr with the time |
//! | `HA_DEBUGLOG` set and not `HA_LOGFILE` | appended there too |
//!
//! A text begins with the action: `INFO: start: create device group dummy`. Debug lines are written only if `HA_debug`
//! is set and not 0. With `OCF_TRACE_RA` (or the parameter `trace_ra`) true, lines of every level also go to the trace
//! file. The log never fails, blocks or ends an action: a destination that does not take a line at once does not get
//! it.

mod clock;
mod destination;
mod trace;

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::IsTerminal;
use std::path::PathBuf;

use jiff::Zoned;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use self::clock::now;
use self::destination::{Line, facility};
use self::trace::trace_file;
use super::action::Action;
use super::env::Env;
use super::exit::one_line;

/// The target of the event that repeats an exit reason: it is on stderr already and is not written there again.
pub const REASON: &str = "ocf-exit-reason";

/// The syslog daemon's socket.
const DEV_LOG: &str = "/dev/log";

/// The longest text of one line; syslog daemons cut at 8 KiB or less.
const MAX_TEXT: usize = 4096;

/// Where the lines of this run go.
#[derive(Debug)]
pub struct OcfLog {
    tag: String,
    action: Action,
    terminal: bool,
    facility: Option<u8>,
    socket: PathBuf,
    logfile: Option<PathBuf>,
    debuglog: Option<PathBuf>,
    debug: bool,
    trace: Option<File>,
}

/// Makes the log the destination of all events of this process.
pub fn install(agent: &str, action: Action, env: &Env) {
    let log = OcfLog::new(agent, action, env, std::io::stdin().is_terminal());
    let subscriber = tracing_subscriber::registry().with(log);
    // Only a second run in the same process could have installed one before; its destinations are as good.
    if tracing::subscriber::set_global_default(subscriber).is_ok() {
        let feature_set = env.feature_set().unwrap_or("none");
        tracing::debug!("{agent} {} {action}, feature set {feature_set}", env!("CARGO_PKG_VERSION"));
    }
}

impl OcfLog {
    fn new(agent: &str, action: Action, env: &Env, terminal: bool) -> Self {
        let set = |name: &str| env.text(name).filter(|value| !value.is_empty());
        let tag = set("HA_LOGTAG")
            .map_or_else(|| format!("{agent}({})[{}]", env.instance(), std::process::id()), str::to_owned);
        let logfile = set("HA_LOGFILE").map(PathBuf::from);
        let debuglog = set("HA_DEBUGLOG").map(PathBuf::from).filter(|path| Some(path) != logfile.as_ref());
        Self {
            tag: one_line(&tag),
            action,
            terminal,
            facility: set("HA_LOGFACILITY").and_then(facility),
            socket: DEV_LOG.into(),
            logfile,
            debuglog,
            debug: set("HA_debug").is_some_and(|value| value != "0"),
            trace: trace_file(agent, action, env),
        }
    }

    /// The lines that one message becomes. `time` is the local time.
    fn lines(&self, level: Level, reason: bool, text: &str, time: &Zoned) -> Vec<Line> {
        let mut lines = Vec::new();
        let (name, severity) = match level {
            Level::ERROR => ("ERROR", 3),
            Level::WARN => ("WARNING", 4),
            Level::INFO => ("INFO", 6),
            _ => ("DEBUG", 7),
        };
        let (tag, clock) = (&self.tag, time.strftime("%b %d %H:%M:%S"));
        if self.trace.is_some() {
            lines.push(Line::Trace(format!("{clock} {name}: {text}\n")));
        }
        let is_debug = severity == 7;
        if is_debug && !self.debug {
            return lines;
        }
        if self.terminal {
            if !reason {
                lines.push(Line::Stderr(format!("{tag}: {name}: {text}\n")));
            }
            return lines;
        }
        if let Some(facility) = self.facility {
            // The day of a syslog header is padded with a blank, that of the other lines with a zero.
            let clock = time.strftime("%b %e %H:%M:%S");
            lines.push(Line::Syslog(format!("<{}>{clock} {tag}: {name}: {text}", facility * 8 + severity)));
        }
        if self.logfile.is_some() && !is_debug {
            lines.push(Line::Logfile(format!("{clock}  {tag}:    {name}: {text}\n")));
        }
        if self.facility.is_none() && self.logfile.is_none() && !reason {
            lines.push(Line::Stderr(format!("{clock} {name}: {text}\n")));
        }
        if self.debuglog.is_some() {
            lines.push(Line::Debuglog(format!("{tag}:\t{clock} {name}: {text}\n")));
        }
        lines
    }
}

impl<S: Subscriber> Layer<S> for OcfLog {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        // The tag is that of all agents and has no room for the action; many actions of one resource follow each other in a log.
        let mut text = one_line(&format!("{}: {}", self.action, text.0));
        if let Some((end, _)) = text.char_indices().find(|(at, _)| *at > MAX_TEXT) {
            text.truncate(end);
        }
        let metadata = event.metadata();
        let reason = metadata.target() == REASON;
        let Some(now) = now() else { return };
        for line in self.lines(*metadata.level(), reason, &text, &now) {
            line.send(&self.socket, self.logfile.as_deref(), self.debuglog.as_deref(), self.trace.as_ref());
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(if self.trace.is_some() {
            LevelFilter::TRACE
        } else if self.debug {
            LevelFilter::DEBUG
        } else {
            LevelFilter::INFO
        })
    }
}

/// The message of an event, then its fields.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string cannot fail.
        let _ = if field.name() == "message" {
            write!(self.0, "{value:?}")
        } else {
            write!(self.0, " {}={value:?}", field.name())
        };
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    fn log(pairs: &[(&str, &str)], terminal: bool) -> OcfLog {
        let env = Env::from_pairs(pairs.iter().copied().chain([("OCF_RESOURCE_INSTANCE", "dg"), ("HA_LOGTAG", "tag")]));
        OcfLog::new("scst_aluadg", Action::Start, &env, terminal)
    }

    fn time() -> Zoned {
        jiff::civil::date(2026, 11, 5).at(7, 8, 9, 0).to_zoned(jiff::tz::TimeZone::UTC).unwrap()
    }

    fn lines(log: &OcfLog, level: Level) -> Vec<Line> {
        log.lines(level, false, "text", &time())
    }

    const ALL: [(&str, &str); 4] = [
        ("HA_LOGFACILITY", "daemon"),
        ("HA_LOGFILE", "/x/pacemaker.log"),
        ("HA_DEBUGLOG", "/x/debug.log"),
        ("HA_debug", "1"),
    ];

    #[test]
    fn a_terminal_gets_everything_and_nobody_else_does() {
        assert_eq!(lines(&log(&ALL, true), Level::WARN), [Line::Stderr("tag: WARNING: text\n".into())]);
    }

    #[test]
    fn under_pacemaker_syslog_and_the_files_get_the_line_but_the_log_file_no_debug_line() {
        let log_file = Line::Logfile("Nov 05 07:08:09  tag:    ERROR: text\n".into());
        for (level, number, word, log_file) in
            [(Level::ERROR, 27, "ERROR", Some(log_file)), (Level::DEBUG, 31, "DEBUG", None)]
        {
            let mut wanted = vec![Line::Syslog(format!("<{number}>Nov  5 07:08:09 tag: {word}: text"))];
            wanted.extend(log_file);
            wanted.push(Line::Debuglog(format!("tag:\tNov 05 07:08:09 {word}: text\n")));
            assert_eq!(lines(&log(&ALL, false), level), wanted);
        }
        for off in ["", "0"] {
            assert_eq!(lines(&log(&[("HA_debug", off)], false), Level::DEBUG), []);
        }
    }

    #[test]
    fn without_a_destination_stderr_gets_the_line_but_an_exit_reason_only_once() {
        let log = log(&[("HA_LOGFACILITY", "none")], false);
        assert_eq!(lines(&log, Level::INFO), [Line::Stderr("Nov 05 07:08:09 INFO: text\n".into())]);
        assert_eq!(log.lines(Level::ERROR, true, "text", &time()), []);
    }

    #[test]
    fn one_file_gets_a_line_once() {
        let log = log(&[("HA_LOGFILE", "/x/log"), ("HA_DEBUGLOG", "/x/log")], false);
        assert_eq!(lines(&log, Level::INFO), [Line::Logfile("Nov 05 07:08:09  tag:    INFO: text\n".into())]);
    }

    #[test]
    fn the_tag_names_agent_instance_and_process() {
        let env = Env::from_pairs([("OCF_RESOURCE_INSTANCE", "dg:0")]);
        let tag = OcfLog::new("scst_aluadg", Action::Start, &env, false).tag;
        assert_eq!(tag, format!("scst_aluadg(dg:0)[{}]", std::process::id()));
    }

    #[test]
    fn facilities_have_their_numbers() {
        assert_eq!(["kern", "daemon", "authpriv", "local0", "local7"].map(facility), [0, 3, 10, 16, 23].map(Some));
        assert_eq!(["none", "", "local8", "DAEMON"].map(facility), [None; 4]);
    }

    #[test]
    fn syslog_hears_the_line_and_a_dead_socket_holds_up_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("log");
        let daemon = UnixDatagram::bind(&socket).unwrap();
        let log = OcfLog { socket: socket.clone(), ..log(&ALL[..1], false) };
        let subscriber = tracing_subscriber::registry().with(log);
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(port = "21:00", "first\nsecond");
            tracing::debug!("not this");
            let mut buffer = [0; 200];
            let length = daemon.recv(&mut buffer).unwrap();
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            assert!(
                text.starts_with("<28>") && text.ends_with(" tag: WARNING: start: first second port=\"21:00\""),
                "{text}"
            );
            // A daemon that does not read any more: far more lines than its queue holds.
            for _ in 0..2000 {
                tracing::info!("line");
            }
            drop(daemon);
            std::fs::remove_file(&socket).unwrap();
            tracing::info!("nobody there");
        });
    }

    #[test]
    fn a_trace_gets_all_levels_in_the_place_cluster_tools_look_at() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_str().unwrap();
        let pairs = [("HA_VARLIB", path), ("OCF_RESKEY_trace_ra", "true"), ("OCF_RESOURCE_INSTANCE", "../dg")];
        let log = OcfLog::new("scst_aluadg", Action::Start, &Env::from_pairs(pairs), false);
        Line::Trace("one\n".into()).send(&log.socket, None, None, log.trace.as_ref());
        assert_eq!(lines(&log, Level::TRACE), [Line::Trace("Nov 05 07:08:09 DEBUG: text\n".into())]);
        let kind = directory.path().join("trace_ra/scst_aluadg");
        let file = std::fs::read_dir(kind).unwrap().next().unwrap().unwrap();
        assert!(file.file_name().to_string_lossy().starts_with(".._dg.start.20"));
        assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "one\n");
    }

    #[test]
    fn a_trace_goes_to_a_named_file_only_if_it_is_asked_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/trace");
        let trace = |wanted: &str, file: &str| {
            let env = Env::from_pairs([("OCF_TRACE_RA", wanted), ("OCF_TRACE_FILE", file)]);
            trace_file("scst_aluadg", Action::Start, &env)
        };
        assert!(trace("0", path.to_str().unwrap()).is_none());
        assert!(trace("1", "relative").is_none());
        assert!(trace("1", path.to_str().unwrap()).is_some());
        assert!(path.exists());
    }
}
