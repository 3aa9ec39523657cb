//! Actions as threads of which one runs at a time, on a clock that only the simulation moves.
//!
//! An action is the product's own code in a thread of its own. It runs only while it has the turn, and gives the turn back where it
//! sleeps, waits for the kernel or ends, and sometimes before an operation, so that actions interleave in every way. Who has
//! the turn next is drawn by lot: one seed is one history.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use scst_core::deadline::Deadline;
use scst_core::ocf::action::Action;
use scst_core::ocf::env::Env;
use scst_core::ocf::run::{Agent, Context};
use scst_core::system::{Operation, Output, System};

use super::coverage::Kind;
use super::faults::Fault;
use super::iscsi::hearing;
use super::outside::Outside;
use super::tape::{Call, Tape};
use super::task::die;
pub(super) use super::task::{Aim, Outcome, Task, Writer};
use super::world::{NODES, World};

/// One action under way.
pub(super) type TaskId = u32;

/// The world, and whose turn it is.
pub(super) struct Stage {
    state: Mutex<State>,
    /// Nobody has the turn any more.
    free: Condvar,
}

pub(super) struct State {
    pub(super) world: World,
    pub(super) tasks: BTreeMap<TaskId, Task>,
    next: TaskId,
    /// Who runs; nobody while the simulation decides.
    turn: Option<TaskId>,
    /// What goes wrong in one certain action.
    pub(super) aim: Option<Aim>,
    /// Every action that began, in this order: its kind and its node.
    pub(super) begun: Vec<(Kind, usize)>,
    /// Every action with all that it met, for the real binaries.
    pub(super) tape: Option<Tape>,
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

impl Stage {
    pub(super) fn new(world: World) -> Arc<Self> {
        let (tasks, begun) = (BTreeMap::new(), Vec::new());
        let state = State { world, tasks, next: 1, turn: None, aim: None, begun, tape: None };
        Arc::new(Self { state: Mutex::new(state), free: Condvar::new() })
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
        let fault = Aim::taken(&mut state.aim, &kind, node).or_else(|| state.world.armed(node, action));
        state.begun.push((kind.clone(), node));
        let State { tape, world, .. } = &mut *state;
        let call = tape.as_ref().map(|_| Box::new(Call::begin(world, node, agent.name(), &label, action, pairs)));
        state.tasks.insert(
            id,
            Task {
                node,
                label,
                action,
                kind,
                got: Arc::default(),
                wake: now,
                end: now + timeout,
                killed: false,
                cancelled: Arc::clone(&cancelled),
                operations: 0,
                faulted: false,
                begun: now,
                moves,
                thorough,
                fault,
                call,
                outcome: None,
            },
        );
        drop(state);
        let scene = Arc::clone(self);
        thread::Builder::new()
            .stack_size(1 << 20)
            .spawn(move || {
                let outcome = Outcome::from(catch_unwind(AssertUnwindSafe(|| {
                    scene.wait_for_turn(id);
                    let system: Arc<dyn System> = Arc::new(Outside::new(Arc::clone(&scene), node, id));
                    let deadline = Deadline::for_timeout(Arc::clone(&system), timeout, Arc::clone(&cancelled));
                    let context = Context { env, system, deadline, dry_run: false, cancelled };
                    hearing(&scene, || agent.run(action, &context))
                })));
                let mut state = scene.lock();
                state.world.process_ended(id);
                let State { tasks, tape, world, .. } = &mut *state;
                let task = tasks.get_mut(&id).expect("a task stays until it is taken");
                let late = task.killed && task.end <= world.now;
                let how = || format!("{} on {} does not end before its time-out", task.label, NODES[task.node]);
                world.check("an action ends before its time-out", task.killed && !late, late.then(how));
                if let (Some(tape), Some(call)) = (tape, task.call.take()) {
                    tape.end(world, *call, &outcome);
                }
                task.outcome = Some(outcome);
                scene.give_back(state);
            })
            .expect("a thread");
        id
    }

    /// Waits for the turn; dies instead if the action was killed meanwhile.
    fn wait_for_turn(&self, id: TaskId) {
        let state = self.lock();
        let got = Arc::clone(&state.tasks[&id].got);
        let state = got.wait_while(state, |state| state.turn != Some(id));
        let state = state.unwrap_or_else(PoisonError::into_inner);
        let killed = state.tasks[&id].killed;
        drop(state);
        if killed {
            die();
        }
    }

    /// The running action gives the turn back.
    fn give_back(&self, mut state: MutexGuard<'_, State>) {
        state.turn = None;
        // Whoever wakes up finds the lock free.
        drop(state);
        self.free.notify_one();
    }

    /// Gives an action the turn and waits until it gives it back.
    fn give<'a>(&'a self, mut state: MutexGuard<'a, State>, id: TaskId) -> MutexGuard<'a, State> {
        state.turn = Some(id);
        let got = Arc::clone(&state.tasks[&id].got);
        drop(state);
        got.notify_one();
        let waited = self.free.wait_while(self.lock(), |state| state.turn.is_some());
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    /// The running action sleeps for `time`; other actions and the clock go on.
    pub(super) fn sleep(&self, id: TaskId, time: Duration) {
        let mut state = self.lock();
        let wake = state.world.now + time;
        state.tasks.get_mut(&id).expect("its own task").wake = wake;
        self.give_back(state);
        self.wait_for_turn(id);
    }

    /// Runs actions until one has ended, or until `until`; answers those that have ended, in the order of their beginning.
    pub(super) fn run(&self, until: Duration) -> Vec<(TaskId, Task)> {
        loop {
            let mut state = self.lock();
            let ended: Vec<_> = state.tasks.extract_if(.., |_, task| task.outcome.is_some()).collect();
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
            call.operation(operation, fault);
        }
        if let Some(fault) = fault {
            task.faulted = true;
            world.happened(format!("    {fault:?} at operation {number} of {}", task.label));
            world.count_fault(fault);
        }
        fault
    }

    /// What an operation gave.
    pub(super) fn answered(&self, id: TaskId, operation: &Operation, answer: &std::io::Result<Output>) {
        if let Some(call) = &mut self.lock().tasks.get_mut(&id).expect("its own task").call {
            call.answered(operation, answer);
        }
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

    /// SIGTERM to an action.
    pub(super) fn terminate(&self, id: TaskId) {
        self.lock().tasks[&id].cancelled.store(true, Ordering::Relaxed);
    }

    /// SIGKILL to every action on a node, whose ends are not answered by [`Stage::run`] any more.
    pub(super) fn kill_all(&self, node: Option<usize>) {
        let mut state = self.lock();
        let on_node = |task: &Task| node.is_none_or(|node| task.node == node);
        while let Some(id) = state.tasks.iter().find(|(_, task)| on_node(task)).map(|(id, _)| *id) {
            let task = state.tasks.get_mut(&id).expect("just found");
            task.killed = true;
            if task.outcome.is_none() {
                state = self.give(state, id);
            }
            state.tasks.remove(&id);
        }
    }
}
