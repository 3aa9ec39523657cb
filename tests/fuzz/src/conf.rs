//! A file of scstadmin: whatever is in it, what is made of it is a configuration that the agents read, and every command that they make of
//! that has the words that were meant.

use std::collections::BTreeMap;

use agents::scst_aluadg::params::Params as GroupParams;
use agents::scst_aluadg::wanted::{self as group_wanted, States};
use agents::scst_ha::import::resources_of;
use agents::scst_qla2xtgt::AGENT as PORTS;
use agents::target::params::Params as PortParams;
use agents::target::wanted as ports_wanted;
use scst_core::ocf::env::Env;
use scst_core::plan::ports;
use scst_core::plan::storage::converge;
use scst_core::scst::names::Driver;
use scst_core::state::Storage;

use super::{check, fresh, one_line_each, port, scope, surroundings};

/// The file, to the commands of the agents.
pub fn scst_conf(data: &[u8]) {
    for (agent, params) in resources_of(data).unwrap_or_default() {
        let env = environment(&params);
        if agent == PORTS.table.name { ports_of(&env) } else { group_of(&env) }
    }
}

fn environment(params: &BTreeMap<String, String>) -> Env {
    Env::from_pairs(params.iter().map(|(name, value)| (format!("OCF_RESKEY_{name}"), value)))
}

fn ports_of(env: &Env) {
    let (params, findings) = PortParams::parse(&PORTS, env);
    one_line_each(&findings);
    let names = [(port(), 101)];
    let Some(wanted) = params.and_then(|params| ports_wanted::started(&params, 1, &names).ok()) else { return };
    check(&ports::plan(Driver::Qla2x00t, &fresh(&names), &wanted));
}

fn group_of(env: &Env) {
    let (params, findings) = GroupParams::parse(env);
    one_line_each(&findings);
    let Some(params) = params else { return };
    let Some((topology, local)) = surroundings(params.driver) else { return };
    let nothing = Storage::default();
    let wanted = group_wanted::storage(&params, &topology, &local, States::Started(None), &nothing);
    let scope = scope(params.group.clone(), params.driver, true);
    check(&converge(&scope, &nothing, &wanted).steps);
}
