//! Sees to it, for start, that the daemon of iSCSI runs and its driver is enabled. The daemon holds the targets: when
//! it ends they are gone.

use std::time::Duration;

use scst_core::command::CommandError;
use scst_core::deadline::Deadline;
use scst_core::error::Error;
use scst_core::ocf::exit::Failure;
use scst_core::sysfs::wait_until;

use super::params::Daemon;
use super::run::Run;

/// The daemon's usual name, and the place where its own installation puts it, which is in no search path of Pacemaker.
const PROGRAMS: [&str; 2] = ["iscsi-scstd", "/usr/local/sbin/iscsi-scstd"];

/// The longest the daemon may take to go into the background.
const START: Duration = Duration::from_secs(30);

impl Daemon {
    /// The programs that start would try, in order.
    fn programs(&self) -> Vec<&str> {
        match self {
            Self::Elsewhere => Vec::new(),
            Self::Program(path) => path.to_str().into_iter().collect(),
            Self::Found => PROGRAMS.to_vec(),
        }
    }
}

/// Succeeds if the daemon runs or could be started; for validate-all.
///
/// # Errors
///
/// Exit 5 where neither is so.
pub(super) fn check(run: &Run<'_>, daemon: &Daemon) -> Result<(), Failure> {
    let open = run.host.observer().open_state(run.driver)?.is_some_and(|state| state == "open");
    let programs = daemon.programs();
    if !run.driver.has_daemon()
        || open
        || *daemon == Daemon::Elsewhere
        || programs.iter().any(|program| run.host.tools.has(program))
    {
        return Ok(());
    }
    Err(not_there(run, &CommandError::NotFound { command: programs.join(" and ") }))
}

fn not_there(run: &Run<'_>, error: &CommandError) -> Failure {
    Failure::installed(format!("the daemon of driver {} could not be started: {error}", run.driver))
        .with_hint("the parameter daemon says where it is")
}

/// Sees to it that the daemon runs.
///
/// # Errors
///
/// Exit 5 where its program is not there, exit 1 where it does not come up, or should have been started elsewhere.
pub(super) fn open(run: &Run<'_>, daemon: &Daemon) -> Result<(), Failure> {
    let host = &run.host;
    let until = host.deadline().share(1, 2);
    let state = || host.observer_until(&until).open_state(run.driver);
    if !run.driver.has_daemon() {
        return Ok(());
    }
    let now = match state()? {
        Some(now) => now,
        // In a dry run the module may not be there, and then neither is the daemon.
        None if host.dry_run() => "closed".to_owned(),
        None => {
            tracing::warn!(
                "driver {} shows no open_state: whether its daemon runs is not known, so it is not started",
                run.driver
            );
            return Ok(());
        }
    };
    if now == "open" {
        return Ok(());
    }
    let open = || Ok((state()?.as_deref() == Some("open")).then_some(()));
    if *daemon == Daemon::Elsewhere {
        let does_not_run = || {
            Failure::generic(format!("the daemon of driver {} does not run", run.driver))
                .with_hint("the parameter daemon is none, so somebody else has to start it before: see its unit")
        };
        if host.dry_run() {
            return Err(does_not_run());
        }
        // One that has just ended comes back: its unit starts it again after a second.
        let soon = host.deadline().share(1, 4);
        return wait_until("the iSCSI daemon, which somebody else starts", &soon, open).map_err(|error| match error {
            Error::NotSeen { .. } => does_not_run(),
            error => error.into(),
        });
    }
    let programs = daemon.programs();
    if host.dry_run() {
        println!("start daemon {}", programs.first().unwrap_or(&""));
        return Ok(());
    }
    cleaned_up(run, &until)?;
    let limit = START.min(until.remaining());
    let first = programs.iter().map(|program| host.tools.start_daemon(program, limit).map(|()| *program));
    let mut first = first.skip_while(|ran| matches!(ran, Err(CommandError::NotFound { .. })));
    let started = first.next().unwrap_or_else(|| Err(CommandError::NotFound { command: programs.join(" and ") }));
    let program = started.map_err(|error| match error {
        CommandError::NotFound { .. } => not_there(run, &error),
        _ => Failure::generic(format!("the daemon of driver {} could not be started: {error}", run.driver)),
    })?;
    tracing::info!("start daemon {program}");
    Ok(wait_until("the iSCSI daemon opening the driver", &until, open)?)
}

/// The daemon does not run any more. The kernel then removes its targets, refusing whatever others want of them (EPERM): until it has
/// done so, half of what is left of the time is waited for.
pub(super) fn ended(run: &Run<'_>) -> bool {
    let host = &run.host;
    let until = host.deadline().share(1, 2);
    let state = || host.observer_until(&until).open_state(run.driver);
    if !run.driver.has_daemon() || state().ok().flatten().is_none_or(|now| now == "open") {
        return false;
    }
    cleaned_up(run, &until).is_ok()
}

/// Waits until the kernel has cleaned up behind a daemon that has ended.
fn cleaned_up(run: &Run<'_>, until: &Deadline) -> Result<(), Error> {
    wait_until("the end of the last iSCSI daemon", until, || {
        let state = run.host.observer_until(until).open_state(run.driver)?;
        Ok((state.as_deref() != Some("closing")).then_some(()))
    })
}
