//! [`Aluadg`], the device group agent: calls the file of each action, and before it asks `holder` about a group whose
//! state file names another resource.

use scst_core::ocf::action::Action;
use scst_core::ocf::exit::{Answer, ExitCode, Failure};
use scst_core::ocf::param::AgentTable;
use scst_core::ocf::run::{Agent, Context};

use super::table::TABLE;
use super::{demote, holder, monitor, notify, promote, reload, start, stop, validate};
use crate::host::Host;

/// The agent.
#[derive(Debug)]
pub struct Aluadg;

impl Agent for Aluadg {
    fn metadata(&self) -> &'static AgentTable {
        TABLE
    }

    fn run(&self, action: Action, context: &Context) -> Result<Answer, Failure> {
        let mut host = Host::new(context, TABLE.name);
        if let Some(answer) = holder::of_another(&mut host, action) {
            return answer;
        }
        let code = match action {
            Action::Start => start::start(&host),
            Action::Stop => stop::stop(&host),
            Action::Monitor => monitor::monitor(&host),
            Action::Promote => promote::promote(&host),
            Action::Demote => demote::demote(&host),
            Action::Notify => Ok(notify::notify(&host)),
            Action::Reload => return reload::reload(&host),
            Action::ValidateAll => validate::validate_all(&host),
            Action::MetaData | Action::Usage => {
                Err(Failure::new(ExitCode::Unimplemented, format!("{action} is not carried out here")))
            }
        };
        code.map(Answer::Done)
    }
}
