//! The states that nodes have been found in, each kept once, and what every call made of them.
//!
//! A cluster of the search holds numbers of states, and the same call on the same state is worked out once. That is what
//! makes millions of clusters affordable with the product's own planning code.

use std::collections::{BTreeMap, HashMap};

use scst_core::scst::alua::AluaState;
use scst_core::state_file::Remembered;

use super::call::Call;
use super::kernel::Kernel;
use super::native::{NodeState, Run};
use super::site::{Attributes, MOST, Site};

/// What hosts are told of a path, ordered from worse to better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Told {
    /// No target group.
    Nothing,
    Unavailable,
    Transitioning,
    Standby,
    Active,
}

impl From<AluaState> for Told {
    fn from(state: AluaState) -> Self {
        match state {
            AluaState::Active | AluaState::NonOptimized => Self::Active,
            AluaState::Standby => Self::Standby,
            AluaState::Transitioning => Self::Transitioning,
            AluaState::Unavailable | AluaState::Offline => Self::Unavailable,
        }
    }
}

/// What the invariants look at.
#[derive(Debug, Clone)]
pub(super) struct Summary {
    /// What this node's tree says of every node, itself included.
    pub(super) told: [Told; MOST],
    /// It runs the shell agent.
    pub(super) shell: bool,
    /// Every device in the group is open.
    pub(super) open: bool,
    /// The ids of the target groups, and of all ports: 0 where there is none.
    pub(super) ids: [u16; MOST * 4],
}

/// What a call made of a state.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    /// The state afterwards.
    pub(super) state: u32,
    /// At some moment hosts could write through the node.
    pub(super) served: bool,
    /// What went wrong in the run itself, by its place in [`Nodes::wrongs`].
    pub(super) wrong: Option<u32>,
}

/// A fault put into the nodes on purpose, to see the search find it: asked before every run, it answers whether it has taken the
/// agent's place in it.
pub(super) type Meddle = fn(&mut Run<'_>, Call) -> bool;

/// The states and outcomes known.
pub(super) struct Nodes {
    pub(super) site: Site,
    meddle: Option<Meddle>,
    states: Vec<NodeState>,
    summaries: Vec<Summary>,
    numbers: HashMap<String, u32>,
    outcomes: HashMap<(usize, u32, Call, Attributes), Outcome>,
    pub(super) wrongs: Vec<String>,
}

impl Nodes {
    /// Nothing known yet.
    pub(super) fn new(site: Site, meddle: Option<Meddle>) -> Self {
        Self {
            site,
            meddle,
            states: Vec::new(),
            summaries: Vec::new(),
            numbers: HashMap::new(),
            outcomes: HashMap::new(),
            wrongs: Vec::new(),
        }
    }

    /// A node that has just booted.
    pub(super) fn booted(&mut self, node: usize, shell: bool) -> u32 {
        // The target agent has given the first port its id; of the others nobody has spoken yet.
        let ids = [u32::try_from((node + 1) * 100 + 1).expect("small"), 0, 0];
        let ports: BTreeMap<_, _> = ids.into_iter().enumerate().map(|(n, id)| (Site::port(node, n), id)).collect();
        self.number(node, NodeState { kernel: Kernel::new(ports), record: Remembered::Nothing, shell })
    }

    /// What a state looks like from outside.
    pub(super) fn summary(&self, state: u32) -> &Summary {
        &self.summaries[state as usize]
    }

    /// How many states nodes have been found in.
    pub(super) fn len(&self) -> usize {
        self.states.len()
    }

    /// What a call makes of a state.
    pub(super) fn call(&mut self, node: usize, state: u32, call: Call, attributes: Attributes) -> Outcome {
        let attributes = if call.asks_the_cluster() { attributes } else { Attributes::default() };
        let key = (node, state, call, attributes);
        if let Some(outcome) = self.outcomes.get(&key) {
            return *outcome;
        }
        let (state, run_served, wrong) = {
            let mut run = self.run(node, state, call, attributes);
            if run.wrong.is_none() && !run.state.shell && repeatable(call) {
                self.again(&mut run, call);
            }
            (run.state, run.served, run.wrong)
        };
        let wrong = wrong.map(|text| {
            self.wrongs.push(text);
            u32::try_from(self.wrongs.len() - 1).expect("few")
        });
        let outcome = Outcome { state: self.number(node, state), served: run_served, wrong };
        self.outcomes.insert(key, outcome);
        outcome
    }

    /// Works a call out.
    pub(super) fn run(&self, node: usize, state: u32, call: Call, attributes: Attributes) -> Run<'_> {
        let state = self.states[state as usize].clone();
        self.work(node, state, call, attributes)
    }

    fn work(&self, node: usize, state: NodeState, call: Call, attributes: Attributes) -> Run<'_> {
        let mut run = Run { site: &self.site, node, attributes, state, steps: Vec::new(), served: false, wrong: None };
        if self.meddle.is_some_and(|meddle| meddle(&mut run, call)) {
            return run;
        }
        if run.state.shell {
            run.shell(call);
        } else {
            run.native(call);
        }
        run
    }

    /// A run that is repeated, as a notification may be, writes nothing.
    fn again(&self, run: &mut Run<'_>, call: Call) {
        let second = self.work(run.node, run.state.clone(), call, run.attributes);
        if let Some(step) = second.steps.first() {
            run.wrong = Some(format!("repeated at once it would still {step}"));
        } else if second.state != run.state {
            run.wrong = Some("repeated at once it changes the record".to_owned());
        }
    }

    fn number(&mut self, node: usize, state: NodeState) -> u32 {
        let key = format!("{node} {state:?}");
        if let Some(number) = self.numbers.get(&key) {
            return *number;
        }
        let number = u32::try_from(self.states.len()).expect("fewer states than that");
        self.summaries.push(self.summarise(&state));
        self.states.push(state);
        self.numbers.insert(key, number);
        number
    }

    fn summarise(&self, state: &NodeState) -> Summary {
        let storage = &state.kernel.storage;
        let mut told = [Told::Nothing; MOST];
        let mut ids = [0; MOST * 4];
        let small = |id: u32| u16::try_from(id).unwrap_or(u16::MAX);
        for (node, group) in storage.group.iter().flat_map(|group| &group.target_groups) {
            let Some(index) = self.site.index(node.as_str()) else { continue };
            told[index] = group.state.into();
            ids[index * 4] = small(group.group_id);
            for n in 0..3 {
                let member = group.members.get(&Site::port(index, n));
                ids[index * 4 + 1 + n] = member.map_or(0, |member| small(member.rel_tgt_id));
            }
        }
        let open = storage.devices.values().all(|device| device.active != Some(false));
        Summary { told, shell: state.shell, open, ids }
    }
}

/// Whether a second run right after the first may change nothing.
fn repeatable(call: Call) -> bool {
    !matches!(call, Call::Age | Call::Upgrade | Call::Forget | Call::PromoteFails(_))
}
