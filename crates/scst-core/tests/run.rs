//! A whole run of an agent as a process: what it prints where, and how it ends.
//!
//! This program is the tests and, called with `PROBE` set, the agent they run: a run owns its process (signals, panic hook, log), so it
//! needs one. That is why it has no test harness.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode as ProcessExit, Output, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use scst_core::ocf::action::Action;
use scst_core::ocf::exit::{Answer, ExitCode, Failure};
use scst_core::ocf::param::{AgentTable, Kind, Operation, Parameter};
use scst_core::ocf::run::{self, Agent, Context};

/// Its meta-data is larger than a pipe holds.
const TABLE: AgentTable = AgentTable {
    name: "probe",
    version: "1.2.3",
    shortdesc: "Agent for tests",
    longdesc: "Does what each action's test needs.",
    parameters: &[Parameter {
        name: "row",
        count: Some(1000),
        kind: Kind::String,
        required: false,
        unique: false,
        reloadable: false,
        default: None,
        shortdesc: "Row",
        longdesc: "Row.",
    }],
    operations: &[Operation::once("start", 20), Operation::once("promote", 20), Operation::monitor(20, 10, None)],
};

struct Probe;

impl Agent for Probe {
    fn metadata(&self) -> &'static AgentTable {
        assert!(std::env::var_os("PANIC").is_none(), "nothing is\nright");
        &TABLE
    }

    fn run(&self, action: Action, context: &Context) -> Result<Answer, Failure> {
        match action {
            Action::Start if context.dry_run => Ok(ExitCode::Success.into()),
            Action::Start => panic!("something is\nwrong"),
            Action::Stop => Err(Failure::installed("module x\nmissing").with_hint("load it")),
            Action::Monitor => Ok(ExitCode::Promoted.into()),
            Action::Reload => Err(Failure::not_running("nothing to reload")),
            // Waits for the end and undoes its work.
            Action::Demote => {
                println!("ready");
                while !context.cancelled.load(Ordering::Relaxed) && !context.deadline.expired() {
                    std::thread::sleep(Duration::from_millis(5));
                }
                assert!(context.deadline.cancelled());
                Err(Failure::generic("asked to end, undone"))
            }
            // A reload that leaves something undone.
            Action::ValidateAll => Ok(Answer::LeftUndone(Failure::configured("initiators: nothing\nto do"))),
            _ => Ok(ExitCode::Success.into()),
        }
    }
}

/// The agent, with nothing in its environment but this.
fn probe(arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(arguments).env_clear().env("PROBE", "1").envs(environment.iter().copied()).stdin(Stdio::null());
    command
}

fn output(arguments: &[&str], environment: &[(&str, &str)]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = probe(arguments, environment).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

fn what_needs_nothing_is_answered_at_once() {
    let (code, out, err) = output(&["usage"], &[]);
    assert_eq!((code, &*err), (0, ""));
    assert!(out.starts_with("usage: probe [--dry-run] {start|stop|monitor|status|promote|usage|help}\n"), "{out}");
    assert_eq!(output(&["--help"], &[]), (0, out.clone(), String::new()));
    assert_eq!(output(&["--version"], &[]), (0, "probe 1.2.3\n".to_owned(), String::new()));
    let (code, document, err) = output(&["meta-data", "start"], &[]);
    assert_eq!((code, &*err), (0, ""));
    assert!(document.starts_with("<?xml version=\"1.0\"?>\n<!DOCTYPE") && document.ends_with("</resource-agent>\n"));
}

fn an_unknown_action_is_exit_3_with_usage_on_stderr() {
    for (arguments, why) in [
        (&["migrate_to"][..], "probe: unknown action \"migrate_to\"\nusage: probe"),
        (&[], "probe: no action given\nusage: probe"),
        (&["--dry-run", "monitor"], "probe: --dry-run has no meaning for monitor\nusage: probe"),
    ] {
        let (code, out, err) = output(arguments, &[]);
        assert_eq!((code, &*out), (3, ""));
        assert!(err.starts_with(why), "{err}");
    }
}

fn the_agents_answer_is_the_exit_code() {
    assert_eq!(output(&["monitor"], &[]), (8, String::new(), String::new()));
    assert_eq!(output(&["status"], &[]).0, 8);
    assert_eq!(output(&["--dry-run", "start"], &[]).0, 0);
}

fn what_was_left_undone_is_said_and_the_run_succeeds() {
    let said = (0, String::new(), "ocf-exit-reason:initiators: nothing to do\n".to_owned());
    assert_eq!(output(&["validate-all"], &[]), said);
}

fn a_failure_has_one_reason_on_stderr_and_the_rest_in_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let environment = [
        ("HA_LOGFILE", log.to_str().unwrap()),
        ("OCF_RESOURCE_INSTANCE", "x"),
        ("OCF_EXIT_REASON_PREFIX", "why:"),
        ("TZ", "UTC"),
    ];
    assert_eq!(output(&["stop"], &environment), (5, String::new(), "why:module x missing\n".to_owned()));
    let lines = std::fs::read_to_string(&log).unwrap();
    let [reason, hint] = lines.lines().collect::<Vec<_>>()[..] else { panic!("{lines}") };
    assert!(reason.contains("  probe(x)[") && reason.ends_with("]:    ERROR: stop: module x missing"), "{reason}");
    assert!(hint.ends_with("]:    INFO: stop: load it"), "{hint}");
    // Without a log the reason is on stderr only once.
    let (code, _, err) = output(&["reload"], &[]);
    assert_eq!((code, &*err), (7, "ocf-exit-reason:nothing to reload\n"));
}

fn a_panic_is_a_failure_like_others() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let (code, out, err) = output(&["start"], &[("HA_LOGFILE", log.to_str().unwrap())]);
    assert_eq!((code, &*out), (1, ""));
    assert_eq!(err, "ocf-exit-reason:start: internal error: something is wrong\n");
    let lines = std::fs::read_to_string(&log).unwrap();
    assert!(lines.contains("ERROR: start: internal error at ") && lines.contains("run.rs:"), "{lines}");
    // Also outside of any action.
    for action in ["meta-data", "monitor", "stop"] {
        let (code, out, err) = output(&[action], &[("PANIC", "1")]);
        assert_eq!((code, &*out), (1, ""));
        assert_eq!(err, "ocf-exit-reason:internal error: nothing is right\n");
    }
}

fn sigterm_lets_the_run_undo_its_work() {
    let started = Instant::now();
    let mut child = probe(&["demote"], &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut ready = [0; 5];
    child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.status.signal()), (Some(1), None));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "ocf-exit-reason:asked to end, undone\n");
    assert!(started.elapsed() < Duration::from_secs(15));
}

fn the_deadline_is_the_time_out_less_a_reserve() {
    let started = Instant::now();
    // The agent's own assertion says that it was not cancelled: it panics when the time is over.
    let (code, _, err) = output(&["demote"], &[("OCF_RESKEY_CRM_meta_timeout", "1000")]);
    assert_eq!(code, 1, "{err}");
    assert!(err.starts_with("ocf-exit-reason:demote: internal error: assertion failed"), "{err}");
    assert!(started.elapsed() >= Duration::from_millis(550));
    assert!(started.elapsed() < Duration::from_secs(10));
}

fn a_reader_that_has_gone_is_no_reason_to_die() {
    let mut child = probe(&["meta-data"], &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.status.signal()), (Some(1), None));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn main() -> ProcessExit {
    if std::env::var_os("PROBE").is_some() {
        return run::main(&Probe);
    }
    let tests: [(&str, fn()); 9] = [
        ("what_needs_nothing_is_answered_at_once", what_needs_nothing_is_answered_at_once),
        ("an_unknown_action_is_exit_3_with_usage_on_stderr", an_unknown_action_is_exit_3_with_usage_on_stderr),
        ("the_agents_answer_is_the_exit_code", the_agents_answer_is_the_exit_code),
        ("what_was_left_undone_is_said_and_the_run_succeeds", what_was_left_undone_is_said_and_the_run_succeeds),
        (
            "a_failure_has_one_reason_on_stderr_and_the_rest_in_the_log",
            a_failure_has_one_reason_on_stderr_and_the_rest_in_the_log,
        ),
        ("a_panic_is_a_failure_like_others", a_panic_is_a_failure_like_others),
        ("sigterm_lets_the_run_undo_its_work", sigterm_lets_the_run_undo_its_work),
        ("the_deadline_is_the_time_out_less_a_reserve", the_deadline_is_the_time_out_less_a_reserve),
        ("a_reader_that_has_gone_is_no_reason_to_die", a_reader_that_has_gone_is_no_reason_to_die),
    ];
    for (name, test) in tests {
        // A failing assertion ends the program with its message.
        test();
        println!("test {name} ... ok");
    }
    ProcessExit::SUCCESS
}
