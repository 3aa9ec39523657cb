//! Calls the file of each action, for every agent that brings targets up. Where a parameter says the driver, and cannot be
//! read, a stop and a monitor act on the driver that the state file names, else on each.

use scst_core::ocf::action::Action;
use scst_core::ocf::exit::{Answer, ExitCode, Failure};
use scst_core::ocf::param::{AgentTable, Finding};
use scst_core::ocf::run::{Agent, Context};
use scst_core::scst::names::Driver;

use super::params::Params;
use super::run::{Run, TargetAgent};
use super::{monitor, reload, start, stop, validate};
use crate::host::{self, Host, refuse_errors, reload_refused};

impl Agent for TargetAgent {
    fn metadata(&self) -> &'static AgentTable {
        self.table
    }

    fn run(&self, action: Action, context: &Context) -> Result<Answer, Failure> {
        if let Ok(driver) = self.driver(&context.env) {
            return act(&Run::on(context, *self, driver), action);
        }
        let (_, findings) = Params::parse(self, &context.env);
        match action {
            // What runs is where it was started, whatever the parameter says now.
            Action::Stop | Action::Monitor => of_any_driver(*self, action, context),
            Action::ValidateAll => host::validate(&findings).map(|()| ExitCode::Success.into()),
            Action::Reload => Ok(reload_refused(refused(&findings))),
            _ => Err(refused(&findings)),
        }
    }
}

/// Why an action is refused that needs a driver and has none.
fn refused(findings: &[Finding]) -> Failure {
    refuse_errors(findings).err().unwrap_or_else(|| Failure::configured("no usable configuration"))
}

/// Acts on the driver that the state file names, else on each: the first answer that tells of something is the answer.
fn of_any_driver(agent: TargetAgent, action: Action, context: &Context) -> Result<Answer, Failure> {
    let remembered = Host::new(context, agent.table.name).state_files.read(None);
    let recorded = remembered.known().and_then(|file| file.driver);
    let drivers = recorded.map_or(Driver::ALL.to_vec(), |driver| vec![driver]);
    let mut answer = Ok(Answer::Done(ExitCode::Success));
    for driver in drivers {
        answer = act(&Run::on(context, agent, driver), action);
        let nothing = matches!(&answer, Ok(Answer::Done(ExitCode::Success))) && action == Action::Stop;
        if !nothing && !matches!(&answer, Err(failure) if failure.code == ExitCode::NotRunning) {
            break;
        }
    }
    answer
}

fn act(run: &Run<'_>, action: Action) -> Result<Answer, Failure> {
    let code = match action {
        Action::Start => start::start(run),
        Action::Stop => stop::stop(run),
        Action::Monitor => monitor::monitor(run),
        Action::Reload => return reload::reload(run),
        Action::ValidateAll => validate::validate_all(run),
        Action::Promote | Action::Demote | Action::Notify | Action::MetaData | Action::Usage => {
            let name = run.agent.table.name;
            Err(Failure::new(ExitCode::Unimplemented, format!("{action} is not an action of {name}")))
        }
    };
    code.map(Answer::Done)
}
