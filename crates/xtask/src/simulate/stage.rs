//! Actions as coroutines of one thread, on a clock that only the simulation moves.
//!
//! An action is the product's own code on a stack of its own. It runs only while it has the turn, and gives the turn back where it
//! sleeps, waits for the kernel or ends, and sometimes before an operation, so that actions interleave in every way. Who has
//! the turn next is drawn by lot: one seed is one history.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use generator::Gn;
use scst_core::deadline::Deadline;
use scst_core::ocf::action::Action;
use scst_core::ocf::env::Env;
use scst_core::ocf::exit::{Answer, Failure};
use scst_core::ocf::run::{Agent, Context};
use scst_core::system::{Operation, System};

use super::coverage::Kind;
use super::faults::Fault;
use super::iscsi::hearing;
use super::outside::Outside;
use super::tape::Call;
use super::task::die;
pub(super) use super::task::{Outcome, Task, TaskId};
use super::world::{NODES, World};

/// The stack of an action, in machine words.
const STACK: usize = 1 << 17;

/// The world, and the actions in it.
pub(super) struct Stage {
    state: Mutex<State>,
}

pub(super) struct State {
    pub(super) world: World,
    pub(super) tasks: BTreeMap<TaskId, Task>,
    next: TaskId,
    /// What goes wrong in one certain action: the operation that meets it, from 1, and the fault.
    pub(super) aim: Option<(TaskId, usize, Fault)>,
    /// Every action with all that it met, for the real binaries.
    pub(super) tape: Option<Vec<Call>>,
}

/// The world, while nobody else has it.
pub(super) struct Taken<'a>(MutexGuard<'a, State>);

impl Deref for Taken<'_> {
    type Target = World;

    fn deref(&self) -> &World {
        &self.0.world
    }
}

impl DerefMut for Taken<'_> {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.0.world
    }
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage").finish_non_exhaustive()
    }
}

impl State {
    /// An action that is under way.
    pub(super) fn task(&mut self, id: TaskId) -> &mut Task {
        self.tasks.get_mut(&id).expect("a task stays until it is taken")
    }
}

impl Stage {
    pub(super) fn new(world: World) -> Arc<Self> {
        let state = State { world, tasks: BTreeMap::new(), next: 1, aim: None, tape: None };
        Arc::new(Self { state: Mutex::new(state) })
    }

    /// A stage in the same state, on which everything goes its own way from now on. No action may be under way.
    pub(super) fn fork(&self) -> Arc<Self> {
        let state = self.lock();
        assert!(state.tasks.is_empty(), "an action is under way");
        Self::new(state.world.fork())
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn world(&self) -> Taken<'_> {
        Taken(self.lock())
    }

    /// Begins an action.
    pub(super) fn begin(
        self: &Arc<Self>,
        resource: usize,
        node: usize,
        agent: &'static (dyn Agent + Sync),
        action: Action,
        label: String,
        pairs: Vec<(String, String)>,
    ) -> TaskId {
        let env = Env::from_pairs(pairs.iter().map(|(name, value)| (name, value)));
        let timeout = env.timeout();
        let promoted = env.meta("notify_promote_uname").unwrap_or_default();
        let moves = action == Action::Demote && promoted.split_whitespace().any(|name| name != NODES[node]);
        let thorough = action == Action::Monitor && env.check_level() == 10;
        let cancelled = Arc::new(AtomicBool::new(false));
        let mut state = self.lock();
        let id = state.next;
        state.next += 1;
        let now = state.world.now;
        let kind = Kind::new(agent.name(), &label);
        let aim = state.aim.filter(|(task, ..)| *task == id);
        let aim = aim.map(|(_, operation, fault)| (operation, fault));
        let fault = aim.or_else(|| state.world.armed(node, action));
        let (scene, term) = (Arc::clone(self), Arc::clone(&cancelled));
        let body = Gn::new_opt(STACK, move || {
            scene.play(id, node, |system| {
                let deadline = Deadline::for_timeout(Arc::clone(&system), timeout, Arc::clone(&term));
                agent.run(action, &Context { env, system, deadline, dry_run: false, cancelled: term })
            });
        });
        let mut task = Task {
            id,
            resource,
            node,
            label,
            action,
            kind,
            body: Some(body),
            wake: now,
            end: now + timeout,
            killed: false,
            cancelled,
            operations: 0,
            aside: false,
            faulted: false,
            begun: now,
            moves,
            thorough,
            fault,
            call: None,
            outcome: None,
        };
        let State { tasks, tape, world, .. } = &mut *state;
        task.call = tape.as_ref().map(|_| Box::new(Call::begin(world, &task, pairs)));
        tasks.insert(id, task);
        id
    }

    /// An action, from its first turn to its end.
    fn play(
        self: &Arc<Self>,
        id: TaskId,
        node: usize,
        action: impl FnOnce(Arc<dyn System>) -> Result<Answer, Failure>,
    ) {
        let outcome = Outcome::from(catch_unwind(AssertUnwindSafe(|| {
            self.dies_if_killed(id);
            action(Arc::new(Outside { stage: Arc::clone(self), node, task: id }))
        })));
        let mut state = self.lock();
        state.world.process_ended(id);
        let State { tasks, tape, world, .. } = &mut *state;
        let task = tasks.get_mut(&id).expect("a task stays until it is taken");
        let late = task.killed && task.end <= world.now;
        let how = || format!("{} on {} does not end before its time-out", task.label, NODES[task.node]);
        world.check("an action ends before its time-out", task.killed && !late, late.then(how));
        if let (Some(tape), Some(call)) = (tape, task.call.take()) {
            tape.push(call.ended(world, &outcome));
        }
        task.outcome = Some(outcome);
    }

    fn dies_if_killed(&self, id: TaskId) {
        if self.lock().tasks[&id].killed {
            die();
        }
    }

    /// Gives an action the turn, until it gives it back.
    fn give<'a>(self: &'a Arc<Self>, mut state: MutexGuard<'a, State>, id: TaskId) -> MutexGuard<'a, State> {
        let mut body = state.task(id).body.take().expect("an action that waits");
        let heard = state.world.iscsi.is_some();
        drop(state);
        if heard {
            hearing(self, || body.resume());
        } else {
            body.resume();
        }
        let mut state = self.lock();
        state.task(id).body = Some(body);
        state
    }

    /// The running action sleeps for `time`; other actions and the clock go on. It dies instead if it is killed meanwhile.
    pub(super) fn sleep(&self, id: TaskId, time: Duration) {
        let mut state = self.lock();
        let wake = state.world.now + time;
        state.task(id).wake = wake;
        drop(state);
        #[expect(deprecated, reason = "the form with a scope cannot be reached from where the product sleeps")]
        generator::yield_with(());
        self.dies_if_killed(id);
    }

    /// Runs actions until one has ended, or until `until`; answers those that have ended, in the order of their beginning.
    pub(super) fn run(self: &Arc<Self>, until: Duration) -> Vec<Task> {
        loop {
            let mut state = self.lock();
            let ended = state.tasks.extract_if(.., |_, task| task.outcome.is_some());
            let ended: Vec<Task> = ended.map(|(_, task)| task).collect();
            if !ended.is_empty() || state.world.is_over() {
                return ended;
            }
            let now = state.world.now;
            let late = state.tasks.values_mut().find(|task| task.end <= now && !task.killed);
            if let Some(task) = late {
                task.killed = true;
            }
            let ready: Vec<TaskId> =
                state.tasks.iter().filter(|(_, task)| task.wake <= now || task.killed).map(|(id, _)| *id).collect();
            if ready.is_empty() {
                let next =
                    state.tasks.values().map(|task| task.wake.min(task.end)).chain(state.world.next_event()).min();
                let Some(next) = next.filter(|next| *next <= until) else {
                    state.world.advance(until);
                    return Vec::new();
                };
                state.world.advance(next);
                continue;
            }
            let id = *state.world.lot.one_of(&ready);
            drop(self.give(state, id));
        }
    }

    /// An action is about to carry out an operation, and this goes wrong with it.
    pub(super) fn operation(&self, id: TaskId, operation: &Operation) -> Option<Fault> {
        let mut state = self.lock();
        let State { tasks, world, .. } = &mut *state;
        let task = tasks.get_mut(&id).expect("its own task");
        task.operations += 1;
        let number = task.operations;
        let fault = task.fault.take_if(|(at, _)| *at == number).map(|(_, fault)| fault);
        let fault = fault.filter(|fault| fault.concerns(operation.verb));
        world.coverage.operation(&task.kind, operation, fault);
        if let Some(call) = &mut task.call {
            call.operation(&world.nodes[task.node].machine, operation, fault);
        }
        if let Some(fault) = fault {
            task.faulted = true;
            world.happened(format!("    {fault:?} at operation {number} of {}", task.label));
            world.disturbed = true;
            world.untold |= fault == Fault::Hangs;
            world.count(format!("fault {fault:?}"));
        }
        fault
    }

    /// All machines stand still, and with them the time-outs of actions.
    pub(super) fn pause(&self, time: Duration) {
        let mut state = self.lock();
        for task in state.tasks.values_mut() {
            (task.begun, task.end) = (task.begun + time, task.end + time);
        }
        let until = state.world.now + time;
        state.world.advance(until);
    }

    /// SIGKILL to every action on a node, whose ends are not answered by [`Stage::run`] any more.
    pub(super) fn kill_all(self: &Arc<Self>, node: Option<usize>) {
        let mut state = self.lock();
        let on_node = |task: &Task| node.is_none_or(|node| task.node == node);
        while let Some(id) = state.tasks.iter().find(|(_, task)| on_node(task)).map(|(id, _)| *id) {
            state.task(id).killed = true;
            if state.task(id).outcome.is_none() {
                state = self.give(state, id);
            }
            state.tasks.remove(&id);
        }
    }
}
