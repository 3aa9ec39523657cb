//! One run of an agent, from `main` to the exit code. Each agent's binary calls [`main`] with its [`Agent`].
//!
//! Usage, meta-data and unknown actions are answered here, before anything else is looked at. For every other action
//! `main` sets up the log, the deadline and the flag that SIGTERM raises, and calls the agent. The process ends with
//! the exit code that the agent answers, or that its [`Failure`] carries; a failure, what was left undone, and a panic
//! too, has exactly one reason on stderr.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{SigSet, Signal};

use super::action::{Action, Invocation, Request};
use super::env::Env;
use super::exit::{Answer, ExitCode, Failure};
use super::log;
use super::metadata;
use super::param::AgentTable;
use crate::deadline::Deadline;
use crate::system::{Machine, System, serve_as_helper};

/// An agent, as [`main`] runs it.
pub trait Agent {
    /// What it is, for meta-data and usage.
    fn metadata(&self) -> &'static AgentTable;

    /// The name under which it logs.
    fn name(&self) -> &'static str {
        self.metadata().name
    }

    /// Carries out one action, and answers how it ended. Usage and meta-data never come here.
    ///
    /// # Errors
    ///
    /// Why the action did not succeed, with its exit code; for monitor also "not running" and "failed".
    fn run(&self, action: Action, context: &Context) -> Result<Answer, Failure>;
}

/// What an action knows besides its name.
#[derive(Debug, Clone)]
pub struct Context {
    /// The environment.
    pub env: Env,
    /// What lies outside the run.
    pub system: Arc<dyn System>,
    /// When the run must have ended. It knows the flag `cancelled` as well.
    pub deadline: Deadline,
    /// The action prints its plan, and writes nothing.
    pub dry_run: bool,
    /// SIGTERM has come: the action begins nothing new, and undoes what must be undone.
    pub cancelled: Arc<AtomicBool>,
}

/// Runs the agent on this process's arguments and environment.
pub fn main(agent: &impl Agent) -> std::process::ExitCode {
    if let Some(ended) = serve_as_helper() {
        return ended;
    }
    // Until the environment is known, which may be what goes wrong.
    end_on_panic("internal error".to_owned(), "ocf-exit-reason:".to_owned());
    let table = agent.metadata();
    let code = match Request::parse(std::env::args_os().skip(1)) {
        Request::Run(Invocation { action: Action::MetaData, .. }) => print(&metadata::render(table)),
        Request::Run(Invocation { action: Action::Usage, .. }) => print(&usage(table)),
        Request::Version => print(&format!("{} {}\n", table.name, table.version)),
        Request::Unknown(why) => {
            complain(&format!("{}: {why}\n{}", table.name, usage(table)));
            ExitCode::Unimplemented
        }
        Request::Run(invocation) => perform(agent, invocation),
    };
    code.into()
}

/// Carries out an action that needs the environment and the system.
fn perform(agent: &impl Agent, invocation: Invocation) -> ExitCode {
    let env = Env::from_process();
    let cancelled = Arc::new(AtomicBool::new(false));
    // First of all, before any other thread exists that would take the signal with its default effect.
    listen_for_sigterm(&cancelled);
    let system = Machine::system();
    let deadline = Deadline::for_timeout(Arc::clone(&system), env.timeout(), Arc::clone(&cancelled));
    log::install(agent.name(), invocation.action, &env);
    let prefix = env.exit_reason_prefix().to_owned();
    end_on_panic(format!("{}: internal error", invocation.action), prefix.clone());
    let context = Context { env, system, deadline, dry_run: invocation.dry_run, cancelled };
    match agent.run(invocation.action, &context) {
        Ok(answer) => {
            if let Some(failure) = answer.left_undone() {
                report(failure, &prefix);
            }
            answer.code()
        }
        Err(failure) => {
            report(&failure, &prefix);
            failure.code
        }
    }
}

/// Writes the reason, once to stderr for Pacemaker and once to the log.
fn report(failure: &Failure, prefix: &str) {
    complain(&format!("{prefix}{}\n", failure.reason));
    // A resource that is not running is an answer, not an error.
    if failure.code == ExitCode::NotRunning {
        tracing::info!(target: log::REASON, "{}", failure.reason);
    } else {
        tracing::error!(target: log::REASON, "{}", failure.reason);
    }
    if let Some(hint) = &failure.hint {
        tracing::info!("{hint}");
    }
}

/// What a panic said.
fn words(payload: &(dyn std::any::Any + Send)) -> &str {
    payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("panic")
}

/// A panic, in whatever thread, ends the run as any failure does: with its reason and exit code 1. The binaries are built
/// without unwinding, so this is the last that happens.
fn end_on_panic(what: String, prefix: String) {
    std::panic::set_hook(Box::new(move |info| {
        let words = words(info.payload());
        report(&Failure::generic(format!("{what}: {words}")), &prefix);
        if let Some(place) = info.location() {
            tracing::error!("internal error at {place}: {words}");
        }
        std::process::exit(ExitCode::Generic.number().into());
    }));
}

/// Raises the flag when SIGTERM comes, instead of dying with devices blocked. The signal is blocked in every thread and one thread
/// waits for it. Programs that we run inherit that, and end by SIGKILL where they do not end by themselves; a daemon is started without
/// (`System::run_daemon`).
fn listen_for_sigterm(flag: &Arc<AtomicBool>) {
    let mut signals = SigSet::empty();
    // By hand the terminal sends the others; a demote must not die of them with devices blocked.
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        signals.add(signal);
    }
    // Blocking a signal that exists cannot fail; if it did, SIGTERM would end the run as it ends any process.
    if signals.thread_block().is_err() {
        return;
    }
    let flag = Arc::clone(flag);
    std::thread::spawn(move || {
        while signals.wait().is_ok() {
            flag.store(true, Ordering::Relaxed);
        }
    });
}

/// Prints to stdout. A reader that has gone does not kill the process: Rust ignores SIGPIPE, and `write_all` reports
/// EPIPE.
fn print(text: &str) -> ExitCode {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::Success,
        Err(_) => ExitCode::Generic,
    }
}

/// Prints to stderr, in one write so that lines of two processes do not mix.
fn complain(text: &str) {
    // There is nobody left to tell if stderr is closed.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// The text that the action usage prints.
fn usage(table: &AgentTable) -> String {
    let mut actions: Vec<&str> = vec!["start", "stop", "monitor", "status"];
    for operation in table.operations {
        if !actions.contains(&operation.name) {
            actions.push(operation.name);
        }
    }
    actions.extend(["usage", "help"]);
    format!(
        "usage: {} [--dry-run] {{{}}}\n\n{}.\nParameters are taken from OCF_RESKEY_<name>; meta-data describes them. \
         --dry-run prints what\nstart, stop, reload, promote or demote would do.\n",
        table.name,
        actions.join("|"),
        table.shortdesc.trim_end_matches('.')
    )
}
